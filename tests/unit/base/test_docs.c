/* The list of documents that a batch holds. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/docs.h"

#include <tokenfix/cleanup.h>

static void add(tf_docs *docs, const char *json)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    tf_docs_add(docs, doc);
}

static long find(const tf_docs *docs, const char *json, size_t hint)
{
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(doc);
    return tf_docs_find_id(docs, doc, hint);
}

static void docs__keep_bytes_and_order(void **state)
{
    (void)state;
    tf_docs docs = {0};
    for (int i = 0; i < 1000; i++) { /* beyond the first allocation */
        _cleanup_(bson_destroyp) bson_t *doc = BCON_NEW("_id", BCON_INT32(i), "text", "some text of a few bytes");
        tf_docs_add(&docs, doc);
    }
    assert_int_equal(docs.count, 1000);
    for (int i = 0; i < 1000; i++) {
        bson_t view;
        bson_iter_t iter;
        uint32_t length;
        tf_docs_view(&docs, (size_t)i, &view);
        assert_true(bson_iter_init_find(&iter, &view, "_id"));
        assert_int_equal(bson_iter_int32(&iter), i);
        assert_ptr_equal(tf_docs_bytes(&docs, (size_t)i, &length), bson_get_data(&view));
        assert_int_equal(length, view.len);
    }
    tf_docs_done(&docs);
    assert_null(docs.data);
}

static void docs__cleared_keep_a_usual_buffer_and_drop_a_large_one(void **state)
{
    (void)state;
    tf_docs docs = {0};
    add(&docs, "{\"_id\": 1}");
    tf_docs_clear(&docs);
    assert_int_equal(docs.count, 0);
    assert_int_equal(docs.length, 0);
    assert_non_null(docs.data);
    _cleanup_bson_ bson_t large = BSON_INITIALIZER;
    uint8_t *bytes = calloc(1, 5 << 20);
    BSON_APPEND_BINARY(&large, "b", BSON_SUBTYPE_BINARY, bytes, 5 << 20);
    free(bytes);
    tf_docs_add(&docs, &large);
    assert_int_equal(docs.length, large.len);
    tf_docs_clear(&docs);
    assert_null(docs.data);
    add(&docs, "{\"_id\": 2}");
    assert_int_equal(find(&docs, "{\"_id\": 2}", 0), 0);
    tf_docs_done(&docs);
}

static void docs__are_the_same_byte_for_byte_only(void **state)
{
    (void)state;
    tf_docs docs = {0};
    add(&docs, "{\"_id\": 1, \"a\": 1, \"b\": 2}");
    add(&docs, "{\"_id\": 1, \"a\": 1, \"b\": 2}");
    add(&docs, "{\"_id\": 1, \"b\": 2, \"a\": 1}");
    add(&docs, "{\"_id\": 1, \"a\": {\"$numberLong\": \"1\"}, \"b\": 2}");
    add(&docs, "{\"_id\": 1, \"a\": 1, \"b\": 3}");
    assert_true(tf_docs_same(&docs, 0, &docs, 1));
    for (size_t i = 2; i < docs.count; i++)
        assert_false(tf_docs_same(&docs, 0, &docs, i));
    tf_docs_done(&docs);
}

static void docs__are_found_by_type_and_bytes_of_the_id(void **state)
{
    (void)state;
    tf_docs docs = {0};
    add(&docs, "{\"_id\": 1}");
    add(&docs, "{\"x\": 0, \"_id\": {\"$numberLong\": \"2\"}, \"y\": 1}"); /* wherever the _id stands */
    add(&docs, "{\"_id\": \"1\"}");
    add(&docs, "{\"_id\": {\"a\": 1, \"b\": 2}}");
    add(&docs, "{\"_id\": null}");
    for (size_t hint = 0; hint < 5; hint++) { /* from any hint, around */
        assert_int_equal(find(&docs, "{\"_id\": 1, \"z\": 9}", hint), 0);
        assert_int_equal(find(&docs, "{\"_id\": {\"$numberLong\": \"2\"}}", hint), 1);
        assert_int_equal(find(&docs, "{\"_id\": \"1\"}", hint), 2);
        assert_int_equal(find(&docs, "{\"z\": 9, \"_id\": {\"a\": 1, \"b\": 2}}", hint), 3);
        assert_int_equal(find(&docs, "{\"_id\": null}", hint), 4);
    }
    assert_int_equal(find(&docs, "{\"_id\": 2}", 0), -1); /* another type */
    assert_int_equal(find(&docs, "{\"_id\": {\"b\": 2, \"a\": 1}}", 0), -1);
    assert_int_equal(find(&docs, "{\"id\": 1}", 0), -1);
    tf_docs empty = {0};
    assert_int_equal(find(&empty, "{\"_id\": 1}", 0), -1);
    tf_docs_done(&docs);
}

