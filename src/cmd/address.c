#include "cmd/address.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

#include "base/redact.h"
#include "base/text.h"
#include "cmd/secret_file.h"
#include "report/output.h"

enum { ADDRESS_MAX = 65536 };

static tf_source source_of(const tf_globals *globals, const char *name)
{
    return tf_options_source(globals->options, name);
}

static tf_source higher(tf_source a, tf_source b)
{
    return a > b ? a : b;
}

static bool address_from_host(const tf_globals *globals, char *out, size_t size, tf_error *err)
{
    const char *host = globals->host ? globals->host : "localhost", *slash = strchr(host, '/');
    const char *set = slash ? host : "", *names = slash ? slash + 1 : host;
    int set_length = slash ? (int)(slash - host) : 0;
    bool ipv6 = !strchr(names, '[') && strchr(names, ':') != strrchr(names, ':') && !strchr(names, ',');
    bool has_port = !ipv6 && (strstr(names, "]:") || (*names != '[' && strchr(names, ':')));
    if (!*names || strpbrk(names, "/@?# ") || (slash && set_length == 0) || memchr(set, '@', (size_t)set_length)) {
        tf_error_set(err, TF_ERR_USAGE, "option '--host': '%s' is not a host", TF_WORD(host));
        return tf_error_hint(err, "Write HOST, HOST:PORT or SET/HOST:PORT,HOST:PORT.");
    }
    char port[16] = "";
    if (globals->port && (has_port || strchr(names, ','))) {
        tf_error_set(err, TF_ERR_USAGE, "option '--port' contradicts '--host', which names a port or several hosts");
        return tf_error_hint(err, "Write the ports into --host.");
    }
    if (globals->port)
        snprintf(port, sizeof port, ":%" PRId64, globals->port);
    snprintf(out, size, "mongodb://%s%s%s%s/%s%.*s", ipv6 ? "[" : "", names, ipv6 ? "]" : "", port,
             set_length ? "?replicaSet=" : "", set_length, set);
    return true;
}

static bool twice(const char *one, const char *other, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "the server is named twice: by %s and by %s", one, other);
    return tf_error_hint(err, "Leave one of them out.");
}

/* A pipe gives its line once, and there may be several databases: it is kept until the last of them. */
static bool read_file(const tf_globals *globals, char *out, tf_error *err)
{
    static char *kept;
    bool good = kept || tf_secret_file_read(globals->uri_file, "the connection string", out, ADDRESS_MAX, err);
    if (kept)
        snprintf(out, ADDRESS_MAX, "%s", kept);
    else if (good && globals->more)
        kept = bson_strdup(out);
    if (kept && !globals->more) {
        explicit_bzero(kept, strlen(kept));
        bson_free(kept);
        kept = NULL;
    }
    return good;
}

static bool find_text(const tf_globals *globals, char *out, tf_source *source, tf_error *err)
{
    tf_source uri = source_of(globals, "uri"), file = source_of(globals, "uri-file");
    tf_source host = higher(source_of(globals, "host"), source_of(globals, "port"));
    *source = higher(higher(uri, file), host);
    if (uri && uri == file && uri == *source)
        return twice("--uri", "--uri-file", err);
    if (host && host == *source && (host == uri || host == file))
        return twice("--host or --port", host == uri ? "--uri" : "--uri-file", err);
    if (uri && uri == *source) {
        if (uri == TF_SOURCE_FLAG && tf_redact_needed(globals->uri))
            tf_output_warning(
                "the connection string in the command line contains a password, which others on this host "
                "can read; use --uri-file or TOKENFIX_URI");
        if (strlen(globals->uri) >= ADDRESS_MAX)
            return tf_error_set(err, TF_ERR_USAGE, "the connection string is too long");
        snprintf(out, ADDRESS_MAX, "%s", globals->uri);
        return true;
    }
    if (file && file == *source)
        return read_file(globals, out, err);
    return address_from_host(globals, out, ADDRESS_MAX, err);
}

/* ---- the password in it ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Resolves %XX; false where it is malformed, or stands for what cannot be in a password. */
static bool decode(const char *text, size_t length, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        int high = text[i] == '%' && i + 2 < length ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (strchr(":/?#[]@", text[i]) || (text[i] == '%' && (low < 0 || high * 16 + low == 0)))
            return false;
        out[used++] = text[i] == '%' ? (char)(high * 16 + low) : text[i];
        i += text[i] == '%' ? 2 : 0;
    }
    out[used] = '\0';
    return bson_utf8_validate(out, used, false);
}

/* Takes the password out of the text and leaves an x in its place: what the driver parses it copies into memory that it
 * frees without wiping it. (What it gets with mongoc_uri_set_password it wipes.) For the same reason what is malformed is
 * not given to the driver at all, which would take "b@host" of "me:a@b@host" for a host and show it. */
static void split_password(tf_address *address)
{
    char *scheme = strstr(address->text, "://"), *user = scheme ? scheme + 3 : address->text;
    size_t authority = strcspn(user, "/?");
    char *at = memchr(user, '@', authority), *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (!at || !colon || colon + 1 == at)
        return;
    size_t length = (size_t)(at - colon) - 1, rest = strlen(at) + 1;
    address->malformed =
        memchr(at + 1, '@', authority - (size_t)(at + 1 - user)) || !decode(colon + 1, length, address->password);
    if (address->malformed)
        return;
    colon[1] = 'x';
    memmove(colon + 2, at, rest);
    explicit_bzero(colon + 2 + rest, length - 1);
}

bool tf_address_find(const tf_globals *globals, tf_address *out, tf_error *err)
{
    tf_address made = {.text = bson_malloc0(ADDRESS_MAX), .password = bson_malloc0(ADDRESS_MAX)};
    bool good = made.text && made.password;
    if (!good)
        tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!good || !find_text(globals, made.text, &made.source, err)) {
        tf_address_done(&made);
        return false;
    }
    split_password(&made);
    *out = made;
    return true;
}

static void wipe(char *memory)
{
    if (memory)
        explicit_bzero(memory, ADDRESS_MAX);
    free(memory);
}

void tf_address_done(tf_address *address)
{
    wipe(address->text);
    wipe(address->password);
    *address = (tf_address){0};
}

/* ---- what the driver makes of it ---- */

static mongoc_uri_t *parse_text(const char *address, bool malformed, tf_error *err)
{
    bson_error_t error = {0};
    mongoc_uri_t *uri = malformed ? NULL : mongoc_uri_new_with_error(address, &error);
    if (uri)
        return uri;
    char shown[256];
    tf_error_set(err, TF_ERR_USAGE, "the connection string cannot be parsed: %s",
                 tf_text_clean(tf_redact_uri(address, shown, sizeof shown), (char[200]){0}, 200));
    /* the driver quotes parts of the string, and where credentials are malformed those may be parts of them */
    if (!strchr(address, '@'))
        tf_error_detail(err, "%s", error.message);
    tf_error_hint(
        err, "It has the form mongodb://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS; the characters : / ? # [ ] @ %% in "
             "a password are written as %%XX.");
    return NULL;
}

mongoc_uri_t *tf_address_parse(const tf_address *address, tf_error *err)
{
    mongoc_uri_t *uri = parse_text(address->text, address->malformed, err);
    if (!uri || !address->password[0] || mongoc_uri_set_password(uri, address->password))
        return uri;
    mongoc_uri_destroy(uri);
    tf_error_set(err, TF_ERR_USAGE, "the password in the connection string is not usable");
    return NULL;
}
