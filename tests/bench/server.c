/* The server of the benchmark, its data, and the way back to it. */
#include "bench.h"

#include <string.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "sandbox/seed.h"

#define PRISTINE_DB "wallet_pristine"
#define FILTER "transaction_type", BCON_UTF8("melted"), "status", BCON_UTF8("unspent")

bool bench_command(bench *b, const char *db, const bson_t *command, bson_t *reply)
{
    bson_t own;
    bson_error_t error;
    bool ok = mongoc_client_command_simple(b->client, db, command, NULL, &own, &error);
    if (!ok)
        bench_fail("%s", error.message);
    if (reply)
        bson_concat(reply, &own);
    bson_destroy(&own);
    return ok;
}

/* As a command: mongoc_collection_aggregate of Debian 13 is broken, see src/db/operation.c. */
mongoc_cursor_t *bench_aggregate(bench *b, const char *db, const char *collection, const bson_t *pipeline)
{
    bson_t reply;
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("aggregate", BCON_UTF8(collection), "pipeline", BCON_ARRAY(pipeline), "cursor", "{", "}",
                 "allowDiskUse", BCON_BOOL(true));
    if (!mongoc_client_command_simple(b->client, db, command, NULL, &reply, &error))
        bench_fail("%s", error.message);
    return mongoc_cursor_new_from_command_reply_with_opts(b->client, &reply, NULL);
}

static void aggregate(bench *b, const char *db, const char *collection, const bson_t *pipeline, bson_t *first)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = bench_aggregate(b, db, collection, pipeline);
    const bson_t *doc;
    bson_error_t error;
    while (mongoc_cursor_next(cursor, &doc))
        if (first && bson_empty(first))
            bson_concat(first, doc);
    if (mongoc_cursor_error(cursor, &error))
        bench_fail("%s", error.message);
}

static void hash_of_tokens(bench *b, char out[64])
{
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("dbHash", BCON_INT32(1), "collections", "[", BCON_UTF8(BENCH_TOKENS), "]");
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter, at;
    bench_command(b, BENCH_DB, command, &reply);
    if (!bson_iter_init(&iter, &reply) || !bson_iter_find_descendant(&iter, "collections." BENCH_TOKENS, &at))
        bench_fail("dbHash does not know %s", BENCH_TOKENS);
    snprintf(out, 64, "%s", bson_iter_utf8(&at, NULL));
}

int64_t bench_scanned(bench *b)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("serverStatus", BCON_INT32(1));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter, at;
    bench_command(b, "admin", command, &reply);
    if (!bson_iter_init(&iter, &reply) ||
        !bson_iter_find_descendant(&iter, "metrics.queryExecutor.scannedObjects", &at))
        bench_fail("serverStatus has no metrics.queryExecutor.scannedObjects");
    return bson_iter_as_int64(&at);
}

static void keep_history(bench *b, int seconds)
{
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("setParameter", BCON_INT32(1), "minSnapshotHistoryWindowInSeconds", BCON_INT32(seconds));
    bench_command(b, "admin", command, NULL);
}

/* The server keeps what was overwritten for five minutes, and every write pays for that of the writes before it. So that
 * nobody pays for somebody else's, the history is let go, with a write that moves its end, and written out. */
void bench_settle(bench *b)
{
    int64_t begin = tf_clock_ms();
    _cleanup_(bson_destroyp) bson_t *write = BCON_NEW("insert", BCON_UTF8("settled"), "documents", "[", "{", "}", "]",
                                                      "writeConcern", "{", "w", BCON_UTF8("majority"), "}");
    _cleanup_(bson_destroyp) bson_t *checkpoint = BCON_NEW("fsync", BCON_INT32(1));
    keep_history(b, 0);
    for (int i = 0; i < 2; i++) {
        bench_command(b, "wallet_settled", write, NULL);
        bench_command(b, "admin", checkpoint, NULL);
    }
    keep_history(b, 300);
    b->overhead_ms += tf_clock_ms() - begin;
}

static void drop(bench *b, const char *db)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("dropDatabase", BCON_INT32(1));
    bench_command(b, db, command, NULL);
}

void bench_forget(bench *b)
{
    drop(b, BENCH_STATE);
    drop(b, "wallet_copy");
    bench_settle(b);
}

