#include "engine/lifecycle.h"

#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "check/balance.h"
#include "db/failure.h"
#include "db/privilege.h"
#include "db/txn.h"
#include "engine/settle.h"
#include "engine/split.h"
#include "store/batch.h"
#include "store/event.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static void say(const tf_engine *engine, const char *text)
{
    if (engine->observer.message)
        engine->observer.message(engine->observer.arg, text);
}

/* ---- fencing former owners ---- */

/* The run is not ours to go on with: its owner is shut out and it becomes interrupted. */
static bool fence_run(const tf_engine *engine, tf_run *run, tf_error *err)
{
    if (run->active) {
        tf_owner self;
        tf_owner_self(&self);
        if (!tf_run_take_over(&engine->store, run, &self, err))
            return false;
        if (!tf_partition_fence(&engine->store, run->id, run->fence, err))
            return false;
        return tf_run_transition(&engine->store, run, TF_STATE_INTERRUPTED, false, NULL, NULL, err);
    }
    return tf_partition_fence(&engine->store, run->id, run->fence, err);
}

bool tf_lifecycle_fence_unfinished(const tf_engine *engine, const char *except, tf_error *err)
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
        bool live = runs[i].active && runs[i].state != TF_STATE_INTERRUPTED;
        if (!live && (!except || strcmp(runs[i].id, except) != 0))
            ok = fence_run(engine, &runs[i], err);
    }
    tf_runs_free(runs, count);
    return ok;
}

/* ---- a context ---- */

/* "name@database", empty where nobody is logged in. */
static bool user_name(const tf_engine *engine, char *into, size_t size, tf_error *err)
{
    tf_privileges privileges;
    if (!tf_privileges_read(engine->store.client, &privileges, err))
        return false;
    const char *user = tf_privileges_user(&privileges);
    snprintf(into, size, "%s", user ? user : "");
    tf_privileges_done(&privileges);
    return true;
}

/* As the server names the user of our sessions. */
static bool user_uid(const tf_engine *engine, uint8_t uid[32], tf_error *err)
{
    char user[256];
    if (!user_name(engine, user, sizeof user, err))
        return false;
    tf_sha256_of(user, strlen(user), uid);
    return true;
}

/* Before a transaction on the run's document. */
static bool note_session(const tf_engine *engine, const tf_run *run, mongoc_client_session_t *session, tf_error *err)
{
    uint8_t uid[32];
    return user_uid(engine, uid, err) && tf_run_note_session(&engine->store, run, session, uid, err);
}

/* A run goes on as it began, but for what the command line says now. */
static void read_options(tf_context *context)
{
    const tf_settings *settings = &context->engine->settings;
    bson_iter_t iter, at;
    context->batch_size = settings->batch_size;
    context->stop_on_error = settings->stop_on_error;
    if (!context->batch_size && bson_iter_init(&iter, context->run.doc) && bson_iter_find_descendant(&iter, "options.batch_size", &at))
        context->batch_size = bson_iter_as_int64(&at);
    if (!settings->rollback_on_error && bson_iter_init(&iter, context->run.doc) &&
        bson_iter_find_descendant(&iter, "options.on_error", &at) && BSON_ITER_HOLDS_UTF8(&at))
        context->stop_on_error = context->stop_on_error || strcmp(bson_iter_utf8(&at, NULL), "stop") == 0;
}

/* Everything but the run itself: session, database, the stored repair, the heartbeat. */
static bool open_context(tf_context *context, tf_error *err)
{
    const tf_engine *engine = context->engine;
    context->store = engine->store;
    context->gate.open = true;
    context->journal = strcmp(context->run.strategy, "journal") == 0;
    read_options(context);
    context->canary_left = engine->settings.canary > 0 ? engine->settings.canary : -1;
    snprintf(context->comment, sizeof context->comment, "tokenfix/%s", context->run.id);
    context->store.comment = context->comment;
    context->lineage = tf_lineage_load(&context->store, &context->run, err);
    if (!context->lineage)
        return false;
    context->database = mongoc_client_get_database(context->store.client, context->store.repaired);
    if (!context->journal) {
        bson_error_t error;
        if (!user_uid(engine, context->uid, err))
            return false;
        mongoc_session_opt_t *opts = mongoc_session_opts_new();
        mongoc_session_opts_set_causal_consistency(opts, false);
        context->session = mongoc_client_start_session(context->store.client, opts, &error);
        mongoc_session_opts_destroy(opts);
        if (!context->session)
            return tf_failure(err, &error, NULL, "start a session", NULL, NULL);
    }
    context->heartbeat = tf_heartbeat_start(engine->client, &context->run, context->owner.id, err);
    return context->heartbeat != NULL;
}

