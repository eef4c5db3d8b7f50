/* An application beside the tool: how long do its writes take? */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "base/docs.h"
#include "sandbox/seed_document.h"

enum { WRITERS = 32, KNOWN = 20000, WRITES_MAX = 1 << 21, ALONE_S = 15, WARM_S = 3 };

/* alone, or beside one of these */
typedef enum { ALONE, UP_T, DOWN_T, UP_J, DOWN_J, SITUATIONS } situation;
static const char *const names[SITUATIONS] = {"alone", "up, transaction", "down, transaction", "up, journal",
                                              "down, journal"};

/* One stretch of writing. */
typedef struct stretch {
    int64_t writes, p50_us, p99_us, most_us;
    double rate; /* in a second */
} stretch;

typedef struct application {
    mongoc_client_pool_t *pool;
    const bench *b;
    tf_docs known; /* _ids of tokens as seeded, any of them */
    tf_seed_plan fresh;
    pthread_t writers[WRITERS];
    int64_t begin_us;
    _Atomic int64_t ticket, inserted;
    _Atomic bool stop;
    int64_t *took_us; /* by ticket, -1 where it was not written */
} application;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void sleep_until(int64_t us)
{
    const struct timespec at = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

/* ---- what it writes: a new token, then something about one it has, by turns ---- */

static void insert_token(application *app, mongoc_collection_t *tokens, const bson_t *opts)
{
    _cleanup_bson_ bson_t token = BSON_INITIALIZER;
    bson_error_t error;
    tf_seed_token(&app->fresh, atomic_fetch_add(&app->inserted, 1) % app->fresh.tokens, &token, NULL);
    if (!mongoc_collection_insert_one(tokens, &token, opts, NULL, &error))
        bench_fail("the application's insert: %s", error.message);
}

static void update_token(application *app, mongoc_collection_t *tokens, int64_t ticket, const bson_t *opts)
{
    bson_t selector;
    bson_error_t error;
    tf_docs_view(&app->known, (size_t)tf_clock_random(app->known.count), &selector);
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$set", "{", "metadata.seen", BCON_INT64(ticket), "}",
                                                       "$currentDate", "{", "updatedAt", BCON_BOOL(true), "}");
    if (!mongoc_collection_update_one(tokens, &selector, update, opts, NULL, &error))
        bench_fail("the application's update: %s", error.message);
}

/* The clock of a write starts when it is due, not when a writer is free for it: waiting counts. */
static void *write_on(void *arg)
{
    application *app = arg;
    mongoc_client_t *client = mongoc_client_pool_pop(app->pool);
    mongoc_collection_t *tokens = mongoc_client_get_collection(client, BENCH_DB, BENCH_TOKENS);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    for (;;) {
        int64_t ticket = atomic_fetch_add(&app->ticket, 1), due = app->begin_us + ticket * 1000000 / app->b->rate;
        if (ticket >= WRITES_MAX)
            break;
        sleep_until(due);
        if (atomic_load(&app->stop))
            break;
        if (ticket % 2)
            insert_token(app, tokens, opts);
        else
            update_token(app, tokens, ticket, opts);
        app->took_us[ticket] = now_us() - due;
    }
    mongoc_collection_destroy(tokens);
    mongoc_client_pool_push(app->pool, client);
    return NULL;
}

