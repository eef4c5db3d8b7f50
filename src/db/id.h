/*
 * Document ids of any BSON type: kept verbatim, compared by the server only. A range is (after, upto] in the server's
 * order over all types; it is asked for with $expr and $literal, because plain $gt sees only ids of the same type.
 */
#ifndef TF_DB_ID_H
#define TF_DB_ID_H

#include <tokenfix/bson.h>
#include <stdbool.h>

/* A range of _ids; a bound whose value_type is BSON_TYPE_EOD is open. The bounds are owned. */
typedef struct tf_range {
    bson_value_t after; /* exclusive */
    bson_value_t upto;  /* inclusive */
} tf_range;

void tf_range_done(tf_range *range);

/* Frees what *to held and copies `from` (EOD allowed). */
void tf_id_set(bson_value_t *to, const bson_value_t *from);
static inline bool tf_id_is_open(const bson_value_t *id)
{
    return id->value_type == BSON_TYPE_EOD;
}

/* Appends key: {v: id}; nothing for an open bound. tf_id_read reads such a field, open when absent. */
void tf_id_append(bson_t *doc, const char *key, const bson_value_t *id);
void tf_id_read(const bson_t *doc, const char *key, bson_value_t *out);

/* Appends to the array `conditions` (next index *n) the conditions of a range. */
void tf_range_append(bson_t *conditions, uint32_t *n, const bson_value_t *after, const bson_value_t *upto);

/* Appends to the array `conditions` one that matches exactly the ids of the array `ids`. ($in takes every type that an
 * _id can have: the server refuses regex, array and undefined as _id.) */
void tf_id_append_in(bson_t *conditions, uint32_t *n, const bson_t *ids);

/* Appends a value to an array document under its next index. */
void tf_array_append_value(bson_t *array, uint32_t *n, const bson_value_t *value);
void tf_array_append_document(bson_t *array, uint32_t *n, const bson_t *doc);

#endif
