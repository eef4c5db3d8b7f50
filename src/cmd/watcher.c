#include "cmd/watcher.h"

#include <inttypes.h>
#include <pthread.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "base/wake.h"
#include "cmd/version.h"
#include "db/failure.h"
#include "db/kill.h"
#include "engine/audit_keep.h"
#include "store/audit.h"

/* A server that takes a write and never answers must hold up neither the next round nor the watchdog. */
enum { KEEP_PATIENCE_MS = 15000 };

struct tf_watcher {
    tf_connection connection;
    const tf_migration *migration;
    const tf_attend *attend;
    pthread_t thread;
    tf_wake wake; /* guards all below but what the thread alone uses */
    enum { NOTHING, ROUND, KEEP } order;
    bool busy, made, opened, connected, over;
    tf_watcher_wish wanted;
    tf_round round;
    bson_t *document;
    int64_t older_ms;
    bson_t *alerts; /* as read at the start, until they are taken */
    int64_t alerts_at;
    tf_error not_kept, not_forgotten;
    tf_client client;
    tf_engine engine;
    char comment[64];
};

/* ---- in the thread ---- */

static bool connect_once(tf_watcher *watcher, tf_error *err)
{
    tf_connection *to = &watcher->connection;
    if (watcher->connected)
        return true;
    if (!watcher->opened) {
        if (!tf_client_open(to->uri, to->db, to->state_db, to->timeout_ms, to->allowed, &watcher->client, err))
            return false;
        tf_client_forget(to->uri);
        to->uri = NULL;
        tf_engine_init(&watcher->engine, &watcher->client, watcher->migration);
        watcher->engine.settings.tool_version = tf_version();
        watcher->engine.store.comment = watcher->comment;
        watcher->opened = true;
    }
    tf_error unread = {0};
    bson_t *alerts = NULL;
    int64_t at = 0;
    /* without them all that is open would be raised again: what may pass is waited for */
    if (tf_audits_alerts(&watcher->engine.store, watcher->migration->id, &alerts, &at, &unread) < 0 && tf_failure_is_transient(&unread)) {
        *err = unread;
        return false;
    }
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->alerts = alerts;
    watcher->alerts_at = at;
    watcher->connected = true;
    pthread_mutex_unlock(&watcher->wake.mutex);
    return true;
}

static void make_round(tf_watcher *watcher)
{
    tf_round round = {0};
    tf_error err = {0};
    if (connect_once(watcher, &err)) {
        int64_t since = watcher->wanted.since ? watcher->wanted.since : watcher->alerts_at;
        if (!since)
            tf_client_now(watcher->client.client, &since, &err); /* what ended before us is no news */
        tf_round_make(&watcher->engine, &watcher->wanted.wanted, &watcher->wanted.limits, since, &round);
    } else
        tf_round_lost(&err, &round);
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->round = round;
    watcher->made = true;
    pthread_mutex_unlock(&watcher->wake.mutex);
}

static void keep(tf_watcher *watcher)
{
    tf_error err = {0}, old = {0};
    tf_audit_kept kept = {.doc = watcher->document};
    tf_engine engine = watcher->engine;
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *own = tf_client_impatient(watcher->client.client, "tokenfix", KEEP_PATIENCE_MS);
    int64_t removed = 0;
    engine.store.client = own;
    if (!own)
        tf_error_set(&err, TF_ERR_MEMORY, "out of memory");
    else if (tf_audit_keep(&engine, &kept, &err) && watcher->older_ms)
        tf_audit_forget(&engine, watcher->older_ms, &removed, &old);
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->not_kept = err;
    watcher->not_forgotten = old;
    pthread_mutex_unlock(&watcher->wake.mutex);
    bson_destroy(watcher->document);
    watcher->document = NULL;
}

static void *work(void *arg)
{
    tf_watcher *watcher = arg;
    pthread_mutex_lock(&watcher->wake.mutex);
    while (!watcher->wake.ended) {
        if (watcher->order == NOTHING) {
            pthread_cond_wait(&watcher->wake.told, &watcher->wake.mutex);
            continue;
        }
        bool round = watcher->order == ROUND;
        pthread_mutex_unlock(&watcher->wake.mutex);
        if (round)
            make_round(watcher);
        else
            keep(watcher);
        pthread_mutex_lock(&watcher->wake.mutex);
        watcher->order = NOTHING;
        watcher->busy = false;
        tf_attend_tell(watcher->attend);
    }
    pthread_mutex_unlock(&watcher->wake.mutex);
    if (watcher->opened)
        tf_op_release(watcher->client.client); /* what this thread read with */
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->over = true;
    tf_wake_tell(&watcher->wake);
    pthread_mutex_unlock(&watcher->wake.mutex);
    return NULL;
}

