/* tokenfix pause, continue, cancel: what another terminal asks of a run, and what the run does. */
#include "fault/fault.h"
#include "support/pauses.h"

static tf_program *start(tf_fixture *f, const char *command, ...) __attribute__((sentinel));
static tf_program *start(tf_fixture *f, const char *command, ...)
{
    const char *argv[24] = {command, "--confirm", "--yes", "--json"};
    size_t n = 4;
    va_list args;
    va_start(args, command);
    while ((argv[n] = va_arg(args, const char *)))
        n++;
    va_end(args);
    return tf_program_start(f, &(tf_program_options){.argv = argv});
}

static void wait_for_batches(tf_fixture *f, const char *run, int64_t least)
{
    char filter[128];
    snprintf(filter, sizeof filter, "{\"run\": \"%s\"}", run);
    for (int n = 0; n < 1200; n++) {
        if (tf_fixture_count(f, f->state_db, "batches", filter) >= least)
            return;
        usleep(50000);
    }
    fail_msg("there are never %d batches of %s", (int)least, run);
}

#define control(f, ...) tf_program_run((f), __VA_ARGS__, "--json", NULL)

static void assert_refused(const tf_program *p, const char *code, const char *message)
{
    assert_true(p->status == 1 || p->status == 2);
    assert_string_equal(tf_program_text(p, "error.code"), code);
    assert_has(tf_program_text(p, "error.message"), message);
    assert_true(*tf_program_text(p, "error.hint"));
}

/* ---- pause and continue ---- */

static void control__paused_run_rests_until_it_is_continued(void **state)
{
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 30);
    tf_pauses_file_make(&file);
    tf_program *up = start(f, "up", "--batch-size", "5", "--pause-file", file.path, NULL);
    tf_pauses_wait_for(f, "{\"state\": \"paused\", \"pause.reason\": \"pause_file\"}");
    assert_int_equal(tf_batches(f), 0);

    tf_program *p = control(f, "pause");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.state"), "paused");
    assert_string_equal(tf_program_text(p, "data.pause.reason"), "request");
    assert_has(tf_program_text(p, "data.pause.message"), "asked for it");
    assert_true(*tf_program_text(p, "data.pause.since"));
    unlink(file.path);
    assert_exit(control(f, "pause"), 0); /* it is already: no reason to complain */
    assert_int_equal(tf_batches(f), 0);

    p = tf_program_run(f, "status", "--json", NULL);
    assert_string_equal(tf_program_text(p, "data.migration.state"), "paused");
    assert_string_equal(tf_program_text(p, "data.runs.0.pause.reason"), "request");
    assert_string_equal(tf_program_text(p, "data.recommendations.0.type"), "continue");
    p = tf_program_run(f, "history", tf_program_text(p, "data.runs.0.run"), NULL);
    assert_has(p->out, "asked for it");

    p = control(f, "continue", "004");
    assert_exit(p, 0);
    assert_false(tf_program_has(p, "data.pause"));
    tf_program_wait(up, 60);
    assert_exit(up, 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_true(tf_pauses_held(up, "request") > 0);
    assert_true(tf_pauses_held(up, "pause_file") > 0);
    assert_int_equal(tf_pauses_held(up, "majority_lag"), 0);
    assert_has(up->err, "paused:");
    assert_has(up->err, "asked for it");
    assert_has(up->err, "goes on");
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"pause\": {\"$exists\": true}}"), 0);
    assert_int_equal(tf_fixture_count(f, f->state_db, "events", "{\"type\": \"continued\"}"), 1);
    fault_assert_proven(f);
}

static void control__pause_of_its_own_is_not_ended_by_continue(void **state)
{
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 4);
    tf_pauses_file_make(&file);
    tf_program *up = start(f, "up", "--pause-file", file.path, NULL);
    tf_pauses_wait_for(f, "{\"state\": \"paused\"}");
    tf_program *p = control(f, "continue");
    assert_refused(p, "NOTHING_TO_DO", "exists");
    assert_has(tf_program_text(p, "error.hint"), "by itself");
    p = tf_program_run(f, "status", NULL);
    assert_has(p->out, "goes on by itself");
    unlink(file.path);
    tf_program_wait(up, 60);
    assert_exit(up, 0);
}

