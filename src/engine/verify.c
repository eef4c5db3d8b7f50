#include "engine/verify.h"

#include "backup/snapshot.h"
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

static bool count_remaining(tf_prover *p, tf_error *err)
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
            tf_prover_list(p->proof->remaining_ids, doc);
        }
    }
    return got == 0;
}

/* ---- the whole ---- */

static bool prove(tf_prover *p, bool closing, tf_error *err)
{
    tf_proof *proof = p->proof;
    bool finished = closing || p->run->stored == TF_STATE_COMPLETED || p->run->stored == TF_STATE_ROLLED_BACK ||
                    p->run->stored == TF_STATE_ROLLED_BACK_WITH_CONFLICTS;
    if (!tf_prover_batches(p, err) || !tf_prover_counts(p, finished && !closing, err))
        return false;
    if (closing && !tf_balance_post(p->store, p->run->id, err))
        return false;
    if (finished) {
        tf_balance_result balance;
        if (!tf_prover_coverage(p, err) || !tf_prover_posting(p, err) || !tf_balance_compare(p->store, p->lineage->repair, p->run, closing, &balance, err))
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
    tf_prover p = {.engine = engine, .store = store, .run = run, .lineage = lineage, .proof = &proof};
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
