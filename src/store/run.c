#include "store/run.h"

#include "base/clock.h"
#include "base/field.h"
#include "db/failure.h"
#include "store/form.h"

#include <ctype.h>
#include <inttypes.h>
#include <time.h>
#include <tokenfix/cleanup.h>

static const char *const names[TF_STATES + 1] = {
    [TF_STATE_PLANNED] = "planned",
    [TF_STATE_RUNNING] = "running",
    [TF_STATE_PAUSED] = "paused",
    [TF_STATE_VERIFYING] = "verifying",
    [TF_STATE_COMPLETED] = "completed",
    [TF_STATE_FAILED] = "failed",
    [TF_STATE_CANCELLED] = "cancelled",
    [TF_STATE_INTERRUPTED] = "interrupted",
    [TF_STATE_ROLLING_BACK] = "rolling_back",
    [TF_STATE_ROLLED_BACK] = "rolled_back",
    [TF_STATE_ROLLED_BACK_WITH_CONFLICTS] = "rolled_back_with_conflicts",
};

const char *tf_state_name(tf_state state)
{
    return names[state];
}

tf_state tf_state_of(const char *name)
{
    for (int i = 0; i < TF_STATES; i++)
        if (strcmp(names[i], name) == 0)
            return (tf_state)i;
    return TF_STATE_FAILED;
}

/* ---- reading ---- */

bool tf_run_is_abandoned(const tf_run *run)
{
    return run->lease_left_ms < 0 || tf_owner_is_gone(&run->owner);
}

static const char *const directions[] = {"up", "down", NULL}, *const strategies[] = {"transaction", "journal", NULL},
                         *const policies[] = {"skip", "fields", NULL};

static const tf_form form[] = {
    {.path = "_id", .kind = TF_FORM_ID},
    {.path = "migration", .kind = TF_FORM_TEXT},
    {.path = "direction", .kind = TF_FORM_WORD, .words = directions},
    {.path = "strategy", .kind = TF_FORM_WORD, .words = strategies},
    {.path = "state", .kind = TF_FORM_WORD, .words = names},
    {.path = "active", .kind = TF_FORM_FLAG},
    {.path = "started_at", .kind = TF_FORM_DATE},
    {.path = "ended_at", .kind = TF_FORM_DATE, .optional = true},
    {.path = "restored_by", .kind = TF_FORM_ID, .optional = true},
    {.path = "options.batch_size", .kind = TF_FORM_WHOLE, .optional = true},
    {.path = "options.on_conflict", .kind = TF_FORM_WORD, .words = policies, .optional = true},
    {.path = "options.recreate_deleted", .kind = TF_FORM_FLAG, .optional = true},
    {.path = "bounds", .kind = TF_FORM_ARRAY, .optional = true},
    {.path = "lease.fence", .kind = TF_FORM_WHOLE, .min = 1},
    {.path = "lease.until", .kind = TF_FORM_DATE},
    {.path = "lease.owner.id", .kind = TF_FORM_TEXT},
    {.path = "lease.owner.host", .kind = TF_FORM_TEXT},
    {.path = "lease.owner.boot", .kind = TF_FORM_TEXT},
    {.path = "lease.owner.space", .kind = TF_FORM_TEXT},
    {.path = "lease.owner.user", .kind = TF_FORM_TEXT},
    {.path = "lease.owner.pid", .kind = TF_FORM_WHOLE},
    {.path = "lease.owner.started", .kind = TF_FORM_WHOLE, .min = -1},
    {.path = NULL},
};
static const tf_form down_form[] = {{.path = "restores", .kind = TF_FORM_ID}, {.path = NULL}};

