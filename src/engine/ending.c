/* How a run ends: verifying, the seal, completed. */
#include "backup/snapshot.h"
#include "base/failpoint.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/lifecycle.h"
#include "engine/note.h"
#include "engine/opening.h"
#include "store/batch.h"

#include <tokenfix/cleanup.h>

bool tf_lifecycle_verifying(tf_context *context, tf_error *err)
{
    if (context->run.stored == TF_STATE_VERIFYING)
        return true;
    TF_FAILPOINT("finish.before_verifying");
    return tf_run_transition(&context->store, &context->run, TF_STATE_VERIFYING, true, NULL, NULL, err);
}

static void append_totals(const tf_context *context, bson_t *out)
{
    BCON_APPEND(out, "counts", "{", "applied", BCON_INT64(context->totals.applied), "refused", BCON_INT64(context->totals.refused),
                "gone", BCON_INT64(context->totals.gone), "overtaken", BCON_INT64(context->totals.overtaken), "already",
                BCON_INT64(context->totals.already), "conflicts", BCON_INT64(context->totals.conflicts), "deleted",
                BCON_INT64(context->totals.deleted), "recreated", BCON_INT64(context->totals.recreated), "batches",
                BCON_INT64(context->totals.batches), "amount", BCON_INT64(context->totals.amount), "}");
}

/* Every partition's last batch hash, and the backup's count: what the chain of batches hangs on. */
static bool append_seal(tf_context *context, bson_t *data, tf_error *err)
{
    tf_partition *partitions = NULL;
    size_t count = 0;
    bson_t array;
    uint32_t n = 0;
    bool ok = tf_partition_list(&context->store, context->run.id, &partitions, &count, err);
    BSON_APPEND_ARRAY_BEGIN(data, "partitions", &array);
    for (size_t i = 0; ok && i < count; i++) {
        tf_batch_record record = {0};
        _cleanup_bson_ bson_t item = BSON_INITIALIZER;
        BSON_APPEND_INT32(&item, "n", partitions[i].n);
        BSON_APPEND_INT64(&item, "seq", partitions[i].seq);
        int got = partitions[i].seq
                      ? tf_batch_record_read(&context->store, context->run.id, partitions[i].n, partitions[i].seq, &record, err)
                      : 0;
        if (got == 1)
            BSON_APPEND_BINARY(&item, "hash", BSON_SUBTYPE_BINARY, record.own, sizeof record.own);
        ok = got >= 0;
        tf_batch_record_done(&record);
        tf_array_append_document(&array, &n, &item);
    }
    bson_append_array_end(data, &array);
    tf_partitions_free(partitions, count);
    int64_t backup = 0;
    ok = ok && tf_snapshot_count(&context->store, context->run.id, &backup, err);
    BSON_APPEND_INT64(data, "backup", backup);
    return ok;
}

typedef struct ending {
    tf_context *context;
    tf_run before;
    const bson_t *set;
    mongoc_client_session_t *session;
} ending;

/* What a run is again when the rollback that had taken it back is undone. */
static tf_state standing(const char *before)
{
    tf_state state = tf_state_of(before);
    return state == TF_STATE_COMPLETED || state == TF_STATE_CANCELLED ? state : TF_STATE_INTERRUPTED;
}

/* A down that is completed settles its target; and where the target is a down itself, the run that one had taken back
 * stands again as it stood before. */
static bool settle_target(ending *e, tf_error *err)
{
    tf_context *context = e->context;
    tf_run target = {0}, origin = {0};
    char before[32] = "";
    bson_iter_t iter;
    int got = tf_run_load(&context->store, context->run.restores, &target, err);
    if (got != 1)
        return got == 0 && tf_error_set(err, TF_ERR_DAMAGED, "run %s vanished", context->run.restores);
    tf_state to = context->totals.conflicts ? TF_STATE_ROLLED_BACK_WITH_CONFLICTS : TF_STATE_ROLLED_BACK;
    bool ok = target.stored == to || tf_run_transition(&context->store, &target, to, false, NULL, e->session, err);
    if (ok && target.down) {
        if (bson_iter_init_find(&iter, target.doc, "target_state") && BSON_ITER_HOLDS_UTF8(&iter))
            snprintf(before, sizeof before, "%s", bson_iter_utf8(&iter, NULL));
        got = tf_run_load(&context->store, target.restores, &origin, err);
        if (got == 1 && !context->totals.conflicts)
            ok = tf_run_transition(&context->store, &origin, standing(before), false, NULL, e->session, err);
        ok = ok && got >= 0;
        tf_run_done(&origin);
    }
    tf_run_done(&target);
    return ok;
}