/* ---- outside of it ---- */

tf_watcher *tf_watcher_start(tf_connection *connection, const tf_migration *migration, const tf_attend *attend, tf_error *err)
{
    tf_watcher *watcher = bson_malloc0(sizeof *watcher);
    watcher->connection = *connection;
    *connection = (tf_connection){0};
    watcher->migration = migration;
    watcher->attend = attend;
    snprintf(watcher->comment, sizeof watcher->comment, "tokenfix/audit/%016" PRIx64, tf_clock_random(UINT64_MAX));
    tf_wake_init(&watcher->wake);
    int failed = pthread_create(&watcher->thread, NULL, work, watcher);
    if (!failed)
        return watcher;
    tf_error_errno(err, failed, "cannot start a thread");
    tf_wake_done(&watcher->wake);
    tf_connection_done(&watcher->connection);
    bson_free(watcher);
    return NULL;
}

static void give(tf_watcher *watcher, int order)
{
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->order = order;
    watcher->busy = true;
    watcher->made = false;
    tf_wake_tell(&watcher->wake);
    pthread_mutex_unlock(&watcher->wake.mutex);
}

void tf_watcher_order(tf_watcher *watcher, const tf_watcher_wish *order)
{
    watcher->wanted = *order;
    give(watcher, ROUND);
}

void tf_watcher_keep(tf_watcher *watcher, const bson_t *document, int64_t older_ms)
{
    watcher->older_ms = older_ms;
    watcher->document = bson_copy(document);
    give(watcher, KEEP);
}

bool tf_watcher_is_idle(tf_watcher *watcher)
{
    pthread_mutex_lock(&watcher->wake.mutex);
    bool idle = !watcher->busy;
    pthread_mutex_unlock(&watcher->wake.mutex);
    return idle;
}

bool tf_watcher_take(tf_watcher *watcher, tf_round *out)
{
    pthread_mutex_lock(&watcher->wake.mutex);
    bool made = watcher->made && !watcher->busy;
    if (made) {
        *out = watcher->round;
        watcher->round = (tf_round){0};
        watcher->made = false;
    }
    pthread_mutex_unlock(&watcher->wake.mutex);
    return made;
}

bson_t *tf_watcher_take_alerts(tf_watcher *watcher, int64_t *at)
{
    pthread_mutex_lock(&watcher->wake.mutex);
    bson_t *alerts = TAKE_PTR(watcher->alerts);
    *at = watcher->alerts_at;
    pthread_mutex_unlock(&watcher->wake.mutex);
    return alerts;
}

const tf_error *tf_watcher_not_kept(tf_watcher *watcher)
{
    return &watcher->not_kept;
}

const tf_error *tf_watcher_not_forgotten(tf_watcher *watcher)
{
    return &watcher->not_forgotten;
}

const tf_engine *tf_watcher_engine(tf_watcher *watcher)
{
    return watcher->connected ? &watcher->engine : NULL;
}

static bool wait_for_end(tf_watcher *watcher, int64_t ms)
{
    int64_t until = tf_clock_ms() + ms;
    for (int64_t left = ms; !watcher->over && left > 0; left = until - tf_clock_ms())
        tf_wake_wait(&watcher->wake, left);
    return watcher->over;
}

static void dispose(tf_watcher *watcher)
{
    pthread_join(watcher->thread, NULL);
    tf_round_done(&watcher->round);
    if (watcher->document)
        bson_destroy(watcher->document);
    if (watcher->alerts)
        bson_destroy(watcher->alerts);
    if (watcher->opened)
        tf_client_leave(&watcher->client);
    tf_connection_done(&watcher->connection);
    tf_wake_done(&watcher->wake);
    bson_free(watcher);
}

bool tf_watcher_stop(tf_watcher *watcher, int64_t ms)
{
    enum { AT_ONCE_MS = 300 };
    int64_t until = tf_clock_ms() + ms;
    pthread_mutex_lock(&watcher->wake.mutex);
    watcher->wake.ended = true;
    tf_wake_tell(&watcher->wake);
    bool over = wait_for_end(watcher, AT_ONCE_MS), connected = watcher->connected;
    pthread_mutex_unlock(&watcher->wake.mutex);
    if (!over && connected)
        tf_kill_operations(watcher->client.client, watcher->comment);
    pthread_mutex_lock(&watcher->wake.mutex);
    int64_t left = until - tf_clock_ms();
    over = wait_for_end(watcher, left > 0 ? left : 0);
    pthread_mutex_unlock(&watcher->wake.mutex);
    if (over)
        dispose(watcher);
    return over;
}
