/* A run's backup back from a file: see engine/backup.h. */
#include "engine/backup_import.h"

#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/field.h"
#include "base/stop.h"
#include "db/failure.h"
#include "db/txn.h"
#include "store/event.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* ---- the documents ---- */

/* Inserts the chunk, or what of it is missing. Whatever was lost on the way: what is there is left alone, what is not is inserted. */
static bool flush(tf_importing *x, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    bool careful = x->held > 0;
    for (int n = 1; x->chunk.count > 0; n++) {
        tf_error one = {0};
        if (careful && !tf_importing_leave_out_present(x, &one) && !tf_failure_is_transient(&one)) {
            *err = one;
            return false;
        }
        const tf_docs *what = careful ? &x->rest : &x->chunk;
        if (one.code == TF_ERR_OK && tf_snapshot_insert(&x->engine->store, NULL, x->run.id, what, &one)) {
            x->out->inserted += (int64_t)what->count;
            break;
        }
        bool there = one.server_code == TF_CODE_DUPLICATE_KEY;
        if (there && careful && n > 3)
            return tf_importing_other_document(x, err);
        if ((!there && !tf_failure_is_transient(&one)) || tf_clock_ms() > give_up || tf_stop_level() >= 2) {
            *err = one;
            return false;
        }
        careful = true;
        if (!there)
            tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
    tf_docs_clear(&x->chunk);
    TF_FAILPOINT("backup.between_inserts");
    tf_importing_tell(x, "import", x->seen);
    return !tf_importing_stopped(err);
}

static bool add_to_chunk(tf_importing *x, const bson_t *doc, tf_error *err)
{
    bool full =
        x->chunk.count >= TF_IMPORT_DOCUMENTS || (x->chunk.count > 0 && x->chunk.length + doc->len > TF_IMPORT_BYTES);
    if (full && !flush(x, err))
        return false;
    tf_docs_add(&x->chunk, doc);
    x->seen++;
    return true;
}

/* A batch that has been read: only what is as recorded goes into the backup. */
static bool end_batch(tf_importing *x, tf_error *err)
{
    uint8_t hash[32];
    const tf_manifest_batch *batch = &x->inventory.batches[x->batch++];
    tf_snapshot_hash(&x->whole, hash);
    if (memcmp(hash, batch->sha256, sizeof hash) != 0)
        return tf_error_set(err, TF_ERR_DAMAGED, "the file was changed while it was read: partition %d, batch %" PRId64,
                            batch->partition, batch->seq);
    for (size_t i = 0; i < x->whole.count; i++) {
        bson_t doc;
        tf_docs_view(&x->whole, i, &doc);
        if (!add_to_chunk(x, &doc, err))
            return false;
    }
    tf_docs_clear(&x->whole);
    return true;
}

static bool take(void *arg, const bson_t *doc, tf_error *err)
{
    tf_importing *x = arg;
    if (!x->in_order)
        return add_to_chunk(x, doc, err);
    if (x->batch == x->inventory.count)
        return tf_error_set(err, TF_ERR_DAMAGED,
                            "the file was changed while it was read: it holds more documents than before");
    tf_docs_add(&x->whole, doc);
    return (int64_t)x->whole.count < x->inventory.batches[x->batch].documents || end_batch(x, err);
}

/* The file is read, hashed and compared again: it may have been exchanged since it was examined. */
static bool copy(tf_importing *x, tf_error *err)
{
    const tf_store *store = &x->engine->store;
    tf_file_sum sum;
    x->seen = 0;
    return tf_store_create_backup(store, x->run.id, &x->collation, err) &&
           tf_file_set_read(x->set, x->secret, x->inventory.batches, x->inventory.count, take, x, &sum, err) &&
           flush(x, err);
}

/* ---- the whole ---- */

static bool prepare(tf_importing *x, tf_error *err)
{
    bson_t view;
    const tf_store *store = &x->engine->store;
    if (!tf_importing_find_run(x, err) || !tf_backup_collation(store, &x->run, &x->collation, &x->there, err))
        return false;
    if (!x->there && !x->set->dump && tf_field_view(x->set->manifest.head, "collation", &view)) {
        bson_reinit(&x->collation);
        bson_concat(&x->collation, &view);
    }
    snprintf(x->out->run, sizeof x->out->run, "%s", x->run.id);
    return (!x->there || tf_snapshot_count(store, x->run.id, &x->held, err)) &&
           tf_inventory_read(store, x->run.id, &x->collation, &x->inventory, err);
}

static bool note(tf_importing *x, tf_error *err)
{
    tf_head head = {0};
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("documents", BCON_INT64(x->inventory.documents), "inserted",
                                                     BCON_INT64(x->out->inserted), "source", BCON_UTF8(x->set->path));
    if (!x->set->dump)
        BSON_APPEND_UTF8(data, "manifest", x->set->manifest.sha256);
    tf_event event = {.type = TF_EVENT_IMPORTED, .run = x->run.id, .data = data};
    if (!tf_event_append(&x->engine->store, &event, &head, err))
        return false;
    x->out->event = head.seq;
    return true;
}

/* Under the mark. What fails leaves the mark where it is: the backup is not whole then. */
static bool bring_back(tf_importing *x, tf_error *err)
{
    TF_FAILPOINT("backup.after_mark");
    if (!copy(x, err))
        return false;
    TF_FAILPOINT("backup.before_proof");
    if (!tf_inventory_walk(&x->engine->store, x->run.id, &x->inventory, NULL, NULL, err))
        return false;
    TF_FAILPOINT("backup.before_imported");
    if (!note(x, err))
        return false;
    TF_FAILPOINT("backup.after_imported");
    return tf_importing_unmark(x, true, err);
}

static bool import(tf_importing *x, bool check, tf_error *err)
{
    tf_error ignored = {0};
    if (!prepare(x, err) || !tf_importing_examine(x, err) || !tf_backup_is_idle(&x->run, "brought back", err) ||
        !tf_importing_is_alone(x, err))
        return false;
    int complete = tf_importing_is_complete(x, err);
    bool marked = bson_has_field(x->run.doc, "import");
    x->out->documents = x->inventory.documents;
    x->out->nothing = complete == 1 && !marked;
    if (complete < 0 || check || x->out->nothing)
        return complete >= 0;
    if (!tf_importing_mark(x, err))
        return false;
    if (tf_importing_is_alone(x, err))
        return bring_back(x, err);
    if (!marked) /* what one that died had begun is not whole */
        tf_importing_unmark(x, false, &ignored);
    return false;
}

bool tf_backup_import(const tf_engine *engine, const tf_file_set *set, const tf_cipher_secret *secret, bool check,
                      tf_import *out, tf_error *err)
{
    tf_importing x = {.engine = engine, .set = set, .secret = secret, .out = out};
    int64_t begin = tf_clock_ms();
    *out = (tf_import){0};
    bson_init(&x.collation);
    bool ok = import(&x, check, err);
    tf_run_done(&x.run);
    tf_inventory_done(&x.inventory);
    tf_docs_done(&x.whole);
    tf_docs_done(&x.chunk);
    tf_docs_done(&x.present);
    tf_docs_done(&x.rest);
    bson_destroy(&x.collation);
    out->elapsed_ms = tf_clock_ms() - begin;
    return ok;
}
