/*
 * base/redact.h: no password survives, in well-formed and in malformed connection strings.
 *
 * An input is taken twice. As it is: what the driver reads as a secret must not stand in the output. And as the parts of a
 * connection string (separated by line ends: user, password, host, options), with marks around the password that would
 * show if any end of it were left.
 */
#include "fuzz/fuzz.h"

#include "base/redact.h"
#include "base/text.h"

#include <mongoc/mongoc.h>
#include <string.h>
#include <tokenfix/cleanup.h>

enum { TEXT_MAX = 1 << 16 };

static size_t occurrences(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

/* A secret that stands in the string once, as such or with %XX, and can be told from what stands around it. */
static void check_gone(const char *uri, const char *shown, const char *secret)
{
    if (!secret || strlen(secret) < 4 || strstr("<hidden>", secret))
        return;
    char *plain = mongoc_uri_unescape(uri), *after = mongoc_uri_unescape(shown);
    if (plain && occurrences(plain, secret) == 1) {
        FUZZ_CHECK(!strstr(shown, secret));
        FUZZ_CHECK(!after || !strstr(after, secret));
    }
    bson_free(plain);
    bson_free(after);
}

static void check_driver(const char *text, const char *shown)
{
    bson_error_t error;
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    bson_t properties;
    bson_iter_t at;
    if (!uri)
        return;
    const char *password = mongoc_uri_get_password(uri);
    FUZZ_CHECK(!password || !*password || tf_redact_needed(text));
    check_gone(text, shown, password);
    check_gone(text, shown, mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, NULL));
    if (mongoc_uri_get_mechanism_properties(uri, &properties) && bson_iter_init_find_case(&at, &properties, "AWS_SESSION_TOKEN") &&
        BSON_ITER_HOLDS_UTF8(&at))
        check_gone(text, shown, bson_iter_utf8(&at, NULL));
}

/* The part up to the line end, without the letter of the marks; empty behind the last. */
static char *part(char **text)
{
    char *begin = *text;
    size_t length = strcspn(begin, "\n");
    *text += length + (begin[length] != '\0');
    begin[length] = '\0';
    for (char *c = begin; *c; c++)
        *c = *c == 'Q' ? 'q' : *c;
    return begin;
}

static void check_marks(const char *uri, bool whole, char *out)
{
    FUZZ_CHECK((whole ? tf_redact_uri(uri, out, TEXT_MAX) : tf_redact_text(uri, out, TEXT_MAX)) == out);
    FUZZ_CHECK(!strchr(out, 'Q'));
}

static void check_parts(char *input, char *uri, char *out)
{
    static const char *const options[] = {"tlsCertificateKeyFilePassword=", "sslclientcertificatekeypassword=",
                                          "authMechanismProperties=A:b,AWS_SESSION_TOKEN:", "proxyPassword="};
    char *user = part(&input), *password = part(&input), *host = part(&input), *rest = part(&input);
    size_t half = strlen(password) / 2, which = strlen(rest) % 4;
    user[strcspn(user, ":/@")] = '\0'; /* one that holds these is not read as a user by anybody */
    snprintf(uri, TEXT_MAX, "mongodb://%s:Q%.*sQ%sQ@%s/db", user, (int)half, password, password + half, host);
    check_marks(uri, true, out);
    FUZZ_CHECK(tf_redact_needed(uri));
    snprintf(uri, TEXT_MAX, "%s:Q%.*sQ%sQ@%s", user, (int)half, password, password + half, host);
    if (!strstr(uri, "://"))
        check_marks(uri, true, out);
    password[strcspn(password, "&")] = '\0';
    half = strlen(password) / 2;
    snprintf(uri, TEXT_MAX, "mongodb://host/db?%sQ%.*sQ%sQ&%s", options[which], (int)half, password, password + half, rest);
    check_marks(uri, true, out);

    /* within a text a blank or a quotation mark may be its end */
    password[strcspn(password, " \t\r'\"<>")] = '\0';
    user[strcspn(user, " \t\r'\"<>")] = '\0';
    half = strlen(password) / 2;
    snprintf(uri, TEXT_MAX, "cannot use 'mongodb://%s:Q%.*sQ%sQ@host/db', %s", user, (int)half, password, password + half, rest);
    check_marks(uri, false, out);
    snprintf(uri, TEXT_MAX, "cannot use 'mongodb://host/db?%sQ%.*sQ%sQ', %s", options[which], (int)half, password,
             password + half, rest);
    check_marks(uri, false, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_MAX / 4)
        return -1;
    char *text = fuzz_text(data, size), *out = malloc(TEXT_MAX), *uri = malloc(TEXT_MAX);
    size_t room = size ? data[size - 1] : 1;
    char *little = malloc(room ? room : 1);
    mongoc_log_set_handler(NULL, NULL);
    tf_redact_uri(text, out, TEXT_MAX);
    check_driver(text, out);
    tf_redact_text(text, out, TEXT_MAX);
    if (!strpbrk(text, " \t\r\n'\"<>"))
        check_driver(text, out);
    if (room)
        FUZZ_CHECK(strlen(tf_redact_text(text, little, room)) < room);
    check_parts(text, uri, out);
    free(little);
    free(uri);
    free(out);
    free(text);
    return 0;
}
