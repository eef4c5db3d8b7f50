/* The common `up`: walks the partitions and repairs batch by batch. */
#include "backup/snapshot.h"
#include "base/clock.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/batch.h"
#include "engine/guard.h"
#include "engine/invariant.h"
#include "engine/walk.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* ---- gather ---- */

static void screen(tf_batch *b)
{
    const tf_repair *repair = b->context->lineage->repair;
    for (size_t i = 0; i < b->scratch.count; i++) {
        bson_t doc;
        tf_docs_view(&b->scratch, i, &doc);
        const char *refusal = tf_snapshot_refusal(repair, &doc);
        if (refusal)
            tf_left_add(&b->refused, &doc, refusal);
        else
            tf_docs_add(&b->before, &doc);
    }
}

/* What an interrupted journal batch has backed up already, joined with what it had not come to yet. */
static bool gather_again(tf_batch *b, tf_error *err)
{
    tf_context *context = b->context;
    tf_docs saved = {0}, missing = {0};
    bool ok = tf_snapshot_read_ids(&context->store, NULL, context->run.id, &b->ids, &saved, err);
    for (size_t i = 0; ok && i < b->before.count; i++) {
        bson_t doc;
        tf_docs_view(&b->before, i, &doc);
        if (tf_docs_find_id(&saved, &doc, i) < 0)
            tf_docs_add(&missing, &doc);
    }
    ok = ok && tf_snapshot_insert(&context->store, NULL, context->run.id, &missing, err) &&
         tf_snapshot_read_ids(&context->store, NULL, context->run.id, &b->ids, &b->before, err);
    tf_docs_done(&saved);
    tf_docs_done(&missing);
    return ok;
}

static bool read_candidates(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    const tf_walk *walk = b->arg; /* NULL: what an intent names */
    if (walk && !b->recovering && tf_walk_docs(walk, (size_t)b->candidates, &b->scratch))
        return true;
    return tf_snapshot_read_current(&b->context->store, session, repair->collection, &b->ids, &repair->filter, &b->scratch, err);
}

static bool gather(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    if (!read_candidates(b, session, err))
        return false;
    screen(b);
    tf_docs_clear(&b->scratch); /* large documents: not kept while they are written */
    if (b->recovering && !gather_again(b, err))
        return false;
    b->gone = b->candidates - (int64_t)b->before.count - b->refused.count;
    return true;
}

/* ---- write ---- */

static bool write_all(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    tf_op op = tf_batch_op(b, session, "repair the documents");
    op.max_time_ms = 20000;
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER, conditions = BSON_INITIALIZER, update = BSON_INITIALIZER;
    uint32_t n = 0;
    if (b->before.count == 0)
        return true;
    tf_docs_append_ids(&b->before, &ids);
    tf_id_append_in(&conditions, &n, &ids);
    tf_array_append_document(&conditions, &n, &repair->filter);
    tf_repair_bind_update(repair, b->context->lineage->run_started, &update);
    _cleanup_(bson_destroyp) bson_t *statements = BCON_NEW("0", "{", "q", "{", "$and", BCON_ARRAY(&conditions), "}", "u",
                                                           BCON_ARRAY(&update), "multi", BCON_BOOL(true), "hint", "{", "_id",
                                                           BCON_INT32(1), "}", "}");
    if (!tf_gate_update(&b->context->gate, &op, repair->collection, statements, true, &b->matched, err))
        return false;
    if (b->matched == (int64_t)b->before.count)
        return true;
    return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: %zu %ss were backed up, but the update met %" PRId64,
                        b->before.count, repair->noun, b->matched);
}

static bool change(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    return session ? write_all(b, session, err) : tf_guard_apply(b, err);
}

/* ---- check ---- */

static void project(const tf_batch *b, bson_t *projection)
{
    const tf_lineage *lineage = b->context->lineage;
    BSON_APPEND_INT32(projection, "_id", 1);
    tf_tally_project(lineage->repair, projection);
    tf_invariant_project(lineage, projection);
}

