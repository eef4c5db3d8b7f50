#include "engine/batch.h"

#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/stop.h"
#include "db/failure.h"
#include "engine/turn.h"
#include "store/batch.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

void tf_batch_init(tf_batch *b, tf_context *context, const tf_batch_kind *kind, tf_partition *partition)
{
    *b = (tf_batch){.context = context, .kind = kind, .partition = partition};
    bson_init(&b->ids);
    bson_init(&b->refused.items);
    bson_init(&b->overtaken.items);
    bson_init(&b->conflicts.items);
    bson_init(&b->recreated.items);
    b->moves = tf_tally_new(context->lineage->repair);
}

void tf_batch_done(tf_batch *b)
{
    tf_context_add_timings(b->context, &b->timings);
    bson_destroy(&b->ids);
    bson_destroy(&b->refused.items);
    bson_destroy(&b->overtaken.items);
    bson_destroy(&b->conflicts.items);
    bson_destroy(&b->recreated.items);
    tf_docs_done(&b->before);
    tf_docs_done(&b->wanted);
    tf_docs_done(&b->scratch);
    tf_tally_free(b->moves);
    tf_range_done(&b->range);
    tf_id_set(&b->next.cursor, &(bson_value_t){0});
    *b = (tf_batch){0};
}

void tf_batch_lap(tf_batch *b, int64_t *timing)
{
    int64_t now = tf_clock_us();
    if (timing)
        *timing += now - b->lap;
    b->lap = now;
}

static void left_clear(tf_left *left)
{
    bson_reinit(&left->items);
    left->count = 0;
}

void tf_batch_reset(tf_batch *b)
{
    tf_docs_clear(&b->before);
    tf_docs_clear(&b->wanted);
    tf_docs_clear(&b->scratch);
    b->matched = b->applied = b->gone = b->already = b->deleted = b->withheld = 0;
    left_clear(&b->refused);
    left_clear(&b->overtaken);
    left_clear(&b->conflicts);
    left_clear(&b->recreated);
    tf_tally_clear(b->moves);
}

void tf_left_add(tf_left *left, const bson_t *doc, const char *reason)
{
    bson_t item = BSON_INITIALIZER;
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, doc, "_id"))
        bson_append_iter(&item, "_id", 3, &iter);
    BSON_APPEND_UTF8(&item, "reason", reason);
    tf_array_append_document(&left->items, &left->count, &item);
    bson_destroy(&item);
}

tf_op tf_batch_op(const tf_batch *b, mongoc_client_session_t *session, const char *what)
{
    return (tf_op){.client = b->context->store.client,
                   .session = session,
                   .db = b->context->store.repaired,
                   .comment = b->comment,
                   .what = what};
}

bool tf_batch_link(tf_batch *b, tf_error *err)
{
    b->has_previous = b->partition->seq > 0;
    if (!b->has_previous)
        return true;
    tf_batch_record last = {0};
    int got = tf_batch_record_read(&b->context->store, b->context->run.id, b->partition->n, b->partition->seq, &last, err);
    if (got == 1)
        memcpy(b->previous, last.own, sizeof b->previous);
    tf_batch_record_done(&last);
    if (got == 0) {
        tf_error_set(err, TF_ERR_DAMAGED, "the record of batch %" PRId64 " of partition %d of run %s is missing",
                     b->partition->seq, b->partition->n, b->context->run.id);
        tf_error_hint(err, "docs/runbook.md, 'A damaged state database'.");
    }
    return got == 1;
}

static void append_counts(const tf_batch *b, bson_t *record)
{
    bson_t counts;
    BSON_APPEND_DOCUMENT_BEGIN(record, "counts", &counts);
    BSON_APPEND_INT64(&counts, "candidates", b->candidates);
    BSON_APPEND_INT64(&counts, "backed_up", (int64_t)b->before.count);
    BSON_APPEND_INT64(&counts, "applied", b->applied);
    BSON_APPEND_INT64(&counts, "gone", b->gone);
    BSON_APPEND_INT64(&counts, "overtaken", b->overtaken.count);
    BSON_APPEND_INT64(&counts, "refused", b->refused.count);
    if (b->context->run.down) {
        BSON_APPEND_INT64(&counts, "already", b->already);
        BSON_APPEND_INT64(&counts, "conflicts", b->conflicts.count + b->withheld);
        BSON_APPEND_INT64(&counts, "deleted", b->deleted);
        BSON_APPEND_INT64(&counts, "recreated", b->recreated.count);
    }
    bson_append_document_end(record, &counts);
}