static void control__request_that_is_not_waited_for_can_be_withdrawn(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 30);
    tf_program *up = fault_start(f, "up", "up.before_backup=stop@1", fault_words("--batch-size", "5"));
    wait_until_stopped(up);
    tf_program *p = control(f, "pause", "--wait", "0");
    assert_refused(p, "NO_ANSWER", "asked to pause");
    assert_exit(control(f, "continue"), 0);
    assert_refused(control(f, "continue"), "NOTHING_TO_DO", "is not paused");
    assert_int_equal(kill(up->pid, SIGCONT), 0);
    tf_program_wait(up, 60);
    assert_exit(up, 0);
    assert_int_equal(tf_pauses_held(up, "request"), 0);
}

static void control__interrupt_ends_a_pause_at_once(void **state)
{
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 30);
    tf_pauses_file_make(&file);
    tf_program *up = start(f, "up", "--batch-size", "5", "--pause-file", file.path, NULL);
    tf_pauses_wait_for(f, "{\"state\": \"paused\"}");
    assert_int_equal(kill(up->pid, SIGINT), 0);
    tf_program_wait(up, 20);
    assert_exit(up, 7);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"state\": \"interrupted\", \"active\": false}"), 1);
    assert_int_equal(tf_batches(f), 0);
    assert_exit(tf_up(f, "--resume"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

/* Who takes a run over is not bound by what its former owner was asked for. */
static void owner_dies(tf_fixture *f, const char *strategy)
{
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 30);
    tf_pauses_file_make(&file);
    tf_program *up = start(f, "up", "--batch-size", "5", "--strategy", strategy, "--pause-file", file.path, NULL);
    tf_pauses_wait_for(f, "{\"state\": \"paused\"}");
    assert_exit(control(f, "pause"), 0);
    assert_int_equal(kill(up->pid, SIGKILL), 0);
    tf_program_wait(up, 20);
    assert_refused(control(f, "continue"), "NOTHING_TO_DO", "no run is under way");
    tf_program *p = control(f, "continue", "004");
    assert_refused(p, "NOTHING_TO_DO", "no living owner");
    assert_has(tf_program_text(p, "error.hint"), "--resume=");
    p = tf_up(f, "--resume");
    assert_exit(p, 0);
    assert_int_equal(tf_pauses_held(p, "request"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    fault_assert_proven(f);
}

static void control__paused_run_whose_owner_died_is_resumed(void **state)
{
    owner_dies(*state, "transaction");
}

static void control__paused_run_with_a_journal_whose_owner_died_is_resumed(void **state)
{
    owner_dies(*state, "journal");
}

/* ---- cancel ---- */

static void control__cancelled_run_keeps_what_it_did_and_can_be_taken_back(void **state)
{
    tf_fixture *f = *state;
    for (int journal = 0; journal < 2; journal++) {
        const char *strategy = journal ? "journal" : "transaction";
        tf_tokens_sample(f, 60);
        tf_program *up = start(f, "up", "--batch-size", "5", "--strategy", strategy, "--nice", "1000", NULL);
        tf_pauses_wait_for(f, "{\"state\": \"running\"}");
        _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, "up");
        const char *id = fault_text(run, "_id");
        wait_for_batches(f, id, 1);
        tf_program *p = control(f, "cancel", id);
        assert_exit(p, 0);
        assert_string_equal(tf_program_text(p, "data.state"), "cancelled");
        int64_t done = tf_program_number(p, "data.tokens");
        assert_true(done >= 5 && done < 60);
        tf_program_wait(up, 20);
        assert_exit(up, 1);
        assert_string_equal(tf_program_text(up, "error.code"), "CANCELLED");
        assert_has(tf_program_text(up, "error.message"), "cancelled by");
        assert_has(tf_program_text(up, "error.hint"), "tokenfix down");
        assert_int_equal(tf_program_number(up, "data.affectedTokens"), done);
        assert_int_equal(60 - tf_tokens_wrong(f), done);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);

        assert_refused(control(f, "cancel", id), "NOTHING_TO_DO", "cancelled");
        char resume[96];
        snprintf(resume, sizeof resume, "--resume=%s", id);
        assert_refused(tf_up(f, resume), "NOTHING_TO_DO", "cannot be resumed");
        p = control(f, "verify", id);
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.equal"), done);

        p = tf_up(f, "--strategy", strategy); /* a new run for the rest */
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.affectedTokens"), 60 - done);
        assert_exit(tf_down(f, tf_program_text(p, "data.run")), 0);
        p = tf_down(f); /* now the newest that is not taken back is the cancelled one */
        assert_exit(p, 0);
        assert_string_equal(tf_program_text(p, "data.restores"), id);
        assert_int_equal(tf_program_number(p, "data.restoredTokens"), done);
        assert_int_equal(tf_tokens_wrong(f), 60);
        char filter[128];
        snprintf(filter, sizeof filter, "{\"_id\": \"%s\", \"state\": \"rolled_back\"}", id);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", filter), 1);
        assert_exit(tf_down(f, tf_program_text(p, "data.run")), 0); /* and undone: it is cancelled again */
        snprintf(filter, sizeof filter, "{\"_id\": \"%s\", \"state\": \"cancelled\"}", id);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", filter), 1);
        assert_int_equal(60 - tf_tokens_wrong(f), done);
        bson_destroy(tf_fixture_command(f, "{\"dropDatabase\": 1}"));
    }
}

/* The gate stands behind the last batch, too. */
static void control__cancel_behind_the_last_batch_counts(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 4);
    tf_program *up = start(f, "up", "--nice", "1000", NULL);
    tf_pauses_wait_for(f, "{\"state\": \"running\"}");
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, "up");
    wait_for_batches(f, fault_text(run, "_id"), 1);
    assert_exit(control(f, "cancel"), 0);
    tf_program_wait(up, 20);
    assert_exit(up, 1);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"state\": \"cancelled\"}"), 1);
}

