#include "cmd/audit_report.h"

#include "base/text.h"
#include "cmd/audit_owners_report.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"
#include "report/mask.h"
#include "report/terminal.h"

enum { SHOWN = 3 /* examples in text; JSON has all */ };

const tf_finding *tf_audit_report_finding(const tf_audit *audit, const tf_audit_row *row)
{
    for (size_t i = 0; i < audit->findings_count; i++)
        if (audit->findings[i].check == row->check)
            return &audit->findings[i];
    return NULL;
}

const char *tf_audit_report_count(const tf_terms *terms, const tf_check *check, int64_t n, char out[static TF_TERMS_TEXT])
{
    snprintf(out, TF_TERMS_TEXT, "%s %s%s", TF_COUNT(n), check->noun ? check->noun : terms->noun, n == 1 ? "" : "s");
    return out;
}

bool tf_audit_report_by_owner(const tf_migration *migration, const char *const *words)
{
    bool any = false;
    for (const tf_check *check = migration->checks; check && check->name; check++)
        any = any || check->user_key;
    return any && words && words[0] && !words[1] && strcmp(words[0], "balance") == 0;
}

static bool is_shown(const tf_audit_view *view, size_t i)
{
    return (int64_t)i >= view->offset && (int64_t)i - view->offset < view->limit;
}

/* ---- data ---- */

/* The short hash of a secret is made to be shown, though its name holds that of a secret. */
static void append_masked(const tf_check *check, const bson_t *example, bson_t *out)
{
    _cleanup_bson_ bson_t masked = BSON_INITIALIZER;
    bson_iter_t iter;
    if (!check->secret || !check->key || !bson_iter_init_find(&iter, example, check->key)) {
        tf_mask_document(example, NULL, out);
        return;
    }
    bson_append_iter(out, NULL, 0, &iter);
    tf_mask_document(example, NULL, &masked);
    bson_copy_to_excluding_noinit(&masked, out, check->key, NULL);
}

static void append_details(const tf_finding *finding, bson_t *out)
{
    bson_t details;
    bson_iter_t iter;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "details", &details);
    if (bson_iter_init(&iter, finding->examples))
        while (bson_iter_next(&iter)) {
            bson_t example;
            uint32_t length;
            const uint8_t *data;
            _cleanup_bson_ bson_t masked = BSON_INITIALIZER;
            bson_iter_document(&iter, &length, &data);
            if (!bson_init_static(&example, data, length))
                continue;
            append_masked(finding->check, &example, &masked);
            tf_array_append_document(&details, &n, &masked);
        }
    bson_append_array_end(out, &details);
}

static void append_issue(const tf_audit_view *view, const tf_finding *finding, bson_t *issues, uint32_t *n)
{
    const tf_check *check = finding->check;
    _cleanup_bson_ bson_t issue = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&issue, "type", check->name);
    BSON_APPEND_UTF8(&issue, "severity", tf_severity_name(finding->severity));
    BSON_APPEND_INT64(&issue, "count", finding->count);
    append_details(finding, &issue);
    BSON_APPEND_UTF8(&issue, "id", finding->id);
    BSON_APPEND_UTF8(&issue, "group", check->group);
    BSON_APPEND_UTF8(&issue, "counts", check->noun ? check->noun : view->terms.noun);
    if (finding->has_amount)
        BSON_APPEND_INT64(&issue, "amount", finding->amount);
    else
        BSON_APPEND_NULL(&issue, "amount");
    tf_append_text(&issue, "advice", check->advice);
    tf_array_append_document(issues, n, &issue);
}

static void append_checks(const tf_audit *audit, bson_t *out)
{
    static const tf_column columns[] = {{.name = "name"}, {.name = "group"}, {.name = "state"}, {.name = "reason"}, {.name = NULL}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < audit->total; i++) {
        const tf_audit_row *row = &audit->rows[i];
        tf_table_add(table, TF_CELL_TEXT(row->check->name), TF_CELL_TEXT(row->check->group),
                     TF_CELL_TEXT(tf_audit_state_name(row->state)), TF_CELL_TEXT(*row->reason ? row->reason : NULL));
    }
    tf_table_append(table, out, "checks");
}

static void append_audit(const tf_audit_view *view, bson_t *out)
{
    const tf_audit *audit = view->audit;
    bson_t narrowed;
    BSON_APPEND_UTF8(out, "audit", audit->id);
    tf_append_time(out, "timestamp", audit->at);
    BSON_APPEND_UTF8(out, "migration", audit->migration->id);
    BSON_APPEND_UTF8(out, "database", view->db);
    BSON_APPEND_DOCUMENT_BEGIN(out, "narrowedTo", &narrowed);
    tf_append_text(&narrowed, "user", view->user);
    tf_append_text(&narrowed, "mint", view->mint);
    tf_append_text(&narrowed, "since", audit->since);
    bson_append_document_end(out, &narrowed);
    BSON_APPEND_INT64(out, "elapsedMs", audit->elapsed_ms);
    tf_terms_append(&view->terms, out);
}

