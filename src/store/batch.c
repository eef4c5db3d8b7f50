#include "store/batch.h"

#include "base/field.h"
#include "base/hash.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

void tf_batch_record_done(tf_batch_record *record)
{
    tf_range_done(&record->range);
    if (record->doc)
        bson_destroy(record->doc);
    *record = (tf_batch_record){0};
}

static void record_id(char *into, size_t size, const char *run, int32_t partition, int64_t seq)
{
    snprintf(into, size, "%s-p%03d-%08" PRId64, run, partition, seq);
}

void tf_batch_record_begin(bson_t *doc, const char *run, int32_t partition, int64_t seq)
{
    char id[TF_RUN_ID_SIZE + 40];
    record_id(id, sizeof id, run, partition, seq);
    BSON_APPEND_UTF8(doc, "_id", id);
    BSON_APPEND_UTF8(doc, "run", run);
    BSON_APPEND_INT32(doc, "partition", partition);
    BSON_APPEND_INT64(doc, "seq", seq);
}

bool tf_batch_record_insert(const tf_store *store, mongoc_client_session_t *session, const bson_t *doc, tf_error *err)
{
    tf_op op = tf_store_op(store, session, "write the batch's record");
    const bson_t *docs[] = {doc};
    return tf_op_insert(&op, tf_store_name(store, TF_BATCHES).text, docs, 1, err);
}

void tf_batch_record_parse(const bson_t *doc, tf_batch_record *out)
{
    *out = (tf_batch_record){.doc = bson_copy(doc)};
    out->partition = (int32_t)tf_field_number(doc, "partition");
    out->seq = tf_field_number(doc, "seq");
    tf_id_read(doc, "from", &out->range.after);
    tf_id_read(doc, "upto", &out->range.upto);
    out->backed_up = tf_field_number(doc, "counts.backed_up");
    out->applied = tf_field_number(doc, "counts.applied");
    tf_field_hash(doc, "hash", out->hash);
    out->has_previous = tf_field_hash(doc, "previous", out->previous);
    tf_sha256_of(bson_get_data(doc), doc->len, out->own);
}

int tf_batch_record_read(const tf_store *store, const char *run, int32_t partition, int64_t seq, tf_batch_record *out,
                         tf_error *err)
{
    char id[TF_RUN_ID_SIZE + 40];
    record_id(id, sizeof id, run, partition, seq);
    tf_op op = tf_store_op(store, NULL, "read a batch's record");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_BATCHES).text, filter, NULL), &op, &doc, err);
    if (got == 1)
        tf_batch_record_parse(&doc, out);
    return got;
}

mongoc_cursor_t *tf_batch_record_find(const tf_store *store, const char *run, int32_t partition)
{
    tf_op op = tf_store_op(store, NULL, "read the batches");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("run", BCON_UTF8(run), "partition", BCON_INT32(partition));
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "seq", BCON_INT32(1), "}", "batchSize", BCON_INT64(20));
    return tf_op_find(&op, tf_store_name(store, TF_BATCHES).text, filter, opts);
}

bool tf_batch_record_ends(const tf_store *store, const char *run, bson_t *out, int64_t *backed_up, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read how far the batches reach");
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(run), "}", "}", "1", "{", "$group", "{", "_id", BCON_UTF8("$partition"), "seq",
                 "{", "$max", BCON_UTF8("$seq"), "}", "documents", "{", "$sum", BCON_UTF8("$counts.backed_up"), "}", "}", "}", "2", "{",
                 "$sort", "{", "_id", BCON_INT32(1), "}", "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, NULL);
    const bson_t *doc = NULL;
    uint32_t n = 0;
    int got;
    *backed_up = 0;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        _cleanup_(bson_destroyp) bson_t *end =
            BCON_NEW("n", BCON_INT32((int32_t)tf_field_number(doc, "_id")), "seq", BCON_INT64(tf_field_number(doc, "seq")));
        tf_array_append_document(out, &n, end);
        *backed_up += tf_field_number(doc, "documents");
    }
    return got == 0;
}
