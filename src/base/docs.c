#include "base/docs.h"

#include <string.h>

enum { KEEP = 4 << 20, DEPTH_MAX = 200 };

void tf_docs_clear(tf_docs *docs)
{
    docs->count = docs->length = 0;
    if (docs->capacity > KEEP) {
        free(docs->data);
        docs->data = NULL;
        docs->capacity = 0;
    }
}

void tf_docs_done(tf_docs *docs)
{
    free(docs->data);
    free(docs->offsets);
    *docs = (tf_docs){0};
}

void tf_docs_add(tf_docs *docs, const bson_t *doc)
{
    size_t need = docs->length + doc->len;
    if (need > docs->capacity) {
        size_t capacity = docs->capacity + docs->capacity / 2;
        docs->capacity = capacity < need ? need : capacity;
        docs->data = bson_realloc(docs->data, docs->capacity);
    }
    if (docs->count == docs->offsets_capacity) {
        docs->offsets_capacity = docs->offsets_capacity ? docs->offsets_capacity * 2 : 256;
        docs->offsets = bson_realloc(docs->offsets, docs->offsets_capacity * sizeof *docs->offsets);
    }
    memcpy(docs->data + docs->length, bson_get_data(doc), doc->len);
    docs->offsets[docs->count++] = docs->length;
    docs->length = need;
}

const uint8_t *tf_docs_bytes(const tf_docs *docs, size_t i, uint32_t *length)
{
    size_t end = i + 1 < docs->count ? docs->offsets[i + 1] : docs->length;
    *length = (uint32_t)(end - docs->offsets[i]);
    return docs->data + docs->offsets[i];
}

void tf_docs_view(const tf_docs *docs, size_t i, bson_t *view)
{
    uint32_t length;
    const uint8_t *data = tf_docs_bytes(docs, i, &length);
    bson_init_static(view, data, length);
}

bool tf_docs_same(const tf_docs *a, size_t i, const tf_docs *b, size_t j)
{
    uint32_t n, m;
    const uint8_t *x = tf_docs_bytes(a, i, &n), *y = tf_docs_bytes(b, j, &m);
    return n == m && memcmp(x, y, n) == 0;
}

const uint8_t *tf_doc_element(const bson_t *doc, const bson_iter_t *at, uint32_t *length)
{
    bson_iter_t next = *at;
    *length = (bson_iter_next(&next) ? next.off : doc->len - 1) - at->off;
    return bson_get_data(doc) + at->off;
}

bool tf_doc_same_element(const bson_t *a, const bson_iter_t *x, const bson_t *b, const bson_iter_t *y)
{
    uint32_t n, m;
    const uint8_t *p = tf_doc_element(a, x, &n), *q = tf_doc_element(b, y, &m);
    return n == m && memcmp(p, q, n) == 0;
}

bool tf_doc_append_bytes(bson_t *out, const uint8_t *elements, uint32_t more)
{
    uint32_t before = out->len, length = before + more, stored = BSON_UINT32_TO_LE(length);
    uint8_t *data = bson_reserve_buffer(out, length);
    if (!data)
        return false;
    memcpy(data, &stored, sizeof stored);
    memcpy(data + before - 1, elements, more);
    data[length - 1] = 0;
    return true;
}

bool tf_doc_append_field(const bson_t *doc, const bson_iter_t *at, bson_t *out)
{
    uint32_t length;
    const uint8_t *element = tf_doc_element(doc, at, &length);
    return tf_doc_append_bytes(out, element, length);
}

static bool is_sound(const bson_t *doc, int depth)
{
    bson_iter_t iter;
    bson_t view;
    if (depth > DEPTH_MAX || !bson_iter_init(&iter, doc))
        return false;
    while (bson_iter_next(&iter)) {
        uint32_t length = 0, ignored;
        const uint8_t *data = NULL;
        if (BSON_ITER_HOLDS_DOCUMENT(&iter))
            bson_iter_document(&iter, &length, &data);
        else if (BSON_ITER_HOLDS_ARRAY(&iter))
            bson_iter_array(&iter, &length, &data);
        else if (BSON_ITER_HOLDS_CODEWSCOPE(&iter))
            bson_iter_codewscope(&iter, &ignored, &length, &data);
        else
            continue;
        if (!data || !bson_init_static(&view, data, length) || !is_sound(&view, depth + 1))
            return false;
    }
    return iter.err_off == 0;
}

bool tf_doc_is_sound(const bson_t *doc)
{
    return is_sound(doc, 1);
}

bool tf_doc_is_single(const bson_t *doc, const char *name)
{
    bson_iter_t iter;
    int count = 0;
    if (bson_iter_init(&iter, doc))
        while (count < 2 && bson_iter_next(&iter))
            count += strcmp(bson_iter_key(&iter), name) == 0;
    return count < 2;
}

bool tf_doc_repeats(const bson_t *doc, bool array)
{
    bson_iter_t iter;
    if (!bson_iter_init(&iter, doc))
        return false;
    while (bson_iter_next(&iter)) {
        uint32_t length = 0;
        const uint8_t *data = NULL;
        bson_t view;
        if (!array && !tf_doc_is_single(doc, bson_iter_key(&iter)))
            return true;
        if (BSON_ITER_HOLDS_DOCUMENT(&iter))
            bson_iter_document(&iter, &length, &data);
        else if (BSON_ITER_HOLDS_ARRAY(&iter))
            bson_iter_array(&iter, &length, &data);
        if (data && bson_init_static(&view, data, length) && tf_doc_repeats(&view, BSON_ITER_HOLDS_ARRAY(&iter)))
            return true;
    }
    return false;
}

bool tf_id_bytes(const bson_t *doc, bson_type_t *type, const uint8_t **data, uint32_t *length)
{
    bson_iter_t iter, next;
    if (!bson_iter_init_find(&iter, doc, "_id"))
        return false;
    *type = bson_iter_type(&iter);
    const uint8_t *base = bson_get_data(doc);
    uint32_t begin = bson_iter_offset(&iter) + 1 + 4; /* type byte, "_id" and its NUL */
    next = iter;
    uint32_t end = bson_iter_next(&next) ? bson_iter_offset(&next) : doc->len - 1;
    *data = base + begin;
    *length = end - begin;
    return true;
}

bool tf_doc_same_id(const bson_t *a, const bson_t *b)
{
    bson_type_t t, u;
    const uint8_t *x, *y;
    uint32_t n, m;
    return tf_id_bytes(a, &t, &x, &n) && tf_id_bytes(b, &u, &y, &m) && t == u && n == m && memcmp(x, y, n) == 0;
}

long tf_docs_find_id(const tf_docs *docs, const bson_t *doc, size_t hint)
{
    for (size_t k = 0; k < docs->count; k++) {
        size_t i = (hint + k) % docs->count;
        bson_t candidate;
        tf_docs_view(docs, i, &candidate);
        if (tf_doc_same_id(&candidate, doc))
            return (long)i;
    }
    return -1;
}

void tf_docs_append_ids(const tf_docs *docs, bson_t *out)
{
    char buffer[16];
    const char *key;
    for (size_t i = 0; i < docs->count; i++) {
        bson_t doc;
        tf_docs_view(docs, i, &doc);
        bson_iter_t iter;
        size_t length = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        if (bson_iter_init_find(&iter, &doc, "_id"))
            bson_append_iter(out, key, (int)length, &iter);
    }
}
