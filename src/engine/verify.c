#include "engine/verify.h"

#include "backup/snapshot.h"
#include "check/balance.h"
#include "check/since.h"
#include "check/tally.h"
#include "engine/resolve.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/partition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

enum { LISTED = 100 };

typedef struct prover {
    const tf_engine *engine;
    const tf_store *store;
    const tf_run *run;
    const tf_lineage *lineage;
    tf_proof *proof;
    tf_docs before, predicted, now;
    tf_tally *moves;
    /* the chain */
    int32_t partition;
    int64_t seq;
    uint8_t last[32];
    int64_t backed_up, moved, moved_amount;
    int64_t handled; /* a down: documents given back, found original, created again, or listed */
    bson_t ends; /* array of {n, seq, hash}: as the seal has it */
    uint32_t ends_count;
} prover;

void tf_proof_done(tf_proof *proof)
{
    bson_t **owned[] = {&proof->changed_ids, &proof->missing_ids,      &proof->remaining_ids,
                        &proof->refused_ids, &proof->unexplained_rows, &proof->findings};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (*owned[i])
            bson_destroy(*owned[i]);
    *proof = (tf_proof){0};
}

__attribute__((format(printf, 3, 4))) static void find(prover *p, const char *check, const char *format, ...)
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

static void list_id(bson_t *list, const bson_t *doc)
{
    bson_iter_t iter;
    char buffer[16];
    const char *key;
    uint32_t n = bson_count_keys(list);
    size_t length = bson_uint32_to_string(n, &key, buffer, sizeof buffer);
    if (n < LISTED && bson_iter_init_find(&iter, doc, "_id"))
        bson_append_iter(list, key, (int)length, &iter);
}

/* ---- one batch ---- */

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
static bool compare_documents(prover *p, const tf_batch_record *record, tf_error *err)
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
            list_id(p->proof->missing_ids, &before);
            continue;
        }
        at = (size_t)k + 1;
        if (tf_docs_same(&p->now, (size_t)k, &p->predicted, i))
            p->proof->equal++;
        else {
            p->proof->changed_later++;
            list_id(p->proof->changed_ids, &before);
        }
    }
    return true;
}

/* What the batch inserted again is not in its own backup but in that of the run it takes back. */
static bool compare_recreated(prover *p, const tf_batch_record *record, tf_error *err)
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
            list_id(p->proof->missing_ids, &doc);
        } else if (!tf_docs_same(&p->now, (size_t)k, &p->before, i)) {
            p->proof->changed_later++;
            list_id(p->proof->changed_ids, &doc);
        }
    }
    return true;
}

static bool same_moves(prover *p, const tf_batch_record *record)
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

static int64_t number_at(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) ? bson_iter_as_int64(&at) : 0;
}

static void follow_chain(prover *p, const tf_batch_record *record)
{
    bool first = record->partition != p->partition;
    if (first) {
        p->partition = record->partition;
        p->seq = 0;
    }
    if (record->seq != p->seq + 1)
        find(p, "batch_numbers", "partition %d: batch %" PRId64 " follows %" PRId64, record->partition, record->seq, p->seq);
    bool linked = p->seq == 0 ? !record->has_previous : record->has_previous && memcmp(record->previous, p->last, 32) == 0;
    if (!linked)
        find(p, "batch_chain", "partition %d: batch %" PRId64 " does not continue the one before", record->partition, record->seq);
    p->seq = record->seq;
    memcpy(p->last, record->own, 32);
}

