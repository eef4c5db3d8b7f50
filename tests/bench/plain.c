/* What the tool is compared with: the same work by plain driver calls. */
#include "bench.h"

#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "base/docs.h"

enum { BATCH = 1000 };

static const bench_times NOTHING = {.plan = -1, .repair = -1, .proof = -1, .rss_kb = -1};

static bson_t *filter_new(void)
{
    return BCON_NEW("transaction_type", BCON_UTF8("melted"), "status", BCON_UTF8("unspent"));
}

/* The pipeline of the repair, so that the same fields of the same documents change. */
static bson_t *update_new(int64_t now)
{
    return BCON_NEW("0", "{", "$set", "{", "status", BCON_UTF8("spent"), "spent_at", BCON_DATE_TIME(now), "updatedAt",
                    "{", "$cond", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8("$updatedAt"), "}",
                    BCON_UTF8("missing"), "]", "}", BCON_UTF8("$$REMOVE"), BCON_DATE_TIME(now), "]", "}", "updated_at",
                    "{", "$cond", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8("$updated_at"), "}",
                    BCON_UTF8("missing"), "]", "}", BCON_UTF8("$$REMOVE"), BCON_DATE_TIME(now), "]", "}", "}", "}");
}

/* Reads up to BATCH documents into *out. */
static void read_some(mongoc_cursor_t *cursor, tf_docs *out)
{
    const bson_t *doc;
    bson_error_t error;
    tf_docs_clear(out);
    while (out->count < BATCH && mongoc_cursor_next(cursor, &doc))
        tf_docs_add(out, doc);
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
}

static void insert(mongoc_collection_t *into, const tf_docs *docs, const bson_t *opts)
{
    bson_t views[BATCH];
    const bson_t *pointers[BATCH];
    bson_error_t error;
    for (size_t i = 0; i < docs->count; i++) {
        tf_docs_view(docs, i, &views[i]);
        pointers[i] = &views[i];
    }
    if (!mongoc_collection_insert_many(into, pointers, docs->count, opts, NULL, &error))
        bench_fail("%s", error.message);
}

static void expect(int64_t got, int64_t wanted, const char *what)
{
    if (got != wanted)
        bench_fail("%s: %lld documents instead of %lld", what, (long long)got, (long long)wanted);
}

static int64_t updated(const bson_t *reply)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, reply, "modifiedCount") ? bson_iter_as_int64(&iter) : -1;
}

/* Read the affected documents, insert_many of 1,000 into a copy, one update_many. */
void bench_floor(bench *b, bench_times *out)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens =
        mongoc_client_get_collection(b->client, BENCH_DB, BENCH_TOKENS);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *copy =
        mongoc_client_get_collection(b->client, "wallet_copy", BENCH_TOKENS);
    _cleanup_(bson_destroyp) bson_t *filter = filter_new(), *update = update_new(tf_clock_wall_ms());
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    int64_t begin = tf_clock_ms(), copied = 0;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(tokens, filter, NULL, NULL);
    tf_docs docs = {0};
    for (read_some(cursor, &docs); docs.count; read_some(cursor, &docs)) {
        insert(copy, &docs, opts);
        copied += (int64_t)docs.count;
    }
    mongoc_cursor_destroy(cursor);
    bson_t reply;
    bson_error_t error;
    if (!mongoc_collection_update_many(tokens, filter, update, opts, &reply, &error))
        bench_fail("%s", error.message);
    *out = NOTHING;
    out->total = tf_clock_ms() - begin;
    expect(copied, b->defects, "the floor's copy");
    expect(updated(&reply), b->defects, "the floor's update");
    bson_destroy(&reply);
    tf_docs_done(&docs);
}

static int64_t replace(mongoc_collection_t *in, const tf_docs *docs, const bson_t *opts)
{
    _cleanup_(mongoc_bulk_operation_destroyp) mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(in, opts);
    _cleanup_(bson_destroyp) bson_t *unchecked = BCON_NEW("validate", BCON_BOOL(false));
    bson_t reply, view;
    bson_iter_t iter;
    bson_error_t error;
    for (size_t i = 0; i < docs->count; i++) {
        _cleanup_bson_ bson_t selector = BSON_INITIALIZER;
        tf_docs_view(docs, i, &view);
        if (bson_iter_init_find(&iter, &view, "_id"))
            bson_append_iter(&selector, "_id", -1, &iter);
        if (!mongoc_bulk_operation_replace_one_with_opts(bulk, &selector, &view, unchecked, &error))
            bench_fail("%s", error.message);
    }
    if (!mongoc_bulk_operation_execute(bulk, &reply, &error))
        bench_fail("%s", error.message);
    int64_t n = bson_iter_init_find(&iter, &reply, "nModified") ? bson_iter_as_int64(&iter) : -1;
    bson_destroy(&reply);
    return n;
}

