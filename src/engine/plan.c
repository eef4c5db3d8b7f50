/* The plan: what matches, whose it is, how long it will take and how risky that is. Looks, writes nothing. */
#include "base/clock.h"
#include "base/docs.h"
#include "check/amount.h"
#include "db/id.h"
#include "engine/engine.h"

#include <stdarg.h>
#include <tokenfix/cleanup.h>

enum { SAMPLED = 100, ODD_LISTED = 20 };

/* How many times longer a document takes to be repaired and proven than to be read; only for estimates before the first
 * run. Medians of the runs in docs/performance.md: what an `up` took beyond five passes, over the time to read a sample. */
enum { TRANSACTION_FACTOR = 22, JOURNAL_FACTOR = 11 };

void tf_engine_init(tf_engine *engine, tf_client *client, const tf_migration *migration)
{
    *engine = (tf_engine){.client = client, .migration = migration};
    tf_store_init(&engine->store, client->client, client->db, client->state_db);
}

void tf_plan_done(tf_plan *plan)
{
    for (size_t i = 0; i < plan->impacts_count; i++)
        tf_id_set(&plan->impacts[i].owner, &(bson_value_t){0});
    free(plan->impacts);
    for (size_t i = 0; i < plan->samples_count; i++)
        bson_destroy(plan->samples[i]);
    free(plan->samples);
    if (plan->odd_ids)
        bson_destroy(plan->odd_ids);
    tf_repair_free(plan->repair);
    *plan = (tf_plan){0};
}

/* ---- the count, by owner ---- */

/* {$eq: [<the amount as a whole number>, null]} */
static void append_is_odd(const tf_repair *repair, bson_t *out)
{
    _cleanup_bson_ bson_t value = BSON_INITIALIZER;
    bson_t args;
    bson_iter_t iter;
    tf_amount_expression(&value, "v", repair->ledger.amount, repair->ledger.scale);
    BSON_APPEND_ARRAY_BEGIN(out, "$eq", &args);
    if (bson_iter_init_find(&iter, &value, "v"))
        bson_append_iter(&args, "0", 1, &iter);
    BSON_APPEND_NULL(&args, "1");
    bson_append_array_end(out, &args);
}

static bson_t *group_pipeline(const tf_repair *repair, bool sorted)
{
    _cleanup_bson_ bson_t group = BSON_INITIALIZER, amount = BSON_INITIALIZER, odd = BSON_INITIALIZER;
    char path[300];
    BCON_APPEND(&group, "n", "{", "$sum", BCON_INT32(1), "}", "first", "{", "$first", BCON_UTF8("$_id"), "}");
    if (repair->ledger.present) {
        snprintf(path, sizeof path, "$%s", repair->ledger.owner[0]);
        BSON_APPEND_UTF8(&group, "_id", path);
        tf_amount_expression(&amount, "$sum", repair->ledger.amount, repair->ledger.scale);
        BSON_APPEND_DOCUMENT(&group, "amount", &amount);
        append_is_odd(repair, &odd);
        BCON_APPEND(&group, "odd", "{", "$sum", "{", "$cond", "{", "if", BCON_DOCUMENT(&odd), "then", BCON_INT32(1), "else", BCON_INT32(0), "}",
                    "}", "}");
    } else
        BSON_APPEND_NULL(&group, "_id");
    bson_t *pipeline = BCON_NEW("0", "{", "$match", BCON_DOCUMENT(&repair->filter), "}", "1", "{", "$group", BCON_DOCUMENT(&group), "}");
    if (sorted)
        BCON_APPEND(pipeline, "2", "{", "$sort", "{", "amount", BCON_INT32(-1), "n", BCON_INT32(-1), "_id", BCON_INT32(1), "}", "}");
    return pipeline;
}