static bool prove_batch(prover *p, const tf_batch_record *record, tf_error *err)
{
    uint8_t hash[32];
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    follow_chain(p, record);
    tf_tally_clear(p->moves);
    tf_docs_clear(&p->before);
    if (record->backed_up > 0 && !tf_snapshot_read_range(p->store, p->run->id, &record->range, &p->before, err))
        return false;
    p->proof->batches++;
    p->proof->gone += number_at(record->doc, "counts.gone");
    p->proof->overtaken += number_at(record->doc, "counts.overtaken");
    p->proof->conflicts += number_at(record->doc, "counts.conflicts");
    p->proof->refused += number_at(record->doc, "counts.refused");
    p->backed_up += record->backed_up;
    p->handled += record->applied + number_at(record->doc, "counts.already") + number_at(record->doc, "counts.recreated") +
                  number_at(record->doc, "counts.conflicts") + number_at(record->doc, "counts.overtaken");
    tf_snapshot_hash(&p->before, hash);
    bool complete = (int64_t)p->before.count == record->backed_up;
    if (!complete)
        find(p, "backup_count", "partition %d, batch %" PRId64 ": the backup holds %zu documents instead of %" PRId64, record->partition,
             record->seq, p->before.count, record->backed_up);
    else if (memcmp(hash, record->hash, 32) != 0)
        find(p, "backup_hash", "partition %d, batch %" PRId64 ": the backup was altered", record->partition, record->seq);
    tf_docs_append_ids(&p->before, &ids);
    tf_docs_clear(&p->now);
    tf_error lost = {0};
    if (!tf_lineage_predict(p->store, p->lineage, &p->before, &p->predicted, &lost)) {
        if (lost.code != TF_ERR_DAMAGED) {
            *err = lost;
            return false;
        }
        find(p, "backup_count", "partition %d, batch %" PRId64 ": %s", record->partition, record->seq, lost.message);
        complete = false;
        tf_docs_clear(&p->before);
    }
    if (p->before.count &&
        !tf_snapshot_read_current(p->store, NULL, p->lineage->repair->collection, &ids, NULL, &p->now, err))
        return false;
    if (!compare_documents(p, record, err) || !compare_recreated(p, record, err))
        return false;
    if (complete && !same_moves(p, record))
        find(p, "batch_sums", "partition %d, batch %" PRId64 ": the amounts of backup and prediction are not those recorded", record->partition,
             record->seq);
    p->moved_amount += number_at(record->doc, "amount");
    p->moved += record->applied + number_at(record->doc, "counts.recreated");
    return true;
}

static void end_partition(prover *p)
{
    if (p->partition < 0)
        return;
    _cleanup_(bson_destroyp) bson_t *item = BCON_NEW("n", BCON_INT32(p->partition), "seq", BCON_INT64(p->seq), "hash",
                                                     BCON_BIN(BSON_SUBTYPE_BINARY, p->last, 32));
    tf_array_append_document(&p->ends, &p->ends_count, item);
}

static bool prove_batches(prover *p, tf_error *err)
{
    tf_op op = tf_store_op(p->store, NULL, "read the batches");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_batch_record_find(p->store, p->run->id);
    const tf_observer *observer = &p->engine->observer;
    int64_t expected = number_at(p->run->doc, "plan.documents");
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
                    list_id(p->proof->refused_ids, &view);
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

/* ---- the seal, the counts ---- */

static bool is_of_run(const prover *p, const bson_t *event)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, event, "run") && BSON_ITER_HOLDS_UTF8(&iter) && strcmp(bson_iter_utf8(&iter, NULL), p->run->id) == 0;
}

/* The hashes at the partitions' ends must be those that the run's closing event carries, and that event must stand where it
 * was written: its own hash, and the one before in the trail of all runs. */
static bool prove_seal(prover *p, tf_error *err)
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
            find(p, "event_hash", "event %" PRId64 " was altered, or one before it is missing", number_at(doc, "_id"));
        if (bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "data.partitions", &at)) {
            bson_reinit(&seal);
            bson_concat(&seal, doc);
            found = true;
        }
    }
    if (got < 0)
        return false;
    if (!found) {
        find(p, "seal", "the closing event of the run is missing");
        return true;
    }
    int64_t backup = number_at(&seal, "data.backup");
    if (backup != p->backed_up)
        find(p, "seal", "the closing event counts %" PRId64 " backed up documents, the batches %" PRId64, backup, p->backed_up);
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
                find(p, "seal", "the batches do not end with the hash that the closing event carries");
                return true;
            }
            have = bson_iter_next(&mine);
        }
    if (have)
        find(p, "seal", "there are batches that the closing event does not know");
    return true;
}

/* A down deals with every document of the run that it takes back, if only to list it. */
static bool prove_coverage(prover *p, tf_error *err)
{
    _cleanup_bson_ bson_t ends = BSON_INITIALIZER;
    int64_t theirs = 0;
    if (!p->run->down)
        return true;
    if (!tf_batch_record_ends(p->store, p->run->restores, &ends, &theirs, err))
        return false;
    if (p->handled < theirs)
        find(p, "coverage", "run %s had changed %" PRId64 " documents, its rollback dealt with %" PRId64, p->run->restores, theirs, p->handled);
    return true;
}

