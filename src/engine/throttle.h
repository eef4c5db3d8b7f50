/*
 * Whether a worker may begin its next batch, and if not, why. Thread-safe. The watch (engine/watch.h) tells it what it
 * sees; workers pass it between batches:
 *
 *   if (!tf_throttle_enter(t, …)) …stop…     waits while there is a reason to
 *   …one batch…
 *   tf_throttle_leave(t, …)                  counts it; sleeps for --nice
 *
 * Knows no MongoDB.
 */
#ifndef TF_ENGINE_THROTTLE_H
#define TF_ENGINE_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    TF_PAUSE_NONE,
    TF_PAUSE_REQUEST,
    TF_PAUSE_FILE,
    TF_PAUSE_LOAD,
    TF_PAUSE_MAJORITY_LAG,
    TF_PAUSE_MEMBER_LAG,
    TF_PAUSE_CONFLICTS,
    TF_PAUSES
} tf_pause;

/* "request", "pause_file", "load", "majority_lag", "member_lag", "conflicts"; "" for NONE. */
const char *tf_pause_name(tf_pause reason);

typedef enum {
    TF_GO,
    TF_WAIT,     /* pause */
    TF_CANCEL,   /* end the run */
    TF_CRITICAL, /* stop it, resumable */
    TF_SHUT_OUT  /* another process has the run */
} tf_verdict_kind;

typedef struct tf_verdict {
    tf_verdict_kind kind;
    tf_pause reason; /* of a WAIT */
    char text[320];  /* "the majority is 3.2 s behind, the limit is 2 s" */
} tf_verdict;

/* What was seen last. */
typedef struct tf_sight {
    bool pause_wanted, cancel_wanted, shut_out;
    char by[160];                       /* who wants it: "anna@host" */
    char pause_file[256];               /* its name, where it exists */
    char load[240], critical[240];      /* the limit that is reached, in words */
    int64_t majority_lag_ms, member_lag_ms;
    char slowest[256];                  /* the member */
} tf_sight;

/* Attempts of our own batches that met a write conflict; a pause of its own length follows when there are too many. */
typedef struct tf_conflicts {
    int attempts, conflicts;
    int64_t pause_until; /* monotonic; 0: none */
    int64_t pause_ms;    /* the length of the last pause: doubles while it does not help */
} tf_conflicts;

/* What follows from `sight` alone; the gravest first. Pure. */
void tf_throttle_decide(const tf_sight *sight, const tf_conflicts *conflicts, int64_t max_lag_ms, int64_t now, tf_verdict *out);

/* Counts a batch of `attempts`, of which `conflicts` met a conflict; may begin a pause. Pure. */
void tf_conflicts_count(tf_conflicts *all, int attempts, int conflicts, int64_t now);

typedef struct tf_throttle tf_throttle;

/* Never NULL. `nice`: sleep so many times as long as a batch took. */
tf_throttle *tf_throttle_new(int64_t max_lag_ms, double nice);
void tf_throttle_free(tf_throttle *throttle);

/* What the watch saw. Waiting workers look again at once. */
void tf_throttle_see(tf_throttle *throttle, const tf_sight *sight);

/* The verdict of now. True when no worker is in a batch. */
bool tf_throttle_look(tf_throttle *throttle, tf_verdict *out);

/* Waits until a batch may begin: true, and the caller is in one until tf_throttle_leave. False: it must not, and *why is a
 * CANCEL, CRITICAL or SHUT_OUT, or a GO where a stop was requested (base/stop.h) or `give_up` (may be NULL) became true. */
bool tf_throttle_enter(tf_throttle *throttle, bool (*give_up)(void *arg), void *arg, tf_verdict *why);

/* Behind the batch, whatever became of it: how long it worked, how often it was tried, how often it met a conflict. */
void tf_throttle_leave(tf_throttle *throttle, int64_t worked_ms, int attempts, int conflicts);

/* How long batches have been held up for a reason so far; TF_PAUSE_NONE: the sleeps of --nice, of all workers. */
int64_t tf_throttle_held_ms(tf_throttle *throttle, tf_pause reason);

#endif
