#include "cmd/connection.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/redact.h"
#include "base/text.h"
#include "cmd/prompt.h"
#include "cmd/secret_file.h"
#include "report/output.h"

enum { URI_MAX = 65536, DB_MAX = 63 };

/* Where the server's address comes from; an option of a lower source than the connection string yields to what stands
 * in the string. */
typedef struct {
    const tf_globals *globals;
    tf_source source;
} origin;

static tf_source source_of(const tf_globals *globals, const char *name)
{
    return tf_options_source(globals->options, name);
}

static tf_source higher(tf_source a, tf_source b)
{
    return a > b ? a : b;
}

/* ---- the address ---- */

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

static bool find_address(const tf_globals *globals, char *out, tf_source *source, tf_error *err)
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
        if (strlen(globals->uri) >= URI_MAX)
            return tf_error_set(err, TF_ERR_USAGE, "the connection string is too long");
        snprintf(out, URI_MAX, "%s", globals->uri);
        return true;
    }
    if (file && file == *source)
        return tf_secret_file_read(globals->uri_file, out, URI_MAX, err);
    return address_from_host(globals, out, URI_MAX, err);
}

static mongoc_uri_t *parse_address(const char *address, tf_error *err)
{
    bson_error_t error = {0};
    mongoc_uri_t *uri = mongoc_uri_new_with_error(address, &error);
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

/* ---- what stands beside the address ---- */

static bool applies(const origin *from, const char *option, const char *present)
{
    tf_source source = source_of(from->globals, option);
    return source != TF_SOURCE_NONE && (source >= from->source || !present);
}

static bool needs_password(const mongoc_uri_t *uri)
{
    static const char *const without[] = {"MONGODB-X509", "GSSAPI", "MONGODB-AWS", "MONGODB-OIDC"};
    const char *mechanism = mongoc_uri_get_auth_mechanism(uri);
    for (size_t i = 0; mechanism && i < sizeof without / sizeof *without; i++)
        if (tf_text_same(mechanism, without[i]))
            return false;
    return mongoc_uri_get_username(uri) != NULL;
}

static bool ask_password(mongoc_uri_t *uri, tf_error *err)
{
    char question[128], password[1024];
    snprintf(question, sizeof question, "Password of %s: ", TF_WORD(mongoc_uri_get_username(uri)));
    bool answered = tf_prompt(question, false, password, sizeof password);
    bool good = answered && mongoc_uri_set_password(uri, password);
    explicit_bzero(password, sizeof password);
    if (good)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "no password for user '%s'", TF_WORD(mongoc_uri_get_username(uri)));
    return tf_error_hint(err, "Set TOKENFIX_PASSWORD, use --uri-file, or type it on a terminal.");
}

static bool set_credentials(const origin *from, mongoc_uri_t *uri, tf_error *err)
{
    const tf_globals *g = from->globals;
    const char *before = mongoc_uri_get_username(uri), *stored = mongoc_uri_get_password(uri);
    bool other_user = applies(from, "username", before) && (!before || strcmp(before, g->username) != 0);
    bool good = true;
    if (source_of(g, "password") == TF_SOURCE_FLAG)
        tf_output_warning(
            "others on this host can read a password in the command line; use TOKENFIX_PASSWORD, --uri-file or "
            "the prompt");
    if (other_user)
        good = mongoc_uri_set_username(uri, g->username);
    if (g->auth_mechanism && applies(from, "authenticationMechanism", mongoc_uri_get_auth_mechanism(uri)))
        good = good && mongoc_uri_set_auth_mechanism(uri, g->auth_mechanism);
    if (g->auth_source &&
        applies(from, "authenticationDatabase", mongoc_uri_has_option(uri, MONGOC_URI_AUTHSOURCE) ? "" : NULL))
        good = good && mongoc_uri_set_auth_source(uri, g->auth_source);
    bool given = g->password && *g->password && applies(from, "password", other_user ? NULL : stored);
    if (given && !mongoc_uri_get_username(uri)) {
        tf_error_set(err, TF_ERR_USAGE, "a password is given, but no user");
        return tf_error_hint(err, "Give --username.");
    }
    if (given)
        good = good && mongoc_uri_set_password(uri, g->password);
    if (!good)
        return tf_error_set(err, TF_ERR_USAGE,
                            "the user's name, the password or the mechanism is not usable: invalid UTF-8 or "
                            "unknown");
    return given || (stored && !other_user) || !needs_password(uri) || ask_password(uri, err);
}

static bool set_file(const origin *from, mongoc_uri_t *uri, const char *option, const char *key, const char *path,
                     tf_error *err)
{
    if (!path || !applies(from, option, mongoc_uri_get_option_as_utf8(uri, key, NULL)))
        return true;
    if (access(path, R_OK) != 0) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s': '%s' cannot be read", option, TF_WORD(path));
        return tf_error_hint(err, "Check the name, and that you may read the file.");
    }
    return (mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true) &&
            mongoc_uri_set_option_as_utf8(uri, key, path)) ||
           tf_error_set(err, TF_ERR_USAGE, "option '--%s' cannot be used with this connection string", option);
}

