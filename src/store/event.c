#include "store/event.h"

#include "base/clock.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/owner.h"
#include "db/client.h"
#include "db/failure.h"
#include "db/txn.h"
#include "store/form.h"

#include <tokenfix/cleanup.h>

/* 1 and its number and hash, 0 when there is none, -1 */
static int newest(const tf_store *store, int64_t *seq, uint8_t hash[32], tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the newest event");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    /* one whose number cannot be ours is passed over: the chain shows it, the trail goes on */
    _cleanup_(bson_destroyp) bson_t *filter =
        BCON_NEW("_id", "{", "$gte", BCON_INT64(0), "$lt", BCON_INT64(TF_FORM_LARGEST), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1));
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, filter, opts), &op, &doc, err);
    if (got != 1)
        return got;
    bson_iter_t iter;
    *seq = bson_iter_init_find(&iter, &doc, "_id") ? bson_iter_as_int64(&iter) : 0;
    if (!tf_field_hash(&doc, "hash", hash))
        memset(hash, 0, 32); /* a broken event: as above */
    return 1;
}

static bool append_once(const tf_store *store, const char *run, const char *type, const bson_t *data, tf_error *err)
{
    int64_t seq = 0, now = 0;
    uint8_t previous[32], hash[32];
    tf_owner owner;
    int got = newest(store, &seq, previous, err);
    if (got < 0 || !tf_client_now(store->client, &now, err))
        return false;
    tf_owner_self(&owner);
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT64(&doc, "_id", seq + 1);
    BSON_APPEND_UTF8(&doc, "type", type);
    BSON_APPEND_DATE_TIME(&doc, "at", now);
    BSON_APPEND_UTF8(&doc, "db", store->repaired);
    if (run)
        BSON_APPEND_UTF8(&doc, "run", run);
    BSON_APPEND_UTF8(&doc, "user", owner.user);
    BSON_APPEND_UTF8(&doc, "host", owner.host);
    BSON_APPEND_INT64(&doc, "pid", owner.pid);
    if (data)
        BSON_APPEND_DOCUMENT(&doc, "data", data);
    if (got == 1)
        BSON_APPEND_BINARY(&doc, "previous", BSON_SUBTYPE_BINARY, previous, 32);
    tf_sha256_of(bson_get_data(&doc), doc.len, hash);
    BSON_APPEND_BINARY(&doc, "hash", BSON_SUBTYPE_BINARY, hash, 32);
    tf_op op = tf_store_op(store, NULL, "append an event");
    const bson_t *docs[] = {&doc};
    return tf_op_insert(&op, tf_store_name(store, TF_EVENTS).text, docs, 1, err);
}

bool tf_event_append(const tf_store *store, const char *run, const char *type, const bson_t *data, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (append_once(store, run, type, data, &one))
            return true;
        bool collision = one.server_code == TF_CODE_DUPLICATE_KEY;
        if ((!collision && !tf_failure_is_transient(&one)) || tf_clock_ms() > give_up) {
            if (err->code == TF_ERR_OK)
                *err = one;
            return false;
        }
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
}

bool tf_event_check(const bson_t *event, const uint8_t *previous, uint8_t hash[32])
{
    uint8_t own[32], link[32];
    _cleanup_bson_ bson_t content = BSON_INITIALIZER;
    if (!tf_field_hash(event, "hash", hash)) {
        memset(hash, 0, 32);
        return false;
    }
    if (!tf_field_copy_without(event, "hash", &content))
        return false;
    tf_sha256_of(bson_get_data(&content), content.len, own);
    if (memcmp(hash, own, 32) != 0)
        return false;
    if (!tf_field_hash(event, "previous", link))
        return previous == NULL;
    return previous && memcmp(link, previous, 32) == 0;
}

mongoc_cursor_t *tf_event_find(const tf_store *store, const char *run)
{
    tf_op op = tf_store_op(store, NULL, "read the events");
    _cleanup_bson_ bson_t filter = BSON_INITIALIZER;
    if (run)
        BSON_APPEND_UTF8(&filter, "run", run);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, &filter, opts);
}
