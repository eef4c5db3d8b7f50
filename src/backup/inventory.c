#include "backup/inventory.h"

#include "base/field.h"
#include "base/hash.h"
#include "db/failure.h"
#include "db/id.h"
#include "store/batch.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* The ranges of a run's batches have no _id in common: sorted by where they begin they are in the order of the backup. Only the very
 * first range may be open, and it comes first, though an absent bound sorts behind MinKey. */
static bson_t *make_pipeline(const char *run)
{
    return BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(run), "}", "}", "1", "{", "$project", "{", "partition",
                    BCON_INT32(1), "seq", BCON_INT32(1), "from", BCON_INT32(1), "hash", BCON_INT32(1), "backed_up",
                    BCON_UTF8("$counts.backed_up"), "applied", BCON_UTF8("$counts.applied"), "amount", BCON_INT32(1),
                    "closed", "{", "$ne", "[", "{", "$type", BCON_UTF8("$from"), "}", BCON_UTF8("missing"), "]", "}",
                    "}", "}", "2", "{", "$sort", "{", "closed", BCON_INT32(1), "from.v", BCON_INT32(1), "partition",
                    BCON_INT32(1), "seq", BCON_INT32(1), "}", "}");
}

static void add(tf_inventory *to, const bson_t *doc)
{
    tf_manifest_batch batch = {.partition = (int32_t)tf_field_number(doc, "partition"),
                               .seq = tf_field_number(doc, "seq"),
                               .documents = tf_field_number(doc, "backed_up")};
    to->all++;
    to->applied += tf_field_number(doc, "applied");
    to->amount += tf_field_number(doc, "amount");
    if (batch.documents <= 0)
        return;
    tf_field_hash(doc, "hash", batch.sha256);
    if ((to->count & (to->count + 1)) == 0) /* doubled: at 0, 1, 3, 7, … */
        to->batches = bson_realloc(to->batches, (2 * to->count + 1) * sizeof *to->batches);
    to->batches[to->count++] = batch;
    to->documents += batch.documents;
}

bool tf_inventory_read(const tf_store *store, const char *run, const bson_t *collation, tf_inventory *out,
                       tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the batches");
    tf_inventory inventory = {0};
    _cleanup_(bson_destroyp) bson_t *pipeline = make_pipeline(run), *opts = BCON_NEW("allowDiskUse", BCON_BOOL(true));
    const bson_t *doc = NULL;
    int got;
    if (!bson_empty(collation))
        BSON_APPEND_DOCUMENT(opts, "collation", collation);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, opts);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        add(&inventory, doc);
    if (got == 0)
        *out = inventory;
    else
        tf_inventory_done(&inventory);
    return got == 0;
}

void tf_inventory_done(tf_inventory *inventory)
{
    bson_free(inventory->batches);
    *inventory = (tf_inventory){0};
}

/* ---- the walk ---- */

static bool wrong(const char *run, const tf_manifest_batch *batch, const char *how, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "the backup of run %s is not as recorded: partition %d, batch %" PRId64 " %s",
                 run, batch->partition, batch->seq, how);
    return tf_error_hint(err, "'tokenfix verify %s' lists all that differs; docs/runbook.md, 'A lost backup'.", run);
}

static mongoc_cursor_t *find_all(const tf_store *store, const tf_op *op, const char *run)
{
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "batchSize", BCON_INT64(INT32_MAX));
    return tf_op_find(op, tf_store_backup_name(store, run).text, &all, opts);
}

bool tf_inventory_walk(const tf_store *store, const char *run, const tf_inventory *inventory, tf_inventory_see see,
                       void *arg, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the backup");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = find_all(store, &op, run);
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    const tf_manifest_batch *batch = inventory->batches, *end = batch + inventory->count;
    int64_t in_batch = 0;
    uint8_t found[32];
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (batch == end) {
            tf_error_set(err, TF_ERR_DAMAGED, "the backup of run %s holds documents of no batch", run);
            return tf_error_hint(err, "'tokenfix verify %s' lists all that differs; docs/runbook.md, 'A lost backup'.",
                                 run);
        }
        tf_sha256_add(hash, bson_get_data(doc), doc->len);
        if (see && !see(arg, doc, err))
            return false;
        if (++in_batch < batch->documents)
            continue;
        tf_sha256_finish(hash, found);
        if (memcmp(found, batch->sha256, sizeof found) != 0)
            return wrong(run, batch, "has other documents", err);
        in_batch = 0;
        batch++;
    }
    return got == 0 && (batch == end || wrong(run, batch, "lacks documents", err));
}

bool tf_inventory_same(const tf_inventory *inventory, const tf_manifest *manifest, size_t *at)
{
    size_t i = 0, less = inventory->count < manifest->batches_count ? inventory->count : manifest->batches_count;
    while (i < less) {
        const tf_manifest_batch *a = &inventory->batches[i], *b = &manifest->batches[i];
        if (a->partition != b->partition || a->seq != b->seq || a->documents != b->documents ||
            memcmp(a->sha256, b->sha256, 32) != 0)
            break;
        i++;
    }
    *at = i;
    return i == inventory->count && i == manifest->batches_count;
}
