/* The proof of the batches: each against the chain, the backup and what stands there today. */
#include "engine/prover.h"

#include "backup/snapshot.h"
#include "base/field.h"
#include "store/batch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

enum { LISTED = 100 };

void tf_prover_find(tf_prover *p, const char *check, const char *format, ...)
{
    char text[300], buffer[16];
    const char *key;
    va_list args;
    uint32_t n = bson_count_keys(p->proof->findings);
    if (n >= LISTED)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bson_uint32_to_string(n, &key, buffer, sizeof buffer);
    BCON_APPEND(p->proof->findings, key, "{", "check", BCON_UTF8(check), "message", BCON_UTF8(text), "}");
}

void tf_prover_list(bson_t *list, const bson_t *doc)
{
    bson_iter_t iter;
    char buffer[16];
    const char *key;
    uint32_t n = bson_count_keys(list);
    size_t length = bson_uint32_to_string(n, &key, buffer, sizeof buffer);
    if (n < LISTED && bson_iter_init_find(&iter, doc, "_id"))
        bson_append_iter(list, key, (int)length, &iter);
}

/* Whether the record lists this document as overtaken: the journal backed it up but did not change it. */
static bool is_overtaken(const tf_batch_record *record, const bson_t *doc)
{
    bson_iter_t iter, item, id;
    bson_type_t t, u;
    const uint8_t *x, *y;
    uint32_t n, m;
    if (!bson_iter_init_find(&iter, record->doc, "overtaken") || !bson_iter_recurse(&iter, &item) || !tf_id_bytes(doc, &t, &x, &n))
        return false;
    while (bson_iter_next(&item)) {
        bson_t view;
        uint32_t length;
        const uint8_t *data;
        if (!BSON_ITER_HOLDS_DOCUMENT(&item) || !bson_iter_recurse(&item, &id))
            continue;
        bson_iter_document(&item, &length, &data);
        if (bson_init_static(&view, data, length) && tf_id_bytes(&view, &u, &y, &m) && t == u && n == m && memcmp(x, y, n) == 0)
            return true;
    }
    return false;
}

/* Every prediction against what stands there today. */
static bool compare_documents(tf_prover *p, const tf_batch_record *record, tf_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < p->before.count; i++) {
        bson_t before, predicted;
        tf_docs_view(&p->before, i, &before);
        tf_docs_view(&p->predicted, i, &predicted);
        if (is_overtaken(record, &before))
            continue;
        if (!tf_tally_add(p->moves, &before, &predicted, err))
            return false;
        long k = tf_docs_find_id(&p->now, &before, at);
        if (k < 0) {
            p->proof->missing++;
            tf_prover_list(p->proof->missing_ids, &before);
            continue;
        }
        at = (size_t)k + 1;
        if (tf_docs_same(&p->now, (size_t)k, &p->predicted, i))
            p->proof->equal++;
        else {
            p->proof->changed_later++;
            tf_prover_list(p->proof->changed_ids, &before);
        }
    }
    return true;
}

/* What the batch inserted again is not in its own backup but in that of the run it takes back. */
static bool compare_recreated(tf_prover *p, const tf_batch_record *record, tf_error *err)
{
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    bson_iter_t iter, item, id;
    uint32_t n = 0;
    if (!p->lineage->target || !bson_iter_init_find(&iter, record->doc, "recreated") || !bson_iter_recurse(&iter, &item))
        return true;
    while (bson_iter_next(&item))
        if (bson_iter_recurse(&item, &id) && bson_iter_find(&id, "_id"))
            tf_array_append_value(&ids, &n, bson_iter_value(&id));
    if (!tf_snapshot_read_ids(p->store, NULL, p->lineage->target->run, &ids, &p->before, err) ||
        !tf_snapshot_read_current(p->store, NULL, p->lineage->repair->collection, &ids, NULL, &p->now, err))
        return false;
    for (size_t i = 0; i < p->before.count; i++) {
        bson_t doc;
        tf_docs_view(&p->before, i, &doc);
        if (!tf_tally_create(p->moves, &doc, err))
            return false;
        long k = tf_docs_find_id(&p->now, &doc, i);
        if (k < 0) {
            p->proof->missing++;
            tf_prover_list(p->proof->missing_ids, &doc);
        } else if (!tf_docs_same(&p->now, (size_t)k, &p->before, i)) {
            p->proof->changed_later++;
            tf_prover_list(p->proof->changed_ids, &doc);
        }
    }
    return true;
}

static bool same_moves(tf_prover *p, const tf_batch_record *record)
{
    _cleanup_bson_ bson_t mine = BSON_INITIALIZER;
    bson_iter_t a, b;
    uint32_t n = 0, m = 0;
    const uint8_t *x = NULL, *y = NULL;
    tf_tally_append(p->moves, &mine, "moves");
    if (!bson_iter_init_find(&a, &mine, "moves") || !bson_iter_init_find(&b, record->doc, "moves") || !BSON_ITER_HOLDS_ARRAY(&b))
        return false;
    bson_iter_array(&a, &n, &x);
    bson_iter_array(&b, &m, &y);
    return n == m && memcmp(x, y, n) == 0;
}

