/*
 * The journal's guarded writes: outside transactions each document is changed only while it still is what was backed up.
 */
#ifndef TF_ENGINE_GUARD_H
#define TF_ENGINE_GUARD_H

#include "engine/batch.h"

/* `up`: the pipeline, guarded by the pre-image of every touched field (value, type and presence). */
bool tf_guard_apply(tf_batch *b, tf_error *err);

/* `up`: which of `before` are as predicted now (applied), which are something else (overtaken). A document that is as
 * predicted but breaks an invariant is INVARIANT. */
bool tf_guard_check_applied(tf_batch *b, tf_error *err);

/* A batch that is settled: the same, but nothing is judged. */
bool tf_guard_check_settled(tf_batch *b, tf_error *err);

/* `down`: makes each of `before` its image in `wanted`. By its touched fields alone where that is possible,
 * else as a whole. Without a session it is guarded by what was read: the touched fields, or the whole document (beyond 4 MB by its
 * touched fields and size). */
bool tf_guard_restore(tf_batch *b, mongoc_client_session_t *session, tf_error *err);
bool tf_guard_check_restored(tf_batch *b, tf_error *err);

enum { GUARD_GROUP = 64 }; /* documents in a statement: its guard is linear in them */

/* Appends under `key` {$in: [the touched fields and their types, [as they were in before[members[i]]]]}. */
void tf_guard_append(const tf_batch *b, const size_t *members, size_t count, const char *key, bson_t *out);

/* Sends update statements in commands of at most 8 MB. */
typedef struct tf_statements {
    bson_t array;
    uint32_t count;
} tf_statements;
bool tf_statements_add(tf_statements *statements, tf_batch *b, const tf_op *op, const bson_t *statement, tf_error *err);
bool tf_statements_flush(tf_statements *statements, tf_batch *b, const tf_op *op, tf_error *err);

#endif
