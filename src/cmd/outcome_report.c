#include "cmd/outcome_report.h"

#include "cmd/proof_report.h"
#include "cmd/sheet.h"
#include "cmd/trail_report.h"
#include "db/id.h"
#include "report/format.h"

static void append_proof(const tf_outcome *outcome, const tf_terms *terms, bson_t *out)
{
    bson_t proof;
    if (!outcome->verified) {
        BSON_APPEND_NULL(out, "verification");
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(out, "verification", &proof);
    tf_proof_report_append(&outcome->proof, terms, &proof);
    bson_append_document_end(out, &proof);
}

static const char *pause_name(int reason)
{
    return reason == TF_PAUSE_NONE ? "nice" : tf_pause_name((tf_pause)reason);
}

static void append_pauses(const tf_outcome *outcome, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "pauses", &array);
    for (int i = 0; i < TF_PAUSES; i++) {
        _cleanup_(bson_destroyp) bson_t *one =
            BCON_NEW("reason", BCON_UTF8(pause_name(i)), "ms", BCON_INT64(outcome->held_ms[i]));
        if (outcome->held_ms[i] > 0)
            tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append_times(const tf_outcome *outcome, bson_t *out)
{
    BSON_APPEND_INT64(out, "executionTimeMs", outcome->elapsed_ms);
    BSON_APPEND_INT64(out, "planMs", outcome->plan_ms);
    BSON_APPEND_INT64(out, "repairMs", outcome->repair_ms);
    BSON_APPEND_INT64(out, "proofMs", outcome->proof_ms);
    append_pauses(outcome, out);
    tf_timings_append(&outcome->timings, out);
}

static void append_head(const tf_outcome *outcome, bson_t *out)
{
    char head[TF_HEAD_TEXT];
    tf_append_text(out, "trailHead", outcome->head.seq ? tf_head_text(&outcome->head, head) : NULL);
}

void tf_up_report_append(const tf_outcome *outcome, const tf_terms *terms, bson_t *out)
{
    tf_append_text(out, "run", outcome->run);
    BSON_APPEND_UTF8(out, "migration_name", outcome->migration);
    BSON_APPEND_UTF8(out, "state", outcome->state);
    BSON_APPEND_INT64(out, "affectedTokens", outcome->documents);
    tf_terms_append_amount(terms, out, "totalAmount", outcome->amount);
    tf_terms_append(terms, out);
    BSON_APPEND_INT64(out, "batches", outcome->batches);
    append_times(outcome, out);
    tf_append_text(out, "strategy", outcome->strategy);
    BSON_APPEND_INT64(out, "refused", outcome->refused);
    BSON_APPEND_INT64(out, "gone", outcome->gone);
    BSON_APPEND_INT64(out, "overtaken", outcome->overtaken);
    BSON_APPEND_INT64(out, "conflicts", outcome->conflicts);
    tf_append_array(out, "conflictIds", outcome->conflict_ids);
    tf_append_message(out, "failure", outcome->failure);
    append_head(outcome, out);
    append_proof(outcome, terms, out);
}

void tf_down_report_append(const tf_outcome *outcome, const tf_terms *terms, bson_t *out)
{
    tf_append_text(out, "run", outcome->run);
    tf_append_text(out, "restores", outcome->restores);
    BSON_APPEND_UTF8(out, "migration_name", outcome->migration);
    BSON_APPEND_UTF8(out, "state", outcome->state);
    BSON_APPEND_INT64(out, "restoredTokens", outcome->documents);
    tf_terms_append_amount(terms, out, "totalAmount", outcome->amount);
    tf_terms_append(terms, out);
    BSON_APPEND_INT64(out, "conflicts", outcome->conflicts);
    BSON_APPEND_INT64(out, "alreadyOriginal", outcome->already);
    BSON_APPEND_INT64(out, "deleted", outcome->deleted);
    BSON_APPEND_INT64(out, "recreated", outcome->recreated);
    BSON_APPEND_INT64(out, "refused", outcome->refused);
    BSON_APPEND_INT64(out, "overtaken", outcome->overtaken);
    BSON_APPEND_INT64(out, "batches", outcome->batches);
    append_times(outcome, out);
    tf_append_text(out, "strategy", outcome->strategy);
    tf_append_array(out, "conflictIds", outcome->conflict_ids);
    append_head(outcome, out);
    append_proof(outcome, terms, out);
}

/* ---- text ---- */

static void add_count(tf_table *sheet, const char *label, int64_t count, const char *meaning)
{
    if (count > 0)
        tf_sheet_add(sheet, label, "%s %s", TF_COUNT(count), meaning);
}

static void add_amount(tf_table *sheet, const tf_outcome *outcome, const tf_terms *terms)
{
    if (terms->amounts)
        tf_sheet_add(sheet, "amount", "%s", TF_AMOUNT(terms, outcome->amount));
}

static void add_times(tf_table *sheet, const tf_outcome *outcome)
{
    int64_t work = outcome->repair_ms;
    tf_sheet_add(sheet, "batches", "%s, strategy %s", TF_COUNT(outcome->batches), outcome->strategy);
    if (work > 0)
        tf_sheet_add(sheet, "time", "%s (planning %s, writing %s, proof %s)", TF_DURATION(outcome->elapsed_ms),
                     TF_DURATION(outcome->plan_ms), TF_DURATION(work), TF_DURATION(outcome->proof_ms));
    else
        tf_sheet_add(sheet, "time", "%s", TF_DURATION(outcome->elapsed_ms));
    for (int i = 0; i < TF_PAUSES; i++)
        if (outcome->held_ms[i] > 0)
            tf_sheet_add(sheet, "paused", "%s for %s", pause_name(i), TF_DURATION(outcome->held_ms[i]));
}

void tf_timings_report_print(const tf_timings *timings)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    const int64_t *us = (const int64_t *)timings;
    int64_t all = 0;
    for (size_t i = 0; i < TF_TIMINGS; i++)
        all += us[i];
    printf("\nWhere the time of the batches went, all workers together\n");
    for (size_t i = 0; i < TF_TIMINGS; i++)
        tf_sheet_add(sheet, tf_timing_names[i], "%s, %d %%", TF_DURATION(us[i] / 1000), all ? (int)(us[i] * 100 / all) : 0);
    tf_sheet_print(sheet);
}

static void print_proof(const tf_outcome *outcome, const tf_terms *terms)
{
    if (!outcome->verified)
        return;
    printf("\n");
    tf_proof_report_print(&outcome->proof, terms);
}

void tf_up_report_print(const tf_outcome *outcome, const tf_terms *terms)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    printf("Run %s of %s: %s\n\n", outcome->run, outcome->migration, outcome->state);
    bool undone = strncmp(outcome->state, "rolled_back", strlen("rolled_back")) == 0;
    tf_sheet_add(sheet, "repaired", "%s%s", TF_DOCUMENTS(terms, outcome->documents), undone ? ", and taken back" : "");
    add_amount(sheet, outcome, terms);
    add_count(sheet, "conflicts", outcome->conflicts, "changed while the run went on; not taken back");
    add_count(sheet, "refused", outcome->refused, "of a form that the server cannot write safely; never touched");
    add_count(sheet, "gone before us", outcome->gone, "no longer matched when their batch came");
    add_count(sheet, "overtaken", outcome->overtaken, "changed by somebody else while being written; left alone");
    add_times(sheet, outcome);
    tf_sheet_print(sheet);
    tf_head_print("Trail head", &outcome->head);
    tf_ids_print("Conflicts", outcome->conflict_ids, outcome->conflicts);
    print_proof(outcome, terms);
}

void tf_down_report_print(const tf_outcome *outcome, const tf_terms *terms)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    printf("Run %s of %s: %s\n\n", outcome->run, outcome->migration, outcome->state);
    tf_sheet_add(sheet, "takes back", "%s", outcome->restores);
    tf_sheet_add(sheet, "restored", "%s", TF_DOCUMENTS(terms, outcome->documents));
    add_amount(sheet, outcome, terms);
    add_count(sheet, "already original", outcome->already, "were as before the repair");
    add_count(sheet, "recreated", outcome->recreated, "had been deleted");
    add_count(sheet, "conflicts", outcome->conflicts, "changed or deleted since the repair; left alone");
    add_count(sheet, "deleted", outcome->deleted, "of the conflicts, no longer there");
    add_count(sheet, "refused", outcome->refused, "of a form that the server cannot write safely; never touched");
    add_count(sheet, "overtaken", outcome->overtaken, "changed by somebody else while being written; left alone");
    add_times(sheet, outcome);
    tf_sheet_print(sheet);
    tf_head_print("Trail head", &outcome->head);
    tf_ids_print("Conflicts", outcome->conflict_ids, outcome->conflicts);
    print_proof(outcome, terms);
}
