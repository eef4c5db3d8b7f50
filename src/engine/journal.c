/* The journal strategy: no transaction; an intent that survives us, and writes guarded by what was backed up. */
#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/batch.h"
#include "engine/turn.h"
#include "store/batch.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

#ifdef TF_FAILPOINTS
static void point(const tf_batch *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.journal.%s", b->kind->name, name);
    TF_FAILPOINT(full);
}
#else
#define point(b, name) ((void)0)
#endif

/* {seq, ids, from, upto, cursor, target_seq, target_done}: all that is needed to take the batch up again */
static bool intend(tf_batch *b, tf_error *err)
{
    _cleanup_bson_ bson_t intent = BSON_INITIALIZER;
    BSON_APPEND_INT64(&intent, "seq", b->partition->seq + 1);
    BSON_APPEND_ARRAY(&intent, "ids", &b->ids);
    tf_id_append(&intent, "from", &b->range.after);
    tf_id_append(&intent, "upto", &b->range.upto);
    tf_id_append(&intent, "cursor", &b->next.cursor);
    BSON_APPEND_INT64(&intent, "target_seq", b->next.target_seq);
    BSON_APPEND_INT64(&intent, "target_done", b->next.target_done);
    if (!tf_partition_intend(&b->context->store, b->partition, &intent, err))
        return false;
    if (b->partition->intent)
        bson_destroy(b->partition->intent);
    b->partition->intent = bson_copy(&intent);
    return true;
}

/* A record that is there already is no refusal: a former owner came to it before us, or its answer was lost, or it is not to
 * be read yet. The next attempt finds it. */
static bool write_record(tf_batch *b, tf_error *err)
{
    tf_error one = {0};
    if (tf_batch_write_record(b, NULL, &one))
        return true;
    if (one.server_code == TF_CODE_DUPLICATE_KEY)
        one.labels |= TF_LABEL_RETRYABLE;
    *err = one;
    return false;
}

/* Whether the batch's last step was done, and only its answer lost. */
static bool was_advanced(const tf_batch *b, bool *advanced, tf_error *err)
{
    tf_partition fresh = {0};
    snprintf(fresh.id, sizeof fresh.id, "%s", b->partition->id);
    bool ok = tf_partition_read(&b->context->store, &fresh, err);
    *advanced = ok && fresh.seq == b->partition->seq + 1 && fresh.fence == b->partition->fence;
    tf_partition_done(&fresh);
    return ok;
}

static bool steps(tf_batch *b, tf_error *err)
{
    tf_context *context = b->context;
    tf_batch_record found = {0};
    tf_batch_reset(b);
    point(b, "before_gather");
    if (b->recovering) {
        bool advanced = false;
        if (!was_advanced(b, &advanced, err))
            return false;
        if (!advanced && !intend(b, err)) /* its answer may be what was lost */
            return false;
        int got = tf_batch_record_read(&context->store, context->run.id, b->partition->n, b->partition->seq + 1, &found, err);
        if (got == 1)
            memcpy(b->own, found.own, sizeof b->own);
        tf_batch_record_done(&found);
        if (got < 0)
            return false;
        b->recorded = got == 1; /* died between record and cursor: only the cursor is missing */
        if (b->recorded && advanced)
            return true;
        if (b->recorded)
            return tf_partition_advance(&context->store, b->partition, &b->next, NULL, err);
    }
    tf_batch_lap(b, &b->timings.commit);
    if (!tf_batch_may_go_on(b, err) || !b->kind->gather(b, NULL, err))
        return false;
    tf_batch_lap(b, &b->timings.find);
    point(b, "before_backup");
    if (!b->recovering && !tf_snapshot_insert(&context->store, NULL, context->run.id, &b->before, err))
        return false;
    tf_batch_lap(b, &b->timings.backup);
    point(b, "after_backup");
    if (!tf_batch_may_go_on(b, err) || !b->kind->write(b, NULL, err))
        return false;
    tf_batch_lap(b, &b->timings.update);
    point(b, "after_write");
    if (!tf_batch_may_go_on(b, err) || !b->kind->check(b, NULL, err))
        return false;
    tf_batch_lap(b, &b->timings.check);
    point(b, "before_record");
    if (!write_record(b, err))
        return false;
    point(b, "after_record");
    if (!tf_partition_advance(&context->store, b->partition, &b->next, NULL, err))
        return false;
    point(b, "after_advance");
    return true;
}

/* From the intent on every step may be repeated: with the intent in place a second attempt is a recovery. */
static bool steps_until_done(tf_batch *b, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (steps(b, &one)) {
            if (b->partition->intent)
                bson_destroy(b->partition->intent);
            b->partition->intent = NULL;
            return true;
        }
        if ((one.labels & TF_LABEL_NETWORK) && !(one.labels & TF_LABEL_SELECTION))
            b->vanished++;
        bool again = tf_failure_is_transient(&one) || one.server_code == TF_CODE_MAX_TIME_EXPIRED ||
                     (one.server_code == TF_CODE_DUPLICATE_KEY && !b->recovering);
        if (one.code == TF_ERR_LEASE_LOST || !again || b->vanished >= 2 || tf_clock_ms() > give_up || tf_stop_level() >= 2) {
            if (again && one.code != TF_ERR_LEASE_LOST)
                one.code = TF_ERR_TRANSIENT;
            if (b->vanished >= 2) {
                one.hint[0] = '\0';
                tf_batch_hint_vanished(b, &one);
            }
            *err = one;
            return false;
        }
        b->recovering = true;
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
        tf_batch_lap(b, &b->timings.wait);
    }
}

bool tf_journal_run(tf_batch *b, tf_error *err)
{
    point(b, "before_intent");
    b->recovering = false;
    if (!intend(b, err))
        return false;
    point(b, "after_intent");
    bool ok = steps_until_done(b, err);
    b->attempts = 1;
    b->conflicts_met = b->overtaken.count > 0; /* conflicts themselves it never sees: the server tries again */
    return ok;
}

bool tf_journal_recover(tf_batch *b, tf_error *err)
{
    const bson_t *intent = b->partition->intent;
    bson_iter_t iter;
    tf_batch_mark(b);
    bson_reinit(&b->ids);
    b->candidates = 0;
    if (bson_iter_init_find(&iter, intent, "ids")) {
        uint32_t length, n = 0;
        const uint8_t *data;
        bson_t ids;
        bson_iter_t id;
        bson_iter_array(&iter, &length, &data);
        if (bson_init_static(&ids, data, length) && bson_iter_init(&id, &ids))
            while (bson_iter_next(&id))
                tf_array_append_value(&b->ids, &n, bson_iter_value(&id));
        b->candidates = n;
    }
    tf_id_read(intent, "from", &b->range.after);
    tf_id_read(intent, "upto", &b->range.upto);
    tf_id_read(intent, "cursor", &b->next.cursor);
    b->next.target_seq = bson_iter_init_find(&iter, intent, "target_seq") ? bson_iter_as_int64(&iter) : 0;
    b->next.target_done = bson_iter_init_find(&iter, intent, "target_done") ? bson_iter_as_int64(&iter) : 0;
    if (!tf_turn_take(b->context, err))
        return false;
    b->recovering = true;
    bool ok = (!b->kind->prepare || b->kind->prepare(b, err)) && steps_until_done(b, err);
    b->recovering = false;
    tf_turn_give(b->context, 0, 1, 0);
    b->context->store.comment = b->context->comment;
    return ok && tf_batch_commit(b);
}
