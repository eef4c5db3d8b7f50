#include "store/ledger.h"

#include "base/field.h"
#include "db/failure.h"
#include "db/id.h"

#include <tokenfix/cleanup.h>

static bool has_dollar_name(const bson_iter_t *at)
{
    bson_iter_t iter;
    if ((!BSON_ITER_HOLDS_DOCUMENT(at) && !BSON_ITER_HOLDS_ARRAY(at)) || !bson_iter_recurse(at, &iter))
        return false;
    while (bson_iter_next(&iter))
        if (*bson_iter_key(&iter) == '$' || has_dollar_name(&iter))
            return true;
    return false;
}

void tf_ledger_key(const char *run, const bson_t *owner, bson_t *key)
{
    bson_iter_t iter;
    bool odd = false;
    BSON_APPEND_UTF8(key, "run", run);
    if (bson_iter_init(&iter, owner))
        while (!odd && bson_iter_next(&iter))
            odd = has_dollar_name(&iter);
    if (odd)
        BSON_APPEND_BINARY(key, "owner", BSON_SUBTYPE_BINARY, bson_get_data(owner), owner->len);
    else
        BSON_APPEND_DOCUMENT(key, "owner", owner);
}

bool tf_ledger_owner(const bson_t *row, bson_t *owner)
{
    bson_iter_t iter, at;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (!bson_iter_init_find(&iter, row, "_id") || !bson_iter_recurse(&iter, &at) || !bson_iter_find(&at, "owner"))
        return false;
    if (BSON_ITER_HOLDS_DOCUMENT(&at))
        bson_iter_document(&at, &length, &data);
    else if (BSON_ITER_HOLDS_BINARY(&at))
        bson_iter_binary(&at, NULL, &length, &data);
    return data && bson_init_static(owner, data, length);
}

/* A first writing is an insert; what stands there already (a planning that was interrupted) is kept, what is missing added. */
static bool insert_all(const tf_store *store, const char *run, const char *phase, const tf_docs *accounts, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "write the ledger");
    tf_docs docs = {0};
    for (size_t i = 0; i < accounts->count; i++) {
        bson_t account, owner, sums;
        tf_docs_view(accounts, i, &account);
        _cleanup_bson_ bson_t key = BSON_INITIALIZER, doc = BSON_INITIALIZER;
        if (!tf_field_view(&account, "owner", &owner) || !tf_field_view(&account, "sums", &sums))
            continue;
        tf_ledger_key(run, &owner, &key);
        BSON_APPEND_DOCUMENT(&doc, "_id", &key);
        BSON_APPEND_UTF8(&doc, "run", run);
        BSON_APPEND_ARRAY(&doc, phase, &sums);
        tf_docs_add(&docs, &doc);
    }
    bool ok = tf_op_insert_docs(&op, tf_store_name(store, TF_LEDGER).text, &docs, err);
    tf_docs_done(&docs);
    return ok;
}

static bool set_all(const tf_store *store, const char *run, const char *phase, const tf_docs *accounts, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "write the ledger");
    _cleanup_bson_ bson_t command = BSON_INITIALIZER, statements = BSON_INITIALIZER;
    /* who planned before us recorded what stood there before the first batch; a former owner's late word changes nothing */
    const char *operator= strcmp(phase, "before") == 0 ? "$setOnInsert" : "$set";
    uint32_t n = 0;
    for (size_t i = 0; i < accounts->count; i++) {
        bson_t account, owner, sums;
        tf_docs_view(accounts, i, &account);
        _cleanup_bson_ bson_t key = BSON_INITIALIZER;
        if (!tf_field_view(&account, "owner", &owner) || !tf_field_view(&account, "sums", &sums))
            continue;
        tf_ledger_key(run, &owner, &key);
        _cleanup_(bson_destroyp) bson_t *statement =
            BCON_NEW("q", "{", "_id", BCON_DOCUMENT(&key), "}", "u", "{", operator, "{", phase, BCON_ARRAY(&sums), "run", BCON_UTF8(run),
                     "}", "}", "upsert", BCON_BOOL(true));
        tf_array_append_document(&statements, &n, statement);
    }
    BSON_APPEND_UTF8(&command, "update", tf_store_name(store, TF_LEDGER).text);
    BSON_APPEND_ARRAY(&command, "updates", &statements);
    BSON_APPEND_BOOL(&command, "ordered", false);
    return n == 0 || tf_store_write_patiently(&op, &command, err); /* set twice is set once */
}

bool tf_ledger_write(const tf_store *store, const char *run, const char *phase, const tf_docs *accounts, tf_error *err)
{
    tf_error one = {0};
    if (strcmp(phase, "before") == 0) {
        if (insert_all(store, run, phase, accounts, &one))
            return true;
        if (one.server_code != TF_CODE_DUPLICATE_KEY && !tf_failure_is_transient(&one)) {
            *err = one;
            return false;
        }
    }
    return set_all(store, run, phase, accounts, err);
}

