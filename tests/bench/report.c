/* Medians, the table, the targets, the JSON. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <tokenfix/cleanup.h>

static const char *const names[BENCH_KINDS] = {
    [BENCH_FLOOR] = "floor",
    [BENCH_REPLACE] = "bare replacements",
    [BENCH_BARE] = "bare loop",
    [BENCH_UP_T] = "up, transaction",
    [BENCH_VERIFY_T] = "verify",
    [BENCH_READ_T] = "bare reading",
    [BENCH_DOWN_T] = "down, transaction",
    [BENCH_UP_J] = "up, journal",
    [BENCH_VERIFY_J] = "verify (journal)",
    [BENCH_READ_J] = "bare reading (j.)",
    [BENCH_DOWN_J] = "down, journal",
    [BENCH_PREVIEW] = "preview",
    [BENCH_GROUP] = "$match + $group",
};

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

int64_t bench_median(int64_t *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* The median of one member of bench_times over the rounds. */
static int64_t median(const bench_results *r, bench_kind kind, size_t member)
{
    int64_t values[BENCH_ROUNDS_MAX];
    for (int i = 0; i < r->rounds; i++)
        memcpy(&values[i], (const char *)&r->times[kind][i] + member, sizeof values[i]);
    return bench_median(values, r->rounds);
}

#define MEDIAN(r, kind, member) median(r, kind, offsetof(bench_times, member))

static int64_t median_without_proof(const bench_results *r, bench_kind kind)
{
    int64_t values[BENCH_ROUNDS_MAX];
    for (int i = 0; i < r->rounds; i++)
        values[i] = r->times[kind][i].total - r->times[kind][i].proof;
    return bench_median(values, r->rounds);
}

static void print_ms(int64_t ms)
{
    if (ms >= 0)
        printf(" %9lld", (long long)ms);
    else
        printf(" %9s", "");
}

static void print_row(const bench *b, const bench_results *r, bench_kind kind, bson_t *json)
{
    int64_t total = MEDIAN(r, kind, total), repair = MEDIAN(r, kind, repair), rss = MEDIAN(r, kind, rss_kb);
    int64_t work = repair > 0 ? repair : total;
    bson_t row, rounds;
    char index[16];
    printf("%-18s", names[kind]);
    print_ms(total);
    print_ms(MEDIAN(r, kind, plan));
    print_ms(repair);
    print_ms(MEDIAN(r, kind, proof));
    printf(" %10.0f", work > 0 ? (double)b->defects * 1000 / (double)work : 0.0);
    if (rss >= 0)
        printf(" %7.1f", (double)rss / 1024);
    printf("\n");
    BSON_APPEND_DOCUMENT_BEGIN(json, names[kind], &row);
    BCON_APPEND(&row, "totalMs", BCON_INT64(total), "planMs", BCON_INT64(MEDIAN(r, kind, plan)), "repairMs",
                BCON_INT64(repair), "proofMs", BCON_INT64(MEDIAN(r, kind, proof)), "rssKb", BCON_INT64(rss));
    BSON_APPEND_ARRAY_BEGIN(&row, "rounds", &rounds);
    for (int i = 0; i < r->rounds; i++) {
        const bench_times *t = &r->times[kind][i];
        snprintf(index, sizeof index, "%d", i);
        BCON_APPEND(&rounds, index, "{", "totalMs", BCON_INT64(t->total), "planMs", BCON_INT64(t->plan), "repairMs",
                    BCON_INT64(t->repair), "proofMs", BCON_INT64(t->proof), "rssKb", BCON_INT64(t->rss_kb), "}");
    }
    bson_append_array_end(&row, &rounds);
    bson_append_document_end(json, &row);
}

bool bench_target(const char *what, double value, double limit, const char *unit, bson_t *json)
{
    bool reached = value <= limit;
    printf("%-62s %8.2f%s  at most %.2f%s  %s\n", what, value, unit, limit, unit, reached ? "reached" : "MISSED");
    BCON_APPEND(json, what, "{", "value", BCON_DOUBLE(value), "limit", BCON_DOUBLE(limit), "reached",
                BCON_BOOL(reached), "}");
    return reached;
}

double bench_ratio(int64_t a, int64_t b)
{
    return b > 0 ? (double)a / (double)b : 0;
}