bool tf_batch_write_record(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    _cleanup_bson_ bson_t record = BSON_INITIALIZER;
    uint8_t hash[32];
    tf_batch_record_begin(&record, b->context->run.id, b->partition->n, b->partition->seq + 1);
    tf_id_append(&record, "from", &b->range.after);
    tf_id_append(&record, "upto", &b->range.upto);
    append_counts(b, &record);
    BSON_APPEND_INT64(&record, "amount", tf_tally_amount(b->moves));
    BSON_APPEND_INT64(&record, "odd", tf_tally_odd(b->moves));
    tf_tally_append(b->moves, &record, "moves");
    if (b->refused.count)
        BSON_APPEND_ARRAY(&record, "refused", &b->refused.items);
    if (b->overtaken.count)
        BSON_APPEND_ARRAY(&record, "overtaken", &b->overtaken.items);
    if (b->conflicts.count)
        BSON_APPEND_ARRAY(&record, "conflicts", &b->conflicts.items);
    if (b->recreated.count)
        BSON_APPEND_ARRAY(&record, "recreated", &b->recreated.items);
    if (b->kind->describe)
        b->kind->describe(b, &record);
    tf_snapshot_hash(&b->before, hash);
    BSON_APPEND_BINARY(&record, "hash", BSON_SUBTYPE_BINARY, hash, sizeof hash);
    if (b->has_previous)
        BSON_APPEND_BINARY(&record, "previous", BSON_SUBTYPE_BINARY, b->previous, sizeof b->previous);
    tf_sha256_of(bson_get_data(&record), record.len, b->own);
    if (record.len > (16u << 20) - 1024) /* ids as large as documents: fewer of them */
        return tf_error_set(err, TF_ERR_TOO_LARGE, "the record of the batch would exceed 16 MB");
    return tf_batch_record_insert(&b->context->store, session, &record, err);
}

static void count_in(const tf_batch *b)
{
    tf_totals more = {.applied = b->applied,
                      .amount = tf_tally_amount(b->moves),
                      .batches = 1,
                      .refused = b->refused.count,
                      .gone = b->gone,
                      .overtaken = b->overtaken.count,
                      .already = b->already,
                      .conflicts = b->conflicts.count + b->withheld,
                      .deleted = b->deleted,
                      .recreated = b->recreated.count};
    tf_context_count(b->context, &more, b->candidates);
}

bool tf_batch_commit(tf_batch *b)
{
    if (!b->recorded)
        count_in(b);
    b->recorded = false;
    b->partition->seq++;
    tf_id_set(&b->partition->cursor, &b->next.cursor);
    b->partition->target_seq = b->next.target_seq;
    b->partition->target_done = b->next.target_done;
    b->has_previous = true;
    memcpy(b->previous, b->own, sizeof b->previous);
    b->vanished = b->conflicts_in_row = 0;
    return true;
}

bool tf_batch_may_go_on(const tf_batch *b, tf_error *err)
{
    if (b->context->heartbeat && !tf_heartbeat_ok(b->context->heartbeat, err))
        return false;
    if (tf_stop_level() >= 2)
        return tf_error_set(err, TF_ERR_INTERRUPTED, "stopped at once, in the middle of batch %s", b->comment);
    if (!b->until || tf_clock_ms() <= b->until)
        return true;
    tf_error_set(err, TF_ERR_SERVER, "batch %s takes longer than a transaction may", b->comment);
    if (err)
        err->server_code = TF_CODE_MAX_TIME_EXPIRED; /* as if the server had said so: a smaller batch is cut */
    return false;
}

void tf_batch_hint_vanished(const tf_batch *b, tf_error *err)
{
    tf_error_hint(err, "The connection was lost twice during batch %s; it is not sent a third time without you. Look at the "
                       "server's log, then resume.", b->comment);
}

void tf_batch_mark(tf_batch *b)
{
    snprintf(b->comment, sizeof b->comment, "tokenfix/%s/p%03d-%" PRId64, b->context->run.id, b->partition->n,
             b->partition->seq + 1);
    b->context->store.comment = b->comment;
}

static bool make(tf_batch *b, tf_error *err)
{
    tf_batch_mark(b);
    b->attempts = b->conflicts_met = 0;
    tf_batch_lap(b, NULL);
    bool ok = b->context->journal ? tf_journal_run(b, err) : tf_transaction_run(b, err);
    tf_batch_lap(b, &b->timings.commit);
    b->context->store.comment = b->context->comment;
    return ok && tf_batch_commit(b);
}

bool tf_batch_run(tf_batch *b, tf_error *err)
{
    tf_batch_lap(b, NULL);
    if (!tf_turn_take(b->context, err))
        return false;
    tf_batch_lap(b, &b->timings.wait);
    int64_t begun = tf_clock_ms();
    bool ok = make(b, err);
    int64_t took = tf_clock_ms() - begun;
    if (ok)
        tf_pace_note(&b->context->pace, b->candidates, took);
    tf_turn_give(b->context, took, b->attempts, b->conflicts_met);
    return ok;
}
