/* examples/embed, built against the installed libtokenfix (tests/embed), on a real server. TOKENFIX names the example here. */
#include "support/tokens.h"

static tf_program *example(tf_fixture *f, const char *what)
{
    return tf_program_run(f, f->uri, what, NULL);
}

static void check(tf_fixture *f, const char *what, const char *says)
{
    tf_program *p = example(f, what);
    assert_exit(p, 0);
    assert_string_equal(p->out, says);
}

static void embed__repairs_proves_and_takes_back(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    check(f, "preview", "preview: 25 tokens, 250 sat\n");
    assert_int_equal(tf_tokens_wrong(f), 25);
    assert_int_equal(tf_runs(f), 0);
    check(f, "up", "up: 25 tokens, 250 sat, proven\n");
    assert_int_equal(tf_tokens_wrong(f), 0);
    check(f, "verify", "verify: 25 tokens, 250 sat, proven\n");
    check(f, "down", "down: 25 tokens, 250 sat, proven\n");
    assert_int_equal(tf_tokens_wrong(f), 25);
    assert_int_equal(tf_tokens_original(f), 27);
    assert_int_equal(tf_fixture_count(f, f->state_db, "events", "{\"type\": \"confirmed\"}"), 2);
}

static void embed__verify_tells_what_is_missing(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    check(f, "up", "up: 3 tokens, 30 sat, proven\n");
    tf_tokens_delete(f, "{\"_id\": 2}");
    check(f, "verify", "verify: 3 tokens, 30 sat\n");
}

static void embed__errors_are_the_commands_own(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    tf_program *p = example(f, "verify");
    assert_exit(p, 1);
    p = example(f, "up");
    assert_exit(p, 0);
    p = example(f, "up");
    assert_exit(p, 1);
    assert_has(p->err, "Migration has already been completed");
    p = example(f, "sideways");
    assert_exit(p, 2);
    p = tf_program_run(f, "mongodb://127.0.0.1:1/wallet", "preview", NULL);
    assert_exit(p, 8);
    p = tf_program_run(f, "mongodb://192.0.2.1/wallet", "preview", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "TLS");
    p = tf_program_run(f, "mongodb://127.0.0.1:1", "preview", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "names no database");
    p = tf_program_run(f, "http://127.0.0.1", "preview", NULL);
    assert_exit(p, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(embed__repairs_proves_and_takes_back),
        TF_FIXTURE_TEST(embed__verify_tells_what_is_missing),
        TF_FIXTURE_TEST(embed__errors_are_the_commands_own),
    };
    return cmocka_run_group_tests_name("embed", tests, NULL, NULL);
}
