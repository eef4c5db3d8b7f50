/* The proof of the batches: each against the chain, the backup and what stands there today. */
#include "engine/prover.h"

#include "backup/snapshot.h"
#include "base/field.h"
#include "base/stop.h"
#include "store/batch.h"

#include <inttypes.h>
#include <pthread.h>
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
    bson_iter_t iter, item;
    if (!bson_iter_init_find(&iter, record->doc, "overtaken") || !bson_iter_recurse(&iter, &item))
        return false;
    while (bson_iter_next(&item)) {
        bson_t view;
        uint32_t length;
        const uint8_t *data;
        if (!BSON_ITER_HOLDS_DOCUMENT(&item))
            continue;
        bson_iter_document(&item, &length, &data);
        if (bson_init_static(&view, data, length) && tf_doc_same_id(&view, doc))
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
    if (record->seq != p->seq + 1)
        tf_prover_find(p, "batch_numbers", "partition %d: batch %" PRId64 " follows %" PRId64, record->partition, record->seq, p->seq);
    bool linked = p->seq == 0 ? !record->has_previous : record->has_previous && memcmp(record->previous, p->last, 32) == 0;
    if (!linked)
        tf_prover_find(p, "batch_chain", "partition %d: batch %" PRId64 " does not continue the one before", record->partition, record->seq);
    p->seq = record->seq;
    memcpy(p->last, record->own, 32);
}

static bool is_recorded(const tf_prover *p, const tf_batch_record *record)
{
    uint8_t hash[32];
    tf_snapshot_hash(&p->before, hash);
    return (int64_t)p->before.count == record->backed_up && memcmp(hash, record->hash, sizeof hash) == 0;
}

/* What the backup holds, where it is not as recorded, and its predictions. */
static bool examine_backup(tf_prover *p, const tf_batch_record *record, bool *complete, tf_error *err)
{
    tf_error lost = {0};
    if (record->backed_up > 0 && !tf_snapshot_read_range(p->store, p->run->id, &record->range, &p->before, err))
        return false;
    *complete = (int64_t)p->before.count == record->backed_up;
    if (!*complete)
        tf_prover_find(p, "backup_count", "partition %d, batch %" PRId64 ": the backup holds %zu documents instead of %" PRId64,
                       record->partition, record->seq, p->before.count, record->backed_up);
    else if (!is_recorded(p, record))
        tf_prover_find(p, "backup_hash", "partition %d, batch %" PRId64 ": the backup was altered", record->partition, record->seq);
    if (tf_lineage_predict(p->store, p->lineage, &p->before, &p->predicted, &lost))
        return true;
    if (lost.code != TF_ERR_DAMAGED) {
        *err = lost;
        return false;
    }
    tf_prover_find(p, "backup_count", "partition %d, batch %" PRId64 ": %s", record->partition, record->seq, lost.message);
    *complete = false;
    tf_docs_clear(&p->before);
    return true;
}

static bool read_backup(tf_prover *p, const tf_batch_record *record, bool *complete, tf_error *err)
{
    *complete = true;
    tf_docs_clear(&p->before);
    if (record->backed_up > 0 && tf_lineage_read_range(p->store, p->lineage, &record->range, &p->before, &p->predicted) &&
        is_recorded(p, record))
        return true;
    tf_docs_clear(&p->before);
    return examine_backup(p, record, complete, err);
}

static void add_counts(tf_prover *p, const tf_batch_record *record)
{
    const bson_t *doc = record->doc;
    int64_t conflicts = tf_field_number(doc, "counts.conflicts"), overtaken = tf_field_number(doc, "counts.overtaken");
    int64_t recreated = tf_field_number(doc, "counts.recreated");
    p->proof->batches++;
    p->proof->gone += tf_field_number(doc, "counts.gone");
    p->proof->overtaken += overtaken;
    p->proof->conflicts += conflicts;
    p->proof->refused += tf_field_number(doc, "counts.refused");
    p->backed_up += record->backed_up;
    p->handled += record->applied + tf_field_number(doc, "counts.already") + recreated + conflicts + overtaken;
    p->moved_amount += tf_field_number(doc, "amount");
    p->moved += record->applied + recreated;
}

static bool prove_batch(tf_prover *p, const tf_batch_record *record, tf_error *err)
{
    bool complete;
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    follow_chain(p, record);
    add_counts(p, record);
    tf_tally_clear(p->moves);
    tf_docs_clear(&p->now);
    if (!read_backup(p, record, &complete, err))
        return false;
    tf_docs_append_ids(&p->before, &ids);
    if (p->before.count &&
        !tf_snapshot_read_current(p->store, NULL, p->lineage->repair->collection, &ids, NULL, &p->now, err))
        return false;
    if (!compare_documents(p, record, err) || !compare_recreated(p, record, err))
        return false;
    if (complete && !same_moves(p, record))
        tf_prover_find(p, "batch_sums", "partition %d, batch %" PRId64 ": the amounts of backup and prediction are not those recorded",
                       record->partition, record->seq);
    return true;
}