/* Reads the documents of the same _ids, and counts them. */
static int64_t count_same(mongoc_collection_t *in, const tf_docs *docs)
{
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    tf_docs_append_ids(docs, &ids);
    _cleanup_(bson_destroyp) bson_t *those = BCON_NEW("_id", "{", "$in", BCON_ARRAY(&ids), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(in, those, NULL, NULL);
    const bson_t *doc;
    bson_error_t error;
    int64_t n = 0;
    while (mongoc_cursor_next(cursor, &doc))
        n++;
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
    return n;
}

/* What the floor changed, given back from its copy: replaceOne by _id, 1,000 to an unordered bulk write. */
void bench_bare_replace(bench *b, bench_times *out)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens =
        mongoc_client_get_collection(b->client, BENCH_DB, BENCH_TOKENS);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *copy =
        mongoc_client_get_collection(b->client, "wallet_copy", BENCH_TOKENS);
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("ordered", BCON_BOOL(false), "writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    int64_t begin = tf_clock_ms(), replaced = 0;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(copy, &all, NULL, NULL);
    tf_docs docs = {0};
    for (read_some(cursor, &docs); docs.count; read_some(cursor, &docs))
        replaced += replace(tokens, &docs, opts);
    mongoc_cursor_destroy(cursor);
    *out = NOTHING;
    out->total = tf_clock_ms() - begin;
    expect(replaced, b->defects, "the bare replacements");
    tf_docs_done(&docs);
}

/* The backup from one end to the other, and after each 1,000 of it the same tokens by _id. */
void bench_bare_read(bench *b, const char *run, bench_times *out)
{
    char name[BENCH_RUN_SIZE + 8];
    snprintf(name, sizeof name, "backup_%s", run);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens =
        mongoc_client_get_collection(b->client, BENCH_DB, BENCH_TOKENS);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *backup =
        mongoc_client_get_collection(b->client, BENCH_STATE, name);
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    int64_t begin = tf_clock_ms(), saved = 0, today = 0;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(backup, &all, NULL, NULL);
    tf_docs docs = {0};
    for (read_some(cursor, &docs); docs.count; read_some(cursor, &docs)) {
        saved += (int64_t)docs.count;
        today += count_same(tokens, &docs);
    }
    mongoc_cursor_destroy(cursor);
    *out = NOTHING;
    out->total = tf_clock_ms() - begin;
    expect(saved, b->defects, "the bare reading of the backup");
    expect(today, b->defects, "the bare reading of the tokens");
    tf_docs_done(&docs);
}

typedef struct loop {
    mongoc_client_session_t *session;
    mongoc_collection_t *tokens, *backup;
    const bson_t *filter, *update;
    bson_t opts; /* the session */
    int64_t seen;
} loop;

/* The documents of `ids`: read, backed up, changed, looked at again. */
static void one_transaction(loop *l, const bson_t *ids, tf_docs *docs)
{
    bson_t reply;
    bson_error_t error;
    const bson_t *doc;
    _cleanup_(bson_destroyp) bson_t *those = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}");
    _cleanup_(bson_destroyp) bson_t *both = BCON_NEW("$and", "[", BCON_DOCUMENT(those), BCON_DOCUMENT(l->filter), "]");
    _cleanup_(bson_destroyp) bson_t *look =
        BCON_NEW("projection", "{", "status", BCON_INT32(1), "spent_at", BCON_INT32(1), "}");
    bson_concat(look, &l->opts);
    if (!mongoc_client_session_start_transaction(l->session, NULL, &error))
        bench_fail("%s", error.message);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(l->tokens, both, &l->opts, NULL);
    read_some(cursor, docs);
    mongoc_cursor_destroy(cursor);
    insert(l->backup, docs, &l->opts);
    if (!mongoc_collection_update_many(l->tokens, both, l->update, &l->opts, &reply, &error))
        bench_fail("%s", error.message);
    expect(updated(&reply), (int64_t)docs->count, "the bare loop's update");
    bson_destroy(&reply);
    cursor = mongoc_collection_find_with_opts(l->tokens, those, look, NULL);
    while (mongoc_cursor_next(cursor, &doc)) {
        bson_iter_t iter;
        if (!bson_iter_init_find(&iter, doc, "status") || strcmp(bson_iter_utf8(&iter, NULL), "spent") != 0)
            bench_fail("the bare loop left a token unspent");
        l->seen++;
    }
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
    mongoc_cursor_destroy(cursor);
    if (!mongoc_client_session_commit_transaction(l->session, NULL, &error))
        bench_fail("%s", error.message);
}

