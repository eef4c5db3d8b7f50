#include "engine/down.h"

#include "backup/snapshot.h"
#include "base/clock.h"
#include "db/failure.h"
#include "engine/lifecycle.h"
#include "engine/outcome.h"
#include "engine/resolve.h"
#include "engine/verify.h"

#include <tokenfix/cleanup.h>

/* ---- which run ---- */

static bool can_be_taken_back(const tf_run *run)
{
    return run->state == TF_STATE_COMPLETED || run->state == TF_STATE_INTERRUPTED || run->state == TF_STATE_ROLLING_BACK ||
           run->state == TF_STATE_ROLLED_BACK_WITH_CONFLICTS || run->state == TF_STATE_CANCELLED;
}

/* An `up` whose rollback was cancelled is one still: else an older one would be taken back in its place. */
static bool not_taken_back(const tf_run *run)
{
    return !run->down && (run->state == TF_STATE_COMPLETED || run->state == TF_STATE_INTERRUPTED ||
                          run->state == TF_STATE_CANCELLED || run->state == TF_STATE_ROLLING_BACK);
}

static bool no_backup(tf_error *err)
{
    tf_error_set(err, TF_ERR_NO_BACKUP, "No backup data found - cannot rollback safely");
    return tf_error_hint(err, "There is no completed or interrupted 'up' to take back; 'tokenfix history' lists the runs.");
}

static bool interrupted_down(const tf_run *run)
{
    return run->down && run->state == TF_STATE_INTERRUPTED;
}

static bool tell_to_resume(const tf_run *down, tf_error *err)
{
    tf_error_set(err, TF_ERR_INTERRUPTED, "the rollback %s of run %s was interrupted", down->id, down->restores);
    return tf_error_hint(err, "Go on with it: tokenfix down --resume=%s --confirm", down->id);
}

static bool already_rolled_back(const tf_run *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s was already rolled back, by %s", run->id, run->restored_by);
    return tf_error_hint(err, "'tokenfix down %s --confirm' would undo that rollback.", run->restored_by);
}

/* A rollback that was cancelled can be undone until another one has gone on where it ended. */
static bool still_stands(const tf_engine *engine, const tf_run *down, tf_error *err)
{
    tf_run target = {0};
    int got = tf_run_load(&engine->store, down->restores, &target, err);
    bool stands = got == 0 || (got == 1 && strcmp(target.restored_by, down->id) == 0);
    if (got == 1 && !stands) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s was cancelled, and %s has gone on with what it began", down->id,
                     target.restored_by);
        tf_error_hint(err, "What both gave back a new 'tokenfix up --confirm' repairs again.");
    }
    tf_run_done(&target);
    return stands;
}

static bool check_target(const tf_engine *engine, const tf_run *run, tf_error *err)
{
    if (run->state == TF_STATE_ROLLED_BACK)
        return already_rolled_back(run, err);
    if (run->active && run->state != TF_STATE_INTERRUPTED) {
        tf_error_set(err, TF_ERR_LEASE_HELD, "run %s is being worked on by %s@%s pid %lld", run->id, run->owner.user, run->owner.host,
                     (long long)run->owner.pid);
        return tf_error_hint(err, "Wait for it to end or stop it first; 'tokenfix status' shows how far it is.");
    }
    if (!can_be_taken_back(run)) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is %s: there is nothing to take back", run->id, tf_state_name(run->state));
        return tf_error_hint(err, "'tokenfix history' lists the runs.");
    }
    if (run->down && run->state == TF_STATE_CANCELLED && !still_stands(engine, run, err))
        return false;
    if (run->state == TF_STATE_ROLLING_BACK && run->restored_by[0]) {
        tf_run down = {0};
        int got = tf_run_load(&engine->store, run->restored_by, &down, err);
        bool ok = got == 0 || (got == 1 && down.state != TF_STATE_INTERRUPTED) || (got == 1 && tell_to_resume(&down, err));
        tf_run_done(&down);
        return got >= 0 && ok;
    }
    return true;
}

