#include "db/failure.h"

#include "db/denial.h"

#include <stdio.h>

/* Server messages quote what they were given: documents, key values. Everything from the first brace on is dropped. */
static void quote_free(const char *message, char *into, size_t size)
{
    snprintf(into, size, "%s", message);
    char *brace = strpbrk(into, "{[");
    static const char *const quoting[] = {"dup key", "First element"};
    for (size_t i = 0; i < sizeof quoting / sizeof *quoting; i++) {
        char *key = strstr(into, quoting[i]);
        if (key && (!brace || key + strlen(quoting[i]) < brace))
            brace = key + strlen(quoting[i]);
    }
    if (brace && (size_t)(brace - into) + 6 < size)
        memcpy(brace, "{...}", 6);
}

static uint32_t read_labels(const bson_error_t *error, const bson_t *reply)
{
    uint32_t labels = 0;
    if (reply) {
        if (mongoc_error_has_label(reply, "TransientTransactionError"))
            labels |= TF_LABEL_TRANSIENT_TXN;
        if (mongoc_error_has_label(reply, "UnknownTransactionCommitResult"))
            labels |= TF_LABEL_UNKNOWN_COMMIT;
        if (mongoc_error_has_label(reply, "RetryableWriteError"))
            labels |= TF_LABEL_RETRYABLE;
    }
    if (error->domain == MONGOC_ERROR_STREAM || error->domain == MONGOC_ERROR_SERVER_SELECTION)
        labels |= TF_LABEL_NETWORK;
    if (error->domain == MONGOC_ERROR_SERVER_SELECTION)
        labels |= TF_LABEL_SELECTION;
    return labels;
}

/* Codes of a server that is stepping down, shutting down, or not the primary: drivers' specification, "retryable". */
static bool is_state_change(uint32_t code)
{
    static const uint32_t codes[] = {6,    7,     89,    91,    189,   262,   9001, 10107,
                                     11600, 11602, 13388, 13435, 13436, 11601, 10058, 134};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static tf_error_code code_of(const bson_error_t *error)
{
    if (error->domain == MONGOC_ERROR_SERVER_SELECTION || error->domain == MONGOC_ERROR_STREAM) {
        if (strstr(error->message, "uthentication failed"))
            return TF_ERR_AUTH;
        return TF_ERR_CONNECT;
    }
    if (error->domain == MONGOC_ERROR_CLIENT &&
        (error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE || strstr(error->message, "uthentication failed")))
        return TF_ERR_AUTH;
    if (error->domain == BSON_ERROR_READER || error->domain == MONGOC_ERROR_BSON)
        return TF_ERR_INTERNAL;
    switch (error->code) {
    case TF_CODE_UNAUTHORIZED:
        return TF_ERR_PERMISSION;
    case TF_CODE_AUTHENTICATION_FAILED:
        return TF_ERR_AUTH;
    case TF_CODE_VALIDATION:
    case TF_CODE_DUPLICATE_KEY:
        return TF_ERR_REFUSED_WRITE;
    case 10107:
    case 13435:
    case 13436:
        return TF_ERR_NOT_WRITABLE;
    case TF_CODE_TRANSACTION_TOO_LARGE_FOR_CACHE:
    case TF_CODE_OBJECT_TOO_LARGE:
        return TF_ERR_TOO_LARGE;
    default:
        return TF_ERR_SERVER;
    }
}

/* The server knows better than the caller what it refused. */
static void set_denied(tf_error *err, const char *message, const char *action, const char *ns)
{
    tf_denial denial = tf_denial_read(message);
    if (denial.action[0]) {
        action = denial.action;
        ns = denial.ns;
    }
    if (denial.anonymous) {
        tf_error_set(err, TF_ERR_PERMISSION, "Permission denied: nobody is logged in, and the server asks for it");
        tf_error_hint(err, "Give --username, or a connection string with a user.");
        return;
    }
    tf_error_set(err, TF_ERR_PERMISSION, "Permission denied: the privilege '%s'%s%s is missing", action ? action : "(not told)",
                 ns ? " on " : "", ns ? ns : "");
    tf_error_hint(err, "'tokenfix validate' names all that is missing, 'tokenfix validate --print-role' prints the role "
                       "that has it.");
}

bool tf_failure(tf_error *err, const bson_error_t *error, const bson_t *reply, const char *what, const char *action,
                const char *ns)
{
    if (!err || err->code != TF_ERR_OK)
        return false;
    char text[sizeof error->message];
    if (error->domain == MONGOC_ERROR_SERVER_SELECTION) /* quotes host names, and what the network says of them */
        snprintf(text, sizeof text, "%s", error->message);
    else
        quote_free(error->message, text, sizeof text);
    tf_error_code code = code_of(error);
    uint32_t labels = read_labels(error, reply);
    bool servers = error->domain == MONGOC_ERROR_SERVER || error->domain == MONGOC_ERROR_WRITE_CONCERN ||
                   error->domain == MONGOC_ERROR_WRITE_CONCERN_ERROR;
    if (servers && is_state_change(error->code)) /* "Write Concern error: operation was interrupted": a failover */
        labels |= TF_LABEL_RETRYABLE;
    switch (code) {
    case TF_ERR_CONNECT:
        tf_error_set(err, code, "Database connection not ready");
        tf_error_hint(err, "Check that the server runs and that host and port are right; --timeout waits longer.");
        break;
    case TF_ERR_AUTH:
        tf_error_set(err, code, "authentication failed");
        tf_error_hint(err, "Check the user name, the password and --authenticationDatabase.");
        break;
    case TF_ERR_PERMISSION:
        set_denied(err, error->message, action, ns);
        break;
    default:
        tf_error_set(err, code, "cannot %s: %s", what, text);
        break;
    }
    tf_error_detail(err, "%s: %s (code %u)", what, text, error->code);
    err->server_code = (int32_t)error->code;
    err->labels = labels;
    return false;
}

bool tf_failure_is_transient(const tf_error *err)
{
    return (err->labels & (TF_LABEL_TRANSIENT_TXN | TF_LABEL_UNKNOWN_COMMIT | TF_LABEL_RETRYABLE | TF_LABEL_NETWORK)) !=
           0;
}
