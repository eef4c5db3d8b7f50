#include "engine/backup_common.h"

#include "base/field.h"
#include "db/collection.h"
#include "db/id.h"
#include "engine/resolve.h"
#include "store/ledger.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

bool tf_backup_find_run(const tf_engine *engine, tf_run *run, tf_error *err)
{
    if (engine->settings.run)
        return tf_resolve_run(engine, engine->settings.run, run, err);
    _cleanup_(bson_destroyp) bson_t *ups = BCON_NEW("direction", BCON_UTF8("up"));
    int got = tf_resolve_newest(engine, ups, NULL, run, err);
    if (got == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there is no run of %s yet", engine->store.repaired);
        tf_error_hint(err, "'tokenfix backup list' shows the backups there are.");
    }
    return got == 1;
}

bool tf_backup_is_idle(const tf_run *run, const char *what, tf_error *err)
{
    if (!run->active || run->state == TF_STATE_INTERRUPTED)
        return true;
    tf_error_set(err, TF_ERR_LEASE_HELD, "run %s is under way, by %s@%s pid %" PRId64 ": its backup cannot be %s now",
                 run->id, run->owner.user, run->owner.host, run->owner.pid, what);
    return tf_error_hint(err, "Wait for it to end, or stop it; 'tokenfix status' shows how far it is.");
}

bool tf_backup_collation(const tf_store *store, const tf_run *run, bson_t *out, bool *there, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the collation");
    tf_collection collection;
    bool ok = tf_collection_read(&op, tf_store_backup_name(store, run->id).text, &collection, err);
    *there = collection.type[0] != '\0';
    if (ok && *there)
        bson_concat(out, &collection.collation);
    tf_collection_done(&collection);
    if (!ok || *there)
        return ok;
    tf_error one = {0};
    op.db = store->repaired;
    ok = tf_collection_read(&op, run->collection, &collection, &one);
    if (ok)
        bson_concat(out, &collection.collation);
    tf_collection_done(&collection);
    if (!ok && one.code != TF_ERR_PERMISSION) /* who purges need not see the repaired database */
        *err = one;
    return ok || one.code == TF_ERR_PERMISSION;
}

/* ---- the manifest ---- */

static void append_head(const tf_engine *engine, const tf_manifest_parts *p, bson_t *head)
{
    const tf_store *store = &engine->store;
    const tf_run *run = p->run;
    char unit[32] = "";
    tf_field_text(run->doc, "repair.ledger.unit", unit, sizeof unit);
    BSON_APPEND_UTF8(head, "tokenfix", "backup");
    BSON_APPEND_INT32(head, "format", 1);
    BSON_APPEND_UTF8(head, "tool", engine->settings.tool_version ? engine->settings.tool_version : "");
    BSON_APPEND_UTF8(head, "run", run->id);
    BSON_APPEND_UTF8(head, "database", store->repaired);
    BSON_APPEND_UTF8(head, "collection", run->collection);
    BSON_APPEND_UTF8(head, "stateDatabase", store->db);
    BSON_APPEND_UTF8(head, "migration", run->migration);
    BSON_APPEND_UTF8(head, "direction", run->down ? "down" : "up");
    BSON_APPEND_UTF8(head, "state", tf_state_name(run->state));
    BSON_APPEND_DATE_TIME(head, "exportedAt", p->now);
    BSON_APPEND_INT64(head, "documents", p->inventory->documents);
    BSON_APPEND_INT64(head, "bytes", p->bytes);
    BCON_APPEND(head, "counts", "{", "batches", BCON_INT64(p->inventory->all), "backedUp",
                BCON_INT64(p->inventory->documents), "applied", BCON_INT64(p->inventory->applied), "}");
    BCON_APPEND(head, "amounts", "{", "moved", BCON_INT64(p->inventory->amount), "unit", BCON_UTF8(unit), "scale",
                BCON_INT64(tf_field_number(run->doc, "repair.ledger.scale")), "}");
    BSON_APPEND_BOOL(head, "gzip", p->gzip);
    BSON_APPEND_UTF8(head, "encryption", p->encryption);
    BSON_APPEND_ARRAY(head, "files", p->files);
    BSON_APPEND_DOCUMENT(head, "collation", p->collation);
}

static bool write_ledger(const tf_store *store, const char *run, tf_manifest_writer *writer, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the ledger");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_ledger_all(store, run);
    const bson_t *row = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &row, err)) == 1)
        if (!tf_manifest_writer_row(writer, row, err))
            return false;
    return got == 0;
}

bool tf_backup_write_manifest(const tf_engine *engine, const tf_manifest_parts *parts, int fd, char sha256[65],
                              tf_error *err)
{
    _cleanup_bson_ bson_t head = BSON_INITIALIZER, record = BSON_INITIALIZER;
    append_head(engine, parts, &head);
    tf_field_copy_without(parts->run->doc, "lease_left_ms", &record); /* computed when it was read */
    tf_manifest_append(&head, "record", &record);
    _cleanup_(tf_manifest_writer_freep) tf_manifest_writer *writer = tf_manifest_writer_new(fd, &head, err);
    bool ok = writer != NULL;
    for (size_t i = 0; ok && i < parts->inventory->count; i++)
        ok = tf_manifest_writer_batch(writer, &parts->inventory->batches[i], err);
    return ok && write_ledger(&engine->store, parts->run->id, writer, err) &&
           tf_manifest_writer_finish(writer, sha256, err);
}