bool tf_run_parse(const bson_t *doc, tf_run *out, tf_error *err)
{
    char text[64];
    tf_field_text(doc, "direction", text, sizeof text);
    bool down = strcmp(text, "down") == 0;
    if (!tf_form_check(doc, form, "run", err) || (down && !tf_form_check(doc, down_form, "run", err)))
        return false;
    tf_run *run = out;
    *run = (tf_run){.doc = bson_copy(doc), .down = down};
    tf_field_text(doc, "_id", run->id, sizeof run->id);
    tf_field_text(doc, "migration", run->migration, sizeof run->migration);
    tf_field_text(doc, "repair.collection", run->collection, sizeof run->collection);
    tf_field_text(doc, "restores", run->restores, sizeof run->restores);
    tf_field_text(doc, "restored_by", run->restored_by, sizeof run->restored_by);
    tf_field_text(doc, "strategy", run->strategy, sizeof run->strategy);
    tf_field_text(doc, "options.on_conflict", run->conflict_policy, sizeof run->conflict_policy);
    run->recreate_deleted = tf_field_number(doc, "options.recreate_deleted") != 0;
    tf_field_text(doc, "state", text, sizeof text);
    run->stored = tf_state_of(text);
    run->active = tf_field_number(doc, "active") != 0;
    run->started_at = tf_field_number(doc, "started_at");
    run->ended_at = tf_field_number(doc, "ended_at");
    run->fence = tf_field_number(doc, "lease.fence");
    run->lease_left_ms = tf_field_number(doc, "lease_left_ms");
    tf_field_text(doc, "lease.owner.id", run->owner.id, sizeof run->owner.id);
    tf_field_text(doc, "lease.owner.host", run->owner.host, sizeof run->owner.host);
    tf_field_text(doc, "lease.owner.boot", run->owner.boot, sizeof run->owner.boot);
    tf_field_text(doc, "lease.owner.space", run->owner.space, sizeof run->owner.space);
    tf_field_text(doc, "lease.owner.user", run->owner.user, sizeof run->owner.user);
    run->owner.pid = tf_field_number(doc, "lease.owner.pid");
    run->owner.started = tf_field_number(doc, "lease.owner.started");
    run->state = run->active && tf_run_is_abandoned(run) ? TF_STATE_INTERRUPTED : run->stored;
    if (run->state == TF_STATE_PAUSED) {
        tf_field_text(doc, "pause.reason", run->pause_reason, sizeof run->pause_reason);
        tf_field_text(doc, "pause.text", run->pause_text, sizeof run->pause_text);
        run->paused_at = tf_field_number(doc, "pause.at");
    }
    return true;
}

void tf_run_done(tf_run *run)
{
    if (run->doc)
        bson_destroy(run->doc);
    run->doc = NULL;
}

void tf_runs_free(tf_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tf_run_done(&runs[i]);
    free(runs);
}

bool tf_run_list(const tf_store *store, const bson_t *query, int64_t limit, tf_run **out, size_t *count, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the runs");
    _cleanup_bson_ bson_t match = BSON_INITIALIZER, pipeline = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&match, "db", store->repaired);
    if (query)
        bson_concat(&match, query);
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("$match", BCON_DOCUMENT(&match));
    _cleanup_(bson_destroyp) bson_t *sort = BCON_NEW("$sort", "{", "number", BCON_INT32(-1), "started_at", BCON_INT32(-1), "_id",
                                                     BCON_INT32(-1), "}"); /* numbered as they began: a clock that was set back changes nothing */
    _cleanup_(bson_destroyp) bson_t *cut = BCON_NEW("$limit", BCON_INT64(limit ? limit : INT32_MAX));
    _cleanup_(bson_destroyp) bson_t *left = BCON_NEW(
        "$set", "{", "lease_left_ms", "{", "$subtract", "[", BCON_UTF8("$lease.until"), BCON_UTF8("$$NOW"), "]", "}", "}");
    BSON_APPEND_DOCUMENT(&pipeline, "0", filter);
    BSON_APPEND_DOCUMENT(&pipeline, "1", sort);
    BSON_APPEND_DOCUMENT(&pipeline, "2", cut);
    BSON_APPEND_DOCUMENT(&pipeline, "3", left);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_name(store, TF_RUNS).text, &pipeline, NULL);
    tf_run *runs = NULL;
    size_t n = 0;
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1) {
        runs = bson_realloc(runs, (n + 1) * sizeof *runs);
        if (!tf_run_parse(doc, &runs[n], err)) {
            got = -1;
            break;
        }
        n++;
    }
    if (got < 0) {
        tf_runs_free(runs, n);
        return false;
    }
    *out = runs;
    *count = n;
    return true;
}

int tf_run_load(const tf_store *store, const char *id, tf_run *out, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(id));
    tf_run *runs = NULL;
    size_t count = 0;
    if (!tf_run_list(store, query, 1, &runs, &count, err))
        return -1;
    if (count)
        *out = runs[0];
    free(runs);
    return count ? 1 : 0;
}

/* ---- writing ---- */

void tf_run_new_id(char out[TF_RUN_ID_SIZE], int64_t now_ms, const char *migration)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char time_text[32], number[16] = "";
    strftime(time_text, sizeof time_text, "%Y%m%dt%H%M%S", &parts);
    for (size_t i = 0; i < sizeof number - 1 && isdigit((unsigned char)migration[i]); i++) {
        number[i] = migration[i];
        number[i + 1] = '\0';
    }
    snprintf(out, TF_RUN_ID_SIZE, "%s-%s%s%06" PRIx64, time_text, number, number[0] ? "-" : "",
             tf_clock_random(0x1000000));
}

