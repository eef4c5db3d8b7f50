/* An audit beside bare passes over the same data: all checks but the secrets', the secrets', what a ledger adds; and its memory. */
#include "bench.h"

#include <tokenfix/cleanup.h>

#include "base/clock.h"

#define SECRETS "duplicate_secret,secret_reuse"
#define OTHERS                                                                                                         \
    "melted_unspent,orphaned_token,amount_mismatch,invalid_amount,missing_source,status_inconsistent,"                 \
    "negative_balance,balance_discrepancy"

enum { GROUP, CHECKS, BARE_SECRETS, SECRET_CHECKS, KINDS };

static const char *const names[KINDS] = {"bare $group", "all checks but the secrets'", "bare $unwind + $group of secrets",
                                         "the secrets' checks"};

typedef struct results {
    int64_t ms[KINDS][BENCH_ROUNDS_MAX];
    int rounds;
    int64_t rss_kb;
} results;

static int64_t bare(bench *b, const char *json)
{
    bson_error_t error;
    const bson_t *doc;
    _cleanup_(bson_destroyp) bson_t *pipeline = bson_new_from_json((const uint8_t *)json, -1, &error);
    int64_t begin = tf_clock_ms();
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = bench_aggregate(b, BENCH_DB, BENCH_TOKENS, pipeline);
    while (mongoc_cursor_next(cursor, &doc))
        ;
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
    return tf_clock_ms() - begin;
}

static int64_t audit(bench *b, const char *checks, results *r)
{
    bench_times times;
    BENCH_RUN(b, &times, NULL, "audit", "--no-keep", "--check", checks);
    r->rss_kb = times.rss_kb > r->rss_kb ? times.rss_kb : r->rss_kb;
    return times.total;
}

static int64_t measure(bench *b, int kind, results *r)
{
    switch (kind) {
    case GROUP:
        return bare(b, "[{\"$group\": {\"_id\": \"$status\", \"n\": {\"$sum\": 1}}}]");
    case CHECKS:
        return audit(b, OTHERS, r);
    case BARE_SECRETS: /* all are read, and few come out */
        return bare(b, "[{\"$unwind\": \"$proofs\"}, {\"$group\": {\"_id\": \"$proofs.secret\", \"n\": {\"$sum\": 1}}},"
                       " {\"$match\": {\"n\": {\"$gt\": 1}}}]");
    default:
        return audit(b, SECRETS, r);
    }
}

/* What is compared is measured right beside each other, by turns. */
static void one_round(bench *b, results *r, const char *what)
{
    for (int pair = 0; pair < KINDS; pair += 2) {
        int order[2] = {pair, pair + 1};
        bench_shuffle(order, 2);
        for (int i = 0; i < 2; i++)
            r->ms[order[i]][r->rounds] = measure(b, order[i], r);
    }
    bench_say("%s, round %d of %d: %lld ms / %lld ms, secrets %lld ms / %lld ms", what, r->rounds + 1, b->rounds,
              (long long)r->ms[CHECKS][r->rounds], (long long)r->ms[GROUP][r->rounds],
              (long long)r->ms[SECRET_CHECKS][r->rounds], (long long)r->ms[BARE_SECRETS][r->rounds]);
    r->rounds++;
}

static bool report(results *r, const char *what, bson_t *json, bson_t *targets)
{
    int64_t medians[KINDS];
    char label[128];
    bson_t part;
    BSON_APPEND_DOCUMENT_BEGIN(json, what, &part);
    printf("\n%s\n", what);
    for (int k = 0; k < KINDS; k++) {
        medians[k] = bench_median(r->ms[k], r->rounds);
        printf("  %-36s %8lld ms\n", names[k], (long long)medians[k]);
        BSON_APPEND_INT64(&part, names[k], medians[k]);
    }
    bson_append_document_end(json, &part);
    snprintf(label, sizeof label, "%s: checks / bare $group", what);
    bool ok = bench_target(label, bench_ratio(medians[CHECKS], medians[GROUP]), 3, "", targets);
    snprintf(label, sizeof label, "%s: secrets' checks / bare secrets", what);
    return bench_target(label, bench_ratio(medians[SECRET_CHECKS], medians[BARE_SECRETS]), 1.2, "", targets) && ok;
}

static void change_all(bench *b, const char *pipeline)
{
    char json[1024];
    bson_error_t error;
    bson_t reply;
    snprintf(json, sizeof json, "{\"update\": \"" BENCH_TOKENS "\", \"updates\": [{\"q\": {}, \"u\": %s, \"multi\": true}]}", pipeline);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!command || !bench_command(b, BENCH_DB, command, &reply))
        bench_fail("the tokens cannot be changed");
    bson_destroy(&reply);
}

/* Every token has every defect, and one secret stands in all. */
static void spoil(bench *b)
{
    change_all(b, "[{\"$set\": {\"transaction_type\": \"melted\", \"status\": \"unspent\", \"spent_at\": \"$$NOW\", \"wallet_id\": \"$_id\","
                  " \"total_amount\": -1, \"metadata\": 1, \"proofs\": {\"$concatArrays\": [[{\"amount\": 1, \"secret\": \"the same\"}], \"$proofs\"]}}}]");
}

bool bench_audit(bench *b)
{
    static results clean, repaired, spoiled;
    _cleanup_bson_ bson_t json = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    bench_times ignored;
    bench_seed(b);
    measure(b, GROUP, &clean); /* warms the cache */
    for (int i = 0; i < b->rounds; i++)
        one_round(b, &clean, "as seeded");
    BENCH_RUN(b, &ignored, NULL, "up", "--confirm", "--yes", "--strategy", "journal");
    for (int i = 0; i < b->rounds; i++)
        one_round(b, &repaired, "after a run, with its ledger");
    bool ok = report(&clean, "as seeded", &json, &targets);
    ok &= report(&repaired, "after a run, with its ledger", &json, &targets);
    ok &= bench_target("peak RSS", (double)(clean.rss_kb > repaired.rss_kb ? clean.rss_kb : repaired.rss_kb) / 1024, 64, " MiB", &targets);
    spoil(b);
    int64_t ms = audit(b, "balance,integrity", &spoiled);
    printf("\nevery token with every defect: %lld ms\n", (long long)ms);
    ok &= bench_target("peak RSS where every token is defective", (double)spoiled.rss_kb / 1024, 64, " MiB", &targets);
    bench_write_json(b, &json, &targets);
    return ok;
}
