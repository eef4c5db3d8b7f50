#include "store/store.h"

#include "base/clock.h"
#include "base/stop.h"
#include "db/failure.h"
#include "db/txn.h"

#include <tokenfix/cleanup.h>

void tf_store_init(tf_store *store, mongoc_client_t *client, const char *repaired, const char *state_db)
{
    *store = (tf_store){.client = client};
    snprintf(store->db, sizeof store->db, "%s", state_db);
    snprintf(store->repaired, sizeof store->repaired, "%s", repaired);
    if (strcmp(repaired, state_db) == 0)
        snprintf(store->prefix, sizeof store->prefix, "tokenfix_");
}

tf_name tf_store_name(const tf_store *store, const char *collection)
{
    tf_name name;
    snprintf(name.text, sizeof name.text, "%s%s", store->prefix, collection);
    return name;
}

tf_name tf_store_backup_name(const tf_store *store, const char *run)
{
    tf_name name;
    snprintf(name.text, sizeof name.text, "%sbackup_%s", store->prefix, run);
    return name;
}

tf_op tf_store_op(const tf_store *store, mongoc_client_session_t *session, const char *what)
{
    return (tf_op){.client = store->client, .session = session, .db = store->db, .comment = store->comment, .what = what,
                   .max_time_ms = store->max_time_ms,
                   .after = store->after};
}

static bool create_collection(const tf_store *store, const char *name, const bson_t *collation, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "create a collection of the state database");
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("create", BCON_UTF8(name));
    if (collation && !bson_empty(collation))
        BSON_APPEND_DOCUMENT(command, "collation", collation);
    tf_error one = {0};
    if (tf_store_write_patiently(&op, command, &one) || one.server_code == TF_CODE_NAMESPACE_EXISTS)
        return true;
    *err = err->code == TF_ERR_OK ? one : *err;
    return false;
}

static bool create_index(const tf_store *store, const char *collection, const bson_t *index, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "create an index of the state database");
    tf_name name = tf_store_name(store, collection);
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("createIndexes", BCON_UTF8(name.text), "indexes", "[", BCON_DOCUMENT(index), "]");
    return tf_store_write_patiently(&op, command, err); /* one that is there is left as it is */
}

bool tf_store_prepare(const tf_store *store, tf_error *err)
{
    static const char *const collections[] = {TF_RUNS, TF_PARTITIONS, TF_BATCHES, TF_LEDGER, TF_EVENTS};
    for (size_t i = 0; i < sizeof collections / sizeof *collections; i++)
        if (!create_collection(store, tf_store_name(store, collections[i]).text, NULL, err))
            return false;
    _cleanup_(bson_destroyp) bson_t *one_writer =
        BCON_NEW("key", "{", "db", BCON_INT32(1), "}", "name", "one_writing_run", "unique", BCON_BOOL(true),
                 "partialFilterExpression", "{", "active", BCON_BOOL(true), "}");
    _cleanup_(bson_destroyp) bson_t *in_order =
        BCON_NEW("key", "{", "db", BCON_INT32(1), "number", BCON_INT32(1), "}", "name", "in_order", "unique", BCON_BOOL(true),
                 "partialFilterExpression", "{", "number", "{", "$exists", BCON_BOOL(true), "}", "}");
    _cleanup_(bson_destroyp) bson_t *by_run =
        BCON_NEW("key", "{", "run", BCON_INT32(1), "partition", BCON_INT32(1), "seq", BCON_INT32(1), "}", "name", "by_run");
    _cleanup_(bson_destroyp) bson_t *partitions = BCON_NEW("key", "{", "run", BCON_INT32(1), "n", BCON_INT32(1), "}", "name", "by_run");
    _cleanup_(bson_destroyp) bson_t *ledger = BCON_NEW("key", "{", "run", BCON_INT32(1), "}", "name", "by_run");
    return create_index(store, TF_RUNS, one_writer, err) && create_index(store, TF_RUNS, in_order, err) &&
           create_index(store, TF_BATCHES, by_run, err) &&
           create_index(store, TF_PARTITIONS, partitions, err) &&
           create_index(store, TF_LEDGER, ledger, err); /* none of the events: who may index them may let them expire */
}

bool tf_store_create_backup(const tf_store *store, const char *run, const bson_t *collation, tf_error *err)
{
    return create_collection(store, tf_store_backup_name(store, run).text, collation, err);
}

bool tf_store_update(const tf_store *store, mongoc_client_session_t *session, const char *collection, const bson_t *query,
                     const bson_t *update, int64_t *matched, const char *what, tf_error *err)
{
    tf_op op = tf_store_op(store, session, what);
    tf_name name = tf_store_name(store, collection);
    if (!session)
        return tf_op_update_one(&op, name.text, query, update, matched, err);
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    bson_t updates, statement;
    bson_iter_t iter;
    BSON_APPEND_UTF8(&command, "update", name.text);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &updates);
    BSON_APPEND_DOCUMENT_BEGIN(&updates, "0", &statement);
    BSON_APPEND_DOCUMENT(&statement, "q", query);
    /* a pipeline comes as an array: its first key is "0" */
    if (bson_iter_init(&iter, update) && bson_iter_next(&iter) && strcmp(bson_iter_key(&iter), "0") == 0)
        BSON_APPEND_ARRAY(&statement, "u", update);
    else
        BSON_APPEND_DOCUMENT(&statement, "u", update);
    bson_append_document_end(&updates, &statement);
    bson_append_array_end(&command, &updates);
    return tf_op_write(&op, &command, matched, NULL, err);
}

/* After a failure: waits, and says whether to try again. */
static bool may_repeat(const tf_error *failure, int n, int64_t give_up, tf_error *err)
{
    if (!tf_failure_is_transient(failure) || tf_clock_ms() > give_up || tf_stop_level() >= 2) {
        if (err->code == TF_ERR_OK)
            *err = *failure;
        return false;
    }
    tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    return true;
}

bool tf_store_update_patiently(const tf_store *store, const char *collection, const bson_t *query, const bson_t *again,
                               const bson_t *update, int64_t *matched, const char *what, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (tf_store_update(store, NULL, collection, n > 1 && again ? again : query, update, matched, what, &one))
            return true;
        if (!may_repeat(&one, n, give_up, err))
            return false;
    }
}

bool tf_store_write_patiently(const tf_op *op, const bson_t *command, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (tf_op_write(op, command, NULL, NULL, &one))
            return true;
        if (!may_repeat(&one, n, give_up, err))
            return false;
    }
}

void tf_store_kill_session(const tf_store *store, const bson_t *lsid, const uint8_t *uid)
{
    tf_op op = tf_store_op(store, NULL, "kill the former owner's session");
    tf_error ignored = {0};
    op.db = "admin";
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("killSessions", "[", BCON_DOCUMENT(lsid), "]");
    tf_op_command(&op, command, NULL, &ignored);
    if (!uid)
        return;
    _cleanup_bson_ bson_t theirs = BSON_INITIALIZER;
    bson_concat(&theirs, lsid);
    BSON_APPEND_BINARY(&theirs, "uid", BSON_SUBTYPE_BINARY, uid, 32);
    _cleanup_(bson_destroyp) bson_t *any = BCON_NEW("killSessions", "[", BCON_DOCUMENT(&theirs), "]");
    tf_error_clear(&ignored);
    tf_op_command(&op, any, NULL, &ignored);
}
