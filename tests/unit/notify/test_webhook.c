/* The webhook against a real server, one that answers, fails, is dead, is slow, lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notify/webhook.h"

#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "sandbox/certificate.h"
#include "support/http.h"
#include "unit/notify/message.h"

static const atomic_bool going;
static tf_error err;

TF_CLEANUP(http_server *, http_stop)
TF_CLEANUP(tf_webhook *, tf_webhook_free)

static tf_webhook *patient_hook(const char *url, int64_t total_ms)
{
    err = (tf_error){0};
    tf_webhook *hook = tf_webhook_new(
        &(tf_webhook_options){.url = url, .secret = "s3cret", .connect_ms = 20000, .total_ms = total_ms, .backoff_ms = 20}, &err);
    assert_non_null(hook);
    return hook;
}

static tf_webhook *hook_to(const char *url)
{
    return patient_hook(url, 20000);
}

static bool send_to(tf_webhook *hook)
{
    _cleanup_(tf_message_freep) tf_message *message = sample_message("12 tokens", NULL);
    err = (tf_error){0};
    return tf_webhook_send(hook, message, &going, &err);
}

/* As a receiver would: HMAC by another implementation. */
static void assert_signed(const http_request *request, const char *secret)
{
    char text[8192], expected[80] = "sha256=";
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    const char *stamp = http_header(request, "X-Tokenfix-Timestamp");
    assert_in_range(atoll(stamp), (uintmax_t)(time(NULL) - 60), (uintmax_t)(time(NULL) + 60));
    snprintf(text, sizeof text, "%s.%s", stamp, request->body);
    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, strlen(text), mac, &length));
    tf_hex(mac, length, expected + strlen(expected));
    assert_string_equal(http_header(request, "X-Tokenfix-Signature"), expected);
}

static void webhook__posts_signed_json(void **state)
{
    (void)state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    _cleanup_(tf_webhook_freep) tf_webhook *hook = hook_to(http_url(server));
    assert_true(send_to(hook));
    const http_request *got = http_request_at(server, 0);
    assert_int_equal(http_count(server), 1);
    assert_string_equal(got->path, "/hook");
    assert_non_null(strstr(got->head, "POST "));
    assert_string_equal(http_header(got, "Content-Type"), "application/json");
    assert_string_equal(http_header(got, "X-Tokenfix-Event"), "raised");
    assert_int_equal(strlen(http_header(got, "X-Tokenfix-Delivery")), 32);
    assert_signed(got, "s3cret");
    bson_t *body = bson_new_from_json((const uint8_t *)got->body, -1, NULL);
    assert_non_null(body);
    assert_true(bson_has_field(body, "alert"));
    bson_destroy(body);
}

static void webhook__secret_longer_than_a_block_signs_too(void **state)
{
    (void)state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    char secret[200] = "";
    memset(secret, 'k', 150);
    _cleanup_(tf_webhook_freep) tf_webhook *hook =
        tf_webhook_new(&(tf_webhook_options){.url = http_url(server), .secret = secret}, &err);
    assert_true(send_to(hook));
    assert_signed(http_request_at(server, 0), secret);
}

static void webhook__without_a_secret_is_not_signed(void **state)
{
    (void)state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    _cleanup_(tf_webhook_freep) tf_webhook *hook = tf_webhook_new(&(tf_webhook_options){.url = http_url(server)}, &err);
    assert_true(send_to(hook));
    assert_string_equal(http_header(http_request_at(server, 0), "X-Tokenfix-Signature"), "");
}

static void webhook__speaks_slack(void **state)
{
    (void)state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    _cleanup_(tf_webhook_freep) tf_webhook *hook =
        tf_webhook_new(&(tf_webhook_options){.url = http_url(server), .slack = true, .secret = "s3cret"}, &err);
    _cleanup_(tf_message_freep) tf_message *message = sample_message("a < b & \"c\"", NULL);
    assert_true(tf_webhook_send(hook, message, &going, &err));
    assert_string_equal(http_request_at(server, 0)->body,
                        "{\"text\": \"[high] tokenfix, wallet: melted_unspent: a &lt; b &amp; \\\"c\\\"\"}");
    assert_signed(http_request_at(server, 0), "s3cret");
}

