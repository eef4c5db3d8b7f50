#include "engine/planning.h"

#include "base/failpoint.h"
#include "check/balance.h"
#include "db/collection.h"
#include "db/failure.h"
#include "engine/note.h"
#include "engine/settle.h"
#include "engine/split.h"
#include "store/batch.h"

#include <tokenfix/cleanup.h>

static bool write_partitions(tf_context *context, const tf_partition *partitions, size_t count, tf_error *err)
{
    tf_partition *there = NULL;
    size_t have = 0;
    if (!tf_partition_list(&context->store, context->run.id, &there, &have, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        bool exists = false;
        for (size_t k = 0; k < have; k++)
            exists = exists || there[k].n == partitions[i].n;
        tf_error one = {0};
        ok = exists || tf_partition_create(&context->store, context->run.id, &partitions[i], 1, context->run.fence, &one);
        if (!ok && one.server_code == TF_CODE_DUPLICATE_KEY) { /* not there when we looked */
            one = (tf_error){0};
            tf_error_set(&one, TF_ERR_LEASE_LOST, "run %s was taken over by another process", context->run.id);
        }
        if (!ok)
            *err = one;
        TF_FAILPOINT("plan.between_partitions");
    }
    tf_partitions_free(there, have);
    return ok;
}

/* The inner bounds are kept in the run before the first partition is written: a planning that is done again cuts alike. */
static bool stored_bounds(tf_context *context, bson_t *bounds, tf_error *err)
{
    bson_iter_t iter;
    uint32_t length;
    const uint8_t *data;
    bson_t view;
    if (bson_iter_init_find(&iter, context->run.doc, "bounds") && BSON_ITER_HOLDS_ARRAY(&iter)) {
        bson_iter_array(&iter, &length, &data);
        bson_init_static(&view, data, length);
        bson_concat(bounds, &view);
        return true;
    }
    int64_t batch = context->batch_size ? context->batch_size : 1000;
    if (!tf_split_bounds(context->engine, context->lineage->repair, context->planned, batch, context->workers, bounds, err))
        return false;
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("bounds", BCON_ARRAY(bounds));
    return tf_run_set(&context->store, &context->run, set, err);
}

static bool plan_up_partitions(tf_context *context, tf_error *err)
{
    _cleanup_bson_ bson_t bounds = BSON_INITIALIZER;
    if (!stored_bounds(context, &bounds, err))
        return false;
    size_t count = bson_count_keys(&bounds) + 1;
    tf_partition *partitions = bson_malloc0(count * sizeof *partitions);
    bson_iter_t iter, value;
    size_t i = 0;
    if (bson_iter_init(&iter, &bounds))
        while (bson_iter_next(&iter) && i + 1 < count)
            if (bson_iter_recurse(&iter, &value) && bson_iter_find(&value, "v")) {
                tf_id_set(&partitions[i].bounds.upto, bson_iter_value(&value));
                tf_id_set(&partitions[i + 1].bounds.after, bson_iter_value(&value));
                i++;
            }
    for (size_t k = 0; k < count; k++)
        partitions[k].n = (int32_t)k;
    bool ok = write_partitions(context, partitions, count, err);
    tf_partitions_free(partitions, count);
    return ok;
}

/* Where partitions of the target were lost, its batch records still say what is to be given back: nothing is left out. */
static bool add_recorded(tf_context *context, tf_partition **partitions, size_t *count, tf_error *err)
{
    _cleanup_bson_ bson_t ends = BSON_INITIALIZER;
    bson_iter_t iter, n, seq;
    int64_t ignored;
    if (!tf_batch_record_ends(&context->store, context->run.restores, &ends, &ignored, err))
        return false;
    for (bool more = bson_iter_init(&iter, &ends); more && bson_iter_next(&iter);) {
        size_t i = 0;
        if (!bson_iter_recurse(&iter, &n) || !bson_iter_find(&n, "n") || !bson_iter_recurse(&iter, &seq) || !bson_iter_find(&seq, "seq"))
            continue;
        while (i < *count && (*partitions)[i].n != bson_iter_int32(&n))
            i++;
        if (i == *count) {
            *partitions = bson_realloc(*partitions, (*count + 1) * sizeof **partitions);
            (*partitions)[(*count)++] = (tf_partition){.n = bson_iter_int32(&n)};
        }
        if ((*partitions)[i].target_seq < bson_iter_int64(&seq))
            (*partitions)[i].target_seq = bson_iter_int64(&seq);
    }
    return true;
}

/* One for each partition of the target: its batches are counted downwards. */
static bool plan_down_partitions(tf_context *context, tf_error *err)
{
    tf_partition *targets = NULL;
    size_t count = 0;
    if (!tf_settle_target(context, err))
        return false;
    if (!tf_partition_list(&context->store, context->run.restores, &targets, &count, err))
        return false;
    tf_partition *partitions = bson_malloc0((count + 1) * sizeof *partitions);
    for (size_t i = 0; i < count; i++) {
        partitions[i].n = targets[i].n;
        partitions[i].target_seq = targets[i].seq;
    }
    size_t targets_count = count;
    bool ok = add_recorded(context, &partitions, &count, err) && write_partitions(context, partitions, count, err);
    tf_partitions_free(partitions, count);
    tf_partitions_free(targets, targets_count);
    return ok;
}

/* A batch is a range of _ids, in the backup too: both collections must have the same order. A down goes by the ranges of
 * the backup that it gives back. */
static bool create_backup(const tf_context *context, tf_error *err)
{
    const tf_store *store = &context->store;
    tf_op op = tf_store_op(store, NULL, "read the collation");
    tf_name target = tf_store_backup_name(store, context->run.restores);
    tf_collection collection;
    if (!context->run.down)
        op.db = store->repaired;
    bool ok = tf_collection_read(&op, context->run.down ? target.text : context->lineage->repair->collection, &collection, err) &&
              tf_store_create_backup(store, context->run.id, &collection.collation, err);
    tf_collection_done(&collection);
    return ok;
}

bool tf_planning_run(tf_context *context, tf_error *err)
{
    const tf_engine *engine = context->engine;
    int64_t accounts = 0;
    if (engine->observer.progress)
        engine->observer.progress(engine->observer.arg, "ledger", 0, 0);
    TF_FAILPOINT("plan.before_ledger");
    if (!tf_balance_record(&context->store, context->lineage->repair, context->run.id, &accounts, err))
        return false;
    TF_FAILPOINT("plan.after_ledger");
    if (!create_backup(context, err))
        return false;
    TF_FAILPOINT("plan.after_backup_collection");
    if (!(context->run.down ? plan_down_partitions(context, err) : plan_up_partitions(context, err)))
        return false;
    TF_FAILPOINT("plan.before_running");
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("planned", BCON_BOOL(true));
    tf_note_place(context, set);
    if (!tf_run_transition(&context->store, &context->run, TF_STATE_RUNNING, true, set, NULL, err))
        return false;
    TF_FAILPOINT("plan.after_running");
    return true;
}
