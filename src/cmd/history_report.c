#include "cmd/history_report.h"

#include <tokenfix/cleanup.h>

#include "base/hash.h"
#include "base/number.h"
#include "cmd/sheet.h"
#include "cmd/trail_report.h"
#include "db/id.h"
#include "report/format.h"
#include "store/event.h"

enum { HASH_SHOWN = 12, TEXT_MAX = 1024 };

/* ---- reading ---- */

static bool collect(mongoc_cursor_t *cursor, const tf_op *op, bson_t ***docs, size_t *count, tf_error *err)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *owned = cursor;
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(owned, op, &doc, err)) == 1) {
        *docs = bson_realloc(*docs, (*count + 1) * sizeof **docs);
        (*docs)[(*count)++] = bson_copy(doc);
    }
    return got == 0;
}

static bool count_batches(const tf_store *store, const char *run, int64_t *total, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "count the batches");
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(run), "}", "}", "1", "{", "$count", BCON_UTF8("n"), "}");
    bson_iter_t iter;
    int got =
        tf_cursor_one(tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, NULL), &op, &reply, err);
    *total = got == 1 && bson_iter_init_find(&iter, &reply, "n") ? bson_iter_as_int64(&iter) : 0;
    return got >= 0;
}

bool tf_history_read(const tf_store *store, const tf_run *run, int64_t limit, int64_t offset, tf_history *out,
                     tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the batches");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("run", BCON_UTF8(run->id));
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "partition", BCON_INT32(1), "seq", BCON_INT32(1), "}",
                                                     "limit", BCON_INT64(limit), "skip", BCON_INT64(offset));
    tf_terms_of_run(run->doc, &out->terms);
    out->offset = offset;
    return count_batches(store, run->id, &out->batches_total, err) &&
           collect(tf_op_find(&op, tf_store_name(store, TF_BATCHES).text, filter, opts), &op, &out->batches,
                   &out->batches_count, err) &&
           collect(tf_event_find(store, run->id), &op, &out->events, &out->events_count, err);
}

static void free_all(bson_t **docs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bson_destroy(docs[i]);
    bson_free(docs);
}

void tf_history_done(tf_history *history)
{
    free_all(history->batches, history->batches_count);
    free_all(history->events, history->events_count);
    *history = (tf_history){0};
}

/* ---- fields ---- */

static bool find(const bson_t *doc, const char *path, bson_iter_t *found)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, found);
}

static int64_t number_at(const bson_t *doc, const char *path)
{
    bson_iter_t found;
    if (!find(doc, path, &found))
        return 0;
    return BSON_ITER_HOLDS_DATE_TIME(&found) ? bson_iter_date_time(&found) : bson_iter_as_int64(&found);
}

static const char *text_at(const bson_t *doc, const char *path)
{
    bson_iter_t found;
    return find(doc, path, &found) && BSON_ITER_HOLDS_UTF8(&found) ? bson_iter_utf8(&found, NULL) : "";
}

/* A SHA-256 in hexadecimal; empty where there is none. */
static const char *hash_at(const bson_t *doc, const char *path, char out[static 65])
{
    bson_iter_t found;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    out[0] = '\0';
    if (!find(doc, path, &found) || !BSON_ITER_HOLDS_BINARY(&found))
        return out;
    bson_iter_binary(&found, NULL, &length, &data);
    if (length == 32)
        tf_hex(data, length, out);
    return out;
}

static const char *const counts[] = {"applied",   "gone",    "refused", "overtaken",
                                     "conflicts", "already", "deleted", "recreated"};

static int64_t left_alone(const bson_t *batch)
{
    return tf_number_sum(tf_number_sum(number_at(batch, "counts.refused"), number_at(batch, "counts.overtaken")),
                         number_at(batch, "counts.conflicts"));
}

/* ---- data ---- */

