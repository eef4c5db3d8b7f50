/* Other writers between the journal's steps: what counts as applied, what as overtaken. */
#include "support/tokens.h"

#include <sys/wait.h>

#ifdef TF_FAILPOINTS

/* An `up` or `down` by journal that sleeps at a failpoint until the test has written. */
static tf_program *direction_stopped_at(tf_fixture *f, const char *direction, const char *point)
{
    char setting[80];
    snprintf(setting, sizeof setting, "TOKENFIX_FAILPOINT=%s.journal.%s=stop", direction, point);
    const char *const argv[] = {direction, "--json", "--confirm", "--yes", "--strategy", "journal", NULL};
    const char *const env[] = {setting, NULL};
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv, .env = env});
    int status = 0;
    assert_int_equal(waitpid(p->pid, &status, WUNTRACED), p->pid);
    assert_true(WIFSTOPPED(status));
    return p;
}

static tf_program *stopped_at(tf_fixture *f, const char *point)
{
    return direction_stopped_at(f, "up", point);
}

static void go_on(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 0);
}

static void journal__other_field_changed_after_the_write_is_overtaken(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_write");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"note\": \"new\"}}");
    go_on(p);
    assert_int_equal(p->status, 3);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"note\": \"new\", \"status\": \"spent\"}"), 1);
}

static void journal__other_field_changed_before_the_write_is_overtaken(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_backup");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"note\": \"new\"}}");
    go_on(p);
    assert_int_equal(p->status, 3);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
}

static void journal__touched_field_changed_before_the_write_is_left_alone(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_backup");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"spent_at\": \"never\"}}");
    go_on(p);
    assert_int_equal(p->status, 3);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 3, \"spent_at\": \"never\", \"status\": \"unspent\"}"), 1);
}

/* What was read before a long sleep is not what is backed up. */
static void journal__who_slept_reads_its_candidates_again(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_intent");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"transaction_type\": \"sent\"}}");
    usleep(700000);
    go_on(p);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.gone"), 1);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 0);
}

/* Its backup is further than its records: nothing is damaged. */
static void journal__proof_of_a_run_killed_behind_a_backup_has_no_findings(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_backup");
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    tf_program_wait(p, 0);
    p = tf_program_run(f, "history", "--json", NULL);
    p = tf_program_run(f, "verify", tf_program_text(p, "data.runs.0.run"), "--json", NULL);
    assert_int_equal(p->status, 0);
    assert_has(p->out, "\"findings\": []");
    assert_int_equal(tf_up(f, "--resume", "--take-over")->status, 0);
}

static void journal__deleted_document_is_overtaken(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = stopped_at(f, "after_write");
    tf_tokens_delete(f, "{\"_id\": 5}");
    go_on(p);
    assert_int_equal(p->status, 3);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
}

/* A rollback writes the touched fields only: what came beside them meanwhile is not lost. */
static void journal__other_field_changed_under_a_rollback_survives(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f, "--strategy", "journal"), 0);
    tf_program *p = direction_stopped_at(f, "down", "after_backup");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"note\": \"new\"}}");
    go_on(p);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 3, \"note\": \"new\", \"status\": \"unspent\"}"), 1);
}

static void journal__touched_field_changed_under_a_rollback_is_left_alone(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f, "--strategy", "journal"), 0);
    tf_program *p = direction_stopped_at(f, "down", "after_backup");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"spent_at\": \"never\"}}");
    go_on(p);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 4);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 3, \"spent_at\": \"never\", \"status\": \"spent\"}"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(journal__other_field_changed_under_a_rollback_survives),
        TF_FIXTURE_TEST(journal__touched_field_changed_under_a_rollback_is_left_alone),
        TF_FIXTURE_TEST(journal__other_field_changed_after_the_write_is_overtaken),
        TF_FIXTURE_TEST(journal__other_field_changed_before_the_write_is_overtaken),
        TF_FIXTURE_TEST(journal__touched_field_changed_before_the_write_is_left_alone),
        TF_FIXTURE_TEST(journal__deleted_document_is_overtaken),
        TF_FIXTURE_TEST(journal__who_slept_reads_its_candidates_again),
        TF_FIXTURE_TEST(journal__proof_of_a_run_killed_behind_a_backup_has_no_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("skipped: built without failpoints");
    return 0;
}

#endif
