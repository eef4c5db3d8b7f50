/* What one execution of `up` or `down` works with: the private side of tf_context. */
#ifndef TF_ENGINE_CONTEXT_H
#define TF_ENGINE_CONTEXT_H

#include "backup/lineage.h"
#include "db/gate.h"
#include "engine/engine.h"
#include "engine/heartbeat.h"
#include "store/partition.h"

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
    struct {
        int64_t applied, amount, batches, refused, gone, overtaken, already, conflicts, deleted, recreated;
    } totals; /* of the run */
    int64_t repaired, repair_ms;     /* by this process: the rate that later estimates use */
    int64_t batch_size;              /* documents at most, 0: the default; the run's own where none is given now */
    bool stop_on_error;              /* likewise */
    int64_t canary_left;             /* documents; negative: no canary */
    size_t batch_bytes;              /* what a batch may have by now; 0: not begun */
};

/* Ends the heartbeat and releases all; the run is left as it is. */
void tf_context_done(tf_context *context);

/* Between batches: LEASE_LOST, or INTERRUPTED when a stop was requested. */
bool tf_context_may_go_on(tf_context *context, tf_error *err);

/* Adds to the hint of what stopped a run how to go on with it. */
void tf_context_hint_resume(const tf_context *context, tf_error *err);

void tf_context_progress(const tf_context *context, const char *phase);

/* Takes a partition up: notes the session that is going to write in it. */
bool tf_context_register(tf_context *context, const tf_partition *partition, tf_error *err);

/* Totals of what is recorded so far, from the run's batches. */
bool tf_context_read_totals(tf_context *context, tf_error *err);

#endif
