/* What `sandbox seed --with-findings` plants, counted by queries written after docs/data.md: as many as it says, and none in
 * ordinary data. (tests/cli/test_audit_findings.c asks the audit itself.) */
#include "support/tokens.h"

#include "sandbox/seed.h"

#define SPENDABLE "{\"$match\": {\"status\": {\"$in\": [\"unspent\", \"pending\"]}}}"
#define SECRETS "{\"$unwind\": \"$proofs\"}, {\"$group\": {\"_id\": \"$proofs.secret\", \"n\": {\"$sum\": 1}, \"tokens\": {\"$addToSet\": \"$_id\"}}}"
#define COUNT "{\"$count\": \"n\"}"
#define NUMBER "{\"total_amount\": {\"$type\": \"number\", \"$ne\": {\"$numberDouble\": \"NaN\"}}}"
#define WHOLE "{\"$expr\": {\"$eq\": [\"$total_amount\", {\"$trunc\": \"$total_amount\"}]}}"

static const struct {
    const char *check, *pipeline;
} oracle[] = {
    {"melted_unspent", "{\"$match\": {\"transaction_type\": \"melted\", \"status\": \"unspent\"}}, " COUNT},
    {"duplicate_secret", SPENDABLE ", " SECRETS ", {\"$match\": {\"n\": {\"$gt\": 1}}}, " COUNT},
    {"secret_reuse",
     "{\"$unwind\": \"$proofs\"}, {\"$group\": {\"_id\": \"$proofs.secret\", \"n\": {\"$sum\": 1}, \"spent\": {\"$sum\": {\"$cond\": [{\"$eq\": [\"$status\","
     " \"spent\"]}, 1, 0]}}}}, {\"$match\": {\"n\": {\"$gt\": 1}, \"spent\": {\"$gt\": 0}}}, " COUNT},
    {"orphaned_token",
     "{\"$lookup\": {\"from\": \"cashu_wallets\", \"localField\": \"wallet_id\", \"foreignField\": \"_id\", \"as\": \"w\"}}, {\"$match\": {\"w\": {\"$size\": 0}}}, " COUNT},
    {"amount_mismatch", "{\"$match\": " NUMBER "}, {\"$match\": {\"$expr\": {\"$ne\": [\"$total_amount\", {\"$sum\": \"$proofs.amount\"}]}}}, " COUNT},
    {"invalid_amount",
     "{\"$match\": {\"$nor\": [{\"$and\": [" NUMBER ", " WHOLE ", {\"$or\": [{\"total_amount\": {\"$gt\": 0}}, {\"total_amount\": 0, \"status\": {\"$in\":"
     " [\"pending\", \"failed\"]}}]}]}]}}, " COUNT},
    {"missing_source", "{\"$match\": {\"metadata.source\": {\"$exists\": false}}}, " COUNT},
    {"status_inconsistent",
     "{\"$match\": {\"$or\": [{\"status\": \"spent\", \"spent_at\": null}, {\"status\": {\"$ne\": \"spent\"}, \"spent_at\": {\"$ne\": null}},"
     " {\"status\": {\"$nin\": [\"unspent\", \"spent\", \"pending\", \"failed\"]}},"
     " {\"transaction_type\": {\"$nin\": [\"received\", \"sent\", \"minted\", \"melted\", \"change\"]}}]}}, " COUNT},
    {"negative_balance",
     SPENDABLE ", {\"$group\": {\"_id\": \"$npub\", \"sum\": {\"$sum\": \"$total_amount\"}}}, {\"$match\": {\"sum\": {\"$lt\": 0}}}, " COUNT},
};

static int64_t counted(tf_fixture *f, const char *pipeline)
{
    char json[2048];
    bson_iter_t iter, at;
    snprintf(json, sizeof json, "{\"aggregate\": \"cashu_tokens\", \"cursor\": {}, \"pipeline\": [%s]}", pipeline);
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    return bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.n", &at) ? bson_iter_as_int64(&at) : 0;
}

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

static int64_t planted(const tf_seed_result *result, const char *check)
{
    for (size_t i = 0; i < TF_SEED_CHECKS; i++)
        if (strcmp(tf_seed_check_names[i], check) == 0)
            return result->findings[i];
    fail_msg("%s is not planted", check);
    return -1;
}

