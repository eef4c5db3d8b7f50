/* `up`: what may begin, and how a run goes from its plan to its proof. */
#include "base/clock.h"
#include "base/stop.h"
#include "db/collection.h"
#include "engine/down.h"
#include "engine/lifecycle.h"
#include "engine/note.h"
#include "engine/outcome.h"
#include "engine/resolve.h"
#include "engine/verify.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* ---- may it begin? ---- */

static bool dependencies_are_met(const tf_engine *engine, tf_error *err)
{
    _cleanup_free_ const tf_migration **order = bson_malloc0((tf_migrations_count + 1) * sizeof *order);
    if (!tf_migration_order(order, err))
        return false;
    for (const char *const *name = engine->migration->depends_on; name && *name; name++) {
        bool applied = false;
        if (!tf_resolve_applied(engine, *name, &applied, err))
            return false;
        if (!applied) {
            tf_error_set(err, TF_ERR_DEPENDENCY, "migration %s needs %s first", engine->migration->id, *name);
            return tf_error_hint(err, "Run 'tokenfix up %s --confirm'; 'tokenfix plan' shows the order.", *name);
        }
    }
    return true;
}

static bool held_by(const tf_run *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_LEASE_HELD, "another run holds the lease: %s, %s, by %s@%s pid %" PRId64, run->id, tf_state_name(run->state),
                 run->owner.user, run->owner.host, run->owner.pid);
    return tf_error_hint(err, "Only one run may write at a time; 'tokenfix status' shows how it goes on.");
}

static bool interrupted(const tf_run *run)
{
    return !run->down && run->state == TF_STATE_INTERRUPTED;
}

/* The run to be resumed. `held`: its owner may live still; the lease decides. */
static bool find_resumable(const tf_engine *engine, tf_run *out, tf_error *err)
{
    tf_run run = {0};
    const char *named = engine->settings.run;
    if (named && *named) {
        if (!tf_resolve_run(engine, named, &run, err))
            return false;
    } else {
        int got = tf_resolve_newest(engine, NULL, interrupted, &run, err);
        if (got == 0) /* one that is still held: waited for, or taken over */
            got = tf_resolve_live(engine, &run, err);
        if (got < 0)
            return false;
    }
    bool possible = run.doc && !run.down && (run.state == TF_STATE_INTERRUPTED || run.active);
    if (possible) {
        *out = run;
        return true;
    }
    if (run.doc && run.state == TF_STATE_ROLLING_BACK) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s is being rolled back by %s", run.id, run.restored_by);
        tf_error_hint(err, "Go on with that: tokenfix down --resume=%s --confirm", run.restored_by);
    } else if (run.doc && run.state == TF_STATE_CANCELLED) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "run %s was cancelled: it cannot be resumed", run.id);
        tf_error_hint(err, "A new 'tokenfix up --confirm' repairs the rest; 'tokenfix down %s --confirm' takes back what it did.", run.id);
    } else {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there is nothing to resume");
        tf_error_hint(err, "'tokenfix status' shows where things stand.");
    }
    tf_run_done(&run);
    return false;
}

/* Its rollback stopped on the way, or was cancelled. */
static bool half_taken_back(const tf_engine *engine, const tf_run *run, tf_error *err)
{
    tf_run down = {0};
    int got = tf_run_load(&engine->store, run->restored_by, &down, err);
    bool cancelled = got == 1 && down.state == TF_STATE_CANCELLED;
    tf_run_done(&down);
    if (got < 0)
        return false;
    tf_error_set(err, TF_ERR_INTERRUPTED, "the rollback of run %s was %s", run->id, cancelled ? "cancelled" : "interrupted");
    if (cancelled)
        return tf_error_hint(err, "Go on with it: tokenfix down %s --confirm; or undo what it did: tokenfix down %s --confirm", run->id,
                             run->restored_by);
    return tf_error_hint(err, "Go on with it: tokenfix down --resume=%s --confirm", run->restored_by);
}

