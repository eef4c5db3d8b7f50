#include "engine/takeover.h"

#include "base/clock.h"
#include "base/stop.h"
#include "engine/note.h"
#include "store/partition.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static void say(const tf_engine *engine, const char *text)
{
    if (engine->observer.message)
        engine->observer.message(engine->observer.arg, text);
}

void tf_takeover_remember(const tf_run *run, tf_takeover_from *from)
{
    *from = (tf_takeover_from){.held = run->active, .pid = run->owner.pid, .fence = run->fence};
    snprintf(from->user, sizeof from->user, "%s", run->owner.user);
    snprintf(from->host, sizeof from->host, "%s", run->owner.host);
}

void tf_takeover_note(const tf_engine *engine, const tf_run *run, const tf_takeover_from *from)
{
    if (!from->held)
        return;
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("from", "{", "user", BCON_UTF8(from->user), "host", BCON_UTF8(from->host), "pid", BCON_INT64(from->pid), "fence",
                 BCON_INT64(from->fence), "}", "fence", BCON_INT64(run->fence));
    tf_note_try(&engine->store, TF_EVENT_TAKEN_OVER, run->id, data, NULL, TF_NOTE_PATIENCE_MS);
}

/* The run is not ours to go on with: its owner is shut out and it becomes interrupted. */
static bool fence_run(const tf_engine *engine, tf_run *run, tf_error *err)
{
    if (run->active) {
        tf_owner self;
        tf_takeover_from from;
        tf_owner_self(&self);
        tf_takeover_remember(run, &from);
        if (!tf_run_take_over(&engine->store, run, &self, err))
            return false;
        if (!tf_partition_fence(&engine->store, run->id, run->fence, err))
            return false;
        tf_takeover_note(engine, run, &from);
        return tf_run_transition(&engine->store, run, TF_STATE_INTERRUPTED, false, NULL, NULL, err);
    }
    return tf_partition_fence(&engine->store, run->id, run->fence, err);
}

bool tf_takeover_fence_unfinished(const tf_engine *engine, const char *except, tf_error *err)
{
    tf_run *runs = NULL;
    size_t count = 0;
    _cleanup_(bson_destroyp) bson_t *query =
        BCON_NEW("state", "{", "$in", "[", BCON_UTF8("planned"), BCON_UTF8("running"), BCON_UTF8("paused"), BCON_UTF8("verifying"),
                 BCON_UTF8("interrupted"), "]", "}");
    if (!tf_run_list(&engine->store, query, 0, &runs, &count, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        bool live = runs[i].active && !tf_run_is_abandoned(&runs[i]); /* one just resumed is `interrupted` still */
        if (!live && (!except || strcmp(runs[i].id, except) != 0))
            ok = fence_run(engine, &runs[i], err);
    }
    tf_runs_free(runs, count);
    return ok;
}

bool tf_takeover_wait(const tf_engine *engine, tf_run *run, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + TF_LEASE_MS + 10000, first_left = run->lease_left_ms;
    bool said = false;
    while (run->active && !tf_run_is_abandoned(run) && !engine->settings.take_over) {
        char text[400];
        snprintf(text, sizeof text, "run %s is held by %s@%s pid %" PRId64 "; waiting up to %" PRId64 " s for its lease to end", run->id,
                 run->owner.user, run->owner.host, run->owner.pid, (run->lease_left_ms + 999) / 1000);
        if (!said)
            say(engine, text);
        said = true;
        tf_clock_sleep_ms(1000);
        if (tf_stop_level() > 0)
            return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped while waiting for the lease");
        tf_run fresh = {0};
        int got = tf_run_load(&engine->store, run->id, &fresh, err);
        if (got != 1)
            return false;
        bool renewed = fresh.lease_left_ms > first_left;
        tf_run_done(run);
        *run = fresh;
        if (renewed || tf_clock_ms() > give_up) {
            tf_error_set(err, TF_ERR_LEASE_HELD, "run %s is being worked on by %s@%s pid %" PRId64, run->id, run->owner.user,
                         run->owner.host, run->owner.pid);
            if (run->state == TF_STATE_PAUSED)
                return tf_error_hint(err, "It is paused, %s: 'tokenfix continue %s' lets its owner go on; --take-over shuts it out.",
                                     run->pause_text, run->id);
            return tf_error_hint(err, "Its owner renews the lease; let it finish, or shut it out with --take-over.");
        }
        first_left = run->lease_left_ms;
    }
    return true;
}