static bool set_tls(const origin *from, mongoc_uri_t *uri, tf_error *err)
{
    const tf_globals *g = from->globals;
    if (g->tls && applies(from, "tls", mongoc_uri_has_option(uri, MONGOC_URI_TLS) ? "" : NULL) &&
        !mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true))
        return tf_error_set(err, TF_ERR_USAGE, "option '--tls' cannot be used with this connection string");
    return set_file(from, uri, "tlsCAFile", MONGOC_URI_TLSCAFILE, g->tls_ca_file, err) &&
           set_file(from, uri, "tlsCertificateKeyFile", MONGOC_URI_TLSCERTIFICATEKEYFILE, g->tls_certificate_key_file,
                    err);
}

/* ---- the databases ---- */

bool tf_database_name_check(const char *name, const char *option, tf_error *err)
{
    static const char *const reserved[] = {"admin", "local", "config"};
    size_t length = strlen(name);
    if (length == 0 || length > DB_MAX) {
        tf_error_set(err, TF_ERR_USAGE,
                     length ? "the database's name '%s' is longer than 63 bytes" : "the database's name is empty%s",
                     length ? TF_WORD(name) : "");
        return tf_error_hint(err, "Give another with %s.", option);
    }
    if (strpbrk(name, "/\\. \"$") || !bson_utf8_validate(name, length, false)) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be the name of a database", TF_WORD(name));
        return tf_error_hint(err, "The characters / \\ . \" $, blanks and invalid UTF-8 are not allowed in %s.",
                             option);
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (tf_text_same(name, reserved[i])) {
            tf_error_set(err, TF_ERR_USAGE, "'%s' is a database of the server's own", name);
            return tf_error_hint(err, "Give the database to work on with %s.", option);
        }
    }
    return true;
}

static const char *find_db(const origin *from, const mongoc_uri_t *uri, tf_error *err)
{
    const char *given = from->globals->db, *in_uri = mongoc_uri_get_database(uri);
    if (!given && !in_uri) {
        tf_error_set(err, TF_ERR_USAGE, "no database named");
        tf_error_hint(err, "Give --db NAME, set TOKENFIX_DB, or put it into the connection string.");
        return NULL;
    }
    if (given && in_uri && strcmp(given, in_uri) != 0 && source_of(from->globals, "db") < from->source) {
        tf_error_set(err, TF_ERR_USAGE,
                     "the database is named twice: '%s' by TOKENFIX_DB, '%s' by the connection string", TF_WORD(given),
                     TF_WORD(in_uri));
        tf_error_hint(err, "Say which with --db.");
        return NULL;
    }
    return given ? given : in_uri;
}

static bool set_databases(const origin *from, tf_connection *to, tf_error *err)
{
    const char *db = find_db(from, to->uri, err), *state = from->globals->state_db;
    if (!db || !tf_database_name_check(db, "--db", err))
        return false;
    char usual[DB_MAX + 16];
    snprintf(usual, sizeof usual, "%.*s_tokenfix", DB_MAX, db);
    if (!tf_database_name_check(state ? state : usual, "--state-db", err))
        return false;
    to->db = strdup(db);
    to->state_db = strdup(state ? state : usual);
    return true;
}

static bool find_server(origin *from, tf_connection *to, tf_error *err)
{
    char *address = calloc(1, URI_MAX);
    if (!address)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    bool good = find_address(from->globals, address, &from->source, err) && (to->uri = parse_address(address, err)) &&
                set_databases(from, to, err);
    explicit_bzero(address, URI_MAX);
    free(address);
    return good;
}

static bool resolve(const tf_globals *globals, bool only_names, tf_connection *out, tf_error *err)
{
    origin from = {.globals = globals};
    tf_connection made = {.timeout_ms = (int64_t)(globals->timeout * 1000)};
    if (!find_server(&from, &made, err) ||
        (!only_names && !(set_tls(&from, made.uri, err) && set_credentials(&from, made.uri, err)))) {
        tf_connection_done(&made);
        return false;
    }
    *out = made;
    return true;
}

bool tf_connection_resolve(const tf_globals *globals, tf_connection *out, tf_error *err)
{
    return resolve(globals, false, out, err);
}

bool tf_connection_names(const tf_globals *globals, tf_connection *out, tf_error *err)
{
    return resolve(globals, true, out, err);
}

void tf_connection_done(tf_connection *connection)
{
    if (connection->uri)
        mongoc_uri_destroy(connection->uri);
    free(connection->db);
    free(connection->state_db);
    *connection = (tf_connection){0};
}
