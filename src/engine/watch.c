#include "engine/watch.h"

#include "base/clock.h"
#include "base/wake.h"
#include "db/lag.h"
#include "engine/note.h"
#include "store/control.h"

#include <pthread.h>
#include <signal.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { LOOK_MS = 250, SAMPLE_MS = 1000, SHORT_MS = 1000, PATIENCE_MS = 2000 };

struct tf_watch {
    const tf_engine *engine;
    tf_throttle *throttle;
    tf_run run; /* id, fence and the state as stored */
    tf_store store;
    tf_lag lag;
    tf_sight sight;
    int64_t next_sample;
    tf_pause reason; /* of the pause that goes on, as told to the observer */
    int64_t since;
    tf_watch_tell tell;
    void *arg;
    pthread_t thread;
    tf_wake wake;
    pthread_mutex_t milestone_mutex;
    tf_milestone milestone; /* still to be written */
};

/* ---- looking ---- */

/* What cannot be read keeps the value it had: a pause outlives the connection. */
static void look_for_requests(tf_watch *watch)
{
    tf_control control;
    tf_error ignored = {0};
    tf_sight *sight = &watch->sight;
    int got = tf_control_read(&watch->store, watch->run.id, &control, &ignored);
    if (got < 0)
        return;
    sight->shut_out = got == 0 || control.fence != watch->run.fence;
    sight->pause_wanted = control.request == TF_REQUEST_PAUSE;
    sight->cancel_wanted = control.request == TF_REQUEST_CANCEL;
    snprintf(sight->by, sizeof sight->by, "%s", control.by);
    if (!sight->shut_out && control.active) /* an answer of ours may have been lost */
        watch->run.stored = watch->run.state = control.stored;
}

static void look_for_file(tf_watch *watch)
{
    const char *file = watch->engine->settings.manners.pause_file;
    bool there = file && access(file, F_OK) == 0;
    snprintf(watch->sight.pause_file, sizeof watch->sight.pause_file, "%s", there ? file : "");
}

static void describe(const tf_load_limit *limits, size_t count, const bson_t *status, char *into, size_t size)
{
    double value = 0;
    const tf_load_limit *reached = tf_load_reached(limits, count, status, &value);
    if (reached)
        snprintf(into, size, "%s is %g, the limit is %g", reached->path, value, reached->limit);
    else
        into[0] = '\0';
}

static void look_at_load(tf_watch *watch, mongoc_client_t *client)
{
    const tf_manners *manners = &watch->engine->settings.manners;
    tf_sight *sight = &watch->sight;
    tf_error ignored = {0};
    _cleanup_bson_ bson_t status = BSON_INITIALIZER;
    if (manners->max_loads + manners->critical_loads == 0 || !tf_load_read(client, &status, &ignored))
        return;
    describe(manners->max_load, manners->max_loads, &status, sight->load, sizeof sight->load);
    describe(manners->critical_load, manners->critical_loads, &status, sight->critical, sizeof sight->critical);
}

static void look_at_lag(tf_watch *watch, mongoc_client_t *client)
{
    tf_error ignored = {0};
    if (watch->engine->settings.manners.max_lag_ms <= 0 || !tf_lag_read(client, &watch->lag, &ignored))
        return;
    watch->sight.majority_lag_ms = watch->lag.majority_ms;
    watch->sight.member_lag_ms = watch->lag.member_ms;
    snprintf(watch->sight.slowest, sizeof watch->sight.slowest, "%s", watch->lag.slowest);
}

static void look(tf_watch *watch, mongoc_client_t *client)
{
    look_for_requests(watch);
    look_for_file(watch);
    if (tf_clock_ms() >= watch->next_sample) {
        look_at_load(watch, client);
        look_at_lag(watch, client);
        watch->next_sample = tf_clock_ms() + SAMPLE_MS;
    }
    tf_throttle_see(watch->throttle, &watch->sight);
}

/* ---- telling ---- */

static void report(tf_watch *watch, const tf_verdict *verdict)
{
    tf_pause reason = verdict->kind == TF_WAIT ? verdict->reason : TF_PAUSE_NONE;
    if (reason != watch->reason)
        watch->since = tf_clock_ms();
    if (reason || watch->reason)
        watch->tell(watch->arg, reason, reason ? verdict->text : NULL);
    watch->reason = reason;
}

static void note(tf_watch *watch, tf_event_type type, const bson_t *data)
{
    tf_note_try(&watch->store, type, watch->run.id, data, NULL, TF_NOTE_PATIENCE_MS);
}

void tf_watch_milestone(tf_watch *watch, const tf_milestone *milestone)
{
    pthread_mutex_lock(&watch->milestone_mutex);
    watch->milestone = *milestone;
    pthread_mutex_unlock(&watch->milestone_mutex);
}

static void note_milestone(tf_watch *watch)
{
    pthread_mutex_lock(&watch->milestone_mutex);
    tf_milestone passed = watch->milestone;
    watch->milestone = (tf_milestone){0};
    pthread_mutex_unlock(&watch->milestone_mutex);
    if (passed.percent == 0 || watch->sight.shut_out)
        return;
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("percent", BCON_INT32(passed.percent), "documents", BCON_INT64(passed.documents), "amount", BCON_INT64(passed.amount),
                 "batches", BCON_INT64(passed.batches));
    note(watch, TF_EVENT_PROGRESS, data);
}

