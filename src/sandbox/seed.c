#include "sandbox/seed.h"

#include <string.h>
#include <time.h>
#include <tokenfix/cleanup.h>

#include "sandbox/seed_batch.h"
#include "sandbox/seed_index.h"

enum { DEFAULT_BATCH = 2000, LARGEST_BATCH = 20000 };
static const int64_t LARGEST_SIZE = INT64_C(1) << 38;

TF_CLEANUP(tf_seed_batch *, tf_seed_batch_free)

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool check_options(const tf_seed_options *o, tf_error *err)
{
    if (o->tokens < 0 || o->users < 0 || o->tokens >= LARGEST_SIZE || o->users >= LARGEST_SIZE)
        return tf_error_set(err, TF_ERR_USAGE, "the numbers of tokens and users must lie between 0 and 2^38");
    if (o->tokens > 0 && o->users == 0)
        return tf_error_set(err, TF_ERR_USAGE, "tokens need at least one user");
    if (!(o->defects >= 0 && o->defects <= 100))
        return tf_error_set(err, TF_ERR_USAGE, "the percentage of defects must lie between 0 and 100");
    if (o->indexes != 0 && o->indexes != 8 && o->indexes != 12)
        return tf_error_set(err, TF_ERR_USAGE, "sample data comes with 8, 12 or no indexes, not %d", o->indexes);
    if (o->batch < 0 || o->batch > LARGEST_BATCH || (o->batch > 0 && o->batch < TF_SEED_USER_MINTS))
        return tf_error_set(err, TF_ERR_USAGE, "a batch has %d to %d documents", TF_SEED_USER_MINTS, LARGEST_BATCH);
    return true;
}

/* Sample data mixed into real data could never be told apart again. */
static bool check_empty(mongoc_collection_t *collection, const char *db, tf_error *err)
{
    _cleanup_bson_ bson_t filter = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts(collection, &filter, opts, NULL);
    const bson_t *document;
    bson_error_t error;

    if (mongoc_cursor_next(cursor, &document)) {
        tf_error_set(err, TF_ERR_INVALID, "%s.%s already has documents: nothing was written", db,
                     mongoc_collection_get_name(collection));
        return tf_error_hint(err,
                             "Sample data goes into an empty database only: name another one, or reset the sandbox.");
    }
    if (!mongoc_cursor_error(cursor, &error))
        return true;
    tf_error_hint(err, "Check that the server runs and that the user may read and write this database.");
    return tf_seed_failed(err, &error, "read the collection");
}

static bool insert(mongoc_collection_t *collection, tf_seed_batch *batch, const bson_t *opts, tf_error *err)
{
    bson_error_t error = {0};

    if (batch->count == 0 ||
        mongoc_collection_insert_many(collection, batch->documents, batch->count, opts, NULL, &error))
        return true;
    return tf_seed_failed(err, &error, "insert the sample data");
}

static void report(const tf_seed_options *options, tf_seed_phase phase, int64_t done, int64_t total)
{
    if (options->progress)
        options->progress(options->context, phase, done, total);
}

/* What is written, and where it is counted. */
typedef struct writing {
    mongoc_collection_t *tokens, *wallets;
    const tf_seed_options *options;
    const tf_seed_plan *ordinary;
    const tf_seed_findings *findings; /* its plan is the ordinary one where nothing is planted */
    tf_seed_batch *batch;
    const bson_t *opts;
    tf_seed_result result;
} writing;

static bool write_wallets(writing *w, tf_error *err)
{
    for (int64_t user = 0; user < w->findings->plan.users;) {
        const tf_seed_plan *plan = user < w->ordinary->users ? w->ordinary : &w->findings->plan;
        user = tf_seed_batch_wallets(w->batch, plan, user);
        if (!insert(w->wallets, w->batch, w->opts, err))
            return false;
        w->result.wallets += (int64_t)w->batch->count;
        report(w->options, TF_SEED_WALLETS, user, w->findings->plan.users);
    }
    return true;
}

static bool write_tokens(writing *w, tf_error *err)
{
    while (w->result.tokens < w->findings->plan.tokens) {
        if (w->result.tokens < w->ordinary->tokens)
            tf_seed_batch_tokens(w->batch, w->ordinary, w->result.tokens);
        else
            tf_seed_batch_planted(w->batch, w->findings, w->result.tokens);
        if (!insert(w->tokens, w->batch, w->opts, err))
            return false;
        w->result.tokens += (int64_t)w->batch->count;
        w->result.defects += w->batch->defects;
        w->result.defect_amount += w->batch->defect_amount;
        w->result.bytes += w->batch->size;
        report(w->options, TF_SEED_TOKENS, w->result.tokens, w->findings->plan.tokens);
    }
    return true;
}

bool tf_seed_run(mongoc_client_t *client, const char *db, const tf_seed_options *options, tf_seed_result *result,
                 tf_error *err)
{
    if (!check_options(options, err))
        return false;
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens =
        mongoc_client_get_collection(client, db, "cashu_tokens");
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *wallets =
        mongoc_client_get_collection(client, db, "cashu_wallets");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("ordered", BCON_BOOL(false), "validate", BCON_BOOL(false),
                                                     "writeConcern", "{", "w", BCON_INT32(1), "}");
    _cleanup_(tf_seed_batch_freep) tf_seed_batch *batch =
        tf_seed_batch_new((size_t)(options->batch ? options->batch : DEFAULT_BATCH));
    const tf_seed_plan plan = tf_seed_plan_make(options->seed, options->tokens, options->users, options->defects);
    const tf_seed_findings findings =
        options->findings ? tf_seed_findings_make(&plan) : (tf_seed_findings){.plan = plan, .counts = {[TF_SEED_MELTED_UNSPENT] = plan.defects}};
    writing w = {tokens, wallets, options, &plan, &findings, batch, opts, {0}};

    if (!check_empty(tokens, db, err) || !check_empty(wallets, db, err))
        return false;
    double start = now();
    if (!write_wallets(&w, err) || !write_tokens(&w, err))
        return false;
    double inserted = now();
    report(options, TF_SEED_INDEXES, 0, options->indexes);
    if (!tf_seed_index(client, db, options->indexes, w.result.tokens, err))
        return false;
    report(options, TF_SEED_INDEXES, options->indexes, options->indexes);
    w.result.insert_seconds = inserted - start;
    w.result.index_seconds = now() - inserted;
    memcpy(w.result.findings, findings.counts, sizeof findings.counts);
    *result = w.result;
    return true;
}
