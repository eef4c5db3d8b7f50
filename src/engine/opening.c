#include "engine/opening.h"

#include "base/hash.h"
#include "db/failure.h"
#include "db/privilege.h"
#include "engine/watch.h"

#include <tokenfix/cleanup.h>

/* ---- who ---- */

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

bool tf_opening_note_session(const tf_engine *engine, const tf_run *run, mongoc_client_session_t *session, tf_error *err)
{
    uint8_t uid[32];
    return user_uid(engine, uid, err) && tf_run_note_session(&engine->store, run, session, uid, err);
}

/* ---- may this server be written to in this way? ---- */

bool tf_opening_strategy_fits(const tf_engine *engine, const char *strategy, tf_error *err)
{
    if (engine->client->facts.transactions || strcmp(strategy, "journal") == 0)
        return true;
    tf_error_set(err, TF_ERR_UNSUPPORTED, "this server is standalone: it has no transactions");
    if (engine->settings.resume)
        return tf_error_hint(err, "Start it as a member of its replica set again: a run goes on with the strategy it began with.");
    return tf_error_hint(err, "Use a replica set, or --strategy journal, which promises less under live writers "
                              "(docs/protocol.md).");
}

bool tf_opening_writable(const tf_engine *engine, tf_error *err)
{
    if (engine->client->facts.writable)
        return true;
    tf_error_set(err, TF_ERR_NOT_WRITABLE, "this server is a read-only secondary");
    return tf_error_hint(err, "Connect to the replica set (replicaSet=NAME in the URI) or to its primary.");
}

/* ---- the document of a new run ---- */

static void append_options(bson_t *doc, const tf_settings *settings)
{
    bson_t options;
    BSON_APPEND_DOCUMENT_BEGIN(doc, "options", &options);
    BSON_APPEND_INT64(&options, "batch_size", settings->batch_size);
    BSON_APPEND_INT64(&options, "workers", settings->workers ? settings->workers : tf_work_default());
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

bool tf_opening_new_run(const tf_engine *engine, int64_t number, const char *migration, const char *direction, const char *strategy,
                    const tf_owner *owner, bson_t *doc, char id[TF_RUN_ID_SIZE], tf_error *err)
{
    int64_t now;
    char user[256];
    if (engine->settings.strategy)
        strategy = engine->settings.strategy;
    if (!tf_opening_strategy_fits(engine, strategy, err) || !tf_opening_writable(engine, err) || !tf_watch_check(engine, err) ||
        !tf_client_now(engine->store.client, &now, err) ||
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

/* ---- the context ---- */

bool tf_opening_load(tf_context *context, const char *id, tf_error *err)
{
    int got = tf_run_load(&context->engine->store, id, &context->run, err);
    if (got == 0)
        tf_error_set(err, TF_ERR_DAMAGED, "run %s vanished from the state database", id);
    if (got != 1 || strcmp(context->run.owner.id, context->owner.id) == 0)
        return got == 1;
    tf_error_set(err, TF_ERR_LEASE_LOST, "run %s was taken over by another process", id); /* its fence is not ours to use */
    return tf_error_hint(err, "'tokenfix status' shows who holds it.");
}

/* A run goes on as it began, but for what the command line says now. */
static void read_options(tf_context *context)
{
    const tf_settings *settings = &context->engine->settings;
    bson_iter_t iter, at;
    context->batch_size = settings->batch_size;
    context->workers = settings->workers ? (int)settings->workers : tf_work_default();
    context->stop_on_error = settings->stop_on_error;
    if (!context->batch_size && bson_iter_init(&iter, context->run.doc) && bson_iter_find_descendant(&iter, "options.batch_size", &at))
        context->batch_size = bson_iter_as_int64(&at);
    if (!settings->rollback_on_error && bson_iter_init(&iter, context->run.doc) &&
        bson_iter_find_descendant(&iter, "options.on_error", &at) && BSON_ITER_HOLDS_UTF8(&at))
        context->stop_on_error = context->stop_on_error || strcmp(bson_iter_utf8(&at, NULL), "stop") == 0;
}

bool tf_opening_context(tf_context *context, tf_error *err)
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
    mongoc_write_concern_t *majority = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(majority, 0);
    mongoc_write_concern_set_journal(majority, true);
    mongoc_database_set_write_concern(context->database, majority);
    mongoc_write_concern_destroy(majority);
    if (!context->journal) {
        if (!user_uid(engine, context->uid, err) || !tf_context_session_start(context, err))
            return false;
    }
    context->heartbeat = tf_heartbeat_start(engine->client, &context->run, context->owner.id, err);
    return context->heartbeat != NULL;
}