static void list_refused(tf_prover *p, const tf_batch_record *record)
{
    bson_iter_t iter, item;
    if (!bson_iter_init_find(&iter, record->doc, "refused") || !bson_iter_recurse(&iter, &item))
        return;
    while (bson_iter_next(&item)) {
        uint32_t length;
        const uint8_t *data;
        bson_t view;
        if (!BSON_ITER_HOLDS_DOCUMENT(&item))
            continue;
        bson_iter_document(&item, &length, &data);
        if (bson_init_static(&view, data, length))
            tf_prover_list(p->proof->refused_ids, &view);
    }
}

/* ---- a partition ---- */

static pthread_mutex_t telling = PTHREAD_MUTEX_INITIALIZER;

/* The observer is called by one worker at a time. */
static void tell(tf_prover *whole, int64_t more)
{
    const tf_observer *observer = &whole->engine->observer;
    pthread_mutex_lock(&telling);
    whole->told += more;
    if (observer->progress)
        observer->progress(observer->arg, "verify", whole->told, tf_field_number(whole->run->doc, "plan.documents"));
    pthread_mutex_unlock(&telling);
}

bool tf_prover_partition(tf_prover *p, int32_t n, tf_prover *whole, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "read the batches");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_batch_record_find(p->store, p->run->id, n);
    const bson_t *doc = NULL;
    int got;
    p->partition = n;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (tf_stop_at_once(err, "in the middle of the proof"))
            return false;
        tf_batch_record record = {0};
        tf_batch_record_parse(doc, &record);
        bool ok = prove_batch(p, &record, err);
        list_refused(p, &record);
        int64_t backed_up = record.backed_up;
        tf_batch_record_done(&record);
        if (!ok)
            return false;
        tell(whole, backed_up);
    }
    return got == 0;
}

/* ---- the parts together ---- */

void tf_prover_begin(tf_prover *p, const tf_prover *like, const tf_store *store)
{
    *p = (tf_prover){.engine = like->engine, .store = store, .run = like->run, .lineage = like->lineage};
    p->proof = bson_malloc(sizeof *p->proof);
    *p->proof = (tf_proof){.changed_ids = bson_new(),
                           .missing_ids = bson_new(),
                           .remaining_ids = bson_new(),
                           .refused_ids = bson_new(),
                           .unexplained_rows = bson_new(),
                           .findings = bson_new()};
    bson_init(&p->ends);
    p->moves = tf_tally_new(like->lineage->repair);
}

void tf_prover_relax(tf_prover *p)
{
    tf_tally_free(p->moves);
    p->moves = NULL;
    tf_docs_done(&p->before);
    tf_docs_done(&p->predicted);
    tf_docs_done(&p->now);
}

void tf_prover_end(tf_prover *p)
{
    if (!p->proof)
        return;
    tf_prover_relax(p);
    bson_destroy(&p->ends);
    tf_proof_done(p->proof);
    free(p->proof);
    *p = (tf_prover){0};
}

static void append_list(bson_t *into, const bson_t *from)
{
    uint32_t n = bson_count_keys(into);
    bson_iter_t iter;
    if (bson_iter_init(&iter, from))
        while (n < LISTED && bson_iter_next(&iter))
            tf_array_append_value(into, &n, bson_iter_value(&iter));
}

void tf_prover_add(tf_prover *whole, const tf_prover *part)
{
    tf_proof *to = whole->proof;
    const tf_proof *from = part->proof;
    to->equal += from->equal;
    to->changed_later += from->changed_later;
    to->missing += from->missing;
    to->batches += from->batches;
    to->gone += from->gone;
    to->overtaken += from->overtaken;
    to->conflicts += from->conflicts;
    to->refused += from->refused;
    append_list(to->changed_ids, from->changed_ids);
    append_list(to->missing_ids, from->missing_ids);
    append_list(to->refused_ids, from->refused_ids);
    append_list(to->findings, from->findings);
    whole->backed_up += part->backed_up;
    whole->handled += part->handled;
    whole->moved += part->moved;
    whole->moved_amount += part->moved_amount;
    if (part->seq == 0)
        return;
    _cleanup_(bson_destroyp) bson_t *item = BCON_NEW("n", BCON_INT32(part->partition), "seq", BCON_INT64(part->seq), "hash",
                                                     BCON_BIN(BSON_SUBTYPE_BINARY, part->last, 32));
    tf_array_append_document(&whole->ends, &whole->ends_count, item);
}