/* The after-images, in the order of _id, beside the pre-images. */
static bool check(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    if (!session)
        return tf_guard_check_applied(b, err);
    if (b->before.count == 0)
        return true;
    tf_op op = tf_batch_op(b, session, "look at the repaired documents");
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER, projection = BSON_INITIALIZER;
    tf_docs_append_ids(&b->before, &ids);
    project(b, &projection);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", BCON_DOCUMENT(&projection),
                                                     "batchSize", BCON_INT64(INT32_MAX));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, repair->collection, filter, opts);
    const bson_t *image = NULL;
    size_t i = 0;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &image, err)) == 1 && i < b->before.count) {
        bson_t before;
        tf_docs_view(&b->before, i++, &before);
        if (!tf_invariant_holds(repair, image, err))
            return tf_error_hint(err, "The migration is wrong or the data is not what it expects; nothing of this batch was kept.");
        if (!tf_tally_add(b->moves, &before, image, err))
            return false;
    }
    if (got < 0)
        return false;
    b->applied = (int64_t)i;
    if (i == b->before.count)
        return true;
    return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: %zu %ss were repaired, but %zu are there", b->before.count,
                        repair->noun, i);
}

const tf_batch_kind tf_apply_kind = {.name = "up", .gather = gather, .write = change, .check = check};

/* ---- the walk ---- */

static bool batch_from_walk(tf_batch *b, tf_walk *walk, size_t count)
{
    bson_reinit(&b->ids);
    b->candidates = (int64_t)tf_walk_ids(walk, count, &b->ids, &b->range.upto);
    tf_id_set(&b->range.after, &b->partition->cursor);
    if (tf_id_is_open(&b->range.after))
        tf_id_set(&b->range.after, &b->partition->bounds.after);
    tf_id_set(&b->next.cursor, &b->range.upto);
    return b->candidates > 0;
}

static bool walk_partition(tf_context *context, tf_partition *partition, tf_error *err)
{
    _cleanup_(tf_walk_closep) tf_walk *walk = tf_walk_open(context, partition);
    tf_batch b;
    tf_batch_init(&b, context, &tf_apply_kind, partition);
    bool ok = tf_batch_link(&b, err) && (!partition->intent || tf_journal_recover(&b, err));
    b.arg = walk;
    while (ok && !partition->finished) {
        if (!(ok = tf_context_may_go_on(context, err)))
            break;
        size_t want = context->pace.limit;
        if (context->canary_left == 0)
            ok = tf_error_set(err, TF_ERR_INTERRUPTED, "stopped after the canary of %" PRId64 " %ss", context->engine->settings.canary,
                              context->lineage->repair->noun);
        else if (context->canary_left > 0 && (int64_t)want > context->canary_left)
            want = (size_t)context->canary_left;
        tf_batch_lap(&b, NULL);
        if (!ok || !(ok = tf_walk_fill(walk, want, err)))
            break;
        tf_batch_lap(&b, &b.timings.find);
        if (!batch_from_walk(&b, walk, want)) {
            ok = tf_partition_finish(&context->store, partition, err);
            break;
        }
        tf_error one = {0};
        if (tf_batch_run(&b, &one)) {
            tf_walk_drop(walk, (size_t)b.candidates);
        } else if (one.code == TF_ERR_TOO_LARGE && context->pace.limit < (size_t)b.candidates)
            continue; /* cut again, smaller */
        else {
            *err = one;
            ok = false;
        }
    }
    tf_batch_done(&b);
    return ok;
}

/* A partition that was lost would be a part of the collection that nobody repairs. */
static bool all_are_there(const tf_context *context, size_t count, tf_error *err)
{
    bson_iter_t iter, bounds;
    size_t planned = 1;
    if (!bson_iter_init_find(&iter, context->run.doc, "bounds") || !bson_iter_recurse(&iter, &bounds))
        return true; /* just planned: the run was read before its bounds were stored */
    while (bson_iter_next(&bounds))
        planned++;
    if (planned == count)
        return true;
    tf_error_set(err, TF_ERR_DAMAGED, "run %s has %zu of its %zu partitions left", context->run.id, count, planned);
    return tf_error_hint(err, "docs/runbook.md, 'A damaged state database'.");
}

bool tf_repair_apply(tf_context *context, const tf_repair *repair, tf_error *err)
{
    if (!bson_equal(repair->doc, context->lineage->repair->doc))
        return tf_error_set(err, TF_ERR_INTERNAL, "up must apply the repair that is stored in the run");
    tf_partition *partitions = NULL;
    size_t count = 0;
    if (!tf_partition_list(&context->store, context->run.id, &partitions, &count, err))
        return false;
    bool ok = all_are_there(context, count, err) && tf_context_share(context, partitions, count, false, walk_partition, err);
    tf_partitions_free(partitions, count);
    return ok;
}
