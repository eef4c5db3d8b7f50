/* The status: where the migration stands, how healthy the data is, and what to do next. Looks, writes nothing. */
#include "db/collection.h"
#include "db/failure.h"
#include "engine/engine.h"
#include "engine/resolve.h"
#include "engine/throttle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

enum { RUNS = 10 };

void tf_status_done(tf_status *status)
{
    tf_runs_free(status->runs, status->runs_count);
    *status = (tf_status){0};
}

__attribute__((format(printf, 4, 5))) static void recommend(tf_status *status, const char *type, const char *priority,
                                                            const char *format, ...)
{
    va_list args;
    if (status->recommendations_count == sizeof status->recommendations / sizeof *status->recommendations)
        return;
    tf_recommendation *r = &status->recommendations[status->recommendations_count++];
    snprintf(r->type, sizeof r->type, "%s", type);
    snprintf(r->priority, sizeof r->priority, "%s", priority);
    va_start(args, format);
    vsnprintf(r->message, sizeof r->message, format, args);
    va_end(args);
}

static bool count(const tf_engine *engine, const tf_repair *repair, const bson_t *filter, int64_t *out, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "count documents");
    op.db = engine->store.repaired;
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", BCON_DOCUMENT(filter), "}", "1", "{", "$count", BCON_UTF8("n"), "}");
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter;
    int got = tf_cursor_one(tf_op_aggregate(&op, repair->collection, pipeline, NULL), &op, &reply, err);
    *out = got == 1 && bson_iter_init_find(&iter, &reply, "n") ? bson_iter_as_int64(&iter) : 0;
    return got >= 0;
}

static bool count_all(const tf_engine *engine, const tf_repair *repair, int64_t *out, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "count documents");
    op.db = engine->store.repaired;
    return tf_collection_count(&op, repair->collection, out, err);
}

static const tf_run *newest_up(const tf_status *status)
{
    for (size_t i = 0; i < status->runs_count; i++)
        if (!status->runs[i].down)
            return &status->runs[i];
    return NULL;
}

static bool proof_is_ok(const tf_run *run)
{
    bson_iter_t iter, at;
    return !bson_iter_init(&iter, run->doc) || !bson_iter_find_descendant(&iter, "proof.ok", &at) || bson_iter_as_bool(&at);
}

static void advise_by_run(tf_status *status, const tf_run *up)
{
    if (up->state == TF_STATE_INTERRUPTED)
        recommend(status, "resume", "high", "Run %s was interrupted: tokenfix up --resume=%s --confirm", up->id, up->id);
    for (size_t i = 0; up->state == TF_STATE_ROLLING_BACK && i < status->runs_count; i++) {
        const tf_run *down = &status->runs[i];
        if (!down->down || strcmp(down->restores, up->id) != 0)
            continue;
        if (down->state == TF_STATE_INTERRUPTED)
            recommend(status, "resume", "high", "The rollback of %s was interrupted: tokenfix down --resume=%s --confirm", up->id, down->id);
        if (down->state == TF_STATE_CANCELLED && strcmp(down->id, up->restored_by) == 0)
            recommend(status, "resume", "high", "The rollback of %s was cancelled half way: tokenfix down %s --confirm", up->id, up->id);
    }
    if (up->state == TF_STATE_CANCELLED)
        recommend(status, "cancelled", "medium", "Run %s was cancelled: up repairs the rest, tokenfix down %s --confirm takes it back",
                  up->id, up->id);
    if (up->state == TF_STATE_ROLLED_BACK_WITH_CONFLICTS)
        recommend(status, "conflicts", "medium", "The rollback of %s left conflicts: tokenfix history %s", up->id, up->restored_by);
    if (up->state == TF_STATE_COMPLETED && !proof_is_ok(up))
        recommend(status, "verify", "high", "The proof of %s had findings: tokenfix verify %s", up->id, up->id);
}

static void advise_paused(tf_status *status)
{
    for (size_t i = 0; i < status->runs_count; i++) {
        const tf_run *run = &status->runs[i];
        if (run->state != TF_STATE_PAUSED)
            continue;
        if (strcmp(run->pause_reason, tf_pause_name(TF_PAUSE_REQUEST)) == 0)
            recommend(status, "continue", "medium", "Run %s is paused, %s: tokenfix continue %s", run->id, run->pause_text, run->id);
        else
            recommend(status, "continue", "low", "Run %s is paused and goes on by itself: %s", run->id, run->pause_text);
    }
}

static void advise(tf_status *status, const tf_repair *repair)
{
    const tf_run *up = newest_up(status);
    if (up)
        advise_by_run(status, up);
    advise_paused(status);
    if (status->documents == 0) /* a wrong --db must not read like good health */
        recommend(status, "database", "high", "collection %s holds no document at all, or is not there: is --db right?",
                  repair->collection);
    if (!status->needed)
        return;
    if (status->completed)
        recommend(status, "again", "medium", "%" PRId64 " %ss match since the completed run: tokenfix up --again --confirm", status->matching,
                  repair->noun);
    else if (!up || (up->state != TF_STATE_INTERRUPTED && up->state != TF_STATE_ROLLING_BACK && !up->active))
        recommend(status, "up", status->matching > 10 ? "high" : "medium", "%" PRId64 " %ss need the repair: look with tokenfix preview, then "
                  "tokenfix up --confirm", status->matching, repair->noun);
}

/* The runs may be out of sight for this user: a warning, never a refusal. */
static bool read_runs(const tf_engine *engine, tf_status *status, tf_error *err)
{
    tf_error one = {0};
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("migration", BCON_UTF8(engine->migration->id));
    status->runs_visible = tf_run_list(&engine->store, query, RUNS, &status->runs, &status->runs_count, &one);
    if (status->runs_visible || one.code == TF_ERR_PERMISSION)
        return true;
    *err = one;
    return false;
}

bool tf_status_read(const tf_engine *engine, tf_status *out, tf_error *err)
{
    tf_status status = {0};
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(engine->migration->repair, err);
    bool ok = repair && tf_client_now(engine->store.client, &status.time, err) && read_runs(engine, &status, err) &&
              count(engine, repair, &repair->filter, &status.matching, err) &&
              count(engine, repair, &repair->population, &status.population, err) &&
              count_all(engine, repair, &status.documents, err);
    if (!ok) {
        tf_status_done(&status);
        return false;
    }
    const tf_run *up = newest_up(&status);
    status.completed = up && up->state == TF_STATE_COMPLETED;
    status.needed = status.matching > 0;
    status.health = status.population ? 1.0 - (double)status.matching / (double)status.population : 1.0;
    snprintf(status.state, sizeof status.state, "%s", up ? tf_state_name(up->state) : status.needed ? "pending" : "not_needed");
    advise(&status, repair);
    *out = status;
    return true;
}
