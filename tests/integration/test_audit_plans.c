/* How the server goes about an audit's checks where an index matters; and what it is asked not to read. */
#include "support/audits.h"

static const char indexes[] =
    "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"npub\": 1, \"status\": 1}, \"name\": \"a\"},"
    " {\"key\": {\"npub\": 1, \"transaction_type\": 1}, \"name\": \"b\"}, {\"key\": {\"wallet_id\": 1, \"status\": 1}, \"name\": \"c\"},"
    " {\"key\": {\"mint_url\": 1, \"status\": 1}, \"name\": \"d\"}, {\"key\": {\"proofs.secret\": 1}, \"name\": \"e\"}]}";

/* Runs an audit, and finds among what the server's profiler has of it an aggregation with this plan that looked at so many documents
 * at most; -1 where there is none. */
static int64_t profiled(tf_fixture *f, const char *plan, const char *const *argv, int status)
{
    char json[512];
    bson_iter_t iter, at;
    bson_destroy(tf_fixture_command(f, "{\"profile\": 0}"));
    _cleanup_(bson_destroyp) bson_t *drop = BCON_NEW("drop", "system.profile");
    mongoc_client_command_simple(f->client, f->db, drop, NULL, NULL, NULL);
    bson_destroy(tf_fixture_command(f, "{\"profile\": 2}"));
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv});
    bson_destroy(tf_fixture_command(f, "{\"profile\": 0}"));
    assert_exit(p, status);
    snprintf(json, sizeof json,
             "{\"find\": \"system.profile\", \"filter\": {\"command.aggregate\": \"cashu_tokens\", \"planSummary\": {\"$regularExpression\":"
             " {\"pattern\": \"%s\", \"options\": \"\"}}}, \"sort\": {\"docsExamined\": -1}, \"limit\": 1}",
             plan);
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    return bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.docsExamined", &at)
               ? bson_iter_as_int64(&at)
               : -1;
}
#define PROFILED(f, plan, status, ...) profiled(f, plan, (const char *const[]){"audit", "--no-keep", "--json", __VA_ARGS__, NULL}, status)

static void plan__of_orphans_jumps_from_wallet_to_wallet(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 300); /* of two wallets: these are read, and a key of each */
    bson_destroy(tf_fixture_command(f, indexes));
    assert_in_range(PROFILED(f, "DISTINCT_SCAN \\\\{ wallet_id: 1", 0, "--check", "orphaned_token"), 0, 10);
    assert_int_equal(PROFILED(f, "COLLSCAN", 0, "--check", "orphaned_token"), -1);
    /* and looks at the tokens of lost wallets only */
    tf_audits_update(f, "{\"_id\": {\"$lte\": 3}}", "[{\"$set\": {\"wallet_id\": 99}}]");
    assert_in_range(PROFILED(f, "IXSCAN \\\\{ wallet_id: 1", 3, "--check", "orphaned_token"), 3, 10);
    assert_int_equal(PROFILED(f, "COLLSCAN", 3, "--check", "orphaned_token"), -1);
}

static void plan__of_one_user_looks_at_his_tokens_only(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 300);
    tf_audits_update(f, "{\"_id\": {\"$lte\": 5}}", "[{\"$set\": {\"npub\": \"npub1c\"}}]");
    bson_destroy(tf_fixture_command(f, indexes));
    assert_in_range(PROFILED(f, "IXSCAN \\\\{ npub: 1", 0, "--user", "npub1c", "--check", "amount_mismatch"), 1, 5);
    assert_int_equal(PROFILED(f, "COLLSCAN", 0, "--user", "npub1c", "--check",
                              "melted_unspent,amount_mismatch,invalid_amount,missing_source,status_inconsistent,negative_balance,orphaned_token"),
                     -1);
}

static void plan__of_negative_balances_looks_at_candidates_only(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 300);
    tf_audits_update(f, "{\"_id\": {\"$lte\": 4}}", "[{\"$set\": {\"npub\": \"npub1c\", \"total_amount\": -1}}]");
    bson_destroy(tf_fixture_command(f, indexes));
    assert_int_equal(PROFILED(f, "IXSCAN \\\\{ npub: 1", 3, "--check", "negative_balance"), 4);
}

static void plan__of_users_counts_them_by_an_index(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 300);
    bson_destroy(tf_fixture_command(f, indexes));
    assert_int_equal(PROFILED(f, "DISTINCT_SCAN \\\\{ npub: 1", 0, "--check", "balance"), 0);
}

/* The pass is one for all checks of its kind, whatever their number. */
static void plan__reads_the_collection_as_often_as_there_are_passes(void **state)
{
    tf_fixture *f = *state;
    char json[512];
    bson_iter_t iter;
    tf_audits_sound(f, 300);
    bson_destroy(tf_fixture_command(f, indexes));
    PROFILED(f, "COLLSCAN", 0, "--check",
             "melted_unspent,amount_mismatch,invalid_amount,missing_source,status_inconsistent,negative_balance,orphaned_token");
    snprintf(json, sizeof json, "{\"count\": \"system.profile\", \"query\": {\"command.aggregate\": \"cashu_tokens\", \"planSummary\": \"COLLSCAN\"}}");
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    assert_true(bson_iter_init_find(&iter, reply, "n"));
    assert_int_equal(bson_iter_as_int64(&iter), 2);
}

/* What the server logs of an audit's commands gives no secret away, nor does it ever read a wallet's private key. */
static void plan__asks_for_no_secret(void **state)
{
    tf_fixture *f = *state;
    static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char update[256], json[512];
    bson_iter_t iter, at;
    tf_audits_sound(f, 10);
    snprintf(update, sizeof update, "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"%s\"}]}}]", secret);
    tf_audits_update(f, "{\"_id\": {\"$lte\": 3}}", update);
    bson_destroy(tf_fixture_command(f, indexes));
    assert_int_equal(PROFILED(f, "nothing", 3, "--check", "integrity"), -1);
    snprintf(json, sizeof json, "{\"find\": \"system.profile\", \"limit\": 1000, \"batchSize\": 1000}");
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    _cleanup_(tf_bson_freep) char *text = bson_as_relaxed_extended_json(reply, NULL);
    assert_has_not(text, secret);
    assert_has_not(text, "privkey");
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.5", &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(plan__of_orphans_jumps_from_wallet_to_wallet),
        TF_FIXTURE_TEST(plan__of_one_user_looks_at_his_tokens_only),
        TF_FIXTURE_TEST(plan__of_negative_balances_looks_at_candidates_only),
        TF_FIXTURE_TEST(plan__of_users_counts_them_by_an_index),
        TF_FIXTURE_TEST(plan__reads_the_collection_as_often_as_there_are_passes),
        TF_FIXTURE_TEST(plan__asks_for_no_secret),
    };
    return cmocka_run_group_tests_name("audit_plans", tests, NULL, NULL);
}
