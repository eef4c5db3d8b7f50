#include "cmd/connection.h"

#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/address.h"
#include "cmd/prompt.h"
#include "db/client.h"
#include "db/transport.h"
#include "report/output.h"

enum { DB_MAX = 63 };

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

static bool ask_password(const tf_globals *globals, mongoc_uri_t *uri, tf_error *err)
{
    char question[128], password[1024];
    snprintf(question, sizeof question, "Password of %s: ", TF_WORD(mongoc_uri_get_username(uri)));
    bool answered = tf_prompt(question, false, password, sizeof password);
    bool good = answered && mongoc_uri_set_password(uri, password);
    if (good && globals->more) /* the same user's, for the next database */
        tf_options_keep(globals->options, "password", password);
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
    return given || (stored && !other_user) || !needs_password(uri) || ask_password(g, uri, err);
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

static bool set_flag(mongoc_uri_t *uri, bool given, const char *key, tf_error *err)
{
    return !given || mongoc_uri_set_option_as_bool(uri, key, true) ||
           tf_error_set(err, TF_ERR_USAGE, "option '--%s' cannot be used with this connection string", key);
}

static bool set_tls(const origin *from, mongoc_uri_t *uri, tf_error *err)
{
    const tf_globals *g = from->globals;
    bool lax = g->tls_insecure || g->tls_allow_invalid_certificates || g->tls_allow_invalid_hostnames;
    bool wanted = g->tls && applies(from, "tls", mongoc_uri_has_option(uri, MONGOC_URI_TLS) ? "" : NULL);
    const char *key = MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, *password = g->tls_certificate_key_file_password;
    if (password && applies(from, key, mongoc_uri_get_option_as_utf8(uri, key, NULL)) &&
        !mongoc_uri_set_option_as_utf8(uri, key, password))
        return tf_error_set(err, TF_ERR_USAGE, "the password of the client's key is not usable");
    return set_flag(uri, wanted || lax, MONGOC_URI_TLS, err) &&
           set_flag(uri, g->tls_insecure, MONGOC_URI_TLSINSECURE, err) &&
           set_flag(uri, g->tls_allow_invalid_certificates, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES, err) &&
           set_flag(uri, g->tls_allow_invalid_hostnames, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES, err) &&
           set_file(from, uri, "tlsCAFile", MONGOC_URI_TLSCAFILE, g->tls_ca_file, err) &&
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
                     "the database is named twice: '%s' by %s, '%s' by the connection string", TF_WORD(given),
                     source_of(from->globals, "db") == TF_SOURCE_CONFIG ? "the configuration" : "TOKENFIX_DB", TF_WORD(in_uri));
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
    to->db = bson_strdup(db);
    to->state_db = bson_strdup(state ? state : usual);
    return true;
}

static bool find_server(origin *from, tf_connection *to, tf_error *err)
{
    tf_address address = {0};
    if (!tf_address_find(from->globals, &address, err))
        return false;
    from->source = address.source;
    to->uri = tf_address_parse(&address, err);
    tf_address_done(&address);
    return to->uri && set_databases(from, to, err);
}

static bool resolve(const tf_globals *globals, bool only_names, tf_connection *out, tf_error *err)
{
    origin from = {.globals = globals};
    tf_connection made = {.timeout_ms = (int64_t)(globals->timeout * 1000),
                          .allowed = (globals->allow_plaintext ? TF_TRANSPORT_PLAINTEXT : 0) |
                                     (globals->allow_insecure_tls ? TF_TRANSPORT_INSECURE_TLS : 0)};
    if (!find_server(&from, &made, err) ||
        (!only_names && !(set_tls(&from, made.uri, err) && tf_transport_check(made.uri, made.allowed, err) &&
                          set_credentials(&from, made.uri, err)))) {
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
    tf_client_forget(connection->uri);
    free(connection->db);
    free(connection->state_db);
    *connection = (tf_connection){0};
}

void tf_connection_be_patient(tf_connection *connection, int64_t patience_ms)
{
    if (patience_ms > 0 && !mongoc_uri_has_option(connection->uri, MONGOC_URI_SOCKETTIMEOUTMS))
        mongoc_uri_set_option_as_int32(connection->uri, MONGOC_URI_SOCKETTIMEOUTMS, (int32_t)(patience_ms > INT32_MAX ? INT32_MAX : patience_ms));
}
