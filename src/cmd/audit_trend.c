#include "cmd/audit_trend.h"

#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"

/* ---- data ---- */

static void append_amount(bson_t *to, const char *key, const tf_trend_row *row, int64_t amount)
{
    if (row->has_amount)
        BSON_APPEND_INT64(to, key, amount);
    else
        BSON_APPEND_NULL(to, key);
}

static void append_kind(const tf_trend *trend, tf_trend_kind kind, bson_t *out)
{
    bson_t list;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, tf_trend_names[kind], &list);
    for (size_t i = 0; i < trend->count; i++) {
        const tf_trend_row *row = &trend->rows[i];
        if (row->kind != kind)
            continue;
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&one, "id", row->id);
        BSON_APPEND_UTF8(&one, "type", row->check);
        BSON_APPEND_UTF8(&one, "severity", row->severity);
        BSON_APPEND_INT64(&one, "before", row->before);
        BSON_APPEND_INT64(&one, "count", row->now);
        append_amount(&one, "amountBefore", row, row->amount_before);
        append_amount(&one, "amount", row, row->amount);
        tf_array_append_document(&list, &n, &one);
    }
    bson_append_array_end(out, &list);
}

void tf_audit_trend_append(const tf_trend *trend, const tf_audit_kept *before, bson_t *out)
{
    bson_t diff, since;
    BSON_APPEND_DOCUMENT_BEGIN(out, "diff", &diff);
    if (before) {
        BSON_APPEND_DOCUMENT_BEGIN(&diff, "since", &since);
        BSON_APPEND_UTF8(&since, "audit", before->id);
        tf_append_time(&since, "timestamp", before->at);
        bson_append_document_end(&diff, &since);
    } else
        BSON_APPEND_NULL(&diff, "since");
    for (tf_trend_kind kind = TF_TREND_NEW; kind < TF_TREND_SAME; kind++)
        append_kind(trend, kind, &diff);
    BSON_APPEND_INT64(&diff, "unchanged", (int64_t)trend->of[TF_TREND_SAME]);
    bson_append_document_end(out, &diff);
}

/* ---- text ---- */

/* "+3", "-1,250"; what 64 bits do not hold stands as the largest they do. */
static void difference(int64_t before, int64_t now, int64_t *out)
{
    if (__builtin_sub_overflow(now, before, out))
        *out = now > before ? INT64_MAX : -INT64_MAX;
}

static const char *difference_text(const tf_trend_row *row, const tf_terms *terms, char out[static 2 * TF_TERMS_TEXT])
{
    int64_t count, amount;
    difference(row->before, row->now, &count);
    difference(row->amount_before, row->amount, &amount);
    int length = snprintf(out, 2 * TF_TERMS_TEXT, "%s%s", count > 0 ? "+" : "", TF_COUNT(count));
    if (row->has_amount && amount != 0)
        snprintf(out + length, 2 * TF_TERMS_TEXT - (size_t)length, ", %s%s", amount > 0 ? "+" : "", TF_AMOUNT(terms, amount));
    return out;
}

void tf_audit_trend_print(const tf_trend *trend, const tf_audit_kept *before, const tf_terms *terms)
{
    static const tf_column columns[] = {{"change", "change", TF_COLUMN_TEXT, 0},   {"check", "check", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"before", "before", TF_COLUMN_COUNT, 0},  {"now", "now", TF_COLUMN_COUNT, 0},
                                        {"difference", "difference", TF_COLUMN_TEXT, TF_COLUMN_WRAP}, {NULL, NULL, TF_COLUMN_TEXT, 0}};
    char time[TF_FORMAT_MAX], text[2 * TF_TERMS_TEXT];
    if (!before) {
        printf("\nThere is no earlier audit of the same to compare with.\n");
        return;
    }
    if (trend->count == trend->of[TF_TREND_SAME]) {
        printf("\nNothing changed since audit %s\nof %s.\n", before->id, tf_format_time(before->at, time));
        return;
    }
    printf("\nSince audit %s\nof %s:\n", before->id, tf_format_time(before->at, time));
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < trend->count; i++) {
        const tf_trend_row *row = &trend->rows[i];
        if (row->kind != TF_TREND_SAME)
            tf_table_add(table, TF_CELL_TEXT(tf_trend_names[row->kind]), TF_CELL_TEXT(row->check), TF_CELL_NUMBER(row->before),
                         TF_CELL_NUMBER(row->now), TF_CELL_TEXT(difference_text(row, terms, text)));
    }
    tf_table_print(table, stdout);
    if (trend->of[TF_TREND_SAME])
        printf("%zu unchanged\n", trend->of[TF_TREND_SAME]);
}