static bool note(tf_context *context, const char *type, const bson_t *data, tf_error *err)
{
    return tf_event_append(&context->store, context->run.id, type, data, err);
}

/* ---- begin ---- */

static void append_repair(bson_t *doc, const tf_repair *repair)
{
    BSON_APPEND_DOCUMENT(doc, "repair", repair->doc);
}

static void append_options(bson_t *doc, const tf_settings *settings)
{
    bson_t options;
    BSON_APPEND_DOCUMENT_BEGIN(doc, "options", &options);
    BSON_APPEND_INT64(&options, "batch_size", settings->batch_size);
    BSON_APPEND_UTF8(&options, "on_error", settings->stop_on_error ? "stop" : "rollback");
    BSON_APPEND_UTF8(&options, "on_conflict", settings->on_conflict ? settings->on_conflict : "skip");
    BSON_APPEND_BOOL(&options, "recreate_deleted", settings->recreate_deleted);
    BSON_APPEND_INT64(&options, "canary", settings->canary);
    bson_append_document_end(doc, &options);
}

static void append_who(bson_t *doc, const tf_engine *engine, const tf_owner *owner, const char *database_user)
{
    bson_t who;
    BSON_APPEND_DOCUMENT_BEGIN(doc, "who", &who);
    BSON_APPEND_UTF8(&who, "user", owner->user);
    BSON_APPEND_UTF8(&who, "host", owner->host);
    if (*database_user)
        BSON_APPEND_UTF8(&who, "database_user", database_user);
    bson_append_document_end(doc, &who);
    const char *version = engine->settings.tool_version;
    BSON_APPEND_UTF8(doc, "version", version ? version : "");
}

static bool strategy_fits(const tf_engine *engine, const char *strategy, tf_error *err)
{
    if (engine->client->facts.transactions || strcmp(strategy, "journal") == 0)
        return true;
    tf_error_set(err, TF_ERR_UNSUPPORTED, "this server is standalone: it has no transactions");
    return tf_error_hint(err, "Use a replica set, or --strategy journal, which promises less under live writers "
                              "(docs/protocol.md).");
}

static bool is_writable(const tf_engine *engine, tf_error *err)
{
    if (engine->client->facts.writable)
        return true;
    tf_error_set(err, TF_ERR_NOT_WRITABLE, "this server is a read-only secondary");
    return tf_error_hint(err, "Connect to the replica set (replicaSet=NAME in the URI) or to its primary.");
}

/* The document of a new run, all but state and lease. `id` and `started` are filled. */
static bool new_run(const tf_engine *engine, int64_t number, const char *migration, const char *direction, const char *strategy,
                    const tf_owner *owner, bson_t *doc, char id[TF_RUN_ID_SIZE], tf_error *err)
{
    int64_t now;
    char user[256];
    if (engine->settings.strategy)
        strategy = engine->settings.strategy;
    if (!strategy_fits(engine, strategy, err) || !is_writable(engine, err) || !tf_client_now(engine->store.client, &now, err) ||
        !user_name(engine, user, sizeof user, err))
        return false;
    tf_run_new_id(id, now, migration);
    BSON_APPEND_UTF8(doc, "_id", id);
    BSON_APPEND_INT64(doc, "number", number);
    BSON_APPEND_UTF8(doc, "migration", migration);
    BSON_APPEND_UTF8(doc, "db", engine->store.repaired);
    BSON_APPEND_UTF8(doc, "direction", direction);
    BSON_APPEND_UTF8(doc, "strategy", strategy);
    BSON_APPEND_DATE_TIME(doc, "started_at", now);
    append_options(doc, &engine->settings);
    append_who(doc, engine, owner, user);
    return true;
}

static bool load_into(tf_context *context, const char *id, tf_error *err)
{
    int got = tf_run_load(&context->engine->store, id, &context->run, err);
    if (got == 0)
        tf_error_set(err, TF_ERR_DAMAGED, "run %s vanished from the state database", id);
    return got == 1;
}

/* ---- planning: may be interrupted and done again ---- */

