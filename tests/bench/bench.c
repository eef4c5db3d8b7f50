/* The benchmark's plan: what is run in a round, in which order. See scripts/bench. */
#include "bench.h"

#include <getopt.h>
#include <stdarg.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"

static bench *running; /* its sandbox is removed when the program fails */

void bench_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: failed: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    if (running) {
        bench *b = running;
        running = NULL;
        bench_stop(b);
    }
    exit(1);
}

#define RUN(b, out, data, ...) bench_program(b, (const char *const[]){__VA_ARGS__, NULL}, out, data)

static void up_and_down(bench *b, const char *strategy, bench_results *results, bench_kind up, bench_kind verify, bench_kind down)
{
    int round = results->rounds;
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    bson_iter_t iter;
    RUN(b, &results->times[up][round], &data, "up", "--confirm", "--yes", "--strategy", strategy);
    if (!bson_iter_init_find(&iter, &data, "affectedTokens") || bson_iter_as_int64(&iter) != b->defects)
        bench_fail("up did not repair what was seeded");
    bench_settle(b);
    RUN(b, &results->times[verify][round], NULL, "verify");
    bench_settle(b);
    RUN(b, &results->times[down][round], NULL, "down", "--confirm", "--yes", "--strategy", strategy);
}

static void part(bench *b, int which, bench_results *results)
{
    int round = results->rounds;
    switch (which) {
    case 0:
        bench_floor(b, &results->times[BENCH_FLOOR][round]);
        break;
    case 1:
        bench_bare_loop(b, &results->times[BENCH_BARE][round]);
        break;
    case 2:
        up_and_down(b, "transaction", results, BENCH_UP_T, BENCH_VERIFY_T, BENCH_DOWN_T);
        break;
    case 3:
        up_and_down(b, "journal", results, BENCH_UP_J, BENCH_VERIFY_J, BENCH_DOWN_J);
        break;
    case 4:
        RUN(b, &results->times[BENCH_PREVIEW][round], NULL, "preview");
        bench_bare_group(b, &results->times[BENCH_GROUP][round]);
        break;
    default:
        bench_bare_group(b, &results->times[BENCH_GROUP][round]);
        RUN(b, &results->times[BENCH_PREVIEW][round], NULL, "preview");
    }
}

/* Floor, bare loop, both strategies and the preview, in an order of chance. */
static void one_round(bench *b, bench_results *results)
{
    int order[5] = {0, 1, 2, 3, 4 + (int)tf_clock_random(2)};
    for (int i = 4; i > 0; i--) {
        int j = (int)tf_clock_random((uint64_t)i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < 5; i++) {
        bench_reset(b);
        part(b, order[i], results);
    }
    results->rounds++;
}

static void first_estimates(bench *b)
{
    const char *const strategies[] = {"transaction", "journal"};
    for (int i = 0; i < 2; i++) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        bson_iter_t iter, at;
        bench_times ignored;
        setenv("TOKENFIX_STRATEGY", strategies[i], 1);
        RUN(b, &ignored, &data, "preview"); /* the first is a warm-up as well */
        if (bson_iter_init(&iter, &data) && bson_iter_find_descendant(&iter, "stats.estimatedExecutionMs", &at))
            b->estimate_ms[i] = bson_iter_as_int64(&at);
    }
    unsetenv("TOKENFIX_STRATEGY");
}

static bool dense(bench *b)
{
    static bench_results results;
    first_estimates(b);
    for (int i = 0; i < b->rounds; i++) {
        bench_say("round %d of %d", i + 1, b->rounds);
        one_round(b, &results);
    }
    return bench_report(b, &results);
}

/* A few defects in a large collection: how often is it passed over? */
static bool sparse(bench *b)
{
    const char *const strategies[] = {"transaction", "journal"};
    bench_times runs[2];
    bench_phases phases[2];
    for (int i = 0; i < 2; i++) {
        bench_reset(b);
        RUN(b, &runs[i], NULL, "up", "--confirm", "--yes", "--strategy", strategies[i]);
        bench_reset(b);
        bench_up_phases(b, strategies[i], &phases[i]);
    }
    return bench_report_sparse(b, runs, phases);
}

static _Noreturn void usage(void)
{
    fputs("Usage: scripts/bench [--tokens N] [--indexes 8|12] [--rounds N] [--cache-mb MB] [--json FILE] [--sparse]\n"
          "  --tokens N     documents to seed, 20 % of them defective; 250000\n"
          "  --indexes N    the indexes of the application's model (8) or of production (12); 12\n"
          "  --rounds N     times everything is measured, medians count; 3\n"
          "  --cache-mb MB  the server's cache; 4096\n"
          "  --json FILE    writes all figures there\n"
          "  --sparse       1,000 defects among 1,000,000 documents instead: passes over the collection\n"
          "Ends with 0 when every target was reached, with 3 when one was missed.\n",
          stderr);
    exit(2);
}

static int64_t number(const char *text, int64_t least, int64_t most)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < least || value > most)
        usage();
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"tokens", 1, NULL, 't'},   {"indexes", 1, NULL, 'i'}, {"rounds", 1, NULL, 'r'},
                                            {"cache-mb", 1, NULL, 'c'}, {"json", 1, NULL, 'j'},    {"sparse", 0, NULL, 's'},
                                            {"tokenfix", 1, NULL, 'b'}, {"name", 1, NULL, 'n'},    {NULL, 0, NULL, 0}};
    static bench b = {.indexes = 12, .rounds = 3, .cache_mb = 4096, .percent = 20};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 't':
            b.tokens = number(optarg, 1000, 100000000);
            break;
        case 'i':
            b.indexes = (int)number(optarg, 8, 12);
            break;
        case 'r':
            b.rounds = (int)number(optarg, 1, BENCH_ROUNDS_MAX);
            break;
        case 'c':
            b.cache_mb = (int)number(optarg, 256, 1048576);
            break;
        case 'j':
            b.json = optarg;
            break;
        case 's':
            b.sparse = true;
            break;
        case 'b':
            b.tokenfix = optarg;
            break;
        case 'n':
            b.name = optarg;
            break;
        default:
            usage();
        }
    if (optind != argc || !b.tokenfix || !b.name || (b.indexes != 8 && b.indexes != 12))
        usage();
    if (b.tokens == 0)
        b.tokens = b.sparse ? 1000000 : 250000;
    if (b.sparse)
        b.percent = 100.0 * 1000 / (double)b.tokens;
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    running = &b;
    bench_start(&b);
    bool reached = b.sparse ? sparse(&b) : dense(&b);
    running = NULL;
    bench_stop(&b);
    mongoc_cleanup();
    return reached ? 0 : 3;
}
