/* What is measured in a round, and in which order. */
#include "bench.h"

#include <tokenfix/cleanup.h>

#include "base/clock.h"

typedef struct kinds {
    bench_kind up, verify, read, down;
} kinds;

static const kinds of_strategy[2] = {{BENCH_UP_T, BENCH_VERIFY_T, BENCH_READ_T, BENCH_DOWN_T},
                                     {BENCH_UP_J, BENCH_VERIFY_J, BENCH_READ_J, BENCH_DOWN_J}};

/* Whoever reads first warms the server's cache for the other: a coin decides. */
static void verify_and_read(bench *b, const char *run, bench_times *verify, bench_times *read)
{
    bool read_first = tf_clock_random(2) == 1;
    if (read_first)
        bench_bare_read(b, run, read);
    BENCH_RUN(b, verify, NULL, "verify");
    if (!read_first)
        bench_bare_read(b, run, read);
}

static void up_and_down(bench *b, int strategy, bench_results *results)
{
    int round = results->rounds;
    char run[BENCH_RUN_SIZE];
    const kinds *k = &of_strategy[strategy];
    bench_up(b, bench_strategies[strategy], &results->times[k->up][round], run);
    bench_settle(b);
    verify_and_read(b, run, &results->times[k->verify][round], &results->times[k->read][round]);
    bench_settle(b);
    bench_down(b, bench_strategies[strategy], &results->times[k->down][round]);
}

static void floor_and_back(bench *b, bench_results *results)
{
    int round = results->rounds;
    bench_floor(b, &results->times[BENCH_FLOOR][round]);
    bench_settle(b);
    bench_bare_replace(b, &results->times[BENCH_REPLACE][round]);
}

static void preview_and_group(bench *b, bench_results *results)
{
    int round = results->rounds;
    bool group_first = tf_clock_random(2) == 1;
    if (group_first)
        bench_bare_group(b, &results->times[BENCH_GROUP][round]);
    BENCH_RUN(b, &results->times[BENCH_PREVIEW][round], NULL, "preview");
    if (!group_first)
        bench_bare_group(b, &results->times[BENCH_GROUP][round]);
}

static void part(bench *b, int which, bench_results *results)
{
    switch (which) {
    case 0:
        floor_and_back(b, results);
        break;
    case 1:
    case 2:
        up_and_down(b, which - 1, results);
        break;
    case 3:
        preview_and_group(b, results);
        break;
    default:
        bench_bare_loop(b, &results->times[BENCH_BARE][results->rounds]);
    }
}

/* The floor, both strategies, the preview, and for issue 3 the bare loop, in an order of chance. */
static void one_round(bench *b, bench_results *results)
{
    int order[5] = {0, 1, 2, 3, 4}, parts = b->targets == 3 ? 5 : 4;
    int64_t begin = tf_clock_ms();
    bench_shuffle(order, parts);
    for (int i = 0; i < parts; i++) {
        bench_reset(b);
        part(b, order[i], results);
    }
    results->rounds++;
    bench_say("round %d of %d: %lld s", results->rounds, b->rounds, (long long)(tf_clock_ms() - begin) / 1000);
}

static void first_estimates(bench *b)
{
    for (int i = 0; i < 2; i++) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        bson_iter_t iter, at;
        bench_times ignored;
        setenv("TOKENFIX_STRATEGY", bench_strategies[i], 1);
        BENCH_RUN(b, &ignored, &data, "preview"); /* the first is a warm-up as well */
        if (bson_iter_init(&iter, &data) && bson_iter_find_descendant(&iter, "stats.estimatedExecutionMs", &at))
            b->estimate_ms[i] = bson_iter_as_int64(&at);
    }
    unsetenv("TOKENFIX_STRATEGY");
}

bool bench_dense(bench *b)
{
    static bench_results results;
    bench_seed(b);
    first_estimates(b);
    b->overhead_ms = 0;
    for (int i = 0; i < b->rounds; i++)
        one_round(b, &results);
    bench_say("of these, resets and checkpoints: %lld s", (long long)b->overhead_ms / 1000);
    return bench_report(b, &results);
}

/* A few defects in a large collection: how often is it passed over? */
bool bench_sparse(bench *b)
{
    bench_times runs[2];
    bench_phases phases[2];
    bench_seed(b);
    for (int i = 0; i < 2; i++) {
        char run[BENCH_RUN_SIZE];
        bench_reset(b);
        bench_up(b, bench_strategies[i], &runs[i], run);
        bench_reset(b);
        bench_up_phases(b, bench_strategies[i], &phases[i]);
    }
    return bench_report_sparse(b, runs, phases);
}
