/* What a document costs where there are ten and a hundred times as many. */
#include "bench.h"

#include <tokenfix/cleanup.h>

enum { SMALL, MIDDLE, LARGE };

typedef struct samples {
    bench_times up[BENCH_ROUNDS_MAX], down[BENCH_ROUNDS_MAX];
} samples;

static int64_t median_of(const bench_times *times, int rounds, size_t member)
{
    int64_t values[BENCH_ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        memcpy(&values[i], (const char *)&times[i] + member, sizeof values[i]);
    return bench_median(values, rounds);
}

static bench_times medians(const bench_times *times, int rounds)
{
    return (bench_times){.total = median_of(times, rounds, offsetof(bench_times, total)),
                         .plan = median_of(times, rounds, offsetof(bench_times, plan)),
                         .repair = median_of(times, rounds, offsetof(bench_times, repair)),
                         .proof = median_of(times, rounds, offsetof(bench_times, proof)),
                         .rss_kb = median_of(times, rounds, offsetof(bench_times, rss_kb))};
}

/* up, and the way back, which gives the next one the data it had. */
static void there_and_back(bench *b, int strategy, bench_times *up, bench_times *down)
{
    char run[BENCH_RUN_SIZE];
    bench_reset(b);
    bench_up(b, bench_strategies[strategy], up, run);
    bench_settle(b);
    bench_down(b, bench_strategies[strategy], down);
    bench_say("%lld affected, %s: up %lld ms, down %lld ms", (long long)b->defects, bench_strategies[strategy],
              (long long)up->total, (long long)down->total);
}

static void one_size(bench *b, int rounds, bench_point points[2])
{
    static samples taken[2];
    bench_seed(b);
    for (int round = 0; round < rounds; round++) {
        int order[2] = {0, 1};
        bench_shuffle(order, 2);
        for (int i = 0; i < 2; i++)
            there_and_back(b, order[i], &taken[order[i]].up[round], &taken[order[i]].down[round]);
    }
    for (int i = 0; i < 2; i++)
        points[i] = (bench_point){.affected = b->defects,
                                  .tokens = b->tokens,
                                  .rounds = rounds,
                                  .up = medians(taken[i].up, rounds),
                                  .down = medians(taken[i].down, rounds)};
}

static double cost_us(int64_t ms, const bench_point *point)
{
    return 1000.0 * (double)ms / (double)point->affected;
}

static void append_times(bson_t *to, const char *name, const bench_times *t)
{
    BCON_APPEND(to, name, "{", "totalMs", BCON_INT64(t->total), "planMs", BCON_INT64(t->plan), "repairMs",
                BCON_INT64(t->repair), "proofMs", BCON_INT64(t->proof), "rssKb", BCON_INT64(t->rss_kb), "}");
}

static void append_points(const bench_point points[BENCH_SIZES][2], bson_t *json)
{
    for (int size = 0; size < BENCH_SIZES; size++)
        for (int i = 0; i < 2; i++) {
            const bench_point *p = &points[size][i];
            char name[48];
            bson_t row;
            snprintf(name, sizeof name, "%lld %s", (long long)p->affected, bench_strategies[i]);
            BSON_APPEND_DOCUMENT_BEGIN(json, name, &row);
            append_times(&row, "up", &p->up);
            append_times(&row, "down", &p->down);
            bson_append_document_end(json, &row);
        }
}

static bool report(const bench *b, const bench_point points[BENCH_SIZES][2])
{
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    bool ok = true;
    char what[96];
    int64_t rss = 0;
    append_points(points, &rows);
    for (int i = 0; i < 2; i++) {
        const bench_point *large = &points[LARGE][i], *middle = &points[MIDDLE][i];
        snprintf(what, sizeof what, "a document's cost, %s up, %lld / %lld affected", bench_strategies[i],
                 (long long)large->affected, (long long)middle->affected);
        ok &=
            bench_target(what, cost_us(large->up.total, large) / cost_us(middle->up.total, middle), 1.1, "", &targets);
        for (int size = 0; size < BENCH_SIZES; size++) {
            const bench_point *p = &points[size][i];
            rss = p->up.rss_kb > rss ? p->up.rss_kb : rss;
            rss = p->down.rss_kb > rss ? p->down.rss_kb : rss;
        }
    }
    ok &= bench_target_memory(b, rss, &targets);
    bench_write_json(b, &rows, &targets);
    return ok;
}

bool bench_scale(bench *b)
{
    static bench_point points[BENCH_SIZES][2];
    char summary[512], machine[256];
    int64_t affected = b->affected / 100, largest = (b->rounds + 2) / 3;
    for (int size = 0; size < BENCH_SIZES; size++, affected *= 10) {
        b->tokens = (int64_t)((double)affected * 100 / b->percent + 0.5);
        one_size(b, size == LARGE ? (int)largest : b->rounds, points[size]);
    }
    bench_describe(b, machine, sizeof machine);
    snprintf(summary, sizeof summary, "%s. %.4g %% of the tokens are defective.", machine, b->percent);
    bench_scale_write(b, (const bench_point(*)[2])points, summary);
    return report(b, (const bench_point(*)[2])points);
}
