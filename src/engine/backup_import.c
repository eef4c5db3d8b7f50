/* A run's backup back from a file: see engine/backup.h. */
#include "engine/backup_common.h"

#include "backup/dump_order.h"
#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/failpoint.h"
#include "base/field.h"
#include "base/owner.h"
#include "base/stop.h"
#include "base/text.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/resolve.h"
#include "store/event.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

enum { CHUNK_DOCUMENTS = 1000, CHUNK_BYTES = 8 << 20, DEPTH_MAX = 64 };

typedef struct importing {
    const tf_engine *engine;
    const tf_file_set *set;
    const tf_cipher_secret *secret;
    tf_import *out;
    tf_run run;
    tf_inventory inventory;
    bson_t collation;
    bool there;    /* the collection is */
    int64_t held;  /* documents in it at the beginning */
    int64_t found; /* of these, those that are the file's */
    char mark[40]; /* ours in the run's document */
    bool in_order; /* the file's documents are: each batch is compared again before it is inserted */
    size_t batch;  /* that is being read */
    tf_docs whole, chunk, present, rest;
    tf_dump_order *order; /* of a dump, while it is examined */
    int64_t seen;
} importing;

/* ---- an import that has not ended ---- */

static bool pending(const char *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_INTERRUPTED,
                 "the backup of run %s is being brought back from a file, or that was interrupted", run);
    return tf_error_hint(
        err, "Bring it to its end with the same 'tokenfix backup import'; until then nothing is given back from it.");
}

bool tf_import_is_over(const tf_store *store, const tf_run *run, tf_error *err)
{
    char next[TF_RUN_ID_SIZE];
    if (bson_has_field(run->doc, "import"))
        return pending(run->id, err);
    snprintf(next, sizeof next, "%s", run->down ? run->restores : "");
    for (int depth = 0; next[0] && depth < DEPTH_MAX; depth++) {
        tf_run target = {0};
        int got = tf_run_load(store, next, &target, err);
        bool over = got == 0 || (got == 1 && (!bson_has_field(target.doc, "import") || pending(target.id, err)));
        snprintf(next, sizeof next, "%s", got == 1 && target.down ? target.restores : "");
        tf_run_done(&target);
        if (!over)
            return false;
    }
    return true;
}

/* ---- what is compared before anything is written ---- */

static bool is_ours(importing *x, tf_error *err)
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

static bool another_run(const importing *x, const char *field, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "the manifest is of another run than %s: '%s' differs from what the database has",
                 x->run.id, field);
    return tf_error_hint(
        err, "Two runs have the same id only where a database was copied, or somebody altered one of them.");
}

/* What never changes in a run's document, as the manifest has it and as the database does. */
static bool same_run(const importing *x, tf_error *err)
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

static bool same_batches(const importing *x, tf_error *err)
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

static void tell(const importing *x, const char *phase, int64_t done)
{
    const tf_observer *observer = &x->engine->observer;
    if (observer->progress)
        observer->progress(observer->arg, phase, done, x->inventory.documents);
}

static bool stopped(tf_error *err)
{
    if (tf_stop_level() == 0)
        return false;
    tf_error_set(err, TF_ERR_INTERRUPTED, "the import was stopped");
    tf_error_hint(err, "The same command again does the rest.");
    return true;
}

#define PURGE_FIRST                                                                                                    \
    "Somebody altered it there. Who may remove it can do so ('tokenfix backup purge %s --force'), and import again."

static bool other_document(const importing *x, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED,
                 "the backup of run %s holds a document of the same _id that is another than the file's", x->run.id);
    return tf_error_hint(err, PURGE_FIRST, x->run.id);
}

/* What of the chunk is not there yet. */
static bool leave_out_present(importing *x, tf_error *err)
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
            return other_document(x, err);
    }
    return true;
}

/* While the file is examined: what is there already must be the same, before anything is marked or written. */
static bool compare_present(importing *x, tf_error *err)
{
    if (x->chunk.count > 0 && !leave_out_present(x, err))
        return false;
    x->found += (int64_t)x->chunk.count - (int64_t)x->rest.count;
    tf_docs_clear(&x->chunk);
    tf_docs_clear(&x->rest);
    return true;
}

