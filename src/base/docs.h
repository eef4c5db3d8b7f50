/*
 * A list of BSON documents in one buffer that is reused from batch to batch: bounded memory, one copy per document.
 * Zero-initialise, free with tf_docs_done. Nothing here fails.
 */
#ifndef TF_BASE_DOCS_H
#define TF_BASE_DOCS_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct tf_docs {
    uint8_t *data;
    size_t length, capacity;
    size_t *offsets;
    size_t count, offsets_capacity;
} tf_docs;

void tf_docs_clear(tf_docs *docs); /* keeps the buffer, unless it grew beyond what a usual batch needs */
void tf_docs_done(tf_docs *docs);

/* Appends a copy. */
void tf_docs_add(tf_docs *docs, const bson_t *doc);

/* Makes *view a view of the i-th; valid until the list changes. (A bson_t points into itself: it cannot be returned.) */
void tf_docs_view(const tf_docs *docs, size_t i, bson_t *view);
const uint8_t *tf_docs_bytes(const tf_docs *docs, size_t i, uint32_t *length);

/* Whether two documents are the same bytes. */
bool tf_docs_same(const tf_docs *a, size_t i, const tf_docs *b, size_t j);

/* Whether both have an _id, of the same type and bytes. */
bool tf_doc_same_id(const bson_t *a, const bson_t *b);

/* The index of the document with the same _id (type and bytes) as `doc`, searched from `hint` on, around; -1: none. */
long tf_docs_find_id(const tf_docs *docs, const bson_t *doc, size_t hint);

/* Appends every _id to the initialised, empty array `out`. */
void tf_docs_append_ids(const tf_docs *docs, bson_t *out);

/* The bytes of the element of `doc` that `at` stands on: type, name, value. */
const uint8_t *tf_doc_element(const bson_t *doc, const bson_iter_t *at, uint32_t *length);
bool tf_doc_same_element(const bson_t *a, const bson_iter_t *x, const bson_t *b, const bson_iter_t *y);

/* Appends the field of `doc` that `at` stands on to `out`, byte for byte. (bson_append_iter sorts the options of a regular
 * expression.) False where `out` would be too large. */
bool tf_doc_append_field(const bson_t *doc, const bson_iter_t *at, bson_t *out);

/* The same of whole elements, one behind the other. */
bool tf_doc_append_bytes(bson_t *out, const uint8_t *elements, uint32_t length);

/* Whether a document can be walked to its end, at all depths, of which there are at most 200 (the server's limit). The driver
 * looks at a document's length only, and bson_validate without flags at nothing. */
bool tf_doc_is_sound(const bson_t *doc);

/* Whether no top-level name `name` occurs twice. */
bool tf_doc_is_single(const bson_t *doc, const char *name);

/* Whether a name occurs twice in a document (not in an array), at any depth. */
bool tf_doc_repeats(const bson_t *doc, bool array);

/* The _id's element: type byte and value bytes. False when the document has none. */
bool tf_id_bytes(const bson_t *doc, bson_type_t *type, const uint8_t **data, uint32_t *length);

#endif
