/*
 * What the fault tests share: a seed whose repaired form is computed here, without the engine, and an oracle that reads
 * the collection and the backup itself and compares byte for byte.
 */
#ifndef TF_TESTS_FAULT_H
#define TF_TESTS_FAULT_H

#include "base/clock.h"
#include "support/series.h"
#include "support/tokens.h"

#include <mongoc/mongoc.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAULT_TOKENS = 120, FAULT_MOST = 5300, FAULT_USERS = 7 };

typedef struct fault_data {
    int count;
    bson_t *doc[FAULT_MOST]; /* as inserted, in the order of _id */
    bool wrong[FAULT_MOST];
    int64_t amount[FAULT_MOST];
    int wrongs;
    int64_t wrong_amount;
} fault_data;

#define FAULT_DATA_CLEANUP _cleanup_(fault_data_done)

static inline void fault_data_done(fault_data *data)
{
    for (int i = 0; i < data->count; i++)
        bson_destroy(data->doc[i]);
    data->count = 0;
}

/* Every shape that the repair tells apart: both update times, none, spent_at null, absent and of another time. */
static inline bson_t *fault_token(int i, bool wrong, int64_t *amount)
{
    const int64_t written = 1704164645000 + (int64_t)i * 1000;
    char npub[32], secret[32];
    snprintf(npub, sizeof npub, "npub1user%d", i % FAULT_USERS);
    snprintf(secret, sizeof secret, "s3cr3t%04d", i);
    *amount = 1 + (i * 37) % 1000;
    bson_t *doc = BCON_NEW("_id", BCON_INT32(i * 3), "npub", BCON_UTF8(npub), "mint_url",
                           BCON_UTF8(i % 2 ? "https://mint.one" : "https://mint.two"));
    if (i % 3 == 0)
        BSON_APPEND_INT64(doc, "total_amount", *amount);
    else if (i % 3 == 1)
        BSON_APPEND_INT32(doc, "total_amount", (int32_t)*amount);
    else
        BSON_APPEND_DOUBLE(doc, "total_amount", (double)*amount);
    BSON_APPEND_UTF8(doc, "status", wrong ? "unspent" : i % 4 ? "spent" : "pending");
    BSON_APPEND_UTF8(doc, "transaction_type", wrong || i % 7 == 3 ? "melted" : "received");
    if (i % 4 != 1)
        BSON_APPEND_NULL(doc, "spent_at");
    BCON_APPEND(doc, "proofs", "[", "{", "id", BCON_UTF8("k"), "amount", BCON_INT32(8), "secret", BCON_UTF8(secret), "}", "]");
    BSON_APPEND_DATE_TIME(doc, i % 5 == 2 ? "created_at" : "createdAt", written);
    if (i % 6 != 4)
        BSON_APPEND_DATE_TIME(doc, i % 5 == 2 ? "updated_at" : "updatedAt", written);
    BSON_APPEND_UTF8(doc, "note", "stays");
    return doc;
}

static inline mongoc_collection_t *fault_collection(tf_fixture *f, const char *db, const char *name)
{
    return mongoc_client_get_collection(f->client, db, name);
}

/* As after the setup: for the next repetition of a series. */
static inline void fault_clear(tf_fixture *f)
{
    tf_fixture_forget(f);
    bson_error_t error;
    for (int i = 0; i < 2; i++) {
        _cleanup_(mongoc_database_destroyp) mongoc_database_t *db = mongoc_client_get_database(f->client, i ? f->state_db : f->db);
        if (!mongoc_database_drop(db, &error))
            fail_msg("drop: %s", error.message);
    }
}

/* Two tokens of five are defective. The program runs under the least role from here on (not with a server of the test's own). */
static inline void fault_seed_some(tf_fixture *f, fault_data *data, int count)
{
    tf_fixture_least(f, "cashu_tokens", NULL);
    bson_error_t error;
    const bson_t *views[FAULT_MOST];
    *data = (fault_data){.count = count};
    for (int i = 0; i < count; i++) {
        data->wrong[i] = i % 5 < 2;
        data->doc[i] = fault_token(i, data->wrong[i], &data->amount[i]);
        views[i] = data->doc[i];
        data->wrongs += data->wrong[i];
        data->wrong_amount += data->wrong[i] ? data->amount[i] : 0;
    }
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *into = fault_collection(f, f->db, "cashu_tokens");
    if (!mongoc_collection_insert_many(into, views, (size_t)count, NULL, NULL, &error))
        fail_msg("seed: %s", error.message);
}

