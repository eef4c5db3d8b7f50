/* Documents as bytes: read, written and compared without a driver or a server looking at what is in them. */
#ifndef TF_TESTS_DOCUMENTS_H
#define TF_TESTS_DOCUMENTS_H

#include "base/docs.h"
#include "support/fixture.h"

#define TF_DOCS __attribute__((cleanup(tf_docs_done))) tf_docs

static inline mongoc_collection_t *tf_documents_in(tf_fixture *f, const char *db, const char *collection)
{
    return mongoc_client_get_collection(f->client, db ? db : f->db, collection);
}

/* All that match (Extended JSON), in the order of _id. db NULL: the repaired one. */
static inline void tf_documents_find(tf_fixture *f, const char *db, const char *collection, const char *filter,
                                     tf_docs *out)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *from = tf_documents_in(f, db, collection);
    _cleanup_(bson_destroyp) bson_t *query = bson_new_from_json((const uint8_t *)filter, -1, NULL);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    assert_non_null(query);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(from, query, opts, NULL);
    const bson_t *doc;
    bson_error_t error;
    tf_docs_clear(out);
    while (mongoc_cursor_next(cursor, &doc))
        tf_docs_add(out, doc);
    if (mongoc_cursor_error(cursor, &error))
        fail_msg("find: %s", error.message);
}

static inline void tf_documents_read(tf_fixture *f, const char *db, const char *collection, tf_docs *out)
{
    tf_documents_find(f, db, collection, "{}", out);
}

/* False when one with this _id is there already, or the server takes no such _id; any other refusal fails the test. */
static inline bool tf_documents_insert(tf_fixture *f, const char *db, const char *collection, const bson_t *doc)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *into = tf_documents_in(f, db, collection);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("validate", BCON_BOOL(false));
    bson_error_t error;
    if (mongoc_collection_insert_one(into, doc, opts, NULL, &error))
        return true;
    if (error.code != 11000 && !strstr(error.message, "_id fields may not contain"))
        fail_msg("insert: %s (%u)", error.message, error.code);
    return false;
}

static inline void tf_documents_delete(tf_fixture *f, const char *db, const char *collection, const bson_t *doc)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *from = tf_documents_in(f, db, collection);
    _cleanup_bson_ bson_t query = BSON_INITIALIZER;
    bson_iter_t iter;
    bson_error_t error;
    assert_true(bson_iter_init_find(&iter, doc, "_id"));
    bson_append_iter(&query, "_id", 3, &iter);
    if (!mongoc_collection_delete_one(from, &query, NULL, NULL, &error))
        fail_msg("delete: %s", error.message);
}

/* Puts exactly these bytes in the place of the document with the same _id. */
static inline void tf_documents_replace(tf_fixture *f, const char *db, const char *collection, const bson_t *doc)
{
    tf_documents_delete(f, db, collection, doc);
    assert_true(tf_documents_insert(f, db, collection, doc));
}

/* As Extended JSON, for messages; the caller frees. Invalid UTF-8 has no such form: then in hexadecimal. */
static inline char *tf_document_text(const bson_t *doc)
{
    char *json = bson_as_canonical_extended_json(doc, NULL), *hex = NULL;
    if (json)
        return json;
    size_t size;
    FILE *out = open_memstream(&hex, &size);
    for (uint32_t i = 0; i < doc->len; i++)
        fprintf(out, "%02x", bson_get_data(doc)[i]);
    fclose(out);
    return hex;
}

/* Fails unless both hold the same bytes; says which document differs. */
static inline void tf_documents_same(const tf_docs *found, const tf_docs *expected, const char *what)
{
    for (size_t i = 0; i < found->count && i < expected->count; i++) {
        if (tf_docs_same(found, i, expected, i))
            continue;
        bson_t a, b;
        tf_docs_view(found, i, &a);
        tf_docs_view(expected, i, &b);
        fail_msg("%s: document %zu is %s instead of %s", what, i, tf_document_text(&a), tf_document_text(&b));
    }
    if (found->count != expected->count)
        fail_msg("%s: %zu documents instead of %zu", what, found->count, expected->count);
}

#endif