bool tf_down_target(const tf_engine *engine, tf_run *run, tf_error *err)
{
    tf_run found = {0};
    if (engine->settings.run) {
        if (!tf_resolve_run(engine, engine->settings.run, &found, err))
            return false;
    } else {
        tf_run pending = {0};
        int got = tf_resolve_newest(engine, NULL, interrupted_down, &pending, err);
        if (got == 1)
            tell_to_resume(&pending, err);
        tf_run_done(&pending);
        if (got != 0)
            return false;
        got = tf_resolve_newest(engine, NULL, not_taken_back, &found, err);
        if (got < 0)
            return false;
        if (got == 0) {
            _cleanup_(bson_destroyp) bson_t *ups = BCON_NEW("direction", BCON_UTF8("up"));
            got = tf_resolve_newest(engine, ups, NULL, &found, err);
            if (got == 0)
                no_backup(err);
            if (got != 1)
                return false;
        }
    }
    if (!check_target(engine, &found, err)) {
        tf_run_done(&found);
        return false;
    }
    *run = found;
    return true;
}

/* Batches that backed documents up, and no backup: never begin. */
static bool backup_is_there(const tf_engine *engine, const tf_run *target, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "look for the backup");
    _cleanup_(bson_destroyp) bson_t *filter =
        BCON_NEW("run", BCON_UTF8(target->id), "counts.backed_up", "{", "$gt", BCON_INT32(0), "}");
    _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_bson_ bson_t batch = BSON_INITIALIZER, document = BSON_INITIALIZER, all = BSON_INITIALIZER;
    int batches =
        tf_cursor_one(tf_op_find(&op, tf_store_name(&engine->store, TF_BATCHES).text, filter, one), &op, &batch, err);
    if (batches <= 0)
        return batches == 0;
    int documents =
        tf_cursor_one(tf_op_find(&op, tf_store_backup_name(&engine->store, target->id).text, &all, one), &op, &document, err);
    if (documents != 0)
        return documents == 1;
    tf_error_set(err, TF_ERR_NO_BACKUP, "No backup data found - cannot rollback safely");
    return tf_error_hint(err, "Run %s changed documents, but its backup collection is empty. 'tokenfix backup import' brings it back from an "
                              "exported one: docs/runbook.md, 'A lost backup'.",
                         target->id);
}

/* ---- execution ---- */

static const tf_migration *migration_of(const tf_context *context)
{
    tf_error ignored = {0};
    return tf_migration_find(context->run.migration, &ignored); /* NULL: this binary does not have it any more */
}

/* Whatever stops a rollback leaves it resumable. Exit 6 is not for it: nothing was rolled back cleanly. */
static void stop(tf_context *context, tf_error *err)
{
    if (err->server_code == TF_CODE_VALIDATION)
        tf_error_hint(err,
                      "The collection's validator refuses documents as they were before the repair. Relax it (collMod, "
                      "validationLevel \"off\"), then: tokenfix down --resume=%s --confirm",
                      context->run.id);
    if (tf_error_exit(err->code) != 7) {
        tf_error_detail(err, "%s", err->message);
        err->code = TF_ERR_INTERRUPTED;
    }
    tf_lifecycle_interrupt(context, err);
    if (err->code != TF_ERR_LEASE_LOST)
        tf_context_hint_resume(context, err);
}

/* Ends it for good: its target stays half taken back until somebody decides. */
static void cancel(tf_context *context, tf_error *err)
{
    if (!tf_lifecycle_cancel(context, err))
        stop(context, err);
    else
        tf_error_hint(err, "What was given back stays so: 'tokenfix down %s --confirm' gives back the rest, 'tokenfix down %s --confirm' "
                           "undoes what was done.", context->run.restores, context->run.id);
}