static void findings__are_there_in_the_numbers_told(void **state)
{
    tf_fixture *f = *state;
    for (uint64_t number = 1; number <= 3; number++) {
        const tf_seed_result result =
            seed(f, &(tf_seed_options){.tokens = 2000, .users = 90, .defects = 5, .seed = number, .findings = true, .indexes = 12});
        assert_int_equal(sizeof oracle / sizeof *oracle, TF_SEED_CHECKS);
        for (size_t i = 0; i < TF_SEED_CHECKS; i++) {
            int64_t there = counted(f, oracle[i].pipeline), told = planted(&result, oracle[i].check);
            if (there != told || told == 0)
                fail_msg("seed %d, %s: %lld are there, %lld were told", (int)number, oracle[i].check, (long long)there, (long long)told);
        }
        assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{}"), result.tokens);
        assert_int_equal(tf_fixture_count(f, NULL, "cashu_wallets", "{}"), result.wallets);
        assert_int_equal(result.defects, planted(&result, "melted_unspent"));
        empty(f);
    }
}

static void findings__are_not_in_ordinary_data(void **state)
{
    tf_fixture *f = *state;
    const tf_seed_result result = seed(f, &(tf_seed_options){.tokens = 20000, .users = 700, .defects = 0, .seed = 9, .indexes = 12});
    for (size_t i = 0; i < TF_SEED_CHECKS; i++) {
        if (counted(f, oracle[i].pipeline) != 0)
            fail_msg("%s", oracle[i].check);
        assert_int_equal(result.findings[i], 0);
    }
}

static void findings__without_any_ordinary_token_are_there_too(void **state)
{
    tf_fixture *f = *state;
    const tf_seed_result result = seed(f, &(tf_seed_options){.users = 0, .seed = 4, .findings = true, .indexes = 8});
    for (size_t i = 0; i < TF_SEED_CHECKS; i++)
        assert_int_equal(counted(f, oracle[i].pipeline), planted(&result, oracle[i].check));
}

/* Both together have each ordinary document twice. */
static void findings__leave_the_ordinary_documents_as_they_are(void **state)
{
    tf_fixture *f = *state;
    static const char *const names[] = {"cashu_tokens", "cashu_wallets"};
    int64_t ordinary[2], other;
    for (int i = 0; i < 2; i++) {
        const tf_seed_result result = seed(f, &(tf_seed_options){.tokens = 1500, .users = 60, .defects = 10, .seed = 3, .findings = i == 1});
        if (i == 0) {
            ordinary[0] = result.tokens;
            ordinary[1] = result.wallets;
        }
        for (int c = 0; c < 2 && i == 0; c++) {
            char json[512];
            snprintf(json, sizeof json, "{\"aggregate\": \"%s\", \"cursor\": {}, \"pipeline\": [{\"$out\": \"ordinary_%s\"}]}", names[c], names[c]);
            bson_destroy(tf_fixture_command(f, json));
        }
        if (i == 0)
            empty(f);
    }
    for (int c = 0; c < 2; c++) {
        char json[512];
        bson_iter_t iter, at;
        snprintf(json, sizeof json,
                 "{\"aggregate\": \"%s\", \"cursor\": {}, \"pipeline\": [{\"$unionWith\": \"ordinary_%s\"}, {\"$group\": {\"_id\": \"$$ROOT\", \"n\": {\"$sum\": 1}}},"
                 " {\"$match\": {\"n\": 2}}, {\"$count\": \"n\"}]}",
                 names[c], names[c]);
        _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
        other = bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.n", &at) ? bson_iter_as_int64(&at) : 0;
        assert_int_equal(other, ordinary[c]);
    }
}

static void findings__are_the_same_for_the_same_seed(void **state)
{
    tf_fixture *f = *state;
    char md5[3][64];
    for (int i = 0; i < 3; i++) {
        seed(f, &(tf_seed_options){.tokens = 300, .users = 20, .seed = i < 2 ? 5 : 6, .findings = true, .batch = i ? 700 : 30});
        _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, "{\"dbHash\": 1, \"collections\": [\"cashu_tokens\", \"cashu_wallets\"]}");
        bson_iter_t iter;
        assert_true(bson_iter_init_find(&iter, reply, "md5"));
        snprintf(md5[i], sizeof md5[i], "%s", bson_iter_utf8(&iter, NULL));
        empty(f);
    }
    assert_string_equal(md5[0], md5[1]);
    assert_string_not_equal(md5[0], md5[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(findings__are_there_in_the_numbers_told),
        TF_FIXTURE_TEST(findings__are_not_in_ordinary_data),
        TF_FIXTURE_TEST(findings__without_any_ordinary_token_are_there_too),
        TF_FIXTURE_TEST(findings__leave_the_ordinary_documents_as_they_are),
        TF_FIXTURE_TEST(findings__are_the_same_for_the_same_seed),
    };
    return cmocka_run_group_tests_name("seed_findings", tests, NULL, NULL);
}