static bool look(void *arg, const bson_t *doc, tf_error *err)
{
    importing *x = arg;
    if (x->order)
        tf_dump_order_add(x->order, doc);
    if (x->held > 0)
        tf_docs_add(&x->chunk, doc);
    if (++x->seen % CHUNK_DOCUMENTS && x->chunk.length < CHUNK_BYTES)
        return true;
    tell(x, "examine", x->seen);
    return compare_present(x, err) && !stopped(err);
}

static bool compare_count(const importing *x, const tf_file_sum *sum, tf_error *err)
{
    return sum->documents == x->inventory.documents ||
           tf_error_set(err, TF_ERR_DAMAGED, "the file holds %" PRId64 " documents, run %s has backed up %" PRId64,
                        sum->documents, x->run.id, x->inventory.documents);
}

/* A dump need not be in the order of _id. Where that order cannot be told here, its batches are proven once they are in the
 * collection: no `down` takes anything from there before. */
static bool check_dump(importing *x, tf_error *err)
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

static bool check_set(importing *x, tf_error *err)
{
    tf_file_sum sum = {0};
    x->in_order = true;
    return same_run(x, err) && same_batches(x, err) && tf_file_set_check_rest(x->set, err) &&
           tf_file_set_read(x->set, x->secret, x->inventory.batches, x->inventory.count, look, x, &sum, err) &&
           compare_count(x, &sum, err);
}

static bool check_file(importing *x, tf_error *err)
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
static int is_complete(importing *x, tf_error *err)
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

/* ---- the mark ---- */

/* Whoever decided on what stood in the run before finds another fence. */
static bool set_mark(importing *x, tf_error *err)
{
    tf_owner self;
    int64_t matched = 0;
    tf_owner_self(&self);
    snprintf(x->mark, sizeof x->mark, "%016" PRIx64 "%016" PRIx64, tf_clock_random(UINT64_MAX),
             tf_clock_random(UINT64_MAX));
    _cleanup_(bson_destroyp) bson_t *query =
        BCON_NEW("_id", BCON_UTF8(x->run.id), "state", BCON_UTF8(tf_state_name(x->run.stored)), "lease.fence",
                 BCON_INT64(x->run.fence));
    _cleanup_(bson_destroyp) bson_t *again = BCON_NEW("_id", BCON_UTF8(x->run.id), "import.id", BCON_UTF8(x->mark));
    _cleanup_(bson_destroyp) bson_t *either = BCON_NEW("$or", "[", BCON_DOCUMENT(query), BCON_DOCUMENT(again), "]");
    _cleanup_(bson_destroyp) bson_t *update =
        BCON_NEW("$set", "{", "lease.fence", BCON_INT64(x->run.fence + 1), "import", "{", "id", BCON_UTF8(x->mark),
                 "host", BCON_UTF8(self.host), "pid", BCON_INT64(self.pid), "}", "}");
    if (!tf_store_update_patiently(&x->engine->store, TF_RUNS, query, either, update, &matched,
                                   "note the import in the run", err))
        return false;
    if (matched == 1) {
        x->run.fence++;
        return true;
    }
    tf_error_set(err, TF_ERR_LEASE_HELD, "run %s was changed by another process at this moment", x->run.id);
    return tf_error_hint(err, "'tokenfix status' shows who works on it; then begin again.");
}

static bool remove_mark(const importing *x, bool expected, tf_error *err)
{
    int64_t matched = 0;
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(x->run.id), "import.id", BCON_UTF8(x->mark));
    _cleanup_(bson_destroyp) bson_t *again =
        BCON_NEW("_id", BCON_UTF8(x->run.id), "$or", "[", "{", "import.id", BCON_UTF8(x->mark), "}", "{", "import", "{",
                 "$exists", BCON_BOOL(false), "}", "}", "]");
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$unset", "{", "import", BCON_INT32(1), "}");
    if (!tf_store_update_patiently(&x->engine->store, TF_RUNS, query, again, update, &matched,
                                   "note the end of the import", err))
        return false;
    if (matched == 1 || !expected)
        return true;
    tf_error_set(err, TF_ERR_LEASE_HELD, "another process began to import the backup of run %s meanwhile", x->run.id);
    return tf_error_hint(err, "What both wrote is the same; the other one ends it.");
}

