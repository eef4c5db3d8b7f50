#include "store/partition.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/field.h"
#include "db/failure.h"
#include "store/form.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

void tf_partition_done(tf_partition *partition)
{
    tf_range_done(&partition->bounds);
    tf_id_set(&partition->cursor, &(bson_value_t){0});
    if (partition->intent)
        bson_destroy(partition->intent);
    if (partition->lsid)
        bson_destroy(partition->lsid);
    *partition = (tf_partition){0};
}

void tf_partitions_free(tf_partition *partitions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tf_partition_done(&partitions[i]);
    free(partitions);
}

static bson_t *embedded(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    uint32_t length;
    const uint8_t *data;
    if (!bson_iter_init_find(&iter, doc, key) || !BSON_ITER_HOLDS_DOCUMENT(&iter))
        return NULL;
    bson_iter_document(&iter, &length, &data);
    return bson_new_from_data(data, length);
}

static const tf_form form[] = {
    {.path = "_id", .kind = TF_FORM_TEXT},
    {.path = "n", .kind = TF_FORM_WHOLE},
    {.path = "after", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "upto", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "cursor", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "seq", .kind = TF_FORM_WHOLE},
    {.path = "fence", .kind = TF_FORM_WHOLE, .min = 1},
    {.path = "finished", .kind = TF_FORM_FLAG},
    {.path = "target_seq", .kind = TF_FORM_WHOLE},
    {.path = "target_done", .kind = TF_FORM_WHOLE},
    {.path = "uid", .kind = TF_FORM_HASH, .optional = true},
    {.path = "lsid", .kind = TF_FORM_DOCUMENT, .optional = true},
    {.path = "intent", .kind = TF_FORM_DOCUMENT, .optional = true},
    {.path = NULL},
};

/* Of the intent nothing is optional but open bounds: what it says is done without another look. */
static const tf_form intent_form[] = {
    {.path = "intent.seq", .kind = TF_FORM_WHOLE, .min = 1},
    {.path = "intent.ids", .kind = TF_FORM_ARRAY},
    {.path = "intent.from", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "intent.upto", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "intent.cursor", .kind = TF_FORM_BOUND, .optional = true},
    {.path = "intent.target_seq", .kind = TF_FORM_WHOLE},
    {.path = "intent.target_done", .kind = TF_FORM_WHOLE},
    {.path = NULL},
};

bool tf_partition_parse(const bson_t *doc, tf_partition *out, tf_error *err)
{
    if (!tf_form_check(doc, form, "partition", err) ||
        (bson_has_field(doc, "intent") && !tf_form_check(doc, intent_form, "partition", err)))
        return false;
    *out = (tf_partition){0};
    tf_field_text(doc, "_id", out->id, sizeof out->id);
    out->n = (int32_t)tf_field_number(doc, "n");
    tf_id_read(doc, "after", &out->bounds.after);
    tf_id_read(doc, "upto", &out->bounds.upto);
    tf_id_read(doc, "cursor", &out->cursor);
    out->seq = tf_field_number(doc, "seq");
    out->fence = tf_field_number(doc, "fence");
    out->finished = tf_field_number(doc, "finished") != 0;
    out->target_seq = tf_field_number(doc, "target_seq");
    out->target_done = tf_field_number(doc, "target_done");
    out->has_uid = tf_field_hash(doc, "uid", out->uid);
    out->intent = embedded(doc, "intent");
    out->lsid = embedded(doc, "lsid");
    return true;
}