static bool read_group(tf_plan *plan, const bson_t *doc, bson_t *samples, uint32_t *sampled, int64_t position, tf_error *err)
{
    bson_iter_t iter;
    int64_t n = 0, amount = 0;
    if (bson_iter_init_find(&iter, doc, "n"))
        n = bson_iter_as_int64(&iter);
    if (bson_iter_init_find(&iter, doc, "amount") && !tf_amount_read_sum(&iter, &amount, err))
        return false;
    if (bson_iter_init_find(&iter, doc, "odd"))
        plan->odd += bson_iter_as_int64(&iter);
    plan->documents += n;
    if (!tf_amount_add(&plan->amount, amount, err))
        return false;
    if (*sampled < SAMPLED && bson_iter_init_find(&iter, doc, "first"))
        tf_array_append_value(samples, sampled, bson_iter_value(&iter));
    if (!plan->repair->ledger.present)
        return true;
    plan->owners++;
    if (position < plan->offset || position >= plan->offset + plan->limit)
        return true;
    plan->impacts = bson_realloc(plan->impacts, (plan->impacts_count + 1) * sizeof *plan->impacts);
    tf_impact *impact = &plan->impacts[plan->impacts_count++];
    *impact = (tf_impact){.documents = n, .amount = amount};
    if (bson_iter_init_find(&iter, doc, "_id"))
        tf_id_set(&impact->owner, bson_iter_value(&iter));
    return true;
}

static bool count(const tf_engine *engine, tf_plan *plan, bson_t *sample_ids, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "count what matches");
    op.db = engine->store.repaired;
    _cleanup_(bson_destroyp) bson_t *pipeline = group_pipeline(plan->repair, plan->limit > 0);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("allowDiskUse", BCON_BOOL(true));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_aggregate(&op, plan->repair->collection, pipeline, opts);
    const bson_t *doc = NULL;
    uint32_t sampled = 0;
    int64_t position = 0;
    int got;
    if (engine->observer.progress)
        engine->observer.progress(engine->observer.arg, "plan", 0, 0);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        if (!read_group(plan, doc, sample_ids, &sampled, position++, err))
            return false;
    return got == 0;
}

/* ---- samples, sizes, times ---- */

/* The sample has one document of each owner; where there are fewer owners than samples asked for, further ones. */
static bool more_samples(const tf_engine *engine, tf_plan *plan, const bson_t *ids, int64_t shown, tf_error *err)
{
    int64_t lacking = shown - (int64_t)plan->samples_count;
    if (lacking <= 0 || plan->documents <= (int64_t)plan->samples_count)
        return true;
    tf_op op = tf_store_op(&engine->store, NULL, "read more samples");
    op.db = engine->store.repaired;
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("$and", "[", BCON_DOCUMENT(&plan->repair->filter), "{", "_id", "{", "$nin",
                                                       BCON_ARRAY(ids), "}", "}", "]");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(lacking));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, plan->repair->collection, filter, opts);
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        plan->samples[plan->samples_count++] = bson_copy(doc);
    return got == 0;
}

/* Reads a few affected documents: their mean size, how long one takes, and those to be shown. */
static bool sample(const tf_engine *engine, tf_plan *plan, const bson_t *ids, int64_t shown, int64_t *read_us, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "read a sample");
    op.db = engine->store.repaired;
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    int64_t begin = tf_clock_us(), bytes = 0, n = 0;
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, plan->repair->collection, filter, NULL);
    const bson_t *doc = NULL;
    int got;
    plan->samples = bson_malloc0(((size_t)shown + 1) * sizeof *plan->samples);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if ((int64_t)plan->samples_count < shown)
            plan->samples[plan->samples_count++] = bson_copy(doc);
        bytes += doc->len;
        n++;
    }
    *read_us = n ? (tf_clock_us() - begin) / n : 0;
    plan->bytes = n ? bytes / n * plan->documents : 0;
    return got == 0 && more_samples(engine, plan, ids, shown, err);
}

/* Documents per second of the newest completed run with the same strategy; 0 where none is readable. */
static double rate_from_history(const tf_engine *engine)
{
    const char *strategy = engine->settings.strategy ? engine->settings.strategy : "transaction";
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("migration", BCON_UTF8(engine->migration->id), "direction", BCON_UTF8("up"), "strategy",
                                                      BCON_UTF8(strategy), "documents_per_second", "{", "$gt", BCON_INT32(0), "}");
    tf_run *runs = NULL;
    size_t n = 0;
    tf_error ignored = {0};
    double rate = 0;
    bson_iter_t iter;
    if (tf_run_list(&engine->store, query, 1, &runs, &n, &ignored) && n && bson_iter_init_find(&iter, runs[0].doc, "documents_per_second"))
        rate = bson_iter_as_double(&iter);
    tf_runs_free(runs, n);
    return rate;
}

