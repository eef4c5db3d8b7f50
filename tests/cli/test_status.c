/* tokenfix status: state, counts, health, recommendations; exit 0 whatever the state. */
#include "support/tokens.h"

static void status__of_defects_is_pending(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 6);
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_true(strlen(tf_program_text(p, "data.timestamp")) == 24);
    assert_string_equal(tf_program_text(p, "data.migration.name"), "004_fix_melted_token_status");
    assert_string_equal(tf_program_text(p, "data.migration.state"), "pending");
    assert_false(tf_program_flag(p, "data.migration.isCompleted"));
    assert_true(tf_program_flag(p, "data.migration.migrationNeeded"));
    assert_int_equal(tf_program_number(p, "data.migration.problematicTokens"), 6);
    assert_int_equal(tf_program_number(p, "data.migration.totalMeltedTokens"), 8);
    assert_int_equal(tf_program_number(p, "data.health.totalTokens"), 8);
    assert_has(p->out, "\"healthScore\": 0.25");
    assert_string_equal(tf_program_text(p, "data.recommendations.0.type"), "up");
    assert_true(*tf_program_text(p, "data.recommendations.0.priority"));
    assert_true(*tf_program_text(p, "data.recommendations.0.message"));
    assert_true(tf_program_flag(p, "data.runsVisible"));
    assert_int_equal(tf_runs(f), 0);
}

static void status__of_sound_data_needs_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 0);
    tf_program *p = tf_program_run(f, "--json", "status", "004", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migration.state"), "not_needed");
    assert_false(tf_program_flag(p, "data.migration.migrationNeeded"));
    assert_int_equal(tf_program_number(p, "data.migration.problematicTokens"), 0);
    assert_int_equal(tf_program_number(p, "data.health.healthScore"), 1);
}

static void status__of_no_documents_at_all_doubts_the_database(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.recommendations.0.type"), "database");
    assert_has(tf_program_text(p, "data.recommendations.0.message"), "--db");
}

static void status__follows_up_and_down(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migration.state"), "completed");
    assert_true(tf_program_flag(p, "data.migration.isCompleted"));
    assert_false(tf_program_flag(p, "data.migration.migrationNeeded"));
    assert_string_equal(tf_program_text(p, "data.runs.0.run"), tf_program_text(up, "data.run"));
    assert_string_equal(tf_program_text(p, "data.runs.0.direction"), "up");
    assert_int_equal(tf_program_number(p, "data.runs.0.tokens"), 3);
    assert_int_equal(tf_program_number(p, "data.runs.0.totalAmount"), 30);
    assert_int_equal(tf_program_number(p, "data.runs.0.batches"), 1);

    assert_exit(tf_down(f), 0);
    p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migration.state"), "rolled_back");
    assert_false(tf_program_flag(p, "data.migration.isCompleted"));
    assert_true(tf_program_flag(p, "data.migration.migrationNeeded"));
    assert_string_equal(tf_program_text(p, "data.runs.0.direction"), "down");
}

/* Runs are in the order in which they began, whatever the server's clock said then. */
static void status__goes_by_the_order_of_runs_where_the_clock_was_set_back(void **state)
{
    tf_fixture *f = *state;
    char json[512];
    tf_tokens_sample(f, 3);
    tf_program *first = tf_up(f);
    assert_exit(first, 0);
    assert_exit(tf_program_run(f, "down", "--confirm", "--yes", NULL), 0);
    snprintf(json, sizeof json, "[{\"q\": {\"_id\": \"%s\"}, \"u\": {\"$set\": {\"started_at\": {\"$date\": \"2124-01-02T03:04:05Z\"}}}}]",
             tf_program_text(first, "data.run"));
    _cleanup_(bson_destroyp) bson_t *updates = bson_new_from_json((const uint8_t *)json, -1, NULL);
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("update", "runs", "updates", BCON_ARRAY(updates));
    assert_true(mongoc_client_command_simple(f->client, f->state_db, command, NULL, NULL, NULL));
    tf_program *second = tf_up(f);
    assert_exit(second, 0);
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_true(tf_program_flag(p, "data.migration.isCompleted"));
    assert_string_equal(tf_program_text(p, "data.runs.0.run"), tf_program_text(second, "data.run"));
    p = tf_program_run(f, "verify", "--json", NULL);
    assert_string_equal(tf_program_text(p, "data.run"), tf_program_text(second, "data.run"));
    p = tf_program_run(f, "up", "--confirm", "--yes", NULL);
    assert_exit(p, 1);
    assert_has(p->err, "Migration has already been completed");
}

static void status__recommends_again_for_new_defects(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    assert_exit(tf_up(f), 0);
    tf_tokens_insert(f, 50, 2, "npub1carl", "unspent");
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.migration.isCompleted"));
    assert_true(tf_program_flag(p, "data.migration.migrationNeeded"));
    assert_has(p->out, "\"type\": \"again\"");
}

static void status__is_printed_within_80_columns(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    assert_exit(tf_up(f), 0);
    assert_exit(tf_down(f), 0);
    tf_program *p = tf_program_run(f, "status", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "Migration 004_fix_melted_token_status: rolled_back\n");
    assert_has(p->out, "5 tokens in the collection");
    assert_has(p->out, "3 of 5 that can have the defect");
    assert_has(p->out, "health     40.00 %");
    size_t width = 0;
    for (const char *at = p->out; *at; at++) {
        width = *at == '\n' ? 0 : width + 1;
        if (width > 80)
            fail_msg("a line is longer than 80 columns: %s", p->out);
    }
}

static void status__without_the_right_to_see_runs_warns(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    const char *reader = tf_fixture_login(f, "reader", NULL, NULL);
    tf_program *p = tf_program_exec(
        f, &(tf_program_options){.argv = (const char *[]){"status", "--json", "--state-db", "elsewhere", NULL},
                                 .uri = reader});
    assert_exit(p, 0);
    assert_false(tf_program_flag(p, "data.runsVisible"));
    assert_int_equal(tf_program_number(p, "data.migration.problematicTokens"), 3);
    assert_has(p->err, "not visible with these privileges");
}

static void status__of_an_unknown_migration_names_the_nearest(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "status", "005_fix_melted_token_status", "--json", NULL);
    assert_exit(p, 2);
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_FOUND");
    assert_has(tf_program_text(p, "error.hint"), "004_fix_melted_token_status");
}

static void status__of_an_unreachable_server_is_not_ready(void **state)
{
    (void)state;
    tf_program *p = tf_program_exec(
        NULL, &(tf_program_options){.argv = (const char *[]){"status", "--json", "--timeout", "0.3", NULL},
                                    .uri = "mongodb://127.0.0.1:1/wallet"});
    assert_exit(p, 8);
    assert_has(tf_program_text(p, "error.message"), "Database connection not ready");
    tf_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(status__of_defects_is_pending),
        TF_FIXTURE_TEST(status__of_sound_data_needs_nothing),
        TF_FIXTURE_TEST(status__of_no_documents_at_all_doubts_the_database),
        TF_FIXTURE_TEST(status__follows_up_and_down),
        TF_FIXTURE_TEST(status__goes_by_the_order_of_runs_where_the_clock_was_set_back),
        TF_FIXTURE_TEST(status__recommends_again_for_new_defects),
        TF_FIXTURE_TEST(status__is_printed_within_80_columns),
        TF_FIXTURE_TEST(status__without_the_right_to_see_runs_warns),
        TF_FIXTURE_TEST(status__of_an_unknown_migration_names_the_nearest),
        cmocka_unit_test(status__of_an_unreachable_server_is_not_ready),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
