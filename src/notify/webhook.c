#include "notify/webhook.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

enum { TRIES = 3, SLICE_MS = 100, BODY_MAX = 65536, HEADER_MAX = 256 };

struct tf_webhook {
    char *url, *secret, *ca_file;
    char where[300];
    bool slack;
    int64_t connect_ms, total_ms, backoff_ms;
    CURL *handle; /* kept: so are its connections */
    CURLM *multi;
};

void tf_webhook_begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void tf_webhook_end(void)
{
    curl_global_cleanup();
}

/* ---- the address ---- */

static bool is_this_machine(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

static bool bad_address(tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "the webhook's address is not a URL of http or https");
    return tf_error_hint(err, "It has the form https://HOST/PATH.");
}

static bool judge_address(const char *scheme, const char *host, const char *port, bool plaintext, tf_webhook *webhook,
                          tf_error *err)
{
    bool plain = strcmp(scheme, "http") == 0;
    if (!plain && strcmp(scheme, "https") != 0)
        return bad_address(err);
    snprintf(webhook->where, sizeof webhook->where, "%s://%s%s%s", scheme, TF_WORD(host), port ? ":" : "", port ? port : "");
    if (!plain || plaintext || is_this_machine(host))
        return true;
    tf_error_set(err, TF_ERR_USAGE, "the webhook at %s would be called without encryption", webhook->where);
    return tf_error_hint(err, "Use https; or say --allow-plaintext, on a network that is trusted entirely.");
}

static bool check_address(const char *url, bool plaintext, tf_webhook *webhook, tf_error *err)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool good = curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    curl_url_get(parsed, CURLUPART_PORT, &port, 0);
    good = good ? judge_address(scheme, host, port, plaintext, webhook, err) : bad_address(err);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return good;
}

/* ---- one try ---- */

static size_t swallow(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    size_t *read = arg;
    *read += size * count;
    return *read > BODY_MAX ? 0 : size * count; /* 0 ends it */
}

static void configure(tf_webhook *webhook)
{
    CURL *handle = webhook->handle;
    curl_easy_setopt(handle, CURLOPT_URL, webhook->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (webhook->ca_file)
        curl_easy_setopt(handle, CURLOPT_CAINFO, webhook->ca_file);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)webhook->connect_ms);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)webhook->total_ms);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L); /* a name that is being looked up holds up nobody's end */
#endif
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
}

