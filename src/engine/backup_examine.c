/* What is compared before an import writes anything: see engine/backup_import.h. */
#include "backup/snapshot.h"
#include "base/dir.h"
#include "base/stop.h"
#include "base/text.h"
#include "engine/backup_import.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

bool tf_importing_find_run(tf_importing *x, tf_error *err)
{
    const tf_store *store = &x->engine->store;
    if (!x->set->dump && strcmp(x->set->manifest.database, store->repaired) != 0) {
        tf_error_set(err, TF_ERR_USAGE, "the backup is of database '%s', not of '%s'",
                     TF_WORD(x->set->manifest.database), store->repaired);
        return tf_error_hint(err, "Name its database: --db %s.", TF_WORD(x->set->manifest.database));
    }
    int got = tf_run_load(store, x->set->run, &x->run, err);
    if (got == 0) {
        tf_error_set(err, TF_ERR_NOT_FOUND, "%s knows no run %s", store->db, TF_WORD(x->set->run));
        tf_error_hint(err, "A backup is brought back to its run's records, and proven against them: check --db and "
                           "--state-db. Where the records "
                           "are lost, too: docs/runbook.md, 'A damaged state database'.");
    }
    return got == 1;
}

static bool same_field(const bson_t *a, const bson_t *b, const char *name)
{
    bson_iter_t x, y;
    bool in_a = bson_iter_init_find(&x, a, name), in_b = bson_iter_init_find(&y, b, name);
    return in_a == in_b && (!in_a || tf_doc_same_element(a, &x, b, &y));
}

static bool another_run(const tf_importing *x, const char *field, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "the manifest is of another run than %s: '%s' differs from what the database has",
                 x->run.id, field);
    return tf_error_hint(
        err, "Two runs have the same id only where a database was copied, or somebody altered one of them.");
}

/* What never changes in a run's document, as the manifest has it and as the database does. */
static bool same_run(const tf_importing *x, tf_error *err)
{
    const tf_manifest *m = &x->set->manifest;
    static const char *const fixed[] = {"_id",      "db",         "migration", "direction",
                                        "strategy", "started_at", "restores",  "repair"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!same_field(m->record, x->run.doc, fixed[i]))
            return another_run(x, fixed[i], err);
    if (strcmp(m->migration, x->run.migration) != 0)
        return another_run(x, "migration", err);
    return strcmp(m->collection, x->run.collection) == 0 || another_run(x, "collection", err);
}

static bool same_batches(const tf_importing *x, tf_error *err)
{
    size_t at = 0;
    const tf_manifest *m = &x->set->manifest;
    if (tf_inventory_same(&x->inventory, m, &at))
        return true;
    if (m->batches_count < x->inventory.count)
        tf_error_set(err, TF_ERR_DAMAGED,
                     "the file holds %zu of the %zu batches of run %s: it was exported before the run went on",
                     m->batches_count, x->inventory.count, x->run.id);
    else if (at < x->inventory.count)
        tf_error_set(err, TF_ERR_DAMAGED,
                     "the manifest and the records of run %s differ in partition %d, batch %" PRId64, x->run.id,
                     x->inventory.batches[at].partition, x->inventory.batches[at].seq);
    else
        tf_error_set(err, TF_ERR_DAMAGED, "run %s has recorded %zu batches, the manifest names %zu", x->run.id,
                     x->inventory.count, m->batches_count);
    return tf_error_hint(err,
                         "Use the file of the run's last export. 'tokenfix verify %s' says whether the records are as "
                         "they were written.",
                         x->run.id);
}

void tf_importing_tell(const tf_importing *x, const char *phase, int64_t done)
{
    const tf_observer *observer = &x->engine->observer;
    if (observer->progress)
        observer->progress(observer->arg, phase, done, x->inventory.documents);
}

bool tf_importing_stopped(tf_error *err)
{
    if (tf_stop_level() == 0)
        return false;
    tf_error_set(err, TF_ERR_INTERRUPTED, "the import was stopped");
    tf_error_hint(err, "The same command again does the rest.");
    return true;
}

#define PURGE_FIRST                                                                                                    \
    "Somebody altered it there. Who may remove it can do so ('tokenfix backup purge %s --force'), and import again."

bool tf_importing_other_document(const tf_importing *x, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED,
                 "the backup of run %s holds a document of the same _id that is another than the file's", x->run.id);
    return tf_error_hint(err, PURGE_FIRST, x->run.id);
}

