/*
 * The engine's calls: what a front end (the commands, later the HTTP API) may ask for. The engine never prints: it
 * reports through the observer and in results. Results own what they point to; release with their _done function.
 * Amounts are integers in units of 10^-scale of the repair's ledger. Times are the server's, milliseconds since the epoch.
 */
#ifndef TF_ENGINE_ENGINE_H
#define TF_ENGINE_ENGINE_H

#include <tokenfix/migration.h>

#include "db/client.h"
#include "db/load.h"
#include "engine/throttle.h"
#include "store/control.h"
#include "store/event.h"
#include "store/run.h"
#include "store/store.h"

typedef struct tf_observer {
    void *arg;
    /* Called from any thread, by one at a time. Work has come this far; `total` 0: not known. `phase`: "plan", "ledger", "repair", "restore", "verify". */
    void (*progress)(void *arg, const char *phase, int64_t done, int64_t total);
    /* Something the operator should read now ("waiting for the lease of … to end"). */
    void (*message)(void *arg, const char *text);
    /* The run is held up: `reason` as engine/throttle.h names it, `text` for people; NULL: it goes on. */
    void (*paused)(void *arg, const char *reason, const char *text);
} tf_observer;

/* What a run does for the application beside it. Zeros: nothing. Strings and arrays are borrowed. */
typedef struct tf_manners {
    int64_t batch_ms;   /* how long a batch shall take; 0: as long as it likes */
    int64_t max_lag_ms; /* pause while the majority, or a member that may be seen, is further behind */
    double nice;        /* rest so many times as long as each batch took */
    const char *pause_file; /* pause while it exists */
    const tf_load_limit *max_load, *critical_load; /* pause, stop while one is reached */
    size_t max_loads, critical_loads;
} tf_manners;

typedef struct tf_settings {
    int64_t batch_size;   /* documents in one batch at most; 0: 1,000 documents or 4 MB */
    int64_t workers;      /* 0: as many as this machine has processors, at most 4 */
    const char *strategy; /* "transaction" (NULL) or "journal" */
    bool stop_on_error;   /* --on-error stop */
    bool rollback_on_error; /* --on-error rollback, said by hand: also where the run that goes on began with stop */
    bool again, resume, take_over;
    const char *run;         /* the run meant (resume, down, verify), or a migration's name; NULL: the default */
    int64_t canary;          /* stop after so many documents; 0: no */
    const char *on_conflict; /* "skip" (NULL) or "fields" */
    bool recreate_deleted;
    const char *tool_version;
    const char *confirmed_by; /* how a command that writes was confirmed, for the audit trail: "--yes"; NULL: it was not */
    tf_manners manners;
} tf_settings;

typedef struct tf_engine {
    tf_client *client;
    tf_store store;
    const tf_migration *migration; /* may be NULL where a run names it */
    tf_observer observer;          /* functions may be NULL */
    tf_settings settings;
} tf_engine;

/* Fills *engine for the connection's databases; `client` and `migration` (may be NULL) are borrowed and outlive it. */
void tf_engine_init(tf_engine *engine, tf_client *client, const tf_migration *migration);

/* ---- the registry ---- */

/* The migration `name` means: NULL the default, an id, or a unique prefix. NOT_FOUND with the nearest as hint. */
const tf_migration *tf_migration_find(const char *name, tf_error *err);

/* Registry in the order of dependencies: fills `order` (tf_migrations_count entries). DEPENDENCY on a cycle, a missing or
 * a self dependency. The entries are the registry's. */
bool tf_migration_order(const tf_migration **order, tf_error *err);

/* ---- plan ---- */

typedef struct tf_impact {
    bson_value_t owner; /* of the ledger's first owner field; owned */
    int64_t documents, amount;
} tf_impact;