static inline void fault_seed(tf_fixture *f, fault_data *data)
{
    fault_seed_some(f, data, FAULT_TOKENS);
}

/* The repaired form: status and spent_at in their places, what is absent at the end, the update time it has. */
static inline bson_t *fault_repaired(const bson_t *doc, int64_t started)
{
    bson_t *out = bson_new();
    bson_iter_t iter;
    if (bson_iter_init(&iter, doc))
        while (bson_iter_next(&iter)) {
            const char *key = bson_iter_key(&iter);
            if (strcmp(key, "status") == 0)
                BSON_APPEND_UTF8(out, key, "spent");
            else if (strcmp(key, "spent_at") == 0 || strcmp(key, "updatedAt") == 0 || strcmp(key, "updated_at") == 0)
                BSON_APPEND_DATE_TIME(out, key, started);
            else
                bson_append_iter(out, key, -1, &iter);
        }
    if (!bson_has_field(doc, "spent_at"))
        BSON_APPEND_DATE_TIME(out, "spent_at", started);
    return out;
}

static inline mongoc_cursor_t *fault_sorted(mongoc_collection_t *in)
{
    _cleanup_(bson_destroyp) bson_t *all = bson_new(), *by_id = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    return mongoc_collection_find_with_opts(in, all, by_id, NULL);
}

/* The next document must be `expected`, byte for byte. */
static inline void fault_next_is(mongoc_cursor_t *cursor, const bson_t *expected, const char *what, int i)
{
    const bson_t *found = NULL;
    bson_error_t error;
    if (!mongoc_cursor_next(cursor, &found)) {
        bool failed = mongoc_cursor_error(cursor, &error);
        fail_msg("%s: token %d is missing%s%s", what, i, failed ? ": " : "", failed ? error.message : "");
    } else if (found->len != expected->len || memcmp(bson_get_data(found), bson_get_data(expected), found->len) != 0) {
        char *a = bson_as_canonical_extended_json(expected, NULL), *b = bson_as_canonical_extended_json(found, NULL);
        print_error("%s: token %d is\n  %s\ninstead of\n  %s\n", what, i, b, a);
        bson_free(a);
        bson_free(b);
        fail_msg("%s: token %d differs", what, i);
    }
}

static inline void fault_at_end(mongoc_cursor_t *cursor, const char *what)
{
    const bson_t *found = NULL;
    bson_error_t error;
    if (mongoc_cursor_next(cursor, &found))
        fail_msg("%s: there are more documents than expected", what);
    if (mongoc_cursor_error(cursor, &error))
        fail_msg("%s: %s", what, error.message);
}

/* The whole collection is as it was seeded. */
static inline void fault_assert_untouched(tf_fixture *f, const fault_data *data)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = fault_collection(f, f->db, "cashu_tokens");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = fault_sorted(in);
    for (int i = 0; i < data->count; i++)
        fault_next_is(cursor, data->doc[i], "collection", i);
    fault_at_end(cursor, "collection");
}

/* One document of an aggregation or find in the state database; empty when there is none. The caller destroys. */
static inline bson_t *fault_state(tf_fixture *f, const char *collection, const char *pipeline)
{
    bson_error_t error;
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = fault_collection(f, f->state_db, collection);
    _cleanup_(bson_destroyp) bson_t *parsed = bson_new_from_json((const uint8_t *)pipeline, -1, &error);
    if (!parsed)
        fail_msg("%s: %s", pipeline, error.message);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = mongoc_collection_aggregate(in, MONGOC_QUERY_NONE, parsed, NULL, NULL);
    const bson_t *doc = NULL;
    bson_t *out = mongoc_cursor_next(cursor, &doc) ? bson_copy(doc) : bson_new();
    if (mongoc_cursor_error(cursor, &error))
        fail_msg("%s: %s", pipeline, error.message);
    return out;
}

