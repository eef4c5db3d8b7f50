#include "check/prerequisite.h"

#include "base/clock.h"
#include "db/collection.h"
#include "db/operation.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

enum {
    RATE_SAMPLE = 20000, /* documents walked to estimate the speed of a pass */
    RATE_PATIENCE_MS = 2000,
    DEPTH = 40
};

/* In a transaction MongoDB 6.0 reads the catalog again for every index of every updated document: 100,000 documents with
 * 12 indexes took 40 s inside and 10 s outside of transactions, 25 µs for each. */
static const double catalog_us = 25;
enum { NOTABLE_COST_MS = 60000 };

/* ---- the plan of the filter ---- */

typedef struct plan {
    bool scan;       /* a collection scan is part of it */
    char index[128]; /* the index it uses */
} plan;

static void read_plan(const bson_iter_t *from, int depth, plan *out)
{
    bson_iter_t at;
    if (depth == 0 || !bson_iter_recurse(from, &at))
        return;
    while (bson_iter_next(&at)) {
        const char *key = bson_iter_key(&at), *text = BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : NULL;
        if (text && strcmp(key, "stage") == 0 && strcmp(text, "COLLSCAN") == 0)
            out->scan = true;
        else if (text && strcmp(key, "indexName") == 0)
            snprintf(out->index, sizeof out->index, "%s", text);
        else if (BSON_ITER_HOLDS_DOCUMENT(&at) || BSON_ITER_HOLDS_ARRAY(&at))
            if (strcmp(key, "rejectedPlans") != 0 && strcmp(key, "slotBasedPlan") != 0)
                read_plan(&at, depth - 1, out);
    }
}

static bool explain(const tf_prerequisite_input *input, plan *out, tf_error *err)
{
    tf_op op = {
        .client = input->client->client, .db = input->client->db, .what = "ask how the filter would be answered"};
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("explain", "{", "find", BCON_UTF8(input->repair->collection), "filter",
                 BCON_DOCUMENT(&input->repair->filter), "}", "verbosity", BCON_UTF8("queryPlanner"));
    bson_iter_t iter, at;
    if (!tf_op_command(&op, command, &reply, err))
        return false;
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "queryPlanner.winningPlan", &at))
        read_plan(&at, DEPTH, out);
    return true;
}

/* ---- what a pass costs ---- */

/* By the collection's metadata. */
static bool count_documents(const tf_prerequisite_input *input, int64_t *n, tf_error *err)
{
    tf_op op = {.client = input->client->client, .db = input->client->db, .what = "count the documents"};
    return tf_collection_count(&op, input->repair->collection, n, err);
}

/* Milliseconds a pass over n documents takes, after the first of them; -1 where that cannot be measured. */
static int64_t pass_ms(const tf_prerequisite_input *input, int64_t n)
{
    tf_op op = {.client = input->client->client,
                .db = input->client->db,
                .what = "measure a pass",
                .local = true,
                .max_time_ms = RATE_PATIENCE_MS};
    _cleanup_bson_ bson_t pipeline = BSON_INITIALIZER, reply = BSON_INITIALIZER;
    int64_t walked = n < RATE_SAMPLE ? n : RATE_SAMPLE;
    tf_error ignored = {0};
    BCON_APPEND(&pipeline, "0", "{", "$limit", BCON_INT32(RATE_SAMPLE), "}", "1", "{", "$match",
                BCON_DOCUMENT(&input->repair->filter), "}", "2", "{", "$count", "n", "}");
    int64_t begun = tf_clock_us();
    if (tf_cursor_one(tf_op_aggregate(&op, input->repair->collection, &pipeline, NULL), &op, &reply, &ignored) < 0)
        return -1;
    int64_t us = tf_clock_us() - begun;
    return walked ? (int64_t)((double)us / (double)walked * (double)n / 1000) : 0;
}

static void judge_scan(const tf_prerequisite_input *input, int64_t n, tf_prerequisite_list *list)
{
    static const char hint[] =
        "Nothing needs to be done: preview and up walk the collection once each. For one repair an "
        "index is rarely worth its cost.";
    int64_t ms = pass_ms(input, n);
    if (n == 0)
        tf_prerequisite_ok(list, "index", "the collection is empty");
    else if (ms < 0)
        tf_prerequisite_warn(list, "index", hint,
                             "no index begins with a filter field: one pass over %" PRId64 " documents", n);
    else if (ms < 1000)
        tf_prerequisite_warn(
            list, "index", hint,
            "no index begins with a filter field: one pass over %" PRId64 " documents, less than a second", n);
    else
        tf_prerequisite_warn(list, "index", hint,
                             "no index begins with a filter field: one pass over %" PRId64 " documents, about %" PRId64
                             " s",
                             n, (ms + 500) / 1000);
}