mongoc_cursor_t *tf_ledger_find(const tf_store *store, const bson_t *keys)
{
    tf_op op = tf_store_op(store, NULL, "read the ledger");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(keys), "}");
    return tf_op_find(&op, tf_store_name(store, TF_LEDGER).text, filter, NULL);
}

mongoc_cursor_t *tf_ledger_all(const tf_store *store, const char *run)
{
    tf_op op = tf_store_op(store, NULL, "read the ledger");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("run", BCON_UTF8(run));
    return tf_op_find(&op, tf_store_name(store, TF_LEDGER).text, filter, NULL);
}

int tf_ledger_has(const tf_store *store, const char *run, const char *phase, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the ledger");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("run", BCON_UTF8(run), phase, "{", "$exists", BCON_BOOL(true), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_bson_ bson_t first = BSON_INITIALIZER;
    return tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_LEDGER).text, filter, opts), &op, &first, err);
}

/* ---- page by page ---- */

enum { PAGE = 1000 };

/* The bounds of what is still to be read. Keys are compared field by field: the type first, then the name, then the value; so
 * {npub: "x"} stands before all accounts of that user, and {npub: "x", ~: MaxKey} behind them. */
static void append_bounds(const tf_ledger_reader *r, bson_t *id)
{
    bson_t low, high, owner;
    bool one = r->value && !r->binaries;
    if (r->last)
        BSON_APPEND_DOCUMENT(id, "$gt", r->last);
    else {
        BSON_APPEND_DOCUMENT_BEGIN(id, "$gte", &low);
        BSON_APPEND_UTF8(&low, "run", r->run);
        if (r->binaries)
            BSON_APPEND_BINARY(&low, "owner", BSON_SUBTYPE_BINARY, (const uint8_t *)"", 0);
        else if (one) {
            BSON_APPEND_DOCUMENT_BEGIN(&low, "owner", &owner);
            BSON_APPEND_UTF8(&owner, r->name, r->value);
            bson_append_document_end(&low, &owner);
        } else
            BSON_APPEND_MINKEY(&low, "owner");
        bson_append_document_end(id, &low);
    }
    BSON_APPEND_DOCUMENT_BEGIN(id, "$lte", &high);
    BSON_APPEND_UTF8(&high, "run", r->run);
    if (one) {
        BSON_APPEND_DOCUMENT_BEGIN(&high, "owner", &owner);
        BSON_APPEND_UTF8(&owner, r->name, r->value);
        BSON_APPEND_MAXKEY(&owner, "~");
        bson_append_document_end(&high, &owner);
    } else
        BSON_APPEND_MAXKEY(&high, "owner");
    bson_append_document_end(id, &high);
}

static bool read_page(tf_ledger_reader *r, tf_error *err)
{
    tf_op op = tf_store_op(r->store, NULL, "read the ledger");
    _cleanup_bson_ bson_t bounds = BSON_INITIALIZER;
    append_bounds(r, &bounds);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_DOCUMENT(&bounds));
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(PAGE), "hint", "{",
                                                     "_id", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_find(&op, tf_store_name(r->store, TF_LEDGER).text, filter, opts);
    const bson_t *doc = NULL;
    bson_t last, id;
    int got;
    tf_docs_clear(&r->page);
    r->next = 0;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        tf_docs_add(&r->page, doc);
    if (got < 0)
        return false;
    bool more = r->page.count == PAGE, again = !more && r->value && !r->binaries;
    bson_destroy(r->last);
    r->last = NULL;
    if (more) {
        tf_docs_view(&r->page, PAGE - 1, &last);
        if (!tf_field_view(&last, "_id", &id))
            return tf_error_set(err, TF_ERR_DAMAGED, "an account of the ledger has no key");
        r->last = bson_copy(&id);
    }
    r->ended = !more && !again;
    r->binaries = r->binaries || again;
    return true;
}

/* The server takes a text and a symbol for the same; and of those kept as binary only these are wanted. */
static bool is_wanted(const tf_ledger_reader *r, const bson_t *row)
{
    bson_t owner;
    bson_iter_t iter;
    return !r->value || (tf_ledger_owner(row, &owner) && bson_iter_init_find(&iter, &owner, r->name) && BSON_ITER_HOLDS_UTF8(&iter) &&
                         strcmp(bson_iter_utf8(&iter, NULL), r->value) == 0);
}

int tf_ledger_reader_next(tf_ledger_reader *reader, bson_t *row, tf_error *err)
{
    for (;;) {
        while (reader->next < reader->page.count) {
            tf_docs_view(&reader->page, reader->next++, row);
            if (is_wanted(reader, row))
                return 1;
        }
        if (reader->ended)
            return 0;
        if (!read_page(reader, err))
            return -1;
    }
}

void tf_ledger_reader_done(tf_ledger_reader *reader)
{
    tf_docs_done(&reader->page);
    bson_destroy(reader->last);
    reader->last = NULL;
}
