/* The common `down`: gives back what a run had changed, newest batch first, conflicts left alone. */
#include "backup/delta.h"
#include "backup/restoration.h"
#include "backup/snapshot.h"
#include "base/clock.h"
#include "engine/batch.h"
#include "engine/guard.h"
#include "store/batch.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* One batch of the run that is taken back: its documents as they were, and as that run left them. */
typedef struct unit {
    int64_t seq; /* of the target's batch; 0: none loaded */
    tf_batch_record record;
    tf_docs original, predicted;
    size_t from, to; /* the part that the current batch gives back */
    char refusal[320]; /* not empty: the batch is damaged, and none of it is given back */
} unit;

static void unit_done(unit *u)
{
    tf_batch_record_done(&u->record);
    tf_docs_done(&u->original);
    tf_docs_done(&u->predicted);
}

/* A damaged batch is left alone as a whole, and said so; the others are given back. */
static bool refuse(const tf_batch *b, unit *u, int64_t seq, const char *what)
{
    snprintf(u->refusal, sizeof u->refusal, "batch %" PRId64 " of partition %d of run %s: %s", seq, b->partition->n,
             b->context->run.restores, what);
    tf_docs_clear(&u->original);
    tf_docs_clear(&u->predicted);
    u->seq = seq;
    return true;
}

/* Reads and proves the batch: what is given back must be what was taken. */
static bool unit_load(tf_batch *b, unit *u, int64_t seq, tf_error *err)
{
    const tf_context *context = b->context;
    const tf_lineage *target = context->lineage->target;
    uint8_t hash[32];
    if (u->seq == seq)
        return true;
    u->seq = 0;
    u->refusal[0] = '\0';
    tf_batch_record_done(&u->record);
    int got = tf_batch_record_read(&context->store, target->run, b->partition->n, seq, &u->record, err);
    if (got < 0)
        return false;
    if (got == 0)
        return refuse(b, u, seq, "its record is missing");
    tf_docs_clear(&u->original);
    if (u->record.backed_up > 0 && !tf_snapshot_read_range(&context->store, target->run, &u->record.range, &u->original, err))
        return false;
    if ((int64_t)u->original.count != u->record.backed_up) {
        char what[160];
        snprintf(what, sizeof what, "its backup holds %zu documents instead of %" PRId64, u->original.count, u->record.backed_up);
        return refuse(b, u, seq, what);
    }
    tf_snapshot_hash(&u->original, hash);
    if (memcmp(hash, u->record.hash, sizeof hash) != 0)
        return refuse(b, u, seq, "its backup was altered, the hash differs");
    tf_error lost = {0};
    if (!tf_lineage_predict(&context->store, target, &u->original, &u->predicted, &lost)) {
        if (lost.code == TF_ERR_DAMAGED) /* a backup further back in the lineage */
            return refuse(b, u, seq, lost.message);
        *err = lost;
        return false;
    }
    u->seq = seq;
    return true;
}

/* ---- gather ---- */

/* Backs up what stands there and puts `wanted` in its place, if the server survives that. */
static void take_back(tf_batch *b, const bson_t *now, const bson_t *wanted)
{
    const char *refusal = tf_snapshot_refusal(b->context->lineage->repair, now);
    if (!refusal && !tf_delta_is_safe(now, wanted))
        refusal = "a field that occurs twice, in a place where the server cannot write it";
    if (refusal) {
        tf_left_add(&b->conflicts, now, refusal);
        return;
    }
    tf_docs_add(&b->before, now);
    tf_docs_add(&b->wanted, wanted);
}

static void decide(tf_batch *b, const bson_t *now, const bson_t *original, const bson_t *predicted)
{
    const tf_repair *repair = b->context->lineage->repair;
    char reason[200];
    switch (tf_restoration_decide(repair, now, original, predicted, b->context->lineage->fields_policy, reason, sizeof reason)) {
    case TF_RESTORE_EXACT:
        take_back(b, now, original);
        break;
    case TF_RESTORE_FIELDS: {
        _cleanup_bson_ bson_t merged = BSON_INITIALIZER;
        tf_restoration_merge(repair, now, original, predicted, &merged);
        take_back(b, now, &merged);
        break;
    }
    case TF_RESTORE_ALREADY:
        b->already++;
        break;
    case TF_RESTORE_CONFLICT:
        tf_left_add(&b->conflicts, now, reason);
        break;
    }
}