static bool write_partitions(tf_context *context, const tf_partition *partitions, size_t count, tf_error *err)
{
    tf_partition *there = NULL;
    size_t have = 0;
    if (!tf_partition_list(&context->store, context->run.id, &there, &have, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        bool exists = false;
        for (size_t k = 0; k < have; k++)
            exists = exists || there[k].n == partitions[i].n;
        tf_error one = {0};
        ok = exists || tf_partition_create(&context->store, context->run.id, &partitions[i], 1, context->run.fence, &one);
        if (!ok && one.server_code == TF_CODE_DUPLICATE_KEY) { /* not there when we looked */
            one = (tf_error){0};
            tf_error_set(&one, TF_ERR_LEASE_LOST, "run %s was taken over by another process", context->run.id);
        }
        if (!ok)
            *err = one;
        TF_FAILPOINT("plan.between_partitions");
    }
    tf_partitions_free(there, have);
    return ok;
}

/* The inner bounds are kept in the run before the first partition is written: a planning that is done again cuts alike. */
static bool stored_bounds(tf_context *context, bson_t *bounds, tf_error *err)
{
    bson_iter_t iter;
    uint32_t length;
    const uint8_t *data;
    bson_t view;
    if (bson_iter_init_find(&iter, context->run.doc, "bounds") && BSON_ITER_HOLDS_ARRAY(&iter)) {
        bson_iter_array(&iter, &length, &data);
        bson_init_static(&view, data, length);
        bson_concat(bounds, &view);
        return true;
    }
    int64_t batch = context->batch_size ? context->batch_size : 1000;
    if (!tf_split_bounds(context->engine, context->lineage->repair, context->planned, batch, bounds, err))
        return false;
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("bounds", BCON_ARRAY(bounds));
    return tf_run_set(&context->store, &context->run, set, err);
}

static bool plan_up_partitions(tf_context *context, tf_error *err)
{
    _cleanup_bson_ bson_t bounds = BSON_INITIALIZER;
    if (!stored_bounds(context, &bounds, err))
        return false;
    size_t count = bson_count_keys(&bounds) + 1;
    tf_partition *partitions = calloc(count, sizeof *partitions);
    bson_iter_t iter, value;
    size_t i = 0;
    if (bson_iter_init(&iter, &bounds))
        while (bson_iter_next(&iter) && i + 1 < count)
            if (bson_iter_recurse(&iter, &value) && bson_iter_find(&value, "v")) {
                tf_id_set(&partitions[i].bounds.upto, bson_iter_value(&value));
                tf_id_set(&partitions[i + 1].bounds.after, bson_iter_value(&value));
                i++;
            }
    for (size_t k = 0; k < count; k++)
        partitions[k].n = (int32_t)k;
    bool ok = write_partitions(context, partitions, count, err);
    tf_partitions_free(partitions, count);
    return ok;
}

/* Where partitions of the target were lost, its batch records still say what is to be given back: nothing is left out. */
static bool add_recorded(tf_context *context, tf_partition **partitions, size_t *count, tf_error *err)
{
    _cleanup_bson_ bson_t ends = BSON_INITIALIZER;
    bson_iter_t iter, n, seq;
    int64_t ignored;
    if (!tf_batch_record_ends(&context->store, context->run.restores, &ends, &ignored, err))
        return false;
    for (bool more = bson_iter_init(&iter, &ends); more && bson_iter_next(&iter);) {
        size_t i = 0;
        if (!bson_iter_recurse(&iter, &n) || !bson_iter_find(&n, "n") || !bson_iter_recurse(&iter, &seq) || !bson_iter_find(&seq, "seq"))
            continue;
        while (i < *count && (*partitions)[i].n != bson_iter_int32(&n))
            i++;
        if (i == *count) {
            *partitions = realloc(*partitions, (*count + 1) * sizeof **partitions);
            (*partitions)[(*count)++] = (tf_partition){.n = bson_iter_int32(&n)};
        }
        if ((*partitions)[i].target_seq < bson_iter_int64(&seq))
            (*partitions)[i].target_seq = bson_iter_int64(&seq);
    }
    return true;
}

/* One for each partition of the target: its batches are counted downwards. */
static bool plan_down_partitions(tf_context *context, tf_error *err)
{
    tf_partition *targets = NULL;
    size_t count = 0;
    if (!tf_settle_target(context, err))
        return false;
    if (!tf_partition_list(&context->store, context->run.restores, &targets, &count, err))
        return false;
    tf_partition *partitions = calloc(count + 1, sizeof *partitions);
    for (size_t i = 0; i < count; i++) {
        partitions[i].n = targets[i].n;
        partitions[i].target_seq = targets[i].seq;
    }
    size_t targets_count = count;
    bool ok = add_recorded(context, &partitions, &count, err) && write_partitions(context, partitions, count, err);
    tf_partitions_free(partitions, count);
    tf_partitions_free(targets, targets_count);
    return ok;
}

/* planned → running. Everything here can be repeated. */
static bool plan(tf_context *context, tf_error *err)
{
    const tf_engine *engine = context->engine;
    int64_t accounts = 0;
    if (engine->observer.progress)
        engine->observer.progress(engine->observer.arg, "ledger", 0, 0);
    TF_FAILPOINT("plan.before_ledger");
    if (!tf_balance_record(&context->store, context->lineage->repair, context->run.id, &accounts, err))
        return false;
    TF_FAILPOINT("plan.after_ledger");
    if (!tf_store_create_backup(&context->store, context->run.id, err))
        return false;
    TF_FAILPOINT("plan.after_backup_collection");
    if (!(context->run.down ? plan_down_partitions(context, err) : plan_up_partitions(context, err)))
        return false;
    TF_FAILPOINT("plan.before_running");
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("planned", BCON_BOOL(true));
    if (!tf_run_transition(&context->store, &context->run, TF_STATE_RUNNING, true, set, NULL, err))
        return false;
    TF_FAILPOINT("plan.after_running");
    return true;
}

static bool begin_failed(tf_context *context, const tf_error *error)
{
    if (context->run.doc)
        tf_lifecycle_interrupt(context, error);
    return false;
}

bool tf_lifecycle_begin_up(const tf_engine *engine, int64_t last, int64_t documents, int64_t amount, tf_context *context,
                           tf_error *err)
{
    *context = (tf_context){.engine = engine, .planned = documents};
    tf_owner_self(&context->owner);
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(engine->migration->repair, err);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char id[TF_RUN_ID_SIZE];
    if (!repair || !new_run(engine, last + 1, engine->migration->id, "up", "transaction", &context->owner, &doc, id, err))
        return false;
    BSON_APPEND_UTF8(&doc, "migration_version", engine->migration->version);
    append_repair(&doc, repair);
    _cleanup_(bson_destroyp) bson_t *found = BCON_NEW("documents", BCON_INT64(documents), "amount", BCON_INT64(amount));
    BSON_APPEND_DOCUMENT(&doc, "plan", found);
    if (!tf_store_prepare(&engine->store, err) || !tf_lifecycle_fence_unfinished(engine, NULL, err))
        return false;
    TF_FAILPOINT("begin.before_run");
    if (!tf_run_create(&engine->store, &doc, TF_STATE_PLANNED, &context->owner, NULL, err))
        return false;
    TF_FAILPOINT("begin.after_run");
    if (load_into(context, id, err) && open_context(context, err) && note(context, "up_started", found, err) && plan(context, err))
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
    if (!note_session(engine, h->target, session, err))
        return false;
    tf_txn txn = {.session = session, .arg = h, .body = hand_over, .after = after_hand_over};
    return tf_txn_run(&txn, err);
}

bool tf_lifecycle_begin_down(const tf_engine *engine, int64_t last, tf_run *target, bool owned, tf_context *context, tf_error *err)
{
    *context = (tf_context){.engine = engine};
    tf_owner_self(&context->owner);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(tf_lineage_freep) tf_lineage *lineage = tf_lineage_load(&engine->store, target, err);
    char id[TF_RUN_ID_SIZE];
    if (!lineage || !tf_store_prepare(&engine->store, err))
        return false;
    if (!owned && !tf_lifecycle_fence_unfinished(engine, NULL, err))
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
    if (!new_run(engine, last + 1, target->migration, "down", target->strategy, &context->owner, &doc, id, err))
        return false;
    BSON_APPEND_UTF8(&doc, "restores", target->id);
    BSON_APPEND_UTF8(&doc, "target_state", tf_state_name(target->stored == TF_STATE_RUNNING || target->stored == TF_STATE_VERIFYING
                                                             ? TF_STATE_INTERRUPTED
                                                             : target->stored));
    append_repair(&doc, lineage->repair);
    TF_FAILPOINT("begin.before_run");
    handover h = {.engine = engine, .target = target, .before = *target, .doc = &doc, .owner = &context->owner, .id = id};
    if (!in_transaction(engine, &h, err)) {
        *target = h.before;
        return false;
    }
    TF_FAILPOINT("begin.after_run");
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("restores", BCON_UTF8(target->id));
    if (load_into(context, id, err) && open_context(context, err) && note(context, "down_started", data, err) && plan(context, err))
        return true;
    return begin_failed(context, err);
}

/* ---- resume ---- */

/* Waits until nobody holds the run; LEASE_HELD when its owner lives and renews. */
static bool wait_for_lease(const tf_engine *engine, tf_run *run, tf_error *err)
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
            return tf_error_hint(err, "Its owner renews the lease; let it finish, or shut it out with --take-over.");
        }
        first_left = run->lease_left_ms;
    }
    return true;
}

