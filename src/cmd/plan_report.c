#include "cmd/plan_report.h"

#include "base/text.h"
#include "cmd/sheet.h"
#include "cmd/terms.h"
#include "db/id.h"
#include "report/format.h"
#include "report/mask.h"

enum { OWNER_MAX = 512, FIELD_MAX = 1024 };

/* ---- data ---- */

/* JSON's keys are strings: an owner that is none stands in brackets, and so does one whose key is taken. */
static void owner_key(const bson_t *in, const bson_value_t *owner, char out[static OWNER_MAX])
{
    char text[OWNER_MAX - 32];
    tf_value_text(owner, text, sizeof text);
    if (owner->value_type == BSON_TYPE_UTF8)
        snprintf(out, OWNER_MAX, "%s", text);
    else
        snprintf(out, OWNER_MAX, "(%s)", *text ? text : "missing");
    for (int n = 2; bson_has_field(in, out) && n < 1000; n++)
        snprintf(out, OWNER_MAX, "%s (%d)", text, n);
}

static void append_stats(const tf_plan *plan, const tf_terms *terms, bson_t *out)
{
    bson_t stats;
    BSON_APPEND_DOCUMENT_BEGIN(out, "stats", &stats);
    BSON_APPEND_INT64(&stats, "tokensToMigrate", plan->documents);
    tf_terms_append_amount(terms, &stats, "totalAmountAffected", plan->amount);
    BSON_APPEND_INT64(&stats, "affectedUsers", plan->owners);
    BSON_APPEND_UTF8(&stats, "estimatedExecutionTime", TF_DURATION(plan->estimated_ms));
    BSON_APPEND_INT64(&stats, "estimatedExecutionMs", plan->estimated_ms);
    BSON_APPEND_UTF8(&stats, "estimateFrom", plan->estimate_from_history ? "history" : "sample");
    BSON_APPEND_INT64(&stats, "oddAmounts", plan->odd);
    tf_append_array(&stats, "oddIds", plan->odd_ids);
    BSON_APPEND_INT64(&stats, "backupBytes", plan->bytes);
    tf_terms_append(terms, &stats);
    bson_append_document_end(out, &stats);
}

static void append_risk(const tf_plan *plan, bson_t *out)
{
    bson_t risk, reasons;
    BSON_APPEND_DOCUMENT_BEGIN(out, "risk", &risk);
    BSON_APPEND_UTF8(&risk, "level", plan->risk);
    BSON_APPEND_ARRAY_BEGIN(&risk, "reasons", &reasons);
    uint32_t n = 0;
    for (size_t i = 0; i < plan->reasons_count; i++) {
        bson_value_t reason = {.value_type = BSON_TYPE_UTF8};
        reason.value.v_utf8.str = (char *)(uintptr_t)plan->reasons[i];
        reason.value.v_utf8.len = (uint32_t)strlen(plan->reasons[i]);
        tf_array_append_value(&reasons, &n, &reason);
    }
    bson_append_array_end(&risk, &reasons);
    bson_append_document_end(out, &risk);
}

static void append_impact(const tf_plan *plan, const tf_terms *terms, bson_t *out)
{
    _cleanup_bson_ bson_t users = BSON_INITIALIZER;
    for (size_t i = 0; i < plan->impacts_count; i++) {
        char key[OWNER_MAX];
        bson_t user;
        owner_key(&users, &plan->impacts[i].owner, key);
        BSON_APPEND_DOCUMENT_BEGIN(&users, key, &user);
        BSON_APPEND_INT64(&user, "tokenCount", plan->impacts[i].documents);
        tf_terms_append_amount(terms, &user, "totalAmount", plan->impacts[i].amount);
        bson_append_document_end(&users, &user);
    }
    BSON_APPEND_DOCUMENT(out, "userImpact", &users);
}

/* No sample leaves this file as it was read. */
static void mask(const tf_plan *plan, size_t i, bson_t *out)
{
    tf_mask_document(plan->samples[i], plan->repair->masked, out);
}

void tf_plan_report_append(const tf_engine *engine, const tf_plan *plan, bson_t *out)
{
    tf_terms terms;
    bson_t samples;
    uint32_t n = 0;
    tf_terms_of_repair(plan->repair, &terms);
    BSON_APPEND_UTF8(out, "migration_name", engine->migration->id);
    BSON_APPEND_UTF8(out, "database", engine->client->db);
    BSON_APPEND_UTF8(out, "collection", plan->repair->collection);
    append_stats(plan, &terms, out);
    append_risk(plan, out);
    append_impact(plan, &terms, out);
    BSON_APPEND_ARRAY_BEGIN(out, "samples", &samples);
    for (size_t i = 0; i < plan->samples_count; i++) {
        _cleanup_bson_ bson_t masked = BSON_INITIALIZER;
        mask(plan, i, &masked);
        tf_array_append_document(&samples, &n, &masked);
    }
    bson_append_array_end(out, &samples);
    BSON_APPEND_INT64(out, "limit", plan->limit);
    BSON_APPEND_INT64(out, "offset", plan->offset);
}