/* What each answer leads to: how many requests are made, and what is said. */
static void webhook__answers_are_judged_and_tried_again_where_that_may_help(void **state)
{
    (void)state;
    static const struct {
        int script[4];
        size_t requests;
        bool delivered;
        const char *message;
        int64_t total_ms; /* 0: no answer is waited for in vain */
    } rows[] = {
        {{HTTP_OK, -1}, 1, true, "", 0},
        {{HTTP_FAIL, HTTP_OK, -1}, 2, true, "", 0},
        {{HTTP_FAIL, HTTP_BUSY, HTTP_OK, -1}, 3, true, "", 0},
        {{HTTP_FAIL, -1}, 3, false, "answers 500", 0},
        {{HTTP_BUSY, -1}, 3, false, "answers 429", 0},
        {{HTTP_MISSING, -1}, 1, false, "answers 404", 0},
        {{HTTP_REDIRECT, -1}, 1, false, "answers 302", 0},
        {{HTTP_SILENT, HTTP_OK, -1}, 2, true, "", 2500},
        {{HTTP_SILENT, -1}, 3, false, "cannot be reached", 1000},
        {{HTTP_HANG_UP, HTTP_OK, -1}, 2, true, "", 0},
        {{HTTP_NONSENSE, -1}, 3, false, "cannot be reached", 0},
        {{HTTP_GARBAGE, -1}, 1, true, "", 0},
        {{HTTP_ENDLESS, -1}, 1, true, "", 0},
        {{HTTP_SHORT, -1}, 1, true, "", 0},
        {{HTTP_DRIP, -1}, 1, true, "", 2500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(http_stopp) http_server *server = http_start(rows[i].script, NULL);
        _cleanup_(tf_webhook_freep) tf_webhook *hook = patient_hook(http_url(server), rows[i].total_ms ? rows[i].total_ms : 20000);
        bool delivered = send_to(hook);
        size_t requests = http_wait(server, rows[i].requests);
        if (delivered != rows[i].delivered || requests != rows[i].requests)
            fail_msg("row %zu: %zu requests, delivered %d: %s", i, requests, delivered, err.message);
        if (!delivered && !strstr(err.message, rows[i].message))
            fail_msg("row %zu: %s", i, err.message);
        for (size_t n = 0; n < requests; n++) {
            assert_string_equal(http_request_at(server, n)->path, "/hook");
            assert_string_equal(http_request_at(server, n)->body, http_request_at(server, 0)->body);
            assert_signed(http_request_at(server, n), "s3cret");
        }
    }
}

static void webhook__that_is_dead_is_said_without_the_address(void **state)
{
    (void)state;
    char url[128];
    http_server *server = http_serve(HTTP_OK);
    snprintf(url, sizeof url, "%.*s/services/T0/B0/secretpart", (int)(strlen(http_url(server)) - 5), http_url(server));
    http_stop(server);
    _cleanup_(tf_webhook_freep) tf_webhook *hook = hook_to(url);
    assert_false(send_to(hook));
    assert_non_null(strstr(err.message, "the webhook at http://127.0.0.1:"));
    assert_null(strstr(err.message, "secretpart"));
    assert_null(strstr(err.detail, "secretpart"));
    assert_non_null(strstr(err.hint, "It was tried 3 times"));
}

static void webhook__backs_off_longer_each_time(void **state)
{
    (void)state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_FAIL);
    _cleanup_(tf_webhook_freep) tf_webhook *hook =
        tf_webhook_new(&(tf_webhook_options){.url = http_url(server), .backoff_ms = 100}, &err);
    int64_t begun = tf_clock_ms();
    assert_false(send_to(hook));
    assert_true(tf_clock_ms() - begun >= 300);
    assert_int_equal(http_count(server), 3);
}

static void *cancel_soon(void *flag)
{
    usleep(200000);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void webhook__is_given_up_in_the_middle(void **state)
{
    (void)state;
    atomic_bool cancelled = false;
    pthread_t thread;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_SILENT);
    _cleanup_(tf_webhook_freep) tf_webhook *hook =
        tf_webhook_new(&(tf_webhook_options){.url = http_url(server), .total_ms = 60000}, &err);
    _cleanup_(tf_message_freep) tf_message *message = sample_message("12 tokens", NULL);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancelled), 0);
    int64_t begun = tf_clock_ms();
    err = (tf_error){0};
    assert_false(tf_webhook_send(hook, message, &cancelled, &err));
    assert_true(tf_clock_ms() - begun < 30000);
    assert_int_equal(err.code, TF_ERR_INTERRUPTED);
    pthread_join(thread, NULL);
}

