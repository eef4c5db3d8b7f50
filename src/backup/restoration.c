#include "backup/restoration.h"

#include "base/docs.h"

#include <string.h>

static bool same_document(const bson_t *a, const bson_t *b)
{
    return a->len == b->len && memcmp(bson_get_data(a), bson_get_data(b), a->len) == 0;
}

/* Type and bytes of a field's value; false when it is absent. */
static bool field_bytes(const bson_t *doc, const char *name, bson_type_t *type, const uint8_t **data, uint32_t *length)
{
    bson_iter_t iter, next;
    if (!bson_iter_init_find(&iter, doc, name))
        return false;
    uint32_t begin = bson_iter_offset(&iter) + 1 + (uint32_t)strlen(name) + 1;
    *type = bson_iter_type(&iter);
    next = iter;
    uint32_t end = bson_iter_next(&next) ? bson_iter_offset(&next) : doc->len - 1;
    *data = bson_get_data(doc) + begin;
    *length = end - begin;
    return true;
}

static bool same_field(const bson_t *a, const bson_t *b, const char *name)
{
    bson_type_t t, u;
    const uint8_t *x, *y;
    uint32_t n, m;
    bool in_a = field_bytes(a, name, &t, &x, &n), in_b = field_bytes(b, name, &u, &y, &m);
    if (!in_a || !in_b)
        return in_a == in_b;
    return t == u && n == m && memcmp(x, y, n) == 0;
}

static void explain(char *reason, size_t size, const char *text, const char *field)
{
    if (reason)
        snprintf(reason, size, "%s%s", text, field);
}

tf_restoration tf_restoration_decide(const tf_repair *repair, const bson_t *now, const bson_t *before,
                                     const bson_t *prediction, bool fields_policy, char *reason, size_t reason_size)
{
    if (same_document(now, prediction))
        return TF_RESTORE_EXACT;
    if (same_document(now, before))
        return TF_RESTORE_ALREADY;
    for (size_t i = 0; repair->touched[i]; i++) {
        const char *name = repair->touched[i];
        if (!tf_repair_is_update_time(repair, name) && !same_field(now, prediction, name)) {
            explain(reason, reason_size, "changed since in a repaired field: ", name);
            return TF_RESTORE_CONFLICT;
        }
    }
    if (fields_policy)
        return TF_RESTORE_FIELDS;
    explain(reason, reason_size, "changed since in other fields", "");
    return TF_RESTORE_CONFLICT;
}

static void append_missing(const tf_repair *repair, const bson_t *now, const bson_t *before, const bson_t *prediction,
                           bson_t *out)
{
    bson_iter_t iter;
    for (size_t i = 0; repair->touched[i]; i++) {
        const char *name = repair->touched[i];
        if (!bson_has_field(now, name) && !bson_has_field(prediction, name) && bson_iter_init_find(&iter, before, name))
            tf_doc_append_field(before, &iter, out);
    }
}

void tf_restoration_merge(const tf_repair *repair, const bson_t *now, const bson_t *before, const bson_t *prediction,
                          bson_t *out)
{
    bson_iter_t iter, old;
    if (bson_iter_init(&iter, now))
        while (bson_iter_next(&iter)) {
            const char *name = bson_iter_key(&iter);
            bool ours = tf_repair_touches(repair, name) && same_field(now, prediction, name);
            if (!ours)
                tf_doc_append_field(now, &iter, out);
            else if (bson_iter_init_find(&old, before, name))
                tf_doc_append_field(before, &old, out);
        }
    append_missing(repair, now, before, prediction, out);
}

static bool occurs_again(const bson_iter_t *at)
{
    bson_iter_t rest = *at;
    while (bson_iter_next(&rest))
        if (strcmp(bson_iter_key(&rest), bson_iter_key(at)) == 0)
            return true;
    return false;
}

bool tf_restoration_in_place(const tf_repair *repair, const bson_t *now, const bson_t *wanted)
{
    bson_iter_t x, y;
    bool ok = bson_iter_init(&x, now) && bson_iter_init(&y, wanted), in_y = ok && bson_iter_next(&y);
    while (ok && bson_iter_next(&x)) {
        const char *name = bson_iter_key(&x);
        bool kept = in_y && strcmp(name, bson_iter_key(&y)) == 0;
        if (!kept || !tf_doc_same_element(now, &x, wanted, &y))
            ok = tf_repair_touches(repair, name) && !strpbrk(name, ".$") && !occurs_again(&x);
        if (kept)
            in_y = bson_iter_next(&y);
    }
    return ok && !in_y;
}