static void begin_writing(application *app)
{
    for (int64_t i = 0; i < WRITES_MAX; i++)
        app->took_us[i] = -1;
    atomic_store(&app->ticket, 0);
    atomic_store(&app->stop, false);
    app->begin_us = now_us() + 20000;
    for (int i = 0; i < WRITERS; i++)
        if (pthread_create(&app->writers[i], NULL, write_on, app) != 0)
            bench_fail("cannot start the application's writers");
}

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Too few writes are no application of that rate: then the figures would flatter. */
static stretch end_writing(application *app, const char *beside)
{
    int64_t elapsed_us = now_us() - app->begin_us, n = 0;
    atomic_store(&app->stop, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(app->writers[i], NULL);
    for (int64_t i = 0; i < WRITES_MAX; i++)
        if (app->took_us[i] >= 0)
            app->took_us[n++] = app->took_us[i];
    if (n < 1)
        bench_fail("the application wrote nothing beside %s", beside);
    qsort(app->took_us, (size_t)n, sizeof *app->took_us, ascending);
    stretch s = {.writes = n,
                 .p50_us = app->took_us[n / 2],
                 .p99_us = app->took_us[n * 99 / 100],
                 .most_us = app->took_us[n - 1],
                 .rate = (double)n * 1e6 / (double)elapsed_us};
    bench_say("%-18s %6lld writes, %.0f/s, p50 %.1f ms, p99 %.1f ms, longest %.1f ms", beside, (long long)n, s.rate,
              (double)s.p50_us / 1000, (double)s.p99_us / 1000, (double)s.most_us / 1000);
    return s;
}

/* ---- the stretches ---- */

static stretch write_alone(application *app, bench *b, int seconds)
{
    bench_settle(b);
    begin_writing(app);
    sleep_until(app->begin_us + (int64_t)seconds * 1000000);
    return end_writing(app, names[ALONE]);
}

static stretch write_beside(application *app, bench *b, situation beside, bench_times *tool)
{
    char run[BENCH_RUN_SIZE];
    const char *strategy = bench_strategies[beside == UP_J || beside == DOWN_J];
    bench_settle(b);
    begin_writing(app);
    if (beside == UP_T || beside == UP_J)
        bench_up(b, strategy, tool, run);
    else
        bench_down(b, strategy, tool);
    return end_writing(app, names[beside]);
}

typedef struct collected {
    stretch stretches[SITUATIONS][2 * BENCH_ROUNDS_MAX];
    bench_times tool[SITUATIONS][2 * BENCH_ROUNDS_MAX];
    int count[SITUATIONS];
} collected;

/* Alone, then beside up and down of one strategy; the same with the other. */
static void one_round(application *app, bench *b, collected *all)
{
    int order[2] = {0, 1};
    bench_shuffle(order, 2);
    for (int i = 0; i < 2; i++) {
        bench_forget(b);
        all->stretches[ALONE][all->count[ALONE]++] = write_alone(app, b, ALONE_S);
        for (int down = 0; down < 2; down++) {
            situation beside = order[i] == 0 ? (down ? DOWN_T : UP_T) : (down ? DOWN_J : UP_J);
            int n = all->count[beside]++;
            all->stretches[beside][n] = write_beside(app, b, beside, &all->tool[beside][n]);
        }
    }
}

static int64_t median_of(const collected *all, situation which, size_t member)
{
    int64_t values[2 * BENCH_ROUNDS_MAX];
    for (int i = 0; i < all->count[which]; i++)
        memcpy(&values[i], (const char *)&all->stretches[which][i] + member, sizeof values[i]);
    return bench_median(values, all->count[which]);
}

#define MEDIAN(all, which, member) median_of(all, which, offsetof(stretch, member))

/* The median of the tool's own times; of the application alone there are none. */
static int64_t median_tool(const collected *all, situation which)
{
    int64_t values[2 * BENCH_ROUNDS_MAX];
    for (int i = 0; i < all->count[which]; i++)
        values[i] = all->tool[which][i].total;
    return which == ALONE ? 0 : bench_median(values, all->count[which]);
}

static double slowest_rate(const collected *all)
{
    double least = all->stretches[0][0].rate;
    for (int s = 0; s < SITUATIONS; s++)
        for (int i = 0; i < all->count[s]; i++)
            least = all->stretches[s][i].rate < least ? all->stretches[s][i].rate : least;
    return least;
}

static void print_row(const collected *all, situation which, bson_t *json)
{
    int64_t p50 = MEDIAN(all, which, p50_us), p99 = MEDIAN(all, which, p99_us), most = MEDIAN(all, which, most_us);
    printf("%-18s %9lld %9.1f %9.1f %9.1f %9lld\n", names[which], (long long)MEDIAN(all, which, writes),
           (double)p50 / 1000, (double)p99 / 1000, (double)most / 1000, (long long)median_tool(all, which));
    BCON_APPEND(json, names[which], "{", "p50Us", BCON_INT64(p50), "p99Us", BCON_INT64(p99), "longestUs",
                BCON_INT64(most), "toolMs", BCON_INT64(median_tool(all, which)), "}");
}

static bool report(const bench *b, const collected *all)
{
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    char machine[256], what[64];
    bool ok = true;
    bench_describe(b, machine, sizeof machine);
    printf("%s\n%lld tokens, %lld defective, an application that writes %d/s; medians of %d stretches, alone of %d\n\n",
           machine, (long long)b->tokens, (long long)b->defects, b->rate, all->count[UP_T], all->count[ALONE]);
    printf("%-18s %9s %9s %9s %9s %9s\n", "", "writes", "p50 ms", "p99 ms", "longest", "tool ms");
    for (int s = 0; s < SITUATIONS; s++)
        print_row(all, (situation)s, &rows);
    printf("\n");
    for (int s = UP_T; s < SITUATIONS; s++) {
        snprintf(what, sizeof what, "the application's p99 beside %s / alone", names[s]);
        ok &= bench_target(what, bench_ratio(MEDIAN(all, (situation)s, p99_us), MEDIAN(all, ALONE, p99_us)), 2, "",
                           &targets);
    }
    /* the other way round: it must not have written less than it should */
    ok &= bench_target("the application's rate / its slowest stretch", b->rate / slowest_rate(all), 1.05, "", &targets);
    bench_write_json(b, &rows, &targets);
    return ok;
}

static void know_tokens(bench *b, tf_docs *known)
{
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$sample", "{", "size", BCON_INT32(KNOWN), "}", "}",
                                                         "1", "{", "$project", "{", "_id", BCON_INT32(1), "}", "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = bench_aggregate(b, BENCH_DB, BENCH_TOKENS, pipeline);
    const bson_t *doc;
    bson_error_t error;
    while (mongoc_cursor_next(cursor, &doc))
        tf_docs_add(known, doc);
    if (mongoc_cursor_error(cursor, &error) || known->count == 0)
        bench_fail("the application knows no tokens");
}

bool bench_application(bench *b)
{
    static collected all;
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(b->uri);
    bench_seed(b);
    application app = {.b = b,
                       .pool = mongoc_client_pool_new(uri),
                       .fresh = tf_seed_plan_make(2, 10000000, b->tokens / 100 + 1, 0),
                       .took_us = calloc(WRITES_MAX, sizeof *app.took_us)};
    know_tokens(b, &app.known);
    write_alone(&app, b, WARM_S);
    for (int i = 0; i < b->rounds; i++)
        one_round(&app, b, &all);
    bool ok = report(b, &all);
    mongoc_client_pool_destroy(app.pool);
    tf_docs_done(&app.known);
    free(app.took_us);
    return ok;
}
