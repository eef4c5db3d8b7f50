#include "backup/delta.h"

#include "base/docs.h"

#include <string.h>

static bool view(const bson_iter_t *value, bson_t *out)
{
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (BSON_ITER_HOLDS_DOCUMENT(value))
        bson_iter_document(value, &length, &data);
    else if (BSON_ITER_HOLDS_ARRAY(value))
        bson_iter_array(value, &length, &data);
    return data && bson_init_static(out, data, length);
}

/* Two elements of the same name. */
static bool change_is_safe(const bson_t *before, const bson_iter_t *x, const bson_t *after, const bson_iter_t *y)
{
    bson_t a, b;
    if (tf_doc_same_element(before, x, after, y))
        return true;
    if (!tf_doc_is_single(before, bson_iter_key(x)) || !tf_doc_is_single(after, bson_iter_key(y)))
        return false;
    return bson_iter_type(x) != bson_iter_type(y) || !view(x, &a) || !view(y, &b) || tf_delta_is_safe(&a, &b);
}

bool tf_delta_is_safe(const bson_t *before, const bson_t *after)
{
    bson_iter_t x, y;
    if (!bson_iter_init(&x, before) || !bson_iter_init(&y, after))
        return false;
    bool in_x = bson_iter_next(&x), in_y = bson_iter_next(&y);
    while (in_x && in_y) {
        bool same = strcmp(bson_iter_key(&x), bson_iter_key(&y)) == 0;
        if (same ? !change_is_safe(before, &x, after, &y) : !tf_doc_is_single(before, bson_iter_key(&x)))
            return false;
        in_x = bson_iter_next(&x);
        if (same)
            in_y = bson_iter_next(&y);
    }
    for (; in_x; in_x = bson_iter_next(&x))
        if (!tf_doc_is_single(before, bson_iter_key(&x)))
            return false;
    for (; in_y; in_y = bson_iter_next(&y))
        if (!tf_doc_is_single(after, bson_iter_key(&y)))
            return false;
    return true;
}

bool tf_delta_repeats(const bson_iter_t *value)
{
    bson_t doc;
    return view(value, &doc) && tf_doc_repeats(&doc, BSON_ITER_HOLDS_ARRAY(value));
}
