#include "store/trail.h"

#include "base/failpoint.h"
#include "base/field.h"
#include "base/stop.h"
#include "store/form.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* ---- archives ---- */

int tf_anchor_read(const tf_store *store, tf_anchor *anchor, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "look for an archive of the events");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("type", BCON_UTF8(tf_event_type_name(TF_EVENT_ARCHIVED)));
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "data.upto", BCON_INT32(-1), "}", "limit", BCON_INT64(1));
    uint8_t own[32], carried[32];
    *anchor = (tf_anchor){0};
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, filter, opts), &op, &doc, err);
    if (got != 1)
        return got;
    anchor->event = tf_field_number(&doc, "_id");
    anchor->at = tf_field_number(&doc, "at");
    anchor->upto.seq = tf_field_number(&doc, "data.upto");
    tf_field_text(&doc, "data.file", anchor->file, sizeof anchor->file);
    tf_field_text(&doc, "data.sha256", anchor->sha256, sizeof anchor->sha256);
    if (tf_field_hash(&doc, "data.hash", anchor->upto.hash) && anchor->upto.seq > 0 && anchor->upto.seq < anchor->event &&
        tf_event_hash(&doc, own) && tf_field_hash(&doc, "hash", carried) && memcmp(own, carried, 32) == 0)
        return 1;
    tf_error_set(err, TF_ERR_DAMAGED, "event %" PRId64 ", which says what was archived, was altered", anchor->event);
    tf_error_hint(err, "docs/audit-trail.md, 'A break'.");
    return -1;
}

/* ---- witnesses ---- */

/* What the runs say of their newest events, in the order of the events. */
typedef struct witnesses {
    tf_op op;
    mongoc_cursor_t *cursor;
    bool have;
    tf_head head;
    char who[TF_RUN_ID_SIZE + 8];
    int64_t count;
} witnesses;

static bool next_witness(witnesses *w, tf_error *err)
{
    const bson_t *doc = NULL;
    int got = tf_cursor_next(w->cursor, &w->op, &doc, err);
    char id[TF_RUN_ID_SIZE];
    w->have = got == 1;
    if (got != 1)
        return got == 0;
    tf_field_text(doc, "_id", id, sizeof id);
    snprintf(w->who, sizeof w->who, "run %s", id);
    w->head.seq = tf_field_number(doc, "trail.seq");
    if (!tf_field_hash(doc, "trail.hash", w->head.hash))
        memset(w->head.hash, 0, 32);
    return true;
}

static bool begin_witnesses(const tf_store *store, int64_t after, witnesses *w, tf_error *err)
{
    *w = (witnesses){.op = tf_store_op(store, NULL, "read what the runs say of the events")};
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW(
        "0", "{", "$match", "{", "trail.seq", "{", "$gt", BCON_INT64(after), "$lt", BCON_INT64(TF_FORM_LARGEST), "}", "}", "}", "1", "{",
        "$project", "{", "trail", BCON_INT32(1), "}", "}", "2", "{", "$sort", "{", "trail.seq", BCON_INT32(1), "}", "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("allowDiskUse", BCON_BOOL(true));
    w->cursor = tf_op_aggregate(&w->op, tf_store_name(store, TF_RUNS).text, pipeline, opts);
    return next_witness(w, err);
}

/* All that are due: of the event added last, or (`ended`) of any. */
static bool hear_witnesses(witnesses *w, tf_chain *chain, bool ended, tf_error *err)
{
    while (w->have && (ended || w->head.seq <= chain->last.seq)) {
        if (!tf_chain_compare(chain, &w->head, w->who, ended))
            return true; /* it says so itself */
        w->count++;
        if (!next_witness(w, err))
            return false;
    }
    return true;
}

/* ---- the walk ---- */

typedef struct walk {
    const tf_trail_wanted *wanted;
    tf_trail *out;
    witnesses witnesses;
} walk;

static bool is_left_over(const walk *w, const bson_t *event)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, event, "_id") || !BSON_ITER_HOLDS_INT64(&iter))
        return false;
    return bson_iter_int64(&iter) >= 1 && bson_iter_int64(&iter) <= w->out->anchor.upto.seq;
}

static bool hear(walk *w, bool ended, tf_error *err)
{
    tf_chain *chain = &w->out->chain;
    const tf_head *head = w->wanted->head;
    if (head && head->seq > w->out->anchor.upto.seq && !tf_chain_compare(chain, head, "the head that was kept", ended))
        return true;
    return !w->witnesses.cursor || hear_witnesses(&w->witnesses, chain, ended, err);
}

