#include "engine/note.h"

#include "db/id.h"

#include <tokenfix/cleanup.h>

/* ---- options ---- */

static void append_limits(bson_t *out, const char *key, const tf_load_limit *limits, size_t count)
{
    bson_t array;
    uint32_t n = 0;
    if (!count)
        return;
    BSON_APPEND_ARRAY_BEGIN(out, key, &array);
    for (size_t i = 0; i < count; i++) {
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("path", BCON_UTF8(limits[i].path), "limit", BCON_DOUBLE(limits[i].limit));
        tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append_manners(const tf_manners *manners, bson_t *out)
{
    BSON_APPEND_INT64(out, "batch_time_ms", manners->batch_ms);
    BSON_APPEND_INT64(out, "max_lag_ms", manners->max_lag_ms);
    if (manners->nice > 0)
        BSON_APPEND_DOUBLE(out, "nice", manners->nice);
    if (manners->pause_file)
        BSON_APPEND_UTF8(out, "pause_file", manners->pause_file);
    append_limits(out, "max_load", manners->max_load, manners->max_loads);
    append_limits(out, "critical_load", manners->critical_load, manners->critical_loads);
}

void tf_note_options(const tf_settings *settings, bson_t *out)
{
    BSON_APPEND_INT64(out, "batch_size", settings->batch_size);
    BSON_APPEND_INT64(out, "workers", settings->workers ? settings->workers : tf_work_default());
    if (settings->strategy)
        BSON_APPEND_UTF8(out, "strategy", settings->strategy);
    BSON_APPEND_UTF8(out, "on_error", settings->stop_on_error ? "stop" : "rollback");
    BSON_APPEND_UTF8(out, "on_conflict", settings->on_conflict ? settings->on_conflict : "skip");
    BSON_APPEND_BOOL(out, "recreate_deleted", settings->recreate_deleted);
    BSON_APPEND_INT64(out, "canary", settings->canary);
    BSON_APPEND_BOOL(out, "again", settings->again);
    BSON_APPEND_BOOL(out, "resume", settings->resume);
    BSON_APPEND_BOOL(out, "take_over", settings->take_over);
    if (settings->confirmed_by)
        BSON_APPEND_UTF8(out, "confirmed_by", settings->confirmed_by);
    append_manners(&settings->manners, out);
}

/* ---- results ---- */

static void append_result(const tf_error *why, bson_t *out)
{
    BSON_APPEND_UTF8(out, "code", tf_error_name(why->code));
    BSON_APPEND_INT32(out, "exit", tf_error_exit(why->code));
    BSON_APPEND_UTF8(out, "message", why->message);
}

bool tf_note(tf_context *context, tf_event_type type, bool begins, const bson_t *data, const bson_t *result, tf_error *err)
{
    _cleanup_bson_ bson_t options = BSON_INITIALIZER;
    tf_event event = {.type = type, .run = context->run.id, .data = data, .result = result};
    if (begins) {
        tf_note_options(&context->engine->settings, &options);
        BSON_APPEND_UTF8(&options, "migration", context->run.migration);
        if (!context->engine->settings.strategy)
            BSON_APPEND_UTF8(&options, "strategy", context->run.strategy);
        event.options = &options;
    }
    return tf_event_append(&context->store, &event, &context->noted, err);
}

void tf_note_place(const tf_context *context, bson_t *set)
{
    if (context->noted.seq)
        BCON_APPEND(set, "trail", "{", "seq", BCON_INT64(context->noted.seq), "hash",
                    BCON_BIN(BSON_SUBTYPE_BINARY, context->noted.hash, 32), "}");
}

void tf_note_try(const tf_store *store, tf_event_type type, const char *run, const bson_t *data, const tf_error *why,
                 int64_t patience_ms)
{
    _cleanup_bson_ bson_t result = BSON_INITIALIZER;
    tf_event event = {.type = type, .run = run, .data = data, .patience_ms = patience_ms};
    tf_error ignored = {0};
    if (why) {
        append_result(why, &result);
        event.result = &result;
    }
    tf_event_append(store, &event, NULL, &ignored);
}

/* ---- attempts ---- */

/* Where the server is away, or nothing can be written, the attempt has failed for that very reason. */
static bool may_write(const tf_engine *engine, const tf_error *why)
{
    return engine->client->facts.writable && (!why || (why->code != TF_ERR_CONNECT && why->code != TF_ERR_AUTH && !why->labels));
}

static void attempt(const tf_engine *engine, tf_event_type type, const char *command, const tf_error *why)
{
    _cleanup_bson_ bson_t options = BSON_INITIALIZER, data = BSON_INITIALIZER, result = BSON_INITIALIZER;
    tf_event event = {.type = type, .data = &data, .patience_ms = TF_ATTEMPT_PATIENCE_MS};
    tf_error ignored = {0};
    if (!may_write(engine, why))
        return;
    BSON_APPEND_UTF8(&data, "command", command);
    if (engine->settings.run)
        BSON_APPEND_UTF8(&data, "named", engine->settings.run);
    if (type == TF_EVENT_CONFIRMED && engine->settings.confirmed_by)
        BSON_APPEND_UTF8(&data, "by", engine->settings.confirmed_by);
    if (strcmp(command, "up") == 0 || strcmp(command, "down") == 0) {
        tf_note_options(&engine->settings, &options);
        if (engine->migration)
            BSON_APPEND_UTF8(&options, "migration", engine->migration->id);
        event.options = &options;
    }
    if (why) {
        append_result(why, &result);
        event.result = &result;
    }
    tf_event_append(&engine->store, &event, NULL, &ignored);
}

void tf_attempt_confirmed(const tf_engine *engine, const char *command)
{
    attempt(engine, TF_EVENT_CONFIRMED, command, NULL);
}

void tf_attempt_failed(const tf_engine *engine, const char *command, const tf_error *why)
{
    if (tf_error_exit(why->code) == 2) /* a typing error is no attempt */
        return;
    attempt(engine, why->code == TF_ERR_CONFIRM ? TF_EVENT_NOT_CONFIRMED : TF_EVENT_REFUSED, command, why);
}
