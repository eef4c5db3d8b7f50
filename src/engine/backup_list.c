/* Which backups there are: see engine/backup.h. */
#include "engine/backup.h"

#include "base/field.h"
#include "db/collection.h"
#include "db/failure.h"
#include "engine/resolve.h"
#include "store/event.h"

#include <tokenfix/cleanup.h>

typedef struct listing {
    const tf_store *store;
    tf_backup *items;
    size_t count;
} listing;

static tf_backup *find(const listing *list, const char *run)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].run, run) == 0)
            return &list->items[i];
    return NULL;
}

/* {$in: [the runs]} under `key` */
static void append_runs(const listing *list, bson_t *to, const char *key)
{
    bson_t in, names;
    char index[16];
    BSON_APPEND_DOCUMENT_BEGIN(to, key, &in);
    BSON_APPEND_ARRAY_BEGIN(&in, "$in", &names);
    for (size_t i = 0; i < list->count; i++) {
        snprintf(index, sizeof index, "%zu", i);
        BSON_APPEND_UTF8(&names, index, list->items[i].run);
    }
    bson_append_array_end(&in, &names);
    bson_append_document_end(to, &in);
}

static bool read_recorded(const listing *list, tf_error *err)
{
    tf_op op = tf_store_op(list->store, NULL, "add up the batches");
    _cleanup_bson_ bson_t match = BSON_INITIALIZER;
    char run[TF_RUN_ID_SIZE];
    append_runs(list, &match, "run");
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", BCON_DOCUMENT(&match), "}", "1", "{", "$group", "{", "_id", BCON_UTF8("$run"), "n",
                 "{", "$sum", BCON_UTF8("$counts.backed_up"), "}", "}", "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_name(list->store, TF_BATCHES).text, pipeline, NULL);
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        tf_backup *backup = tf_field_text(doc, "_id", run, sizeof run) ? find(list, run) : NULL;
        if (backup)
            backup->recorded = tf_field_number(doc, "n");
    }
    return got == 0;
}

static bool read_held(const listing *list, tf_error *err)
{
    tf_op op = tf_store_op(list->store, NULL, "look for the backup");
    for (size_t i = 0; i < list->count; i++) {
        tf_backup *backup = &list->items[i];
        tf_name name = tf_store_backup_name(list->store, backup->run);
        tf_collection collection;
        bool ok = tf_collection_read(&op, name.text, &collection, err), there = collection.type[0] != '\0';
        tf_collection_done(&collection);
        backup->held = -1;
        if (!ok || (there && !tf_collection_count(&op, name.text, &backup->held, err)))
            return false;
    }
    return true;
}

/* The newest event of each kind comes last. */
static bool read_events(const listing *list, tf_error *err)
{
    tf_op op = tf_store_op(list->store, NULL, "read the audit trail");
    _cleanup_bson_ bson_t filter = BSON_INITIALIZER;
    append_runs(list, &filter, "run");
    BCON_APPEND(&filter, "type", "{", "$in", "[", BCON_UTF8(tf_event_type_name(TF_EVENT_EXPORTED)),
                BCON_UTF8(tf_event_type_name(TF_EVENT_IMPORTED)), BCON_UTF8(tf_event_type_name(TF_EVENT_PURGED)), "]",
                "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_find(&op, tf_store_name(list->store, TF_EVENTS).text, &filter, opts);
    const bson_t *doc = NULL;
    char run[TF_RUN_ID_SIZE], type[32];
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        tf_backup *backup = tf_field_text(doc, "run", run, sizeof run) ? find(list, run) : NULL;
        if (!backup || !tf_field_text(doc, "type", type, sizeof type))
            continue;
        int64_t at = tf_field_number(doc, "at");
        if (strcmp(type, tf_event_type_name(TF_EVENT_EXPORTED)) == 0)
            backup->exported_at = at;
        else if (strcmp(type, tf_event_type_name(TF_EVENT_IMPORTED)) == 0)
            backup->imported_at = at;
        else
            backup->purged_at = at;
    }
    return got == 0;
}

static void take_run(const tf_run *run, tf_backup *backup)
{
    snprintf(backup->run, sizeof backup->run, "%s", run->id);
    snprintf(backup->migration, sizeof backup->migration, "%s", run->migration);
    snprintf(backup->state, sizeof backup->state, "%s", tf_state_name(run->state));
    backup->down = run->down;
    backup->started_at = run->started_at;
    backup->importing = bson_has_field(run->doc, "import");
}

bool tf_backup_list(const tf_engine *engine, const char *run, int64_t limit, tf_backup **out, size_t *count,
                    tf_error *err)
{
    tf_run *runs = NULL;
    _cleanup_bson_ bson_t query = BSON_INITIALIZER;
    listing list = {.store = &engine->store};
    if (run)
        BSON_APPEND_UTF8(&query, "_id", run);
    if (!tf_run_list(list.store, &query, limit, &runs, &list.count, err))
        return false;
    list.items = bson_malloc0((list.count + 1) * sizeof *list.items);
    for (size_t i = 0; i < list.count; i++)
        take_run(&runs[i], &list.items[i]);
    tf_runs_free(runs, list.count);
    if (list.count == 0 || (read_recorded(&list, err) && read_held(&list, err) && read_events(&list, err))) {
        *out = list.items;
        *count = list.count;
        return true;
    }
    bson_free(list.items);
    return false;
}

const char *tf_backup_state(const tf_backup *backup)
{
    if (backup->importing)
        return "importing";
    if (backup->recorded == 0 && backup->held <= 0)
        return "empty";
    if (backup->held < 0 || (backup->held == 0 && backup->recorded > 0))
        return backup->purged_at > backup->imported_at ? "purged" : "lost";
    return backup->held == backup->recorded ? "complete" : "incomplete";
}
