#include "cmd/audit_trend.h"

#include <stdarg.h>

#include "base/text.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"
#include "report/terminal.h"

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

/* "2 -> 4, +16 sat". What 64 bits do not hold stands as the largest that they do. */
static const char *difference(const tf_trend_row *row, const tf_terms *terms, char out[static 2 * TF_TERMS_TEXT])
{
    int64_t amount;
    if (__builtin_sub_overflow(row->amount, row->amount_before, &amount))
        amount = row->amount > 0 ? INT64_MAX : -INT64_MAX;
    int length = snprintf(out, 2 * TF_TERMS_TEXT, "%s -> %s", TF_COUNT(row->before), TF_COUNT(row->now));
    if (row->has_amount && amount != 0)
        snprintf(out + length, 2 * TF_TERMS_TEXT - (size_t)length, ", %s%s", amount > 0 ? "+" : "", TF_AMOUNT(terms, amount));
    return out;
}

__attribute__((format(printf, 1, 2))) static void print_line(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    putchar('\n');
    tf_text_wrap(stdout, line, 0, 0, tf_terminal_of(stdout).width);
}

void tf_audit_trend_print(const tf_trend *trend, const tf_audit_kept *before, const tf_terms *terms)
{
    static const tf_column columns[] = {{"change", "change", TF_COLUMN_TEXT, 0},
                                        {"check", "check", TF_COLUMN_TEXT, 0},
                                        {"difference", "count", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    char time[TF_FORMAT_MAX], text[2 * TF_TERMS_TEXT];
    if (!before) {
        print_line("There is no earlier audit of the same to compare with.");
        return;
    }
    if (trend->count == trend->of[TF_TREND_SAME]) {
        print_line("Nothing changed since audit %s of %s.", before->id, tf_format_time(before->at, time));
        return;
    }
    print_line("Since audit %s of %s:", before->id, tf_format_time(before->at, time));
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < trend->count; i++) {
        const tf_trend_row *row = &trend->rows[i];
        if (row->kind != TF_TREND_SAME)
            tf_table_add(table, TF_CELL_TEXT(tf_trend_names[row->kind]), TF_CELL_TEXT(row->check),
                         TF_CELL_TEXT(difference(row, terms, text)));
    }
    tf_table_print(table, stdout);
    if (trend->of[TF_TREND_SAME])
        printf("%zu unchanged\n", trend->of[TF_TREND_SAME]);
}
