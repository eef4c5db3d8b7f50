#include "engine/walk.h"

#include "base/clock.h"
#include "base/stop.h"
#include "db/failure.h"
#include "db/txn.h"

#include <tokenfix/cleanup.h>

/* A chosen size is taken at its word up to 4 MB: what a batch holds is in memory three times. */
enum { BATCH_BYTES = 1 << 20, BATCH_BYTES_MOST = 4 << 20, FRESH_MS = 500 };

struct tf_walk {
    tf_context *context;
    const tf_partition *partition;
    mongoc_cursor_t *cursor;
    tf_op op;
    bool ended;
    bool whole;    /* the journal's: the documents themselves, a batch at a time, so that they need not be read twice */
    size_t mean;   /* whole: bytes of a document, as far as is known */
    int64_t since; /* whole: when they were asked for, monotonic */
    tf_docs queue; /* {_id, size}, or whole documents */
    size_t head;
};

tf_walk *tf_walk_open(tf_context *context, const tf_partition *partition)
{
    tf_walk *walk = bson_malloc0(sizeof *walk);
    walk->context = context;
    walk->partition = partition;
    walk->whole = context->journal;
    if (context->batch_bytes == 0)
        context->batch_bytes = context->batch_size ? BATCH_BYTES_MOST : BATCH_BYTES;
    walk->op = (tf_op){.client = context->store.client, .db = context->store.repaired, .what = "find the next candidates"};
    return walk;
}

static void close_cursor(tf_walk *walk)
{
    if (walk->cursor)
        mongoc_cursor_destroy(walk->cursor);
    walk->cursor = NULL;
}

void tf_walk_close(tf_walk *walk)
{
    if (!walk)
        return;
    close_cursor(walk);
    tf_docs_done(&walk->queue);
    free(walk);
}

void tf_walk_closep(tf_walk **walk)
{
    tf_walk_close(*walk);
    *walk = NULL;
}

static void append_order(const tf_walk *walk, size_t count, bson_t *opts)
{
    BCON_APPEND(opts, "sort", "{", "_id", BCON_INT32(1), "}", "allowDiskUse", BCON_BOOL(true));
    if (walk->whole)
        BCON_APPEND(opts, "limit", BCON_INT64((int64_t)count), "batchSize", BCON_INT64((int64_t)count));
    else
        BCON_APPEND(opts, "batchSize", BCON_INT64(2000), "projection", "{", "_id", BCON_INT32(1), "size", "{", "$bsonSize",
                    BCON_UTF8("$$ROOT"), "}", "}");
}

/* Behind the last candidate seen, else the partition's cursor, else its lower bound. */
static void open_cursor(tf_walk *walk, size_t count)
{
    const tf_partition *p = walk->partition;
    const tf_repair *repair = walk->context->lineage->repair;
    bson_value_t after = tf_id_is_open(&p->cursor) ? p->bounds.after : p->cursor;
    if (walk->queue.count > walk->head) {
        bson_t doc;
        tf_docs_view(&walk->queue, walk->queue.count - 1, &doc);
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, &doc, "_id"))
            bson_value_copy(bson_iter_value(&iter), &after);
    }
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_range_append(&conditions, &n, &after, &p->bounds.upto);
    if (walk->queue.count > walk->head)
        bson_value_destroy(&after);
    tf_array_append_document(&conditions, &n, &repair->filter);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("$and", BCON_ARRAY(&conditions));
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    append_order(walk, count, &opts);
    close_cursor(walk);
    walk->cursor = tf_op_find(&walk->op, repair->collection, filter, &opts);
}

static int next(tf_walk *walk, size_t count, const bson_t **doc, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (!walk->cursor)
            open_cursor(walk, count);
        int got = tf_cursor_next(walk->cursor, &walk->op, doc, &one);
        if (got >= 0)
            return got;
        bool cursor_gone = one.server_code == 43 || one.server_code == 237 || one.server_code == 175;
        if ((!cursor_gone && !tf_failure_is_transient(&one)) || tf_clock_ms() > give_up ||
            tf_stop_level() >= 2) {
            *err = one;
            return -1;
        }
        close_cursor(walk);
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
}