bool tf_lifecycle_resume(const tf_engine *engine, tf_run *run, tf_context *context, tf_error *err)
{
    *context = (tf_context){.engine = engine};
    tf_owner_self(&context->owner);
    if (!is_writable(engine, err) || !tf_store_prepare(&engine->store, err) || !wait_for_lease(engine, run, err))
        return false;
    if (!tf_lifecycle_fence_unfinished(engine, run->id, err))
        return false;
    TF_FAILPOINT("resume.before_take_over");
    if (!tf_run_take_over(&engine->store, run, &context->owner, err))
        return false;
    TF_FAILPOINT("resume.after_take_over");
    if (!tf_partition_fence(&engine->store, run->id, run->fence, err))
        return false;
    TF_FAILPOINT("resume.after_fence");
    if (!load_into(context, run->id, err) || !strategy_fits(engine, context->run.strategy, err) || !open_context(context, err))
        return begin_failed(context, err);
    bson_iter_t iter, at;
    if (bson_iter_init(&iter, context->run.doc) && bson_iter_find_descendant(&iter, "plan.documents", &at))
        context->planned = bson_iter_as_int64(&at);
    if (!tf_context_read_totals(context, err) || !note(context, "resumed", NULL, err))
        return begin_failed(context, err);
    if (!bson_has_field(context->run.doc, "planned")) /* its planning was interrupted: do it again */
        return plan(context, err) || begin_failed(context, err);
    if (context->run.stored != TF_STATE_VERIFYING && context->run.stored != TF_STATE_RUNNING &&
        !tf_run_transition(&context->store, &context->run, TF_STATE_RUNNING, true, NULL, NULL, err))
        return begin_failed(context, err);
    return true;
}

