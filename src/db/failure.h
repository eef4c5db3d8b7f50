/* Turns the driver's and the server's errors into ours, with labels, and without the documents they may quote. */
#ifndef TF_DB_FAILURE_H
#define TF_DB_FAILURE_H

#include <mongoc/mongoc.h>
#include <tokenfix/error.h>

/* Server codes that the protocol tells apart. */
enum {
    TF_CODE_UNAUTHORIZED = 13,
    TF_CODE_AUTHENTICATION_FAILED = 18,
    TF_CODE_ILLEGAL_OPERATION = 20,
    TF_CODE_NAMESPACE_NOT_FOUND = 26,
    TF_CODE_NAMESPACE_EXISTS = 48,
    TF_CODE_MAX_TIME_EXPIRED = 50,
    TF_CODE_WRITE_CONCERN_FAILED = 64,
    TF_CODE_WRITE_CONFLICT = 112,
    TF_CODE_NOT_A_REPLICA_SET = 123,
    TF_CODE_VALIDATION = 121,
    TF_CODE_SNAPSHOT_TOO_OLD = 239,
    TF_CODE_SNAPSHOT_UNAVAILABLE = 246,
    TF_CODE_NO_SUCH_TRANSACTION = 251,
    TF_CODE_TRANSACTION_TOO_LARGE_FOR_CACHE = 388,
    TF_CODE_OBJECT_TOO_LARGE = 10334,
    TF_CODE_DUPLICATE_KEY = 11000
};

/* Fills *err from the driver's error; `what` says what was being done ("read the backup") and names the privilege an
 * error 13 lacks (`action` on `ns`; both may be NULL). `reply` may be NULL. Returns false. */
bool tf_failure(tf_error *err, const bson_error_t *error, const bson_t *reply, const char *what, const char *action,
                const char *ns);

/* Whether the same operation, sent again after a while, may succeed. */
bool tf_failure_is_transient(const tf_error *err);

#endif
