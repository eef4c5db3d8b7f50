#include "engine/context.h"

#include "base/stop.h"

#include <tokenfix/cleanup.h>

mongoc_client_session_t *tf_context_session(tf_context *context)
{
    return context->session;
}

mongoc_database_t *tf_context_database(tf_context *context)
{
    return context->database;
}

const char *tf_context_database_name(const tf_context *context)
{
    return context->store.repaired;
}

const tf_repair *tf_context_repair(const tf_context *context)
{
    return context->lineage->repair;
}

void tf_context_done(tf_context *context)
{
    tf_heartbeat_stopp(&context->heartbeat);
    if (context->session)
        mongoc_client_session_destroy(context->session);
    if (context->database)
        mongoc_database_destroy(context->database);
    tf_lineage_free(context->lineage);
    tf_run_done(&context->run);
    *context = (tf_context){0};
}

bool tf_context_may_go_on(tf_context *context, tf_error *err)
{
    if (!tf_heartbeat_ok(context->heartbeat, err))
        return false;
    if (tf_stop_level() == 0)
        return true;
    return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped on request after %lld %ss; what is %s stays so",
                        (long long)context->totals.applied, context->lineage->repair->noun,
                        context->run.down ? "given back" : "repaired");
}

void tf_context_hint_resume(const tf_context *context, tf_error *err)
{
    char before[sizeof err->hint];
    if (strstr(err->hint, "--resume"))
        return;
    snprintf(before, sizeof before, "%s", err->hint);
    err->hint[0] = '\0';
    tf_error_hint(err, "%s%sGo on with it: tokenfix %s --resume=%s --confirm", before, before[0] ? " " : "",
                  context->run.down ? "down" : "up", context->run.id);
}

void tf_context_progress(const tf_context *context, const char *phase)
{
    const tf_observer *observer = &context->engine->observer;
    int64_t done = context->totals.applied + context->totals.already + context->totals.conflicts;
    if (observer->progress)
        observer->progress(observer->arg, phase, done, context->planned);
}

bool tf_context_register(tf_context *context, const tf_partition *partition, tf_error *err)
{
    if (!context->session)
        return true;
    return tf_partition_register(&context->store, partition, context->session, context->uid, context->owner.id, err);
}

bool tf_context_read_totals(tf_context *context, tf_error *err)
{
    static const struct {
        const char *name;
        size_t offset;
    } sums[] = {
        {"applied", offsetof(tf_context, totals.applied)},     {"refused", offsetof(tf_context, totals.refused)},
        {"gone", offsetof(tf_context, totals.gone)},           {"overtaken", offsetof(tf_context, totals.overtaken)},
        {"already", offsetof(tf_context, totals.already)},     {"conflicts", offsetof(tf_context, totals.conflicts)},
        {"deleted", offsetof(tf_context, totals.deleted)},     {"recreated", offsetof(tf_context, totals.recreated)},
    };
    tf_op op = tf_store_op(&context->store, NULL, "add up the batches");
    _cleanup_bson_ bson_t group = BSON_INITIALIZER, reply = BSON_INITIALIZER;
    BSON_APPEND_NULL(&group, "_id");
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        char path[64];
        snprintf(path, sizeof path, "$counts.%s", sums[i].name);
        BCON_APPEND(&group, sums[i].name, "{", "$sum", BCON_UTF8(path), "}");
    }
    BCON_APPEND(&group, "amount", "{", "$sum", BCON_UTF8("$amount"), "}", "batches", "{", "$sum", BCON_INT32(1), "}");
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(context->run.id), "}", "}", "1",
                                                         "{", "$group", BCON_DOCUMENT(&group), "}");
    int got = tf_cursor_one(tf_op_aggregate(&op, tf_store_name(&context->store, TF_BATCHES).text, pipeline, NULL), &op, &reply,
                            err);
    if (got < 0)
        return false;
    bson_iter_t iter;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *(int64_t *)((char *)context + sums[i].offset) =
            bson_iter_init_find(&iter, &reply, sums[i].name) ? bson_iter_as_int64(&iter) : 0;
    context->totals.amount = bson_iter_init_find(&iter, &reply, "amount") ? bson_iter_as_int64(&iter) : 0;
    context->totals.batches = bson_iter_init_find(&iter, &reply, "batches") ? bson_iter_as_int64(&iter) : 0;
    return true;
}
