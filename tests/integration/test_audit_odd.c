/* What a real database may hold: no value of any type in any field makes an audit, or the server, fail. */
#include "support/audits.h"
#include "support/documents.h"
#include "support/oddities.h"

enum { DOCUMENTS = 300, WALLETS = 40, FIELDS = 12 };

static const char *const fields[FIELDS] = {"npub",   "wallet_id",        "proofs",   "mint_url", "total_amount", "status",
                                           "spent_at", "transaction_type", "metadata", "createdAt", "updatedAt",    "transaction_id"};

static const char *const ways[][4] = {{"--json", NULL},
                                      {"--json", "--check", "balance", NULL},
                                      {"--json", "--user", "npub1a", NULL},
                                      {"--json", "--mint", "https://mint", NULL},
                                      {"--format=junit", NULL},
                                      {"--format=csv", NULL},
                                      {NULL}};

static void audits_all_ways(tf_fixture *f, const char *what)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *argv[8] = {"audit", "--no-keep"};
        memcpy(argv + 2, ways[i], sizeof ways[i]);
        tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv});
        if (p->status != 0 && p->status != 3)
            fail_msg("%s, %s %s: exit %d: %s%s", what, ways[i][0] ? ways[i][0] : "table", ways[i][0] && ways[i][1] ? ways[i][1] : "",
                     p->status, p->out, p->err);
    }
    tf_fixture_forget(f);
}

/* A token of which most fields are as they should be. */
static void append_random(tf_random *r, int n, bson_t *doc)
{
    BSON_APPEND_INT32(doc, "_id", n);
    for (size_t i = 0; i < FIELDS; i++) {
        int dice = TF_BELOW(r, 10);
        if (dice < 4)
            tf_odd_value(r, doc, fields[i], (int)strlen(fields[i]), 0);
        else if (dice < 5)
            continue;
        else if (i == 2)
            BCON_APPEND(doc, "proofs", "[", "{", "amount", BCON_INT32(8), "secret", BCON_UTF8("s3cr3t"), "}", "]");
        else if (i == 4)
            BSON_APPEND_INT32(doc, "total_amount", TF_BELOW(r, 20) - 5);
        else
            BSON_APPEND_UTF8(doc, fields[i], i == 0 ? "npub1a" : i == 3 ? "https://mint" : i == 5 ? "unspent" : "melted");
    }
}

static void odd__values_of_every_type_in_every_field(void **state)
{
    tf_fixture *f = *state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        tf_random r = tf_random_stream(seed, 7);
        char what[32];
        for (int n = 0; n < DOCUMENTS; n++) {
            _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
            append_random(&r, n, &doc);
            tf_documents_insert(f, NULL, "cashu_tokens", &doc); /* the server may refuse one */
        }
        for (int n = 0; n < WALLETS; n++) {
            _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
            BSON_APPEND_INT32(&doc, "_id", n);
            tf_odd_value(&r, &doc, "npub", 4, 0);
            tf_documents_insert(f, NULL, "cashu_wallets", &doc);
        }
        assert_true(tf_fixture_count(f, NULL, "cashu_tokens", "{}") > DOCUMENTS / 2);
        snprintf(what, sizeof what, "seed %d", (int)seed);
        audits_all_ways(f, what);
        if (seed < 2)
            tf_audits_clear(f);
    }
    /* and by indexes, which are multikey then */
    bson_destroy(tf_fixture_command(f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"wallet_id\": 1}, \"name\": \"w\"},"
                                       " {\"key\": {\"npub\": 1}, \"name\": \"n\"}, {\"key\": {\"proofs.secret\": 1}, \"name\": \"s\"}]}"));
    audits_all_ways(f, "with indexes");
}

static void odd__documents_with_nothing_but_an_id(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens", "[{\"_id\": null}, {\"_id\": {\"$numberDouble\": \"NaN\"}}, {\"_id\": {}}, {\"_id\": {\"a.b\": 1}}, {\"_id\": \"\"}]");
    audits_all_ways(f, "nothing but an _id");
}

static void odd__sums_beyond_64_bits_are_findings_without_an_amount(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 4);
    tf_audits_update(f, "{}", "[{\"$set\": {\"transaction_type\": \"melted\", \"total_amount\": {\"$numberLong\": \"9223372036854775807\"}}}]");
    audits_all_ways(f, "large");
    tf_program *p = tf_program_run(f, "audit", "--json", "--check", "melted_unspent", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_audits_count(p, "melted_unspent"), 4);
    bson_iter_t iter, at;
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.issues.0.amount", &at));
    assert_true(BSON_ITER_HOLDS_NULL(&at));
}

/* A value of megabytes would leave no room for the others in the server's answer. */
static void odd__values_of_megabytes_are_left_out_of_the_examples(void **state)
{
    tf_fixture *f = *state;
    char *text = bson_malloc(8 << 20);
    memset(text, 'x', 8 << 20);
    for (int n = 0; n < 6; n++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        BSON_APPEND_INT32(&doc, "_id", n);
        bson_append_utf8(&doc, "npub", 4, text, 8 << 20);
        BSON_APPEND_UTF8(&doc, "status", "unspent");
        BSON_APPEND_UTF8(&doc, "transaction_type", "melted");
        BSON_APPEND_INT32(&doc, "total_amount", -1);
        assert_true(tf_documents_insert(f, NULL, "cashu_tokens", &doc));
    }
    bson_free(text);
    tf_program *p = tf_program_run(f, "audit", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_audits_count(p, "melted_unspent"), 6);
    assert_int_equal(tf_audits_count(p, "negative_balance"), 1);
    assert_true(p->out_size < 1 << 20);
    p = tf_program_run(f, "audit", "--json", "--check", "balance", NULL);
    assert_exit(p, 3);
    assert_true(p->out_size < 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(odd__values_of_every_type_in_every_field),
        TF_FIXTURE_TEST(odd__documents_with_nothing_but_an_id),
        TF_FIXTURE_TEST(odd__sums_beyond_64_bits_are_findings_without_an_amount),
        TF_FIXTURE_TEST(odd__values_of_megabytes_are_left_out_of_the_examples),
    };
    return cmocka_run_group_tests_name("audit_odd", tests, NULL, NULL);
}