/* Who can write to the database can say that something was archived, and so hide it: of a signed trail the key must say it. */
static bool believe_anchor(const walk *w)
{
    tf_chain *chain = &w->out->chain;
    const tf_anchor *anchor = &w->out->anchor;
    char text[200];
    if (!chain->keys_count || chain->last.seq != anchor->event || chain->last_signed == anchor->event)
        return true;
    snprintf(text, sizeof text, "event %" PRId64 ", which says that all up to event %" PRId64 " was archived, is not signed", anchor->event,
             anchor->upto.seq);
    tf_chain_break(chain, TF_BREAK_UNSIGNED, anchor->event, text);
    return false;
}

/* 1: go on, 0: it is enough, -1 */
static int take(walk *w, const bson_t *event, tf_error *err)
{
    tf_chain *chain = &w->out->chain;
    if (is_left_over(w, event)) {
        w->out->left_over++;
        return 1;
    }
    if (!tf_chain_add(chain, event) || !believe_anchor(w))
        return 0;
    if (!hear(w, false, err))
        return -1;
    if (chain->broken != TF_BREAK_NONE)
        return 0;
    if (w->wanted->see && !w->wanted->see(w->wanted->arg, event, err))
        return -1;
    return w->wanted->upto && chain->last.seq >= w->wanted->upto ? 0 : 1;
}

static bool go(walk *w, const tf_store *store, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the events");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_event_find(store, NULL);
    const bson_t *doc = NULL;
    int got, more = 1;
    while (more == 1 && (got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        if (tf_stop_at_once(err, "in the middle of the trail"))
            return false;
        more = take(w, doc, err);
    }
    if (more < 0 || (more == 1 && got < 0))
        return false;
    if (more == 1 && !hear(w, true, err))
        return false;
    if (more == 1)
        tf_chain_end(&w->out->chain);
    return true;
}

/* The head that was kept may be the very event that was archived last. */
static void compare_with_anchor(tf_trail *out, const tf_head *head)
{
    if (head && head->seq == out->anchor.upto.seq)
        tf_chain_compare(&out->chain, head, "the head that was kept", false);
}

/* An older one is in the file, if that was archived at all: only the file can show it. */
static void compare_older(tf_trail *out, const tf_head *head)
{
    char where[300];
    snprintf(where, sizeof where, "'%s', or an archive before it", out->anchor.file);
    if (head && head->seq < out->anchor.upto.seq)
        tf_chain_compare_before(&out->chain, head, "the head that was kept", where);
}

static bool walk_once(const tf_store *store, const tf_trail_wanted *wanted, tf_trail *out, tf_error *err)
{
    *out = (tf_trail){0};
    walk w = {.wanted = wanted, .out = out};
    tf_error lost = {0};
    tf_chain_init(&out->chain, wanted->keys, wanted->keys_count);
    int got = tf_anchor_read(store, &out->anchor, &lost);
    if (got < 0 && lost.code != TF_ERR_DAMAGED) {
        *err = lost;
        return false;
    }
    if (got < 0) { /* the one event that all others hang on */
        tf_chain_break(&out->chain, TF_BREAK_CONTENT, out->anchor.event, lost.message);
        return true;
    }
    if (got == 1) {
        tf_chain_after(&out->chain, &out->anchor.upto);
        compare_with_anchor(out, wanted->head);
    }
    TF_FAILPOINT("trail.after_anchor");
    bool ok = !wanted->witnesses || begin_witnesses(store, out->anchor.upto.seq, &w.witnesses, err);
    ok = ok && go(&w, store, err);
    if (ok)
        compare_older(out, wanted->head);
    out->witnesses = w.witnesses.count;
    if (w.witnesses.cursor)
        mongoc_cursor_destroy(w.witnesses.cursor);
    return ok;
}

/* What is missing may have been archived while it was looked for. */
static bool is_archived_meanwhile(const tf_store *store, const tf_trail *found)
{
    tf_anchor anchor;
    tf_error ignored = {0};
    return found->chain.broken != TF_BREAK_NONE && tf_anchor_read(store, &anchor, &ignored) == 1 && anchor.upto.seq > found->anchor.upto.seq;
}

bool tf_trail_walk(const tf_store *store, const tf_trail_wanted *wanted, tf_trail *out, tf_error *err)
{
    do {
        if (!walk_once(store, wanted, out, err))
            return false;
    } while (!wanted->see && is_archived_meanwhile(store, out));
    return true;
}
