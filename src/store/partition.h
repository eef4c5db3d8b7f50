/*
 * A partition: a range of _ids that one worker walks, and how far it has come. One document each, so that two workers'
 * transactions never meet. `cursor` and `seq` move only inside a batch's transaction (or as the journal's last step),
 * by compare-and-set on {owner, fence, seq}: what the partition says is what was committed.
 *
 * A down's partition belongs to one partition of the run it takes back and counts that one's batches downwards:
 * `target_seq` is the next to restore (0: none left), `target_done` how many of its documents are done already.
 */
#ifndef TF_STORE_PARTITION_H
#define TF_STORE_PARTITION_H

#include "db/id.h"
#include "store/store.h"

typedef struct tf_partition {
    char id[TF_RUN_ID_SIZE + 16]; /* "<run>-p003" */
    int32_t n;
    tf_range bounds;
    bson_value_t cursor; /* the last candidate dealt with, open: none yet */
    int64_t seq;         /* batches committed */
    int64_t fence;
    bool finished;
    int64_t target_seq, target_done;
    bson_t *intent;      /* the journal's: what is being written right now; NULL: nothing; owned */
    bson_t *lsid;        /* {id: UUID} of the session that worked on it last; NULL: none; owned */
    bool has_uid;
    uint8_t uid[32];     /* of that session's user */
} tf_partition;

void tf_partition_done(tf_partition *partition);

/* Reads one from its document, which is copied. DAMAGED, *out untouched, where it is not of the form we write. */
bool tf_partition_parse(const bson_t *doc, tf_partition *out, tf_error *err);

/* Inserts the partitions of a new run with seq 0 and the given fence. */
bool tf_partition_create(const tf_store *store, const char *run, const tf_partition *partitions, size_t count,
                         int64_t fence, tf_error *err);

/* All of a run's, in the order of their numbers, which is that of their ranges. Free with tf_partitions_free. */
bool tf_partition_list(const tf_store *store, const char *run, tf_partition **out, size_t *count, tf_error *err);
void tf_partitions_free(tf_partition *partitions, size_t count);

/* Reads one again, behind every write that reached the primary, as after a lost answer; then what else a majority has is as
 * new. DAMAGED when it is gone. *partition is replaced. */
bool tf_partition_read(const tf_store *store, tf_partition *partition, tf_error *err);

/* Raises the fence of every partition of the run to `fence`, so that a former owner's batch can no longer commit. Blocks
 * while a former owner's open transaction holds one; sessions are killed again until that is over. */
bool tf_partition_fence(const tf_store *store, const char *run, int64_t fence, tf_error *err);

/* Notes the session that is going to write, majority, before its first transaction; `uid`: SHA-256 of "name@database" of
 * its user, or of "" where nobody is logged in. */
bool tf_partition_register(const tf_store *store, const tf_partition *partition, mongoc_client_session_t *session,
                           const uint8_t uid[32], const char *owner_id, tf_error *err);

/* The compare-and-set of a batch: seq + 1, the new cursor and target_*, no intent. LEASE_LOST unless exactly one
 * matched. *partition is not changed. */
bool tf_partition_advance(const tf_store *store, const tf_partition *partition, const tf_partition *next,
                          mongoc_client_session_t *session, tf_error *err);

/* Compare-and-set of the intent (the journal's first step). */
bool tf_partition_intend(const tf_store *store, const tf_partition *partition, const bson_t *intent, tf_error *err);

/* Marks a partition as finished: nothing is left in its range. */
bool tf_partition_finish(const tf_store *store, tf_partition *partition, tf_error *err);

#endif