static void append_batch(const tf_history *history, const bson_t *batch, bson_t *out)
{
    char hash[65];
    BSON_APPEND_INT64(out, "partition", number_at(batch, "partition"));
    BSON_APPEND_INT64(out, "seq", number_at(batch, "seq"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char path[32];
        snprintf(path, sizeof path, "counts.%s", counts[i]);
        BSON_APPEND_INT64(out, counts[i], number_at(batch, path));
    }
    tf_terms_append_amount(&history->terms, out, "totalAmount", number_at(batch, "amount"));
    tf_append_text(out, "hash", hash_at(batch, "hash", hash));
    tf_append_text(out, "previous", hash_at(batch, "previous", hash));
}

void tf_history_append(const tf_history *history, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_INT64(out, "batchesTotal", history->batches_total);
    BSON_APPEND_INT64(out, "offset", history->offset);
    BSON_APPEND_ARRAY_BEGIN(out, "batchList", &array);
    for (size_t i = 0; i < history->batches_count; i++) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        append_batch(history, history->batches[i], &one);
        tf_array_append_document(&array, &n, &one);
    }
    bson_append_array_end(out, &array);
    n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "events", &array);
    for (size_t i = 0; i < history->events_count; i++) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        tf_event_append_fields(history->events[i], &one);
        tf_array_append_document(&array, &n, &one);
    }
    bson_append_array_end(out, &array);
}

/* ---- text ---- */

static void print_batches(const tf_history *history)
{
    char amount[48];
    snprintf(amount, sizeof amount, history->terms.unit[0] ? "amount, %s" : "amount%s", history->terms.unit);
    const tf_column columns[] = {{"partition", "part", TF_COLUMN_COUNT, 0},      {"seq", "batch", TF_COLUMN_COUNT, 0},
                                 {"documents", "documents", TF_COLUMN_COUNT, 0}, {"gone", "gone", TF_COLUMN_COUNT, 0},
                                 {"left", "left", TF_COLUMN_COUNT, 0},           {"amount", amount, TF_COLUMN_COUNT, 0},
                                 {"hash", "SHA-256", TF_COLUMN_TEXT, 0},         {NULL, NULL, TF_COLUMN_TEXT, 0}};
    if (history->batches_count == 0)
        return;
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < history->batches_count; i++) {
        const bson_t *batch = history->batches[i];
        char hash[65] = "";
        int64_t gone = number_at(batch, "counts.gone"), left = left_alone(batch);
        hash_at(batch, "hash", hash);
        hash[HASH_SHOWN] = '\0';
        tf_table_add(table, TF_CELL_NUMBER(number_at(batch, "partition")), TF_CELL_NUMBER(number_at(batch, "seq")),
                     TF_CELL_NUMBER(number_at(batch, "counts.applied")), gone ? TF_CELL_NUMBER(gone) : TF_CELL_NONE,
                     left ? TF_CELL_NUMBER(left) : TF_CELL_NONE,
                     TF_CELL_TEXT(TF_NUMBER(&history->terms, number_at(batch, "amount"))), TF_CELL_TEXT(hash));
    }
    printf("\nBatches %s to %s of %s\n", TF_COUNT(history->offset + 1),
           TF_COUNT(history->offset + (int64_t)history->batches_count), TF_COUNT(history->batches_total));
    tf_table_print(table, stdout);
}

static void print_events(const tf_history *history)
{
    static const tf_column columns[] = {{"at", "time", TF_COLUMN_TIME, 0},
                                        {"type", "event", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"data", "", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    if (history->events_count == 0)
        return;
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < history->events_count; i++) {
        char data[TEXT_MAX];
        tf_table_add(table, TF_CELL_NUMBER(number_at(history->events[i], "at")),
                     TF_CELL_TEXT(text_at(history->events[i], "type")),
                     TF_CELL_TEXT(tf_event_text(history->events[i], data, sizeof data)));
    }
    printf("\nEvents\n");
    tf_table_print(table, stdout);
}

void tf_history_print(const tf_history *history)
{
    print_batches(history);
    print_events(history);
}
