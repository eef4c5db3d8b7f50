/*
 * One batch: the documents changed together. Two kinds (apply: repair, restore: give back) meet two strategies
 * (transaction, journal): a kind says what to read, write and check, a strategy says in which order it becomes durable.
 *
 *   transaction (one snapshot, majority)      journal (each step majority)
 *     advance the partition (compare-and-set)   intent into the partition (compare-and-set)
 *     gather → backup → write → check           gather → backup → write, guarded → check
 *     insert the record, commit                 insert the record → advance the partition
 *
 * What dies in a transaction never happened. What dies in the journal is taken up again from the intent.
 */
#ifndef TF_ENGINE_BATCH_H
#define TF_ENGINE_BATCH_H

#include "check/tally.h"
#include "engine/context.h"

typedef struct tf_batch tf_batch;

typedef struct tf_batch_kind {
    const char *name; /* "up", "down": prefix of the failpoints */
    /* Before a recovery: what `arg` must hold for the batch that the intent names. May be NULL. */
    bool (*prepare)(tf_batch *b, tf_error *err);
    /* Reads what stands there and decides: fills `before` (what will be backed up and written). With b->recovering the
     * own backup may hold part of the batch already. */
    bool (*gather)(tf_batch *b, mongoc_client_session_t *session, tf_error *err);
    /* Changes the documents of `before`. Without a session every write is guarded by what was read. Sets `matched`. */
    bool (*write)(tf_batch *b, mongoc_client_session_t *session, tf_error *err);
    /* Looks at what was written: fills `moves`, `applied` and (journal) `overtaken`. */
    bool (*check)(tf_batch *b, mongoc_client_session_t *session, tf_error *err);
    /* Appends the kind's own fields to the record. */
    void (*describe)(const tf_batch *b, bson_t *record);
} tf_batch_kind;

/* A list of documents {_id, reason} that a batch left alone. */
typedef struct tf_left {
    bson_t items; /* array */
    uint32_t count;
} tf_left;

struct tf_batch {
    tf_context *context;
    const tf_batch_kind *kind;
    void *arg; /* the kind's */
    tf_partition *partition;
    tf_partition next; /* cursor and target_* as they will be */
    tf_range range;    /* of _ids this batch deals with */
    bson_t ids;        /* array: the candidates */
    int64_t candidates;
    bool recovering; /* the journal's: an intent was found */
    bool recorded;   /* … and the record as well: nothing is to be counted again */

    tf_docs before; /* pre-images: what the backup gets */
    tf_docs wanted; /* restore: what each shall become */
    tf_docs scratch;
    int64_t matched, applied, gone, already, deleted;
    int64_t withheld; /* restore: documents of a damaged batch, beyond the one item that names it */
    tf_left refused, overtaken, conflicts, recreated;
    tf_tally *moves;

    bool has_previous;
    uint8_t previous[32]; /* hash of the partition's last record */
    uint8_t own[32];      /* hash of this record */
    int vanished;         /* times the server went away during this batch */
    int conflicts_in_row;
    int attempts, conflicts_met; /* of this batch */
    int64_t until;        /* an attempt of the transaction strategy: the end of its time, monotonic; 0: no limit */
    int64_t lap;          /* where the step that runs began, tf_clock_us */
    tf_timings timings;
    char comment[TF_RUN_ID_SIZE + 48];
};

void tf_batch_init(tf_batch *b, tf_context *context, const tf_batch_kind *kind, tf_partition *partition);
void tf_batch_done(tf_batch *b);

/* Before an attempt: forgets what the one before found. */
void tf_batch_reset(tf_batch *b);

/* Reads the hash of the partition's newest record, to be linked to. DAMAGED when it is missing. */
bool tf_batch_link(tf_batch *b, tf_error *err);

/* Adds {_id: of doc, reason}. */
void tf_left_add(tf_left *left, const bson_t *doc, const char *reason);

/* Builds and inserts the record. */
bool tf_batch_write_record(tf_batch *b, mongoc_client_session_t *session, tf_error *err);

/* Runs the batch by the context's strategy. On success the partition, the totals and the link are brought up to date. When
 * the batch was too large the context's pace has a smaller limit and the call failed with TOO_LARGE: cut a smaller one. */
bool tf_batch_run(tf_batch *b, tf_error *err);

bool tf_transaction_run(tf_batch *b, tf_error *err);
bool tf_journal_run(tf_batch *b, tf_error *err);

/* The journal: finishes the batch whose intent the partition holds. */
bool tf_journal_recover(tf_batch *b, tf_error *err);

/* Counts a committed batch into the totals and brings the partition and the link up to date. Returns true. */
bool tf_batch_commit(tf_batch *b);

/* The hint for a batch during which the server vanished twice. */
void tf_batch_hint_vanished(const tf_batch *b, tf_error *err);

/* Between the steps of a batch: LEASE_LOST, or INTERRUPTED when the stop is to be at once. */
bool tf_batch_may_go_on(const tf_batch *b, tf_error *err);

/* What the batch's operations are marked with. */
void tf_batch_mark(tf_batch *b);

/* Adds what passed since the last lap to one of b->timings; with NULL it only begins anew. */
void tf_batch_lap(tf_batch *b, int64_t *timing);

/* The operation on the repaired database that a batch's reads and writes use. */
tf_op tf_batch_op(const tf_batch *b, mongoc_client_session_t *session, const char *what);

extern const tf_batch_kind tf_apply_kind, tf_restore_kind;

#endif