typedef struct tf_plan {
    tf_repair *repair;
    int64_t documents, amount, owners;
    bool empty;         /* the collection holds no document at all, or is not there */
    int64_t odd;        /* documents whose amount cannot be counted */
    bson_t *odd_ids;    /* array of at most 20 of their _ids */
    tf_impact *impacts; /* the page asked for, largest amount first */
    size_t impacts_count;
    int64_t limit, offset;
    bson_t **samples; /* verbatim: to be masked before anybody sees them */
    size_t samples_count;
    int64_t estimated_ms;
    bool estimate_from_history; /* else from a measured sample */
    char risk[8];               /* "low", "medium", "high" */
    char reasons[4][128];
    size_t reasons_count;
    int64_t bytes; /* of the affected documents, estimated: what the backup will need */
} tf_plan;

/* Looks, writes nothing. `limit` owners of the impact from `offset` on, `samples` documents (at most 100). *out (free with
 * tf_plan_done) is untouched on failure: OVERFLOW where the amounts leave 64 bits. */
bool tf_plan_make(const tf_engine *engine, int64_t limit, int64_t offset, int64_t samples, tf_plan *out, tf_error *err);
void tf_plan_done(tf_plan *plan);

/* ---- proof ---- */

typedef struct tf_proof {
    char run[TF_RUN_ID_SIZE];   /* the run that was proven */
    char asked[TF_RUN_ID_SIZE]; /* the run that was asked for: another where that one was rolled back */
    bool rolled_back;           /* the run asked for was rolled back; the proof is the restoration's */
    bool down;                  /* the proven run is a down */
    char state[32];             /* of the proven run */
    bool unfinished;            /* the run is: what remains is still to be done, and balances are not compared */
    bool ok;                    /* nothing missing, altered, unexplained, refused; of a finished run nothing remaining */
    int64_t documents, equal, changed_later, missing;
    int64_t remaining, new_defects, refused, gone, overtaken, conflicts;
    int64_t batches, amount;
    int64_t ledger_rows, explained, unexplained;
    int64_t archived_upto; /* the run's closing event went into an archive, with all up to this one: the seal cannot be compared; 0: it did not */
    char archive[256];     /* the newest archive's file */
    bson_t *changed_ids, *missing_ids, *remaining_ids, *refused_ids; /* arrays, at most 100 each */
    bson_t *unexplained_rows; /* array, at most 100: {owner, status, expected, found} */
    bson_t *findings;         /* array of {check, message}: what the chain, the hashes, the sums say; empty when ok */
} tf_proof;

/* settings.run: a run's id, a migration's name or NULL: the newest finished run of either direction. Writes nothing.
 * Findings are in *out (free with tf_proof_done), not in the return value; false: no such run (NOT_FOUND, NOTHING_TO_DO),
 * records without which nothing can be proven (DAMAGED), or the server cannot be asked. */
bool tf_verify(const tf_engine *engine, tf_proof *out, tf_error *err);
void tf_proof_done(tf_proof *proof);

/* ---- up, down ---- */

/* Where the time of the batches went: microseconds, of all workers together. */
typedef struct tf_timings {
    int64_t find;   /* candidates, and the documents themselves */
    int64_t backup;
    int64_t update;
    int64_t check;
    int64_t commit; /* the partition's and the batch's records, and the commit itself */
    int64_t wait;   /* before another attempt, and for the application's sake */
} tf_timings;

enum { TF_TIMINGS = 6 };
extern const char *const tf_timing_names[TF_TIMINGS]; /* in their order */

/* Appends {find: ms, …} under "timings": as they are stored in the run and told in JSON. */
void tf_timings_append(const tf_timings *timings, bson_t *out);

