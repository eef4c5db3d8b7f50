#include "engine/verify.h"

#include "backup/snapshot.h"
#include "base/field.h"
#include "base/stop.h"
#include "check/balance.h"
#include "check/since.h"
#include "check/tally.h"
#include "engine/prover.h"
#include "engine/resolve.h"
#include "store/batch.h"
#include "store/event.h"
#include "store/partition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

void tf_proof_done(tf_proof *proof)
{
    bson_t **owned[] = {&proof->changed_ids, &proof->missing_ids,      &proof->remaining_ids,
                        &proof->refused_ids, &proof->unexplained_rows, &proof->findings};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (*owned[i])
            bson_destroy(*owned[i]);
    *proof = (tf_proof){0};
}

/* ---- what still matches the filter ---- */

/* `refused`: those that are counted as refused, and not again. */
static bool count_remaining(tf_prover *p, const bson_t *refused, tf_error *err)
{
    const tf_repair *repair = p->lineage->repair;
    tf_op op = tf_store_op(p->store, NULL, "count what still matches");
    op.db = p->store->repaired;
    _cleanup_bson_ bson_t since = BSON_INITIALIZER, conditions = BSON_INITIALIZER, others = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_since_expression(repair, p->run->started_at, &since, "since");
    tf_array_append_document(&conditions, &n, &repair->filter);
    if (!bson_empty(refused)) {
        BCON_APPEND(&others, "_id", "{", "$nin", BCON_ARRAY(refused), "}");
        tf_array_append_document(&conditions, &n, &others);
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
    p->proof->new_defects = p->proof->remaining = 0;
    bson_reinit(p->proof->remaining_ids);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (tf_stop_at_once(err, "in the middle of the proof"))
            return false;
        if (bson_iter_init_find(&iter, doc, "since") && bson_iter_as_bool(&iter))
            p->proof->new_defects++;
        else {
            p->proof->remaining++;
            tf_prover_list(p->proof->remaining_ids, doc);
        }
    }
    return got == 0;
}

/* ---- balances ---- */

static bool compare_balances(tf_prover *p, bool closing, tf_error *err)
{
    tf_balance_result balance;
    if ((closing && !tf_balance_post(p->store, p->run->id, err)) ||
        !tf_balance_compare(p->store, p->lineage->repair, p->run, closing, &balance, err))
        return false;
    p->proof->ledger_rows = balance.rows;
    p->proof->explained = balance.explained;
    p->proof->unexplained = balance.unexplained;
    bson_destroy(p->proof->unexplained_rows);
    p->proof->unexplained_rows = TAKE_PTR(balance.examples);
    return true;
}

/* ---- the whole: four kinds of items, each on its own, so that several workers share them ---- */

enum { BALANCES, REMAINING, BACKUP, PARTITIONS };

typedef struct items {
    tf_prover *whole;
    tf_prover *parts; /* of the items: those from PARTITIONS on keep their results here */
    int32_t *numbers; /* of the partitions */
    bool closing, finished;
} items;

typedef struct worker {
    tf_store store;
    items *items;
} worker;

static bool begin(tf_work *work, mongoc_client_t *client, void **state, tf_error *err)
{
    items *all = work->arg;
    worker *w = bson_malloc0(sizeof *w);
    (void)err;
    *w = (worker){.store = *all->whole->store, .items = all};
    w->store.client = client;
    *state = w;
    return true;
}

static void end(void *state, const tf_error *error)
{
    (void)error;
    free(state);
}

static bool item(void *state, size_t i, tf_error *err)
{
    worker *w = state;
    items *all = w->items;
    tf_prover *part = &all->parts[i];
    tf_prover_begin(part, all->whole, &w->store);
    if (i == BALANCES)
        return !all->finished || compare_balances(part, all->closing, err);
    if (i == REMAINING) {
        _cleanup_bson_ bson_t nobody = BSON_INITIALIZER;
        return part->run->down || count_remaining(part, &nobody, err);
    }
    if (i == BACKUP)
        return tf_snapshot_count(&w->store, part->run->id, &part->held, err);
    bool ok = tf_prover_partition(part, all->numbers[i - PARTITIONS], all->whole, err);
    tf_prover_relax(part);
    return ok;
}

