/* How a run begins and goes on; ending.c has how it ends. */
#include "engine/lifecycle.h"

#include "base/failpoint.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/backup.h"
#include "engine/note.h"
#include "engine/opening.h"
#include "engine/planning.h"
#include "engine/takeover.h"
#include "engine/watch.h"

#include <tokenfix/cleanup.h>

void tf_lifecycle_interrupt(tf_context *context, const tf_error *error)
{
    tf_error ignored = {0};
    tf_heartbeat_stopp(&context->heartbeat);
    if (context->session) /* an abort that found no server is not told: what it left would stand in everybody's way */
        tf_store_kill_session(&context->store, mongoc_client_session_get_lsid(context->session), NULL);
    if (error->code == TF_ERR_LEASE_LOST || !context->run.active)
        return;
    _cleanup_(bson_destroyp) bson_t *what = BCON_NEW("code", BCON_UTF8(tf_error_name(error->code)), "message", BCON_UTF8(error->message));
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("error", BCON_DOCUMENT(what));
    tf_timings_append(&context->timings, set);
    if (tf_run_transition(&context->store, &context->run, TF_STATE_INTERRUPTED, false, set, NULL, &ignored))
        tf_note_try(&context->store, TF_EVENT_INTERRUPTED, context->run.id, NULL, error, TF_NOTE_PATIENCE_MS);
}

static bool begin_failed(tf_context *context, const tf_error *error)
{
    if (context->run.doc)
        tf_lifecycle_interrupt(context, error);
    return false;
}

/* ---- up ---- */

bool tf_lifecycle_begin_up(const tf_engine *engine, int64_t last, int64_t documents, int64_t amount, tf_context *context,
                           tf_error *err)
{
    *context = (tf_context){.engine = engine, .store = engine->store, .planned = documents};
    tf_owner_self(&context->owner);
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(engine->migration->repair, err);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char id[TF_RUN_ID_SIZE];
    if (!repair || !tf_opening_new_run(engine, last + 1, engine->migration->id, "up", "transaction", &context->owner, &doc, id, err))
        return false;
    BSON_APPEND_UTF8(&doc, "migration_version", engine->migration->version);
    BSON_APPEND_DOCUMENT(&doc, "repair", repair->doc);
    _cleanup_(bson_destroyp) bson_t *found = BCON_NEW("documents", BCON_INT64(documents), "amount", BCON_INT64(amount));
    BSON_APPEND_DOCUMENT(&doc, "plan", found);
    if (!tf_store_prepare(&engine->store, err) || !tf_takeover_fence_unfinished(engine, NULL, err))
        return false;
    TF_FAILPOINT("begin.before_run");
    if (!tf_run_create(&engine->store, &doc, TF_STATE_PLANNED, &context->owner, NULL, err))
        return false;
    TF_FAILPOINT("begin.after_run");
    if (tf_opening_load(context, id, err) && tf_opening_context(context, err) && tf_note(context, TF_EVENT_UP_STARTED, true, found, NULL, err) && tf_planning_run(context, err))
        return true;
    return begin_failed(context, err);
}

/* ---- down ---- */

typedef struct handover {
    const tf_engine *engine;
    tf_run *target, before;
    const bson_t *doc;
    const tf_owner *owner;
    mongoc_client_session_t *session;
    const char *id;
} handover;

/* The target gives up being active and the down begins, in one transaction where there are any. */
static bool hand_over(void *arg, tf_error *err)
{
    handover *h = arg;
    *h->target = h->before; /* an attempt before this one may have come as far as its commit */
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("restored_by", BCON_UTF8(h->id));
    bool ok = tf_run_transition(&h->engine->store, h->target, TF_STATE_ROLLING_BACK, false, set, h->session, err);
    TF_FAILPOINT("begin.between_handover");
    return ok && tf_run_create(&h->engine->store, h->doc, TF_STATE_PLANNED, h->owner, h->session, err);
}

/* After a lost reply: the down exists when, and only when, the hand-over was committed. */
static tf_txn_verdict after_hand_over(void *arg, tf_error *error, int attempt)
{
    handover *h = arg;
    tf_run run = {0};
    tf_error one = {0};
    (void)attempt;
    int got = tf_run_load(&h->engine->store, h->id, &run, &one);
    tf_run_done(&run);
    if (got == 1) {
        h->target->stored = h->target->state = TF_STATE_ROLLING_BACK;
        h->target->active = false;
        return TF_TXN_DONE;
    }
    if (error->server_code == TF_CODE_DUPLICATE_KEY || error->code == TF_ERR_LEASE_LOST) {
        *error = (tf_error){0};
        tf_error_set(error, TF_ERR_LEASE_HELD, "another process began a run, or took run %s back, at the same time", h->before.id);
        tf_error_hint(error, "Only one run may write at a time; 'tokenfix status' shows how it goes on.");
    }
    return tf_failure_is_transient(error) ? TF_TXN_AGAIN : TF_TXN_STOP;
}

static bool in_transaction(const tf_engine *engine, handover *h, tf_error *err)
{
    if (!engine->client->facts.transactions)
        return hand_over(h, err);
    bson_error_t error;
    _cleanup_(mongoc_client_session_destroyp) mongoc_client_session_t *session =
        mongoc_client_start_session(engine->store.client, NULL, &error);
    if (!session)
        return tf_failure(err, &error, NULL, "start a session", NULL, NULL);
    h->session = session;
    tf_run_kill_session(&engine->store, h->target); /* of one that died between here and its commit */
    if (!tf_opening_note_session(engine, h->target, session, err))
        return false;
    tf_txn txn = {.session = session, .arg = h, .body = hand_over, .after = after_hand_over};
    return tf_txn_run(&txn, err);
}

