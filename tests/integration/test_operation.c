/* Cursors of commands: with every driver they read on behind the first batch, and a failure never passes for no documents. */
#include "support/fixture.h"

#include "db/operation.h"

enum { DOCUMENTS = 105 };

static void fill(tf_fixture *f)
{
    char json[DOCUMENTS * 24] = "[";
    size_t length = 1;
    for (int i = 0; i < DOCUMENTS; i++)
        length += (size_t)snprintf(json + length, sizeof json - length, "%s{\"_id\": %d}", i ? "," : "", i);
    snprintf(json + length, sizeof json - length, "]");
    tf_fixture_insert(f, "things", json);
}

static int read_all(const tf_op *op, mongoc_cursor_t *cursor)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *owned = cursor;
    const bson_t *doc;
    tf_error err = {0};
    int got, count = 0;
    while ((got = tf_cursor_next(owned, op, &doc, &err)) == 1)
        count++;
    if (got < 0)
        fail_msg("%s (%s)", err.message, err.detail);
    return count;
}

static void aggregate__reads_all_batches(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$match", "{", "}", "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("batchSize", BCON_INT32(10), "allowDiskUse", BCON_BOOL(true));
    bson_error_t error;
    _cleanup_(mongoc_client_session_destroyp) mongoc_client_session_t *session =
        mongoc_client_start_session(f->client, NULL, &error);
    mongoc_client_session_t *const sessions[] = {NULL, session};
    for (size_t i = 0; i < 2; i++) {
        const tf_op op = {.client = f->client, .session = sessions[i], .db = f->db, .what = "read things"};
        assert_int_equal(read_all(&op, tf_op_aggregate(&op, "things", pipeline, opts)), DOCUMENTS);
        assert_int_equal(read_all(&op, tf_op_aggregate(&op, "things", pipeline, NULL)), DOCUMENTS);
    }
    const tf_op anywhere = {.client = f->client, .db = f->db, .what = "read things", .allow_secondary = true};
    assert_int_equal(read_all(&anywhere, tf_op_aggregate(&anywhere, "things", pipeline, opts)), DOCUMENTS);
}

/* A session that the driver takes for one command goes back to its pool: there the next client finds it, and keeps it. The
 * server refuses to read on with another. */
static void aggregate__keeps_its_session_between_batches(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(f->uri);
    mongoc_client_pool_t *pool = mongoc_client_pool_new(uri);
    mongoc_client_t *client = mongoc_client_pool_pop(pool), *other = mongoc_client_pool_pop(pool);
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$match", "{", "}", "}"), *all = bson_new();
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("batchSize", BCON_INT32(10));
    const tf_op op = {.client = client, .db = f->db, .what = "read things"};
    const bson_t *doc;
    mongoc_cursor_t *cursor = tf_op_aggregate(&op, "things", pipeline, opts);
    mongoc_collection_t *things = mongoc_client_get_collection(other, f->db, "things");
    mongoc_cursor_t *holder = mongoc_collection_find_with_opts(things, all, opts, NULL);
    assert_true(mongoc_cursor_next(holder, &doc));
    assert_int_equal(read_all(&op, cursor), DOCUMENTS);
    mongoc_cursor_destroy(holder);
    mongoc_collection_destroy(things);
    tf_op_release(client);
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_push(pool, other);
    mongoc_client_pool_destroy(pool);
}

static void find__with_a_filter_the_driver_refuses_reads_all_batches(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", "{", "$ne", "{", "", BCON_INT32(1), "}", "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("batchSize", BCON_INT32(10));
    const tf_op op = {.client = f->client, .db = f->db, .what = "read things"};
    assert_int_equal(read_all(&op, tf_op_find(&op, "things", filter, opts)), DOCUMENTS);
}

static void failures__of_cursors_open_at_once_are_each_reported(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$nonsense", "{", "}", "}");
    const tf_op op = {.client = f->client, .db = f->db, .what = "read things"};
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *first = tf_op_aggregate(&op, "things", pipeline, NULL);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *second = tf_op_aggregate(&op, "things", pipeline, NULL);
    const bson_t *doc;
    tf_error one = {0}, other = {0};
    assert_int_equal(tf_cursor_next(second, &op, &doc, &other), -1);
    assert_non_null(strstr(other.message, "$nonsense"));
    assert_int_equal(tf_cursor_next(first, &op, &doc, &one), -1);
    assert_int_not_equal(one.code, TF_ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(aggregate__reads_all_batches),
        TF_FIXTURE_TEST(aggregate__keeps_its_session_between_batches),
        TF_FIXTURE_TEST(find__with_a_filter_the_driver_refuses_reads_all_batches),
        TF_FIXTURE_TEST(failures__of_cursors_open_at_once_are_each_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