bool tf_down_execute(tf_context *context, tf_outcome *out, tf_error *err)
{
    const tf_migration *migration = migration_of(context);
    int64_t begin = tf_clock_ms();
    bool ok = true;
    if (context->run.stored != TF_STATE_VERIFYING)
        ok = migration ? migration->down(context, err) : tf_repair_restore(context, err);
    out->repair_ms = tf_clock_ms() - begin;
    begin = tf_clock_ms();
    _cleanup_bson_ bson_t summary = BSON_INITIALIZER;
    ok = ok && tf_lifecycle_verifying(context, err) &&
         tf_verify_run(context->engine, &context->store, &context->run, context->lineage, true, &out->proof, err);
    if (ok) {
        out->verified = true;
        tf_proof_append(&out->proof, &summary);
    }
    ok = ok && tf_lifecycle_complete(context, &summary, err) && tf_outcome_read_conflicts(context, out, err);
    out->proof_ms = tf_clock_ms() - begin;
    if (!ok && err->code == TF_ERR_CANCELLED)
        cancel(context, err);
    else if (!ok)
        stop(context, err);
    tf_outcome_fill(context, out);
    if (out->verified)
        snprintf(out->proof.state, sizeof out->proof.state, "%s", out->state);
    out->findings = out->conflicts > 0 || out->overtaken > 0 || (out->verified && !out->proof.ok);
    return ok;
}

static int64_t documents_of(const tf_engine *engine, const char *target)
{
    int64_t count = 0;
    tf_error ignored = {0};
    tf_snapshot_count(&engine->store, target, &count, &ignored);
    return count;
}

static bool resume(const tf_engine *engine, tf_context *context, tf_error *err)
{
    tf_run run = {0};
    if (engine->settings.run && *engine->settings.run) {
        if (!tf_resolve_run(engine, engine->settings.run, &run, err))
            return false;
    } else {
        int got = tf_resolve_newest(engine, NULL, interrupted_down, &run, err);
        if (got == 0) /* one that is still held: waited for, or taken over */
            got = tf_resolve_live(engine, &run, err);
        if (got < 0)
            return false;
    }
    bool held = run.doc && run.down && run.active && run.state != TF_STATE_INTERRUPTED;
    if (!run.doc || !run.down || (run.state != TF_STATE_INTERRUPTED && !held)) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there is no interrupted rollback to resume");
        tf_error_hint(err, "'tokenfix status' shows where things stand.");
        tf_run_done(&run);
        return false;
    }
    bool ok = tf_lifecycle_resume(engine, &run, context, err);
    if (ok)
        context->planned = documents_of(engine, context->run.restores);
    tf_run_done(&run);
    return ok;
}

static bool begin(const tf_engine *engine, tf_context *context, tf_error *err)
{
    tf_run target = {0}, live = {0};
    int64_t last = 0;
    if (!tf_run_last_number(&engine->store, &last, err))
        return false;
    int got = tf_resolve_live(engine, &live, err);
    if (got == 1) {
        tf_error_set(err, TF_ERR_LEASE_HELD, "another run holds the lease: %s, %s, by %s@%s pid %lld", live.id, tf_state_name(live.state),
                     live.owner.user, live.owner.host, (long long)live.owner.pid);
        tf_error_hint(err, "Only one run may write at a time; 'tokenfix status' shows how it goes on.");
    }
    tf_run_done(&live);
    if (got != 0 || !tf_down_target(engine, &target, err))
        return false;
    int64_t documents = documents_of(engine, target.id);
    bool ok = backup_is_there(engine, &target, err) && tf_lifecycle_begin_down(engine, last, &target, false, context, err);
    if (ok)
        context->planned = documents;
    tf_run_done(&target);
    return ok;
}

bool tf_down(const tf_engine *engine, tf_outcome *out, tf_error *err)
{
    tf_context context = {0};
    int64_t started = tf_clock_ms();
    *out = (tf_outcome){0};
    bool ok = engine->settings.resume ? resume(engine, &context, err) : begin(engine, &context, err);
    out->plan_ms = tf_clock_ms() - started;
    if (ok)
        ok = tf_down_execute(&context, out, err);
    else if (context.run.doc)
        tf_outcome_fill(&context, out);
    tf_outcome_read_head(engine, out);
    out->elapsed_ms = tf_clock_ms() - started;
    tf_context_done(&context);
    return ok;
}
