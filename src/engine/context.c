#include "engine/context.h"

#include "base/field.h"
#include "base/stop.h"
#include "db/failure.h"
#include "engine/turn.h"

#include <pthread.h>

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
    if (context->work && atomic_load(&context->work->halted))
        return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped, because another worker was");
    return tf_stop_level() == 0 || tf_error_set(err, TF_ERR_INTERRUPTED, "stopped on request");
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

/* ---- what the workers share ---- */

/* Totals are added and the observer is called by one worker at a time. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static void tell(const tf_context *whole)
{
    const tf_observer *observer = &whole->engine->observer;
    int64_t done = whole->totals.applied + whole->totals.already + whole->totals.conflicts;
    if (observer->progress)
        observer->progress(observer->arg, whole->run.down ? "restore" : "repair", done, whole->planned);
}

static int64_t done_so_far(const tf_context *whole)
{
    return whole->totals.applied + whole->totals.already + whole->totals.conflicts;
}

static int tenths_of(const tf_context *whole)
{
    int64_t done = done_so_far(whole);
    return whole->planned <= 0 || done <= 0 ? 0 : done >= whole->planned ? 10 : (int)((double)done * 10 / (double)whole->planned);
}

/* The watch writes it down: no worker waits for the audit trail. */
static void pass_milestone(tf_context *whole)
{
    int tenths = tenths_of(whole);
    if (!whole->watch || tenths <= whole->tenths)
        return;
    whole->tenths = tenths;
    tf_watch_milestone(whole->watch, &(tf_milestone){.percent = 10 * tenths,
                                                     .documents = done_so_far(whole),
                                                     .amount = whole->totals.amount,
                                                     .batches = whole->totals.batches});
}

void tf_context_count(tf_context *context, const tf_totals *more, int64_t candidates)
{
    tf_context *whole = context->whole ? context->whole : context;
    int64_t *sums = (int64_t *)&whole->totals;
    const int64_t *add = (const int64_t *)more;
    pthread_mutex_lock(&counting);
    for (size_t i = 0; i < sizeof *more / sizeof *add; i++)
        sums[i] += add[i];
    if (whole->canary_left > 0)
        whole->canary_left -= candidates < whole->canary_left ? candidates : whole->canary_left;
    context->canary_left = whole->canary_left;
    tell(whole);
    pass_milestone(whole);
    pthread_mutex_unlock(&counting);
}

void tf_context_tell_pause(tf_context *context, const char *reason, const char *text)
{
    const tf_observer *observer = &context->engine->observer;
    pthread_mutex_lock(&counting);
    if (observer->paused)
        observer->paused(observer->arg, reason, text);
    pthread_mutex_unlock(&counting);
}

const char *const tf_timing_names[TF_TIMINGS] = {"find", "backup", "update", "check", "commit", "wait"};

void tf_context_add_timings(tf_context *context, tf_timings *more)
{
    tf_context *whole = context->whole ? context->whole : context;
    int64_t *sums = (int64_t *)&whole->timings;
    const int64_t *add = (const int64_t *)more;
    pthread_mutex_lock(&counting);
    for (size_t i = 0; i < TF_TIMINGS; i++)
        sums[i] += add[i];
    pthread_mutex_unlock(&counting);
    *more = (tf_timings){0};
}

void tf_timings_append(const tf_timings *timings, bson_t *out)
{
    const int64_t *us = (const int64_t *)timings;
    bson_t list;
    BSON_APPEND_DOCUMENT_BEGIN(out, "timings", &list);
    for (size_t i = 0; i < TF_TIMINGS; i++)
        BSON_APPEND_INT64(&list, tf_timing_names[i], us[i] / 1000);
    bson_append_document_end(out, &list);
}

void tf_context_read_timings(tf_context *context)
{
    int64_t *us = (int64_t *)&context->timings;
    for (size_t i = 0; i < TF_TIMINGS; i++) {
        char path[32];
        snprintf(path, sizeof path, "timings.%s", tf_timing_names[i]);
        us[i] = tf_field_number(context->run.doc, path) * 1000;
    }
}

typedef struct share {
    tf_context *context;
    tf_partition *partitions;
    size_t count;
    bool backwards;
    tf_partition_work work;
} share;

typedef struct worker {
    tf_context context;
    const share *share;
} worker;

bool tf_context_session_start(tf_context *context, tf_error *err)
{
    bson_error_t error;
    mongoc_session_opt_t *opts = mongoc_session_opts_new();
    mongoc_session_opts_set_causal_consistency(opts, false);
    context->session = mongoc_client_start_session(context->store.client, opts, &error);
    mongoc_session_opts_destroy(opts);
    return context->session || tf_failure(err, &error, NULL, "start a session", NULL, NULL);
}

/* A copy of the run's context; what it points to is shared and only read. */
static bool begin(tf_work *work, mongoc_client_t *client, void **state, tf_error *err)
{
    const share *s = work->arg;
    worker *w = bson_malloc0(sizeof *w);
    w->share = s;
    w->context = *s->context;
    w->context.whole = s->context;
    w->context.work = work;
    w->context.store.client = client;
    w->context.database = NULL;
    if (client == s->context->store.client || !s->context->session || tf_context_session_start(&w->context, err)) {
        *state = w;
        return true;
    }
    free(w);
    return false;
}

static bool item(void *state, size_t i, tf_error *err)
{
    worker *w = state;
    tf_partition *partition = &w->share->partitions[w->share->backwards ? w->share->count - 1 - i : i];
    if (partition->finished)
        return true;
    return tf_context_register(&w->context, partition, err) && w->share->work(&w->context, partition, err);
}

/* An abort that found no server is not told: what it left would stand in everybody's way. */
static void end(void *state, const tf_error *error)
{
    worker *w = state;
    if (w->context.session && w->context.session != w->share->context->session) {
        if (error->code != TF_ERR_OK)
            tf_store_kill_session(&w->context.store, mongoc_client_session_get_lsid(w->context.session), NULL);
        mongoc_client_session_destroy(w->context.session);
    }
    free(w);
}

bool tf_context_share(tf_context *context, tf_partition *partitions, size_t count, bool backwards, tf_partition_work work,
                      tf_error *err)
{
    share s = {.context = context, .partitions = partitions, .count = count, .backwards = backwards, .work = work};
    tf_work shared = {.client = context->engine->client,
                      .workers = context->canary_left >= 0 ? 1 : context->workers, /* a canary counts to the document */
                      .items = count,
                      .arg = &s,
                      .begin = begin,
                      .item = item,
                      .end = end};
    tell(context);
    context->tenths = tenths_of(context);
    tf_pace_init(&context->pace, context->batch_size ? (size_t)context->batch_size : 1000, context->engine->settings.manners.batch_ms);
    if (tf_turns_end(context, tf_turns_begin(context, err) && tf_work_run(&shared, err), err))
        return true;
    if (err->code == TF_ERR_INTERRUPTED && tf_stop_level() == 1) {
        *err = (tf_error){0};
        tf_error_set(err, TF_ERR_INTERRUPTED, "stopped on request after %lld %ss; what is %s stays so",
                     (long long)context->totals.applied, context->lineage->repair->noun,
                     context->run.down ? "given back" : "repaired");
    }
    return false;
}

/* ---- partitions, totals ---- */

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
