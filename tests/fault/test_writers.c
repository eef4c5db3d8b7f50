/*
 * An application writes 500 times a second to the collection that is repaired and given back: what the server acknowledged to it is
 * there at the end, to the last write. Promised by the transaction strategy.
 */
#include "base/clock.h"
#include "fault/fault.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 16, A_SECOND = 500, SMALL = 20000, LARGE = 1000000, CHUNK = 10000, SMALL_S = 20, LARGE_S = 60 };

typedef struct application {
    mongoc_client_pool_t *pool;
    const char *db;
    int64_t began_us;
    int tokens;
    uint64_t seed;
    pthread_t writers[WRITERS];
    _Atomic int64_t ticket, counted, inserted;
    atomic_bool stop, failed;
    char error[512];
} application;

/* ---- the application ---- */

static bool update(mongoc_collection_t *tokens, int64_t id, application *app, bson_error_t *error)
{
    _cleanup_(bson_destroyp) bson_t *which = BCON_NEW("_id", BCON_INT64(id));
    _cleanup_(bson_destroyp) bson_t *how =
        BCON_NEW("$inc", "{", "counter", BCON_INT64(1), "}", "$currentDate", "{", "updatedAt", BCON_BOOL(true), "}");
    if (!mongoc_collection_update_one(tokens, which, how, NULL, NULL, error))
        return false;
    atomic_fetch_add(&app->counted, 1);
    return true;
}

/* A token spent by its owner, wherever the repair stands. */
static bool spend(mongoc_collection_t *tokens, int64_t id, application *app, bson_error_t *error)
{
    _cleanup_(bson_destroyp) bson_t *which = BCON_NEW("_id", BCON_INT64(id));
    _cleanup_(bson_destroyp) bson_t *how =
        BCON_NEW("$set", "{", "status", "spent", "}", "$inc", "{", "counter", BCON_INT64(1), "}", "$currentDate", "{",
                 "updatedAt", BCON_BOOL(true), "spent_at", BCON_BOOL(true), "}");
    if (!mongoc_collection_update_one(tokens, which, how, NULL, NULL, error))
        return false;
    atomic_fetch_add(&app->counted, 1);
    return true;
}

/* Every tenth one has the defect, as if the application still made it. */
static bool insert(mongoc_collection_t *tokens, application *app, bson_error_t *error)
{
    int64_t n = atomic_fetch_add(&app->inserted, 1);
    bool wrong = n % 10 == 0;
    _cleanup_(bson_destroyp) bson_t *token =
        BCON_NEW("_id", BCON_INT64(app->tokens + n), "npub", "npub1fresh", "mint_url", "https://mint", "total_amount",
                 BCON_INT32(7), "status", BCON_UTF8(wrong ? "unspent" : "spent"), "transaction_type", "melted",
                 "spent_at", BCON_NULL, "counter", BCON_INT64(1), "createdAt",
                 BCON_DATE_TIME(tf_clock_wall_ms() + 60000), "updatedAt", BCON_DATE_TIME(tf_clock_wall_ms() + 60000));
    if (!mongoc_collection_insert_one(tokens, token, NULL, NULL, error))
        return false;
    atomic_fetch_add(&app->counted, 1);
    return true;
}

static void *write_tokens(void *arg)
{
    application *app = arg;
    mongoc_client_t *client = mongoc_client_pool_pop(app->pool);
    mongoc_collection_t *tokens = mongoc_client_get_collection(client, app->db, "cashu_tokens");
    while (!atomic_load(&app->stop)) {
        bson_error_t error;
        int64_t ticket = atomic_fetch_add(&app->ticket, 1),
                wait_us = app->began_us + ticket * 1000000 / A_SECOND - tf_clock_us();
        tf_random random = tf_random_stream(app->seed, (uint64_t)ticket);
        int64_t id = (int64_t)tf_random_below(&random, (uint64_t)app->tokens);
        if (wait_us > 0)
            usleep((useconds_t)wait_us);
        bool ok = ticket % 10 == 3   ? insert(tokens, app, &error)
                  : ticket % 10 == 7 ? spend(tokens, id, app, &error)
                                     : update(tokens, id, app, &error);
        if (!ok && !atomic_exchange(&app->failed, true))
            snprintf(app->error, sizeof app->error, "%s", error.message);
        if (!ok)
            break;
    }
    mongoc_collection_destroy(tokens);
    mongoc_client_pool_push(app->pool, client);
    return NULL;
}

static void open_application(application *app, tf_fixture *f, int tokens)
{
    char uri[700];
    snprintf(uri, sizeof uri, "%s&w=majority&journal=true", f->uri);
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *parsed = mongoc_uri_new(uri);
    assert_non_null(parsed);
    *app = (application){.pool = mongoc_client_pool_new(parsed), .db = f->db, .tokens = tokens};
    mongoc_client_pool_set_error_api(app->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_max_size(app->pool, WRITERS);
}

static void start_writing(application *app, uint64_t seed)
{
    app->began_us = tf_clock_us();
    app->seed = seed;
    atomic_store(&app->ticket, 0);
    atomic_store(&app->stop, false);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&app->writers[i], NULL, write_tokens, app), 0);
}