/* A rollback that was cancelled: its target stays half taken back until somebody decides. Returns the rollback's id. */
static const char *cancel_down(tf_fixture *f, const char *target)
{
    tf_program *down = start(f, "down", target, "--batch-size", "5", "--nice", "1000", NULL);
    tf_pauses_wait_for(f, "{\"direction\": \"down\", \"state\": \"running\"}");
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, "down");
    wait_for_batches(f, fault_text(run, "_id"), 1);
    assert_exit(control(f, "cancel"), 0);
    tf_program_wait(down, 20);
    assert_exit(down, 1);
    assert_string_equal(tf_program_text(down, "error.code"), "CANCELLED");
    int64_t wrong = tf_tokens_wrong(f);
    if (wrong < 1 || wrong >= 60)
        fail_msg("%d are wrong again: %s", (int)wrong, down->out);
    return tf_program_text(down, "data.run");
}

static void control__cancelled_rollback_is_gone_on_with_by_another(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 60);
    tf_program *up = tf_up(f, "--batch-size", "5");
    assert_exit(up, 0);
    const char *target = tf_program_text(up, "data.run"), *cancelled = cancel_down(f, target);
    tf_program *p = tf_up(f);
    assert_exit(p, 7);
    assert_has(tf_program_text(p, "error.message"), "cancelled");
    assert_has(tf_program_text(p, "error.hint"), target);
    p = tf_program_run(f, "status", "--json", NULL);
    assert_has(tf_program_text(p, "data.recommendations.0.message"), "cancelled half way");
    p = tf_down(f);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.restores"), target);
    assert_int_equal(tf_program_number(p, "data.restoredTokens") + tf_program_number(p, "data.alreadyOriginal"), 60);
    assert_int_equal(tf_tokens_original(f), 62);
    assert_refused(tf_down(f, cancelled), "NOTHING_TO_DO", "has gone on with");
}

