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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sum__stops_at_the_ends_of_the_range)};
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
