/* tokenfix up: confirmation, repair, interruption, resumption. */
#include "support/tokens.h"

#include <time.h>
#include <unistd.h>

static const char migration[] = "004_fix_melted_token_status";

/* ---- the confirmation ---- */

static void up__without_confirm_shows_the_preview_and_changes_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "up", "--json", "--yes", NULL);
    assert_exit(p, 4);
    assert_false(tf_program_flag(p, "success"));
    assert_string_equal(tf_program_text(p, "error.code"), "CONFIRM");
    assert_int_equal(tf_program_number(p, "error.exit"), 4);
    assert_has(tf_program_text(p, "error.message"), "nothing was changed");
    assert_has(tf_program_text(p, "error.hint"), "--confirm");
    assert_int_equal(tf_program_number(p, "error.preview.stats.tokensToMigrate"), 5);
    p = tf_program_run(f, "up", NULL);
    assert_exit(p, 4);
    assert_has(p->out, "to repair  5 tokens of");
    assert_has(p->err, "nothing was changed");
    assert_has(p->err, "hint: Run 'tokenfix up 004_fix_melted_token_status --confirm' to repair.");
    assert_int_equal(tf_tokens_wrong(f), 5);
    assert_int_equal(tf_runs(f), 0);
}

static void up__without_a_terminal_needs_an_answer(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "up", "--json", "--confirm", NULL);
    assert_exit(p, 4);
    assert_has(tf_program_text(p, "error.hint"), "CONFIRM_MIGRATION=yes");
    assert_int_equal(tf_program_number(p, "error.preview.stats.tokensToMigrate"), 5);
    const char *const no[] = {"CONFIRM_MIGRATION=no", NULL}, *const yes[] = {"CONFIRM_MIGRATION=yes", NULL};
    const char *const argv[] = {"up", "--json", "--confirm", NULL};
    p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = no});
    assert_exit(p, 4);
    assert_int_equal(tf_tokens_wrong(f), 5);
    p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = yes});
    assert_exit(p, 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void up__on_a_terminal_asks_for_the_databases_name(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    char answer[80];
    const char *const argv[] = {"up", "--confirm", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .terminal = true, .input = "yes\n"});
    assert_exit(p, 4);
    assert_has(p->out, "This repairs 5 tokens (50 sat) of");
    assert_has(p->out, "Type the database's name to go on: ");
    assert_int_equal(tf_tokens_wrong(f), 5);
    snprintf(answer, sizeof answer, "%s\n", f->db);
    p = tf_program_exec(f, &(tf_program_options){.argv = argv, .terminal = true, .input = answer});
    assert_exit(p, 0);
    assert_has(p->out, "repaired  5 tokens");
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void up__dry_run_is_a_preview(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "up", "--dry-run", "--confirm", "--yes", "--json", NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.stats.tokensToMigrate"), 5);
    assert_int_equal(tf_tokens_wrong(f), 5);
    assert_int_equal(tf_runs(f), 0);
}

static void up__refuses_options_that_contradict_each_other(void **state)
{
    tf_fixture *f = *state;
    static const char *const rows[][5] = {
        {"up", "--resume", "--again", NULL},
        {"up", "--resume", "--if-needed", NULL},
        {"up", "--resume", "--strategy", "journal"},
        {"up", "--again", "--if-needed", NULL},
        {"up", "--take-over", NULL},
        {"up", "--batch-size", "0", NULL},
        {"up", "--batch-size", "100001", NULL},
        {"up", "--strategy", "hope", NULL},
        {"up", "--on-error", "panic", NULL},
        {"up", "--canary", "0", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = rows[i]});
        assert_exit(p, 2);
        assert_has(p->err, "hint: ");
    }
}

/* ---- the repair ---- */

