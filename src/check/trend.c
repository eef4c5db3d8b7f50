#include "check/trend.h"

#include "base/field.h"

#include <stdlib.h>
#include <string.h>

const char *const tf_trend_names[TF_TRENDS] = {"new", "gone", "grown", "shrunk", "same"};

void tf_trend_done(tf_trend *trend)
{
    free(trend->rows);
    *trend = (tf_trend){0};
}

/* ---- one finding ---- */

typedef struct finding {
    char id[64], check[64], severity[16];
    int64_t count, amount;
    bool has_amount;
} finding;

static bool read_finding(const bson_t *doc, finding *out)
{
    bson_iter_t iter;
    *out = (finding){.count = tf_field_number(doc, "count"), .amount = tf_field_number(doc, "amount")};
    out->has_amount = bson_iter_init_find(&iter, doc, "amount") && BSON_ITER_HOLDS_INT(&iter);
    tf_field_text(doc, "severity", out->severity, sizeof out->severity);
    return tf_field_text(doc, "id", out->id, sizeof out->id) && tf_field_text(doc, "check", out->check, sizeof out->check) && out->count > 0;
}

static bool next_finding(bson_iter_t *list, finding *out)
{
    while (bson_iter_next(list)) {
        const uint8_t *data = NULL;
        uint32_t length = 0;
        bson_t doc;
        if (!BSON_ITER_HOLDS_DOCUMENT(list))
            continue;
        bson_iter_document(list, &length, &data);
        if (bson_init_static(&doc, data, length) && read_finding(&doc, out))
            return true;
    }
    return false;
}

static bool open_list(const bson_t *audit, const char *key, bson_iter_t *out)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, audit, key) && BSON_ITER_HOLDS_ARRAY(&iter) && bson_iter_recurse(&iter, out);
}

static bool find(const bson_t *audit, const char *id, finding *out)
{
    bson_iter_t list;
    for (bool more = open_list(audit, "findings", &list); more && (more = next_finding(&list, out));)
        if (strcmp(out->id, id) == 0)
            return true;
    *out = (finding){.count = 0};
    return false;
}

static bool was_run(const bson_t *audit, const char *check)
{
    bson_iter_t list;
    for (bool more = open_list(audit, "checks", &list); more && (more = bson_iter_next(&list));)
        if (BSON_ITER_HOLDS_UTF8(&list) && strcmp(bson_iter_utf8(&list, NULL), check) == 0)
            return true;
    return false;
}

/* ---- both ---- */

static tf_trend_kind kind_of(const finding *before, const finding *now)
{
    if (!before->count)
        return TF_TREND_NEW;
    if (!now->count)
        return TF_TREND_GONE;
    if (before->count != now->count)
        return now->count > before->count ? TF_TREND_GROWN : TF_TREND_SHRUNK;
    if (before->has_amount && now->has_amount && before->amount != now->amount)
        return now->amount > before->amount ? TF_TREND_GROWN : TF_TREND_SHRUNK;
    return TF_TREND_SAME;
}

static void add(tf_trend *trend, const finding *before, const finding *now)
{
    const finding *named = now->count ? now : before;
    tf_trend_row row = {.kind = kind_of(before, now),
                        .before = before->count,
                        .now = now->count,
                        .has_amount = named->has_amount,
                        .amount_before = before->amount,
                        .amount = now->amount};
    memcpy(row.id, named->id, sizeof row.id);
    memcpy(row.check, named->check, sizeof row.check);
    memcpy(row.severity, named->severity, sizeof row.severity);
    size_t at = trend->count++;
    trend->rows = bson_realloc(trend->rows, trend->count * sizeof *trend->rows);
    for (; at > 0 && trend->rows[at - 1].kind > row.kind; at--)
        trend->rows[at] = trend->rows[at - 1];
    trend->rows[at] = row;
    trend->of[row.kind]++;
}

void tf_trend_make(const bson_t *before, const bson_t *now, tf_trend *out)
{
    bson_iter_t list;
    finding one, other;
    *out = (tf_trend){0};
    for (bool more = open_list(now, "findings", &list); more && (more = next_finding(&list, &one));)
        if (was_run(before, one.check) && was_run(now, one.check)) {
            find(before, one.id, &other);
            add(out, &other, &one);
        }
    for (bool more = open_list(before, "findings", &list); more && (more = next_finding(&list, &one));)
        if (was_run(now, one.check) && !find(now, one.id, &other))
            add(out, &one, &other);
}