static inline int64_t fault_number(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    if (!bson_iter_init(&iter, doc) || !bson_iter_find_descendant(&iter, path, &at))
        return -1;
    return BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
}

static inline const char *fault_text(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    bool found = bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) && BSON_ITER_HOLDS_UTF8(&at);
    return found ? bson_iter_utf8(&at, NULL) : "";
}

/* The newest run of a direction ("up", "down", or NULL for either); empty when there is none. */
static inline bson_t *fault_newest(tf_fixture *f, const char *direction)
{
    char pipeline[256];
    snprintf(pipeline, sizeof pipeline,
             "[{\"$match\": {\"direction\": %s%s%s}}, {\"$sort\": {\"started_at\": -1, \"_id\": -1}}, {\"$limit\": 1}]",
             direction ? "\"" : "{\"$exists\": true", direction ? direction : "", direction ? "\"" : "}");
    return fault_state(f, "runs", pipeline);
}

/* What the batches of a run add up to. */
static inline void fault_assert_batches(tf_fixture *f, const char *run, int64_t applied, int64_t amount)
{
    char pipeline[512];
    snprintf(pipeline, sizeof pipeline,
             "[{\"$match\": {\"run\": \"%s\"}}, {\"$group\": {\"_id\": null, \"applied\": {\"$sum\": \"$counts.applied\"},"
             " \"backed_up\": {\"$sum\": \"$counts.backed_up\"}, \"amount\": {\"$sum\": \"$amount\"}}}]",
             run);
    _cleanup_(bson_destroyp) bson_t *sums = fault_state(f, "batches", pipeline);
    if (applied == 0 && bson_empty(sums))
        return;
    assert_int_equal(fault_number(sums, "applied"), applied);
    assert_int_equal(fault_number(sums, "backed_up"), applied);
    assert_int_equal(fault_number(sums, "amount"), amount);
}

/* Every user's sums by status, added up by the server, against those of the seed. */
static inline void fault_assert_balances(tf_fixture *f, const fault_data *data, bool repaired)
{
    for (int user = 0; user < FAULT_USERS; user++) {
        int64_t unspent = 0, spent = 0;
        char text[512];
        for (int i = user; i < data->count; i += FAULT_USERS) {
            bool is_spent = data->wrong[i] ? repaired : i % 4 != 0;
            if (is_spent)
                spent += data->amount[i];
            else if (data->wrong[i])
                unspent += data->amount[i];
        }
        snprintf(text, sizeof text,
                 "{\"aggregate\": \"cashu_tokens\", \"cursor\": {}, \"pipeline\": [{\"$match\": {\"npub\": \"npub1user%d\"}},"
                 " {\"$group\": {\"_id\": null, \"spent\": {\"$sum\": {\"$cond\": [{\"$eq\": [\"$status\", \"spent\"]}, {\"$toLong\":"
                 " \"$total_amount\"}, 0]}}, \"unspent\": {\"$sum\": {\"$cond\": [{\"$eq\": [\"$status\", \"unspent\"]}, {\"$toLong\":"
                 " \"$total_amount\"}, 0]}}}}]}",
                 user);
        _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, text);
        assert_int_equal(fault_number(reply, "cursor.firstBatch.0.spent"), spent);
        assert_int_equal(fault_number(reply, "cursor.firstBatch.0.unspent"), unspent);
    }
}

/* Every defective token repaired exactly once by the newest up, no other touched, the backup verbatim, the sums right. */
static inline void fault_assert_repaired(tf_fixture *f, const fault_data *data)
{
    char name[128];
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, "up");
    assert_string_equal(fault_text(run, "state"), "completed");
    const int64_t started = fault_number(run, "started_at");
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = fault_collection(f, f->db, "cashu_tokens");
    snprintf(name, sizeof name, "backup_%s", fault_text(run, "_id"));
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *backup = fault_collection(f, f->state_db, name);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *now = fault_sorted(in), *saved = fault_sorted(backup);
    for (int i = 0; i < data->count; i++) {
        _cleanup_(bson_destroyp) bson_t *repaired = fault_repaired(data->doc[i], started);
        fault_next_is(now, data->wrong[i] ? repaired : data->doc[i], "collection", i);
        if (data->wrong[i])
            fault_next_is(saved, data->doc[i], "backup", i);
    }
    fault_at_end(now, "collection");
    fault_at_end(saved, "backup");
    fault_assert_batches(f, fault_text(run, "_id"), data->wrongs, data->wrong_amount);
    fault_assert_balances(f, data, true);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"up\"}"), 1);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
}