/* ---- text ---- */

static void print_odd(const tf_plan *plan, const tf_terms *terms, tf_table *sheet)
{
    char ids[512] = "";
    size_t used = 0, shown = 0;
    bson_iter_t iter;
    if (plan->odd == 0)
        return;
    for (bool more = plan->odd_ids && bson_iter_init(&iter, plan->odd_ids);
         more && bson_iter_next(&iter) && shown < 3;) {
        char id[96];
        tf_value_text(bson_iter_value(&iter), id, sizeof id);
        used += (size_t)snprintf(ids + used, sizeof ids - used, "%s%s", shown++ ? ", " : "", id);
    }
    tf_sheet_add(sheet, "odd amounts", "%s whose amount cannot be counted (repaired all the same): %s%s",
                 TF_DOCUMENTS(terms, plan->odd), ids, plan->odd > (int64_t)shown ? ", ..." : "");
}

static void print_facts(const tf_engine *engine, const tf_plan *plan, const tf_terms *terms)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "to repair", "%s of %s.%s", TF_DOCUMENTS(terms, plan->documents), engine->client->db,
                 plan->repair->collection);
    if (terms->amounts) {
        tf_sheet_add(sheet, "amount", "%s", TF_AMOUNT(terms, plan->amount));
        tf_sheet_add(sheet, "users", "%s", TF_COUNT(plan->owners));
    }
    print_odd(plan, terms, sheet);
    if (plan->documents > 0) {
        tf_sheet_add(sheet, "backup", "about %s", TF_BYTES(plan->bytes));
        tf_sheet_add(sheet, "time", "about %s, estimated from %s", TF_DURATION(plan->estimated_ms),
                     plan->estimate_from_history ? "earlier runs" : "a measured sample");
    }
    for (size_t i = 0; i < plan->reasons_count || i == 0; i++)
        tf_sheet_add(sheet, i ? "" : "risk", "%s%s%s", i ? "" : plan->risk, i || !plan->reasons_count ? "" : ": ",
                     plan->reasons_count ? plan->reasons[i] : "");
    tf_sheet_print(sheet);
}

static void print_impact(const tf_plan *plan, const tf_terms *terms)
{
    char noun[80], amount[48];
    snprintf(noun, sizeof noun, "%ss", terms->noun);
    snprintf(amount, sizeof amount, terms->unit[0] ? "amount, %s" : "amount%s", terms->unit);
    const tf_column columns[] = {{"owner", terms->owner, TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                 {"documents", noun, TF_COLUMN_COUNT, 0},
                                 {"amount", amount, TF_COLUMN_COUNT, 0},
                                 {NULL, NULL, TF_COLUMN_TEXT, 0}};
    if (plan->impacts_count == 0)
        return;
    printf("\nLargest amounts by user, %s to %s of %s\n", TF_COUNT(plan->offset + 1),
           TF_COUNT(plan->offset + (int64_t)plan->impacts_count), TF_COUNT(plan->owners));
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < plan->impacts_count; i++) {
        char owner[OWNER_MAX];
        tf_value_text(&plan->impacts[i].owner, owner, sizeof owner);
        tf_table_add(table, TF_CELL_TEXT(*owner ? owner : "(missing)"), TF_CELL_NUMBER(plan->impacts[i].documents),
                     TF_CELL_TEXT(TF_NUMBER(terms, plan->impacts[i].amount)));
    }
    tf_table_print(table, stdout);
}

/* One field a line, cut at the terminal's edge: --json has them whole. */
static void print_sample(const tf_plan *plan, size_t i)
{
    static const tf_column columns[] = {{"field", "field", TF_COLUMN_TEXT, 0},
                                        {"value", "value", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    bson_iter_t iter;
    _cleanup_bson_ bson_t masked = BSON_INITIALIZER;
    mask(plan, i, &masked);
    printf("\nSample %zu of %zu, secrets masked\n", i + 1, plan->samples_count);
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (bool more = bson_iter_init(&iter, &masked); more && bson_iter_next(&iter);) {
        char value[FIELD_MAX];
        tf_value_text(bson_iter_value(&iter), value, sizeof value);
        tf_table_add(table, TF_CELL_TEXT(bson_iter_key(&iter)), TF_CELL_TEXT(value));
    }
    tf_table_print(table, stdout);
}

void tf_plan_report_print(const tf_engine *engine, const tf_plan *plan)
{
    tf_terms terms;
    tf_terms_of_repair(plan->repair, &terms);
    printf("Preview of %s\n%s.\n\n", engine->migration->id, engine->migration->summary);
    print_facts(engine, plan, &terms);
    print_impact(plan, &terms);
    for (size_t i = 0; i < plan->samples_count; i++)
        print_sample(plan, i);
}
