/* tokenfix audit --check balance: user by user, in the form that others rely on. */
#include "support/audits.h"

static void audit_users__has_the_form_that_others_rely_on(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6); /* npub1a and npub1b by turns */
    tf_audits_update(f, "{\"_id\": {\"$in\": [1, 3]}}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_audits_update(f, "{\"_id\": 5}", "[{\"$set\": {\"status\": \"spent\", \"spent_at\": \"$createdAt\"}}]");
    tf_audits_update(f, "{\"_id\": 2}", "[{\"$set\": {\"status\": \"pending\"}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.totalUsers"), 2);
    assert_int_equal(tf_program_number(p, "data.checkedUsers"), 2);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1a");
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.problematicMeltedTokens"), 2);
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.duplicateSecrets"), 0);
    assert_false(tf_program_flag(p, "data.issues.0.issues.hasNegativeBalance"));
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.total_balance"), 16);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.unspent_balance"), 16);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.pending_balance"), 0);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.spent_balance"), 8);
    assert_false(tf_program_has(p, "data.issues.1"));
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 1);
    assert_int_equal(tf_program_number(p, "data.summary.totalProblematicTokens"), 2);
    assert_int_equal(tf_program_number(p, "data.summary.totalAffectedAmount"), 16);
    assert_false(tf_program_flag(p, "data.isHealthy"));
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 4); /* the group, and the secrets */
    assert_string_equal(tf_program_text(p, "data.findings.0.type"), "melted_unspent");
}

static void audit_users__of_sound_data_has_nobody(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6);
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", "--fail-on", "low", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.isHealthy"));
    assert_int_equal(tf_program_number(p, "data.totalUsers"), 2);
    assert_false(tf_program_has(p, "data.issues.0"));
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 0);
    assert_int_equal(tf_program_number(p, "data.summary.totalAffectedAmount"), 0);
}

static void audit_users__counts_a_shared_secret_with_each_of_its_users(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6);
    tf_audits_update(f, "{\"_id\": {\"$in\": [2, 4]}}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t1\"}]}}]"); /* npub1b */
    tf_audits_update(f, "{\"_id\": 3}", "[{\"$set\": {\"proofs\": [{\"amount\": 4, \"secret\": \"own\"}, {\"amount\": 4, \"secret\": \"own\"}]}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 3); /* though it is none of the group's checks: it is in the report, and high */
    assert_false(tf_program_flag(p, "data.isHealthy"));
    assert_string_equal(tf_program_text(p, "data.findings.0.type"), "duplicate_secret");
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1a");
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.duplicateSecrets"), 2);
    assert_string_equal(tf_program_text(p, "data.issues.1.npub"), "npub1b");
    assert_int_equal(tf_program_number(p, "data.issues.1.issues.duplicateSecrets"), 1);
    assert_int_equal(tf_program_number(p, "data.issues.1.issues.problematicMeltedTokens"), 0);
    assert_has_not(p->out, "s3cr3t");
    p = tf_program_run(f, "audit", "--check", "balance", "--json", "--user", "npub1b", NULL);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1b");
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.duplicateSecrets"), 1);
    assert_false(tf_program_has(p, "data.issues.1"));
}

static void audit_users__tells_whose_balance_is_negative(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 4);
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$set\": {\"total_amount\": -9}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1a");
    assert_true(tf_program_flag(p, "data.issues.0.issues.hasNegativeBalance"));
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.total_balance"), -1);
    assert_false(tf_program_has(p, "data.issues.1"));
    /* 8 sat more, and he has nothing less than nothing */
    tf_audits_update(f, "{\"_id\": 3}", "[{\"$set\": {\"total_amount\": 16}}]");
    p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 0);
}

static void audit_users__are_paged_with_the_largest_first(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 7);
    tf_audits_update(f, "{}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", "--limit", "1", NULL);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1a"); /* 4 of 7 */
    assert_false(tf_program_has(p, "data.issues.1"));
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 2);
    p = tf_program_run(f, "audit", "--check", "balance", "--json", "--limit", "1", "--offset", "1", NULL);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1b");
    p = tf_program_run(f, "audit", "--check", "balance", "--json", "--limit", "0", NULL);
    assert_false(tf_program_has(p, "data.issues.0"));
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 2);
    assert_true(tf_program_has(p, "data.findings.0"));
}

static void audit_users__of_odd_owners_are_shown_without_balances(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 4);
    tf_audits_update(f, "{}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$unset\": \"npub\"}]");
    tf_audits_update(f, "{\"_id\": 2}", "[{\"$set\": {\"npub\": {\"$numberInt\": \"7\"}}}]");
    tf_audits_update(f, "{\"_id\": 3}", "[{\"$set\": {\"npub\": [\"npub1a\"]}}]");
    tf_audits_update(f, "{\"_id\": 4}", "[{\"$set\": {\"npub\": {\"$regularExpression\": {\"pattern\": \"a\", \"options\": \"\"}}}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 4);
    assert_false(tf_program_has(p, "data.issues.0.details.balanceBreakdown.total_balance"));
}

static void audit_users__is_a_table_for_people(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6);
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "1 of 1 npubs with issues");
    assert_has(p->out, "npub1a");
    p = tf_program_run(f, "audit", "--check", "balance", "--format", "csv", NULL);
    assert_has(p->out, "\"melted_unspent\",\"balance\",\"finding\",\"medium\",1,8,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(audit_users__has_the_form_that_others_rely_on),
        TF_FIXTURE_TEST(audit_users__of_sound_data_has_nobody),
        TF_FIXTURE_TEST(audit_users__counts_a_shared_secret_with_each_of_its_users),
        TF_FIXTURE_TEST(audit_users__tells_whose_balance_is_negative),
        TF_FIXTURE_TEST(audit_users__are_paged_with_the_largest_first),
        TF_FIXTURE_TEST(audit_users__of_odd_owners_are_shown_without_balances),
        TF_FIXTURE_TEST(audit_users__is_a_table_for_people),
    };
    return cmocka_run_group_tests_name("audit_users", tests, NULL, NULL);
}
