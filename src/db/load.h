/* Limits on numbers of serverStatus: `--max-load PATH=LIMIT`. */
#ifndef TF_DB_LOAD_H
#define TF_DB_LOAD_H

#include <bson/bson.h>
#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

typedef struct tf_load_limit {
    char path[160]; /* "wiredTiger.concurrentTransactions.write.out" */
    double limit;
} tf_load_limit;

/* Reads "PATH=LIMIT"; USAGE names `option` otherwise. */
bool tf_load_parse(const char *text, const char *option, tf_load_limit *out, tf_error *err);

/* The first of `limits` that is reached in a reply of serverStatus, with the value found; NULL: none. A boolean counts as 0
 * or 1, what is absent as not reached. */
const tf_load_limit *tf_load_reached(const tf_load_limit *limits, size_t count, const bson_t *status, double *value);

/* NOT_FOUND where the server has no number at one of the paths: a limit that can never be reached is a mistake. */
bool tf_load_check(const tf_load_limit *limits, size_t count, const bson_t *status, tf_error *err);

/* serverStatus, into the initialised *status. PERMISSION where it may not be asked for. */
bool tf_load_read(mongoc_client_t *client, bson_t *status, tf_error *err);

#endif
