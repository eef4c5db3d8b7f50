/*
 * The watch of a run: one thread with a client of its own that looks, at a bounded rate, for what may hold the run up
 * (requests from other terminals and the pause file four times a second, the server once), tells the throttle, and keeps
 * the run's state: running ⇄ paused, with the reason.
 */
#ifndef TF_ENGINE_WATCH_H
#define TF_ENGINE_WATCH_H

#include "engine/engine.h"
#include "engine/throttle.h"

typedef struct tf_watch tf_watch;

/* Before anything is written: whether the server tells what the limits are about. NOT_FOUND, PERMISSION. */
bool tf_watch_check(const tf_engine *engine, tf_error *err);

/* Told again and again while there is a reason to pause, and once (TF_PAUSE_NONE, NULL) when it is over. */
typedef void (*tf_watch_tell)(void *arg, tf_pause reason, const char *text);

/* Looks once, then starts the thread, which calls `tell`. The run is `running` and ours; from here to tf_watch_stop nobody
 * else changes its state. NULL on failure. */
tf_watch *tf_watch_start(const tf_engine *engine, const tf_run *run, tf_watch_tell tell, void *arg, tf_error *err);

/* How far a run has come. */
typedef struct tf_milestone {
    int percent; /* of the documents planned; 0: none */
    int64_t documents, amount, batches;
} tf_milestone;

/* To be written into the audit trail, by the watch and within its next turns; of several the last one. From any thread. */
void tf_watch_milestone(tf_watch *watch, const tf_milestone *milestone);

/* Ends the thread, writes the last milestone and brings *run's state up to date. Accepts NULL. */
void tf_watch_stop(tf_watch *watch, tf_run *run);

tf_throttle *tf_watch_throttle(tf_watch *watch);

#endif