static void webhook__addresses_are_checked(void **state)
{
    (void)state;
    static const char *const malformed[] = {"", "hook", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "http:// /x"};
    static const char *const open[] = {"http://example.com/x", "http://10.0.0.1/x", "http://127.0.0.1.example.com/x"};
    static const char *const good[] = {"https://example.com/x", "http://localhost:8080/x", "http://[::1]:1/x"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        err = (tf_error){0};
        assert_null(tf_webhook_new(&(tf_webhook_options){.url = malformed[i]}, &err));
        assert_string_equal(err.message, "the webhook's address is not a URL of http or https");
    }
    for (size_t i = 0; i < 3; i++) {
        err = (tf_error){0};
        assert_null(tf_webhook_new(&(tf_webhook_options){.url = open[i]}, &err));
        assert_non_null(strstr(err.message, "would be called without encryption"));
        tf_webhook_free(tf_webhook_new(&(tf_webhook_options){.url = open[i], .plaintext = true}, NULL));
        tf_webhook *hook = tf_webhook_new(&(tf_webhook_options){.url = good[i]}, &err);
        assert_non_null(hook);
        tf_webhook_free(hook);
    }
}

static void webhook__certificates_are_verified(void **state)
{
    (void)state;
    char folder[] = "/tmp/tf-webhook-XXXXXX", authority_file[64], file[64], other_file[64];
    static const char *const hosts[] = {"127.0.0.1", NULL}, *const other_hosts[] = {"example.com", NULL};
    assert_non_null(mkdtemp(folder));
    snprintf(authority_file, sizeof authority_file, "%s/ca.pem", folder);
    snprintf(file, sizeof file, "%s/server.pem", folder);
    snprintf(other_file, sizeof other_file, "%s/other.pem", folder);
    _cleanup_(tf_authority_freep) tf_authority *authority = tf_authority_new("test", &err);
    assert_true(tf_authority_write(authority, authority_file, &err));
    const tf_certificate right = {.name = "here", .unit = "u", .hosts = hosts, .from_s = -60, .until_s = 3600};
    tf_certificate wrong = right;
    wrong.hosts = other_hosts;
    assert_true(tf_authority_issue(authority, &right, file, &err));
    assert_true(tf_authority_issue(authority, &wrong, other_file, &err));
    static const struct {
        bool trusted, right_host, delivered;
    } rows[] = {{true, true, true}, {false, true, false}, {true, false, false}};
    static const int script[] = {HTTP_OK, -1};
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(http_stopp) http_server *server = http_start(script, rows[i].right_host ? file : other_file);
        _cleanup_(tf_webhook_freep) tf_webhook *hook = tf_webhook_new(
            &(tf_webhook_options){.url = http_url(server), .ca_file = rows[i].trusted ? authority_file : NULL, .backoff_ms = 1}, &err);
        assert_int_equal(send_to(hook), rows[i].delivered);
        assert_int_equal(http_count(server), rows[i].delivered);
        if (!rows[i].delivered)
            assert_non_null(strstr(err.detail, "SSL"));
    }
    unlink(authority_file);
    unlink(file);
    unlink(other_file);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webhook__posts_signed_json),
        cmocka_unit_test(webhook__secret_longer_than_a_block_signs_too),
        cmocka_unit_test(webhook__without_a_secret_is_not_signed),
        cmocka_unit_test(webhook__speaks_slack),
        cmocka_unit_test(webhook__answers_are_judged_and_tried_again_where_that_may_help),
        cmocka_unit_test(webhook__that_is_dead_is_said_without_the_address),
        cmocka_unit_test(webhook__backs_off_longer_each_time),
        cmocka_unit_test(webhook__is_given_up_in_the_middle),
        cmocka_unit_test(webhook__addresses_are_checked),
        cmocka_unit_test(webhook__certificates_are_verified),
    };
    signal(SIGPIPE, SIG_IGN);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    tf_webhook_begin();
    int failed = cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
    tf_webhook_end();
    return failed;
}
