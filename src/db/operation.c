#include "db/operation.h"

#include "db/denial.h"
#include "db/failure.h"

#include <tokenfix/cleanup.h>

static const char *first_key(const bson_t *command)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, command) && bson_iter_next(&iter) ? bson_iter_key(&iter) : "";
}

static void namespace_of(const tf_op *op, const bson_t *command, char *into, size_t size)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, command) && bson_iter_next(&iter) && BSON_ITER_HOLDS_UTF8(&iter))
        snprintf(into, size, "%s.%s", op->db, bson_iter_utf8(&iter, NULL));
    else
        snprintf(into, size, "%s", op->db);
}

static bool in_transaction(const tf_op *op)
{
    return op->session && mongoc_client_session_in_transaction(op->session);
}

static void append_identity(const tf_op *op, bson_t *opts)
{
    bson_error_t error;
    if (op->session)
        mongoc_client_session_append(op->session, opts, &error);
    BSON_APPEND_UTF8(opts, "comment", op->comment ? op->comment : "tokenfix");
}

static void append_common(const tf_op *op, bson_t *opts)
{
    append_identity(op, opts);
    if (op->max_time_ms > 0)
        BSON_APPEND_INT64(opts, "maxTimeMS", op->max_time_ms);
}

static void append_read_concern(const tf_op *op, bson_t *opts)
{
    if (in_transaction(op) || op->local)
        return;
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(opts, "readConcern", &concern);
    BSON_APPEND_UTF8(&concern, "level", op->linearizable ? "linearizable" : op->snapshot ? "snapshot" : "majority");
    if (op->after && !op->linearizable)
        BSON_APPEND_TIMESTAMP(&concern, "afterClusterTime", (uint32_t)(op->after >> 32), (uint32_t)op->after);
    bson_append_document_end(opts, &concern);
}

bool tf_op_command(const tf_op *op, const bson_t *command, bson_t *reply, tf_error *err)
{
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    bson_t own;
    bson_error_t error;
    if (op->session)
        mongoc_client_session_append(op->session, &opts, &error);
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *prefs =
        mongoc_read_prefs_new(op->allow_secondary ? MONGOC_READ_SECONDARY_PREFERRED : MONGOC_READ_PRIMARY_PREFERRED);
    bool ok = mongoc_client_command_with_opts(op->client, op->db, command, op->session ? NULL : prefs, &opts, &own,
                                              &error);
    if (!ok) {
        char ns[256];
        namespace_of(op, command, ns, sizeof ns);
        tf_failure(err, &error, &own, op->what, tf_denial_action(first_key(command)), ns);
    } else if (reply)
        bson_concat(reply, &own);
    bson_destroy(&own);
    return ok;
}

/* One item of writeErrors, or the writeConcernError, as a driver's error. */
static bool embedded_error(const bson_t *reply, bson_error_t *error)
{
    bson_iter_t iter, child;
    const char *paths[] = {"writeErrors.0.", "writeConcernError."};
    for (size_t i = 0; i < 2; i++) {
        char path[64];
        snprintf(path, sizeof path, "%scode", paths[i]);
        if (!bson_iter_init(&iter, reply) || !bson_iter_find_descendant(&iter, path, &child))
            continue;
        uint32_t code = (uint32_t)bson_iter_as_int64(&child);
        snprintf(path, sizeof path, "%serrmsg", paths[i]);
        const char *message = "";
        if (bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, path, &child) &&
            BSON_ITER_HOLDS_UTF8(&child))
            message = bson_iter_utf8(&child, NULL);
        bson_set_error(error, MONGOC_ERROR_SERVER, code, "%s", message);
        return true;
    }
    return false;
}

static int64_t read_number(const bson_t *reply, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, key) ? bson_iter_as_int64(&iter) : 0;
}

