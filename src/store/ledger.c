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
