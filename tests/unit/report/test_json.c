#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "report/json.h"

static char *text;

static const char *json(bson_t *doc)
{
    size_t size = 0;
    free(text);
    FILE *out = open_memstream(&text, &size);
    tf_json_print(out, doc);
    fclose(out);
    bson_destroy(doc);
    return text;
}

static const char *one_value(bson_t *doc)
{
    size_t size = 0;
    bson_iter_t iter;
    free(text);
    FILE *out = open_memstream(&text, &size);
    bson_iter_init(&iter, doc);
    bson_iter_next(&iter);
    tf_json_print_value(out, &iter);
    fclose(out);
    bson_destroy(doc);
    return text;
}

static bson_t *with_string(const char *value, int length)
{
    bson_t *doc = bson_new();
    bson_append_utf8(doc, "v", 1, value, length);
    return doc;
}

static void json__is_indented_by_two(void **state)
{
    (void)state;
    bson_t *doc = BCON_NEW("a", BCON_INT32(1), "b", "{", "c", "[", BCON_BOOL(true), BCON_NULL, "]", "}");
    assert_string_equal(json(doc),
                        "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": [\n      true,\n      null\n    ]\n  }\n}\n");
    assert_string_equal(json(bson_new()), "{}\n");
    assert_string_equal(json(BCON_NEW("a", "[", "]", "b", "{", "}")), "{\n  \"a\": [],\n  \"b\": {}\n}\n");
}

static void json__numbers_are_plain(void **state)
{
    (void)state;
    assert_string_equal(one_value(BCON_NEW("v", BCON_INT64(INT64_MAX))), "9223372036854775807");
    assert_string_equal(one_value(BCON_NEW("v", BCON_INT64(INT64_MIN))), "-9223372036854775808");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DOUBLE(0.1))), "0.1");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DOUBLE(5))), "5");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DOUBLE(DBL_MAX))), "1.7976931348623157e+308");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DOUBLE(NAN))), "\"NaN\"");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DOUBLE(-INFINITY))), "\"-Infinity\"");
}

static void json__other_types_have_a_form(void **state)
{
    (void)state;
    bson_oid_t oid;
    bson_decimal128_t decimal;
    bson_oid_init_from_string(&oid, "0123456789abcdef01234567");
    bson_decimal128_from_string("123.4500", &decimal);
    assert_string_equal(one_value(BCON_NEW("v", BCON_OID(&oid))), "\"0123456789abcdef01234567\"");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DECIMAL128(&decimal))), "\"123.4500\"");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DATE_TIME(-1))), "\"1969-12-31T23:59:59.999Z\"");
    assert_string_equal(one_value(BCON_NEW("v", BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"\xff\x00\x10\x83", 4))),
                        "{\"$binary\": {\"base64\": \"/wAQgw==\", \"subType\": \"04\"}}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_TIMESTAMP(7, 8))), "{\"$timestamp\": {\"t\": 7, \"i\": 8}}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_REGEX("a\"b", "i"))),
                        "{\"$regularExpression\": {\"pattern\": \"a\\\"b\", \"options\": \"i\"}}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_MINKEY)), "{\"$minKey\": 1}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_MAXKEY)), "{\"$maxKey\": 1}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_UNDEFINED)), "{\"$undefined\": true}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_CODE("f()"))), "{\"$code\": \"f()\"}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_SYMBOL("s"))), "{\"$symbol\": \"s\"}");
    assert_string_equal(one_value(BCON_NEW("v", BCON_DBPOINTER("c", &oid))),
                        "{\"$dbPointer\": {\"$ref\": \"c\", \"$id\": {\"$oid\": \"0123456789abcdef01234567\"}}}");
    bson_t *scope = BCON_NEW("x", BCON_INT32(1)), *doc = bson_new();
    bson_append_code_with_scope(doc, "v", 1, "f()", scope);
    bson_destroy(scope);
    assert_string_equal(one_value(doc), "{\"$code\": \"f()\", \"$scope\": {\"x\": 1}}");
}

static void json__hostile_strings_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(one_value(with_string("a\0b", 3)), "\"a\\u0000b\"");
    assert_string_equal(one_value(with_string("\xff\xc3(\xed\xa0\x80", 6)), "\"\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\"");
    assert_string_equal(one_value(with_string("\"\\/\b\f\n\r\t\x1b\x7f", -1)),
                        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001b\\u007f\"");
    assert_string_equal(one_value(with_string("\xe2\x80\xa8\xc3\xa4\xf0\x9f\x98\x80", -1)),
                        "\"\\u2028\xc3\xa4\xf0\x9f\x98\x80\"");
    assert_string_equal(one_value(with_string("", 0)), "\"\"");
    bson_t *doc = bson_new();
    bson_append_int32(doc, "k\"\xff", 3, 1);
    assert_string_equal(json(doc), "{\n  \"k\\\"\\ufffd\": 1\n}\n");
}

static void json__deep_nesting_is_cut_off(void **state)
{
    (void)state;
    bson_t *doc = BCON_NEW("v", BCON_INT32(1));
    for (int i = 0; i < 5000; i++) {
        bson_t *outer = bson_new();
        BSON_APPEND_DOCUMENT(outer, "v", doc);
        bson_destroy(doc);
        doc = outer;
    }
    assert_non_null(strstr(json(doc), "\"(nested too deeply)\""));
}

static int clean(void **state)
{
    (void)state;
    free(text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json__is_indented_by_two),      cmocka_unit_test(json__numbers_are_plain),
        cmocka_unit_test(json__other_types_have_a_form), cmocka_unit_test(json__hostile_strings_are_escaped),
        cmocka_unit_test(json__deep_nesting_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
