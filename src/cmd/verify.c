#include "cmd/commands.h"
#include "cmd/proof_report.h"
#include "cmd/session.h"
#include "report/output.h"

typedef struct {
    int64_t workers;
} verify_args;

static const tf_option options[] = {
    TF_OPTION_INT(verify_args, workers, "workers", 1, 64,
                  "Prove by so many workers at once, and by one more that waits for the balances; otherwise as many as this machine has processors, at most 4.",
                  .env = "TOKENFIX_WORKERS"),
    TF_OPTION_END,
};

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const verify_args *wanted = args;
    tf_error err = {0};
    tf_terms terms;
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_proof_done) tf_proof proof = {0};
    if (!tf_session_open(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    session.engine.settings.workers = wanted->workers;
    session.engine.settings.run = argc ? argv[0] : NULL;
    bool good = tf_verify(&session.engine, &proof, &err);
    tf_session_settle(&session);
    if (!good)
        return tf_output_error(&err, NULL, NULL, globals->json);
    tf_terms_of_run_id(&session.engine.store, proof.run, &terms);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_proof_report_append(&proof, &terms, &data);
        tf_output_success(&data);
    } else {
        tf_proof_report_print(&proof, &terms);
    }
    return tf_proof_report_has_findings(&proof) ? 3 : 0;
}

const tf_command tf_cmd_verify = {
    .name = "verify",
    .synopsis = "[RUN]",
    .summary = "Prove that a run did what it says, and nothing else",
    .description =
        "Compares every document of the run's backup, with the repair applied, byte for byte with today's document; "
        "adds up batches, backup and balances; checks every hash. RUN is the id of a run or a migration, which means "
        "its newest run; without it, the newest finished run is proven. A run that was rolled back is said to be so, "
        "and its restoration is proven instead. It changes nothing.",
    .options = options,
    .args_size = sizeof(verify_args),
    .max_words = 1,
    .exits = "01238",
    .run = run,
};
