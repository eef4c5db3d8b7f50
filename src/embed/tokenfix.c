#include <tokenfix/tokenfix.h>

#include "base/stop.h"
#include "db/transport.h"
#include "engine/engine.h"

TF_CLEANUP(mongoc_uri_t *, tf_client_forget)

enum { TIMEOUT_MS = 5000, BATCH_MS = 500, LAG_MS = 2000 };

struct tokenfix {
    tf_client client;
    tf_engine engine;
    char *run; /* what settings.run points to */
};

const char *tokenfix_version(void)
{
    return TOKENFIX_VERSION;
}

void tokenfix_stop(void)
{
    tf_stop_request();
}

static mongoc_uri_t *parse(const char *uri, tf_error *err)
{
    bson_error_t why;
    mongoc_uri_t *parsed = mongoc_uri_new_with_error(uri, &why);
    if (!parsed) {
        tf_error_set(err, TF_ERR_USAGE, "the connection string is malformed");
        tf_error_detail(err, "%s", why.message);
        tf_error_hint(err, "It looks like mongodb://HOST/DATABASE?replicaSet=NAME.");
    } else if (!mongoc_uri_get_database(parsed)) {
        tf_error_set(err, TF_ERR_USAGE, "the connection string names no database");
        tf_error_hint(err, "Write mongodb://HOST/DATABASE.");
        mongoc_uri_destroy(parsed);
        parsed = NULL;
    }
    return parsed;
}

tokenfix *tokenfix_open(const char *uri, const char *state_db, tf_error *err)
{
    char usual[128];
    tf_client_begin();
    _cleanup_(tf_client_forgetp) mongoc_uri_t *parsed = parse(uri, err);
    if (!parsed || !tf_transport_check(parsed, 0, err))
        return NULL;
    const char *name = mongoc_uri_get_database(parsed);
    snprintf(usual, sizeof usual, "%s_tokenfix", name);
    tokenfix *db = bson_malloc0(sizeof *db);
    if (!tf_client_open(parsed, name, state_db ? state_db : usual, TIMEOUT_MS, 0, &db->client, err)) {
        bson_free(db);
        return NULL;
    }
    return db;
}

void tokenfix_close(tokenfix *db)
{
    if (!db)
        return;
    tf_client_close(&db->client);
    bson_free(db->run);
    bson_free(db);
}

/* An engine for one call. */
static tf_engine *begin(tokenfix *db, const tf_migration *migration, const char *run, const tokenfix_options *options,
                        tokenfix_result *out)
{
    static const tokenfix_options none;
    options = options ? options : &none;
    *out = (tokenfix_result){0};
    bson_free(db->run);
    db->run = run ? bson_strdup(run) : NULL;
    tf_engine_init(&db->engine, &db->client, migration);
    db->engine.settings = (tf_settings){
        .batch_size = options->batch_size,
        .workers = options->workers,
        .strategy = options->strategy,
        .again = options->again,
        .resume = options->resume,
        .run = db->run,
        .tool_version = TOKENFIX_VERSION,
        .confirmed_by = "libtokenfix",
        .manners = {.batch_ms = BATCH_MS, .max_lag_ms = LAG_MS},
    };
    return &db->engine;
}

static void take_proof(const tf_proof *proof, tokenfix_result *out)
{
    out->equal = proof->equal;
    out->changed_later = proof->changed_later;
    out->missing = proof->missing;
    out->remaining = proof->remaining;
    out->unexplained = proof->unexplained;
    out->proven = proof->ok;
}

static void take_outcome(const tf_outcome *outcome, tokenfix_result *out)
{
    snprintf(out->run, sizeof out->run, "%s", outcome->run);
    snprintf(out->state, sizeof out->state, "%s", outcome->state);
    out->documents = outcome->documents;
    out->amount = outcome->amount;
    out->batches = outcome->batches;
    out->refused = outcome->refused;
    out->conflicts = outcome->conflicts;
    if (outcome->verified)
        take_proof(&outcome->proof, out);
}

bool tokenfix_preview(tokenfix *db, const char *migration, tokenfix_result *out, tf_error *err)
{
    _cleanup_(tf_plan_done) tf_plan plan = {0};
    const tf_migration *found = tf_migration_find(migration, err);
    if (!found || !tf_plan_make(begin(db, found, NULL, NULL, out), 0, 0, 0, &plan, err))
        return false;
    out->documents = plan.documents;
    out->amount = plan.amount;
    out->owners = plan.owners;
    return true;
}

bool tokenfix_up(tokenfix *db, const char *migration, const tokenfix_options *options, tokenfix_result *out,
                 tf_error *err)
{
    _cleanup_(tf_outcome_done) tf_outcome outcome = {0};
    tf_error local = TF_ERROR_INIT;
    const tf_migration *found = tf_migration_find(migration, err);
    if (!found)
        return false;
    err = err ? err : &local;
    const tf_engine *engine = begin(db, found, NULL, options, out);
    tf_attempt_confirmed(engine, "up");
    bool good = tf_up(engine, &outcome, err);
    if (!good && !outcome.run[0])
        tf_attempt_failed(engine, "up", err);
    take_outcome(&outcome, out);
    return good;
}

bool tokenfix_verify(tokenfix *db, const char *run, tokenfix_result *out, tf_error *err)
{
    _cleanup_(tf_proof_done) tf_proof proof = {0};
    if (!tf_verify(begin(db, NULL, run, NULL, out), &proof, err))
        return false;
    snprintf(out->run, sizeof out->run, "%s", proof.run);
    snprintf(out->state, sizeof out->state, "%s", proof.state);
    out->documents = proof.documents;
    out->amount = proof.amount;
    out->batches = proof.batches;
    out->refused = proof.refused;
    out->conflicts = proof.conflicts;
    take_proof(&proof, out);
    return true;
}

bool tokenfix_down(tokenfix *db, const char *run, const tokenfix_options *options, tokenfix_result *out, tf_error *err)
{
    _cleanup_(tf_outcome_done) tf_outcome outcome = {0};
    tf_error local = TF_ERROR_INIT;
    err = err ? err : &local;
    const tf_engine *engine = begin(db, NULL, run, options, out);
    tf_attempt_confirmed(engine, "down");
    bool good = tf_down(engine, &outcome, err);
    if (!good && !outcome.run[0])
        tf_attempt_failed(engine, "down", err);
    take_outcome(&outcome, out);
    return good;
}
