/* The errors of driver and server, in our form. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "db/failure.h"

#include <string.h>
#include <tokenfix/cleanup.h>

typedef struct row {
    const char *name;
    uint32_t domain, number;
    const char *message, *reply; /* reply: JSON, may be NULL */
    tf_error_code code;
    uint32_t labels;
    bool transient;
} row;

static const row rows[] = {
    {"a write conflict", MONGOC_ERROR_SERVER, 112, "WriteConflict", "{\"errorLabels\": [\"TransientTransactionError\"]}", TF_ERR_SERVER,
     TF_LABEL_TRANSIENT_TXN, true},
    {"an unknown commit", MONGOC_ERROR_SERVER, 64, "waiting timed out", "{\"errorLabels\": [\"UnknownTransactionCommitResult\"]}",
     TF_ERR_SERVER, TF_LABEL_UNKNOWN_COMMIT, true},
    {"a retryable write", MONGOC_ERROR_SERVER, 91, "shutdown", "{\"errorLabels\": [\"RetryableWriteError\"]}", TF_ERR_SERVER,
     TF_LABEL_RETRYABLE, true},
    {"a step-down without a label", MONGOC_ERROR_SERVER, 11602, "stepping down", NULL, TF_ERR_SERVER, TF_LABEL_RETRYABLE, true},
    {"not the primary", MONGOC_ERROR_SERVER, 10107, "not primary", NULL, TF_ERR_NOT_WRITABLE, TF_LABEL_RETRYABLE, true},
    {"a lost connection", MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, "socket error", NULL, TF_ERR_CONNECT, TF_LABEL_NETWORK, true},
    {"no server", MONGOC_ERROR_SERVER_SELECTION, 13053, "No suitable servers", NULL, TF_ERR_CONNECT, TF_LABEL_NETWORK | TF_LABEL_SELECTION,
     true},
    {"a wrong password", MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, "Authentication failed.", NULL, TF_ERR_AUTH, 0, false},
    {"a wrong password told by the server", MONGOC_ERROR_SERVER, 18, "Authentication failed.", NULL, TF_ERR_AUTH, 0, false},
    {"not allowed", MONGOC_ERROR_SERVER, 13, "not authorized on d to execute command { find: \"c\" }", NULL, TF_ERR_PERMISSION, 0, false},
    {"a duplicate key", MONGOC_ERROR_SERVER, 11000, "E11000 duplicate key error collection: d.c index: i dup key: { secret: \"s3cr3t\" }",
     NULL, TF_ERR_REFUSED_WRITE, 0, false},
    {"a validator", MONGOC_ERROR_SERVER, 121, "Document failed validation {\"secret\": \"s3cr3t\"}", NULL, TF_ERR_REFUSED_WRITE, 0, false},
    {"an array quoted", MONGOC_ERROR_SERVER, 2, "bad value [\"s3cr3t\"]", NULL, TF_ERR_SERVER, 0, false},
    {"a key quoted without braces", MONGOC_ERROR_SERVER, 11000, "dup key : s3cr3t", NULL, TF_ERR_REFUSED_WRITE, 0, false},
    {"a first element quoted", MONGOC_ERROR_SERVER, 10334, "BSONObj size: 18874717 is invalid. First element: secret: \"s3cr3t\"", NULL,
     TF_ERR_TOO_LARGE, 0, false},
    {"too large for the cache", MONGOC_ERROR_SERVER, 388, "too large", NULL, TF_ERR_TOO_LARGE, 0, false},
    {"too large an object", MONGOC_ERROR_SERVER, 10334, "too large", NULL, TF_ERR_TOO_LARGE, 0, false},
    {"anything else", MONGOC_ERROR_SERVER, 4711, "odd", NULL, TF_ERR_SERVER, 0, false},
};

static void failure__has_code_labels_and_no_document(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const row *r = &rows[i];
        bson_error_t error = {0};
        tf_error err = {0};
        bson_set_error(&error, r->domain, (int)r->number, "%s", r->message);
        _cleanup_(bson_destroyp) bson_t *reply = r->reply ? bson_new_from_json((const uint8_t *)r->reply, -1, NULL) : NULL;
        assert_false(tf_failure(&err, &error, reply, "do this", "find", "d.c"));
        if (err.code != r->code || err.labels != r->labels || err.server_code != (int32_t)r->number)
            fail_msg("%s: code %s, labels %u, number %d", r->name, tf_error_name(err.code), err.labels, err.server_code);
        if (tf_failure_is_transient(&err) != r->transient)
            fail_msg("%s: transient or not", r->name);
        if (strstr(err.message, "s3cr3t") || strstr(err.detail, "s3cr3t") || strstr(err.hint, "s3cr3t"))
            fail_msg("%s: '%s' '%s' quotes a document", r->name, err.message, err.detail);
        assert_true(err.message[0] && strstr(err.detail, "do this"));
    }
}

static void failure__keeps_an_error_that_is_there(void **state)
{
    (void)state;
    bson_error_t error = {0};
    tf_error err = {0};
    bson_set_error(&error, MONGOC_ERROR_SERVER, 112, "WriteConflict");
    tf_error_set(&err, TF_ERR_INVARIANT, "first");
    assert_false(tf_failure(&err, &error, NULL, "do this", NULL, NULL));
    assert_int_equal(err.code, TF_ERR_INVARIANT);
    assert_string_equal(err.message, "first");
    assert_int_equal(err.labels, 0);
    assert_false(tf_failure(NULL, &error, NULL, "do this", NULL, NULL));
}

static void failure__says_the_texts_that_users_search_for(void **state)
{
    (void)state;
    bson_error_t error = {0};
    tf_error lost = {0}, denied = {0};
    bson_set_error(&error, MONGOC_ERROR_SERVER_SELECTION, 13053, "No suitable servers");
    tf_failure(&lost, &error, NULL, "do this", NULL, NULL);
    assert_string_equal(lost.message, "Database connection not ready");
    bson_set_error(&error, MONGOC_ERROR_SERVER, 13, "not allowed");
    tf_failure(&denied, &error, NULL, "do this", "insert", "d.c");
    assert_string_equal(denied.message, "Permission denied: the privilege 'insert' on d.c is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure__has_code_labels_and_no_document),
        cmocka_unit_test(failure__keeps_an_error_that_is_there),
        cmocka_unit_test(failure__says_the_texts_that_users_search_for),
    };
    return cmocka_run_group_tests_name("failure", tests, NULL, NULL);
}