static bool end_run(void *arg, tf_error *err)
{
    ending *e = arg;
    e->context->run = e->before; /* an attempt before this one may have come as far as its commit */
    bool ok = (!e->context->run.down || settle_target(e, err)) &&
              tf_run_transition(&e->context->store, &e->context->run, TF_STATE_COMPLETED, false, e->set, e->session, err);
    TF_FAILPOINT("finish.in_transaction");
    return ok;
}

static tf_txn_verdict after_end(void *arg, tf_error *error, int attempt)
{
    ending *e = arg;
    tf_run fresh = {0};
    tf_error one = {0};
    (void)attempt;
    bool done = tf_run_load(&e->context->store, e->context->run.id, &fresh, &one) == 1 && fresh.stored == TF_STATE_COMPLETED &&
                fresh.fence == e->before.fence; /* else another process has completed it, and we were shut out */
    tf_run_done(&fresh);
    if (done) {
        e->context->run.stored = e->context->run.state = TF_STATE_COMPLETED;
        e->context->run.active = false;
        return TF_TXN_DONE;
    }
    return tf_failure_is_transient(error) ? TF_TXN_AGAIN : TF_TXN_STOP;
}

/* The run that was taken back: the seal has it too, so it may be missing. */
static void note_target(const tf_context *context)
{
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("by", BCON_UTF8(context->run.id), "conflicts", BCON_INT64(context->totals.conflicts));
    tf_note_try(&context->store, TF_EVENT_ROLLED_BACK, context->run.restores, data, NULL, TF_NOTE_PATIENCE_MS);
}

bool tf_lifecycle_complete(tf_context *context, const bson_t *proof, tf_error *err)
{
    _cleanup_bson_ bson_t seal = BSON_INITIALIZER, set = BSON_INITIALIZER, result = BSON_INITIALIZER;
    if (!tf_context_read_totals(context, err))
        return false;
    append_totals(context, &seal);
    append_totals(context, &set);
    tf_timings_append(&context->timings, &set);
    if (proof)
        BSON_APPEND_DOCUMENT(&set, "proof", proof);
    if (context->repair_ms > 0 && context->repaired > 0)
        BSON_APPEND_DOUBLE(&set, "documents_per_second", 1000.0 * (double)context->repaired / (double)context->repair_ms);
    if (!append_seal(context, &seal, err))
        return false;
    TF_FAILPOINT("finish.before_event");
    if (proof)
        bson_copy_to_excluding_noinit(proof, &result, "findings", NULL);
    if (!tf_note(context, context->run.down ? TF_EVENT_DOWN_COMPLETED : TF_EVENT_UP_COMPLETED, false, &seal, &result, err))
        return false;
    tf_note_place(context, &set);
    TF_FAILPOINT("finish.before_completed");
    tf_heartbeat_stopp(&context->heartbeat); /* it must not see the run end and call that lost */
    ending e = {.context = context, .before = context->run, .set = &set};
    bool ok;
    if (context->engine->client->facts.transactions) {
        bson_error_t error;
        _cleanup_(mongoc_client_session_destroyp) mongoc_client_session_t *session =
            mongoc_client_start_session(context->store.client, NULL, &error);
        if (!session)
            return tf_failure(err, &error, NULL, "start a session", NULL, NULL);
        e.session = session;
        if (!tf_opening_note_session(context->engine, &context->run, session, err))
            return false;
        tf_txn txn = {.session = session, .arg = &e, .body = end_run, .after = after_end};
        ok = tf_txn_run(&txn, err);
    } else
        ok = end_run(&e, err);
    TF_FAILPOINT("finish.after_completed");
    if (ok && context->run.down)
        note_target(context);
    return ok;
}

bool tf_lifecycle_cancel(tf_context *context, tf_error *err)
{
    tf_error reason = *err;
    _cleanup_(bson_destroyp) bson_t *what = BCON_NEW("code", BCON_UTF8(tf_error_name(reason.code)), "message", BCON_UTF8(reason.message));
    _cleanup_bson_ bson_t set = BSON_INITIALIZER, data = BSON_INITIALIZER;
    tf_error failed = {0};
    tf_heartbeat_stopp(&context->heartbeat); /* it must not see the run end and call that lost */
    BSON_APPEND_DOCUMENT(&set, "error", what);
    bool ok = tf_context_read_totals(context, &failed);
    append_totals(context, &set);
    append_totals(context, &data);
    BSON_APPEND_UTF8(&data, "message", reason.message);
    TF_FAILPOINT("cancel.before_event");
    ok = ok && tf_note(context, TF_EVENT_CANCELLED, false, &data, what, &failed);
    tf_note_place(context, &set);
    TF_FAILPOINT("cancel.before_cancelled");
    ok = ok && tf_run_transition(&context->store, &context->run, TF_STATE_CANCELLED, false, &set, NULL, &failed);
    if (!ok)
        *err = failed;
    return ok;
}
