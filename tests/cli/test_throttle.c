/* What holds a run up by itself: load, conflicts, nice; and what stops it. Lag is in fault/test_lag.c. */
#include "support/pauses.h"
#include "support/tokens.h"

/* A number of serverStatus that a test can set: open cursors that never time out. */
#define CURSORS "metrics.cursor.open.noTimeout"

static mongoc_cursor_t *open_cursor(tf_fixture *f)
{
    const bson_t *doc;
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = mongoc_client_get_collection(f->client, f->db, "cashu_tokens");
    _cleanup_(bson_destroyp) bson_t *all = bson_new(), *opts = BCON_NEW("noCursorTimeout", BCON_BOOL(true), "batchSize", BCON_INT64(1));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(in, all, opts, NULL);
    assert_true(mongoc_cursor_next(cursor, &doc));
    return cursor;
}

static void throttle__pauses_while_a_load_is_reached(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 30); /* loads are read with more than the least role */
    mongoc_cursor_t *cursor = open_cursor(f);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--max-load", "connections.current=1000000", "--max-load", CURSORS "=1", NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv});
    tf_pauses_wait_for(f, "{\"state\": \"paused\", \"pause.reason\": \"load\"}");
    tf_program *p = tf_program_run(f, "status", "--json", NULL);
    assert_string_equal(tf_program_text(p, "data.runs.0.pause.message"), CURSORS " is 1, the limit is 1");
    assert_int_equal(tf_batches(f), 0);
    mongoc_cursor_destroy(cursor);
    tf_program_wait(up, 60);
    assert_exit(up, 0);
    assert_true(tf_pauses_held(up, "load") > 0);
    assert_has(up->err, CURSORS " is 1");
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void throttle__stops_resumably_at_a_critical_load(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 30);
    mongoc_cursor_t *cursor = open_cursor(f);
    tf_program *p = tf_up(f, "--critical-load", CURSORS "=1");
    assert_exit(p, 7);
    assert_has(tf_program_text(p, "error.message"), "--critical-load: " CURSORS " is 1, the limit is 1");
    assert_has(tf_program_text(p, "error.hint"), "--resume");
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"state\": \"interrupted\", \"active\": false}"), 1);
    assert_exit(tf_up(f, "--resume", "--critical-load", CURSORS "=1"), 7);
    mongoc_cursor_destroy(cursor);
    assert_exit(tf_up(f, "--resume", "--critical-load", CURSORS "=1"), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void throttle__stops_a_rollback_at_a_critical_load_too(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 30);
    assert_exit(tf_up(f), 0);
    mongoc_cursor_t *cursor = open_cursor(f);
    assert_exit(tf_down(f, "--critical-load", CURSORS "=1"), 7);
    mongoc_cursor_destroy(cursor);
    assert_exit(tf_down(f, "--resume"), 0);
    assert_int_equal(tf_tokens_wrong(f), 30);
}

/* A limit that can never be reached protects nobody: said before anything is written. */
static void throttle__refuses_a_limit_that_cannot_be_looked_at(void **state)
{
    tf_fixture *f = *state;
    static const char *const others[] = {"cashu_wallets", NULL};
    static const char *const kinds[] = {"--max-load", "--critical-load"};
    tf_tokens_fill(f, 3);
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", others);
    for (size_t i = 0; i < 2; i++) {
        tf_program *p = tf_up(f, kinds[i], "no.such.number=1");
        assert_exit(p, 2);
        assert_has(tf_program_text(p, "error.message"), "no.such.number");
        p = tf_up(f, kinds[i], "connections.current");
        assert_exit(p, 2);
        assert_has(tf_program_text(p, "error.hint"), "PATH=LIMIT");
        const char *const argv[] = {"up", "--confirm", "--yes", "--json", kinds[i], "connections.current=1000000", NULL};
        p = tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = login});
        assert_exit(p, 8);
        assert_has(tf_program_text(p, "error.message"), "serverStatus");
        assert_has(tf_program_text(p, "error.hint"), "--print-role");
    }
    assert_int_equal(tf_runs(f), 0);
    assert_int_equal(tf_tokens_wrong(f), 3);
}