static bool check_newest(const tf_engine *engine, const tf_run *newest, tf_error *err)
{
    switch (newest->state) {
    case TF_STATE_INTERRUPTED:
        tf_error_set(err, TF_ERR_INTERRUPTED, "run %s was interrupted and can be resumed", newest->id);
        return tf_error_hint(err, "Go on with it: tokenfix up --resume=%s --confirm; or take it back: tokenfix down %s --confirm", newest->id,
                             newest->id);
    case TF_STATE_ROLLING_BACK:
        return half_taken_back(engine, newest, err);
    case TF_STATE_COMPLETED:
        if (engine->settings.again)
            return true;
        tf_error_set(err, TF_ERR_COMPLETED, "Migration has already been completed");
        return tf_error_hint(err, "'tokenfix down' takes it back; --if-needed makes this a success; --again repairs what appeared since "
                                  "as a new run.");
    default:
        return true;
    }
}

bool tf_up_allowed(const tf_engine *engine, tf_error *err)
{
    tf_run run = {0};
    if (engine->settings.resume) {
        bool ok = find_resumable(engine, &run, err);
        tf_run_done(&run);
        return ok;
    }
    int got = tf_resolve_live(engine, &run, err);
    if (got == 1)
        held_by(&run, err);
    tf_run_done(&run);
    if (got != 0)
        return false;
    _cleanup_(bson_destroyp) bson_t *ups = BCON_NEW("direction", BCON_UTF8("up"));
    tf_run newest = {0};
    got = tf_resolve_newest(engine, ups, NULL, &newest, err);
    bool ok = got == 0 || (got == 1 && check_newest(engine, &newest, err));
    tf_run_done(&newest);
    return ok && dependencies_are_met(engine, err);
}

/* ---- before anything is written ---- */

static bool requirements_are_met(const tf_engine *engine, tf_error *err)
{
    for (const char *const *name = engine->migration->requires; name && *name; name++) {
        tf_op op = {.client = engine->store.client, .db = engine->store.repaired, .what = "look for a collection"};
        _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(*name), "}",
                                                            "nameOnly", BCON_BOOL(true));
        _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
        bson_iter_t iter, at;
        if (!tf_op_command(&op, command, &reply, err))
            return false;
        if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0", &at))
            continue;
        tf_error_set(err, TF_ERR_MISSING, "collection '%s' is absent from database '%s'", *name, engine->store.repaired);
        return tf_error_hint(err, "Check --db; 'tokenfix validate' shows all that the migration requires.");
    }
    return true;
}

/* Only an ordinary collection can be repaired and given back. */
static bool target_is_ordinary(const tf_engine *engine, const char *name, tf_error *err)
{
    const char *strategy = engine->settings.strategy ? engine->settings.strategy : "transaction";
    tf_op op = {.client = engine->store.client, .db = engine->store.repaired, .what = "look at the collection"};
    tf_collection collection;
    bool ok = tf_collection_read(&op, name, &collection, err);
    if (ok && *collection.type && strcmp(collection.type, "collection") != 0) {
        ok = tf_error_set(err, TF_ERR_UNSUPPORTED, "'%s' is no ordinary collection: %s", name, collection.type);
        tf_error_hint(err, "Repair the collection that it is made of.");
    } else if (ok && collection.capped && strcmp(strategy, "transaction") == 0) {
        ok = tf_error_set(err, TF_ERR_UNSUPPORTED, "'%s' is a capped collection: no transaction may write to it", name);
        tf_error_hint(err, "--strategy journal works there, for up and for down (docs/protocol.md says what it promises).");
    }
    tf_collection_done(&collection);
    return ok;
}

/* ---- execution ---- */

/* A failed invariant takes the run back whenever it is found; a refusal only where it met the repair itself: of the proof's
 * own records it is no reason to undo what is repaired. */
static bool undoes(const tf_error *error, bool repaired)
{
    bool refused = error->code == TF_ERR_REFUSED_WRITE || error->code == TF_ERR_PERMISSION;
    return error->code == TF_ERR_INVARIANT || (refused && !repaired);
}

static void say(const tf_engine *engine, const char *text)
{
    if (engine->observer.message)
        engine->observer.message(engine->observer.arg, text);
}

/* An invariant failed or the server refused: everything that was committed is given back, by a `down` run of its own.
 * True when it met conflicts: then there is no error any more, but findings. */
