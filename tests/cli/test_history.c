/* tokenfix history: the runs, and one run's batches and events. */
#include "support/tokens.h"

static void history__lists_the_runs_newest_first(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f), *down = tf_down(f);
    assert_exit(up, 0);
    assert_exit(down, 0);
    tf_program *p = tf_program_run(f, "history", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.runs.0.run"), tf_program_text(down, "data.run"));
    assert_string_equal(tf_program_text(p, "data.runs.0.direction"), "down");
    assert_string_equal(tf_program_text(p, "data.runs.0.restores"), tf_program_text(up, "data.run"));
    assert_int_equal(tf_program_number(p, "data.runs.0.tokens"), 5);
    assert_string_equal(tf_program_text(p, "data.runs.1.run"), tf_program_text(up, "data.run"));
    assert_string_equal(tf_program_text(p, "data.runs.1.state"), "rolled_back");
    assert_string_equal(tf_program_text(p, "data.runs.1.restoredBy"), tf_program_text(down, "data.run"));
    assert_int_equal(tf_program_number(p, "data.runs.1.totalAmount"), 50);
    assert_true(*tf_program_text(p, "data.runs.1.startedAt"));
    assert_true(*tf_program_text(p, "data.runs.1.endedAt"));

    p = tf_program_run(f, "history", "--json", "--limit", "1", "--offset", "1", NULL);
    assert_string_equal(tf_program_text(p, "data.runs.0.run"), tf_program_text(up, "data.run"));
    assert_false(tf_program_has(p, "data.runs.1"));

    p = tf_program_run(f, "history", NULL);
    assert_exit(p, 0);
    const char *first = strstr(p->out, tf_program_text(down, "data.run"));
    const char *second = strstr(p->out, tf_program_text(up, "data.run"));
    assert_true(first && second && first < second);
}

static void history__of_a_run_shows_its_batches_and_events(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *up = tf_up(f, "--batch-size", "10");
    assert_exit(up, 0);
    tf_program *p = tf_program_run(f, "history", tf_program_text(up, "data.run"), "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.run"), tf_program_text(up, "data.run"));
    int64_t batches = tf_program_number(p, "data.batchesTotal"), tokens = 0, amount = 0;
    assert_int_equal(batches, tf_program_number(up, "data.batches"));
    for (int64_t i = 0; i < batches; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.batchList.%d.applied", (int)i);
        tokens += tf_program_number(p, path);
        snprintf(path, sizeof path, "data.batchList.%d.totalAmount", (int)i);
        amount += tf_program_number(p, path);
        snprintf(path, sizeof path, "data.batchList.%d.hash", (int)i);
        assert_int_equal(strlen(tf_program_text(p, path)), 64);
    }
    assert_int_equal(tokens, 25);
    assert_int_equal(amount, 250);
    assert_true(*tf_program_text(p, "data.events.0.type"));
    assert_int_equal(strlen(tf_program_text(p, "data.events.0.hash")), 64);

    p = tf_program_run(f, "history", "004", "--limit", "2", "--json", NULL);
    assert_exit(p, 0);
    assert_false(tf_program_has(p, "data.batchList.2"));
    p = tf_program_run(f, "history", "004", "--limit", "2", "--offset", "1", NULL);
    assert_exit(p, 0);
    char title[64];
    snprintf(title, sizeof title, "Batches 2 to 3 of %d\n", (int)batches);
    assert_has(p->out, title);
    assert_has(p->out, "\nEvents\n");
    assert_has(p->out, "repaired   25 tokens of cashu_tokens\n");
}

static void history__of_nothing_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "history", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "No runs in ");
    p = tf_program_run(f, "history", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_has(p, "data.runs"));
    assert_false(tf_program_has(p, "data.runs.0"));
}

static void history__of_an_unknown_run_names_the_nearest(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 1);
    tf_program *up = tf_up(f);
    char name[64];
    snprintf(name, sizeof name, "%s", tf_program_text(up, "data.run"));
    name[strlen(name) - 1] = name[strlen(name) - 1] == '0' ? '1' : '0';
    tf_program *p = tf_program_run(f, "history", name, "--json", NULL);
    assert_exit(p, 2);
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_FOUND");
    assert_has(tf_program_text(p, "error.hint"), tf_program_text(up, "data.run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(history__lists_the_runs_newest_first),
        TF_FIXTURE_TEST(history__of_a_run_shows_its_batches_and_events),
        TF_FIXTURE_TEST(history__of_nothing_says_so),
        TF_FIXTURE_TEST(history__of_an_unknown_run_names_the_nearest),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
