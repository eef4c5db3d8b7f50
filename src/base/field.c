#include "base/field.h"

#include <string.h>

static bool find(const bson_t *doc, const char *path, bson_iter_t *at)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, at);
}

int64_t tf_field_number(const bson_t *doc, const char *path)
{
    bson_iter_t at;
    if (!find(doc, path, &at))
        return 0;
    return BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
}

bool tf_field_text(const bson_t *doc, const char *path, char *into, size_t size)
{
    bson_iter_t at;
    bool found = find(doc, path, &at) && BSON_ITER_HOLDS_UTF8(&at);
    snprintf(into, size, "%s", found ? bson_iter_utf8(&at, NULL) : "");
    return found;
}

bool tf_field_view(const bson_t *doc, const char *path, bson_t *view)
{
    bson_iter_t at;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (!find(doc, path, &at))
        return false;
    if (BSON_ITER_HOLDS_ARRAY(&at))
        bson_iter_array(&at, &length, &data);
    else if (BSON_ITER_HOLDS_DOCUMENT(&at))
        bson_iter_document(&at, &length, &data);
    return data && bson_init_static(view, data, length);
}

bool tf_field_copy_without(const bson_t *doc, const char *name, bson_t *out)
{
    bson_iter_t iter;
    if (!bson_iter_init(&iter, doc))
        return false;
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), name) != 0 &&
            !bson_append_iter(out, bson_iter_key(&iter), (int)bson_iter_key_len(&iter), &iter))
            return false;
    return !iter.err_off;
}

bool tf_field_hash(const bson_t *doc, const char *path, uint8_t out[32])
{
    bson_iter_t at;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (!find(doc, path, &at) || !BSON_ITER_HOLDS_BINARY(&at))
        return false;
    bson_iter_binary(&at, NULL, &length, &data);
    if (length != 32)
        return false;
    memcpy(out, data, 32);
    return true;
}