/* ---- programs ---- */

/* What --workers says in every program started below; 0: nothing. A series sets it: fault_workers = s.workers. */
static int fault_workers;

/* Starts it with failpoints ("name=kill@2,…"; NULL: none) and up to five arguments behind the usual ones. */
static inline tf_program *fault_start(tf_fixture *f, const char *command, const char *points, const char *const *more)
{
    const char *argv[16] = {command, "--confirm", "--yes", "--json"};
    size_t n = 4;
    for (; more && *more; more++)
        argv[n++] = *more;
    char text[4096], workers[16];
    if (fault_workers) {
        snprintf(workers, sizeof workers, "%d", fault_workers);
        argv[n++] = "--workers";
        argv[n++] = workers;
    }
    snprintf(text, sizeof text, "TOKENFIX_FAILPOINT=%s", points ? points : "");
    const char *const env[] = {text, NULL};
    return tf_program_start(f, &(tf_program_options){.argv = argv, .env = env});
}

static inline tf_program *fault_exec(tf_fixture *f, const char *command, const char *points, const char *const *more)
{
    tf_program *p = fault_start(f, command, points, more);
    tf_program_wait(p, 240);
    return p;
}

#define fault_words(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Waits until the process has stopped itself (SIGSTOP). */
static inline void wait_until_stopped(const tf_program *p)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    for (int n = 0; n < 6000; n++) {
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        char *got = fgets(line, sizeof line, file), *state = got ? strrchr(line, ')') : NULL;
        fclose(file);
        assert_non_null(state);
        if (state[2] == 'T')
            return;
        assert_int_not_equal(state[2], 'Z');
        usleep(10000);
    }
    fail_msg("the program did not stop");
}

/* What an operator does after a kill, until all is done: begins where no run is, else goes on. */
static inline void fault_go_on(tf_fixture *f, const char *direction, const char *const *begin)
{
    for (int n = 0; n < 6; n++) {
        _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
        if (strcmp(fault_text(run, "state"), "completed") == 0)
            return;
        tf_program *p = bson_empty(run) ? fault_exec(f, direction, NULL, begin)
                                        : fault_exec(f, direction, NULL, fault_words("--resume"));
        assert_exit(p, 0);
    }
    fail_msg("the %s is not completed after six attempts", direction);
}

/* The batches of the newest run of a direction. */
static inline int64_t fault_batches(tf_fixture *f, const char *direction)
{
    char filter[128];
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
    snprintf(filter, sizeof filter, "{\"run\": \"%s\"}", fault_text(run, "_id"));
    return bson_empty(run) ? 0 : tf_fixture_count(f, f->state_db, "batches", filter);
}

/* As fault_go_on after a kill: how many milliseconds from the start of the program until it committed its first batch (or
 * ended, where none was left). */
static inline int64_t fault_resume_timed(tf_fixture *f, const char *direction, const char *const *begin)
{
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
    if (strcmp(fault_text(run, "state"), "completed") == 0)
        return 0;
    int64_t batches = fault_batches(f, direction), started = tf_clock_ms(), took = -1;
    tf_program *p = fault_start(f, direction, NULL, bson_empty(run) ? begin : fault_words("--resume"));
    while (took < 0 && tf_clock_ms() - started < 200000) {
        siginfo_t info = {0};
        assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        if (info.si_pid || fault_batches(f, direction) > batches)
            took = tf_clock_ms() - started;
        usleep(5000);
    }
    tf_program_wait(p, 240);
    assert_exit(p, 0);
    return took;
}

static inline void fault_assert_proven(tf_fixture *f)
{
    tf_program *p = tf_program_run(f, "verify", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.ok"));
}

#endif