static size_t next_ids(mongoc_cursor_t *cursor, bson_t *ids)
{
    const bson_t *doc;
    bson_iter_t iter;
    uint32_t n = 0;
    char buffer[16];
    const char *key;
    bson_reinit(ids);
    while (n < BATCH && mongoc_cursor_next(cursor, &doc))
        if (bson_iter_init_find(&iter, doc, "_id")) {
            size_t length = bson_uint32_to_string(n++, &key, buffer, sizeof buffer);
            bson_append_iter(ids, key, (int)length, &iter);
        }
    return n;
}

static mongoc_client_session_t *session_new(bench *b)
{
    bson_error_t error;
    mongoc_transaction_opt_t *txn = mongoc_transaction_opts_new();
    mongoc_session_opt_t *opts = mongoc_session_opts_new();
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_transaction_opts_set_read_concern(txn, read);
    mongoc_transaction_opts_set_write_concern(txn, write);
    mongoc_session_opts_set_default_transaction_opts(opts, txn);
    mongoc_session_opts_set_causal_consistency(opts, false);
    mongoc_client_session_t *session = mongoc_client_start_session(b->client, opts, &error);
    if (!session)
        bench_fail("%s", error.message);
    mongoc_write_concern_destroy(write);
    mongoc_read_concern_destroy(read);
    mongoc_session_opts_destroy(opts);
    mongoc_transaction_opts_destroy(txn);
    return session;
}

/* The transactions of the strategy of that name, one worker, without partitions, records, hashes and sums. */
void bench_bare_loop(bench *b, bench_times *out)
{
    _cleanup_(bson_destroyp) bson_t *create = BCON_NEW("create", BCON_UTF8(BENCH_TOKENS));
    bench_command(b, "wallet_copy", create, NULL);
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *filter = filter_new(), *update = update_new(tf_clock_wall_ms());
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    loop l = {.session = session_new(b), .filter = filter, .update = update, .opts = BSON_INITIALIZER};
    l.tokens = mongoc_client_get_collection(b->client, BENCH_DB, BENCH_TOKENS);
    l.backup = mongoc_client_get_collection(b->client, "wallet_copy", BENCH_TOKENS);
    if (!mongoc_client_session_append(l.session, &l.opts, &error))
        bench_fail("%s", error.message);
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "projection", "{", "_id", BCON_INT32(1), "}", "batchSize",
                 BCON_INT64(2000), "readConcern", "{", "level", BCON_UTF8("majority"), "}");
    int64_t begin = tf_clock_ms();
    mongoc_cursor_t *candidates = mongoc_collection_find_with_opts(l.tokens, filter, opts, NULL);
    tf_docs docs = {0};
    while (next_ids(candidates, &ids))
        one_transaction(&l, &ids, &docs);
    if (mongoc_cursor_error(candidates, &error))
        bench_fail("%s", error.message);
    *out = NOTHING;
    out->total = tf_clock_ms() - begin;
    expect(l.seen, b->defects, "the bare loop");
    mongoc_cursor_destroy(candidates);
    tf_docs_done(&docs);
    bson_destroy(&l.opts);
    mongoc_collection_destroy(l.backup);
    mongoc_collection_destroy(l.tokens);
    mongoc_client_session_destroy(l.session);
}

/* The bare question behind a preview: what matches, by user, and how much. */
void bench_bare_group(bench *b, bench_times *out)
{
    _cleanup_(bson_destroyp) bson_t *filter = filter_new();
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW(
        "0", "{", "$match", BCON_DOCUMENT(filter), "}", "1", "{", "$group", "{", "_id", BCON_UTF8("$npub"), "n", "{",
        "$sum", BCON_INT32(1), "}", "amount", "{", "$sum", BCON_UTF8("$total_amount"), "}", "}", "}");
    int64_t begin = tf_clock_ms(), n = 0;
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = bench_aggregate(b, BENCH_DB, BENCH_TOKENS, pipeline);
    const bson_t *doc;
    bson_error_t error;
    bson_iter_t iter;
    while (mongoc_cursor_next(cursor, &doc))
        n += bson_iter_init_find(&iter, doc, "n") ? bson_iter_as_int64(&iter) : 0;
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
    *out = NOTHING;
    out->total = tf_clock_ms() - begin;
    expect(n, b->defects, "the bare group");
}
