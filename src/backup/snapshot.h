/*
 * The backup of a run: the affected documents as they were, verbatim, under their own _id, in `backup_<run>`. Insert-only.
 */
#ifndef TF_BACKUP_SNAPSHOT_H
#define TF_BACKUP_SNAPSHOT_H

#include <tokenfix/repair.h>

#include "base/docs.h"
#include "db/id.h"
#include "store/store.h"

/* Inserts the documents into the run's backup, in their order; with a session as part of its transaction. Fails with
 * REFUSED_WRITE (11000) where one is there already. */
bool tf_snapshot_insert(const tf_store *store, mongoc_client_session_t *session, const char *run, const tf_docs *docs,
                        tf_error *err);

/* Reads the backup's documents of a range / with these ids, in the order of _id, into the cleared *out. */
bool tf_snapshot_read_range(const tf_store *store, const char *run, const tf_range *range, tf_docs *out, tf_error *err);
bool tf_snapshot_read_ids(const tf_store *store, mongoc_client_session_t *session, const char *run, const bson_t *ids,
                          tf_docs *out, tf_error *err);

/* Reads documents with these ids, and matching `filter` where it is not NULL, from the repaired collection. */
bool tf_snapshot_read_current(const tf_store *store, mongoc_client_session_t *session, const char *collection,
                              const bson_t *ids, const bson_t *filter, tf_docs *out, tf_error *err);

/* How many documents the run's backup holds. */
bool tf_snapshot_count(const tf_store *store, const char *run, int64_t *count, tf_error *err);

/* SHA-256 over the documents' bytes in their order; of none: that of nothing. */
void tf_snapshot_hash(const tf_docs *docs, uint8_t hash[32]);

/* Why a document must never be written by a repair, or NULL when it may: a touched top-level name that occurs twice, or
 * that holds a name twice (to change it makes mongod 6.0.5 abort: backup/delta.h), a top-level Timestamp(0,0) (the server
 * would rewrite it). */
const char *tf_snapshot_refusal(const tf_repair *repair, const bson_t *doc);

#endif