static void stop_writing(application *app)
{
    atomic_store(&app->stop, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(app->writers[i], NULL);
    if (atomic_load(&app->failed))
        fail_msg("the application's write failed: %s", app->error);
}

/* ---- the data ---- */

/* Made by the server: every fifth token is defective, of 50 users. */
static void seed(tf_fixture *f, int tokens)
{
    for (int from = 0; from < tokens; from += CHUNK) {
        char json[1600];
        snprintf(json, sizeof json,
                 "{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$documents\": {\"$map\": {\"input\": "
                 "{\"$range\": [%d, %d]}, \"in\": {"
                 "\"_id\": {\"$toLong\": \"$$this\"}, \"npub\": {\"$concat\": [\"npub1user\", {\"$toString\": "
                 "{\"$mod\": [\"$$this\", 50]}}]},"
                 " \"mint_url\": \"https://mint\", \"total_amount\": 10, \"status\": {\"$cond\": [{\"$eq\": "
                 "[{\"$mod\": [\"$$this\", 5]}, 0]},"
                 " \"unspent\", \"spent\"]}, \"transaction_type\": \"melted\", \"spent_at\": null, \"counter\": "
                 "{\"$toLong\": 0}, \"createdAt\":"
                 " {\"$date\": \"2024-01-02T03:04:05Z\"}, \"updatedAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}}}},"
                 " {\"$merge\": {\"into\": \"cashu_tokens\", \"whenMatched\": \"fail\"}}]}",
                 from, from + CHUNK);
        bson_destroy(tf_fixture_command(f, json));
    }
}

static void check_sum(tf_fixture *f, const application *app)
{
    _cleanup_(bson_destroyp) bson_t *reply =
        tf_fixture_command(f, "{\"aggregate\": \"cashu_tokens\", \"cursor\": {}, \"readConcern\": {\"level\": "
                              "\"majority\"}, \"pipeline\": [{\"$group\":"
                              " {\"_id\": null, \"sum\": {\"$sum\": \"$counter\"}, \"n\": {\"$sum\": 1}}}]}");
    assert_int_equal(fault_number(reply, "cursor.firstBatch.0.sum"), atomic_load(&app->counted));
    assert_int_equal(fault_number(reply, "cursor.firstBatch.0.n"), app->tokens + atomic_load(&app->inserted));
}

/* ---- the runs ---- */

/* Conflicts and later changes are what the writers make; nothing else may be found. */
static void assert_in_order(const tf_program *p, const char *proof)
{
    char path[64];
    if (p->status != 0)
        assert_exit(p, 3);
    static const char *const zero[] = {"missing", "remaining", "overtaken", "refused", "ledger.unexplained"};
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++) {
        snprintf(path, sizeof path, "%s.%s", proof, zero[i]);
        if (tf_program_number(p, path) != 0)
            fail_msg("%s is not 0: %s", path, p->out);
    }
    snprintf(path, sizeof path, "%s.findings.0", proof);
    assert_false(tf_program_has(p, path));
}

static void run(tf_fixture *f, const char *direction)
{
    tf_program *p = fault_start(f, direction, NULL, NULL);
    tf_program_wait(p, 500);
    assert_in_order(p, "data.verification");
}

static void writers__lose_nothing_of_what_was_acknowledged(void **state)
{
    tf_fixture *f = *state;
    application app = {0};
    bool full = tf_series_is_full();
    tf_series s = tf_series_begin(
        "lose_nothing",
        "a minute of 500 live writes a second over 1,000,000 documents, up and down: acknowledged = sum", 1, 30);
    for (bool seeded = false; tf_series_next(&s); seeded = true) {
        if (!seeded) {
            open_application(&app, f, full ? LARGE : SMALL);
            seed(f, app.tokens);
        }
        fault_workers = s.workers;
        int64_t began = tf_clock_ms(), before = atomic_load(&app.counted);
        start_writing(&app, s.own_seed);
        do {
            run(f, "up");
            run(f, "down");
        } while (tf_clock_ms() - began < 1000 * (full ? LARGE_S : SMALL_S));
        stop_writing(&app);
        int64_t written = atomic_load(&app.counted) - before;
        print_message("%lld writes in %lld ms\n", (long long)written, (long long)(tf_clock_ms() - began));
        assert_true(written > 0);
        check_sum(f, &app);
        tf_fixture_forget(f);
    }
    if (app.pool)
        mongoc_client_pool_destroy(app.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(writers__lose_nothing_of_what_was_acknowledged)};
    return cmocka_run_group_tests_name("writers", tests, NULL, NULL);
}
