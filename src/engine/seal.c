/* The proof of what the batches hang on: the closing event, the counts, the ledger's postings. */
#include "base/field.h"
#include "engine/prover.h"
#include "store/batch.h"
#include "store/event.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static bool is_of_run(const tf_prover *p, const bson_t *event)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, event, "run") && BSON_ITER_HOLDS_UTF8(&iter) && strcmp(bson_iter_utf8(&iter, NULL), p->run->id) == 0;
}

/* The hashes at the partitions' ends must be those that the run's closing event carries, and that event must stand where it
 * was written: its own hash, and the one before in the trail of all runs. */
static bool prove_seal(tf_prover *p, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "read the events");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_event_find(p->store, NULL);
    _cleanup_bson_ bson_t seal = BSON_INITIALIZER;
    const bson_t *doc = NULL;
    bson_iter_t iter, at, item, field;
    uint8_t previous[32], hash[32];
    int got;
    bool found = false, first = true;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        bool intact = tf_event_check(doc, first ? NULL : previous, hash);
        memcpy(previous, hash, sizeof previous);
        first = false;
        if (!is_of_run(p, doc))
            continue;
        if (!intact)
            tf_prover_find(p, "event_hash", "event %" PRId64 " was altered, or one before it is missing", tf_field_number(doc, "_id"));
        if (bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "data.partitions", &at)) {
            bson_reinit(&seal);
            bson_concat(&seal, doc);
            found = true;
        }
    }
    if (got < 0)
        return false;
    if (!found) {
        tf_prover_find(p, "seal", "the closing event of the run is missing");
        return true;
    }
    int64_t backup = tf_field_number(&seal, "data.backup");
    if (backup != p->backed_up)
        tf_prover_find(p, "seal", "the closing event counts %" PRId64 " backed up documents, the batches %" PRId64, backup, p->backed_up);
    bson_iter_init(&iter, &seal);
    bson_iter_find_descendant(&iter, "data.partitions", &at);
    bson_iter_t mine;
    bool have = bson_iter_init(&mine, &p->ends) && bson_iter_next(&mine);
    if (bson_iter_recurse(&at, &item))
        while (bson_iter_next(&item)) {
            if (!bson_iter_recurse(&item, &field) || !bson_iter_find(&field, "hash"))
                continue; /* a partition without a batch */
            uint32_t n = 0, m = 0;
            const uint8_t *x = NULL, *y = NULL;
            bson_iter_document(&item, &n, &x);
            if (have)
                bson_iter_document(&mine, &m, &y);
            if (!have || n != m || memcmp(x, y, n) != 0) {
                tf_prover_find(p, "seal", "the batches do not end with the hash that the closing event carries");
                return true;
            }
            have = bson_iter_next(&mine);
        }
    if (have)
        tf_prover_find(p, "seal", "there are batches that the closing event does not know");
    return true;
}

bool tf_prover_coverage(tf_prover *p, tf_error *err)
{
    _cleanup_bson_ bson_t ends = BSON_INITIALIZER;
    int64_t theirs = 0;
    if (!p->run->down)
        return true;
    if (!tf_batch_record_ends(p->store, p->run->restores, &ends, &theirs, err))
        return false;
    if (p->handled < theirs)
        tf_prover_find(p, "coverage", "run %s had changed %" PRId64 " documents, its rollback dealt with %" PRId64, p->run->restores, theirs, p->handled);
    return true;
}

bool tf_prover_counts(tf_prover *p, bool finished, bool sealed, tf_error *err)
{
    if (finished && p->held != p->backed_up)
        tf_prover_find(p, "backup_count", "the backup holds %" PRId64 " documents, the batches count %" PRId64, p->held, p->backed_up);
    p->proof->documents = p->backed_up;
    p->proof->amount = p->moved_amount;
    return !sealed || prove_seal(p, err);
}

bool tf_prover_posting(tf_prover *p, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "add up the ledger");
    if (!p->lineage->repair->ledger.present)
        return true;
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(p->run->id), "}", "}", "1", "{", "$unwind", BCON_UTF8("$moved"), "}", "2", "{",
                 "$group", "{", "_id", BCON_NULL, "n", "{", "$sum", BCON_UTF8("$moved.n"), "}", "amount", "{", "$sum",
                 BCON_UTF8("$moved.amount"), "}", "}", "}");
    _cleanup_bson_ bson_t sum = BSON_INITIALIZER;
    if (tf_cursor_one(tf_op_aggregate(&op, tf_store_name(p->store, TF_LEDGER).text, pipeline, NULL), &op, &sum, err) < 0)
        return false;
    if (tf_field_number(&sum, "n") != p->moved || tf_field_number(&sum, "amount") != p->moved_amount)
        tf_prover_find(p, "ledger", "the ledger says that %" PRId64 " documents of %" PRId64 " were moved, the batches %" PRId64 " of %" PRId64,
             tf_field_number(&sum, "n"), tf_field_number(&sum, "amount"), p->moved, p->moved_amount);
    return true;
}