static void docs__list_their_ids_in_order(void **state)
{
    (void)state;
    tf_docs docs = {0};
    add(&docs, "{\"_id\": \"b\", \"n\": 1}");
    add(&docs, "{\"n\": 1, \"_id\": {\"a\": null}}");
    add(&docs, "{\"_id\": 3}");
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *expected = BCON_NEW("0", "b", "1", "{", "a", BCON_NULL, "}", "2", BCON_INT32(3));
    tf_docs_append_ids(&docs, &ids);
    assert_true(bson_equal(&ids, expected));
    tf_docs_done(&docs);
}

/* bson_append_iter would write "im" */
static void field__is_appended_byte_for_byte(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {26, 0,   0, 0,   0x0b, 'r', 0, 'x', 0, 'm', 'i', 0, 0x02,
                                    's', 0, 2, 0,   0,    0,   'y', 0, 0x0a, 'n', 0, 0x08};
    uint8_t whole[26 + 3];
    bson_t doc, rest;
    bson_iter_t iter;
    memcpy(whole, bytes, sizeof bytes);
    memcpy(whole + 25, "t\0\1\0", 4);
    whole[0] = sizeof whole;
    assert_true(bson_init_static(&doc, whole, sizeof whole));
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    assert_true(bson_iter_init(&iter, &doc));
    while (bson_iter_next(&iter))
        assert_true(tf_doc_append_field(&doc, &iter, &out));
    assert_int_equal(out.len, doc.len);
    assert_memory_equal(bson_get_data(&out), whole, sizeof whole);
    for (int i = 0; i < 50; i++) /* beyond the room a bson_t has within itself */
        assert_true(bson_iter_init_find(&iter, &doc, "s") && tf_doc_append_field(&doc, &iter, &out));
    assert_true(bson_init_static(&rest, bson_get_data(&out), out.len));
    assert_int_equal(bson_count_keys(&rest), 4 + 50);
}

/* A document of so many levels. */
static void nest(bson_t *out, int levels)
{
    bson_t child;
    if (levels < 2)
        return;
    bson_append_document_begin(out, "a", 1, &child);
    nest(&child, levels - 1);
    bson_append_document_end(out, &child);
}

static void document__is_sound_to_200_levels(void **state)
{
    (void)state;
    _cleanup_bson_ bson_t most = BSON_INITIALIZER, beyond = BSON_INITIALIZER;
    nest(&most, 200);
    nest(&beyond, 201);
    assert_true(tf_doc_is_sound(&most));
    assert_false(tf_doc_is_sound(&beyond));
}

static void document__is_sound_to_its_end(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *good = BCON_NEW("a", "[", "{", "b", "c", "}", "]", "d", BCON_INT32(1));
    /* offsets: array's length, embedded document's length, its end, the type of d */
    static const uint8_t places[] = {7, 14, 26, 28};
    uint8_t bytes[64];
    bson_t damaged;
    assert_true(tf_doc_is_sound(good));
    for (size_t i = 0; i < sizeof places; i++) {
        memcpy(bytes, bson_get_data(good), good->len);
        bytes[places[i]] = 0x7e;
        assert_true(bson_init_static(&damaged, bytes, good->len));
        if (tf_doc_is_sound(&damaged))
            fail_msg("sound with byte %d changed", places[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docs__keep_bytes_and_order),
        cmocka_unit_test(docs__cleared_keep_a_usual_buffer_and_drop_a_large_one),
        cmocka_unit_test(docs__are_the_same_byte_for_byte_only),
        cmocka_unit_test(docs__are_found_by_type_and_bytes_of_the_id),
        cmocka_unit_test(docs__list_their_ids_in_order),
        cmocka_unit_test(field__is_appended_byte_for_byte),
        cmocka_unit_test(document__is_sound_to_200_levels),
        cmocka_unit_test(document__is_sound_to_its_end),
    };
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
