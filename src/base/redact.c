#include "base/redact.h"

#include "base/text.h"

/* Options of a connection string whose value is a secret. */
static const char *const secret_options[] = {
    "tlsCertificateKeyFilePassword=", "sslClientCertificateKeyPassword=", "authMechanismProperties=", "AWS_SESSION_TOKEN:",
    "password=", NULL};

typedef struct {
    char *out;
    size_t size, used;
} sink;

static void put(sink *to, const char *text, size_t length)
{
    if (to->used + 1 >= to->size)
        return;
    size_t room = to->size - 1 - to->used;
    length = length < room ? length : room;
    memcpy(to->out + to->used, text, length);
    to->used += length;
    to->out[to->used] = '\0';
}

/* Of any scheme: also http://user:password@host is a password somebody typed. */
#define SCHEME_END "://"

static const char *last_at(const char *from, size_t length)
{
    return length ? memrchr(from, '@', length) : NULL;
}

/* Length of the user's name and the password in front of the '@'. In a string within a text the end is not certain: a
 * password may hold a blank. Where there is no '@' before the blank and no port behind the colon, the line is searched. */
static size_t credentials_length(const char *text, bool whole)
{
    size_t line = whole ? strlen(text) : strcspn(text, "\n"), token = whole ? line : strcspn(text, " \t\r\n'\"<>");
    const char *at = last_at(text, token), *colon = memchr(text, ':', token);
    if (at)
        return (size_t)(at - text);
    if (!whole && colon) {
        size_t digits = strspn(colon + 1, "0123456789");
        bool port = digits && (colon + 1 + digits == text + token || strchr("/,?", colon[1 + digits]));
        if (!port && memchr(text, '[', (size_t)(colon - text)) == NULL) {
            at = last_at(text, line);
            return at ? (size_t)(at - text) : token;
        }
    }
    return 0;
}

/* Length of an option's value. In a connection string it ends with the option, whatever it holds; in a text around it, also
 * where the string does. */
static size_t value_length(const char *text, bool whole)
{
    return strcspn(text, whole ? "&" : "& \t\r\n'\"<>");
}

static const char *redact_credentials(sink *to, const char *text, bool whole)
{
    size_t length = credentials_length(text, whole);
    const char *colon = length ? memchr(text, ':', length) : NULL;
    /* what a '/' or '?' cuts off is no user's name: rather options, with an '@' behind them */
    size_t user = strcspn(text, ":/?");
    if (!colon) {
        user = user < length ? user : length;
        put(to, text, user);
        return text + user;
    }
    bool named = text[user] == ':';
    const char *options = length ? memchr(text, '?', length) : NULL; /* the '@' may be one in an option's value */
    bool into_options = !named || (options && memchr(options, '=', length - (size_t)(options - text)));
    put(to, text, named ? user + 1 : user);
    put(to, "<hidden>", 8);
    return text + length + (into_options ? value_length(text + length, whole) : 0);
}

static const char *redact_option(sink *to, const char *text, bool whole)
{
    for (const char *const *option = secret_options; *option; option++) {
        size_t length = strlen(*option);
        if (tf_text_begins(text, *option)) {
            put(to, text, length);
            put(to, "<hidden>", 8);
            return text + length + value_length(text + length, whole);
        }
    }
    return text;
}

static const char *redact(const char *text, char *out, size_t size, bool whole)
{
    sink to = {.out = out, .size = size};
    if (size)
        out[0] = '\0';
    if (whole && !strstr(text, SCHEME_END))
        text = redact_credentials(&to, text, true);
    while (*text) {
        if (strncmp(text, SCHEME_END, strlen(SCHEME_END)) == 0) {
            put(&to, text, strlen(SCHEME_END));
            text = redact_credentials(&to, text + strlen(SCHEME_END), whole);
            continue;
        }
        const char *behind = redact_option(&to, text, whole);
        if (behind == text)
            put(&to, text++, 1);
        else
            text = behind;
    }
    return out;
}

const char *tf_redact_uri(const char *uri, char *out, size_t size)
{
    return redact(uri, out, size, true);
}

const char *tf_redact_text(const char *text, char *out, size_t size)
{
    return redact(text, out, size, false);
}

bool tf_redact_needed(const char *uri)
{
    const char *scheme = strstr(uri, SCHEME_END), *from = scheme ? scheme + strlen(SCHEME_END) : uri;
    size_t length = credentials_length(from, true);
    const char *colon = length ? memchr(from, ':', length) : NULL;
    return colon && colon + 1 < from + length;
}