/* What docs/runbook.md offers. */
static void throttle__knows_the_numbers_of_the_runbook(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 3);
    assert_exit(tf_up(f, "--max-load", "flowControl.isLagged=1", "--max-load", "wiredTiger.concurrentTransactions.write.out=100",
                      "--max-load", "globalLock.currentQueue.writers=20", "--max-load", "connections.current=3000", "--critical-load",
                      "globalLock.currentQueue.total=500"),
                0);
}

static void command(tf_fixture *f, const bson_t *opts, const char *json)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *parsed = bson_new_from_json((const uint8_t *)json, -1, &error);
    bson_t reply;
    if (!parsed || !mongoc_client_write_command_with_opts(f->client, f->db, parsed, opts, &reply, &error))
        fail_msg("%s: %s", json, error.message);
    bson_destroy(&reply);
}

/* A transaction of the application that stays open: every attempt to write its document meets a conflict. */
static void throttle__rests_where_its_batches_meet_conflicts(void **state)
{
    tf_fixture *f = *state;
    bson_error_t error;
    tf_tokens_sample(f, 30);
    mongoc_client_session_t *session = mongoc_client_start_session(f->client, NULL, &error);
    assert_non_null(session);
    assert_true(mongoc_client_session_start_transaction(session, NULL, &error));
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    assert_true(mongoc_client_session_append(session, &opts, &error));
    command(f, &opts, "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": {\"_id\": 3}, \"u\": {\"$set\": {\"note\": 1}}}]}");
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv});
    assert_true(tf_program_saw(up, "write conflict"));
    assert_true(mongoc_client_session_abort_transaction(session, &error));
    mongoc_client_session_destroy(session);
    tf_program_wait(up, 120);
    assert_exit(up, 0);
    assert_true(tf_pauses_held(up, "conflicts") >= 900);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void throttle__nice_rests_as_long_as_it_works(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 60);
    tf_program *up = tf_up(f, "--batch-size", "10", "--nice", "2");
    assert_exit(up, 0);
    int64_t rested = tf_pauses_held(up, "nice"), all = tf_program_number(up, "data.repairMs");
    if (rested == 0 || rested < all / 4) /* two thirds, but for what is no batch */
        fail_msg("%d of %d ms were rest", (int)rested, (int)all);
    assert_int_equal(tf_pauses_held(tf_down(f), "nice"), 0);
}

/* With a batch time that nothing keeps the batches become small; --batch-size is the ceiling. */
static void throttle__batches_shrink_to_their_time(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 200);
    const char *const env[] = {"TOKENFIX_FAILPOINT=up.after_backup=sleep:400", NULL};
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--batch-size", "50", "--batch-time", "0.1", "--workers", "1", NULL};
    tf_program *up = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env});
    assert_exit(up, 0);
    int64_t small = tf_fixture_count(f, f->state_db, "batches", "{\"seq\": 2, \"counts.applied\": {\"$lte\": 25}}");
    assert_true(small > 0);
    assert_int_equal(tf_fixture_count(f, f->state_db, "batches", "{\"counts.applied\": {\"$gt\": 50}}"), 0);
    assert_int_equal(tf_fixture_count(f, f->state_db, "batches", "{\"seq\": 1, \"counts.applied\": 50}") > 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(throttle__pauses_while_a_load_is_reached),
        TF_FIXTURE_TEST(throttle__stops_resumably_at_a_critical_load),
        TF_FIXTURE_TEST(throttle__stops_a_rollback_at_a_critical_load_too),
        TF_FIXTURE_TEST(throttle__refuses_a_limit_that_cannot_be_looked_at),
        TF_FIXTURE_TEST(throttle__knows_the_numbers_of_the_runbook),
        TF_FIXTURE_TEST(throttle__rests_where_its_batches_meet_conflicts),
        TF_FIXTURE_TEST(throttle__nice_rests_as_long_as_it_works),
        TF_FIXTURE_TEST(throttle__batches_shrink_to_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
