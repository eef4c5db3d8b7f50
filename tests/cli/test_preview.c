/* tokenfix preview: what would change, and that nothing does. */
#include "support/tokens.h"

static void preview__counts_tokens_amounts_and_users(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_tokens_insert(f, 50, 2, "npub1carl", "unspent");
    tf_program *p = tf_program_run(f, "preview", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migration_name"), "004_fix_melted_token_status");
    assert_int_equal(tf_program_number(p, "data.stats.tokensToMigrate"), 7);
    assert_int_equal(tf_program_number(p, "data.stats.totalAmountAffected"), 70);
    assert_int_equal(tf_program_number(p, "data.stats.affectedUsers"), 2);
    assert_true(tf_program_number(p, "data.stats.estimatedExecutionMs") >= 0);
    assert_true(*tf_program_text(p, "data.stats.estimatedExecutionTime"));
    assert_string_equal(tf_program_text(p, "data.stats.estimateFrom"), "sample");
    assert_string_equal(tf_program_text(p, "data.risk.level"), "low");
    assert_true(tf_program_has(p, "data.risk.reasons"));
    assert_int_equal(tf_program_number(p, "data.userImpact.npub1anna.tokenCount"), 5);
    assert_int_equal(tf_program_number(p, "data.userImpact.npub1anna.totalAmount"), 50);
    assert_int_equal(tf_program_number(p, "data.userImpact.npub1carl.tokenCount"), 2);
    assert_int_equal(tf_program_number(p, "data.limit"), 10);
    assert_int_equal(tf_program_number(p, "data.offset"), 0);
}

static void preview__pages_through_the_users_largest_first(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_insert(f, 1, 1, "npub1a", "unspent");
    tf_tokens_insert(f, 11, 3, "npub1b", "unspent");
    tf_tokens_insert(f, 21, 2, "npub1c", "unspent");
    tf_program *p = tf_program_run(f, "preview", "--json", "--limit", "1", NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.userImpact.npub1b.tokenCount"), 3);
    assert_false(tf_program_has(p, "data.userImpact.npub1c"));
    p = tf_program_run(f, "preview", "--json", "--limit", "1", "--offset", "1", NULL);
    assert_int_equal(tf_program_number(p, "data.userImpact.npub1c.tokenCount"), 2);
    assert_false(tf_program_has(p, "data.userImpact.npub1b"));
    assert_int_equal(tf_program_number(p, "data.offset"), 1);
    p = tf_program_run(f, "preview", "--json", "--offset", "3", NULL);
    assert_exit(p, 0);
    assert_false(tf_program_has(p, "data.userImpact.npub1a"));
    assert_int_equal(tf_program_number(p, "data.stats.affectedUsers"), 3);
}

static void preview__samples_show_no_secret(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *p = tf_program_run(f, "preview", "--json", "--sample", "2", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_has(p, "data.samples.0._id"));
    assert_true(tf_program_has(p, "data.samples.1._id"));
    assert_false(tf_program_has(p, "data.samples.2"));
    assert_string_equal(tf_program_text(p, "data.samples.0.npub"), "npub1anna");
    assert_string_equal(tf_program_text(p, "data.samples.0.proofs.0.secret"), "***");
    assert_has_not(p->out, "s3cr3t");
    p = tf_program_run(f, "preview", "--sample", "2", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "Sample 2 of 2, secrets masked");
    assert_has_not(p->out, "s3cr3t");
}

static char *database_hash(tf_fixture *f)
{
    bson_iter_t at;
    bson_t *reply = tf_fixture_command(f, "{\"dbHash\": 1}");
    assert_true(bson_iter_init_find(&at, reply, "md5"));
    char *hash = strdup(bson_iter_utf8(&at, NULL));
    bson_destroy(reply);
    return hash;
}

static void preview__writes_nothing_with_the_right_to_read_only(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    const char *reader = tf_fixture_login(f, "reader", NULL, NULL);
    char *before = database_hash(f);
    tf_program *p = tf_program_exec(
        f, &(tf_program_options){.argv = (const char *[]){"preview", "--json", "--sample", "1", NULL}, .uri = reader});
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.stats.tokensToMigrate"), 5);
    char *after = database_hash(f);
    assert_string_equal(before, after);
    assert_int_equal(tf_runs(f), 0);
    free(before);
    free(after);
}

static void preview__of_nothing_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 0);
    tf_program *p = tf_program_run(f, "preview", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "to repair  0 tokens of");
    assert_has(p->out, "\nNothing to repair.\n");
}

static void preview__lists_amounts_that_cannot_be_counted(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 2);
    tf_fixture_insert(f, "cashu_tokens",
                      "[{\"_id\": \"odd\", \"npub\": \"npub1anna\", \"transaction_type\": \"melted\","
                      " \"status\": \"unspent\", \"total_amount\": \"ten\"}]");
    tf_program *p = tf_program_run(f, "preview", "--json", NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.stats.tokensToMigrate"), 3);
    assert_int_equal(tf_program_number(p, "data.stats.totalAmountAffected"), 20);
    assert_int_equal(tf_program_number(p, "data.stats.oddAmounts"), 1);
    assert_string_equal(tf_program_text(p, "data.stats.oddIds.0"), "odd");
}

static void preview__is_printed_for_people(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 1234);
    tf_program *p = tf_program_run(f, "preview", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "Preview of 004_fix_melted_token_status\nMarks melted tokens as spent.\n");
    assert_has(p->out, "to repair  1,234 tokens of");
    assert_has(p->out, "amount     12,340 sat\n");
    assert_has(p->out, "risk       medium");
    assert_has(p->out, "estimated from a measured sample\n");
    assert_has(p->out, "Largest amounts by user, 1 to 1 of 1\n");
    assert_has(p->out, "\nNothing was changed. To repair:\n  tokenfix up 004_fix_melted_token_status --confirm\n");
}

static void preview__of_no_documents_at_all_doubts_the_database(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "preview", NULL);
    assert_exit(p, 0);
    assert_has(p->err, "holds no document at all");
    tf_tokens_sample(f, 0);
    p = tf_program_run(f, "preview", NULL);
    assert_exit(p, 0);
    assert_null(strstr(p->err, "holds no document at all"));
}

static void preview__refuses_what_is_out_of_range(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "preview", "--limit", "-1", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "hint: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(preview__counts_tokens_amounts_and_users),
        TF_FIXTURE_TEST(preview__pages_through_the_users_largest_first),
        TF_FIXTURE_TEST(preview__samples_show_no_secret),
        TF_FIXTURE_TEST(preview__writes_nothing_with_the_right_to_read_only),
        TF_FIXTURE_TEST(preview__of_nothing_says_so),
        TF_FIXTURE_TEST(preview__lists_amounts_that_cannot_be_counted),
        TF_FIXTURE_TEST(preview__is_printed_for_people),
        TF_FIXTURE_TEST(preview__of_no_documents_at_all_doubts_the_database),
        TF_FIXTURE_TEST(preview__refuses_what_is_out_of_range),
    };
    return cmocka_run_group_tests_name("preview", tests, NULL, NULL);
}
