/* Which replacements a server survives. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backup/delta.h"

#include <tokenfix/cleanup.h>

typedef struct pair {
    const char *name, *before, *after;
    bool safe;
} pair;

static const pair pairs[] = {
    {"nothing changes", "{\"a\": 1, \"x\": 1, \"x\": 2}", "{\"a\": 1, \"x\": 1, \"x\": 2}", true},
    {"a single field changes", "{\"a\": 1, \"x\": 1, \"x\": 2}", "{\"a\": 2, \"x\": 1, \"x\": 2}", true},
    {"a field is added behind", "{\"x\": 1, \"x\": 2}", "{\"x\": 1, \"x\": 2, \"a\": 1}", true},
    {"a field is added before", "{\"x\": 1, \"x\": 2}", "{\"a\": 1, \"x\": 1, \"x\": 2}", false},
    {"a field is added before single ones", "{\"x\": 1, \"y\": 2}", "{\"a\": 1, \"x\": 1, \"y\": 2}", true},
    {"a field is removed before", "{\"a\": 1, \"x\": 1, \"x\": 2}", "{\"x\": 1, \"x\": 2}", true},
    {"a field moves behind", "{\"a\": 1, \"x\": 1, \"x\": 2}", "{\"x\": 1, \"x\": 2, \"a\": 1}", true},
    {"a double field changes", "{\"x\": 1, \"x\": 2}", "{\"x\": 1, \"x\": 3}", false},
    {"a field becomes double", "{\"x\": 1}", "{\"x\": 1, \"x\": 2}", false},
    {"a double field becomes single", "{\"x\": 1, \"x\": 2}", "{\"x\": 1}", false},
    {"a double name inside, elsewhere the same", "{\"o\": {\"x\": 1, \"x\": 2}, \"a\": 1}", "{\"o\": {\"x\": 1, \"x\": 2}, \"a\": 2}", true},
    {"a double name inside changes", "{\"o\": {\"x\": 1, \"x\": 2}}", "{\"o\": {\"x\": 1, \"x\": 3}}", false},
    {"a field is added inside, before a double name", "{\"o\": {\"x\": 1, \"x\": 2}}", "{\"o\": {\"a\": 1, \"x\": 1, \"x\": 2}}", false},
    {"a double name inside is replaced as a whole", "{\"o\": {\"x\": 1, \"x\": 2}}", "{\"o\": 1}", true},
    {"a double name inside an array changes", "{\"o\": [{\"x\": 1, \"x\": 2}]}", "{\"o\": [{\"x\": 1, \"x\": 3}]}", false},
    {"an empty document", "{}", "{\"x\": 1}", true},
};

static bson_t *parse(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static void delta__is_safe_unless_a_name_that_differs_occurs_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        _cleanup_(bson_destroyp) bson_t *before = parse(pairs[i].before), *after = parse(pairs[i].after);
        if (tf_delta_is_safe(before, after) != pairs[i].safe)
            fail_msg("%s: it is %s", pairs[i].name, pairs[i].safe ? "safe" : "not safe");
    }
}

static void delta__repeats_are_found_at_any_depth(void **state)
{
    static const struct {
        const char *json;
        bool repeats;
    } rows[] = {{"{\"v\": 1}", false},
                {"{\"v\": {\"a\": 1, \"b\": 1}}", false},
                {"{\"v\": {\"a\": 1, \"a\": 1}}", true},
                {"{\"v\": [1, 1, {\"a\": [{\"b\": 1, \"c\": 1, \"b\": 2}]}]}", true},
                {"{\"v\": [{\"a\": 1}, {\"a\": 1}]}", false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(bson_destroyp) bson_t *doc = parse(rows[i].json);
        bson_iter_t iter;
        assert_true(bson_iter_init_find(&iter, doc, "v"));
        if (tf_delta_repeats(&iter) != rows[i].repeats)
            fail_msg("%s", rows[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delta__is_safe_unless_a_name_that_differs_occurs_twice),
        cmocka_unit_test(delta__repeats_are_found_at_any_depth),
    };
    return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
