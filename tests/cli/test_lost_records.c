/* Records that somebody removed from the state database: nothing is silently left out. */
#include "support/tokens.h"

static void lose(tf_fixture *f, const char *collection, const char *json)
{
    mongoc_collection_t *of = mongoc_client_get_collection(f->client, f->state_db, collection);
    bson_t *query = bson_new_from_json((const uint8_t *)json, -1, NULL), reply;
    bson_iter_t iter;
    assert_non_null(query);
    assert_true(mongoc_collection_delete_one(of, query, NULL, &reply, NULL));
    assert_true(bson_iter_init_find(&iter, &reply, "deletedCount"));
    assert_int_equal(bson_iter_as_int64(&iter), 1);
    bson_destroy(&reply);
    bson_destroy(query);
    mongoc_collection_destroy(of);
}

static void down__gives_back_what_a_lost_partition_had_changed(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f, "--batch-size", "2"), 0);
    assert_true(tf_fixture_count(f, f->state_db, "partitions", "{\"seq\": {\"$gt\": 0}}") > 1);
    lose(f, "partitions", "{\"seq\": {\"$gt\": 0}}");
    tf_program *p = tf_down(f);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 25);
    assert_int_equal(tf_tokens_original(f), 27);
}

static void down__lists_a_batch_whose_record_is_lost(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f, "--batch-size", "2"), 0);
    assert_true(tf_fixture_count(f, f->state_db, "batches", "{}") > 1);
    lose(f, "batches", "{\"seq\": 1}");
    tf_program *p = tf_down(f);
    assert_exit(p, 3);
    assert_true(tf_program_number(p, "data.restoredTokens") < 25);
    assert_has(tf_program_text(p, "data.conflictIds.0.reason"), "its record is missing");
    assert_false(tf_program_has(p, "data.verification.findings.0"));
    assert_int_equal(tf_program_number(p, "data.verification.equal"), tf_program_number(p, "data.restoredTokens"));
}

static void verify__of_a_rollback_that_lost_a_batch_says_what_is_not_covered(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    assert_exit(tf_up(f), 0);
    assert_exit(tf_down(f), 0);
    assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
    lose(f, "batches", "{\"target_seq\": 1}");
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "\"coverage\"");
}

static void up__resumed_without_one_of_its_partitions_stops(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    assert_exit(tf_up(f, "--batch-size", "2", "--canary", "5"), 7);
    lose(f, "partitions", "{\"seq\": 0}");
    tf_program *p = tf_up(f, "--resume");
    assert_exit(p, 7);
    assert_has(tf_program_text(p, "error.message"), "partitions left");
    assert_has(tf_program_text(p, "error.hint"), "A damaged state database");
    assert_exit(tf_down(f), 0);
    assert_int_equal(tf_tokens_original(f), 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(down__gives_back_what_a_lost_partition_had_changed),
        TF_FIXTURE_TEST(down__lists_a_batch_whose_record_is_lost),
        TF_FIXTURE_TEST(verify__of_a_rollback_that_lost_a_batch_says_what_is_not_covered),
        TF_FIXTURE_TEST(up__resumed_without_one_of_its_partitions_stops),
    };
    return cmocka_run_group_tests_name("lost records", tests, NULL, NULL);
}
