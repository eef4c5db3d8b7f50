/* Ids of any type: kept, compared, asked for. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "db/id.h"

#include <tokenfix/cleanup.h>

static bson_t *parse(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static void assert_json(const bson_t *doc, const char *json)
{
    _cleanup_(bson_destroyp) bson_t *expected = parse(json);
    if (!bson_equal(doc, expected))
        fail_msg("%s instead of %s", bson_as_canonical_extended_json(doc, NULL), json);
}

static void id__of_every_type_is_written_and_read(void **state)
{
    static const char *const ids[] = {"{\"i\": 1}", "{\"i\": {\"$numberLong\": \"1\"}}", "{\"i\": 1.5}", "{\"i\": \"x\"}", "{\"i\": null}",
                                      "{\"i\": {\"a\": {\"\": 1}}}", "{\"i\": {\"$oid\": \"000000000000000000000001\"}}",
                                      "{\"i\": {\"$minKey\": 1}}", "{\"i\": {\"$maxKey\": 1}}", "{\"i\": true}",
                                      "{\"i\": {\"$numberDecimal\": \"1.0\"}}", "{\"i\": {\"$date\": {\"$numberLong\": \"1\"}}}",
                                      "{\"i\": {\"$binary\": {\"base64\": \"AQ==\", \"subType\": \"05\"}}}",
                                      "{\"i\": {\"$timestamp\": {\"t\": 1, \"i\": 0}}}"};
    (void)state;
    bson_value_t id = {0};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        _cleanup_(bson_destroyp) bson_t *doc = parse(ids[i]);
        _cleanup_bson_ bson_t kept = BSON_INITIALIZER, back = BSON_INITIALIZER;
        bson_iter_t iter;
        assert_true(bson_iter_init_find(&iter, doc, "i"));
        tf_id_append(&kept, "at", bson_iter_value(&iter));
        tf_id_read(&kept, "at", &id); /* frees the one before */
        assert_false(tf_id_is_open(&id));
        bson_append_value(&back, "i", 1, &id);
        if (!bson_equal(&back, doc))
            fail_msg("%s", ids[i]);
    }
    tf_id_set(&id, &(bson_value_t){0});
    assert_true(tf_id_is_open(&id));
}

static void id__open_bound_is_absent(void **state)
{
    (void)state;
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    bson_value_t id = {0};
    tf_id_append(&doc, "at", &id);
    assert_true(bson_empty(&doc));
    _cleanup_(bson_destroyp) bson_t *one = parse("{\"v\": \"x\"}");
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, one, "v"));
    tf_id_set(&id, bson_iter_value(&iter));
    assert_false(tf_id_is_open(&id));
    tf_id_read(&doc, "at", &id);
    assert_true(tf_id_is_open(&id));
}

static void id__range_is_asked_for_in_a_way_that_sees_all_types(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *values = parse("{\"a\": 1, \"b\": \"x\"}");
    bson_iter_t a, b;
    assert_true(bson_iter_init_find(&a, values, "a") && bson_iter_init_find(&b, values, "b"));
    bson_value_t open = {0};
    _cleanup_bson_ bson_t both = BSON_INITIALIZER, upper = BSON_INITIALIZER, none = BSON_INITIALIZER;
    uint32_t n = 0, m = 0, k = 0;
    tf_range_append(&both, &n, bson_iter_value(&a), bson_iter_value(&b));
    assert_int_equal(n, 2);
    assert_json(&both, "{\"0\": {\"$expr\": {\"$gt\": [\"$_id\", {\"$literal\": 1}]}},"
                       " \"1\": {\"$expr\": {\"$lte\": [\"$_id\", {\"$literal\": \"x\"}]}}}");
    tf_range_append(&upper, &m, &open, bson_iter_value(&b));
    assert_json(&upper, "{\"0\": {\"$expr\": {\"$lte\": [\"$_id\", {\"$literal\": \"x\"}]}}}");
    tf_range_append(&none, &k, &open, &open);
    assert_true(bson_empty(&none) && k == 0);
}

static void id__arrays_grow_by_their_index(void **state)
{
    (void)state;
    _cleanup_bson_ bson_t array = BSON_INITIALIZER, conditions = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *item = parse("{\"v\": 7}");
    bson_iter_t iter;
    uint32_t n = 0, m = 0;
    assert_true(bson_iter_init_find(&iter, item, "v"));
    tf_array_append_value(&array, &n, bson_iter_value(&iter));
    tf_array_append_document(&array, &n, item);
    assert_int_equal(n, 2);
    assert_json(&array, "{\"0\": 7, \"1\": {\"v\": 7}}");
    tf_id_append_in(&conditions, &m, &array);
    assert_json(&conditions, "{\"0\": {\"_id\": {\"$in\": [7, {\"v\": 7}]}}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id__of_every_type_is_written_and_read),
        cmocka_unit_test(id__open_bound_is_absent),
        cmocka_unit_test(id__range_is_asked_for_in_a_way_that_sees_all_types),
        cmocka_unit_test(id__arrays_grow_by_their_index),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
