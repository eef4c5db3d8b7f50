/* `pause`, `continue`, `cancel`: what one process asks of another that has the run. */
#include "base/clock.h"
#include "base/stop.h"
#include "engine/engine.h"
#include "engine/note.h"
#include "engine/resolve.h"
#include "engine/throttle.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

enum { POLL_MS = 100 };

static bool is_requested(const tf_run *run)
{
    return run->state == TF_STATE_PAUSED && strcmp(run->pause_reason, tf_pause_name(TF_PAUSE_REQUEST)) == 0;
}

static bool find(const tf_engine *engine, tf_run *run, tf_error *err)
{
    if (engine->settings.run)
        return tf_resolve_run(engine, engine->settings.run, run, err);
    int got = tf_resolve_live(engine, run, err);
    if (got == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "no run is under way");
        tf_error_hint(err, "'tokenfix history' lists the runs.");
    }
    return got == 1;
}

/* ---- what cannot be asked for ---- */

static bool nobody(const tf_run *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s has no living owner: nothing of it is going on", run->id);
    return tf_error_hint(err, "Go on with it: tokenfix %s --resume=%s --confirm%s", run->down ? "down" : "up", run->id,
                         run->down ? "" : "; or take back what it did: tokenfix down RUN --confirm");
}

static bool at_its_end(const tf_run *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is %s", run->id, tf_state_name(run->state));
    if (run->state == TF_STATE_ROLLING_BACK)
        return tf_error_hint(err, "It is being taken back by run %s: name that one.", run->restored_by);
    if (run->state == TF_STATE_VERIFYING)
        return tf_error_hint(err, "All its batches are done, and it writes no more documents; its end is near.");
    return tf_error_hint(err, "Only a run that is under way can be paused, continued or cancelled.");
}

static bool is_under_way(const tf_run *run)
{
    return run->state == TF_STATE_PLANNED || run->state == TF_STATE_RUNNING || run->state == TF_STATE_PAUSED;
}

/* Whether there is anybody to ask, and anything to ask for. */
static bool check(const tf_engine *engine, const tf_run *run, tf_request request, tf_error *err)
{
    tf_control now = {0};
    if (run->state == TF_STATE_INTERRUPTED)
        return nobody(run, err);
    if (!is_under_way(run))
        return at_its_end(run, err);
    if (request != TF_REQUEST_CONTINUE || is_requested(run))
        return true;
    if (tf_control_read(&engine->store, run->id, &now, err) < 0)
        return false;
    if (now.request == TF_REQUEST_PAUSE) /* asked for, not done yet: that is withdrawn */
        return true;
    if (run->state == TF_STATE_PAUSED) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is paused: %s", run->id, run->pause_text);
        return tf_error_hint(err, "Nobody asked for that pause; the run goes on by itself when its reason is gone.");
    }
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is not paused", run->id);
    return tf_error_hint(err, "'tokenfix status' shows how it goes on.");
}

/* ---- waiting ---- */

static bool is_done(const tf_run *run, tf_request request)
{
    switch (request) {
    case TF_REQUEST_PAUSE:
        return is_requested(run);
    case TF_REQUEST_CANCEL:
        return run->state == TF_STATE_CANCELLED;
    default:
        return run->state != TF_STATE_INTERRUPTED && !is_requested(run);
    }
}

static bool too_late(const tf_run *run, tf_error *err)
{
    if (run->state == TF_STATE_INTERRUPTED)
        return nobody(run, err);
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is %s: its last batch was done before it saw the request", run->id,
                 tf_state_name(run->state));
    return tf_error_hint(err, "'tokenfix down %s --confirm' takes it back.", run->id);
}

static bool no_answer(const tf_run *run, tf_request request, int64_t wait_ms, tf_error *err)
{
    tf_error_set(err, TF_ERR_NO_ANSWER, "run %s was asked to %s and has not done so within %" PRId64 " s", run->id,
                 tf_request_name(request), (wait_ms + 999) / 1000);
    return tf_error_hint(err, "The request stands. A run acts on it between two batches, one that is still planned before its "
                              "first; 'tokenfix status' shows its state.");
}

static bool wait(const tf_engine *engine, tf_run *run, tf_request request, int64_t wait_ms, tf_error *err)
{
    int64_t until = tf_clock_ms() + wait_ms;
    for (;;) {
        tf_run fresh = {0};
        int got = tf_run_load(&engine->store, run->id, &fresh, err);
        if (got != 1)
            return got == 0 && tf_error_set(err, TF_ERR_DAMAGED, "run %s vanished from the state database", run->id);
        tf_run_done(run);
        *run = fresh;
        if (is_done(run, request))
            return true;
        if (!is_under_way(run))
            return too_late(run, err);
        if (tf_clock_ms() >= until || tf_stop_level() > 0)
            return no_answer(run, request, wait_ms, err);
        tf_clock_sleep_ms(POLL_MS);
    }
}

static void note(const tf_engine *engine, const tf_run *run, tf_request request)
{
    tf_event_type type = request == TF_REQUEST_PAUSE      ? TF_EVENT_PAUSE_REQUESTED
                         : request == TF_REQUEST_CONTINUE ? TF_EVENT_CONTINUE_REQUESTED
                                                          : TF_EVENT_CANCEL_REQUESTED;
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("fence", BCON_INT64(run->fence));
    tf_note_try(&engine->store, type, run->id, data, NULL, TF_NOTE_PATIENCE_MS);
}

static bool ask(const tf_engine *engine, const tf_run *run, tf_request request, tf_error *err)
{
    if (!tf_control_ask(&engine->store, run, request, err))
        return false;
    note(engine, run, request);
    return true;
}

bool tf_control_run(const tf_engine *engine, tf_request request, int64_t wait_ms, tf_run *out, tf_error *err)
{
    tf_run run = {0};
    bool ok = find(engine, &run, err) && check(engine, &run, request, err) &&
              ask(engine, &run, request, err) && wait(engine, &run, request, wait_ms, err);
    if (ok)
        *out = run;
    else
        tf_run_done(&run);
    return ok;
}
