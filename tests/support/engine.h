/* The engine, called in this process under the least role that a run needs. */
#ifndef TF_TESTS_ENGINE_H
#define TF_TESTS_ENGINE_H

#include "engine/engine.h"
#include "support/fixture.h"

typedef struct tf_host {
    tf_client client;
    tf_engine engine;
} tf_host;

static inline void tf_host_open(tf_host *host, tf_fixture *f, const char *login)
{
    tf_error err = {0};
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(login);
    assert_non_null(uri);
    if (!tf_client_open(uri, f->db, f->state_db, 10000, 0, &host->client, &err))
        fail_msg("%s (%s)", err.message, err.detail);
    tf_engine_init(&host->engine, &host->client, tf_migration_find(NULL, &err));
    assert_non_null(host->engine.migration);
}

static inline void tf_host_close(tf_host *host)
{
    tf_client_close(&host->client);
}

typedef bool (*tf_host_call)(const tf_engine *engine, tf_outcome *out, tf_error *err);

/* tf_up or tf_down with these settings; fails the test on any error. Release *out. */
static inline void tf_host_run(tf_host *host, tf_host_call call, tf_settings settings, tf_outcome *out)
{
    tf_error err = {0};
    host->engine.settings = settings;
    if (!call(&host->engine, out, &err))
        fail_msg("%s (%s)", err.message, err.detail);
    assert_int_equal(err.code, TF_ERR_OK);
}

static inline void tf_host_verify(tf_host *host, const char *run, tf_proof *out)
{
    tf_error err = {0};
    host->engine.settings = (tf_settings){.run = run};
    if (!tf_verify(&host->engine, out, &err))
        fail_msg("%s (%s)", err.message, err.detail);
}

#define TF_OUTCOME __attribute__((cleanup(tf_outcome_done))) tf_outcome
#define TF_PROOF __attribute__((cleanup(tf_proof_done))) tf_proof

#endif
