/* Limits on numbers of serverStatus. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "db/load.h"

#include <tokenfix/cleanup.h>

static void limit__is_a_path_and_a_number(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path;
        double limit;
    } good[] = {{"a=1", "a", 1}, {"a.b.c=100", "a.b.c", 100}, {"a=0.5", "a", 0.5}, {"a=-3", "a", -3}, {"a=1e3", "a", 1000}, {"a=b=2", "a=b", 2}};
    static const char *const bad[] = {"", "=", "=1", "a", "a=", "a=x", "a=1x", "a=nan", "a=inf", "a = "};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        tf_load_limit found = {0};
        tf_error err = {0};
        if (!tf_load_parse(good[i].text, "max-load", &found, &err))
            fail_msg("%s: %s", good[i].text, err.message);
        assert_string_equal(found.path, good[i].path);
        assert_true(found.limit == good[i].limit);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tf_load_limit found = {0};
        tf_error err = {0};
        if (tf_load_parse(bad[i], "critical-load", &found, &err))
            fail_msg("'%s' was understood", bad[i]);
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_non_null(strstr(err.message, "--critical-load"));
        assert_non_null(strstr(err.hint, "--critical-load"));
    }
}

static void limit__is_reached_at_its_value(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        double limit;
        bool reached, known;
    } rows[] = {{"n.int", 7, true, true},     {"n.int", 8, false, true},       {"n.long", 5e9, true, true}, {"n.double", 1.5, true, true},
                {"n.double", 1.6, false, true}, {"n.yes", 1, true, true},      {"n.no", 1, false, true},    {"n.no", 0, true, true},
                {"n.text", 0, false, false},  {"n.nothing", -1, false, false}, {"n", 0, false, false}};
    _cleanup_(bson_destroyp) bson_t *status =
        BCON_NEW("n", "{", "int", BCON_INT32(7), "long", BCON_INT64(5000000000), "double", BCON_DOUBLE(1.5), "yes", BCON_BOOL(true),
                 "no", BCON_BOOL(false), "text", "9", "}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_load_limit limit = {.limit = rows[i].limit};
        tf_error err = {0};
        double value = 0;
        snprintf(limit.path, sizeof limit.path, "%s", rows[i].path);
        if ((tf_load_reached(&limit, 1, status, &value) != NULL) != rows[i].reached)
            fail_msg("%s at %g", rows[i].path, rows[i].limit);
        if (tf_load_check(&limit, 1, status, &err) != rows[i].known)
            fail_msg("%s is%s known", rows[i].path, rows[i].known ? " not" : "");
        assert_int_equal(err.code, rows[i].known ? TF_ERR_OK : TF_ERR_NOT_FOUND);
    }
}

static void limit__the_first_that_is_reached_is_named(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *status = BCON_NEW("a", BCON_INT32(1), "b", BCON_INT32(20), "c", BCON_INT32(30));
    static const tf_load_limit limits[] = {{"a", 10}, {"b", 10}, {"c", 10}};
    double value = 0;
    assert_ptr_equal(tf_load_reached(limits, 3, status, &value), &limits[1]);
    assert_true(value == 20);
    assert_null(tf_load_reached(limits, 1, status, &value));
    assert_null(tf_load_reached(NULL, 0, status, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit__is_a_path_and_a_number),
        cmocka_unit_test(limit__is_reached_at_its_value),
        cmocka_unit_test(limit__the_first_that_is_reached_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
