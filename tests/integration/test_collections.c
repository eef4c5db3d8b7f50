/* Collections that are not as others: with an order of their own, views, time series, capped ones. */
#include "support/documents.h"
#include "support/oddities.h"
#include "support/tokens.h"

static void create(tf_fixture *f, const char *options)
{
    char json[300];
    snprintf(json, sizeof json, "{\"create\": \"cashu_tokens\"%s}", options);
    bson_destroy(tf_fixture_command(f, json));
}

/* Owners and _ids whose order differs between the bytes and a language: B < a, but a < B. */
static void insert_words(tf_fixture *f)
{
    for (char letter = 'a'; letter <= 't'; letter++)
        for (int upper = 0; upper < 2; upper++) {
            char json[400];
            snprintf(json, sizeof json,
                     "{\"_id\": \"%c%c\", \"npub\": \"%s\", \"mint_url\": \"m\", \"total_amount\": 2, \"transaction_type\": \"melted\","
                     " \"status\": \"unspent\", \"createdAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}",
                     upper ? letter - 'a' + 'A' : letter, upper ? 'y' : 'x', upper ? "npub1ANNA" : "npub1anna");
            tf_fixture_insert(f, "cashu_tokens", json);
        }
}

static void collation__of_the_collection_is_that_of_its_backup(void **state)
{
    static const char *const strategies[] = {"transaction", "journal"};
    tf_fixture *f = *state;
    TF_DOCS before = {0}, after = {0};
    create(f, ", \"collation\": {\"locale\": \"en\", \"strength\": 2}");
    insert_words(f);
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", NULL);
    snprintf(f->uri, sizeof f->uri, "%s", login);
    for (size_t i = 0; i < 2; i++) {
        assert_exit(tf_up(f, "--strategy", strategies[i], "--batch-size", "7"), 0);
        assert_int_equal(tf_tokens_wrong(f), 0);
        tf_program *verify = tf_program_run(f, "verify", "--json", NULL);
        assert_exit(verify, 0);
        assert_int_equal(tf_program_number(verify, "data.equal"), 40);
        assert_int_equal(tf_program_number(verify, "data.ledger.users"), 2);
        assert_exit(tf_down(f, "--batch-size", "7"), 0);
        tf_documents_read(f, NULL, "cashu_tokens", &after);
        tf_documents_same(&after, &before, strategies[i]);
        assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
        tf_program *undo = tf_program_run(f, "history", "--json", NULL);
        assert_exit(undo, 0);
        const char *down = tf_program_text(undo, "data.runs.0.run");
        assert_exit(tf_program_run(f, "down", down, "--confirm", "--yes", "--json", NULL), 0);
        assert_int_equal(tf_tokens_wrong(f), 0);
        assert_exit(tf_down(f, "--batch-size", "3"), 0);
        tf_documents_read(f, NULL, "cashu_tokens", &after);
        tf_documents_same(&after, &before, strategies[i]);
    }
}

static void is_refused(tf_fixture *f, const char *what)
{
    tf_program *p = tf_up(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "UNSUPPORTED");
    assert_has(tf_program_text(p, "error.message"), what);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{}"), 0);
}

static void view__is_refused_before_anything_is_written(void **state)
{
    tf_fixture *f = *state;
    create(f, ", \"viewOn\": \"tokens\", \"pipeline\": []");
    is_refused(f, "view");
}

static void time_series__is_refused_before_anything_is_written(void **state)
{
    tf_fixture *f = *state;
    create(f, ", \"timeseries\": {\"timeField\": \"createdAt\"}");
    is_refused(f, "timeseries");
}

static void capped__collection_is_left_to_the_journal(void **state)
{
    tf_fixture *f = *state;
    create(f, ", \"capped\": true, \"size\": 1000000");
    tf_tokens_sample(f, 3);
    is_refused(f, "capped");
    assert_exit(tf_up(f, "--strategy", "journal"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_exit(tf_down(f, "--strategy", "journal"), 0);
    assert_int_equal(tf_tokens_wrong(f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(collation__of_the_collection_is_that_of_its_backup),
        TF_FIXTURE_TEST(view__is_refused_before_anything_is_written),
        TF_FIXTURE_TEST(time_series__is_refused_before_anything_is_written),
        TF_FIXTURE_TEST(capped__collection_is_left_to_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