/* ---- the end ---- */

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
            ok = tf_run_transition(&context->store, &origin,
                                   strcmp(before, "completed") == 0 ? TF_STATE_COMPLETED : TF_STATE_INTERRUPTED, false, NULL,
                                   e->session, err);
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

bool tf_lifecycle_complete(tf_context *context, const bson_t *proof, tf_error *err)
{
    _cleanup_bson_ bson_t seal = BSON_INITIALIZER, set = BSON_INITIALIZER;
    if (!tf_context_read_totals(context, err))
        return false;
    append_totals(context, &seal);
    append_totals(context, &set);
    if (proof)
        BSON_APPEND_DOCUMENT(&set, "proof", proof);
    if (context->repair_ms > 0 && context->repaired > 0)
        BSON_APPEND_DOUBLE(&set, "documents_per_second", 1000.0 * (double)context->repaired / (double)context->repair_ms);
    if (!append_seal(context, &seal, err))
        return false;
    TF_FAILPOINT("finish.before_event");
    if (!note(context, context->run.down ? "down_completed" : "up_completed", &seal, err))
        return false;
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
        if (!note_session(context->engine, &context->run, session, err))
            return false;
        tf_txn txn = {.session = session, .arg = &e, .body = end_run, .after = after_end};
        ok = tf_txn_run(&txn, err);
    } else
        ok = end_run(&e, err);
    TF_FAILPOINT("finish.after_completed");
    return ok;
}

static void leave(tf_context *context, const tf_error *error, tf_state state, const char *type)
{
    tf_error ignored = {0};
    tf_heartbeat_stopp(&context->heartbeat);
    if (context->session) /* an abort that found no server is not told: what it left would stand in everybody's way */
        tf_store_kill_session(&context->store, mongoc_client_session_get_lsid(context->session), NULL);
    if (error->code == TF_ERR_LEASE_LOST || !context->run.active)
        return;
    _cleanup_(bson_destroyp) bson_t *what = BCON_NEW("code", BCON_UTF8(tf_error_name(error->code)), "message", BCON_UTF8(error->message));
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("error", BCON_DOCUMENT(what));
    if (tf_run_transition(&context->store, &context->run, state, false, set, NULL, &ignored))
        tf_event_append(&context->store, context->run.id, type, what, &ignored);
}

void tf_lifecycle_interrupt(tf_context *context, const tf_error *error)
{
    leave(context, error, TF_STATE_INTERRUPTED, "interrupted");
}

void tf_lifecycle_fail(tf_context *context, const tf_error *error)
{
    leave(context, error, TF_STATE_FAILED, "failed");
}