static int32_t *read_numbers(const tf_prover *p, size_t *count, tf_error *err)
{
    _cleanup_bson_ bson_t ends = BSON_INITIALIZER;
    int64_t ignored;
    bson_iter_t iter, n;
    if (!tf_batch_record_ends(p->store, p->run->id, &ends, &ignored, err))
        return NULL;
    int32_t *numbers = bson_malloc0((bson_count_keys(&ends) + 1) * sizeof *numbers);
    *count = 0;
    for (bool more = bson_iter_init(&iter, &ends); more && bson_iter_next(&iter);)
        if (bson_iter_recurse(&iter, &n) && bson_iter_find(&n, "n"))
            numbers[(*count)++] = bson_iter_int32(&n);
    return numbers;
}

static void take_balances(tf_proof *proof, tf_proof *from)
{
    proof->ledger_rows = from->ledger_rows;
    proof->explained = from->explained;
    proof->unexplained = from->unexplained;
    bson_destroy(proof->unexplained_rows);
    proof->unexplained_rows = TAKE_PTR(from->unexplained_rows);
}

static bool take_remaining(tf_prover *whole, tf_prover *part, tf_error *err)
{
    part->store = whole->store;
    if (!bson_empty(whole->proof->refused_ids) && !whole->run->down && !count_remaining(part, whole->proof->refused_ids, err))
        return false;
    whole->proof->remaining = part->proof->remaining;
    whole->proof->new_defects = part->proof->new_defects;
    bson_destroy(whole->proof->remaining_ids);
    whole->proof->remaining_ids = TAKE_PTR(part->proof->remaining_ids);
    return true;
}

static bool prove_items(items *all, size_t count, tf_error *err)
{
    tf_prover *whole = all->whole;
    const tf_engine *engine = whole->engine;
    int workers = engine->settings.workers ? (int)engine->settings.workers : tf_work_default();
    tf_work work = {.client = engine->client,
                    .workers = workers > 1 ? workers + 1 : 1, /* one waits for the balances, which the server adds up */
                    .items = PARTITIONS + count,
                    .arg = all,
                    .begin = begin,
                    .item = item,
                    .end = end};
    if (engine->observer.progress)
        engine->observer.progress(engine->observer.arg, "verify", 0, tf_field_number(whole->run->doc, "plan.documents"));
    if (!tf_work_run(&work, err))
        return false;
    for (size_t i = 0; i < count; i++)
        tf_prover_add(whole, &all->parts[PARTITIONS + i]);
    whole->held = all->parts[BACKUP].held;
    take_balances(whole->proof, all->parts[BALANCES].proof);
    return take_remaining(whole, &all->parts[REMAINING], err);
}

static bool prove(tf_prover *p, bool closing, tf_error *err)
{
    tf_proof *proof = p->proof;
    bool finished = closing || p->run->stored == TF_STATE_COMPLETED || p->run->stored == TF_STATE_ROLLED_BACK ||
                    p->run->stored == TF_STATE_ROLLED_BACK_WITH_CONFLICTS;
    size_t count = 0;
    items all = {.whole = p, .numbers = read_numbers(p, &count, err), .closing = closing, .finished = finished};
    if (!all.numbers)
        return false;
    all.parts = bson_malloc0((PARTITIONS + count) * sizeof *all.parts);
    bool ok = prove_items(&all, count, err);
    for (size_t i = 0; i < PARTITIONS + count; i++)
        tf_prover_end(&all.parts[i]);
    free(all.parts);
    free(all.numbers);
    if (!ok || !tf_prover_counts(p, finished, finished && !closing, err))
        return false;
    if (finished && (!tf_prover_coverage(p, err) || !tf_prover_posting(p, err)))
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
    tf_prover like = {.engine = engine, .run = run, .lineage = lineage}, p;
    tf_prover_begin(&p, &like, store);
    snprintf(p.proof->run, sizeof p.proof->run, "%s", run->id);
    snprintf(p.proof->asked, sizeof p.proof->asked, "%s", run->id);
    snprintf(p.proof->state, sizeof p.proof->state, "%s", tf_state_name(run->state));
    p.proof->down = run->down;
    bool ok = prove(&p, closing, err);
    if (ok) {
        *out = *p.proof;
        *p.proof = (tf_proof){0};
    }
    tf_prover_end(&p);
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
