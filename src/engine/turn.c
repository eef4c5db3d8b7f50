#include "engine/turn.h"

#include "engine/watch.h"

static void tell(void *arg, tf_pause reason, const char *text)
{
    tf_context_tell_pause(arg, tf_pause_name(reason), text);
}

bool tf_turns_begin(tf_context *context, tf_error *err)
{
    context->watch = tf_watch_start(context->engine, &context->run, tell, context, err);
    return context->watch != NULL;
}

static bool gives_up(void *arg)
{
    tf_error ignored = {0};
    return !tf_context_may_go_on(arg, &ignored);
}

static bool refuse(tf_context *context, const tf_verdict *why, tf_error *err)
{
    switch (why->kind) {
    case TF_CANCEL:
        return tf_error_set(err, TF_ERR_CANCELLED, "run %s was %s", context->run.id, why->text);
    case TF_CRITICAL:
        return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped by --critical-load: %s", why->text);
    case TF_SHUT_OUT:
        tf_error_set(err, TF_ERR_LEASE_LOST, "run %s was taken over by another process", context->run.id);
        return tf_error_hint(err, "'tokenfix status' shows who holds it; nothing of this process is written any more.");
    default:
        return tf_context_may_go_on(context, err);
    }
}

bool tf_turn_take(tf_context *context, tf_error *err)
{
    tf_verdict why;
    if (!context->watch || tf_throttle_enter(tf_watch_throttle(context->watch), gives_up, context, &why))
        return true;
    return refuse(context, &why, err);
}

void tf_turn_give(tf_context *context, int64_t ms, int attempts, int conflicts)
{
    if (context->watch)
        tf_throttle_leave(tf_watch_throttle(context->watch), ms, attempts, conflicts);
}

/* Of several workers one may have met no more than that another one was stopped. */
static void name_critical(tf_context *context, tf_error *err)
{
    tf_verdict why;
    tf_throttle_look(tf_watch_throttle(context->watch), &why);
    if (err->code != TF_ERR_INTERRUPTED || why.kind != TF_CRITICAL)
        return;
    *err = (tf_error){0};
    refuse(context, &why, err);
}

bool tf_turns_end(tf_context *context, bool ok, tf_error *err)
{
    if (ok && (ok = tf_turn_take(context, err)))
        tf_turn_give(context, 0, 0, 0);
    if (!ok && context->watch)
        name_critical(context, err);
    for (int i = 0; context->watch && i < TF_PAUSES; i++)
        context->held_ms[i] += tf_throttle_held_ms(tf_watch_throttle(context->watch), (tf_pause)i);
    tf_watch_stop(context->watch, &context->run);
    context->watch = NULL;
    return ok;
}
