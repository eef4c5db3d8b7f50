/* Medians, the table, the targets, the JSON. */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <tokenfix/cleanup.h>

static const char *const names[BENCH_KINDS] = {
    [BENCH_FLOOR] = "floor",
    [BENCH_BARE] = "bare loop",
    [BENCH_UP_T] = "up, transaction",
    [BENCH_VERIFY_T] = "verify",
    [BENCH_DOWN_T] = "down, transaction",
    [BENCH_UP_J] = "up, journal",
    [BENCH_VERIFY_J] = "verify (journal)",
    [BENCH_DOWN_J] = "down, journal",
    [BENCH_PREVIEW] = "preview",
    [BENCH_GROUP] = "$match + $group",
};

static int ascending(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The median of one member of bench_times over the rounds. */
static int64_t median(const bench_results *r, bench_kind kind, size_t member)
{
    int64_t values[BENCH_ROUNDS_MAX];
    for (int i = 0; i < r->rounds; i++)
        memcpy(&values[i], (const char *)&r->times[kind][i] + member, sizeof values[i]);
    qsort(values, (size_t)r->rounds, sizeof *values, ascending);
    return (values[(r->rounds - 1) / 2] + values[r->rounds / 2]) / 2;
}

#define MEDIAN(r, kind, member) median(r, kind, offsetof(bench_times, member))

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
    BCON_APPEND(&row, "totalMs", BCON_INT64(total), "planMs", BCON_INT64(MEDIAN(r, kind, plan)), "repairMs", BCON_INT64(repair), "proofMs",
                BCON_INT64(MEDIAN(r, kind, proof)), "rssKb", BCON_INT64(rss));
    BSON_APPEND_ARRAY_BEGIN(&row, "rounds", &rounds);
    for (int i = 0; i < r->rounds; i++) {
        const bench_times *t = &r->times[kind][i];
        snprintf(index, sizeof index, "%d", i);
        BCON_APPEND(&rounds, index, "{", "totalMs", BCON_INT64(t->total), "planMs", BCON_INT64(t->plan), "repairMs", BCON_INT64(t->repair),
                    "proofMs", BCON_INT64(t->proof), "rssKb", BCON_INT64(t->rss_kb), "}");
    }
    bson_append_array_end(&row, &rounds);
    bson_append_document_end(json, &row);
}

static bool target(const char *what, double value, double limit, const char *unit, bson_t *json)
{
    bool reached = value <= limit;
    printf("%-58s %8.2f%s  at most %.2f%s  %s\n", what, value, unit, limit, unit, reached ? "reached" : "MISSED");
    BCON_APPEND(json, what, "{", "value", BCON_DOUBLE(value), "limit", BCON_DOUBLE(limit), "reached", BCON_BOOL(reached), "}");
    return reached;
}

static double ratio(int64_t a, int64_t b)
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

static double memory_limit_mb(const bench *b)
{
    return 64 + 6 * (double)b->largest_bytes / 1048576;
}

static void write_json(const bench *b, const bson_t *results, const bson_t *targets)
{
    if (!b->json)
        return;
    _cleanup_(bson_destroyp) bson_t *all =
        BCON_NEW("server", BCON_UTF8(b->version), "tokens", BCON_INT64(b->tokens), "defects", BCON_INT64(b->defects), "indexes",
                 BCON_INT32(b->indexes), "cacheMb", BCON_INT32(b->cache_mb), "documentBytes", BCON_INT64(b->document_bytes), "largestBytes",
                 BCON_INT64(b->largest_bytes), "estimateMs", "{", "transaction", BCON_INT64(b->estimate_ms[0]), "journal",
                 BCON_INT64(b->estimate_ms[1]), "}", "results", BCON_DOCUMENT(results), "targets", BCON_DOCUMENT(targets));
    _cleanup_(tf_bson_freep) char *text = bson_as_relaxed_extended_json(all, NULL);
    _cleanup_(fclosep) FILE *file = fopen(b->json, "we");
    if (!file || fprintf(file, "%s\n", text) < 0)
        bench_fail("cannot write %s: %s", b->json, strerror(errno));
}

