#include "store/event.h"

#include "base/clock.h"
#include "base/docs.h"
#include "base/failpoint.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/key.h"
#include "base/number.h"
#include "base/owner.h"
#include "base/stop.h"
#include "base/text.h"
#include "db/client.h"
#include "db/failure.h"
#include "db/privilege.h"
#include "db/txn.h"
#include "store/form.h"

#include <ctype.h>
#include <inttypes.h>
#include <tokenfix/cleanup.h>

static const char *const names[] = {
#define TF_EVENT_NAME(name, text, when) [TF_EVENT_##name] = text,
    TF_EVENT_TABLE(TF_EVENT_NAME)
#undef TF_EVENT_NAME
};

const char *tf_event_type_name(tf_event_type type)
{
    return names[type];
}

/* ---- heads ---- */

const char *tf_head_text(const tf_head *head, char out[TF_HEAD_TEXT])
{
    char hash[65];
    tf_hex(head->hash, 32, hash);
    snprintf(out, TF_HEAD_TEXT, "%" PRId64 ":%s", head->seq, hash);
    return out;
}

bool tf_head_parse(const char *text, tf_head *out, tf_error *err)
{
    tf_head head = {0};
    char number[24] = "";
    const char *colon = strchr(text, ':');
    bool good = colon && (size_t)(colon - text) < sizeof number && strlen(colon + 1) == 64;
    if (good)
        snprintf(number, sizeof number, "%.*s", (int)(colon - text), text);
    good = good && tf_number_int64(number, &head.seq) == TF_NUMBER_OK && head.seq > 0;
    for (int i = 0; good && i < 64; i++) {
        int c = (unsigned char)colon[1 + i], value = isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        good = value >= 0;
        head.hash[i / 2] = (uint8_t)(head.hash[i / 2] << 4 | (value & 15));
    }
    if (good) {
        *out = head;
        return true;
    }
    tf_error_set(err, TF_ERR_USAGE, "'%s' is not the head of a trail", TF_WORD(text));
    return tf_error_hint(err, "Write SEQ:HASH, as 'up', 'down' and 'history --verify' print it.");
}

/* ---- the document ---- */

/* Exported as JSON it must come back byte for byte: text is UTF-8 there. */
static void copy_clean(const bson_t *from, bson_t *to)
{
    bson_iter_t iter;
    for (bool more = bson_iter_init(&iter, from); more && bson_iter_next(&iter);) {
        const char *key = bson_iter_key(&iter);
        bool array = BSON_ITER_HOLDS_ARRAY(&iter);
        bson_t view, child;
        uint32_t length = 0;
        const uint8_t *data = NULL;
        if (BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *text = bson_iter_utf8(&iter, &length);
            char *clean = bson_malloc(length + 8);
            BSON_APPEND_UTF8(to, key, tf_text_clean(text, clean, length + 8));
            bson_free(clean);
        } else if (array || BSON_ITER_HOLDS_DOCUMENT(&iter)) {
            if (array)
                bson_iter_array(&iter, &length, &data);
            else
                bson_iter_document(&iter, &length, &data);
            if (!bson_init_static(&view, data, length))
                continue;
            (void)(array ? BSON_APPEND_ARRAY_BEGIN(to, key, &child) : BSON_APPEND_DOCUMENT_BEGIN(to, key, &child));
            copy_clean(&view, &child);
            (void)(array ? bson_append_array_end(to, &child) : bson_append_document_end(to, &child));
        } else
            bson_append_iter(to, key, -1, &iter);
    }
}

static void append_document(bson_t *to, const char *key, const bson_t *doc)
{
    _cleanup_bson_ bson_t clean = BSON_INITIALIZER;
    if (!doc)
        return;
    if (!bson_validate(doc, BSON_VALIDATE_UTF8, NULL)) {
        copy_clean(doc, &clean);
        doc = &clean;
    }
    BSON_APPEND_DOCUMENT(to, key, doc);
}

