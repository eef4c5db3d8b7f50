#include "base/field.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static bson_t *sample(void)
{
    static const uint8_t hash[32] = {1, 2, 3};
    return BCON_NEW("n", BCON_INT32(7), "big", BCON_INT64(INT64_MAX), "yes", BCON_BOOL(true), "at", BCON_DATE_TIME(1234), "text", "abcdef",
                    "in", "{", "list", "[", BCON_INT32(1), BCON_INT32(2), "]", "}", "hash", BCON_BIN(BSON_SUBTYPE_BINARY, hash, 32), "short",
                    BCON_BIN(BSON_SUBTYPE_BINARY, hash, 31));
}

static void number__reads_every_kind_and_nothing_as_zero(void **state)
{
    (void)state;
    bson_t *doc = sample();
    assert_int_equal(tf_field_number(doc, "n"), 7);
    assert_true(tf_field_number(doc, "big") == INT64_MAX);
    assert_int_equal(tf_field_number(doc, "yes"), 1);
    assert_int_equal(tf_field_number(doc, "at"), 1234);
    assert_int_equal(tf_field_number(doc, "in.list.1"), 2);
    assert_int_equal(tf_field_number(doc, "in.none"), 0);
    assert_int_equal(tf_field_number(doc, "text"), 0);
    bson_destroy(doc);
}

static void text__is_cut_to_its_buffer_and_empty_where_there_is_none(void **state)
{
    (void)state;
    bson_t *doc = sample();
    char four[4] = "xxx";
    assert_true(tf_field_text(doc, "text", four, sizeof four));
    assert_string_equal(four, "abc");
    assert_false(tf_field_text(doc, "n", four, sizeof four));
    assert_string_equal(four, "");
    bson_destroy(doc);
}

static void view__is_of_documents_and_arrays_only(void **state)
{
    (void)state;
    bson_t *doc = sample(), view;
    assert_true(tf_field_view(doc, "in", &view));
    assert_true(bson_has_field(&view, "list"));
    assert_true(tf_field_view(doc, "in.list", &view));
    assert_int_equal(bson_count_keys(&view), 2);
    assert_false(tf_field_view(doc, "text", &view));
    assert_false(tf_field_view(doc, "none", &view));
    bson_destroy(doc);
}

static void hash__has_32_bytes(void **state)
{
    (void)state;
    bson_t *doc = sample();
    uint8_t out[32] = {9};
    assert_false(tf_field_hash(doc, "short", out));
    assert_false(tf_field_hash(doc, "text", out));
    assert_int_equal(out[0], 9);
    assert_true(tf_field_hash(doc, "hash", out));
    assert_int_equal(out[2], 3);
    bson_destroy(doc);
}

static void copy__leaves_one_field_out_and_refuses_what_is_damaged(void **state)
{
    (void)state;
    bson_t *doc = BCON_NEW("a", BCON_INT32(1), "b", "{", "a", BCON_INT32(2), "}", "a", "again");
    bson_t *expected = BCON_NEW("b", "{", "a", BCON_INT32(2), "}"), out = BSON_INITIALIZER;
    assert_true(tf_field_copy_without(doc, "a", &out));
    assert_true(bson_equal(&out, expected));
    bson_t damaged;
    uint8_t bytes[64];
    memcpy(bytes, bson_get_data(doc), doc->len);
    bytes[4 + 7 + 3 + 4 + 7] = 9; /* the last byte of b's value, which must be 0 */
    assert_true(bson_init_static(&damaged, bytes, doc->len));
    bson_reinit(&out);
    assert_false(tf_field_copy_without(&damaged, "x", &out));
    bson_destroy(&out);
    bson_destroy(doc);
    bson_destroy(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number__reads_every_kind_and_nothing_as_zero),
        cmocka_unit_test(text__is_cut_to_its_buffer_and_empty_where_there_is_none),
        cmocka_unit_test(view__is_of_documents_and_arrays_only),
        cmocka_unit_test(hash__has_32_bytes),
        cmocka_unit_test(copy__leaves_one_field_out_and_refuses_what_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
