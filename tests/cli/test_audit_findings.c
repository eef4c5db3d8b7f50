/* tokenfix audit finds what was planted, in exactly those numbers, and nothing in clean data. */
#include "support/tokens.h"

#include "sandbox/seed.h"

static tf_seed_result seed(tf_fixture *f, const tf_seed_options *options)
{
    tf_seed_result result = {0};
    tf_error err = {0};
    if (!tf_seed_run(f->client, f->db, options, &result, &err))
        fail_msg("%s (%s)", err.message, err.detail);
    return result;
}

static void empty(tf_fixture *f)
{
    bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_tokens\"}"));
    bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_wallets\"}"));
}

/* What the audit counts for a check; 0 where it has no issue of it. */
static int64_t found(const tf_program *p, const char *check)
{
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.issues.%d.type", i);
        if (!tf_program_has(p, path))
            return 0;
        if (strcmp(tf_program_text(p, path), check) != 0)
            continue;
        snprintf(path, sizeof path, "data.issues.%d.count", i);
        return tf_program_number(p, path);
    }
}

static void assert_found(const tf_program *p, const tf_seed_result *planted)
{
    size_t issues = 0;
    for (size_t i = 0; i < TF_SEED_CHECKS; i++) {
        if (found(p, tf_seed_check_names[i]) != planted->findings[i])
            fail_msg("%s: %lld found, %lld planted", tf_seed_check_names[i], (long long)found(p, tf_seed_check_names[i]), (long long)planted->findings[i]);
        issues += planted->findings[i] > 0;
    }
    assert_int_equal(tf_program_number(p, "data.totalIssues"), issues);
}

static void audit__finds_what_was_planted_in_exactly_those_numbers(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    for (uint64_t number = 1; number <= 3; number++) {
        const tf_seed_result planted =
            seed(f, &(tf_seed_options){.tokens = 3000, .users = 120, .defects = 2, .seed = number, .findings = true, .indexes = number == 1 ? 12 : 8});
        tf_program *p = tf_program_run(f, "audit", "--json", NULL);
        assert_exit(p, 3);
        assert_found(p, &planted);
        for (size_t i = 0; i < TF_SEED_CHECKS; i++) { /* and one by one, past the shared passes */
            p = tf_program_run(f, "audit", "--json", "--fail-on", "low", "--check", tf_seed_check_names[i], NULL);
            assert_exit(p, 3);
            assert_int_equal(found(p, tf_seed_check_names[i]), planted.findings[i]);
            assert_int_equal(tf_program_number(p, "data.totalIssues"), 1);
        }
        empty(f);
    }
}

static void audit__finds_nothing_in_clean_data(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    for (uint64_t number = 1; number <= 2; number++) {
        seed(f, &(tf_seed_options){.tokens = 10000, .users = 400, .defects = 0, .seed = number, .indexes = 12});
        tf_program *p = tf_program_run(f, "audit", "--json", "--fail-on", "low", NULL);
        assert_exit(p, 0);
        assert_true(tf_program_flag(p, "data.isHealthy"));
        assert_int_equal(tf_program_number(p, "data.totalIssues"), 0);
        empty(f);
    }
}

/* The ordinary defects are the only finding beside clean data. */
static void audit__of_ordinary_data_finds_the_defects_alone(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    const tf_seed_result planted = seed(f, &(tf_seed_options){.tokens = 4000, .users = 100, .defects = 7, .seed = 5, .indexes = 12});
    tf_program *p = tf_program_run(f, "audit", "--json", NULL);
    assert_exit(p, 3);
    assert_found(p, &planted);
    assert_int_equal(found(p, "melted_unspent"), 280);
}

/* What cannot be seeded: a change that left no trace, after a run. */
static void audit__finds_a_change_after_a_run(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    seed(f, &(tf_seed_options){.tokens = 2000, .users = 100, .defects = 5, .seed = 2, .findings = true, .indexes = 12});
    assert_exit(tf_up(f), 0);
    tf_program *p = tf_program_run(f, "audit", "--json", NULL);
    assert_int_equal(found(p, "balance_discrepancy"), 0);
    assert_int_equal(found(p, "melted_unspent"), 0);
    tf_tokens_update(f, "{\"status\": \"unspent\", \"total_amount\": {\"$gt\": 0}}", "{\"$inc\": {\"total_amount\": 5000}}");
    p = tf_program_run(f, "audit", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(found(p, "balance_discrepancy"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(audit__finds_what_was_planted_in_exactly_those_numbers),
        TF_FIXTURE_TEST(audit__finds_nothing_in_clean_data),
        TF_FIXTURE_TEST(audit__of_ordinary_data_finds_the_defects_alone),
        TF_FIXTURE_TEST(audit__finds_a_change_after_a_run),
    };
    return cmocka_run_group_tests_name("audit_findings", tests, NULL, NULL);
}
