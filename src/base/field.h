/* Fields of a BSON document by dotted path; what is absent or of another type reads as nothing. */
#ifndef TF_BASE_FIELD_H
#define TF_BASE_FIELD_H

#include <bson/bson.h>
#include <stdbool.h>

/* A number, a boolean as 0 or 1, a date in milliseconds since the epoch; 0 where there is none. */
int64_t tf_field_number(const bson_t *doc, const char *path);

/* A text, cut to size; false and "" where there is none. */
bool tf_field_text(const bson_t *doc, const char *path, char *into, size_t size);

/* Makes *view a view of a document or an array; it lives as long as `doc`. */
bool tf_field_view(const bson_t *doc, const char *path, bson_t *view);

/* Appends every field but `name` to `out`; false where the document is damaged. (bson_copy_to_excluding_noinit aborts there.) */
bool tf_field_copy_without(const bson_t *doc, const char *name, bson_t *out);

/* 32 bytes of binary: a SHA-256. */
bool tf_field_hash(const bson_t *doc, const char *path, uint8_t out[32]);

#endif
