/*
 * Batch records: insert-only, one per committed batch. Each carries the SHA-256 of its documents' pre-images, and the hash
 * of its partition's record before: SHA-256 over that record's BSON as stored.
 *
 *   {_id: "<run>-p003-00000007", run, partition, seq, from: {v}, upto: {v},     the range of _ids it dealt with
 *    counts: {candidates, backed_up, applied, gone, overtaken, refused, …}, amount, odd,
 *    moves: [{owner, from, to, n, amount}], refused: [{_id, reason}], overtaken: [{_id, reason}],
 *    conflicts: [{_id, reason}], recreated: [{_id, reason}], hash, previous}
 */
#ifndef TF_STORE_BATCH_H
#define TF_STORE_BATCH_H

#include "db/id.h"
#include "store/store.h"

typedef struct tf_batch_record {
    bson_t *doc; /* owned */
    int32_t partition;
    int64_t seq;
    tf_range range; /* owned */
    int64_t backed_up, applied;
    uint8_t hash[32];     /* of the pre-images */
    bool has_previous;
    uint8_t previous[32];
    uint8_t own[32]; /* of this record */
} tf_batch_record;

void tf_batch_record_done(tf_batch_record *record);

/* Appends the fields every record begins with. */
void tf_batch_record_begin(bson_t *doc, const char *run, int32_t partition, int64_t seq);

/* Inserts a record; with a session as part of its transaction. A record is never changed. */
bool tf_batch_record_insert(const tf_store *store, mongoc_client_session_t *session, const bson_t *doc, tf_error *err);

/* One record: 1 and *out filled (tf_batch_record_done), 0 when there is none, -1 with *err. */
int tf_batch_record_read(const tf_store *store, const char *run, int32_t partition, int64_t seq, tf_batch_record *out,
                         tf_error *err);

/* The records of a run's partition in the order of seq. Parse each with tf_batch_record_parse, which copies.
 * The caller destroys the cursor. */
mongoc_cursor_t *tf_batch_record_find(const tf_store *store, const char *run, int32_t partition);
void tf_batch_record_parse(const bson_t *doc, tf_batch_record *out);

/* How far a run's records reach: appends to the empty array `out` {n, seq} for each partition that has any, ascending;
 * *backed_up is the documents in all of them. */
bool tf_batch_record_ends(const tf_store *store, const char *run, bson_t *out, int64_t *backed_up, tf_error *err);

#endif