bool tf_lifecycle_begin_down(const tf_engine *engine, int64_t last, tf_run *target, bool owned, tf_context *context, tf_error *err)
{
    *context = (tf_context){.engine = engine, .store = engine->store};
    tf_owner_self(&context->owner);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(tf_lineage_freep) tf_lineage *lineage = tf_lineage_load(&engine->store, target, err);
    char id[TF_RUN_ID_SIZE];
    const char *strategy = engine->settings.strategy ? engine->settings.strategy : target->strategy;
    if (!lineage || !tf_opening_strategy_fits(engine, strategy, err) || !tf_store_prepare(&engine->store, err))
        return false;
    if (!owned && !tf_takeover_fence_unfinished(engine, NULL, err))
        return false;
    if (!owned) { /* its fence may have been raised just now */
        tf_run fresh = {0};
        if (tf_run_load(&engine->store, target->id, &fresh, err) != 1)
            return false;
        tf_run_done(target);
        *target = fresh;
        if (target->active && target->state != TF_STATE_INTERRUPTED) {
            tf_error_set(err, TF_ERR_LEASE_HELD, "run %s has just been resumed by another process", target->id);
            return tf_error_hint(err, "Wait for it to end; 'tokenfix status' shows how far it is.");
        }
    }
    if (!owned && !tf_import_is_over(&engine->store, target, err))
        return false;
    if (!tf_opening_new_run(engine, last + 1, target->migration, "down", target->strategy, &context->owner, &doc, id, err))
        return false;
    BSON_APPEND_UTF8(&doc, "restores", target->id);
    bool under_way = target->stored == TF_STATE_RUNNING || target->stored == TF_STATE_PAUSED || target->stored == TF_STATE_VERIFYING;
    BSON_APPEND_UTF8(&doc, "target_state", tf_state_name(under_way ? TF_STATE_INTERRUPTED : target->stored));
    BSON_APPEND_DOCUMENT(&doc, "repair", lineage->repair->doc);
    TF_FAILPOINT("begin.before_run");
    handover h = {.engine = engine, .target = target, .before = *target, .doc = &doc, .owner = &context->owner, .id = id};
    if (!in_transaction(engine, &h, err)) {
        *target = h.before;
        return false;
    }
    TF_FAILPOINT("begin.after_run");
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("restores", BCON_UTF8(target->id));
    if (tf_opening_load(context, id, err) && tf_opening_context(context, err) && tf_note(context, TF_EVENT_DOWN_STARTED, true, data, NULL, err) && tf_planning_run(context, err))
        return true;
    return begin_failed(context, err);
}

/* ---- resume ---- */

bool tf_lifecycle_resume(const tf_engine *engine, tf_run *run, tf_context *context, tf_error *err)
{
    *context = (tf_context){.engine = engine, .store = engine->store};
    tf_owner_self(&context->owner);
    if (!tf_opening_strategy_fits(engine, run->strategy, err) || !tf_opening_writable(engine, err) || !tf_watch_check(engine, err) ||
        !tf_store_prepare(&engine->store, err) || !tf_takeover_wait(engine, run, err) ||
        !tf_import_is_over(&engine->store, run, err))
        return false;
    if (!tf_takeover_fence_unfinished(engine, run->id, err))
        return false;
    TF_FAILPOINT("resume.before_take_over");
    tf_takeover_from from;
    tf_takeover_remember(run, &from);
    if (!tf_run_take_over(&engine->store, run, &context->owner, err))
        return false;
    TF_FAILPOINT("resume.after_take_over");
    if (!tf_partition_fence(&engine->store, run->id, run->fence, err))
        return false;
    TF_FAILPOINT("resume.after_fence");
    tf_takeover_note(engine, run, &from);
    if (!tf_opening_load(context, run->id, err) || !tf_import_is_over(&engine->store, &context->run, err)) /* one may have begun */
        return begin_failed(context, err);
    tf_context_read_timings(context); /* before anything may fail: the interruption stores them again */
    if (!tf_opening_context(context, err))
        return begin_failed(context, err);
    bson_iter_t iter, at;
    if (bson_iter_init(&iter, context->run.doc) && bson_iter_find_descendant(&iter, "plan.documents", &at))
        context->planned = bson_iter_as_int64(&at);
    if (!tf_context_read_totals(context, err) || !tf_note(context, TF_EVENT_RESUMED, true, NULL, NULL, err))
        return begin_failed(context, err);
    if (!bson_has_field(context->run.doc, "planned")) /* its planning was interrupted: do it again */
        return tf_planning_run(context, err) || begin_failed(context, err);
    _cleanup_bson_ bson_t place = BSON_INITIALIZER;
    tf_note_place(context, &place);
    if (context->run.stored != TF_STATE_VERIFYING && context->run.stored != TF_STATE_RUNNING &&
        !tf_run_transition(&context->store, &context->run, TF_STATE_RUNNING, true, &place, NULL, err))
        return begin_failed(context, err);
    return true;
}