/* Short pauses come and go without a word in the state database, but for those that somebody asked for. */
static void store_state(tf_watch *watch, const tf_verdict *verdict, bool still)
{
    tf_error ignored = {0};
    bool asked = verdict->reason == TF_PAUSE_REQUEST, paused = watch->run.stored == TF_STATE_PAUSED;
    const char *name = tf_pause_name(verdict->reason);
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("pause.reason", BCON_UTF8(name), "pause.text", BCON_UTF8(verdict->text));
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("reason", BCON_UTF8(name), "text", BCON_UTF8(verdict->text));
    if (verdict->kind == TF_GO && paused) {
        if (tf_run_transition(&watch->store, &watch->run, TF_STATE_RUNNING, true, NULL, NULL, &ignored))
            note(watch, TF_EVENT_CONTINUED, NULL);
    } else if (verdict->kind != TF_WAIT)
        return;
    else if (paused && strcmp(watch->run.pause_reason, name) != 0) {
        if (tf_run_set(&watch->store, &watch->run, set, &ignored))
            snprintf(watch->run.pause_reason, sizeof watch->run.pause_reason, "%s", name);
    } else if (!paused && still && (asked || tf_clock_ms() - watch->since >= SHORT_MS) &&
               tf_run_transition(&watch->store, &watch->run, TF_STATE_PAUSED, true, set, NULL, &ignored)) {
        snprintf(watch->run.pause_reason, sizeof watch->run.pause_reason, "%s", name);
        note(watch, TF_EVENT_PAUSED, data);
    }
}

static void turn(tf_watch *watch, mongoc_client_t *client)
{
    tf_verdict verdict;
    look(watch, client);
    bool still = tf_throttle_look(watch->throttle, &verdict);
    report(watch, &verdict);
    if (watch->run.stored == TF_STATE_RUNNING || watch->run.stored == TF_STATE_PAUSED)
        store_state(watch, &verdict, still);
    note_milestone(watch);
}

/* ---- the thread ---- */

static void *keep_watch(void *arg)
{
    tf_watch *watch = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* signals belong to the main thread */
    mongoc_client_t *client = NULL;
    while (tf_wake_rest(&watch->wake, LOOK_MS)) {
        if (!client) /* a run that is over by now never needs it */
            client = tf_client_impatient(watch->engine->store.client, "tokenfix-watch", PATIENCE_MS);
        watch->store.client = client;
        if (client)
            turn(watch, client);
    }
    if (client) {
        tf_op_release(client);
        mongoc_client_destroy(client);
    }
    return NULL;
}

bool tf_watch_check(const tf_engine *engine, tf_error *err)
{
    const tf_manners *manners = &engine->settings.manners;
    _cleanup_bson_ bson_t status = BSON_INITIALIZER;
    if (manners->max_loads + manners->critical_loads == 0)
        return true;
    return tf_load_read(engine->store.client, &status, err) &&
           tf_load_check(manners->max_load, manners->max_loads, &status, err) &&
           tf_load_check(manners->critical_load, manners->critical_loads, &status, err);
}

tf_watch *tf_watch_start(const tf_engine *engine, const tf_run *run, tf_watch_tell tell, void *arg, tf_error *err)
{
    const tf_manners *manners = &engine->settings.manners;
    tf_watch *watch = bson_malloc0(sizeof *watch);
    watch->engine = engine;
    watch->throttle = tf_throttle_new(manners->max_lag_ms, manners->nice);
    watch->run = (tf_run){.fence = run->fence, .stored = run->stored, .state = run->state, .active = run->active};
    snprintf(watch->run.id, sizeof watch->run.id, "%s", run->id);
    watch->store = engine->store;
    watch->since = tf_clock_ms();
    watch->tell = tell;
    watch->arg = arg;
    tf_wake_init(&watch->wake);
    pthread_mutex_init(&watch->milestone_mutex, NULL);
    turn(watch, engine->store.client);
    int failed = pthread_create(&watch->thread, NULL, keep_watch, watch);
    if (failed) {
        tf_error_errno(err, failed, "cannot start a thread");
        tf_wake_done(&watch->wake);
        pthread_mutex_destroy(&watch->milestone_mutex);
        tf_throttle_free(watch->throttle);
        free(watch);
        return NULL;
    }
    return watch;
}

void tf_watch_stop(tf_watch *watch, tf_run *run)
{
    if (!watch)
        return;
    tf_wake_end(&watch->wake);
    pthread_join(watch->thread, NULL);
    watch->store.client = watch->engine->store.client;
    note_milestone(watch);
    tf_wake_done(&watch->wake);
    pthread_mutex_destroy(&watch->milestone_mutex);
    tf_throttle_free(watch->throttle);
    tf_lag_done(&watch->lag);
    run->stored = run->state = watch->run.stored;
    free(watch);
}

tf_throttle *tf_watch_throttle(tf_watch *watch)
{
    return watch->throttle;
}
