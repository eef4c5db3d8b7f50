/*
 * The thread of a scheduled audit that talks to the server. It connects, makes rounds and keeps them; whoever orders that waits
 * for nothing (base/attend.h), so that it can end, read its configuration and tell systemd that it lives meanwhile.
 */
#ifndef TF_CMD_WATCHER_H
#define TF_CMD_WATCHER_H

#include "base/attend.h"
#include "cmd/round.h"
#include "cmd/session.h"

typedef struct tf_watcher tf_watcher;

typedef struct tf_watcher_wish {
    tf_audit_wanted wanted; /* borrowed until the order is done */
    tf_health_limits limits;
    int64_t since; /* runs that ended after it are told of; 0: after the first round */
} tf_watcher_wish;

/* Starts the thread, which connects as `connection` says at the first order, and again with each until that succeeds; then it
 * forgets the password. `connection` is taken over. */
tf_watcher *tf_watcher_start(tf_connection *connection, const tf_migration *migration, const tf_attend *attend, tf_error *err);

/* Orders a round; `attend` is told when it is done. Nothing may be ordered before that. */
void tf_watcher_order(tf_watcher *watcher, const tf_watcher_wish *order);

/* The round that was made, once; it is the caller's then (tf_round_done). False: it is still being made, or was not ordered. */
bool tf_watcher_take(tf_watcher *watcher, tf_round *out);

/* Orders to keep the result of a round with the alerts that are open after it, which is copied, and to remove what is older than
 * this (0: nothing). It takes a minute at most, whatever the server does. Not beside another order. */
void tf_watcher_keep(tf_watcher *watcher, const bson_t *document, int64_t older_ms);

/* Whether it has nothing to do. */
bool tf_watcher_is_idle(tf_watcher *watcher);

/* The alerts that were open after the newest audit that is kept, as an array, once: NULL before it connected, or there are none. */
bson_t *tf_watcher_take_alerts(tf_watcher *watcher, int64_t *at);

/* Why the newest could not be kept, and what is old not be removed; its code is OK where it was. Not to be read beside an order. */
const tf_error *tf_watcher_not_kept(tf_watcher *watcher);
const tf_error *tf_watcher_not_forgotten(tf_watcher *watcher);

/* The engine, for its names: not for use beside the thread. NULL before it connected. */
const tf_engine *tf_watcher_engine(tf_watcher *watcher);

/* Ends it, and what it has running on the server. False: it did not end in `ms`, and is left as it is; the process can only be
 * left by _exit then. */
bool tf_watcher_stop(tf_watcher *watcher, int64_t ms);

#endif