bool bench_report(const bench *b, const bench_results *r)
{
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    printf("mongod %s, %lld tokens of %lld B, %lld defective, %d indexes, cache %d MB, medians of %d\n\n", b->version, (long long)b->tokens,
           (long long)b->document_bytes, (long long)b->defects, b->indexes, b->cache_mb, r->rounds);
    printf("%-18s %9s %9s %9s %9s %10s %7s\n", "", "total ms", "plan", "repair", "proof", "defects/s", "MiB");
    for (int kind = 0; kind < BENCH_KINDS; kind++)
        print_row(b, r, (bench_kind)kind, &rows);
    printf("\nestimate before the first run: transaction %lld ms (took %lld), journal %lld ms (took %lld)\n\n", (long long)b->estimate_ms[0],
           (long long)MEDIAN(r, BENCH_UP_T, total), (long long)b->estimate_ms[1], (long long)MEDIAN(r, BENCH_UP_J, total));
    bool ok = target("repair of journal up / floor", ratio(MEDIAN(r, BENCH_UP_J, repair), MEDIAN(r, BENCH_FLOOR, total)), 1.5, "", &targets);
    ok &= target("repair of transaction up / bare loop", ratio(MEDIAN(r, BENCH_UP_T, repair), MEDIAN(r, BENCH_BARE, total)), 1.3, "", &targets);
    ok &= target("preview / $match + $group", ratio(MEDIAN(r, BENCH_PREVIEW, total), MEDIAN(r, BENCH_GROUP, total)), 2.0, "", &targets);
    ok &= target("peak RSS", (double)peak_rss(r) / 1024, memory_limit_mb(b), " MiB", &targets);
    write_json(b, &rows, &targets);
    return ok;
}

bool bench_report_sparse(const bench *b, const bench_times runs[2], const bench_phases phases[2])
{
    static const char *const strategies[] = {"transaction", "journal"};
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    bool ok = true;
    printf("mongod %s, %lld tokens, %lld defective, %d indexes: passes over the collection (documents looked at / documents)\n\n", b->version,
           (long long)b->tokens, (long long)b->defects, b->indexes);
    printf("%-14s %9s %9s %9s %9s %9s\n", "up", "total ms", "plan", "repair", "proof", "whole");
    for (int i = 0; i < 2; i++) {
        const bench_phases *p = &phases[i];
        double n = (double)b->tokens, whole = (double)runs[i].scanned / n;
        printf("%-14s %9lld %9.3f %9.3f %9.3f %9.3f\n", strategies[i], (long long)runs[i].total, (double)p->plan / n, (double)p->repair / n,
               (double)p->proof / n, whole);
        BCON_APPEND(&rows, strategies[i], "{", "totalMs", BCON_INT64(runs[i].total), "plan", BCON_DOUBLE((double)p->plan / n), "repair",
                    BCON_DOUBLE((double)p->repair / n), "proof", BCON_DOUBLE((double)p->proof / n), "whole", BCON_DOUBLE(whole), "}");
    }
    printf("\n");
    for (int i = 0; i < 2; i++) {
        char what[64];
        snprintf(what, sizeof what, "passes of the repair, %s", strategies[i]);
        /* one pass, and each defect a few times by its _id */
        ok &= target(what, (double)phases[i].repair / (double)b->tokens, 1 + 10 * (double)b->defects / (double)b->tokens, "", &targets);
    }
    int64_t rss = runs[0].rss_kb > runs[1].rss_kb ? runs[0].rss_kb : runs[1].rss_kb;
    ok &= target("peak RSS", (double)rss / 1024, memory_limit_mb(b), " MiB", &targets);
    write_json(b, &rows, &targets);
    return ok;
}