bool tf_partition_create(const tf_store *store, const char *run, const tf_partition *partitions, size_t count,
                         int64_t fence, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "create the partitions");
    tf_docs docs = {0};
    for (size_t i = 0; i < count; i++) {
        const tf_partition *p = &partitions[i];
        char id[sizeof p->id];
        snprintf(id, sizeof id, "%s-p%03d", run, p->n);
        _cleanup_(bson_destroyp) bson_t *doc =
            BCON_NEW("_id", BCON_UTF8(id), "run", BCON_UTF8(run), "n", BCON_INT32(p->n), "seq", BCON_INT64(0), "fence", BCON_INT64(fence),
                     "finished", BCON_BOOL(false), "target_seq", BCON_INT64(p->target_seq), "target_done", BCON_INT64(0));
        tf_id_append(doc, "after", &p->bounds.after);
        tf_id_append(doc, "upto", &p->bounds.upto);
        tf_docs_add(&docs, doc);
    }
    bool ok = tf_op_insert_docs(&op, tf_store_name(store, TF_PARTITIONS).text, &docs, err);
    tf_docs_done(&docs);
    return ok;
}

bool tf_partition_list(const tf_store *store, const char *run, tf_partition **out, size_t *count, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the partitions");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("run", BCON_UTF8(run));
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "n", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_find(&op, tf_store_name(store, TF_PARTITIONS).text, filter, opts);
    tf_partition *list = NULL;
    size_t n = 0;
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        list = bson_realloc(list, (n + 1) * sizeof *list);
        if (!tf_partition_parse(doc, &list[n], err)) {
            got = -1;
            break;
        }
        n++;
    }
    if (got < 0) {
        tf_partitions_free(list, n);
        return false;
    }
    *out = list;
    *count = n;
    return true;
}

/* After a failover a new primary may hold our last write before a majority is known to: a majority read does not show it, the
 * compare-and-set that follows meets it, and would be taken for another process's. A standalone server has majority only. */
static int read_again(const tf_store *store, const char *id, bson_t *doc, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read a partition");
    tf_name name = tf_store_name(store, TF_PARTITIONS);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
    tf_error one = {0};
    op.linearizable = true;
    op.max_time_ms = 10000; /* waits for a majority */
    int got = tf_cursor_one(tf_op_find(&op, name.text, filter, NULL), &op, doc, &one);
    if (got < 0 && one.server_code == TF_CODE_NOT_A_REPLICA_SET) {
        op.linearizable = false;
        return tf_cursor_one(tf_op_find(&op, name.text, filter, NULL), &op, doc, err);
    }
    if (got < 0 && err->code == TF_ERR_OK)
        *err = one;
    return got;
}

bool tf_partition_read(const tf_store *store, tf_partition *partition, tf_error *err)
{
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    int got = read_again(store, partition->id, &doc, err);
    if (got < 0)
        return false;
    if (got == 0) {
        tf_error_set(err, TF_ERR_DAMAGED, "partition %s is missing from the state database", partition->id);
        return tf_error_hint(err, "Somebody removed records of a run; docs/runbook.md, 'A damaged state database'.");
    }
    tf_partition fresh;
    if (!tf_partition_parse(&doc, &fresh, err))
        return false;
    tf_partition_done(partition);
    *partition = fresh;
    return true;
}

/* Its last owner's session, as stored: one that lives still may have noted it after the list was read. */
static void kill_session(const tf_store *store, tf_partition *partition, bool again)
{
    tf_error ignored = {0};
    if (again)
        tf_partition_read(store, partition, &ignored);
    if (partition->lsid)
        tf_store_kill_session(store, partition->lsid, partition->has_uid ? partition->uid : NULL);
}

static bool raise_fence(const tf_store *store, const tf_partition *partition, int64_t fence, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "raise the fence of a partition");
    op.max_time_ms = 1000;
    tf_name name = tf_store_name(store, TF_PARTITIONS);
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("update", BCON_UTF8(name.text), "updates", "[", "{", "q", "{", "_id", BCON_UTF8(partition->id), "fence", "{", "$lt",
                 BCON_INT64(fence), "}", "}", "u", "{", "$set", "{", "fence", BCON_INT64(fence), "}", "}", "}", "]");
    return tf_op_write(&op, command, NULL, NULL, err);
}

