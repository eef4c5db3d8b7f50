/* Rounds of all commands, small: scripts/test runs the first under valgrind too, scripts/check threads both under TSan. */
#include "support/tokens.h"

enum { DEFECTS = 40, ALL = DEFECTS + 2 };

static void round__by_transactions_goes_well(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, DEFECTS);
    assert_exit(tf_program_run(f, "status", "--json", NULL), 0);
    assert_exit(tf_program_run(f, "preview", "--sample", "2", NULL), 0);
    tf_program *up = tf_up(f, "--batch-size", "5", "--workers", "3");
    assert_exit(up, 0);
    assert_int_equal(tf_program_number(up, "data.affectedTokens"), DEFECTS);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_exit(tf_program_run(f, "verify", "--workers", "3", NULL), 0);
    assert_exit(tf_down(f, "--workers", "3"), 0);
    assert_int_equal(tf_tokens_original(f), ALL);
}

static void round__by_the_journal_goes_well(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, DEFECTS);
    assert_exit(tf_program_run(f, "validate", "--json", NULL), 0);
    tf_program *up = tf_up(f, "--strategy", "journal", "--workers", "2", "--batch-size", "5");
    assert_exit(up, 0);
    assert_exit(tf_program_run(f, "history", tf_program_text(up, "data.run"), NULL), 0);
    assert_exit(tf_down(f, "--strategy", "journal"), 0);
    assert_int_equal(tf_tokens_original(f), ALL);
    assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
}

/* `cli.round PATTERN`: the tests that match */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(round__by_transactions_goes_well),
        TF_FIXTURE_TEST(round__by_the_journal_goes_well),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("round", tests, NULL, NULL);
}