typedef struct tf_outcome {
    char run[TF_RUN_ID_SIZE];
    char migration[128];
    char state[32];
    char strategy[16];
    char restores[TF_RUN_ID_SIZE]; /* down */
    int64_t documents;             /* applied (up) / restored (down), totals of the run */
    int64_t amount, batches;
    int64_t refused, gone, overtaken;
    int64_t conflicts, already, deleted, recreated; /* down; `conflicts` includes the deleted that stay deleted */
    bson_t *conflict_ids;                           /* down: array of at most 100 {_id, reason} */
    int64_t elapsed_ms, plan_ms, repair_ms, proof_ms; /* milliseconds, of this process */
    int64_t held_ms[TF_PAUSES]; /* how long batches were held up, by reason; [TF_PAUSE_NONE]: by --nice */
    tf_timings timings;                               /* of the run */
    char failure[512]; /* up: why it was rolled back, where that met conflicts (state and conflict_ids tell) */
    tf_head head;                                     /* of the audit trail when it ended; seq 0: not known */
    bool findings;                                    /* exit 3 instead of 0 */
    bool nothing;  /* up --again where nothing matches any more: no run was made */
    bool verified; /* proof is filled */
    tf_proof proof;
} tf_outcome;

void tf_outcome_done(tf_outcome *outcome);

/* Runs, resumes or repeats an `up`. On failure *out still names the run (if one exists) and its state; the error's code
 * says whether it stopped (7), was rolled back (6) or never began. */
bool tf_up(const tf_engine *engine, tf_outcome *out, tf_error *err);

/* Whether `up` would begin (or, with settings.resume or .again, go on): otherwise COMPLETED, INTERRUPTED, LEASE_HELD,
 * NOTHING_TO_DO, DEPENDENCY. Writes nothing. */
bool tf_up_allowed(const tf_engine *engine, tf_error *err);

/* Takes a run back (settings.run; NULL: the newest completed or interrupted up not rolled back), or resumes an
 * interrupted down (settings.resume). */
bool tf_down(const tf_engine *engine, tf_outcome *out, tf_error *err);

/* The run that `down` would take back: for the question before it. *run is filled (tf_run_done). */
bool tf_down_target(const tf_engine *engine, tf_run *run, tf_error *err);

/* ---- attempts: for the audit trail ---- */

/* That somebody confirmed a command ("up"), or that it failed before there was a run (`why`; one of the command line itself is
 * none). Written where the state database can be, within 10 s; where it cannot, nothing else changes. */
void tf_attempt_confirmed(const tf_engine *engine, const char *command);
void tf_attempt_failed(const tf_engine *engine, const char *command, const tf_error *why);

/* ---- pause, continue, cancel: from another process ---- */

/* Asks the owner of a run (settings.run; NULL: the one that is under way) and waits until it has done so, at most wait_ms.
 * *out is the run as it stands then (tf_run_done). NOTHING_TO_DO where there is nothing to ask or nobody to do it, NO_ANSWER
 * where the time was too short: the request stands. */
bool tf_control_run(const tf_engine *engine, tf_request request, int64_t wait_ms, tf_run *out, tf_error *err);

/* ---- status ---- */

typedef struct tf_recommendation {
    char type[32];    /* "resume", "continue", "up", "again", "verify", "conflicts", "cancelled", "database" */
    char priority[8]; /* "high", "medium", "low" */
    char message[256];
} tf_recommendation;

typedef struct tf_status {
    int64_t time;
    char state[32]; /* "pending", "not_needed", or the newest up's state */
    bool completed, needed;
    int64_t matching;   /* documents that match the filter now */
    int64_t documents;  /* in the collection, by its metadata */
    int64_t population; /* documents among which the filter's can be: the repair's `population` */
    double health;      /* 1 − matching / population; 1 where there are none */
    tf_run *runs;       /* the newest, at most 10 */
    size_t runs_count;
    bool runs_visible; /* false: not visible with these privileges */
    tf_recommendation recommendations[6];
    size_t recommendations_count;
} tf_status;

/* Looks, writes nothing. What the user may not see is left out (runs_visible), not an error. *out (free with
 * tf_status_done) is untouched on failure. */
bool tf_status_read(const tf_engine *engine, tf_status *out, tf_error *err);
void tf_status_done(tf_status *status);

#endif