static void up__repairs_and_proves(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_up(f, "--batch-size", "10");
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_true(*tf_program_text(p, "data.run"));
    assert_string_equal(tf_program_text(p, "data.migration_name"), migration);
    assert_string_equal(tf_program_text(p, "data.state"), "completed");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 25);
    assert_int_equal(tf_program_number(p, "data.totalAmount"), 250);
    assert_true(tf_program_number(p, "data.batches") >= 3);
    assert_true(tf_program_number(p, "data.executionTimeMs") > 0);
    assert_string_equal(tf_program_text(p, "data.strategy"), "transaction");
    assert_int_equal(tf_program_number(p, "data.refused"), 0);
    assert_int_equal(tf_program_number(p, "data.gone"), 0);
    assert_int_equal(tf_program_number(p, "data.overtaken"), 0);
    assert_true(tf_program_flag(p, "data.verification.ok"));
    assert_int_equal(tf_program_number(p, "data.verification.equal"), 25);
    assert_int_equal(tf_program_number(p, "data.verification.changedLater"), 0);
    assert_int_equal(tf_program_number(p, "data.verification.missing"), 0);
    assert_int_equal(tf_program_number(p, "data.verification.remaining"), 0);
    assert_int_equal(tf_program_number(p, "data.verification.newDefects"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_int_equal(tf_tokens_original(f), 2);
}

static void up__with_a_journal_repairs_the_same(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_up(f, "--strategy", "journal", "--batch-size", "10");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.strategy"), "journal");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 25);
    assert_true(tf_program_flag(p, "data.verification.ok"));
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void up__of_nothing_completes(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 0);
    tf_program *p = tf_up(f);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.state"), "completed");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 0);
}

static void up__without_its_collection_says_what_is_missing(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_up(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "MISSING");
    assert_has(tf_program_text(p, "error.message"), "cashu_tokens");
    assert_int_equal(tf_runs(f), 0);
}

static void up__twice_has_already_been_completed(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_up(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.message"), "Migration has already been completed");
    assert_has(tf_program_text(p, "error.hint"), "down");
    assert_has(tf_program_text(p, "error.hint"), "--if-needed");
    assert_has(tf_program_text(p, "error.hint"), "--again");
    p = tf_program_run(f, "up", NULL);
    assert_exit(p, 1);
    assert_has(p->err, "Migration has already been completed");
    assert_int_equal(tf_runs(f), 1);
}

static void up__if_needed_succeeds_where_nothing_is_to_be_done(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f, "--if-needed"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    tf_program *p = tf_up(f, "--if-needed");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.state"), "completed");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 0);
    p = tf_program_run(f, "up", "--if-needed", NULL);
    assert_exit(p, 0);
    assert_string_equal(p->out, "Migration has already been completed\n");
    assert_int_equal(tf_runs(f), 1);
}

static void up__if_needed_of_nothing_needs_no_confirmation(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 0);
    tf_program *p = tf_program_run(f, "up", "--if-needed", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.state"), "not_needed");
    assert_int_equal(tf_runs(f), 0);
    tf_tokens_insert(f, 1, 1, "npub1a", "unspent");
    assert_exit(tf_program_run(f, "up", "--if-needed", "--json", NULL), 4);
}

static void up__again_repairs_what_came_up_since(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *first = tf_up(f);
    assert_exit(first, 0);
    tf_tokens_insert(f, 50, 2, "npub1carl", "unspent");
    tf_program *p = tf_up(f, "--again");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 2);
    assert_string_not_equal(tf_program_text(p, "data.run"), tf_program_text(first, "data.run"));
    assert_int_equal(tf_tokens_wrong(f), 0);
}

/* An empty run on top of a full one would be what `down` takes back next. */
static void up__again_makes_no_run_where_nothing_came_up(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_up(f, "--again");
    assert_exit(p, 0);
    assert_has(tf_program_text(p, "data.message"), "Nothing to repair");
    assert_int_equal(tf_runs(f), 1);
}

static void up__lists_what_it_refused(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_fixture_insert(f, "cashu_tokens",
                      "{\"_id\": \"clock\", \"transaction_type\": \"melted\", \"status\": \"unspent\","
                      " \"total_amount\": 1}");
    /* a top-level Timestamp(0,0) can only come in by an update */
    tf_tokens_update(f, "{\"_id\": \"clock\"}",
                     "[{\"$set\": {\"t\": {\"$literal\": {\"$timestamp\": {\"t\": 0, \"i\": 0}}}}}]");
    tf_program *p = tf_up(f);
    if (tf_fixture_count(f, NULL, "cashu_tokens", "{\"t\": {\"$timestamp\": {\"t\": 0, \"i\": 0}}}") == 0)
        skip();
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.refused"), 1);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 5);
    assert_string_equal(tf_program_text(p, "data.verification.refusedIds.0"), "clock");
}

static void up__is_reported_in_text(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_program_run(f, "up", "--confirm", "--yes", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "of 004_fix_melted_token_status: completed\n");
    assert_has(p->out, "repaired  25 tokens\n");
    assert_has(p->out, "amount    250 sat\n");
    assert_has(p->out, ": proven\n");
}

/* ---- interruption ---- */

static void up__canary_repairs_so_many_and_stops(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_up(f, "--canary", "10");
    assert_exit(p, 7);
    assert_string_equal(tf_program_text(p, "error.code"), "INTERRUPTED");
    assert_has(tf_program_text(p, "error.hint"), "--resume");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 10);
    assert_true(tf_program_flag(p, "data.verification.ok"));
    assert_int_equal(tf_program_number(p, "data.verification.equal"), 10);
    assert_int_equal(tf_tokens_wrong(f), 15);

    tf_program *plain = tf_up(f);
    assert_exit(plain, 7);
    assert_has(tf_program_text(plain, "error.hint"), "--resume");
    assert_int_equal(tf_tokens_wrong(f), 15);

    tf_program *resumed = tf_up(f, "--resume");
    assert_exit(resumed, 0);
    assert_string_equal(tf_program_text(resumed, "data.run"), tf_program_text(p, "error.run"));
    assert_int_equal(tf_program_number(resumed, "data.affectedTokens"), 25);
    assert_int_equal(tf_program_number(resumed, "data.totalAmount"), 250);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_int_equal(tf_runs(f), 1);
}