/* A run passes over the collection about five times (plan, ledger twice, the walk, what remains) and repairs each document. */
static void estimate(const tf_engine *engine, tf_plan *plan, int64_t pass_ms, int64_t read_us)
{
    double rate = rate_from_history(engine);
    bool journal = engine->settings.strategy && strcmp(engine->settings.strategy, "journal") == 0;
    int64_t factor = journal ? JOURNAL_FACTOR : TRANSACTION_FACTOR;
    plan->estimate_from_history = rate > 0;
    int64_t repair_ms = rate > 0 ? (int64_t)(1000.0 * (double)plan->documents / rate) : plan->documents * read_us * factor / 1000;
    plan->estimated_ms = plan->documents ? 5 * pass_ms + repair_ms : 0;
}

/* ---- risk ---- */

__attribute__((format(printf, 2, 3))) static void reason(tf_plan *plan, const char *format, ...)
{
    va_list args;
    if (plan->reasons_count == sizeof plan->reasons / sizeof *plan->reasons)
        return;
    va_start(args, format);
    vsnprintf(plan->reasons[plan->reasons_count++], sizeof plan->reasons[0], format, args);
    va_end(args);
}

/* Source of the limits: docs/data.md, "Health and risk". */
static void judge(tf_plan *plan)
{
    const char *noun = plan->repair->noun, *level = "low";
    if (plan->documents > 10000) {
        level = "high";
        reason(plan, "more than 10,000 %ss", noun);
    } else if (plan->documents > 1000) {
        level = "medium";
        reason(plan, "more than 1,000 %ss", noun);
    }
    if (plan->owners > 1000) {
        if (strcmp(level, "low") == 0)
            level = "medium";
        reason(plan, "more than 1,000 owners");
    }
    if (plan->odd)
        reason(plan, "%lld %ss have an amount that cannot be counted", (long long)plan->odd, noun);
    if (plan->reasons_count == 0)
        reason(plan, "at most 1,000 %ss of at most 1,000 owners", noun);
    snprintf(plan->risk, sizeof plan->risk, "%s", level);
}

static bool list_odd(const tf_engine *engine, tf_plan *plan, tf_error *err)
{
    plan->odd_ids = bson_new();
    if (plan->odd == 0)
        return true;
    tf_op op = tf_store_op(&engine->store, NULL, "list the amounts that cannot be counted");
    op.db = engine->store.repaired;
    _cleanup_bson_ bson_t expr = BSON_INITIALIZER;
    bson_iter_t iter;
    append_is_odd(plan->repair, &expr);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("$and", "[", BCON_DOCUMENT(&plan->repair->filter), "{", "$expr", BCON_DOCUMENT(&expr), "}", "]");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(ODD_LISTED), "projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, plan->repair->collection, filter, opts);
    const bson_t *doc = NULL;
    uint32_t n = 0;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        if (bson_iter_init_find(&iter, doc, "_id"))
            tf_array_append_value(plan->odd_ids, &n, bson_iter_value(&iter));
    return got == 0;
}

/* Nothing to repair, or nothing there? A wrong --db must not read like good health. */
static bool look_whether_empty(const tf_engine *engine, tf_plan *plan, tf_error *err)
{
    if (plan->documents > 0)
        return true;
    tf_op op = tf_store_op(&engine->store, NULL, "look for a document");
    op.db = engine->store.repaired;
    _cleanup_bson_ bson_t all = BSON_INITIALIZER, any = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    int got = tf_cursor_one(tf_op_find(&op, plan->repair->collection, &all, opts), &op, &any, err);
    plan->empty = got == 0;
    return got >= 0;
}

bool tf_plan_make(const tf_engine *engine, int64_t limit, int64_t offset, int64_t samples, tf_plan *out, tf_error *err)
{
    tf_plan plan = {.limit = limit, .offset = offset};
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    int64_t begin = tf_clock_ms(), read_us = 0;
    plan.repair = tf_repair_parse(engine->migration->repair, err);
    bool ok = plan.repair && count(engine, &plan, &ids, err);
    int64_t pass_ms = tf_clock_ms() - begin;
    ok = ok && sample(engine, &plan, &ids, samples, &read_us, err) && list_odd(engine, &plan, err) &&
         look_whether_empty(engine, &plan, err);
    if (!ok) {
        tf_plan_done(&plan);
        return false;
    }
    estimate(engine, &plan, pass_ms, read_us);
    judge(&plan);
    *out = plan;
    return true;
}