static void append_text(bson_t *to, const char *key, const char *text)
{
    char clean[600];
    if (!bson_utf8_validate(text, strlen(text), false))
        text = tf_text_clean(text, clean, sizeof clean);
    BSON_APPEND_UTF8(to, key, text);
}

/* One event on its way, the same through all attempts: its `id` tells it from all others. */
typedef struct draft {
    const tf_store *store;
    const tf_event *event;
    tf_owner owner;
    char database_user[256];
    bool user_known;
    int64_t lowest; /* number of the first attempt whose answer is not known; 0: none */
    tf_head head;
} draft;

/* Whoever may insert may insert the largest number there can be. That breaks the trail, and must not stop the work: behind it any
 * number will do that nobody can know. */
static int64_t number_behind(const tf_head *before)
{
    return before->seq + 1 < TF_FORM_LARGEST ? before->seq + 1 : TF_FORM_LARGEST + (int64_t)tf_clock_random(UINT64_C(1) << 62);
}

static void build(draft *d, const tf_head *before, int64_t now, bson_t *doc)
{
    const tf_event *event = d->event;
    const tf_key *signer = d->store->signer;
    uint8_t signature[TF_SIGNATURE_SIZE];
    d->head.seq = number_behind(before);
    BSON_APPEND_INT64(doc, "_id", d->head.seq);
    BSON_APPEND_UTF8(doc, "id", d->owner.id);
    BSON_APPEND_UTF8(doc, "type", names[event->type]);
    BSON_APPEND_DATE_TIME(doc, "at", now);
    append_text(doc, "db", d->store->repaired);
    if (event->run)
        append_text(doc, "run", event->run);
    append_text(doc, "user", d->owner.user);
    append_text(doc, "host", d->owner.host);
    BSON_APPEND_INT64(doc, "pid", d->owner.pid);
    if (d->database_user[0])
        append_text(doc, "database_user", d->database_user);
    append_document(doc, "options", event->options);
    append_document(doc, "data", event->data);
    append_document(doc, "result", event->result);
    if (before->seq > 0)
        BSON_APPEND_BINARY(doc, "previous", BSON_SUBTYPE_BINARY, before->hash, 32);
    if (signer)
        BSON_APPEND_BINARY(doc, "key", BSON_SUBTYPE_BINARY, tf_key_fingerprint(signer), TF_FINGERPRINT_SIZE);
    tf_sha256_of(bson_get_data(doc), doc->len, d->head.hash);
    BSON_APPEND_BINARY(doc, "hash", BSON_SUBTYPE_BINARY, d->head.hash, 32);
    if (!signer)
        return;
    tf_key_sign(signer, d->head.hash, signature);
    BSON_APPEND_BINARY(doc, "signature", BSON_SUBTYPE_BINARY, signature, sizeof signature);
}

/* ---- appending ---- */

int tf_event_newest(const tf_store *store, tf_head *head, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the newest event");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    /* one whose number cannot be ours is passed over: the chain shows it, the trail goes on */
    _cleanup_(bson_destroyp) bson_t *filter =
        BCON_NEW("_id", "{", "$gte", BCON_INT64(1), "$lt", BCON_INT64(TF_FORM_LARGEST), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(1));
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, filter, opts), &op, &doc, err);
    *head = (tf_head){0};
    if (got != 1)
        return got;
    head->seq = tf_field_number(&doc, "_id");
    if (!tf_field_hash(&doc, "hash", head->hash))
        memset(head->hash, 0, 32); /* a broken event: as above */
    return 1;
}

