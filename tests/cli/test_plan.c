/* tokenfix plan: the migrations in their order, and what is applied. */
#include "support/tokens.h"

static void plan__tells_pending_from_applied(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "plan", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migrations.0.name"), "004_fix_melted_token_status");
    assert_string_equal(tf_program_text(p, "data.migrations.0.state"), "pending");
    assert_false(tf_program_flag(p, "data.migrations.0.applied"));
    assert_int_equal(tf_program_number(p, "data.pending"), 1);
    assert_exit(tf_program_run(f, "plan", "--check", NULL), 3);

    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    p = tf_program_run(f, "plan", "--check", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migrations.0.state"), "applied");
    assert_true(tf_program_flag(p, "data.migrations.0.applied"));
    assert_string_equal(tf_program_text(p, "data.migrations.0.run"), tf_program_text(up, "data.run"));
    assert_int_equal(tf_program_number(p, "data.pending"), 0);

    assert_exit(tf_down(f), 0);
    p = tf_program_run(f, "plan", "--check", "--json", NULL);
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_string_equal(tf_program_text(p, "data.migrations.0.state"), "rolled_back");
}

static void plan__an_interrupted_migration_is_pending(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f, "--canary", "10"), 7);
    tf_program *p = tf_program_run(f, "plan", "--check", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "004_fix_melted_token_status  interrupted");
    assert_has(p->out, "\n1 of 1 pending\n");
}

static void plan__puts_dependencies_first(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_exec(
        f, &(tf_program_options){.argv = (const char *[]){"plan", "--json", NULL}, .test_registry = true});
    assert_exit(p, 0);
    for (int i = 0; i < 64; i++) {
        char path[64];
        for (int k = 0; k < 8; k++) {
            snprintf(path, sizeof path, "data.migrations.%d.dependsOn.%d", i, k);
            if (!tf_program_has(p, path))
                break;
            const char *needed = tf_program_text(p, path);
            bool before = false;
            for (int j = 0; j < i && !before; j++) {
                snprintf(path, sizeof path, "data.migrations.%d.name", j);
                before = strcmp(tf_program_text(p, path), needed) == 0;
            }
            if (!before)
                fail_msg("%s does not stand before what depends on it: %s", needed, p->out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(plan__tells_pending_from_applied),
        TF_FIXTURE_TEST(plan__an_interrupted_migration_is_pending),
        TF_FIXTURE_TEST(plan__puts_dependencies_first),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
