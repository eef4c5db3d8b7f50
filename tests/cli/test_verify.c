/* tokenfix verify: the proof, and the exit status that goes with it. */
#include "support/tokens.h"

static void verify__of_a_clean_run_is_ok(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *up = tf_up(f, "--batch-size", "10");
    assert_exit(up, 0);
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.run"), tf_program_text(up, "data.run"));
    assert_true(tf_program_flag(p, "data.ok"));
    assert_int_equal(tf_program_number(p, "data.equal"), 25);
    assert_int_equal(tf_program_number(p, "data.changedLater"), 0);
    assert_int_equal(tf_program_number(p, "data.missing"), 0);
    assert_int_equal(tf_program_number(p, "data.remaining"), 0);
    assert_int_equal(tf_program_number(p, "data.newDefects"), 0);
    assert_int_equal(tf_program_number(p, "data.batches"), tf_program_number(up, "data.batches"));
    assert_int_equal(tf_program_number(p, "data.totalAmount"), 250);
    assert_true(tf_program_number(p, "data.ledger.users") > 0);
    assert_int_equal(tf_program_number(p, "data.ledger.unexplained"), 0);
    assert_true(tf_program_has(p, "data.ledger.explained"));
    p = tf_program_run(f, "verify", "004", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "(up, completed): proven\n");
    p = tf_program_run(f, "verify", tf_program_text(up, "data.run"), "--json", NULL);
    assert_exit(p, 0);
}

static void verify__lists_what_changed_later(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f), 0);
    tf_tokens_update(f, "{\"_id\": 7}", "{\"$set\": {\"note\": \"x\"}}");
    tf_tokens_delete(f, "{\"_id\": 8}");
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.equal"), 23);
    assert_int_equal(tf_program_number(p, "data.changedLater"), 1);
    assert_int_equal(tf_program_number(p, "data.missing"), 1);
    assert_int_equal(tf_program_number(p, "data.changedIds.0"), 7);
    assert_int_equal(tf_program_number(p, "data.missingIds.0"), 8);
    p = tf_program_run(f, "verify", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "\nChanged later\n7");
    assert_has(p->out, "\nMissing\n8");
}

static void verify__tells_new_defects_from_remaining_ones(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f), 0);
    tf_tokens_insert(f, 500, 1, "npub1carl", "unspent"); /* its times precede the run: should have been repaired */
    tf_fixture_insert(f, "cashu_tokens",
                      "{\"_id\": 600, \"npub\": \"npub1carl\", \"mint_url\": \"https://mint\", \"total_amount\": 1,"
                      " \"transaction_type\": \"melted\", \"status\": \"unspent\","
                      " \"createdAt\": {\"$date\": \"2099-01-01T00:00:00Z\"}}");
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.remaining"), 1);
    assert_int_equal(tf_program_number(p, "data.newDefects"), 1);
    assert_int_equal(tf_program_number(p, "data.remainingIds.0"), 500);
    assert_false(tf_program_flag(p, "data.ok"));
}

static void verify__of_a_rolled_back_run_proves_its_restoration(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    tf_program *down = tf_down(f);
    assert_exit(down, 0);
    tf_program *p = tf_program_run(f, "verify", tf_program_text(up, "data.run"), "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.rolledBack"));
    assert_string_equal(tf_program_text(p, "data.asked"), tf_program_text(up, "data.run"));
    assert_string_equal(tf_program_text(p, "data.run"), tf_program_text(down, "data.run"));
    assert_string_equal(tf_program_text(p, "data.direction"), "down");
    assert_int_equal(tf_program_number(p, "data.equal"), 25);
    p = tf_program_run(f, "verify", tf_program_text(up, "data.run"), NULL);
    assert_has(p->out, "was rolled back");
}

static void verify__finds_an_altered_backup(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    char name[128];
    snprintf(name, sizeof name, "backup_%s", tf_program_text(up, "data.run"));
    mongoc_collection_t *backup = mongoc_client_get_collection(f->client, f->state_db, name);
    bson_t *query = BCON_NEW("_id", BCON_INT32(3)),
           *change = BCON_NEW("$set", "{", "total_amount", BCON_INT32(11), "}");
    assert_true(mongoc_collection_update_one(backup, query, change, NULL, NULL, NULL));
    bson_destroy(query);
    bson_destroy(change);
    mongoc_collection_destroy(backup);
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 3);
    assert_false(tf_program_flag(p, "data.ok"));
    assert_true(*tf_program_text(p, "data.findings.0.check"));
    assert_true(*tf_program_text(p, "data.findings.0.message"));
    p = tf_program_run(f, "verify", NULL);
    assert_exit(p, 3);
    assert_has(p->out, ": FINDINGS\n");
}

static void verify__of_nothing_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
}

static void verify__of_an_unknown_run_names_the_nearest(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    char name[64];
    snprintf(name, sizeof name, "%s", tf_program_text(up, "data.run"));
    name[strlen(name) - 1] = name[strlen(name) - 1] == '0' ? '1' : '0';
    tf_program *p = tf_program_run(f, "verify", name, "--json", NULL);
    assert_exit(p, 2);
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_FOUND");
    assert_has(tf_program_text(p, "error.hint"), tf_program_text(up, "data.run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(verify__of_a_clean_run_is_ok),
        TF_FIXTURE_TEST(verify__lists_what_changed_later),
        TF_FIXTURE_TEST(verify__tells_new_defects_from_remaining_ones),
        TF_FIXTURE_TEST(verify__of_a_rolled_back_run_proves_its_restoration),
        TF_FIXTURE_TEST(verify__finds_an_altered_backup),
        TF_FIXTURE_TEST(verify__of_nothing_says_so),
        TF_FIXTURE_TEST(verify__of_an_unknown_run_names_the_nearest),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