/* Whether an attempt whose answer was lost did arrive: 1, 0, -1. A majority read may not show it yet, on a new primary. */
static int find_own(draft *d, tf_error *err)
{
    const tf_store *store = d->store;
    tf_op op = tf_store_op(store, NULL, "look for an event of ours");
    tf_name name = tf_store_name(store, TF_EVENTS);
    tf_error one = {0};
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *filter =
        BCON_NEW("_id", "{", "$gte", BCON_INT64(d->lowest), "}", "id", BCON_UTF8(d->owner.id));
    op.linearizable = true;
    op.max_time_ms = 10000; /* waits for a majority */
    int got = tf_cursor_one(tf_op_find(&op, name.text, filter, NULL), &op, &doc, &one);
    if (got < 0 && one.server_code == TF_CODE_NOT_A_REPLICA_SET) {
        op.linearizable = false;
        tf_error_clear(&one);
        got = tf_cursor_one(tf_op_find(&op, name.text, filter, NULL), &op, &doc, &one);
    }
    if (got < 0)
        *err = one;
    if (got == 1) {
        d->head.seq = tf_field_number(&doc, "_id");
        tf_field_hash(&doc, "hash", d->head.hash);
    }
    return got;
}

static bool insert(draft *d, tf_error *err)
{
    int64_t now = 0;
    tf_head before;
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    if (!d->user_known && !tf_privileges_name(d->store->client, d->database_user, sizeof d->database_user, err))
        return false;
    d->user_known = true;
    if (tf_event_newest(d->store, &before, err) < 0 || !tf_client_now(d->store->client, &now, err))
        return false;
    build(d, &before, now, &doc);
    tf_op op = tf_store_op(d->store, NULL, "append an event");
    const bson_t *docs[] = {&doc};
    TF_FAILPOINT("event.before_insert");
    bool ok = tf_op_insert(&op, tf_store_name(d->store, TF_EVENTS).text, docs, 1, err);
    TF_FAILPOINT("event.after_insert");
    if (!ok && err->server_code != TF_CODE_DUPLICATE_KEY && !(err->labels & TF_LABEL_SELECTION) && (d->lowest == 0 || d->head.seq < d->lowest))
        d->lowest = d->head.seq;
    return ok;
}

static bool append_once(draft *d, tf_error *err)
{
    int got = d->lowest ? find_own(d, err) : 0;
    return got == 1 || (got == 0 && insert(d, err));
}

bool tf_event_append(const tf_store *store, const tf_event *event, tf_head *head, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + (event->patience_ms ? event->patience_ms : tf_txn_budget_ms());
    draft d = {.store = store, .event = event};
    tf_owner_self(&d.owner);
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (append_once(&d, &one)) {
            if (head)
                *head = d.head;
            return true;
        }
        bool again = one.server_code == TF_CODE_DUPLICATE_KEY || one.server_code == TF_CODE_MAX_TIME_EXPIRED || tf_failure_is_transient(&one);
        if (!again || (n > 1 && tf_clock_ms() > give_up) || tf_stop_level() >= 2) {
            if (err->code == TF_ERR_OK)
                *err = one;
            return false;
        }
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
}

/* ---- reading ---- */

bool tf_event_hash(const bson_t *event, uint8_t hash[32])
{
    _cleanup_bson_ bson_t content = BSON_INITIALIZER;
    bson_iter_t iter;
    if (!bson_iter_init(&iter, event))
        return false;
    while (bson_iter_next(&iter)) {
        bool sealed = strcmp(bson_iter_key(&iter), "hash") != 0 && strcmp(bson_iter_key(&iter), "signature") != 0;
        if (sealed && !tf_doc_append_field(event, &iter, &content))
            return false;
    }
    tf_sha256_of(bson_get_data(&content), content.len, hash);
    return !iter.err_off;
}

bool tf_event_links(const bson_t *event, const uint8_t *previous)
{
    uint8_t link[32];
    if (!tf_field_hash(event, "previous", link))
        return previous == NULL && !bson_has_field(event, "previous");
    return previous && memcmp(link, previous, 32) == 0;
}

bool tf_event_check(const bson_t *event, const uint8_t *previous, uint8_t hash[32])
{
    uint8_t own[32];
    if (!tf_field_hash(event, "hash", hash)) {
        memset(hash, 0, 32);
        return false;
    }
    return tf_event_hash(event, own) && memcmp(hash, own, 32) == 0 && tf_event_links(event, previous);
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