bool tf_prerequisite_index(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    plan found = {0};
    int64_t n = 0;
    tf_error one = {0};
    if (!explain(input, &found, &one) || (found.scan && !count_documents(input, &n, &one)))
        return tf_prerequisite_unseen(list, "index", &one, err);
    if (found.scan)
        judge_scan(input, n, list);
    else if (found.index[0])
        tf_prerequisite_ok(list, "index", "index %s serves the filter", found.index);
    else
        tf_prerequisite_ok(list, "index", "the collection is empty");
    return true;
}

/* ---- the indexes that the update changes ---- */

static bool key_is_touched(const tf_repair *repair, const char *path)
{
    char top[128];
    size_t length = strcspn(path, ".");
    if (strstr(path, "$**"))
        return true;
    snprintf(top, sizeof top, "%.*s", (int)(length < sizeof top ? length : sizeof top - 1), path);
    return tf_repair_touches(repair, top);
}

/* A partial index changes with the fields of its condition too. */
static bool index_is_touched(const tf_repair *repair, const bson_iter_t *index)
{
    static const char *const parts[] = {"key", "partialFilterExpression"};
    for (size_t i = 0; i < 2; i++) {
        bson_iter_t at, key;
        if (!bson_iter_recurse(index, &at) || !bson_iter_find(&at, parts[i]) || !bson_iter_recurse(&at, &key))
            continue;
        while (bson_iter_next(&key))
            if (key_is_touched(repair, bson_iter_key(&key)) || bson_iter_key(&key)[0] == '$')
                return true;
    }
    return false;
}

typedef struct cost {
    int all, touched;
    char expiring[128]; /* an index by which the server deletes what was repaired; empty: none */
} cost;

static void judge_index(const tf_prerequisite_input *input, const bson_iter_t *index, cost *out)
{
    bson_iter_t at;
    bool touched = index_is_touched(input->repair, index);
    out->all++;
    out->touched += touched;
    if (!touched || !bson_iter_recurse(index, &at) || !bson_iter_find(&at, "expireAfterSeconds"))
        return;
    if (bson_iter_recurse(index, &at) && bson_iter_find(&at, "name") && BSON_ITER_HOLDS_UTF8(&at))
        snprintf(out->expiring, sizeof out->expiring, "%s", bson_iter_utf8(&at, NULL));
}

static bool count_indexes(const tf_prerequisite_input *input, cost *out, tf_error *err)
{
    tf_op op = {.client = input->client->client, .db = input->client->db, .what = "list the indexes"};
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("listIndexes", BCON_UTF8(input->repair->collection));
    bson_iter_t iter, at, index;
    if (!tf_op_command(&op, command, &reply, err))
        return false;
    /* a collection has at most 64: they come in one batch */
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &at) &&
        bson_iter_recurse(&at, &index))
        while (bson_iter_next(&index))
            judge_index(input, &index, out);
    return true;
}

bool tf_prerequisite_index_cost(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    cost indexes = {0};
    tf_error one = {0};
    bool journal = input->strategy && strcmp(input->strategy, "journal") == 0;
    if (!count_indexes(input, &indexes, &one)) {
        enum { NAMESPACE_NOT_FOUND = 26 };
        if (one.server_code != NAMESPACE_NOT_FOUND)
            return tf_prerequisite_unseen(list, "index_cost", &one, err);
        tf_prerequisite_ok(list, "index_cost", "there are no indexes");
        return true;
    }
    int64_t cost_ms =
        journal || input->documents < 0 ? 0 : (int64_t)((double)input->documents * indexes.all * catalog_us / 1000);
    if (indexes.expiring[0])
        tf_prerequisite_warn(list, "index_cost",
                             "Drop that index before the repair, or be sure that losing the repaired documents is meant: "
                             "'down --recreate-deleted' gives back what the server deleted.",
                             "the server deletes documents by index %s, and the update changes what it goes by", indexes.expiring);
    else if (cost_ms >= NOTABLE_COST_MS)
        tf_prerequisite_warn(
            list, "index_cost",
            "Nothing needs to be done if that time is there. --strategy journal is faster but promises less.",
            "the update changes %d of %d indexes; in transactions they cost about %" PRId64 " s for %" PRId64
            " documents",
            indexes.touched, indexes.all, cost_ms / 1000, input->documents);
    else
        tf_prerequisite_ok(list, "index_cost", "the update changes %d of %d index%s", indexes.touched, indexes.all,
                           indexes.all == 1 ? "" : "es");
    return true;
}