static struct curl_slist *header(struct curl_slist *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct curl_slist *header(struct curl_slist *list, const char *format, ...)
{
    char line[HEADER_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return curl_slist_append(list, line);
}

static struct curl_slist *headers_of(const tf_webhook *webhook, const tf_message *message, const char *body)
{
    char stamp[32], hex[2 * TF_SHA256_SIZE + 1];
    uint8_t mac[TF_SHA256_SIZE];
    struct curl_slist *list = NULL;
    snprintf(stamp, sizeof stamp, "%" PRId64 ".", tf_clock_wall_ms() / 1000);
    list = header(list, "Content-Type: application/json");
    list = header(list, "User-Agent: tokenfix");
    list = header(list, "Expect:");
    list = header(list, "X-Tokenfix-Event: %s", tf_alert_event_name(message->event));
    list = header(list, "X-Tokenfix-Delivery: %s", message->delivery);
    list = header(list, "X-Tokenfix-Timestamp: %.*s", (int)strcspn(stamp, "."), stamp);
    if (webhook->secret) {
        tf_hmac_sha256(webhook->secret, stamp, body, mac);
        tf_hex(mac, sizeof mac, hex);
        list = header(list, "X-Tokenfix-Signature: sha256=%s", hex);
    }
    return list;
}

/* Performs what is set up; false where it was cancelled. */
static bool perform(tf_webhook *webhook, const atomic_bool *cancelled, CURLcode *result)
{
    int running = 1, left = 0;
    *result = CURLE_OK;
    curl_multi_add_handle(webhook->multi, webhook->handle);
    while (running && !atomic_load(cancelled)) {
        if (curl_multi_perform(webhook->multi, &running) != CURLM_OK)
            break;
        if (running)
            curl_multi_poll(webhook->multi, NULL, 0, SLICE_MS, NULL);
    }
    const CURLMsg *said = curl_multi_info_read(webhook->multi, &left);
    if (said && said->msg == CURLMSG_DONE)
        *result = said->data.result;
    else
        *result = CURLE_ABORTED_BY_CALLBACK;
    curl_multi_remove_handle(webhook->multi, webhook->handle);
    return *result != CURLE_ABORTED_BY_CALLBACK;
}

typedef enum { DELIVERED, AGAIN, FINAL } outcome;

/* What is known of an exchange: a status that came before things went wrong counts. */
static outcome judge(const tf_webhook *webhook, CURLcode result, long status, const char *why, tf_error *err)
{
    static const long passing[] = {408, 425, 429};
    tf_error_clear(err);
    if (status >= 200 && status < 300)
        return DELIVERED;
    if (status < 200) { /* 100 and the like: no answer yet */
        tf_error_set(err, TF_ERR_CONNECT, "the webhook at %s cannot be reached", webhook->where);
        tf_error_detail(err, "%s", *why ? why : curl_easy_strerror(result));
        return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ? FINAL : AGAIN;
    }
    tf_error_set(err, TF_ERR_SERVER, "the webhook at %s answers %ld", webhook->where, status);
    if (status >= 300 && status < 400)
        tf_error_hint(err, "It redirects, which is not followed: give the address that it redirects to.");
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (status == passing[i])
            return AGAIN;
    return status >= 500 ? AGAIN : FINAL;
}

static outcome try(tf_webhook *webhook, const tf_message *message, const char *body, const atomic_bool *cancelled,
                   tf_error *err)
{
    char why[CURL_ERROR_SIZE] = "", clean[200];
    size_t read = 0;
    long status = 0;
    CURLcode result;
    struct curl_slist *headers = headers_of(webhook, message, body);
    curl_easy_setopt(webhook->handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(webhook->handle, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
    curl_easy_setopt(webhook->handle, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(webhook->handle, CURLOPT_WRITEDATA, &read);
    curl_easy_setopt(webhook->handle, CURLOPT_ERRORBUFFER, why);
    bool ended = perform(webhook, cancelled, &result);
    curl_easy_getinfo(webhook->handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_setopt(webhook->handle, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(webhook->handle, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(webhook->handle, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(headers);
    if (ended || status >= 200)
        return judge(webhook, result, status, tf_text_clean(why, clean, sizeof clean), err);
    tf_error_clear(err);
    tf_error_set(err, TF_ERR_INTERRUPTED, "the webhook at %s was given up at the end of the program", webhook->where);
    return FINAL;
}

/* ---- */

static void rest(int64_t ms, const atomic_bool *cancelled)
{
    int64_t until = tf_clock_ms() + ms;
    for (int64_t left = ms; left > 0 && !atomic_load(cancelled); left = until - tf_clock_ms())
        tf_clock_sleep_ms(left < SLICE_MS ? left : SLICE_MS);
}

bool tf_webhook_send(void *arg, const tf_message *message, const atomic_bool *cancelled, tf_error *err)
{
    tf_webhook *webhook = arg;
    char *made = webhook->slack ? tf_message_slack(message) : NULL;
    outcome came = AGAIN;
    tf_error one = {0};
    for (int n = 0; came == AGAIN && n < TRIES && !(n && atomic_load(cancelled)); n++) {
        if (n)
            rest(webhook->backoff_ms << (n - 1), cancelled);
        came = try(webhook, message, made ? made : message->json, cancelled, &one);
    }
    free(made);
    if (came == DELIVERED)
        return true;
    if (came == AGAIN)
        tf_error_hint(&one, "It was tried %d times; the alert stays due and is tried again with the next round.", TRIES);
    if (err)
        *err = one;
    return false;
}

const char *tf_webhook_where(const tf_webhook *webhook)
{
    return webhook->where;
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    bson_free(text);
}

void tf_webhook_free(void *arg)
{
    tf_webhook *webhook = arg;
    if (!webhook)
        return;
    curl_easy_cleanup(webhook->handle);
    curl_multi_cleanup(webhook->multi);
    wipe(webhook->url);
    wipe(webhook->secret);
    bson_free(webhook->ca_file);
    bson_free(webhook);
}

tf_webhook *tf_webhook_new(const tf_webhook_options *options, tf_error *err)
{
    tf_webhook *webhook = bson_malloc0(sizeof *webhook);
    webhook->url = bson_strdup(options->url);
    webhook->secret = options->secret ? bson_strdup(options->secret) : NULL;
    webhook->ca_file = options->ca_file ? bson_strdup(options->ca_file) : NULL;
    webhook->slack = options->slack;
    webhook->connect_ms = options->connect_ms ? options->connect_ms : 5000;
    webhook->total_ms = options->total_ms ? options->total_ms : 10000;
    webhook->backoff_ms = options->backoff_ms ? options->backoff_ms : 1000;
    bool good = check_address(options->url, options->plaintext, webhook, err);
    if (good && (!(webhook->handle = curl_easy_init()) || !(webhook->multi = curl_multi_init())))
        good = tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!good) {
        tf_webhook_free(webhook);
        return NULL;
    }
    configure(webhook);
    return webhook;
}
