#include "engine/settle.h"

#include "backup/snapshot.h"
#include "engine/batch.h"
#include "engine/guard.h"

static bool gather(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    (void)session;
    return tf_snapshot_read_ids(&b->context->store, NULL, b->context->run.id, &b->ids, &b->before, err);
}

static bool write_nothing(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    (void)b;
    (void)session;
    (void)err;
    return true;
}

static bool check(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    (void)session;
    return tf_guard_check_settled(b, err);
}

static void describe(const tf_batch *b, bson_t *record)
{
    BSON_APPEND_BOOL(record, "settled", true);
    if (b->context->run.down) /* whose batch it had begun to give back */
        BSON_APPEND_INT64(record, "target_seq", b->next.target_done ? b->next.target_seq : b->next.target_seq + 1);
}

static const tf_batch_kind settle_kind = {
    .name = "settle", .gather = gather, .write = write_nothing, .check = check, .describe = describe};

static bool settle_partition(tf_context *of, tf_partition *partition, tf_error *err)
{
    tf_batch b;
    tf_batch_init(&b, of, &settle_kind, partition);
    bool ok = tf_batch_link(&b, err) && tf_journal_recover(&b, err);
    tf_batch_done(&b);
    return ok;
}

bool tf_settle_target(tf_context *context, tf_error *err)
{
    tf_context of = {.engine = context->engine, .store = context->store, .lineage = context->lineage->target, .journal = true};
    snprintf(of.comment, sizeof of.comment, "%s", context->comment);
    tf_partition *partitions = NULL;
    size_t count = 0;
    int got = tf_run_load(&context->store, context->run.restores, &of.run, err);
    if (got != 1)
        return got == 0 && tf_error_set(err, TF_ERR_DAMAGED, "run %s vanished from the state database", context->run.restores);
    bool ok = tf_partition_list(&of.store, of.run.id, &partitions, &count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = !partitions[i].intent || settle_partition(&of, &partitions[i], err);
    tf_partitions_free(partitions, count);
    tf_run_done(&of.run);
    return ok;
}