/* Who looked before the mark stood there may have begun: then it is taken away again. */
static bool nobody_works(const importing *x, tf_error *err)
{
    tf_run live = {0};
    int got = tf_resolve_live(x->engine, &live, err);
    if (got == 1) {
        tf_error_set(err, TF_ERR_LEASE_HELD, "run %s is under way: no backup can be brought back meanwhile", live.id);
        tf_error_hint(err, "Wait for it to end, or stop it; 'tokenfix status' shows how far it is.");
    }
    tf_run_done(&live);
    return got == 0;
}

/* ---- the documents ---- */

/* Inserts the chunk, or what of it is missing. Whatever was lost on the way: what is there is left alone, what is not is inserted. */
static bool flush(importing *x, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    bool careful = x->held > 0;
    for (int n = 1; x->chunk.count > 0; n++) {
        tf_error one = {0};
        if (careful && !leave_out_present(x, &one) && !tf_failure_is_transient(&one)) {
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
            return other_document(x, err);
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
    tell(x, "import", x->seen);
    return !stopped(err);
}

static bool add_to_chunk(importing *x, const bson_t *doc, tf_error *err)
{
    bool full = x->chunk.count >= CHUNK_DOCUMENTS || (x->chunk.count > 0 && x->chunk.length + doc->len > CHUNK_BYTES);
    if (full && !flush(x, err))
        return false;
    tf_docs_add(&x->chunk, doc);
    x->seen++;
    return true;
}

/* A batch that has been read: only what is as recorded goes into the backup. */
static bool end_batch(importing *x, tf_error *err)
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
    importing *x = arg;
    if (!x->in_order)
        return add_to_chunk(x, doc, err);
    if (x->batch == x->inventory.count)
        return tf_error_set(err, TF_ERR_DAMAGED,
                            "the file was changed while it was read: it holds more documents than before");
    tf_docs_add(&x->whole, doc);
    return (int64_t)x->whole.count < x->inventory.batches[x->batch].documents || end_batch(x, err);
}

/* The file is read, hashed and compared again: it may have been exchanged since it was examined. */
static bool copy(importing *x, tf_error *err)
{
    const tf_store *store = &x->engine->store;
    tf_file_sum sum;
    x->seen = 0;
    return tf_store_create_backup(store, x->run.id, &x->collation, err) &&
           tf_file_set_read(x->set, x->secret, x->inventory.batches, x->inventory.count, take, x, &sum, err) &&
           flush(x, err);
}

/* ---- the whole ---- */

static bool prepare(importing *x, tf_error *err)
{
    bson_t view;
    const tf_store *store = &x->engine->store;
    if (!is_ours(x, err) || !tf_backup_collation(store, &x->run, &x->collation, &x->there, err))
        return false;
    if (!x->there && !x->set->dump && tf_field_view(x->set->manifest.head, "collation", &view)) {
        bson_reinit(&x->collation);
        bson_concat(&x->collation, &view);
    }
    snprintf(x->out->run, sizeof x->out->run, "%s", x->run.id);
    return (!x->there || tf_snapshot_count(store, x->run.id, &x->held, err)) &&
           tf_inventory_read(store, x->run.id, &x->collation, &x->inventory, err);
}

static bool note(importing *x, tf_error *err)
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
static bool bring_back(importing *x, tf_error *err)
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
    return remove_mark(x, true, err);
}

static bool import(importing *x, bool check, tf_error *err)
{
    tf_error ignored = {0};
    if (!prepare(x, err) || !check_file(x, err) || !tf_backup_is_idle(&x->run, "brought back", err) ||
        !nobody_works(x, err))
        return false;
    int complete = is_complete(x, err);
    bool marked = bson_has_field(x->run.doc, "import");
    x->out->documents = x->inventory.documents;
    x->out->nothing = complete == 1 && !marked;
    if (complete < 0 || check || x->out->nothing)
        return complete >= 0;
    if (!set_mark(x, err))
        return false;
    if (nobody_works(x, err))
        return bring_back(x, err);
    if (!marked) /* what one that died had begun is not whole */
        remove_mark(x, false, &ignored);
    return false;
}

bool tf_backup_import(const tf_engine *engine, const tf_file_set *set, const tf_cipher_secret *secret, bool check,
                      tf_import *out, tf_error *err)
{
    importing x = {.engine = engine, .set = set, .secret = secret, .out = out};
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