/* The queue is moved to the front of its buffer before it grows. */
static void compact(tf_walk *walk)
{
    if (walk->head == 0)
        return;
    tf_docs rest = {0};
    for (size_t i = walk->head; i < walk->queue.count; i++) {
        bson_t doc;
        tf_docs_view(&walk->queue, i, &doc);
        tf_docs_add(&rest, &doc);
    }
    tf_docs_done(&walk->queue);
    walk->queue = rest;
    walk->head = 0;
}

/* No more than the next batch takes: the rest of it would be old by then, or make a small batch of its own. */
static size_t fitting(const tf_walk *walk, size_t count)
{
    size_t fit = walk->mean ? walk->context->batch_bytes / 8 * 7 / walk->mean : count;
    return fit < 1 ? 1 : fit < count ? fit : count;
}

/* A plan that sorts what an index gave can hand out a document twice that was moved in that index meanwhile. */
static bool is_the_last(const tf_walk *walk, const bson_t *doc)
{
    bson_t last;
    if (walk->queue.count == 0)
        return false;
    tf_docs_view(&walk->queue, walk->queue.count - 1, &last);
    return tf_doc_same_id(&last, doc);
}

static bool read_more(tf_walk *walk, size_t count, tf_error *err)
{
    const bson_t *doc = NULL;
    while (!walk->ended && walk->queue.count - walk->head < count && walk->queue.length < BATCH_BYTES_MOST) {
        int got = next(walk, count, &doc, err);
        if (got < 0)
            return false;
        if (got == 0)
            walk->ended = true;
        else if (!is_the_last(walk, doc))
            tf_docs_add(&walk->queue, doc);
    }
    return true;
}

/* What the last batch left is taken first, be it old. */
static bool read_whole(tf_walk *walk, size_t count, tf_error *err)
{
    if (walk->ended || walk->queue.count > walk->head)
        return true;
    close_cursor(walk);
    walk->since = tf_clock_ms();
    bool ok = read_more(walk, fitting(walk, count), err);
    close_cursor(walk);
    if (walk->queue.count)
        walk->mean = walk->queue.length / walk->queue.count;
    return ok;
}

bool tf_walk_fill(tf_walk *walk, size_t count, tf_error *err)
{
    if (walk->whole)
        return read_whole(walk, count, err);
    if (walk->queue.count - walk->head < count && !walk->ended)
        compact(walk);
    return read_more(walk, count, err);
}

static size_t size_of(const tf_walk *walk, size_t i)
{
    bson_t doc;
    tf_docs_view(&walk->queue, i, &doc);
    bson_iter_t iter;
    if (walk->whole)
        return doc.len;
    return bson_iter_init_find(&iter, &doc, "size") ? (size_t)bson_iter_as_int64(&iter) : 0;
}

size_t tf_walk_ids(const tf_walk *walk, size_t count, bson_t *ids, bson_value_t *last)
{
    uint32_t n = 0;
    size_t bytes = 0;
    for (size_t i = walk->head; i < walk->queue.count && n < count; i++) {
        bytes += size_of(walk, i);
        if (n > 0 && bytes > walk->context->batch_bytes)
            break;
        bson_t doc;
        tf_docs_view(&walk->queue, i, &doc);
        bson_iter_t iter;
        if (!bson_iter_init_find(&iter, &doc, "_id"))
            break; /* cannot be: every document has one */
        tf_array_append_value(ids, &n, bson_iter_value(&iter));
    }
    if (n > 0) {
        bson_t doc;
        tf_docs_view(&walk->queue, walk->head + n - 1, &doc);
        bson_iter_t iter;
        if (bson_iter_init_find(&iter, &doc, "_id"))
            tf_id_set(last, bson_iter_value(&iter));
    }
    return n;
}

bool tf_walk_docs(const tf_walk *walk, size_t count, tf_docs *out)
{
    if (!walk->whole || tf_clock_ms() - walk->since > FRESH_MS)
        return false;
    tf_docs_clear(out);
    for (size_t i = walk->head; i < walk->queue.count && i < walk->head + count; i++) {
        bson_t doc;
        tf_docs_view(&walk->queue, i, &doc);
        tf_docs_add(out, &doc);
    }
    return true;
}

void tf_walk_drop(tf_walk *walk, size_t count)
{
    walk->head += count;
    if (walk->context->batch_bytes < BATCH_BYTES_MOST) /* that went well */
        walk->context->batch_bytes *= 2;
    if (walk->head >= walk->queue.count) {
        tf_docs_clear(&walk->queue);
        walk->head = 0;
    }
}