static void give_back(bench *b)
{
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW(
        "0", "{", "$merge", "{", "into", "{", "db", BCON_UTF8(BENCH_DB), "coll", BCON_UTF8(BENCH_TOKENS), "}", "on",
        BCON_UTF8("_id"), "whenMatched", BCON_UTF8("replace"), "whenNotMatched", BCON_UTF8("fail"), "}", "}");
    aggregate(b, PRISTINE_DB, BENCH_TOKENS, pipeline, NULL);
}

/* Cheap where a down, or the bare replacements, gave back everything: then the hash says so. */
void bench_reset(bench *b)
{
    char hash[64];
    int64_t begin = tf_clock_ms();
    hash_of_tokens(b, hash);
    if (strcmp(hash, b->hash) != 0) {
        give_back(b);
        hash_of_tokens(b, hash);
        if (strcmp(hash, b->hash) != 0)
            bench_fail("the data is not what it was");
    }
    b->overhead_ms += tf_clock_ms() - begin;
    bench_forget(b);
}

static void measure_documents(bench *b)
{
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$group", "{", "_id", BCON_NULL, "mean", "{", "$avg", "{", "$bsonSize", BCON_UTF8("$$ROOT"),
                 "}", "}", "largest", "{", "$max", "{", "$bsonSize", BCON_UTF8("$$ROOT"), "}", "}", "}", "}");
    _cleanup_bson_ bson_t found = BSON_INITIALIZER;
    bson_iter_t iter;
    aggregate(b, BENCH_DB, BENCH_TOKENS, pipeline, &found);
    if (bson_iter_init_find(&iter, &found, "mean"))
        b->document_bytes = (int64_t)bson_iter_as_double(&iter);
    if (bson_iter_init_find(&iter, &found, "largest"))
        b->largest_bytes = bson_iter_as_int64(&iter);
}

static void read_version(bench *b)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("buildInfo", BCON_INT32(1));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter;
    bench_command(b, "admin", command, &reply);
    snprintf(b->version, sizeof b->version, "%s",
             bson_iter_init_find(&iter, &reply, "version") ? bson_iter_utf8(&iter, NULL) : "?");
}

void bench_start(bench *b)
{
    tf_error err = {0};
    const tf_sandbox_options options = {.name = b->name, .database = BENCH_DB, .cache_mb = (unsigned)b->cache_mb};
    if (!tf_sandbox_start(&options, &b->sandbox, &err) ||
        !tf_sandbox_uri(&b->sandbox, NULL, NULL, b->uri, sizeof b->uri))
        bench_fail("%s: %s", err.message, err.detail);
    setenv("TOKENFIX_URI", b->uri, 1);
    b->client = mongoc_client_new(b->uri);
    mongoc_client_set_error_api(b->client, MONGOC_ERROR_API_VERSION_2);
    read_version(b);
}

static void keep_copy(bench *b)
{
    _cleanup_(bson_destroyp) bson_t *copy =
        BCON_NEW("0", "{", "$match", "{", FILTER, "}", "}", "1", "{", "$out", "{", "db", BCON_UTF8(PRISTINE_DB), "coll",
                 BCON_UTF8(BENCH_TOKENS), "}", "}");
    aggregate(b, BENCH_DB, BENCH_TOKENS, copy, NULL);
}

void bench_seed(bench *b)
{
    tf_error err = {0};
    tf_seed_result seeded = {0};
    int64_t begin = tf_clock_ms();
    bench_say("seeding %lld tokens, %.4g %% defective, %d indexes", (long long)b->tokens, b->percent, b->indexes);
    drop(b, BENCH_DB);
    const tf_seed_options seed = {
        .tokens = b->tokens, .users = b->tokens / 100 + 1, .defects = b->percent, .seed = 1, .indexes = b->indexes};
    if (!tf_seed_run(b->client, BENCH_DB, &seed, &seeded, &err))
        bench_fail("%s: %s", err.message, err.detail);
    b->defects = seeded.defects;
    measure_documents(b);
    hash_of_tokens(b, b->hash);
    if (b->mode == BENCH_DENSE || b->mode == BENCH_SPARSE)
        keep_copy(b);
    bench_forget(b);
    bench_say("seeded in %lld s", (long long)(tf_clock_ms() - begin) / 1000);
}

void bench_stop(bench *b)
{
    tf_error err = {0};
    tf_sandbox_stopped stopped;
    if (b->client)
        mongoc_client_destroy(b->client);
    b->client = NULL;
    if (!tf_sandbox_stop(b->name, true, &stopped, &err))
        fprintf(stderr, "bench: %s\n", err.message);
}