static void up__canary_in_text_shows_the_proof_and_how_to_go_on(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_program_run(f, "up", "--confirm", "--yes", "--canary", "10", NULL);
    assert_exit(p, 7);
    assert_has(p->out, "repaired  10 tokens\n");
    assert_has(p->out, "(up, interrupted): proven so far\n");
    assert_null(strstr(p->out, "\nRemaining\n"));
    assert_has(p->err, "tokenfix up --resume=");
}

static void up__resumes_a_run_by_its_id(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *p = tf_up(f, "--canary", "10");
    assert_exit(p, 7);
    char option[128];
    snprintf(option, sizeof option, "--resume=%s", tf_program_text(p, "error.run"));
    tf_program *asked = tf_program_run(f, "up", option, "--json", NULL);
    assert_exit(asked, 4);
    assert_has(tf_program_text(asked, "error.hint"), option);
    assert_int_equal(tf_program_number(asked, "error.preview.stats.tokensToMigrate"), 15);
    assert_exit(tf_up(f, option), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void up__with_nothing_to_resume_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_up(f, "--resume");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    p = tf_up(f, "--resume=20000101t000000-004-000000");
    assert_exit(p, 2);
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_FOUND");
    assert_int_equal(tf_tokens_wrong(f), 5);
}

static void wait_for_batches(tf_fixture *f, int64_t count)
{
    for (int i = 0; i < 3000 && tf_batches(f) < count; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(tf_batches(f) >= count);
}

static void up__interrupted_by_ctrl_c_leaves_the_run_resumable(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3000);
    tf_program *p =
        tf_program_start(f, &(tf_program_options){.argv = (const char *[]){"up", "--confirm", "--yes", "--json",
                                                                           "--batch-size", "1", NULL}});
    wait_for_batches(f, 3);
    kill(p->pid, SIGINT);
    tf_program_wait(p, 60);
    assert_exit(p, 7);
    assert_string_equal(tf_program_text(p, "error.code"), "INTERRUPTED");
    char command[160];
    snprintf(command, sizeof command, "--resume=%s", tf_program_text(p, "error.run"));
    assert_has(tf_program_text(p, "error.hint"), command);
    int64_t left = tf_tokens_wrong(f);
    assert_true(left > 0 && left < 3000);
    tf_program *resumed = tf_up(f, command);
    assert_exit(resumed, 0);
    assert_int_equal(tf_program_number(resumed, "data.affectedTokens"), 3000);
    assert_true(tf_program_flag(resumed, "data.verification.ok"));
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void up__twice_at_once_lets_exactly_one_run(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3000);
    tf_program *first =
        tf_program_start(f, &(tf_program_options){.argv = (const char *[]){"up", "--confirm", "--yes", "--json",
                                                                           "--batch-size", "2", NULL}});
    wait_for_batches(f, 1);
    tf_program *second = tf_up(f);
    assert_exit(second, 5);
    assert_string_equal(tf_program_text(second, "error.code"), "LEASE_HELD");
    tf_program_wait(first, 60);
    assert_exit(first, 0);
    assert_int_equal(tf_program_number(first, "data.affectedTokens"), 3000);
    assert_int_equal(tf_runs(f), 1);
}

static void up__with_the_least_privileges_works(void **state)
{
    tf_fixture *f = *state;
    static const char *const others[] = {"cashu_wallets", NULL};
    tf_tokens_sample(f, 25);
    const char *runner = tf_fixture_login(f, "run", "cashu_tokens", others);
    static const char *const rows[][5] = {{"up", "--confirm", "--yes", "--json", NULL},
                                          {"verify", "--json", NULL},
                                          {"status", "--json", NULL},
                                          {"history", "--json", NULL},
                                          {"plan", "--json", NULL},
                                          {"down", "--confirm", "--yes", "--json", NULL},
                                          {"verify", "--json", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_exit(tf_program_exec(f, &(tf_program_options){.argv = rows[i], .uri = runner}), 0);
    assert_int_equal(tf_tokens_original(f), 27);
}

static void up__without_the_right_to_write_is_denied(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    const char *reader = tf_fixture_login(f, "reader", NULL, NULL);
    tf_program *p = tf_program_exec(
        f, &(tf_program_options){.argv = (const char *[]){"up", "--confirm", "--yes", "--json", NULL}, .uri = reader});
    assert_exit(p, 8);
    assert_string_equal(tf_program_text(p, "error.code"), "PERMISSION");
    assert_has(tf_program_text(p, "error.message"), "Permission denied");
    assert_int_equal(tf_tokens_wrong(f), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(up__without_confirm_shows_the_preview_and_changes_nothing),
        TF_FIXTURE_TEST(up__without_a_terminal_needs_an_answer),
        TF_FIXTURE_TEST(up__on_a_terminal_asks_for_the_databases_name),
        TF_FIXTURE_TEST(up__dry_run_is_a_preview),
        TF_FIXTURE_TEST(up__refuses_options_that_contradict_each_other),
        TF_FIXTURE_TEST(up__repairs_and_proves),
        TF_FIXTURE_TEST(up__with_a_journal_repairs_the_same),
        TF_FIXTURE_TEST(up__of_nothing_completes),
        TF_FIXTURE_TEST(up__without_its_collection_says_what_is_missing),
        TF_FIXTURE_TEST(up__twice_has_already_been_completed),
        TF_FIXTURE_TEST(up__if_needed_succeeds_where_nothing_is_to_be_done),
        TF_FIXTURE_TEST(up__if_needed_of_nothing_needs_no_confirmation),
        TF_FIXTURE_TEST(up__again_repairs_what_came_up_since),
        TF_FIXTURE_TEST(up__again_makes_no_run_where_nothing_came_up),
        TF_FIXTURE_TEST(up__lists_what_it_refused),
        TF_FIXTURE_TEST(up__is_reported_in_text),
        TF_FIXTURE_TEST(up__canary_repairs_so_many_and_stops),
        TF_FIXTURE_TEST(up__canary_in_text_shows_the_proof_and_how_to_go_on),
        TF_FIXTURE_TEST(up__resumes_a_run_by_its_id),
        TF_FIXTURE_TEST(up__with_nothing_to_resume_says_so),
        TF_FIXTURE_TEST(up__interrupted_by_ctrl_c_leaves_the_run_resumable),
        TF_FIXTURE_TEST(up__twice_at_once_lets_exactly_one_run),
        TF_FIXTURE_TEST(up__with_the_least_privileges_works),
        TF_FIXTURE_TEST(up__without_the_right_to_write_is_denied),
    };
    return cmocka_run_group_tests_name("up", tests, NULL, NULL);
}