static bool prove_counts(prover *p, bool sealed, tf_error *err)
{
    int64_t backup = 0;
    if (!tf_snapshot_count(p->store, p->run->id, &backup, err))
        return false;
    if (backup != p->backed_up)
        find(p, "backup_count", "the backup holds %" PRId64 " documents, the batches count %" PRId64, backup, p->backed_up);
    p->proof->documents = p->backed_up;
    p->proof->amount = p->moved_amount;
    return !sealed || prove_seal(p, err);
}

/* What the ledger says was moved must be what the batches moved. */
static bool prove_posting(prover *p, tf_error *err)
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
    if (number_at(&sum, "n") != p->moved || number_at(&sum, "amount") != p->moved_amount)
        find(p, "ledger", "the ledger says that %" PRId64 " documents of %" PRId64 " were moved, the batches %" PRId64 " of %" PRId64,
             number_at(&sum, "n"), number_at(&sum, "amount"), p->moved, p->moved_amount);
    return true;
}

/* ---- what still matches the filter ---- */

static bool count_remaining(prover *p, tf_error *err)
{
    const tf_repair *repair = p->lineage->repair;
    tf_op op = tf_store_op(p->store, NULL, "count what still matches");
    op.db = p->store->repaired;
    _cleanup_bson_ bson_t since = BSON_INITIALIZER, conditions = BSON_INITIALIZER, refused = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_since_expression(repair, p->run->started_at, &since, "since");
    tf_array_append_document(&conditions, &n, &repair->filter);
    if (!bson_empty(p->proof->refused_ids)) { /* counted as refused, not again */
        BCON_APPEND(&refused, "_id", "{", "$nin", BCON_ARRAY(p->proof->refused_ids), "}");
        tf_array_append_document(&conditions, &n, &refused);
    }
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("$and", BCON_ARRAY(&conditions));
    _cleanup_bson_ bson_t projection = BSON_INITIALIZER;
    BSON_APPEND_INT32(&projection, "_id", 1);
    bson_concat(&projection, &since);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("projection", BCON_DOCUMENT(&projection));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, repair->collection, filter, opts);
    const bson_t *doc = NULL;
    bson_iter_t iter;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (bson_iter_init_find(&iter, doc, "since") && bson_iter_as_bool(&iter))
            p->proof->new_defects++;
        else {
            p->proof->remaining++;
            list_id(p->proof->remaining_ids, doc);
        }
    }
    return got == 0;
}

/* ---- the whole ---- */

static bool prove(prover *p, bool closing, tf_error *err)
{
    tf_proof *proof = p->proof;
    bool finished = closing || p->run->stored == TF_STATE_COMPLETED || p->run->stored == TF_STATE_ROLLED_BACK ||
                    p->run->stored == TF_STATE_ROLLED_BACK_WITH_CONFLICTS;
    if (!prove_batches(p, err) || !prove_counts(p, finished && !closing, err))
        return false;
    if (closing && !tf_balance_post(p->store, p->run->id, err))
        return false;
    if (finished) {
        tf_balance_result balance;
        if (!prove_coverage(p, err) || !prove_posting(p, err) || !tf_balance_compare(p->store, p->lineage->repair, p->run, closing, &balance, err))
            return false;
        proof->ledger_rows = balance.rows;
        proof->explained = balance.explained;
        proof->unexplained = balance.unexplained;
        bson_destroy(proof->unexplained_rows);
        proof->unexplained_rows = TAKE_PTR(balance.examples);
    }
    if (!p->run->down && !count_remaining(p, err))
        return false;
    proof->unfinished = !finished;
    bool none_remain = !finished || proof->remaining == 0; /* an unfinished run still has them before it */
    proof->ok = bson_empty(proof->findings) && proof->missing == 0 && none_remain && proof->unexplained == 0 &&
                proof->refused == 0 && proof->overtaken == 0 && proof->conflicts == 0;
    return true;
}