/* A document that is no longer there. */
static bool missing(tf_batch *b, mongoc_client_session_t *session, const bson_t *original, tf_error *err)
{
    if (!b->context->run.recreate_deleted) {
        b->deleted++;
        tf_left_add(&b->conflicts, original, "deleted since");
        return true;
    }
    tf_op op = tf_batch_op(b, session, "create a deleted document again");
    const bson_t *docs[] = {original};
    if (!tf_gate_insert(&b->context->gate, &op, b->context->lineage->repair->collection, docs, 1, err))
        return false;
    tf_left_add(&b->recreated, original, "deleted since");
    return tf_tally_create(b->moves, original, err);
}

static bool gather(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    const tf_context *context = b->context;
    unit *u = b->arg;
    tf_docs saved = {0};
    size_t at = 0;
    if (u->refusal[0]) {
        _cleanup_bson_ bson_t nobody = BSON_INITIALIZER;
        tf_left_add(&b->conflicts, &nobody, u->refusal);
        b->withheld = u->record.backed_up > 0 ? u->record.backed_up - 1 : 0; /* the item above counts for one */
        return true;
    }
    bool ok = tf_snapshot_read_current(&context->store, session, context->lineage->repair->collection, &b->ids, NULL, &b->scratch,
                                       err);
    if (ok && b->recovering)
        ok = tf_snapshot_read_ids(&context->store, NULL, context->run.id, &b->ids, &saved, err);
    for (size_t i = u->from; ok && i < u->to; i++) {
        bson_t original, predicted;
        tf_docs_view(&u->original, i, &original);
        tf_docs_view(&u->predicted, i, &predicted);
        long s = b->recovering ? tf_docs_find_id(&saved, &original, i - u->from) : -1;
        long k = tf_docs_find_id(&b->scratch, &original, at);
        if (s >= 0) { /* backed up before we died: what stood there then decides */
            bson_t then;
            tf_docs_view(&saved, (size_t)s, &then);
            decide(b, &then, &original, &predicted);
        } else if (k >= 0) {
            bson_t now;
            tf_docs_view(&b->scratch, (size_t)k, &now);
            at = (size_t)k + 1;
            decide(b, &now, &original, &predicted);
        } else
            ok = missing(b, session, &original, err);
    }
    if (ok && b->recovering) { /* only what is not saved yet goes into the backup */
        tf_docs fresh = {0};
        for (size_t i = 0; i < b->before.count; i++) {
            bson_t doc;
            tf_docs_view(&b->before, i, &doc);
            if (tf_docs_find_id(&saved, &doc, i) < 0)
                tf_docs_add(&fresh, &doc);
        }
        ok = tf_snapshot_insert(&context->store, NULL, context->run.id, &fresh, err);
        tf_docs_done(&fresh);
    }
    tf_docs_done(&saved);
    tf_docs_clear(&b->scratch); /* large documents: not kept while they are written */
    return ok;
}

/* ---- write, check ---- */

static bool change(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    if (!tf_guard_restore(b, session, err))
        return false;
    if (session && b->matched != (int64_t)b->before.count)
        return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: %zu documents were to be given back, %" PRId64 " were met",
                            b->before.count, b->matched);
    return true;
}

static bool check(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    if (!session)
        return tf_guard_check_restored(b, err);
    if (b->before.count == 0)
        return true;
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    tf_docs_append_ids(&b->before, &ids);
    if (!tf_snapshot_read_current(&b->context->store, session, b->context->lineage->repair->collection, &ids, NULL, &b->scratch, err))
        return false;
    if (b->scratch.length != b->wanted.length || memcmp(b->scratch.data, b->wanted.data, b->wanted.length) != 0)
        return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: what was given back is not byte for byte what was backed up");
    for (size_t i = 0; i < b->before.count; i++) {
        bson_t now, wanted;
        tf_docs_view(&b->before, i, &now);
        tf_docs_view(&b->wanted, i, &wanted);
        if (!tf_tally_add(b->moves, &now, &wanted, err))
            return false;
    }
    b->applied = (int64_t)b->before.count;
    return true;
}

static void describe(const tf_batch *b, bson_t *record)
{
    const unit *u = b->arg;
    BSON_APPEND_INT64(record, "target_seq", u->seq);
}

/* ---- the walk, downwards ---- */

static void id_at(const unit *u, size_t i, bson_value_t *out)
{
    bson_t doc;
    tf_docs_view(&u->original, i, &doc);
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, &doc, "_id"))
        tf_id_set(out, bson_iter_value(&iter));
}

