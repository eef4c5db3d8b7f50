#include "check/holding.h"

#include "check/amount.h"
#include "db/id.h"

#include <tokenfix/cleanup.h>

enum { STATUSES_MAX = 100 };

void tf_holding_done(tf_holding *holding)
{
    for (size_t i = 0; i < holding->rows_count; i++)
        bson_free(holding->rows[i].status);
    free(holding->rows);
    *holding = (tf_holding){0};
}

/* ---- the pipeline ---- */

/* By equality for the index's sake, which an array with such an element would pass; and exactly. */
static void append_owner(const char *path, const char *text, bson_t *match, bson_t *exactly, uint32_t *n)
{
    char field[300];
    snprintf(field, sizeof field, "$%s", path);
    BCON_APPEND(match, path, "{", "$eq", BCON_UTF8(text), "}");
    _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("$eq", "[", BCON_UTF8(field), "{", "$literal", BCON_UTF8(text), "}", "]");
    tf_array_append_document(exactly, n, one);
}

/* {n, amount, odd} for every status */
static bson_t *pipeline_of(const tf_repair *repair, const char *owner, const char *second)
{
    _cleanup_bson_ bson_t match = BSON_INITIALIZER, exactly = BSON_INITIALIZER, fields = BSON_INITIALIZER;
    char status[300];
    uint32_t n = 0;
    append_owner(repair->ledger.owner[0], owner, &match, &exactly, &n);
    if (second)
        append_owner(repair->ledger.owner[1], second, &match, &exactly, &n);
    BCON_APPEND(&match, "$expr", "{", "$and", BCON_ARRAY(&exactly), "}");
    snprintf(status, sizeof status, "$%s", repair->ledger.status);
    BSON_APPEND_INT32(&fields, "_id", 0);
    BSON_APPEND_UTF8(&fields, "s", status);
    tf_amount_expression(&fields, "a", repair->ledger.amount, repair->ledger.scale);
    return BCON_NEW("0", "{", "$match", BCON_DOCUMENT(&match), "}", "1", "{", "$project", BCON_DOCUMENT(&fields), "}", "2", "{", "$group",
                    "{", "_id", BCON_UTF8("$s"), "n", "{", "$sum", BCON_INT32(1), "}", "amount", "{", "$sum", BCON_UTF8("$a"), "}", "odd",
                    "{", "$sum", "{", "$cond", "[", "{", "$eq", "[", BCON_UTF8("$a"), BCON_NULL, "]", "}", BCON_INT32(1), BCON_INT32(0), "]",
                    "}", "}", "}", "}", "3", "{", "$sort", "{", "_id", BCON_INT32(1), "}", "}");
}

/* ---- its result ---- */

static void add_row(tf_holding *holding, const tf_repair *repair, const char *status)
{
    holding->rows = bson_realloc(holding->rows, (holding->rows_count + 1) * sizeof *holding->rows);
    holding->rows[holding->rows_count++] =
        (tf_holding_row){.status = bson_strdup(status), .counted = tf_repair_is_counted(repair, status)};
}

/* NULL: none of them. */
static tf_holding_row *row_of(tf_holding *holding, const tf_repair *repair, const bson_iter_t *status)
{
    uint32_t length = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(status) ? bson_iter_utf8(status, &length) : NULL;
    if (!text || strlen(text) != length)
        return NULL;
    for (size_t i = 0; i < holding->rows_count; i++)
        if (strcmp(holding->rows[i].status, text) == 0)
            return &holding->rows[i];
    if (repair->ledger.statuses[0] || holding->rows_count == STATUSES_MAX)
        return NULL;
    add_row(holding, repair, text);
    return &holding->rows[holding->rows_count - 1];
}

static int64_t number(const bson_t *doc, const char *name)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, name) ? bson_iter_as_int64(&iter) : 0;
}

static bool add_status(tf_holding *holding, const tf_repair *repair, const bson_t *doc, tf_error *err)
{
    bson_iter_t iter;
    int64_t n = number(doc, "n");
    tf_holding_row *row = bson_iter_init_find(&iter, doc, "_id") ? row_of(holding, repair, &iter) : NULL;
    holding->documents += n;
    holding->odd += number(doc, "odd");
    if (!row) {
        holding->others += n;
        return true;
    }
    row->documents = n;
    if (!row->counted || !bson_iter_init_find(&iter, doc, "amount"))
        return true;
    return tf_amount_read_sum(&iter, &row->amount, err) &&
           (!tf_repair_is_balance(repair, row->status) || tf_amount_add(&holding->balance, row->amount, err));
}

bool tf_holding_read(const tf_store *store, const tf_repair *repair, const char *owner, const char *second, tf_holding *out,
                     tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "add up a balance");
    op.db = store->repaired;
    _cleanup_(tf_holding_done) tf_holding holding = {0};
    for (const char **status = repair->ledger.statuses; *status; status++)
        add_row(&holding, repair, *status);
    _cleanup_(bson_destroyp) bson_t *pipeline = pipeline_of(repair, owner, second);
    /* owners are told apart by their bytes, whatever the collection's own collation says */
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("allowDiskUse", BCON_BOOL(true), "collation", "{", "locale", "simple", "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_aggregate(&op, repair->collection, pipeline, opts);
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        if (!add_status(&holding, repair, doc, err))
            return false;
    if (got < 0)
        return false;
    *out = holding;
    holding = (tf_holding){0};
    return true;
}