bool tf_verify_run(const tf_engine *engine, const tf_store *store, const tf_run *run, const tf_lineage *lineage, bool closing,
                   tf_proof *out, tf_error *err)
{
    tf_proof proof = {.changed_ids = bson_new(),
                      .missing_ids = bson_new(),
                      .remaining_ids = bson_new(),
                      .refused_ids = bson_new(),
                      .unexplained_rows = bson_new(),
                      .findings = bson_new(),
                      .down = run->down};
    prover p = {.engine = engine, .store = store, .run = run, .lineage = lineage, .proof = &proof};
    snprintf(proof.run, sizeof proof.run, "%s", run->id);
    snprintf(proof.asked, sizeof proof.asked, "%s", run->id);
    snprintf(proof.state, sizeof proof.state, "%s", tf_state_name(run->state));
    bson_init(&p.ends);
    p.moves = tf_tally_new(lineage->repair);
    bool ok = prove(&p, closing, err);
    tf_tally_free(p.moves);
    bson_destroy(&p.ends);
    tf_docs_done(&p.before);
    tf_docs_done(&p.predicted);
    tf_docs_done(&p.now);
    if (ok)
        *out = proof;
    else
        tf_proof_done(&proof);
    return ok;
}

void tf_proof_append(const tf_proof *proof, bson_t *out)
{
    BSON_APPEND_BOOL(out, "ok", proof->ok);
    BSON_APPEND_INT64(out, "equal", proof->equal);
    BSON_APPEND_INT64(out, "changed_later", proof->changed_later);
    BSON_APPEND_INT64(out, "missing", proof->missing);
    BSON_APPEND_INT64(out, "remaining", proof->remaining);
    BSON_APPEND_INT64(out, "new_defects", proof->new_defects);
    BSON_APPEND_INT64(out, "explained", proof->explained);
    BSON_APPEND_INT64(out, "unexplained", proof->unexplained);
    BSON_APPEND_ARRAY(out, "findings", proof->findings);
}

/* The completed run that ended last: one that was resumed may have begun before others. What was rolled back has a
 * completed run that did it. */
static int newest_finished(const tf_engine *engine, tf_run *out, tf_error *err)
{
    tf_run *runs = NULL;
    size_t count = 0, best = 0;
    _cleanup_bson_ bson_t query = BSON_INITIALIZER;
    if (engine->migration)
        BSON_APPEND_UTF8(&query, "migration", engine->migration->id);
    BSON_APPEND_UTF8(&query, "state", tf_state_name(TF_STATE_COMPLETED));
    if (!tf_run_list(&engine->store, &query, 0, &runs, &count, err))
        return -1;
    for (size_t i = 1; i < count; i++)
        if (runs[i].ended_at > runs[best].ended_at)
            best = i;
    if (count) {
        *out = runs[best];
        runs[best].doc = NULL;
    }
    tf_runs_free(runs, count);
    return count > 0;
}

static bool choose(const tf_engine *engine, tf_run *run, tf_error *err)
{
    if (engine->settings.run)
        return tf_resolve_run(engine, engine->settings.run, run, err);
    int got = newest_finished(engine, run, err);
    if (got == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there is no finished run to verify");
        tf_error_hint(err, "'tokenfix history' lists the runs; name an interrupted one to see how far it is proven.");
    }
    return got == 1;
}

bool tf_verify(const tf_engine *engine, tf_proof *out, tf_error *err)
{
    tf_run run = {0};
    char asked[TF_RUN_ID_SIZE];
    if (!choose(engine, &run, err))
        return false;
    snprintf(asked, sizeof asked, "%s", run.id);
    bool rolled_back = run.stored == TF_STATE_ROLLED_BACK || run.stored == TF_STATE_ROLLED_BACK_WITH_CONFLICTS;
    if (rolled_back && run.restored_by[0]) {
        tf_run down = {0};
        int got = tf_run_load(&engine->store, run.restored_by, &down, err);
        tf_run_done(&run);
        if (got == 0) {
            tf_error_set(err, TF_ERR_DAMAGED, "run %s, which took %s back, is missing", run.restored_by, asked);
            tf_error_hint(err, "docs/runbook.md, 'A damaged state database'.");
        }
        if (got != 1)
            return false;
        run = down;
    }
    _cleanup_(tf_lineage_freep) tf_lineage *lineage = tf_lineage_load(&engine->store, &run, err);
    bool ok = lineage && tf_verify_run(engine, &engine->store, &run, lineage, false, out, err);
    if (ok) {
        snprintf(out->asked, sizeof out->asked, "%s", asked);
        out->rolled_back = rolled_back;
    }
    tf_run_done(&run);
    return ok;
}