static void append_write_concern(const tf_op *op, bson_t *opts)
{
    if (in_transaction(op))
        return;
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(opts, "writeConcern", &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    BSON_APPEND_BOOL(&concern, "j", true);
    if (op->majority_ms > 0)
        BSON_APPEND_INT64(&concern, "wtimeout", op->majority_ms);
    bson_append_document_end(opts, &concern);
}

bool tf_op_write(const tf_op *op, const bson_t *command, int64_t *n, int64_t *modified, tf_error *err)
{
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    bson_t reply;
    bson_error_t error;
    append_common(op, &opts);
    append_write_concern(op, &opts);
    bool ok = mongoc_client_write_command_with_opts(op->client, op->db, command, &opts, &reply, &error);
    if (ok && embedded_error(&reply, &error))
        ok = false;
    if (!ok) {
        char ns[256];
        namespace_of(op, command, ns, sizeof ns);
        tf_failure(err, &error, &reply, op->what, tf_denial_action(first_key(command)), ns);
    } else {
        if (n)
            *n = read_number(&reply, "n");
        if (modified)
            *modified = read_number(&reply, "nModified");
    }
    bson_destroy(&reply);
    return ok;
}

static mongoc_read_prefs_t *cursor_prefs(const tf_op *op)
{
    if (op->session)
        return NULL;
    return mongoc_read_prefs_new(op->allow_secondary ? MONGOC_READ_SECONDARY_PREFERRED : MONGOC_READ_PRIMARY);
}

/* An _id may hold what the driver refuses in a filter (names that are empty, invalid UTF-8), though the server takes it. It
 * does not look into plain commands. */
static bool is_odd(const bson_t *document)
{
    return !bson_validate(document, BSON_VALIDATE_EMPTY_KEYS, NULL);
}

/* The error of a command that was to give a cursor waits here for tf_cursor_next. */
static _Thread_local struct {
    const mongoc_cursor_t *cursor;
    tf_error error;
} failed;

/* A new cursor may lie where the failed one lay. */
static mongoc_cursor_t *fresh(mongoc_cursor_t *cursor)
{
    if (failed.cursor == cursor)
        failed.cursor = NULL;
    return cursor;
}

/* The session of this thread's cursors that come of a command. One that the driver takes for the command alone goes back to
 * a pool that all clients share, and getMore could take another: the server refuses that (50738). */
static _Thread_local struct {
    mongoc_client_t *client;
    mongoc_client_session_t *session;
} reading;

void tf_op_release(const mongoc_client_t *client)
{
    if (reading.client != client)
        return;
    mongoc_client_session_destroy(reading.session);
    reading.client = NULL;
    reading.session = NULL;
}

/* NULL where the server has none, and for a second client of a thread: each thread of ours reads with one. */
static mongoc_client_session_t *session_of(const tf_op *op)
{
    bson_error_t error;
    if (op->session)
        return op->session;
    if (!reading.client) {
        mongoc_session_opt_t *opts = mongoc_session_opts_new();
        mongoc_session_opts_set_causal_consistency(opts, false);
        reading.session = mongoc_client_start_session(op->client, opts, &error);
        reading.client = reading.session ? op->client : NULL;
        mongoc_session_opts_destroy(opts);
    }
    return reading.client == op->client ? reading.session : NULL;
}

/* The server is chosen first, for the driver does not say which one answered, and getMore must go there. */
static bool run_cursor_command(const tf_op *op, mongoc_client_session_t *session, const bson_t *command, bson_t *reply, bson_t *more, bson_error_t *error)
{
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *prefs = cursor_prefs(op);
    mongoc_server_description_t *server = mongoc_client_select_server(op->client, false, prefs, error);
    if (!server) {
        bson_init(reply);
        return false;
    }
    BSON_APPEND_INT32(more, "serverId", (int32_t)mongoc_server_description_id(server));
    mongoc_server_description_destroy(server);
    bson_concat(&opts, more);
    tf_op own = *op;
    own.session = session;
    append_common(&own, &opts);
    append_read_concern(op, &opts);
    return mongoc_client_read_command_with_opts(op->client, op->db, command, prefs, &opts, reply, error);
}

static mongoc_cursor_t *cursor_of_command(const tf_op *op, const bson_t *command, const bson_t *batch_size)
{
    _cleanup_bson_ bson_t more = BSON_INITIALIZER;
    bson_t reply;
    bson_error_t error;
    tf_error failure = {0};
    tf_op own = *op;
    own.session = session_of(op);
    if (!run_cursor_command(op, own.session, command, &reply, &more, &error)) {
        tf_failure(&failure, &error, &reply, op->what, "find", op->db);
        /* what is no reply of a cursor gives one that has failed: none passes for a cursor without documents */
        bson_reinit(&reply);
    }
    append_identity(&own, &more);
    bson_concat(&more, batch_size);
    mongoc_cursor_t *cursor = mongoc_cursor_new_from_command_reply_with_opts(op->client, &reply, &more);
    if (failure.code == TF_ERR_OK)
        return fresh(cursor);
    failed.cursor = cursor;
    failed.error = failure;
    return cursor;
}

static void batch_size_of(const bson_t *opts, bson_t *out)
{
    bson_iter_t iter;
    if (opts && bson_iter_init_find(&iter, opts, "batchSize"))
        bson_append_iter(out, "batchSize", -1, &iter);
}

mongoc_cursor_t *tf_op_find(const tf_op *op, const char *collection, const bson_t *filter, const bson_t *opts)
{
    if (is_odd(filter)) {
        _cleanup_bson_ bson_t command = BSON_INITIALIZER, batch_size = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&command, "find", collection);
        BSON_APPEND_DOCUMENT(&command, "filter", filter);
        if (opts)
            bson_concat(&command, opts);
        batch_size_of(opts, &batch_size);
        return cursor_of_command(op, &command, &batch_size);
    }
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    if (opts)
        bson_concat(&all, opts);
    append_common(op, &all);
    append_read_concern(op, &all);
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *prefs = cursor_prefs(op);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *coll =
        mongoc_client_get_collection(op->client, op->db, collection);
    return fresh(mongoc_collection_find_with_opts(coll, filter, &all, prefs));
}

