/* tokenfix down: rollback, conflicts, and what is not to be rolled back. */
#include "support/tokens.h"

static void down__without_confirm_shows_what_it_would_take_back(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    const char *run = tf_program_text(up, "data.run");
    tf_program *p = tf_program_run(f, "down", "--json", NULL);
    assert_exit(p, 4);
    assert_string_equal(tf_program_text(p, "error.code"), "CONFIRM");
    assert_string_equal(tf_program_text(p, "error.preview.run"), run);
    assert_int_equal(tf_program_number(p, "error.preview.tokens"), 5);
    assert_has(tf_program_text(p, "error.hint"), run);
    p = tf_program_run(f, "down", NULL);
    assert_exit(p, 4);
    assert_has(p->out, run);
    assert_has(p->out, "5 tokens of cashu_tokens");
    assert_has(p->err, "nothing was changed");
    assert_exit(tf_program_run(f, "down", "--confirm", NULL), 4);
    assert_int_equal(tf_tokens_original(f), 2);
}

static void down__on_a_terminal_asks_for_the_databases_name(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    char answer[80];
    const char *const argv[] = {"down", "--confirm", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .terminal = true, .input = "wrong\n"});
    assert_exit(p, 4);
    assert_has(p->out, "This takes back run");
    snprintf(answer, sizeof answer, "%s\n", f->db);
    p = tf_program_exec(f, &(tf_program_options){.argv = argv, .terminal = true, .input = answer});
    assert_exit(p, 0);
    assert_int_equal(tf_tokens_original(f), 7);
}

static void down__gives_everything_back(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *up = tf_up(f, "--batch-size", "10");
    assert_exit(up, 0);
    tf_program *p = tf_down(f);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.restores"), tf_program_text(up, "data.run"));
    assert_string_not_equal(tf_program_text(p, "data.run"), tf_program_text(up, "data.run"));
    assert_string_equal(tf_program_text(p, "data.state"), "completed");
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 25);
    assert_int_equal(tf_program_number(p, "data.conflicts"), 0);
    assert_int_equal(tf_program_number(p, "data.alreadyOriginal"), 0);
    assert_true(tf_program_number(p, "data.executionTimeMs") > 0);
    assert_int_equal(tf_tokens_original(f), 27);
    assert_int_equal(tf_tokens_wrong(f), 25);
}

static void down__twice_has_nothing_to_do(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    assert_exit(tf_down(f), 0);
    tf_program *p = tf_down(f);
    assert_exit(p, 1);
    assert_int_equal(tf_runs(f), 2);
}

static void down__of_a_migration_never_repairs_again(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    tf_program *p = tf_down(f, "004");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.restores"), tf_program_text(up, "data.run"));
    p = tf_down(f, "004");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    assert_has(tf_program_text(p, "error.message"), "already rolled back");
    assert_int_equal(tf_tokens_original(f), 7);
}

static void down__before_up_has_no_backup(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_down(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.message"), "No backup data found - cannot rollback safely");
    assert_int_equal(tf_runs(f), 0);
}

static void down__of_an_empty_run_completes(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 0);
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_down(f);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 0);
}

static void down__leaves_conflicts_alone_and_lists_them(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_tokens_update(f, "{\"_id\": 2}", "{\"$set\": {\"note\": \"mine\"}}");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"status\": \"failed\"}}");
    tf_tokens_delete(f, "{\"_id\": 4}");
    tf_program *p = tf_down(f);
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 2);
    assert_int_equal(tf_program_number(p, "data.conflicts"), 3);
    assert_int_equal(tf_program_number(p, "data.deleted"), 1);
    assert_true(tf_program_has(p, "data.conflictIds.2._id"));
    assert_true(*tf_program_text(p, "data.conflictIds.0.reason"));
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 2, \"status\": \"spent\"}"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 3, \"status\": \"failed\"}"), 1);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 4}"), 0);
}

static void down__in_text_says_what_to_do_about_conflicts(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_tokens_update(f, "{\"_id\": 2}", "{\"$set\": {\"note\": \"mine\"}}");
    tf_program *p = tf_program_run(f, "down", "--confirm", "--yes", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "\nConflicts\n2 ");
    assert_has(p->err, "--on-conflict fields");
}

