#include "backup/snapshot.h"

#include "backup/delta.h"
#include "base/hash.h"

#include <tokenfix/cleanup.h>

bool tf_snapshot_insert(const tf_store *store, mongoc_client_session_t *session, const char *run, const tf_docs *docs,
                        tf_error *err)
{
    tf_op op = tf_store_op(store, session, "write the backup");
    return tf_op_insert_docs(&op, tf_store_backup_name(store, run).text, docs, err);
}

static bool collect(mongoc_cursor_t *owned, const tf_op *op, tf_docs *out, tf_error *err)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = owned;
    const bson_t *doc = NULL;
    int got;
    tf_docs_clear(out);
    while ((got = tf_cursor_next(cursor, op, &doc, err)) == 1)
        tf_docs_add(out, doc);
    return got == 0;
}

/* {$and: conditions} sorted by _id; one reply where the documents fit into it */
static bool read_sorted(const tf_op *op, const char *collection, const bson_t *conditions, tf_docs *out, tf_error *err)
{
    _cleanup_bson_ bson_t filter = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "batchSize", BCON_INT64(INT32_MAX));
    if (!bson_empty(conditions))
        BSON_APPEND_ARRAY(&filter, "$and", conditions);
    return collect(tf_op_find(op, collection, &filter, opts), op, out, err);
}

bool tf_snapshot_read_range(const tf_store *store, const char *run, const tf_range *range, tf_docs *out, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the backup");
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_range_append(&conditions, &n, &range->after, &range->upto);
    return read_sorted(&op, tf_store_backup_name(store, run).text, &conditions, out, err);
}

bool tf_snapshot_read_ids(const tf_store *store, mongoc_client_session_t *session, const char *run, const bson_t *ids,
                          tf_docs *out, tf_error *err)
{
    tf_op op = tf_store_op(store, session, "read the backup");
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_id_append_in(&conditions, &n, ids);
    return read_sorted(&op, tf_store_backup_name(store, run).text, &conditions, out, err);
}

bool tf_snapshot_read_current(const tf_store *store, mongoc_client_session_t *session, const char *collection,
                              const bson_t *ids, const bson_t *filter, tf_docs *out, tf_error *err)
{
    tf_op op = tf_store_op(store, session, "read the affected documents");
    op.db = store->repaired;
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER;
    uint32_t n = 0;
    tf_id_append_in(&conditions, &n, ids);
    if (filter)
        tf_array_append_document(&conditions, &n, filter);
    return read_sorted(&op, collection, &conditions, out, err);
}

bool tf_snapshot_count(const tf_store *store, const char *run, int64_t *count, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "count the backup");
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$group", "{", "_id", BCON_NULL, "n", "{", "$sum", BCON_INT32(1), "}", "}", "}");
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter;
    int got = tf_cursor_one(tf_op_aggregate(&op, tf_store_backup_name(store, run).text, pipeline, NULL), &op, &reply, err);
    *count = got == 1 && bson_iter_init_find(&iter, &reply, "n") ? bson_iter_as_int64(&iter) : 0;
    return got >= 0;
}

void tf_snapshot_hash(const tf_docs *docs, uint8_t hash[32])
{
    tf_sha256_of(docs->data, docs->length, hash);
}

const char *tf_snapshot_refusal(const tf_repair *repair, const bson_t *doc)
{
    bson_iter_t iter;
    uint64_t seen = 0; /* one bit per touched name; the form of a repair keeps them few */
    if (!bson_iter_init(&iter, doc))
        return "not BSON";
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        if (BSON_ITER_HOLDS_TIMESTAMP(&iter) && strcmp(key, "_id") != 0) {
            uint32_t time, increment;
            bson_iter_timestamp(&iter, &time, &increment);
            if (time == 0 && increment == 0)
                return "a top-level Timestamp(0,0), which the server would rewrite";
        }
        for (size_t i = 0; repair->touched[i]; i++) {
            if (strcmp(repair->touched[i], key) != 0)
                continue;
            if (seen & (1ULL << i))
                return "a touched field that occurs twice";
            seen |= 1ULL << i;
            if (tf_delta_repeats(&iter))
                return "a touched field that holds a name twice";
        }
    }
    return NULL;
}