/* What of the chunk is not there yet. */
bool tf_importing_leave_out_present(tf_importing *x, tf_error *err)
{
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    tf_docs_append_ids(&x->chunk, &ids);
    tf_docs_clear(&x->rest);
    if (!tf_snapshot_read_ids(&x->engine->store, NULL, x->run.id, &ids, &x->present, err))
        return false;
    for (size_t i = 0; i < x->chunk.count; i++) {
        bson_t doc;
        tf_docs_view(&x->chunk, i, &doc);
        long at = tf_docs_find_id(&x->present, &doc, i);
        if (at < 0)
            tf_docs_add(&x->rest, &doc);
        else if (!tf_docs_same(&x->present, (size_t)at, &x->chunk, i))
            return tf_importing_other_document(x, err);
    }
    return true;
}

/* While the file is examined: what is there already must be the same, before anything is marked or written. */
static bool compare_present(tf_importing *x, tf_error *err)
{
    if (x->chunk.count > 0 && !tf_importing_leave_out_present(x, err))
        return false;
    x->found += (int64_t)x->chunk.count - (int64_t)x->rest.count;
    tf_docs_clear(&x->chunk);
    tf_docs_clear(&x->rest);
    return true;
}

static bool look(void *arg, const bson_t *doc, tf_error *err)
{
    tf_importing *x = arg;
    if (x->order)
        tf_dump_order_add(x->order, doc);
    if (x->held > 0)
        tf_docs_add(&x->chunk, doc);
    if (++x->seen % TF_IMPORT_DOCUMENTS && x->chunk.length < TF_IMPORT_BYTES)
        return true;
    tf_importing_tell(x, "examine", x->seen);
    return compare_present(x, err) && !tf_importing_stopped(err);
}

static bool compare_count(const tf_importing *x, const tf_file_sum *sum, tf_error *err)
{
    return sum->documents == x->inventory.documents ||
           tf_error_set(err, TF_ERR_DAMAGED, "the file holds %" PRId64 " documents, run %s has backed up %" PRId64,
                        sum->documents, x->run.id, x->inventory.documents);
}

/* A dump need not be in the order of _id. Where that order cannot be told here, its batches are proven once they are in the
 * collection: no `down` takes anything from there before. */
static bool check_dump(tf_importing *x, tf_error *err)
{
    tf_file_sum sum = {0};
    tf_error failure = {0};
    size_t at = 0;
    bool hidden = x->set->gzip || !bson_empty(&x->collation); /* packed, or texts in another order */
    _cleanup_(tf_dump_order_freep) tf_dump_order *order = hidden ? NULL : tf_dump_order_new();
    x->order = order;
    bool ok = tf_file_set_read(x->set, NULL, x->inventory.batches, x->inventory.count, look, x, &sum, err) &&
              compare_count(x, &sum, err);
    x->order = NULL;
    x->in_order = ok && sum.in_order;
    if (!ok || sum.in_order || !order)
        return ok;
    _cleanup_(tf_dir_closep) int fd = tf_file_set_open_data(x->set, err);
    int proven = fd < 0 ? -1 : tf_dump_order_prove(order, fd, &x->inventory, &at, &failure);
    if (fd < 0 || failure.code != TF_ERR_OK) {
        if (err->code == TF_ERR_OK)
            *err = failure;
        return false;
    }
    if (proven != 0)
        return true;
    tf_error_set(err, TF_ERR_DAMAGED,
                 "the dump is not the one of run %s: partition %d, batch %" PRId64 " has other documents", x->run.id,
                 x->inventory.batches[at].partition, x->inventory.batches[at].seq);
    return tf_error_hint(err, "Use a dump of the backup collection from after the run's last step.");
}

static bool check_set(tf_importing *x, tf_error *err)
{
    tf_file_sum sum = {0};
    x->in_order = true;
    return same_run(x, err) && same_batches(x, err) && tf_file_set_check_rest(x->set, err) &&
           tf_file_set_read(x->set, x->secret, x->inventory.batches, x->inventory.count, look, x, &sum, err) &&
           compare_count(x, &sum, err);
}

bool tf_importing_examine(tf_importing *x, tf_error *err)
{
    if (!(x->set->dump ? check_dump(x, err) : check_set(x, err)) || !compare_present(x, err))
        return false;
    if (x->found == x->held)
        return true;
    tf_error_set(err, TF_ERR_DAMAGED, "the backup of run %s holds %" PRId64 " documents that are not the file's",
                 x->run.id, x->held - x->found);
    return tf_error_hint(err, PURGE_FIRST, x->run.id);
}

/* Whether the backup is there already, and as recorded: 1, 0, -1. */
int tf_importing_is_complete(tf_importing *x, tf_error *err)
{
    tf_error damaged = {0};
    if (x->held != x->inventory.documents)
        return 0;
    if (tf_inventory_walk(&x->engine->store, x->run.id, &x->inventory, NULL, NULL, &damaged))
        return 1;
    if (damaged.code == TF_ERR_DAMAGED)
        return 0;
    *err = damaged;
    return -1;
}