static int64_t peak_rss(const bench_results *r)
{
    int64_t peak = 0;
    for (int kind = 0; kind < BENCH_KINDS; kind++)
        for (int i = 0; i < r->rounds; i++)
            peak = r->times[kind][i].rss_kb > peak ? r->times[kind][i].rss_kb : peak;
    return peak;
}

/* What was said, or the tool's default: the client's processors, at most 4. */
static int workers(const bench *b)
{
    cpu_set_t set;
    int processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return b->workers > 0 ? b->workers : processors > 4 ? 4 : processors;
}

/* Issue 4: 64 MiB, and 16 MiB and six of the largest document for each worker. Issue 3: nothing for the one worker itself. */
static double memory_limit_mb(const bench *b)
{
    double largest = 6 * (double)b->largest_bytes / 1048576;
    return b->targets == 3 ? 64 + largest : 64 + workers(b) * (16 + largest);
}

bool bench_target_memory(const bench *b, int64_t rss_kb, bson_t *json)
{
    return bench_target("peak RSS", (double)rss_kb / 1024, memory_limit_mb(b), " MiB", json);
}

void bench_describe(const bench *b, char *out, size_t size)
{
    snprintf(out, size, "mongod %s, libmongoc %s, gcc %s, %d worker%s%s, %d indexes, cache %d MB", b->version,
             mongoc_get_version(), __VERSION__, workers(b), workers(b) == 1 ? "" : "s",
             b->workers > 0 ? "" : " (the tool's default)", b->indexes, b->cache_mb);
}

void bench_write_json(const bench *b, const bson_t *results, const bson_t *targets)
{
    if (!b->json)
        return;
    _cleanup_(bson_destroyp) bson_t *all = BCON_NEW(
        "server", BCON_UTF8(b->version), "tokens", BCON_INT64(b->tokens), "defects", BCON_INT64(b->defects), "indexes",
        BCON_INT32(b->indexes), "workers", BCON_INT32(workers(b)), "cacheMb", BCON_INT32(b->cache_mb), "documentBytes",
        BCON_INT64(b->document_bytes), "largestBytes", BCON_INT64(b->largest_bytes), "estimateMs", "{", "transaction",
        BCON_INT64(b->estimate_ms[0]), "journal", BCON_INT64(b->estimate_ms[1]), "}", "results", BCON_DOCUMENT(results),
        "targets", BCON_DOCUMENT(targets));
    _cleanup_(tf_bson_freep) char *text = bson_as_relaxed_extended_json(all, NULL);
    _cleanup_(fclosep) FILE *file = fopen(b->json, "we");
    if (!file || fprintf(file, "%s\n", text) < 0)
        bench_fail("cannot write %s: %s", b->json, strerror(errno));
}

static bool targets_3(const bench_results *r, bson_t *json)
{
    bool ok = bench_target("repair of journal up / floor",
                           bench_ratio(MEDIAN(r, BENCH_UP_J, repair), MEDIAN(r, BENCH_FLOOR, total)), 1.5, "", json);
    ok &= bench_target("repair of transaction up / bare loop",
                       bench_ratio(MEDIAN(r, BENCH_UP_T, repair), MEDIAN(r, BENCH_BARE, total)), 1.3, "", json);
    ok &= bench_target("preview / $match + $group",
                       bench_ratio(MEDIAN(r, BENCH_PREVIEW, total), MEDIAN(r, BENCH_GROUP, total)), 2.0, "", json);
    return ok;
}