bool tf_partition_fence(const tf_store *store, const char *run, int64_t fence, tf_error *err)
{
    tf_partition *list = NULL;
    size_t count = 0;
    if (!tf_partition_list(store, run, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        kill_session(store, &list[i], false);
    int64_t give_up = tf_clock_ms() + 120000; /* the server ends a transaction after 60 s, and looks every 30 s */
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        tf_error one = {0};
        while (!(ok = raise_fence(store, &list[i], fence, &one))) {
            bool blocked = one.server_code == TF_CODE_MAX_TIME_EXPIRED || tf_failure_is_transient(&one);
            if (!blocked || tf_clock_ms() > give_up)
                break;
            kill_session(store, &list[i], true);
            tf_clock_sleep_ms(50);
            one = (tf_error){0};
        }
        if (!ok && err->code == TF_ERR_OK)
            *err = one;
        TF_FAILPOINT("fence.between_partitions");
    }
    tf_partitions_free(list, count);
    return ok;
}

bool tf_partition_register(const tf_store *store, const tf_partition *partition, mongoc_client_session_t *session,
                           const uint8_t uid[32], const char *owner_id, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(partition->id), "fence", BCON_INT64(partition->fence));
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$set", "{", "lsid", BCON_DOCUMENT(mongoc_client_session_get_lsid(session)),
                                                       "uid", BCON_BIN(BSON_SUBTYPE_BINARY, uid, 32), "owner", BCON_UTF8(owner_id), "}");
    int64_t matched = 0;
    if (!tf_store_update_patiently(store, TF_PARTITIONS, query, NULL, update, &matched, "note the session in the partition", err))
        return false;
    if (matched == 1)
        return true;
    tf_error_set(err, TF_ERR_LEASE_LOST, "partition %s belongs to another process now", partition->id);
    return tf_error_hint(err, "'tokenfix status' shows who holds the run.");
}

/* `once`: it changes what the query asks for, or is part of a transaction: whether it happened is seen by the caller. */
static bool compare_and_set(const tf_store *store, const tf_partition *partition, mongoc_client_session_t *session, bool once,
                            const bson_t *update, const char *what, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(partition->id), "fence", BCON_INT64(partition->fence),
                                                      "seq", BCON_INT64(partition->seq));
    int64_t matched = 0;
    if (!(once ? tf_store_update(store, session, TF_PARTITIONS, query, update, &matched, what, err)
               : tf_store_update_patiently(store, TF_PARTITIONS, query, NULL, update, &matched, what, err)))
        return false;
    if (matched == 1)
        return true;
    tf_error_set(err, TF_ERR_LEASE_LOST, "partition %s moved under us: another process took the run over", partition->id);
    return tf_error_hint(err, "'tokenfix status' shows who holds the run.");
}

bool tf_partition_advance(const tf_store *store, const tf_partition *partition, const tf_partition *next,
                          mongoc_client_session_t *session, tf_error *err)
{
    _cleanup_bson_ bson_t update = BSON_INITIALIZER;
    bson_t set, unset;
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    BSON_APPEND_INT64(&set, "seq", partition->seq + 1);
    tf_id_append(&set, "cursor", &next->cursor);
    BSON_APPEND_INT64(&set, "target_seq", next->target_seq);
    BSON_APPEND_INT64(&set, "target_done", next->target_done);
    bson_append_document_end(&update, &set);
    if (partition->intent) {
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$unset", &unset);
        BSON_APPEND_UTF8(&unset, "intent", "");
        bson_append_document_end(&update, &unset);
    }
    return compare_and_set(store, partition, session, true, &update, "move the partition's cursor", err);
}

bool tf_partition_intend(const tf_store *store, const tf_partition *partition, const bson_t *intent, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$set", "{", "intent", BCON_DOCUMENT(intent), "}");
    return compare_and_set(store, partition, NULL, false, update, "note the batch's intent", err);
}

bool tf_partition_finish(const tf_store *store, tf_partition *partition, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$set", "{", "finished", BCON_BOOL(true), "}");
    if (!compare_and_set(store, partition, NULL, false, update, "mark the partition as finished", err))
        return false;
    partition->finished = true;
    return true;
}