static void down__by_fields_keeps_what_others_wrote(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_tokens_update(f, "{\"_id\": 2}", "{\"$set\": {\"note\": \"mine\"}}");
    tf_program *p = tf_down(f, "--on-conflict", "fields");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 5);
    assert_int_equal(
        tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": 2, \"status\": \"unspent\", \"note\": \"mine\"}"), 1);
}

static void down__recreates_what_was_deleted_only_when_asked(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5); /* the least role may not insert into the repaired collection */
    assert_exit(tf_up(f), 0);
    tf_tokens_delete(f, "{\"_id\": 4}");
    tf_program *p = tf_down(f, "--recreate-deleted");
    assert_int_equal(tf_program_number(p, "data.recreated"), 1);
    assert_int_equal(tf_tokens_original(f), 7);
}

static void down__of_a_down_undoes_it(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_program *first = tf_down(f);
    assert_exit(first, 0);
    tf_program *p = tf_down(f, tf_program_text(first, "data.run"));
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.restores"), tf_program_text(first, "data.run"));
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
}

static void down__takes_an_interrupted_up_back(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f, "--canary", "10"), 7);
    tf_program *p = tf_down(f);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 10);
    assert_int_equal(tf_tokens_original(f), 27);
}

static void down__refuses_a_batch_whose_backup_is_damaged(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    char name[128];
    snprintf(name, sizeof name, "backup_%s", tf_program_text(up, "data.run"));
    mongoc_collection_t *backup = mongoc_client_get_collection(f->client, f->state_db, name);
    bson_t *query = BCON_NEW("_id", BCON_INT32(3));
    assert_true(mongoc_collection_delete_one(backup, query, NULL, NULL, NULL));
    bson_destroy(query);
    mongoc_collection_destroy(backup);
    tf_program *p = tf_down(f);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 0);
    assert_int_equal(tf_program_number(p, "data.conflicts"), 5);
    assert_has(tf_program_text(p, "data.conflictIds.0.reason"), "its backup holds 4 documents instead of 5");
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void down__with_nothing_to_resume_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_down(f, "--resume");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void down__refuses_two_runs(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "down", "a", "--resume=b", NULL);
    assert_exit(p, 2);
    assert_exit(tf_program_run(f, "down", "--on-conflict", "overwrite", NULL), 2);
}

static void down__of_an_unknown_run_is_not_found(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_down(f, "20000101t000000-004-000000");
    assert_exit(p, 2);
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_FOUND");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(down__without_confirm_shows_what_it_would_take_back),
        TF_FIXTURE_TEST(down__on_a_terminal_asks_for_the_databases_name),
        TF_FIXTURE_TEST(down__gives_everything_back),
        TF_FIXTURE_TEST(down__twice_has_nothing_to_do),
        TF_FIXTURE_TEST(down__of_a_migration_never_repairs_again),
        TF_FIXTURE_TEST(down__before_up_has_no_backup),
        TF_FIXTURE_TEST(down__of_an_empty_run_completes),
        TF_FIXTURE_TEST(down__leaves_conflicts_alone_and_lists_them),
        TF_FIXTURE_TEST(down__in_text_says_what_to_do_about_conflicts),
        TF_FIXTURE_TEST(down__by_fields_keeps_what_others_wrote),
        TF_FIXTURE_TEST(down__recreates_what_was_deleted_only_when_asked),
        TF_FIXTURE_TEST(down__of_a_down_undoes_it),
        TF_FIXTURE_TEST(down__takes_an_interrupted_up_back),
        TF_FIXTURE_TEST(down__refuses_a_batch_whose_backup_is_damaged),
        TF_FIXTURE_TEST(down__with_nothing_to_resume_says_so),
        TF_FIXTURE_TEST(down__refuses_two_runs),
        TF_FIXTURE_TEST(down__of_an_unknown_run_is_not_found),
    };
    return cmocka_run_group_tests_name("down", tests, NULL, NULL);
}