static void control__cancelled_rollback_can_be_undone(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 60);
    tf_program *up = tf_up(f, "--batch-size", "5");
    assert_exit(up, 0);
    const char *target = tf_program_text(up, "data.run"), *cancelled = cancel_down(f, target);
    assert_exit(tf_down(f, cancelled), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    char filter[128];
    snprintf(filter, sizeof filter, "{\"_id\": \"%s\", \"state\": \"completed\"}", target);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", filter), 1);
    tf_program *p = control(f, "verify", target);
    assert_exit(p, 0);
}

/* ---- nobody to ask ---- */

static void control__says_why_there_is_nobody_to_ask(void **state)
{
    tf_fixture *f = *state;
    static const char *const words[] = {"pause", "continue", "cancel"};
    tf_tokens_sample(f, 30);
    for (size_t i = 0; i < 3; i++) {
        assert_refused(control(f, words[i]), "NOTHING_TO_DO", "no run is under way");
        assert_refused(control(f, words[i], "no-such-run"), "NOT_FOUND", "there is no run or migration");
    }
    assert_exit(tf_up(f, "--canary", "10"), 7);
    for (size_t i = 0; i < 3; i++)
        assert_refused(control(f, words[i], "004"), "NOTHING_TO_DO", "no living owner");
    tf_program *up = tf_up(f, "--resume");
    assert_exit(up, 0);
    for (size_t i = 0; i < 3; i++)
        assert_refused(control(f, words[i], tf_program_text(up, "data.run")), "NOTHING_TO_DO", "is completed");
    assert_exit(tf_down(f), 0);
    assert_refused(control(f, "pause", tf_program_text(up, "data.run")), "NOTHING_TO_DO", "is rolled_back");
}

static void control__needs_no_more_than_the_role_of_a_run(void **state)
{
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    static const char *const others[] = {"cashu_wallets", NULL};
    tf_tokens_sample(f, 4);
    tf_pauses_file_make(&file);
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", others);
    const char *const up_argv[] = {"up", "--confirm", "--yes", "--json", "--pause-file", file.path, NULL};
    const char *const pause_argv[] = {"pause", "--json", NULL}, *const cancel_argv[] = {"cancel", "--json", NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = up_argv, .uri = login});
    tf_pauses_wait_for(f, "{\"state\": \"paused\"}");
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = pause_argv, .uri = login}), 0);
    const char *reader = tf_fixture_login(f, "reader", "cashu_tokens", others);
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = cancel_argv, .uri = reader}), 8);
    assert_exit(tf_program_exec(f, &(tf_program_options){.argv = cancel_argv, .uri = login}), 0);
    tf_program_wait(up, 20);
    assert_exit(up, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(control__paused_run_rests_until_it_is_continued),
        TF_FIXTURE_TEST(control__pause_of_its_own_is_not_ended_by_continue),
        TF_FIXTURE_TEST(control__request_that_is_not_waited_for_can_be_withdrawn),
        TF_FIXTURE_TEST(control__interrupt_ends_a_pause_at_once),
        TF_FIXTURE_TEST(control__paused_run_whose_owner_died_is_resumed),
        TF_FIXTURE_TEST(control__paused_run_with_a_journal_whose_owner_died_is_resumed),
        TF_FIXTURE_TEST(control__cancelled_run_keeps_what_it_did_and_can_be_taken_back),
        TF_FIXTURE_TEST(control__cancel_behind_the_last_batch_counts),
        TF_FIXTURE_TEST(control__cancelled_rollback_is_gone_on_with_by_another),
        TF_FIXTURE_TEST(control__cancelled_rollback_can_be_undone),
        TF_FIXTURE_TEST(control__says_why_there_is_nobody_to_ask),
        TF_FIXTURE_TEST(control__needs_no_more_than_the_role_of_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