void tf_audit_report_append(const tf_audit_view *view, bson_t *out)
{
    const tf_audit *audit = view->audit;
    bson_t issues;
    uint32_t n = 0;
    BSON_APPEND_BOOL(out, "isHealthy", audit->findings_count == 0 && !(view->owners && view->owners->owners.with_issues));
    BSON_APPEND_INT64(out, "totalChecks", (int64_t)audit->total);
    BSON_APPEND_INT64(out, "passedChecks", (int64_t)audit->passed);
    BSON_APPEND_INT64(out, "skippedChecks", (int64_t)audit->skipped);
    if (view->owners)
        tf_audit_owners_append(view->owners, out);
    BSON_APPEND_ARRAY_BEGIN(out, view->owners ? "findings" : "issues", &issues);
    for (size_t i = 0; i < audit->findings_count; i++)
        if (view->owners || is_shown(view, i))
            append_issue(view, &audit->findings[i], &issues, &n);
    bson_append_array_end(out, &issues);
    BSON_APPEND_INT64(out, "totalIssues", view->owners ? view->owners->owners.with_issues : (int64_t)audit->findings_count);
    BSON_APPEND_INT64(out, "limit", view->limit);
    BSON_APPEND_INT64(out, "offset", view->offset);
    append_checks(audit, out);
    append_audit(view, out);
}

/* ---- text ---- */

static void print_verdict(const tf_audit_view *view)
{
    const tf_audit *audit = view->audit;
    char found[TF_TERMS_TEXT] = "nothing found", skipped[TF_TERMS_TEXT] = "", line[512];
    if (audit->findings_count)
        snprintf(found, sizeof found, "%zu finding%s", audit->findings_count, audit->findings_count == 1 ? "" : "s");
    if (audit->skipped)
        snprintf(skipped, sizeof skipped, ", %zu skipped", audit->skipped);
    snprintf(line, sizeof line, "Audit of %s with %zu check%s: %s%s", audit->migration->id, audit->total, audit->total == 1 ? "" : "s", found,
             skipped);
    tf_text_wrap(stdout, line, 0, 0, tf_terminal_of(stdout).width);
    if (view->user)
        printf("Only %s %s.\n", view->terms.owner, TF_WORD(view->user));
    if (view->mint)
        printf("Only mint %s.\n", TF_WORD(view->mint));
    if (*audit->since)
        printf("Only what was created or changed since run %s began.\n", audit->since);
    putchar('\n');
}

static void print_checks(const tf_audit_view *view)
{
    static const tf_column columns[] = {{"check", "check", TF_COLUMN_TEXT, 0},
                                        {"result", "result", TF_COLUMN_STATE, 0},
                                        {"found", "found", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {.name = NULL}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < view->audit->total; i++) {
        const tf_audit_row *row = &view->audit->rows[i];
        const tf_finding *finding = tf_audit_report_finding(view->audit, row);
        char found[2 * TF_TERMS_TEXT + 300], count[TF_TERMS_TEXT];
        snprintf(found, sizeof found, "%s", row->reason);
        if (finding)
            snprintf(found, sizeof found, "%s%s%s", tf_audit_report_count(&view->terms, row->check, finding->count, count),
                     finding->has_amount ? ", " : "", finding->has_amount ? TF_AMOUNT(&view->terms, finding->amount) : "");
        tf_table_add(table, TF_CELL_TEXT(row->check->name),
                     TF_CELL_TEXT(finding                              ? tf_severity_name(finding->severity)
                                  : row->state == TF_AUDIT_SKIPPED ? "skipped"
                                                                   : "ok"),
                     TF_CELL_TEXT(found));
    }
    tf_table_print(table, stdout);
}

/* The examples by what they are called. */
static void print_examples(const tf_finding *finding, size_t width)
{
    char line[1024] = "";
    size_t length = 0;
    bson_iter_t iter, field;
    if (!bson_iter_init(&iter, finding->examples))
        return;
    for (int n = 0; n < SHOWN && bson_iter_next(&iter); n++) {
        char text[160] = "", clean[160];
        if (bson_iter_recurse(&iter, &field) && bson_iter_next(&field))
            tf_value_text(bson_iter_value(&field), text, sizeof text);
        length += (size_t)snprintf(line + length, sizeof line - length, "%s%s", length ? ", " : "e.g. ",
                                   tf_text_clean(text, clean, sizeof clean));
    }
    if (length)
        tf_text_wrap(stdout, line, 0, 4, width);
}

static void print_advice(const tf_audit_view *view)
{
    size_t width = tf_terminal_of(stdout).width;
    const tf_audit *audit = view->audit;
    bool any = false;
    for (size_t i = 0; i < audit->findings_count; i++) {
        const tf_finding *finding = &audit->findings[i];
        char line[1024];
        if (!view->owners && !is_shown(view, i))
            continue;
        if (!any)
            printf("\nWhat to do:\n");
        snprintf(line, sizeof line, "%s: %s", finding->check->name, finding->check->advice ? finding->check->advice : "");
        tf_text_wrap(stdout, line, 0, 2, width);
        print_examples(finding, width);
        any = true;
    }
}

void tf_audit_report_print(const tf_audit_view *view)
{
    print_verdict(view);
    print_checks(view);
    if (view->owners)
        tf_audit_owners_print(view->owners, &view->terms);
    print_advice(view);
}
