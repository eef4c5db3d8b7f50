#include "db/id.h"

#include <string.h>

void tf_range_done(tf_range *range)
{
    tf_id_set(&range->after, &(bson_value_t){0});
    tf_id_set(&range->upto, &(bson_value_t){0});
}

void tf_id_set(bson_value_t *to, const bson_value_t *from)
{
    bson_value_t copy = {0};
    if (!tf_id_is_open(from))
        bson_value_copy(from, &copy);
    if (!tf_id_is_open(to))
        bson_value_destroy(to);
    *to = copy;
}

void tf_id_append(bson_t *doc, const char *key, const bson_value_t *id)
{
    bson_t wrapped;
    if (tf_id_is_open(id))
        return;
    bson_append_document_begin(doc, key, -1, &wrapped);
    bson_append_value(&wrapped, "v", 1, id);
    bson_append_document_end(doc, &wrapped);
}

void tf_id_read(const bson_t *doc, const char *key, bson_value_t *out)
{
    bson_iter_t iter, child;
    bson_value_t none = {0};
    if (bson_iter_init_find(&iter, doc, key) && bson_iter_recurse(&iter, &child) && bson_iter_find(&child, "v"))
        tf_id_set(out, bson_iter_value(&child));
    else
        tf_id_set(out, &none);
}

void tf_array_append_value(bson_t *array, uint32_t *n, const bson_value_t *value)
{
    char buffer[16];
    const char *key;
    size_t length = bson_uint32_to_string((*n)++, &key, buffer, sizeof buffer);
    bson_append_value(array, key, (int)length, value);
}

void tf_array_append_document(bson_t *array, uint32_t *n, const bson_t *doc)
{
    char buffer[16];
    const char *key;
    size_t length = bson_uint32_to_string((*n)++, &key, buffer, sizeof buffer);
    bson_append_document(array, key, (int)length, doc);
}

static void append_compare(bson_t *conditions, uint32_t *n, const char *comparison, const bson_value_t *id)
{
    bson_t condition = BSON_INITIALIZER, expr, args, literal;
    bson_append_document_begin(&condition, "$expr", 5, &expr);
    bson_append_array_begin(&expr, comparison, -1, &args);
    bson_append_utf8(&args, "0", 1, "$_id", 4);
    bson_append_document_begin(&args, "1", 1, &literal);
    bson_append_value(&literal, "$literal", 8, id);
    bson_append_document_end(&args, &literal);
    bson_append_array_end(&expr, &args);
    bson_append_document_end(&condition, &expr);
    tf_array_append_document(conditions, n, &condition);
    bson_destroy(&condition);
}

void tf_range_append(bson_t *conditions, uint32_t *n, const bson_value_t *after, const bson_value_t *upto)
{
    if (!tf_id_is_open(after))
        append_compare(conditions, n, "$gt", after);
    if (!tf_id_is_open(upto))
        append_compare(conditions, n, "$lte", upto);
}

void tf_id_append_in(bson_t *conditions, uint32_t *n, const bson_t *ids)
{
    bson_t condition = BSON_INITIALIZER, id;
    bson_append_document_begin(&condition, "_id", 3, &id);
    bson_append_array(&id, "$in", 3, ids);
    bson_append_document_end(&condition, &id);
    tf_array_append_document(conditions, n, &condition);
    bson_destroy(&condition);
}
