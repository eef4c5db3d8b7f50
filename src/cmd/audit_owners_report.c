#include "cmd/audit_owners_report.h"

#include "base/text.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"
#include "report/table.h"
#include "report/terminal.h"

/* ---- data ---- */

static void append_breakdown(const tf_holding *holding, bson_t *details)
{
    bson_t balances;
    if (!holding->rows) {
        BSON_APPEND_NULL(details, "balanceBreakdown");
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(details, "balanceBreakdown", &balances);
    BSON_APPEND_INT64(&balances, "total_balance", holding->balance);
    for (size_t i = 0; i < holding->rows_count; i++) {
        char name[512];
        snprintf(name, sizeof name, "%s_balance", holding->rows[i].status);
        if (holding->rows[i].counted)
            BSON_APPEND_INT64(&balances, name, holding->rows[i].amount);
    }
    bson_append_document_end(details, &balances);
}

static void append_amount(const tf_owner_counts *counts, const char *key, bson_t *out)
{
    if (counts->too_large)
        BSON_APPEND_NULL(out, key);
    else
        BSON_APPEND_INT64(out, key, counts->amount);
}

static void append_owner(const tf_audit_owners *owners, size_t at, bson_t *issues, uint32_t *n)
{
    const tf_owner_counts *counts = &owners->owners.page[at];
    _cleanup_bson_ bson_t one = BSON_INITIALIZER;
    bson_t part;
    bson_append_value(&one, owners->repair->ledger.owner[0], -1, &counts->owner);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "issues", &part);
    for (size_t i = 0; i < owners->checks_count; i++) {
        int64_t count = tf_audit_owners_count(owners, counts, i);
        if (owners->checks[i]->user_flag)
            BSON_APPEND_BOOL(&part, owners->checks[i]->user_key, count > 0);
        else
            BSON_APPEND_INT64(&part, owners->checks[i]->user_key, count);
    }
    bson_append_document_end(&one, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "details", &part);
    append_breakdown(&owners->holdings[at], &part);
    append_amount(counts, "affectedAmount", &part);
    bson_append_document_end(&one, &part);
    tf_array_append_document(issues, n, &one);
}

/* How many documents the checks without a source found. */
static int64_t documents_of(const tf_audit_owners *owners, const tf_owner_counts *counts)
{
    int64_t documents = 0;
    for (size_t i = 0; i < owners->checks_count; i++)
        if (!owners->checks[i]->source)
            documents += tf_audit_owners_count(owners, counts, i);
    return documents;
}

void tf_audit_owners_append(const tf_audit_owners *owners, bson_t *out)
{
    bson_t part;
    uint32_t n = 0;
    BSON_APPEND_INT64(out, "totalUsers", owners->owners.total);
    BSON_APPEND_INT64(out, "checkedUsers", owners->owners.checked);
    BSON_APPEND_ARRAY_BEGIN(out, "issues", &part);
    for (size_t i = 0; i < owners->owners.page_count; i++)
        append_owner(owners, i, &part, &n);
    bson_append_array_end(out, &part);
    BSON_APPEND_DOCUMENT_BEGIN(out, "summary", &part);
    BSON_APPEND_INT64(&part, "usersWithIssues", owners->owners.with_issues);
    BSON_APPEND_INT64(&part, "totalProblematicTokens", documents_of(owners, &owners->owners.sums));
    append_amount(&owners->owners.sums, "totalAffectedAmount", &part);
    bson_append_document_end(out, &part);
}

/* ---- text ---- */

void tf_audit_owners_print(const tf_audit_owners *owners, const tf_terms *terms)
{
    char amount[48], balance[48], line[256];
    snprintf(amount, sizeof amount, *terms->unit ? "affected, %s" : "affected%s", terms->unit);
    snprintf(balance, sizeof balance, *terms->unit ? "balance, %s" : "balance%s", terms->unit);
    const tf_column columns[] = {{"owner", terms->owner, TF_COLUMN_TEXT, 0}, /* whole: who is cut cannot be asked for */
                                 {"issues", "issues", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                 {"amount", amount, TF_COLUMN_COUNT, 0},
                                 {"balance", balance, TF_COLUMN_COUNT, 0},
                                 {.name = NULL}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < owners->owners.page_count; i++) {
        const tf_owner_counts *counts = &owners->owners.page[i];
        char owner[200], issues[512] = "";
        size_t length = 0;
        tf_value_text(&counts->owner, owner, sizeof owner);
        for (size_t k = 0; k < owners->checks_count && length < sizeof issues; k++) {
            int64_t count = tf_audit_owners_count(owners, counts, k);
            if (count && owners->checks[k]->user_flag)
                length += (size_t)snprintf(issues + length, sizeof issues - length, "%s%s", length ? ", " : "", owners->checks[k]->name);
            else if (count)
                length += (size_t)snprintf(issues + length, sizeof issues - length, "%s%s %s", length ? ", " : "", TF_COUNT(count),
                                           owners->checks[k]->name);
        }
        tf_table_add(table, TF_CELL_TEXT(owner), TF_CELL_TEXT(issues),
                     counts->too_large ? TF_CELL_NONE : TF_CELL_TEXT(TF_NUMBER(terms, counts->amount)),
                     owners->holdings[i].rows ? TF_CELL_TEXT(TF_NUMBER(terms, owners->holdings[i].balance)) : TF_CELL_NONE);
    }
    if (owners->owners.with_issues == 0)
        return;
    snprintf(line, sizeof line, "%s of %s %ss with issues%s", TF_COUNT((int64_t)owners->owners.page_count), TF_COUNT(owners->owners.with_issues),
             terms->owner, tf_table_rows(table) ? ", those with the largest amounts first:" : " shown (--limit, --offset)");
    putchar('\n');
    tf_text_wrap(stdout, line, 0, 0, tf_terminal_of(stdout).width);
    tf_table_print(table, stdout);
}