static bool roll_back(tf_context *context, tf_outcome *out, tf_error *err)
{
    bool met_conflicts = false;
    tf_context down = {0};
    tf_outcome undone = {0};
    tf_error failed = {0};
    say(context->engine, "the run failed and is being rolled back");
    tf_note_try(&context->store, TF_EVENT_ROLLBACK, context->run.id, NULL, err, TF_NOTE_PATIENCE_MS);
    tf_heartbeat_stopp(&context->heartbeat);
    context->planned = context->totals.applied;
    int64_t last = 0;
    bool ok = tf_run_last_number(&context->store, &last, &failed) &&
              tf_lifecycle_begin_down(context->engine, last, &context->run, true, &down, &failed);
    if (ok) {
        down.planned = context->totals.applied;
        ok = tf_down_execute(&down, &undone, &failed);
    }
    tf_outcome_fill(context, out);
    if (ok) {
        bool clean = undone.conflicts == 0 && undone.overtaken == 0;
        snprintf(out->state, sizeof out->state, "%s", clean ? "rolled_back" : "rolled_back_with_conflicts");
        out->conflicts = undone.conflicts;
        out->findings = !clean;
        met_conflicts = !clean;
        if (tf_error_exit(err->code) != 6)
            err->code = TF_ERR_REFUSED_WRITE; /* a privilege that was missing */
        if (met_conflicts) { /* not clean: exit 3, with the list */
            snprintf(out->failure, sizeof out->failure, "%s", err->message);
            out->conflict_ids = TAKE_PTR(undone.conflict_ids);
            tf_error_clear(err);
        } else if (!err->hint[0])
            tf_error_hint(err, "Everything was rolled back; the data is as it was.");
    } else {
        bool cancelled = failed.code == TF_ERR_CANCELLED;
        err->code = cancelled ? TF_ERR_CANCELLED : TF_ERR_INTERRUPTED;
        err->detail[0] = err->hint[0] = '\0';
        tf_error_detail(err, "the rollback could not finish: %s", failed.message);
        if (cancelled)
            tf_error_hint(err, "%s", failed.hint);
        else if (down.run.doc)
            tf_error_hint(err, "Go on with it: tokenfix down --resume=%s --confirm", down.run.id);
        else { /* it did not even begin: the run is as any that was interrupted */
            tf_lifecycle_interrupt(context, err);
            tf_error_hint(err, "Take it back: tokenfix down %s --confirm", context->run.id);
        }
    }
    tf_outcome_done(&undone);
    tf_context_done(&down);
    return met_conflicts;
}

/* Stopped: resumable, exit 7. Where the server refused or an invariant failed and --on-error stop was given, too. */
static void stop(tf_context *context, tf_outcome *out, tf_error *err)
{
    if (tf_error_exit(err->code) != 7 && err->code != TF_ERR_LEASE_HELD) {
        if (!err->detail[0])
            tf_error_detail(err, "%s", err->message);
        err->code = TF_ERR_INTERRUPTED;
    }
    tf_lifecycle_interrupt(context, err);
    if (err->code != TF_ERR_LEASE_LOST)
        tf_context_hint_resume(context, err);
    tf_outcome_fill(context, out);
}

/* Ends it for good; where even that cannot be recorded it is as any that was interrupted. */
static void cancel(tf_context *context, tf_outcome *out, tf_error *err)
{
    if (!tf_lifecycle_cancel(context, err)) {
        stop(context, out, err);
        return;
    }
    tf_error_hint(err, "What is repaired stays so, with its backup: 'tokenfix down %s --confirm' takes it back, a new 'tokenfix up' "
                       "repairs the rest.", context->run.id);
    tf_outcome_fill(context, out);
}

static bool prove(tf_context *context, bool closing, tf_outcome *out, tf_error *err)
{
    int64_t begin = tf_clock_ms();
    bool ok = tf_verify_run(context->engine, &context->store, &context->run, context->lineage, closing, &out->proof, err);
    out->verified = ok;
    out->proof_ms += tf_clock_ms() - begin;
    return ok;
}