/* Always a command: mongoc_collection_aggregate of Debian 13 (1.30.4-1+deb13u3) takes "database.collection" for the name of
 * a database and refuses it. */
mongoc_cursor_t *tf_op_aggregate(const tf_op *op, const char *collection, const bson_t *pipeline, const bson_t *opts)
{
    _cleanup_bson_ bson_t command = BSON_INITIALIZER, batch_size = BSON_INITIALIZER;
    batch_size_of(opts, &batch_size);
    BSON_APPEND_UTF8(&command, "aggregate", collection);
    BSON_APPEND_ARRAY(&command, "pipeline", pipeline);
    BSON_APPEND_DOCUMENT(&command, "cursor", &batch_size);
    if (opts)
        bson_copy_to_excluding_noinit(opts, &command, "batchSize", NULL);
    return cursor_of_command(op, &command, &batch_size);
}

int tf_cursor_next(mongoc_cursor_t *cursor, const tf_op *op, const bson_t **doc, tf_error *err)
{
    bson_error_t error;
    const bson_t *reply = NULL;
    if (failed.cursor == cursor) {
        if (err->code == TF_ERR_OK)
            *err = failed.error;
        return -1;
    }
    if (mongoc_cursor_next(cursor, doc))
        return 1;
    if (!mongoc_cursor_error_document(cursor, &error, &reply))
        return 0;
    tf_failure(err, &error, reply, op->what, "find", op->db);
    return -1;
}

int tf_cursor_one(mongoc_cursor_t *cursor, const tf_op *op, bson_t *out, tf_error *err)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *owned = cursor;
    const bson_t *doc = NULL;
    int got = tf_cursor_next(owned, op, &doc, err);
    if (got == 1)
        bson_concat(out, doc);
    return got;
}

bool tf_op_update_one(const tf_op *op, const char *collection, const bson_t *query, const bson_t *update, int64_t *matched, tf_error *err)
{
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    bson_t reply;
    bson_error_t error;
    BSON_APPEND_UTF8(&opts, "comment", op->comment ? op->comment : "tokenfix");
    BSON_APPEND_BOOL(&opts, "validate", false);
    append_write_concern(op, &opts);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *coll =
        mongoc_client_get_collection(op->client, op->db, collection);
    bool ok = mongoc_collection_update_one(coll, query, update, &opts, &reply, &error);
    if (!ok) {
        char ns[256];
        snprintf(ns, sizeof ns, "%s.%s", op->db, collection);
        tf_failure(err, &error, &reply, op->what, "update", ns);
    } else
        *matched = read_number(&reply, "matchedCount");
    bson_destroy(&reply);
    return ok;
}

bool tf_op_insert(const tf_op *op, const char *collection, const bson_t **docs, size_t count, tf_error *err)
{
    if (count == 0)
        return true;
    _cleanup_bson_ bson_t opts = BSON_INITIALIZER;
    bson_t reply;
    bson_error_t error;
    if (op->session)
        mongoc_client_session_append(op->session, &opts, &error);
    BSON_APPEND_UTF8(&opts, "comment", op->comment ? op->comment : "tokenfix");
    BSON_APPEND_BOOL(&opts, "validate", false);
    append_write_concern(op, &opts);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *coll =
        mongoc_client_get_collection(op->client, op->db, collection);
    bool ok = mongoc_collection_insert_many(coll, docs, count, &opts, &reply, &error);
    if (!ok) {
        char ns[256];
        snprintf(ns, sizeof ns, "%s.%s", op->db, collection);
        tf_failure(err, &error, &reply, op->what, "insert", ns);
    }
    bson_destroy(&reply);
    return ok;
}

bool tf_op_insert_docs(const tf_op *op, const char *collection, const tf_docs *docs, tf_error *err)
{
    _cleanup_free_ bson_t *views = bson_malloc0((docs->count + 1) * sizeof *views);
    _cleanup_free_ const bson_t **pointers = bson_malloc0((docs->count + 1) * sizeof *pointers);
    for (size_t i = 0; i < docs->count; i++) {
        tf_docs_view(docs, i, &views[i]);
        pointers[i] = &views[i];
    }
    return tf_op_insert(op, collection, pointers, docs->count, err);
}