static void append_owner(bson_t *lease, const tf_owner *owner, const char *key)
{
    bson_t doc;
    bson_append_document_begin(lease, key, -1, &doc);
    BSON_APPEND_UTF8(&doc, "id", owner->id);
    BSON_APPEND_UTF8(&doc, "host", owner->host);
    BSON_APPEND_UTF8(&doc, "boot", owner->boot);
    BSON_APPEND_UTF8(&doc, "space", owner->space);
    BSON_APPEND_INT64(&doc, "pid", owner->pid);
    BSON_APPEND_INT64(&doc, "started", owner->started);
    BSON_APPEND_UTF8(&doc, "user", owner->user);
    bson_append_document_end(lease, &doc);
}

static bool held(const tf_store *store, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("active", BCON_BOOL(true));
    tf_run *runs = NULL;
    size_t count = 0;
    tf_error ignored = {0};
    tf_run_list(store, query, 1, &runs, &count, &ignored);
    if (count)
        tf_error_set(err, TF_ERR_LEASE_HELD, "another run holds the lease: %s, %s, by %s@%s pid %" PRId64, runs[0].id,
                     tf_state_name(runs[0].state), runs[0].owner.user, runs[0].owner.host, runs[0].owner.pid);
    else
        tf_error_set(err, TF_ERR_LEASE_HELD, "another run was begun at the same time, and has ended");
    tf_error_hint(err, "Only one run may write at a time; 'tokenfix status' shows how it goes on.");
    tf_runs_free(runs, count);
    return false;
}

/* An insert cannot say $$NOW: the first lease is counted from the server's time as read for started_at. */
bool tf_run_create(const tf_store *store, const bson_t *doc, tf_state state, const tf_owner *owner,
                   mongoc_client_session_t *session, tf_error *err)
{
    tf_op op = tf_store_op(store, session, "create the run");
    _cleanup_bson_ bson_t full = BSON_INITIALIZER;
    bson_t lease;
    bson_iter_t iter;
    int64_t started = bson_iter_init_find(&iter, doc, "started_at") ? bson_iter_date_time(&iter) : 0;
    bson_concat(&full, doc);
    BSON_APPEND_UTF8(&full, "state", tf_state_name(state));
    BSON_APPEND_BOOL(&full, "active", true);
    BSON_APPEND_DOCUMENT_BEGIN(&full, "lease", &lease);
    append_owner(&lease, owner, "owner");
    BSON_APPEND_INT64(&lease, "fence", 1);
    BSON_APPEND_DATE_TIME(&lease, "until", started + TF_LEASE_MS);
    bson_append_document_end(&full, &lease);
    const bson_t *docs[] = {&full};
    tf_error one = {0};
    if (tf_op_insert(&op, tf_store_name(store, TF_RUNS).text, docs, 1, &one))
        return true;
    if (one.server_code == TF_CODE_DUPLICATE_KEY && !session)
        return held(store, err);
    if (err->code == TF_ERR_OK)
        *err = one;
    return false;
}

static bool lost(const tf_run *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_LEASE_LOST, "run %s is no longer ours: another process took it over or changed its state", run->id);
    return tf_error_hint(err, "'tokenfix status' shows who holds it; nothing of this process is written any more.");
}

bool tf_run_transition(const tf_store *store, tf_run *run, tf_state to, bool active, const bson_t *set,
                       mongoc_client_session_t *session, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(run->id), "state", BCON_UTF8(tf_state_name(run->stored)),
                                                      "lease.fence", BCON_INT64(run->fence));
    _cleanup_bson_ bson_t update = BSON_INITIALIZER;
    bson_t fields;
    int64_t matched = 0;
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &fields);
    BSON_APPEND_UTF8(&fields, "state", tf_state_name(to));
    BSON_APPEND_BOOL(&fields, "active", active);
    if (set)
        bson_concat(&fields, set);
    bson_append_document_end(&update, &fields);
    if (run->stored == TF_STATE_PAUSED)
        BCON_APPEND(&update, "$unset", "{", "pause", BCON_INT32(1), "}");
    if (to == TF_STATE_PAUSED)
        BCON_APPEND(&update, "$currentDate", "{", "pause.at", BCON_BOOL(true), "}");
    if (!active && run->active) {
        bson_t now;
        BSON_APPEND_DOCUMENT_BEGIN(&update, "$currentDate", &now);
        BSON_APPEND_BOOL(&now, "ended_at", true);
        bson_append_document_end(&update, &now);
    }
    _cleanup_(bson_destroyp) bson_t *again = BCON_NEW("_id", BCON_UTF8(run->id), "state", "{", "$in", "[", BCON_UTF8(tf_state_name(run->stored)),
                                                      BCON_UTF8(tf_state_name(to)), "]", "}", "lease.fence", BCON_INT64(run->fence));
    const char *what = "change the run's state";
    if (!(session ? tf_store_update(store, session, TF_RUNS, query, &update, &matched, what, err)
                  : tf_store_update_patiently(store, TF_RUNS, query, again, &update, &matched, what, err)))
        return false;
    if (matched != 1)
        return lost(run, err);
    run->stored = run->state = to;
    run->active = active;
    return true;
}

