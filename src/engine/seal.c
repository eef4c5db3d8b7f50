/* The proof of what the batches hang on: the closing event, the counts, the ledger's postings. */
#include "base/field.h"
#include "engine/prover.h"
#include "store/batch.h"
#include "store/trail.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static bool is_of_run(const tf_prover *p, const bson_t *event)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, event, "run") && BSON_ITER_HOLDS_UTF8(&iter) && strcmp(bson_iter_utf8(&iter, NULL), p->run->id) == 0;
}

/* Walks the trail, from where it begins today: the run's own events must stand where they were written. 1 and the newest of them
 * that seals in *seal, 0 where none does, -1. */
static int find_seal(tf_prover *p, const tf_anchor *anchor, bson_t *seal, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "read the events");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_event_find(p->store, NULL);
    const bson_t *doc = NULL;
    bson_iter_t iter, at;
    uint8_t previous[32], hash[32];
    bool first = anchor->upto.seq == 0;
    int got, found = 0;
    memcpy(previous, anchor->upto.hash, sizeof previous);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (tf_field_number(doc, "_id") <= anchor->upto.seq)
            continue; /* archived, and not removed yet */
        bool intact = tf_event_check(doc, first ? NULL : previous, hash);
        memcpy(previous, hash, sizeof previous);
        first = false;
        if (!is_of_run(p, doc))
            continue;
        if (!intact)
            tf_prover_find(p, "event_hash", "event %" PRId64 " was altered, or one before it is missing", tf_field_number(doc, "_id"));
        if (bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "data.partitions", &at)) {
            bson_reinit(seal);
            bson_concat(seal, doc);
            found = 1;
        }
    }
    return got < 0 ? -1 : found;
}

/* The hashes at the partitions' ends against those that the closing event carries. */
static void compare_seal(tf_prover *p, const bson_t *seal)
{
    bson_iter_t iter, at, item, field, mine;
    int64_t backup = tf_field_number(seal, "data.backup");
    if (backup != p->backed_up)
        tf_prover_find(p, "seal", "the closing event counts %" PRId64 " backed up documents, the batches %" PRId64, backup, p->backed_up);
    bson_iter_init(&iter, seal);
    bson_iter_find_descendant(&iter, "data.partitions", &at);
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
                return;
            }
            have = bson_iter_next(&mine);
        }
    if (have)
        tf_prover_find(p, "seal", "there are batches that the closing event does not know");
}

/* The archive says where the closing event is: that is no tampering, and nothing that could be compared here. */
static bool is_archived(const tf_prover *p, const tf_anchor *anchor)
{
    int64_t closing = tf_field_number(p->run->doc, "trail.seq");
    return closing > 0 && closing <= anchor->upto.seq;
}

static bool prove_seal(tf_prover *p, tf_error *err)
{
    _cleanup_bson_ bson_t seal = BSON_INITIALIZER;
    tf_anchor anchor;
    tf_error lost = {0};
    int got = tf_anchor_read(p->store, &anchor, &lost);
    if (got < 0 && lost.code != TF_ERR_DAMAGED) {
        *err = lost;
        return false;
    }
    if (got < 0) {
        tf_prover_find(p, "event_hash", "%s", lost.message);
        anchor = (tf_anchor){0};
    }
    got = find_seal(p, &anchor, &seal, err);
    if (got < 0)
        return false;
    if (got == 1)
        compare_seal(p, &seal);
    else if (is_archived(p, &anchor)) {
        p->proof->archived_upto = anchor.upto.seq;
        snprintf(p->proof->archive, sizeof p->proof->archive, "%s", anchor.file);
    } else
        tf_prover_find(p, "seal", "the closing event of the run is missing");
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