/* Sets b up for the documents [from, to) of the unit. */
static void cut(tf_batch *b, unit *u, size_t from, size_t to)
{
    uint32_t n = 0;
    bson_reinit(&b->ids);
    if (u->refusal[0]) /* nothing of it is held, however far it had come */
        from = to = 0;
    u->from = from;
    u->to = to;
    for (size_t i = from; i < to; i++) {
        bson_t doc;
        tf_docs_view(&u->original, i, &doc);
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, &doc, "_id"))
            tf_array_append_value(&b->ids, &n, bson_iter_value(&iter));
    }
    b->candidates = n;
    bool last = to == u->original.count;
    tf_id_set(&b->range.after, &u->record.range.after);
    if (from > 0)
        id_at(u, from - 1, &b->range.after);
    tf_id_set(&b->range.upto, &u->record.range.upto);
    if (!last)
        id_at(u, to - 1, &b->range.upto);
    if (!u->record.doc) { /* without its record nothing is known of its range: the empty one */
        tf_id_set(&b->range.after, &(bson_value_t){.value_type = BSON_TYPE_MINKEY});
        tf_id_set(&b->range.upto, &(bson_value_t){.value_type = BSON_TYPE_MINKEY});
    }
    b->next.target_seq = last ? u->seq - 1 : u->seq;
    b->next.target_done = last ? 0 : (int64_t)to;
}

/* A recovery: the unit and the part of it that the intent speaks of. The intent says where the partition was to stand
 * behind it; before it, batches that changed nothing may have been passed over. */
static bool prepare(tf_batch *b, tf_error *err)
{
    unit *u = b->arg;
    bool rest = b->next.target_done == 0; /* it reached the end of its unit */
    if (!unit_load(b, u, rest ? b->next.target_seq + 1 : b->next.target_seq, err))
        return false;
    size_t to = rest ? u->original.count : (size_t)b->next.target_done, count = (size_t)b->candidates;
    if (u->refusal[0])
        to = count = 0;
    if (to > u->original.count || count > to)
        return tf_error_set(err, TF_ERR_DAMAGED, "the intent of partition %s does not fit its batch %" PRId64, b->partition->id, u->seq);
    cut(b, u, to - count, to);
    return true;
}

const tf_batch_kind tf_restore_kind = {
    .name = "down", .prepare = prepare, .gather = gather, .write = change, .check = check, .describe = describe};

static bool restore_partition(tf_context *context, tf_partition *partition, tf_error *err)
{
    unit u = {0};
    tf_batch b;
    tf_batch_init(&b, context, &tf_restore_kind, partition);
    b.arg = &u;
    bool ok = tf_batch_link(&b, err) && (!partition->intent || tf_journal_recover(&b, err));
    while (ok && partition->target_seq > 0) {
        tf_batch_lap(&b, NULL);
        if (!(ok = tf_context_may_go_on(context, err) && unit_load(&b, &u, partition->target_seq, err)))
            break;
        tf_batch_lap(&b, &b.timings.find);
        size_t from = u.refusal[0] ? 0 : (size_t)partition->target_done;
        if (from > u.original.count) {
            ok = tf_error_set(err, TF_ERR_DAMAGED, "partition %s is further than the end of its batch %" PRId64, partition->id, u.seq);
            break;
        }
        size_t left = u.original.count - from, most = context->pace.limit;
        if (left == 0 && !u.refusal[0]) { /* a batch that changed nothing */
            partition->target_seq--;
            partition->target_done = 0;
            continue;
        }
        cut(&b, &u, from, from + (left < most ? left : most));
        tf_error one = {0};
        if (tf_batch_run(&b, &one) || (one.code == TF_ERR_TOO_LARGE && context->pace.limit < (size_t)b.candidates))
            continue;
        *err = one;
        ok = false;
    }
    ok = ok && tf_partition_finish(&context->store, partition, err);
    tf_batch_done(&b);
    unit_done(&u);
    return ok;
}

bool tf_repair_restore(tf_context *context, tf_error *err)
{
    tf_partition *partitions = NULL;
    size_t count = 0;
    if (!tf_partition_list(&context->store, context->run.id, &partitions, &count, err))
        return false;
    bool ok = tf_context_share(context, partitions, count, true, restore_partition, err);
    tf_partitions_free(partitions, count);
    return ok;
}
