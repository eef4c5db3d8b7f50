#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static const char *const commands[] = {"status",  "preview", "validate", "up",      "verify", "down",
                                       "history", "plan",    "create",   "sandbox", NULL};

static void nearest__typing_errors_are_recognised(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"stauts", "status"},  {"pervew", "preview"},  {"dwon", "down"},        {"uo", "up"},       {"UP", "up"},
        {"valid", "validate"}, {"histroy", "history"}, {"sandboxx", "sandbox"}, {"verif", "verify"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(tf_nearest(rows[i][0], commands), rows[i][1]);
}

static void nearest__what_is_far_has_no_answer(void **state)
{
    (void)state;
    static char huge[10001];
    memset(huge, 's', sizeof huge - 1);
    static const char *const none[] = {NULL};
    assert_null(tf_nearest("xyzzy", commands));
    assert_null(tf_nearest("", commands));
    assert_null(tf_nearest("zq", commands));
    assert_null(tf_nearest(huge, commands));
    assert_null(tf_nearest("up", none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest__typing_errors_are_recognised),
        cmocka_unit_test(nearest__what_is_far_has_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
