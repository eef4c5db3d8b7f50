/*
 * A run: one execution of `up` or `down`.
 *
 *   planned → running ⇄ paused → verifying → completed            or cancelled
 *   an `up` that a `down` takes back:  → rolling_back → rolled_back | rolled_back_with_conflicts
 *   interrupted: stored on an orderly stop; derived for an active run whose lease has ended or whose owner is gone
 *
 * Transitions are compare-and-set on {state, fence}. At most one run of a database is `active` (a unique partial
 * index): active means that its owner may write. Times are the server's, in milliseconds since the epoch.
 */
#ifndef TF_STORE_RUN_H
#define TF_STORE_RUN_H

#include "base/owner.h"
#include "store/store.h"

typedef enum {
    TF_STATE_PLANNED,
    TF_STATE_RUNNING,
    TF_STATE_PAUSED,
    TF_STATE_VERIFYING,
    TF_STATE_COMPLETED,
    TF_STATE_FAILED,
    TF_STATE_CANCELLED,
    TF_STATE_INTERRUPTED,
    TF_STATE_ROLLING_BACK,
    TF_STATE_ROLLED_BACK,
    TF_STATE_ROLLED_BACK_WITH_CONFLICTS,
    TF_STATES
} tf_state;

const char *tf_state_name(tf_state state);
tf_state tf_state_of(const char *name); /* FAILED where there is none of that name */

enum { TF_LEASE_MS = 30000 };

typedef struct tf_run {
    bson_t *doc; /* the document as read or as to be inserted; owned */
    char id[TF_RUN_ID_SIZE];
    char migration[128];
    char collection[128];
    bool down;                        /* direction */
    char restores[TF_RUN_ID_SIZE];    /* a down: the run it takes back */
    char restored_by[TF_RUN_ID_SIZE]; /* the newest down that takes this one back, if any */
    char strategy[16];                /* "transaction", "journal" */
    char conflict_policy[16];         /* a down: "skip", "fields" */
    bool recreate_deleted;            /* a down */
    tf_state stored;                  /* as stored */
    tf_state state;                   /* with `interrupted` derived */
    bool active;
    int64_t started_at, ended_at;
    int64_t fence;
    int64_t lease_left_ms; /* by the server's clock when read, negative when it has ended */
    tf_owner owner;
    char pause_reason[24]; /* of a paused run: engine/throttle.h has the names */
    char pause_text[320];
    int64_t paused_at;
} tf_run;

void tf_run_done(tf_run *run);

/* Reads a run from its document, which is copied. DAMAGED, *out untouched, where it is not of the form we write. */
bool tf_run_parse(const bson_t *doc, tf_run *out, tf_error *err);

/* A new time-sortable id of [0-9a-z-]: "20261120t173012-004-3fa9c1". */
void tf_run_new_id(char out[TF_RUN_ID_SIZE], int64_t now_ms, const char *migration);

/* Inserts a new active run with a lease for `owner` and fence 1. `doc` holds all but active, state, lease. LEASE_HELD when
 * another run of the database is active, or was begun since `doc`'s number was chosen. */
bool tf_run_create(const tf_store *store, const bson_t *doc, tf_state state, const tf_owner *owner,
                   mongoc_client_session_t *session, tf_error *err);

/* 1 and *out filled (tf_run_done), 0 when there is none, -1 with *err. */
int tf_run_load(const tf_store *store, const char *id, tf_run *out, tf_error *err);

/* The runs that match `query` (of the repaired database), newest first, at most `limit` (0: all). Free *out with
 * tf_runs_free. A state database that does not exist yet has none. */
bool tf_run_list(const tf_store *store, const bson_t *query, int64_t limit, tf_run **out, size_t *count, tf_error *err);
void tf_runs_free(tf_run *runs, size_t count);

/* Compare-and-set of the state: `set` (may be NULL) is merged into $set; `active` is the new value. Fails with
 * LEASE_LOST when state or fence are not as in *run; on success *run is brought up to date. */
bool tf_run_transition(const tf_store *store, tf_run *run, tf_state to, bool active, const bson_t *set,
                       mongoc_client_session_t *session, tf_error *err);

/* Extends the lease by 30 s of the server's time. LEASE_LOST when it is no longer ours. */
bool tf_run_renew(const tf_store *store, const char *id, const char *owner_id, int64_t fence, tf_error *err);

/* Takes the run over from whoever had it: fence + 1, lease for `owner`, active. What that one left open on the run's
 * document is ended first. LEASE_LOST when its fence or state changed meanwhile. */
bool tf_run_take_over(const tf_store *store, tf_run *run, const tf_owner *owner, tf_error *err);

/* Whether nobody works on an active run any more: its lease has ended, or its owner's process is known to be gone. */
bool tf_run_is_abandoned(const tf_run *run);

/* Notes the session whose transaction is about to change the run's document, majority: who comes after us can end it. */
bool tf_run_note_session(const tf_store *store, const tf_run *run, mongoc_client_session_t *session, const uint8_t uid[32],
                         tf_error *err);

/* Ends the session that the run as read has noted, if any. */
void tf_run_kill_session(const tf_store *store, const tf_run *run);

/* The number of the newest run of the database, 0 where there is none. A new run gets the next one, and a unique index
 * sees to it that none began since the number was read: what was decided on what stood there then still holds. */
bool tf_run_last_number(const tf_store *store, int64_t *number, tf_error *err);

/* Sets fields of a run that is ours, whatever its state: compare-and-set on the fence only. */
bool tf_run_set(const tf_store *store, const tf_run *run, const bson_t *set, tf_error *err);

#endif
