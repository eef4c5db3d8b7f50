#include "check/sums.h"

#include "check/amount.h"

#include <tokenfix/cleanup.h>

static bool same_value(const bson_value_t *a, const bson_value_t *b)
{
    _cleanup_bson_ bson_t x = BSON_INITIALIZER, y = BSON_INITIALIZER;
    if (a->value_type != BSON_TYPE_EOD)
        bson_append_value(&x, "v", 1, a);
    if (b->value_type != BSON_TYPE_EOD)
        bson_append_value(&y, "v", 1, b);
    return bson_equal(&x, &y);
}

static size_t slot(tf_sums *s, const bson_value_t *status)
{
    for (size_t i = 0; i < s->count; i++)
        if (same_value(&s->status[i], status))
            return i;
    if (s->count == TF_SUMS_STATUSES)
        return TF_SUMS_STATUSES - 1;
    s->status[s->count] = *status;
    return s->count++;
}

static bool field(const bson_iter_t *row, const char *name, bson_iter_t *out)
{
    return bson_iter_recurse(row, out) && bson_iter_find(out, name);
}

static bool read_field(const bson_iter_t *row, const char *name, int64_t *out, tf_error *err)
{
    bson_iter_t at;
    *out = 0;
    return !field(row, name, &at) || tf_amount_read_sum(&at, out, err);
}

static size_t status_of(tf_sums *s, const bson_iter_t *row, const char *name)
{
    bson_iter_t at;
    bson_value_t status = {0};
    if (field(row, name, &at))
        status = *bson_iter_value(&at);
    return slot(s, &status);
}

static bool rows_of(const bson_t *doc, const char *name, bson_iter_t *rows)
{
    bson_iter_t iter;
    return doc && bson_iter_init_find(&iter, doc, name) && bson_iter_recurse(&iter, rows);
}

bool tf_sums_add_before(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err)
{
    bson_iter_t row;
    int64_t amount;
    bool any = rows_of(doc, name, &row);
    while (any && bson_iter_next(&row)) {
        size_t i = status_of(sums, &row, "status");
        if (!read_field(&row, "amount", &amount, err) || !tf_amount_add(&sums->before[i], amount, err) ||
            !tf_amount_add(&sums->expected[i], amount, err))
            return false;
    }
    return true;
}

bool tf_sums_add_moves(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err)
{
    bson_iter_t row, at;
    int64_t amount, n;
    bool any = rows_of(doc, name, &row);
    while (any && bson_iter_next(&row)) {
        bool created = field(&row, "created", &at);
        size_t to = status_of(sums, &row, "to"), from = created ? to : status_of(sums, &row, "from");
        if (!read_field(&row, "amount", &amount, err) || !read_field(&row, "n", &n, err))
            return false;
        int64_t half = amount / 2, *source = &sums->expected[from]; /* the smallest number has no negative: two steps */
        if ((!created && (!tf_amount_add(source, -half, err) || !tf_amount_add(source, -(amount - half), err))) ||
            !tf_amount_add(&sums->expected[to], amount, err) || !tf_amount_add(&sums->moved, amount, err) ||
            !tf_amount_add(&sums->documents, n, err))
            return false;
    }
    return true;
}

bool tf_sums_add_found(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err)
{
    bson_iter_t row;
    int64_t amount, since;
    bool any = rows_of(doc, name, &row);
    while (any && bson_iter_next(&row)) {
        size_t i = status_of(sums, &row, "status");
        if (!read_field(&row, "amount", &amount, err) || !read_field(&row, "since", &since, err) ||
            !tf_amount_add(&sums->found[i], amount, err) || !tf_amount_add(&sums->since, since, err))
            return false;
    }
    return true;
}

int64_t tf_sums_difference(const tf_sums *sums, size_t i)
{
    int64_t difference;
    if (__builtin_sub_overflow(sums->found[i], sums->expected[i], &difference))
        return sums->found[i] > sums->expected[i] ? INT64_MAX : INT64_MIN;
    return difference;
}

bool tf_sums_covers(const tf_sums *sums, int64_t difference)
{
    return difference >= -sums->since && difference <= sums->since;
}

int64_t tf_sums_magnitude(int64_t difference)
{
    return difference >= 0 ? difference : difference == INT64_MIN ? INT64_MAX : -difference;
}
