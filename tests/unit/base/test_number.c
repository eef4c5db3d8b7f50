#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/number.h"

static void sum__stops_at_the_ends_of_the_range(void **state)
{
    (void)state;
    assert_true(tf_number_sum(2, -5) == -3);
    assert_true(tf_number_sum(INT64_MAX, 1) == INT64_MAX);
    assert_true(tf_number_sum(1, INT64_MAX) == INT64_MAX);
    assert_true(tf_number_sum(INT64_MIN, -1) == INT64_MIN);
    assert_true(tf_number_sum(INT64_MIN, INT64_MAX) == -1);
}

static void duration__has_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"60", 60000}, {"60s", 60000}, {"250ms", 250}, {"5m", 300000}, {"1h", 3600000},
                {"2d", 172800000}, {"1w", 604800000}, {"1y", INT64_C(31536000000)}, {"0", 0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = -1;
        assert_int_equal(tf_number_duration(good[i].text, &ms), TF_NUMBER_OK);
        assert_int_equal(ms, good[i].ms);
    }
}

static void duration__that_is_malformed_or_too_long_is_refused(void **state)
{
    (void)state;
    static const char *const malformed[] = {"", "m", "-1s", "+1s", "1.5h", " 1s", "1 s", "1S", "1sm", "abc", "1h30m"};
    static const char *const large[] = {"9223372036854775807s", "9223372036854775808ms", "300000000y",
                                        "99999999999999999999999999999999999999s"};
    int64_t ms = 7;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        assert_int_equal(tf_number_duration(malformed[i], &ms), TF_NUMBER_MALFORMED);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        assert_int_equal(tf_number_duration(large[i], &ms), TF_NUMBER_RANGE);
    assert_int_equal(ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sum__stops_at_the_ends_of_the_range),
                                       cmocka_unit_test(duration__has_units),
                                       cmocka_unit_test(duration__that_is_malformed_or_too_long_is_refused)};
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
