/* What one execution of `up` or `down` works with: the private side of tf_context. */
#ifndef TF_ENGINE_CONTEXT_H
#define TF_ENGINE_CONTEXT_H

#include "backup/lineage.h"
#include "db/gate.h"
#include "engine/engine.h"
#include "engine/heartbeat.h"
#include "engine/pace.h"
#include "engine/watch.h"
#include "engine/work.h"
#include "store/event.h"
#include "store/partition.h"

/* Counts of a run, all of documents but for `amount` and `batches`. */
typedef struct tf_totals {
    int64_t applied, amount, batches, refused, gone, overtaken, already, conflicts, deleted, recreated;
} tf_totals;

struct tf_context {
    const tf_engine *engine;
    tf_store store;
    tf_gate gate;
    tf_run run;
    tf_owner owner;
    tf_lineage *lineage;             /* of the run; its repair is the stored one */
    char comment[TF_RUN_ID_SIZE + 16]; /* "tokenfix/<run>" */
    uint8_t uid[32];                  /* as the server names the user of our sessions: SHA-256 of "name@database" */
    mongoc_client_session_t *session; /* NULL on a server without transactions */
    mongoc_database_t *database;
    tf_heartbeat *heartbeat;
    bool journal;                    /* the strategy */
    int64_t planned;                 /* documents expected, for progress */
    tf_head noted;                   /* the newest event that this process wrote of the run and waited for */
    int tenths;                      /* of the planned documents: those that the trail has been told of */
    tf_totals totals;                /* of the run */
    tf_timings timings;              /* of the run */
    int workers;
    tf_context *whole;               /* a worker's context: that of the run; NULL: this is it */
    tf_work *work;                   /* likewise: what the workers share */
    int64_t repaired, repair_ms;     /* by this process: the rate that later estimates use */
    int64_t batch_size;              /* documents at most, 0: the default; the run's own where none is given now */
    bool stop_on_error;              /* likewise */
    int64_t canary_left;             /* documents; negative: no canary */
    tf_watch *watch;                 /* while batches are made; NULL: nothing holds them up */
    tf_pace pace;                    /* a worker's: how large its batches are */
    int64_t held_ms[TF_PAUSES];      /* how long batches were held up, by reason; [NONE]: by --nice */
    size_t batch_bytes;              /* what a batch may have by now; 0: not begun */
};

/* Ends the heartbeat and releases all; the run is left as it is. */
void tf_context_done(tf_context *context);

/* Calls work(context, partition, err) for each partition that is not finished, by several workers, each with a context
 * (client, session, pace) of its own. The highest number first where `backwards`. */
typedef bool (*tf_partition_work)(tf_context *context, tf_partition *partition, tf_error *err);
bool tf_context_share(tf_context *context, tf_partition *partitions, size_t count, bool backwards, tf_partition_work work,
                      tf_error *err);

/* Adds a committed batch to the run's totals and tells the observer; `candidates` are off the canary. */
void tf_context_count(tf_context *context, const tf_totals *more, int64_t candidates);

/* Tells the observer why the run is held up; `text` NULL: it goes on. From any thread. */
void tf_context_tell_pause(tf_context *context, const char *reason, const char *text);

/* Begins with what the run's processes before this one needed, as its document has it. */
void tf_context_read_timings(tf_context *context);

/* Adds to the run's timings what a worker measured, and forgets that. */
void tf_context_add_timings(tf_context *context, tf_timings *more);

/* Between batches: LEASE_LOST, or INTERRUPTED when a stop was requested or another worker failed. */
bool tf_context_may_go_on(tf_context *context, tf_error *err);

/* Adds to the hint of what stopped a run how to go on with it. */
void tf_context_hint_resume(const tf_context *context, tf_error *err);

/* Starts the session of a context whose server has transactions. */
bool tf_context_session_start(tf_context *context, tf_error *err);

/* Takes a partition up: notes the session that is going to write in it. */
bool tf_context_register(tf_context *context, const tf_partition *partition, tf_error *err);

/* Totals of what is recorded so far, from the run's batches. */
bool tf_context_read_totals(tf_context *context, tf_error *err);

#endif