static bool targets_4(const bench *b, const bench_results *r, bson_t *json)
{
    const struct {
        const char *what;
        int64_t value, beside;
        double limit[2]; /* with 8, with 12 indexes */
    } rows[] = {
        {"repair of journal up / floor", MEDIAN(r, BENCH_UP_J, repair), MEDIAN(r, BENCH_FLOOR, total), {0.95, 1.0}},
        {"repair of transaction up / floor", MEDIAN(r, BENCH_UP_T, repair), MEDIAN(r, BENCH_FLOOR, total), {1.6, 2.7}},
        {"whole journal up / floor", MEDIAN(r, BENCH_UP_J, total), MEDIAN(r, BENCH_FLOOR, total), {1.4, 1.4}},
        {"whole transaction up / floor", MEDIAN(r, BENCH_UP_T, total), MEDIAN(r, BENCH_FLOOR, total), {2.1, 3.2}},
        {"journal down without its proof / bare replacements",
         median_without_proof(r, BENCH_DOWN_J),
         MEDIAN(r, BENCH_REPLACE, total),
         {1.3, 1.3}},
        {"transaction down without its proof / bare replacements",
         median_without_proof(r, BENCH_DOWN_T),
         MEDIAN(r, BENCH_REPLACE, total),
         {1.3, 1.3}},
        {"verify of a journal up / bare reading",
         MEDIAN(r, BENCH_VERIFY_J, total),
         MEDIAN(r, BENCH_READ_J, total),
         {2, 2}},
        {"verify of a transaction up / bare reading",
         MEDIAN(r, BENCH_VERIFY_T, total),
         MEDIAN(r, BENCH_READ_T, total),
         {2, 2}},
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ok &= bench_target(rows[i].what, bench_ratio(rows[i].value, rows[i].beside), rows[i].limit[b->indexes == 12],
                           "", json);
    return ok;
}

static void print_head(const bench *b, const bench_results *r)
{
    char machine[256];
    bench_describe(b, machine, sizeof machine);
    printf("%s\n%lld tokens of %lld B, %lld defective, medians of %d\n\n", machine, (long long)b->tokens,
           (long long)b->document_bytes, (long long)b->defects, r->rounds);
    printf("%-18s %9s %9s %9s %9s %10s %7s\n", "", "total ms", "plan", "repair", "proof", "defects/s", "MiB");
}

bool bench_report(const bench *b, const bench_results *r)
{
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    print_head(b, r);
    for (int kind = 0; kind < BENCH_KINDS; kind++)
        if (MEDIAN(r, (bench_kind)kind, total) > 0)
            print_row(b, r, (bench_kind)kind, &rows);
    printf(
        "\nestimate before the first run: transaction %lld ms (took %lld), journal %lld ms (took %lld)\n\nissue %d:\n",
        (long long)b->estimate_ms[0], (long long)MEDIAN(r, BENCH_UP_T, total), (long long)b->estimate_ms[1],
        (long long)MEDIAN(r, BENCH_UP_J, total), b->targets);
    bool ok = b->targets == 3 ? targets_3(r, &targets) : targets_4(b, r, &targets);
    ok &= bench_target_memory(b, peak_rss(r), &targets);
    bench_write_json(b, &rows, &targets);
    return ok;
}

bool bench_report_sparse(const bench *b, const bench_times runs[2], const bench_phases phases[2])
{
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    bool ok = true;
    printf("mongod %s, %lld tokens, %lld defective, %d indexes: passes over the collection (documents looked at / "
           "documents)\n\n",
           b->version, (long long)b->tokens, (long long)b->defects, b->indexes);
    printf("%-14s %9s %9s %9s %9s %9s\n", "up", "total ms", "plan", "repair", "proof", "whole");
    for (int i = 0; i < 2; i++) {
        const bench_phases *p = &phases[i];
        double n = (double)b->tokens, whole = (double)runs[i].scanned / n;
        printf("%-14s %9lld %9.3f %9.3f %9.3f %9.3f\n", bench_strategies[i], (long long)runs[i].total,
               (double)p->plan / n, (double)p->repair / n, (double)p->proof / n, whole);
        BCON_APPEND(&rows, bench_strategies[i], "{", "totalMs", BCON_INT64(runs[i].total), "plan",
                    BCON_DOUBLE((double)p->plan / n), "repair", BCON_DOUBLE((double)p->repair / n), "proof",
                    BCON_DOUBLE((double)p->proof / n), "whole", BCON_DOUBLE(whole), "}");
    }
    printf("\n");
    for (int i = 0; i < 2; i++) {
        char what[64];
        snprintf(what, sizeof what, "passes of the repair, %s", bench_strategies[i]);
        /* one pass, and each defect a few times by its _id */
        ok &= bench_target(what, (double)phases[i].repair / (double)b->tokens,
                           1 + 10 * (double)b->defects / (double)b->tokens, "", &targets);
    }
    int64_t rss = runs[0].rss_kb > runs[1].rss_kb ? runs[0].rss_kb : runs[1].rss_kb;
    ok &= bench_target_memory(b, rss, &targets);
    bench_write_json(b, &rows, &targets);
    return ok;
}
