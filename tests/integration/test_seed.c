/* The sample data on a real server: what tf_seed_run reports is what stands there. */
#include "support/fixture.h"

#include "sandbox/seed.h"

#define DEFECT "{\"transaction_type\": \"melted\", \"status\": \"unspent\"}"

static tf_seed_result seed(tf_fixture *f, const tf_seed_options *options)
{
    tf_seed_result result = {0};
    tf_error err = {0};

    if (!tf_seed_run(f->client, f->db, options, &result, &err))
        fail_msg("%s (%s)", err.message, err.detail);
    return result;
}

/* The number `name` of the first document a command's cursor returns. */
static int64_t first_number(tf_fixture *f, const char *json, const char *name)
{
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    _cleanup_free_ char *path = NULL;
    bson_iter_t iter, value;

    assert_true(asprintf(&path, "cursor.firstBatch.0.%s", name) > 0);
    assert_true(bson_iter_init(&iter, reply));
    if (!bson_iter_find_descendant(&iter, path, &value))
        fail_msg("no %s", path);
    return bson_iter_as_int64(&value);
}

static int count_indexes(tf_fixture *f, const char *collection)
{
    _cleanup_free_ char *json = NULL;
    bson_iter_t iter, batch, rows;
    int count = 0;

    assert_true(asprintf(&json, "{\"listIndexes\": \"%s\"}", collection) > 0);
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, json);
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &batch));
    assert_true(bson_iter_recurse(&batch, &rows));
    while (bson_iter_next(&rows))
        count++;
    return count;
}

static void count_progress(void *context, tf_seed_phase phase, int64_t done, int64_t total)
{
    int64_t *last = context;

    assert_true(done <= total);
    last[phase] = done;
}

static void seed__writes_what_it_reports(void **state)
{
    tf_fixture *f = *state;
    int64_t last[3] = {0};
    const tf_seed_options options = {.tokens = 5000,
                                     .users = 300,
                                     .defects = 12.5,
                                     .seed = 5,
                                     .indexes = 12,
                                     .progress = count_progress,
                                     .context = last};
    const tf_seed_result result = seed(f, &options);

    assert_int_equal(result.tokens, 5000);
    assert_int_equal(result.defects, 625);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{}"), 5000);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_wallets", "{}"), result.wallets);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", DEFECT), 625);
    assert_int_equal(
        result.defect_amount,
        first_number(f,
                     "{\"aggregate\": \"cashu_tokens\", \"cursor\": {}, \"pipeline\": [{\"$match\": " DEFECT
                     "}, {\"$group\": {\"_id\": null, \"n\": {\"$sum\": \"$total_amount\"}}}]}",
                     "n"));
    assert_int_equal(result.bytes,
                     first_number(f,
                                  "{\"aggregate\": \"cashu_tokens\", \"cursor\": {}, \"pipeline\": [{\"$group\": "
                                  "{\"_id\": null, \"n\": {\"$sum\": {\"$bsonSize\": \"$$ROOT\"}}}}]}",
                                  "n"));
    assert_int_equal(last[TF_SEED_WALLETS], 300);
    assert_int_equal(last[TF_SEED_TOKENS], 5000);
    assert_int_equal(last[TF_SEED_INDEXES], 12);
}

static void seed__creates_the_indexes_asked_for(void **state)
{
    tf_fixture *f = *state;
    static const int CASES[] = {0, 8, 12};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        seed(f, &(tf_seed_options){.tokens = 100, .users = 10, .indexes = CASES[i]});
        assert_int_equal(count_indexes(f, "cashu_tokens"), CASES[i] ? CASES[i] : 1);
        assert_int_equal(count_indexes(f, "cashu_wallets"), CASES[i] ? 2 : 1);
        bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_tokens\"}"));
        bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_wallets\"}"));
    }
}

static void seed__of_nothing_is_fine(void **state)
{
    const tf_seed_result result = seed(*state, &(tf_seed_options){.users = 5, .indexes = 8});

    assert_int_equal(result.tokens, 0);
    assert_true(result.wallets >= 5);
}

/* dbHash is the server's own word on every byte. */
static void seed__gives_the_same_database_in_any_batches(void **state)
{
    tf_fixture *f = *state;
    static const char hash[] = "{\"dbHash\": 1, \"collections\": [\"cashu_tokens\", \"cashu_wallets\"]}";
    char md5[2][64];

    for (int i = 0; i < 2; i++) {
        seed(f, &(tf_seed_options){.tokens = 3000, .users = 90, .defects = 20, .seed = 77, .batch = i ? 3000 : 411});
        _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, hash);
        bson_iter_t iter;
        assert_true(bson_iter_init_find(&iter, reply, "md5"));
        snprintf(md5[i], sizeof md5[i], "%s", bson_iter_utf8(&iter, NULL));
        bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_tokens\"}"));
        bson_destroy(tf_fixture_command(f, "{\"drop\": \"cashu_wallets\"}"));
    }
    assert_string_equal(md5[0], md5[1]);
}

static void seed__refuses_a_database_with_documents(void **state)
{
    tf_fixture *f = *state;
    static const char *const CASES[] = {"cashu_tokens", "cashu_wallets"};

    for (size_t i = 0; i < 2; i++) {
        const tf_seed_options options = {.tokens = 10, .users = 2, .indexes = 12};
        _cleanup_free_ char *drop = NULL;
        tf_seed_result result = {.tokens = -7};
        tf_error err = {0};
        tf_fixture_insert(f, CASES[i], "{\"_id\": 1}");
        assert_false(tf_seed_run(f->client, f->db, &options, &result, &err));
        assert_int_equal(err.code, TF_ERR_INVALID);
        assert_non_null(strstr(err.message, CASES[i]));
        assert_true(err.hint[0]);
        assert_int_equal(result.tokens, -7);
        assert_int_equal(
            tf_fixture_count(f, NULL, "cashu_tokens", "{}") + tf_fixture_count(f, NULL, "cashu_wallets", "{}"), 1);
        assert_true(asprintf(&drop, "{\"drop\": \"%s\"}", CASES[i]) > 0);
        bson_destroy(tf_fixture_command(f, drop));
    }
}

static void seed__without_the_privilege_says_so(void **state)
{
    tf_fixture *f = *state;
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client =
        mongoc_client_new(tf_fixture_login(f, "reader", NULL, NULL));
    tf_seed_result result;
    tf_error err = {0};

    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    assert_false(tf_seed_run(client, f->db, &(tf_seed_options){.tokens = 10, .users = 2}, &result, &err));
    assert_int_equal(err.code, TF_ERR_PERMISSION);
    assert_string_equal(err.message, "Permission denied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(seed__writes_what_it_reports),
        TF_FIXTURE_TEST(seed__creates_the_indexes_asked_for),
        TF_FIXTURE_TEST(seed__of_nothing_is_fine),
        TF_FIXTURE_TEST(seed__gives_the_same_database_in_any_batches),
        TF_FIXTURE_TEST(seed__refuses_a_database_with_documents),
        TF_FIXTURE_TEST(seed__without_the_privilege_says_so),
    };

    return cmocka_run_group_tests_name("seed", tests, NULL, NULL);
}