static bson_t *lease_until(void)
{
    return BCON_NEW("$dateAdd", "{", "startDate", BCON_UTF8("$$NOW"), "unit", BCON_UTF8("millisecond"), "amount",
                    BCON_INT64(TF_LEASE_MS), "}");
}

bool tf_run_renew(const tf_store *store, const char *id, const char *owner_id, int64_t fence, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *until = lease_until();
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(id), "lease.owner.id", BCON_UTF8(owner_id), "lease.fence",
                                                      BCON_INT64(fence), "active", BCON_BOOL(true));
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("0", "{", "$set", "{", "lease.until", BCON_DOCUMENT(until), "}", "}");
    int64_t matched = 0;
    if (!tf_store_update(store, NULL, TF_RUNS, query, update, &matched, "renew the lease", err))
        return false;
    if (matched == 1)
        return true;
    tf_run run = {0};
    snprintf(run.id, sizeof run.id, "%s", id);
    return lost(&run, err);
}

bool tf_run_note_session(const tf_store *store, const tf_run *run, mongoc_client_session_t *session, const uint8_t uid[32],
                         tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *set = BCON_NEW("session", BCON_DOCUMENT(mongoc_client_session_get_lsid(session)), "session_uid",
                                                    BCON_BIN(BSON_SUBTYPE_BINARY, uid, 32));
    return tf_run_set(store, run, set, err);
}

void tf_run_kill_session(const tf_store *store, const tf_run *run)
{
    bson_iter_t iter;
    uint32_t length;
    const uint8_t *data;
    bson_t lsid;
    if (!run->doc || !bson_iter_init_find(&iter, run->doc, "session") || !BSON_ITER_HOLDS_DOCUMENT(&iter))
        return;
    bson_iter_document(&iter, &length, &data);
    const uint8_t *uid = NULL;
    uint32_t uid_length = 0;
    if (!bson_init_static(&lsid, data, length))
        return;
    if (bson_iter_init_find(&iter, run->doc, "session_uid") && BSON_ITER_HOLDS_BINARY(&iter))
        bson_iter_binary(&iter, NULL, &uid_length, &uid);
    tf_store_kill_session(store, &lsid, uid_length == 32 ? uid : NULL);
}

bool tf_run_last_number(const tf_store *store, int64_t *number, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the number of the newest run");
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("db", BCON_UTF8(store->repaired), "number", "{", "$exists", BCON_BOOL(true), "$gte",
                                                       BCON_INT64(0), "$lt", BCON_INT64(TF_FORM_LARGEST), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "number", BCON_INT32(-1), "}", "limit", BCON_INT64(1), "projection",
                                                     "{", "number", BCON_INT32(1), "}");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_RUNS).text, filter, opts), &op, &doc, err);
    *number = tf_field_number(&doc, "number");
    return got >= 0;
}

bool tf_run_take_over(const tf_store *store, tf_run *run, const tf_owner *owner, tf_error *err)
{
    tf_run_kill_session(store, run);
    _cleanup_(bson_destroyp) bson_t *until = lease_until();
    _cleanup_bson_ bson_t who = BSON_INITIALIZER;
    append_owner(&who, owner, "$literal"); /* a user's name may begin with a dollar sign */
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(run->id), "state", BCON_UTF8(tf_state_name(run->stored)),
                                                      "lease.fence", BCON_INT64(run->fence));
    _cleanup_(bson_destroyp) bson_t *update =
        BCON_NEW("0", "{", "$set", "{", "active", BCON_BOOL(true), "lease.owner", BCON_DOCUMENT(&who), "lease.fence",
                 BCON_INT64(run->fence + 1), "lease.until", BCON_DOCUMENT(until), "}", "}");
    int64_t matched = 0;
    tf_error one = {0};
    if (!tf_store_update(store, NULL, TF_RUNS, query, update, &matched, "take the run over", &one)) {
        if (one.server_code == TF_CODE_DUPLICATE_KEY)
            return held(store, err);
        if (err->code == TF_ERR_OK)
            *err = one;
        return false;
    }
    if (matched != 1)
        return lost(run, err);
    run->fence++;
    run->active = true;
    run->owner = *owner;
    run->lease_left_ms = TF_LEASE_MS;
    run->state = run->stored;
    return true;
}

bool tf_run_set(const tf_store *store, const tf_run *run, const bson_t *set, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(run->id), "lease.fence", BCON_INT64(run->fence));
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$set", BCON_DOCUMENT(set));
    int64_t matched = 0;
    if (!tf_store_update_patiently(store, TF_RUNS, query, NULL, update, &matched, "note in the run", err))
        return false;
    return matched == 1 ? true : lost(run, err);
}