static bool finish(tf_context *context, const tf_migration *migration, tf_outcome *out, tf_error *err)
{
    _cleanup_bson_ bson_t summary = BSON_INITIALIZER;
    if (!tf_lifecycle_verifying(context, err) || !prove(context, true, out, err))
        return false;
    if (migration && migration->verify && !migration->verify(context, err))
        return false;
    tf_proof_append(&out->proof, &summary);
    if (!tf_lifecycle_complete(context, &summary, err))
        return false;
    tf_outcome_fill(context, out);
    snprintf(out->proof.state, sizeof out->proof.state, "%s", out->state);
    out->findings = !out->proof.ok;
    return true;
}

static void note_canary(const tf_context *context, const tf_outcome *out)
{
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("documents", BCON_INT64(context->totals.applied), "verified", BCON_BOOL(out->verified && out->proof.ok));
    tf_note_try(&context->store, TF_EVENT_CANARY, context->run.id, data, NULL, TF_NOTE_PATIENCE_MS);
}

static bool execute(tf_context *context, tf_outcome *out, tf_error *err)
{
    tf_error ignored = {0};
    const tf_migration *migration = tf_migration_find(context->run.migration, &ignored);
    int64_t begin = tf_clock_ms(), had = context->totals.applied;
    bool ok = true;
    if (context->run.stored != TF_STATE_VERIFYING)
        ok = migration ? migration->up(context, err) : tf_repair_apply(context, context->lineage->repair, err);
    context->repaired = context->totals.applied - had;
    out->repair_ms = context->repair_ms = tf_clock_ms() - begin;
    if (ok && finish(context, migration, out, err))
        return true;
    if (err->code == TF_ERR_CANCELLED)
        cancel(context, out, err);
    else if (undoes(err, ok) && !context->stop_on_error && context->run.stored != TF_STATE_COMPLETED)
        return roll_back(context, out, err);
    else {
        bool canary = !ok && err->code == TF_ERR_INTERRUPTED && context->canary_left == 0;
        if (canary && !prove(context, false, out, &ignored))
            tf_error_detail(err, "the canary could not be verified: %s", ignored.message);
        if (canary)
            note_canary(context, out);
        stop(context, out, err);
        snprintf(out->proof.state, sizeof out->proof.state, "%s", out->state);
    }
    return false;
}

static bool begin(const tf_engine *engine, tf_context *context, tf_outcome *out, tf_error *err)
{
    tf_plan plan = {0};
    int64_t started = tf_clock_ms(), last = 0;
    bool ok = tf_run_last_number(&engine->store, &last, err) && tf_up_allowed(engine, err) && requirements_are_met(engine, err);
    if (ok && engine->migration->preflight) {
        tf_context look = {.engine = engine, .store = engine->store}; /* its gate is closed */
        look.database = mongoc_client_get_database(engine->store.client, engine->store.repaired);
        ok = engine->migration->preflight(&look, err);
        tf_context_done(&look);
    }
    ok = ok && tf_plan_make(engine, 0, 0, 0, &plan, err);
    ok = ok && target_is_ordinary(engine, plan.repair->collection, err);
    /* an empty run on top of a full one would be what `down` takes back next */
    out->nothing = ok && engine->settings.again && plan.documents == 0;
    ok = ok && !out->nothing && tf_lifecycle_begin_up(engine, last, plan.documents, plan.amount, context, err);
    tf_plan_done(&plan);
    out->plan_ms = tf_clock_ms() - started;
    return ok;
}

static bool resume(const tf_engine *engine, tf_context *context, tf_error *err)
{
    tf_run run = {0};
    if (!find_resumable(engine, &run, err))
        return false;
    bool ok = tf_lifecycle_resume(engine, &run, context, err);
    tf_run_done(&run);
    return ok;
}

bool tf_up(const tf_engine *engine, tf_outcome *out, tf_error *err)
{
    tf_context context = {0};
    int64_t started = tf_clock_ms();
    *out = (tf_outcome){0};
    bool ok = engine->settings.resume ? resume(engine, &context, err) : begin(engine, &context, out, err);
    if (ok)
        ok = execute(&context, out, err);
    else if (context.run.doc)
        tf_outcome_fill(&context, out);
    tf_outcome_read_head(engine, out);
    out->elapsed_ms = tf_clock_ms() - started;
    tf_context_done(&context);
    return ok || out->nothing;
}
