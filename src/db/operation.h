/*
 * Operations on the server: a command or a cursor with everything that every operation of the tool carries (session,
 * comment, read preference, time limit), and errors in our form.
 */
#ifndef TF_DB_OPERATION_H
#define TF_DB_OPERATION_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

#include "base/docs.h"

typedef struct tf_op {
    mongoc_client_t *client;
    mongoc_client_session_t *session; /* NULL: none */
    const char *db;
    const char *comment;  /* "tokenfix/<run>/<batch>", NULL: "tokenfix" */
    const char *what;     /* what is being done, for messages: "read the backup" */
    int64_t max_time_ms;  /* 0: none */
    int64_t majority_ms;  /* how long a write outside transactions waits for the majority; 0: for ever */
    bool local;           /* read concern local instead of majority */
    bool linearizable;    /* instead of majority: sees every write acknowledged or begun before, also by a primary that is gone */
    bool snapshot;        /* instead of majority: all that is read stands in one moment. Replica sets and mongos; five minutes at most */
    bool allow_secondary; /* secondaryPreferred instead of primary */
    uint64_t after;       /* reads wait until the member has seen this moment (tf_client_moment); 0: as it is */
} tf_op;

/* Runs a command that reads, or one without read or write concern. `reply` must be an initialised empty document, or
 * NULL. */
bool tf_op_command(const tf_op *op, const bson_t *command, bson_t *reply, tf_error *err);

/* Runs a command that writes: w:majority and j:true outside transactions, errors in writeErrors and writeConcernError
 * are failures too. Reads `n` and `nModified` of the reply into the pointers that are not NULL. */
bool tf_op_write(const tf_op *op, const bson_t *command, int64_t *n, int64_t *modified, tf_error *err);

/* Changes at most one document, outside transactions. The driver numbers it and sends it again after a failover; so it happens
 * once, though the first answer be lost. (The commands above are sent once.) */
bool tf_op_update_one(const tf_op *op, const char *collection, const bson_t *query, const bson_t *update, int64_t *matched, tf_error *err);

/* find / aggregate with majority read concern outside transactions (`opts` as the driver takes them, may be NULL).
 * Never NULL; errors come with the first tf_cursor_next. Destroy the cursor before the session. */
mongoc_cursor_t *tf_op_find(const tf_op *op, const char *collection, const bson_t *filter, const bson_t *opts);
mongoc_cursor_t *tf_op_aggregate(const tf_op *op, const char *collection, const bson_t *pipeline, const bson_t *opts);

/* 1 and a borrowed document, 0 at the end, -1 with *err filled. */
int tf_cursor_next(mongoc_cursor_t *cursor, const tf_op *op, const bson_t **doc, tf_error *err);

/* The first document of a cursor, copied into the initialised *out: 1, 0 or -1 as above. Destroys the cursor. */
int tf_cursor_one(mongoc_cursor_t *cursor, const tf_op *op, bson_t *out, tf_error *err);

/* Inserts documents as they are (no driver-side validation), ordered. Uses the wire's document sequences, so documents
 * up to 16 MB pass. An empty list succeeds. */
bool tf_op_insert(const tf_op *op, const char *collection, const bson_t **docs, size_t count, tf_error *err);
bool tf_op_insert_docs(const tf_op *op, const char *collection, const tf_docs *docs, tf_error *err);

/* Before a client is closed or goes back to its pool, by the thread that used it: ends what tf_op_aggregate keeps of it. */
void tf_op_release(const mongoc_client_t *client);

#endif
