#include "support/fixture.h"

#include "backup/lineage.h"

static const char repair_text[] = "{\"collection\": \"things\", \"filter\": {\"a\": 1}, \"update\": [{\"$set\": {\"a\": 2}}],"
                                  " \"touched\": [\"a\", \"b\", \"c\"]}";

/* What compose makes of the two, against what it should be. */
static void check(const char *before, const char *change, const char *expected)
{
    _cleanup_(tf_repair_freep) tf_repair *repair = tf_repair_parse(repair_text, NULL);
    _cleanup_(bson_destroyp) bson_t *b = bson_new_from_json((const uint8_t *)before, -1, NULL);
    _cleanup_(bson_destroyp) bson_t *c = bson_new_from_json((const uint8_t *)change, -1, NULL);
    _cleanup_(bson_destroyp) bson_t *e = bson_new_from_json((const uint8_t *)expected, -1, NULL);
    _cleanup_bson_ bson_t out = BSON_INITIALIZER;
    assert_non_null(repair);
    tf_lineage_compose(repair, b, c, &out);
    assert_int_equal(out.len, e->len);
    assert_memory_equal(bson_get_data(&out), bson_get_data(e), e->len);
}

static void compose__replaces_a_touched_field_where_it_stands(void **state)
{
    (void)state;
    check("{\"_id\": 1, \"a\": 1, \"x\": {\"a\": 5}}", "{\"_id\": 1, \"a\": \"two\"}", "{\"_id\": 1, \"a\": \"two\", \"x\": {\"a\": 5}}");
}

static void compose__appends_new_fields_in_their_order(void **state)
{
    (void)state;
    check("{\"_id\": 1, \"x\": 9, \"a\": 1}", "{\"_id\": 1, \"a\": 1, \"c\": 3, \"b\": 2}",
          "{\"_id\": 1, \"x\": 9, \"a\": 1, \"c\": 3, \"b\": 2}");
}

static void compose__leaves_out_what_was_removed(void **state)
{
    (void)state;
    check("{\"_id\": 1, \"a\": 1, \"b\": 2, \"x\": 9}", "{\"_id\": 1, \"a\": 1}", "{\"_id\": 1, \"a\": 1, \"x\": 9}");
}

static void compose__takes_nothing_but_touched_fields(void **state)
{
    (void)state;
    check("{\"_id\": 1, \"a\": 1, \"x\": 9}", "{\"_id\": 2, \"a\": 1, \"x\": 8, \"tokenfix_0\": true}", "{\"_id\": 1, \"a\": 1, \"x\": 9}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compose__replaces_a_touched_field_where_it_stands),
        cmocka_unit_test(compose__appends_new_fields_in_their_order),
        cmocka_unit_test(compose__leaves_out_what_was_removed),
        cmocka_unit_test(compose__takes_nothing_but_touched_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