static void follow_chain(tf_prover *p, const tf_batch_record *record)
{
    bool first = record->partition != p->partition;
    if (first) {
        p->partition = record->partition;
        p->seq = 0;
    }
    if (record->seq != p->seq + 1)
        tf_prover_find(p, "batch_numbers", "partition %d: batch %" PRId64 " follows %" PRId64, record->partition, record->seq, p->seq);
    bool linked = p->seq == 0 ? !record->has_previous : record->has_previous && memcmp(record->previous, p->last, 32) == 0;
    if (!linked)
        tf_prover_find(p, "batch_chain", "partition %d: batch %" PRId64 " does not continue the one before", record->partition, record->seq);
    p->seq = record->seq;
    memcpy(p->last, record->own, 32);
}

static bool prove_batch(tf_prover *p, const tf_batch_record *record, tf_error *err)
{
    uint8_t hash[32];
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    follow_chain(p, record);
    tf_tally_clear(p->moves);
    tf_docs_clear(&p->before);
    if (record->backed_up > 0 && !tf_snapshot_read_range(p->store, p->run->id, &record->range, &p->before, err))
        return false;
    p->proof->batches++;
    p->proof->gone += tf_field_number(record->doc, "counts.gone");
    p->proof->overtaken += tf_field_number(record->doc, "counts.overtaken");
    p->proof->conflicts += tf_field_number(record->doc, "counts.conflicts");
    p->proof->refused += tf_field_number(record->doc, "counts.refused");
    p->backed_up += record->backed_up;
    p->handled += record->applied + tf_field_number(record->doc, "counts.already") + tf_field_number(record->doc, "counts.recreated") +
                  tf_field_number(record->doc, "counts.conflicts") + tf_field_number(record->doc, "counts.overtaken");
    tf_snapshot_hash(&p->before, hash);
    bool complete = (int64_t)p->before.count == record->backed_up;
    if (!complete)
        tf_prover_find(p, "backup_count", "partition %d, batch %" PRId64 ": the backup holds %zu documents instead of %" PRId64, record->partition,
             record->seq, p->before.count, record->backed_up);
    else if (memcmp(hash, record->hash, 32) != 0)
        tf_prover_find(p, "backup_hash", "partition %d, batch %" PRId64 ": the backup was altered", record->partition, record->seq);
    tf_docs_append_ids(&p->before, &ids);
    tf_docs_clear(&p->now);
    tf_error lost = {0};
    if (!tf_lineage_predict(p->store, p->lineage, &p->before, &p->predicted, &lost)) {
        if (lost.code != TF_ERR_DAMAGED) {
            *err = lost;
            return false;
        }
        tf_prover_find(p, "backup_count", "partition %d, batch %" PRId64 ": %s", record->partition, record->seq, lost.message);
        complete = false;
        tf_docs_clear(&p->before);
    }
    if (p->before.count &&
        !tf_snapshot_read_current(p->store, NULL, p->lineage->repair->collection, &ids, NULL, &p->now, err))
        return false;
    if (!compare_documents(p, record, err) || !compare_recreated(p, record, err))
        return false;
    if (complete && !same_moves(p, record))
        tf_prover_find(p, "batch_sums", "partition %d, batch %" PRId64 ": the amounts of backup and prediction are not those recorded", record->partition,
             record->seq);
    p->moved_amount += tf_field_number(record->doc, "amount");
    p->moved += record->applied + tf_field_number(record->doc, "counts.recreated");
    return true;
}

static void end_partition(tf_prover *p)
{
    if (p->partition < 0)
        return;
    _cleanup_(bson_destroyp) bson_t *item = BCON_NEW("n", BCON_INT32(p->partition), "seq", BCON_INT64(p->seq), "hash",
                                                     BCON_BIN(BSON_SUBTYPE_BINARY, p->last, 32));
    tf_array_append_document(&p->ends, &p->ends_count, item);
}

bool tf_prover_batches(tf_prover *p, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "read the batches");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_batch_record_find(p->store, p->run->id);
    const tf_observer *observer = &p->engine->observer;
    int64_t expected = tf_field_number(p->run->doc, "plan.documents");
    const bson_t *doc = NULL;
    int got;
    p->partition = -1;
    if (observer->progress)
        observer->progress(observer->arg, "verify", 0, expected);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        tf_batch_record record = {0};
        tf_batch_record_parse(doc, &record);
        if (record.partition != p->partition)
            end_partition(p);
        bool ok = prove_batch(p, &record, err);
        for (bson_iter_t iter, item, id; bson_iter_init_find(&iter, doc, "refused") && bson_iter_recurse(&iter, &item);) {
            while (bson_iter_next(&item)) {
                uint32_t length;
                const uint8_t *data;
                bson_t view;
                bson_iter_document(&item, &length, &data);
                if (bson_init_static(&view, data, length) && bson_iter_init_find(&id, &view, "_id"))
                    tf_prover_list(p->proof->refused_ids, &view);
            }
            break;
        }
        tf_batch_record_done(&record);
        if (!ok)
            return false;
        if (observer->progress)
            observer->progress(observer->arg, "verify", p->backed_up, expected);
    }
    end_partition(p);
    return got == 0;
}
