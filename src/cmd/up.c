#include "base/stop.h"
#include "base/text.h"
#include "cmd/backup.h"
#include "cmd/commands.h"
#include "cmd/confirm.h"
#include "cmd/manners.h"
#include "cmd/outcome_report.h"
#include "cmd/plan_report.h"
#include "cmd/session.h"
#include "engine/resolve.h"
#include "report/output.h"

typedef struct {
    bool confirm, yes, dry_run, again, if_needed, take_over, timings;
    int64_t batch_size, canary, workers;
    const char *strategy, *on_error, *resume;
    tf_manners_args manners;
    tf_export_args export;
} up_args;

static const char *const strategies[] = {"transaction", "journal", NULL};
static const char *const on_errors[] = {"rollback", "stop", NULL};

static const tf_option options[] = {
    TF_CONFIRM_OPTIONS(up_args),
    TF_OPTION_FLAG(up_args, dry_run, "dry-run", "The same as 'preview': change nothing."),
    TF_OPTION_INT(up_args, batch_size, "batch-size", 1, 100000,
                  "Repair at most so many documents in one batch; otherwise 1,000 documents or 4 MB.",
                  .env = "TOKENFIX_BATCH_SIZE"),
    TF_OPTION_INT(up_args, workers, "workers", 1, 64, "Repair by so many workers at once; otherwise as many as this machine has processors, at most 4.",
                  .env = "TOKENFIX_WORKERS"),
    TF_OPTION_CHOICE(up_args, strategy, "strategy", strategies,
                     "Repair each batch in a transaction, or with a journal: faster where there are many indexes, and "
                     "the only way on a server without transactions, but it promises less against concurrent writers.",
                     .env = "TOKENFIX_STRATEGY"),
    TF_OPTION_CHOICE(up_args, on_error, "on-error", on_errors,
                     "When an invariant fails or the server refuses a batch, take the run back or stop it where it is.",
                     .fallback = "rollback"),
    TF_OPTION_FLAG(up_args, if_needed, "if-needed", "Succeed where there is nothing to do."),
    TF_OPTION_INT(up_args, canary, "canary", 1, INT64_MAX,
                  "Repair so many documents, verify them and stop; --resume goes on."),
    TF_OPTION_STRING(up_args, resume, "resume", "Go on with an interrupted run: RUN, or the newest.", .metavar = "RUN",
                     .optional = true, .by_hand = true),
    TF_OPTION_FLAG(up_args, again, "again", "Repair what came up since the migration was completed, in a new run.",
                   .by_hand = true),
    TF_OPTION_FLAG(up_args, take_over, "take-over",
                   "With --resume: do not wait until the lease of the run's former owner ends.",
                   .by_hand = true),
    TF_MANNERS_OPTIONS(up_args),
    TF_OPTION_STRING(up_args, export.dir, "export",
                     "When the repair is done, write its backup into DIR/RUN/, by default in " TF_BACKUP_DIR ", as 'backup export' does.",
                     .metavar = "DIR", .optional = true, .by_hand = true), /* in a configuration file `export` would be that of `history` */
    TF_EXPORT_FORM_OPTIONS(up_args),
    TF_OPTION_FLAG(up_args, timings, "timings", "Show where the time went; --json always does."),
    TF_OPTION_END,
};

/* ---- the command line ---- */

static bool contradict(const char *one, const char *other, const char *hint, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "option '--%s' contradicts '--%s'", one, other);
    return tf_error_hint(err, "%s", hint);
}

static bool check(const up_args *wanted, const tf_globals *globals, tf_error *err)
{
    bool named = tf_options_source(globals->command_options, "strategy") == TF_SOURCE_FLAG;
    if (wanted->resume && wanted->again)
        return contradict("again", "resume", "A run that is resumed is none that begins anew.", err);
    if (wanted->resume && wanted->if_needed)
        return contradict("if-needed", "resume", "Where there is nothing to resume, --resume says so and exits 1.",
                          err);
    if (wanted->resume && named)
        return contradict("strategy", "resume", "A run goes on with the strategy it began with.", err);
    if (wanted->again && wanted->if_needed)
        return contradict("if-needed", "again", "--again is for what came up after the migration was completed.", err);
    if (wanted->take_over && !wanted->resume) {
        tf_error_set(err, TF_ERR_USAGE, "option '--take-over' needs '--resume'");
        return tf_error_hint(err, "Only a run that is resumed can be taken over from its former owner.");
    }
    return true;
}

static void set(const up_args *wanted, bool on_error_named, tf_settings *settings)
{
    settings->batch_size = wanted->batch_size;
    settings->workers = wanted->workers;
    settings->strategy = wanted->strategy;
    settings->stop_on_error = strcmp(wanted->on_error, "stop") == 0;
    settings->rollback_on_error = on_error_named && !settings->stop_on_error;
    settings->again = wanted->again;
    settings->resume = wanted->resume != NULL;
    settings->take_over = wanted->take_over;
    settings->run = wanted->resume && *wanted->resume ? wanted->resume : NULL;
    settings->canary = wanted->canary;
}

/* The migration of the run that --resume names, where no word names one. None where the binary does not have it any more:
 * the run goes on with the repair it has stored. */
static bool find_by_run(tf_engine *engine, const char *name, tf_error *err)
{
    tf_run named = {0};
    tf_error ignored = {0};
    if (!tf_resolve_run(engine, name, &named, err))
        return false;
    engine->migration = tf_migration_find(named.migration, &ignored);
    tf_run_done(&named);
    return true;
}

/* What can be known before the repair: the options, the secret, the folder. */
static bool ready_to_export(tf_export_args *export, const tf_globals *globals, tf_error *err)
{
    static const char *const only[] = {"gzip", "encrypt"};
    for (size_t i = 0; !export->dir && i < sizeof only / sizeof *only; i++)
        if (tf_options_source(globals->command_options, only[i]) == TF_SOURCE_FLAG)
            return tf_error_set(err, TF_ERR_USAGE, "option '--%s' needs '--export'", only[i]);
    if (!export->dir)
        return true;
    if (!*export->dir)
        export->dir = TF_BACKUP_DIR;
    return tf_export_ready(export->dir, NULL, err) && tf_export_args_read(export, globals, err);
}

static bool begin(up_args *wanted, const tf_globals *globals, const char *word, tf_session *session,
                  tf_error *err)
{
    bool by_run = !word && wanted->resume && *wanted->resume;
    const tf_migration *migration = NULL;
    if (!check(wanted, globals, err) || (!wanted->dry_run && wanted->confirm && !ready_to_export(&wanted->export, globals, err)) ||
        (!by_run && !(migration = tf_migration_find(word, err))) ||
        !tf_session_open_to_write(session, globals, migration, err))
        return false;
    set(wanted, tf_options_source(globals->command_options, "on-error") == TF_SOURCE_FLAG, &session->engine.settings);
    if (!tf_manners_read(&wanted->manners, &session->engine.settings, err))
        return false;
    return !by_run || find_by_run(&session->engine, wanted->resume, err);
}

/* ---- how it ends ---- */

static int succeed(const tf_session *session, const tf_outcome *outcome, const char *message, const tf_export *exported, bool json)
{
    tf_terms terms;
    if (outcome->run[0] && !message)
        tf_terms_of_run_id(&session->engine.store, outcome->run, &terms);
    else
        tf_terms_of_json(session->engine.migration->repair, &terms);
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        if (message)
            BSON_APPEND_UTF8(&data, "message", message);
        tf_up_report_append(outcome, &terms, &data);
        tf_export_report_append_to(exported, &data);
        tf_output_success(&data);
    } else if (message) {
        printf("%s\n", message);
    } else {
        tf_up_report_print(outcome, &terms);
        if (outcome->failure[0])
            tf_output_warning("rolled back, but for the conflicts listed: %s", outcome->failure);
        if (exported) {
            printf("\n");
            tf_export_report_print(exported);
        }
    }
    return outcome->findings ? 3 : 0;
}

/* --if-needed where nothing needs doing. */
static int not_needed(const tf_session *session, const char *state, const char *message, bool json)
{
    tf_outcome outcome = {0};
    snprintf(outcome.migration, sizeof outcome.migration, "%s", session->engine.migration->id);
    snprintf(outcome.state, sizeof outcome.state, "%s", state);
    return succeed(session, &outcome, message, NULL, json);
}

static int fail(const tf_session *session, const tf_outcome *outcome, tf_error *err, bool json)
{
    const char *run = outcome->run[0] ? outcome->run : NULL;
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    tf_terms terms;
    if (!run)
        return tf_output_error(err, NULL, NULL, json);
    if (tf_error_exit(err->code) == 7)
        tf_error_hint(err,
                      "Go on with 'tokenfix up --resume=%s --confirm', or take back what is done with 'tokenfix "
                      "down %s --confirm'.",
                      run, run);
    tf_terms_of_run_id(&session->engine.store, run, &terms);
    if (json)
        tf_up_report_append(outcome, &terms, &data);
    else if (outcome->documents > 0 || outcome->verified) {
        tf_up_report_print(outcome, &terms);
        printf("\n");
    }
    return tf_output_failure(err, run, json ? &data : NULL, json);
}

/* The repair stands, whatever becomes of the export: said in this order. */
static int finish(tf_session *session, up_args *wanted, const tf_outcome *outcome, bool json)
{
    tf_error err = {0};
    tf_export exported = {0};
    if (!wanted->export.dir)
        return succeed(session, outcome, NULL, NULL, json);
    if (tf_export_after(session, &wanted->export, outcome->run, &exported, &err))
        return succeed(session, outcome, NULL, &exported, json);
    err.hint[0] = '\0';
    tf_error_hint(&err, "The repair is completed; only the export failed: 'tokenfix backup export %s' does it again.", outcome->run);
    return fail(session, outcome, &err, json);
}

/* ---- the preview in front ---- */

static int show_plan(const tf_session *session, const tf_plan *plan, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_plan_report_append(&session->engine, plan, &data);
        tf_output_success(&data);
    } else {
        tf_plan_report_print(&session->engine, plan);
        printf("\nNothing was changed.\n");
    }
    return 0;
}

/* Refused or missing: the preview belongs to the answer. */
static int unconfirmed(const tf_session *session, const tf_plan *plan, const tf_error *err, bool json)
{
    _cleanup_bson_ bson_t preview = BSON_INITIALIZER;
    if (json)
        tf_plan_report_append(&session->engine, plan, &preview);
    return tf_output_error(err, NULL, json ? &preview : NULL, json);
}

static bool ask(const tf_session *session, const up_args *wanted, const tf_plan *plan, tf_error *err)
{
    char question[256];
    tf_terms terms;
    const char *id = session->engine.migration->id;
    if (!wanted->confirm) {
        tf_error_set(err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
        return tf_error_hint(err, "Run 'tokenfix up %s%s%s%s%s --confirm' to repair.", id,
                             wanted->again ? " --again" : "", wanted->resume ? " --resume" : "",
                             wanted->resume && *wanted->resume ? "=" : "", wanted->resume ? wanted->resume : "");
    }
    tf_terms_of_repair(plan->repair, &terms);
    snprintf(question, sizeof question, "This repairs %s (%s) of %s.%s.", TF_DOCUMENTS(&terms, plan->documents),
             TF_AMOUNT(&terms, plan->amount), session->client.db, plan->repair->collection);
    return tf_confirm(question, session->client.db, wanted->yes, err);
}

/* Shows the preview and asks. -1: go on; otherwise the exit status. */
static int preview(tf_session *session, const up_args *wanted, bool json)
{
    tf_error err = {0};
    _cleanup_(tf_plan_done) tf_plan plan = {0};
    if (!session->engine.migration) {
        tf_error_set(&err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
        tf_error_hint(&err,
                      "This program does not have the run's migration and shows no preview; with --confirm --yes it "
                      "goes on with the repair that is stored in the run.");
        tf_attempt_failed(&session->engine, "up", &err);
        return tf_output_error(&err, NULL, NULL, json);
    }
    bool good = tf_plan_make(&session->engine, 10, 0, 0, &plan, &err);
    tf_session_settle(session);
    if (!good)
        return tf_output_error(&err, NULL, NULL, json);
    if (wanted->dry_run)
        return show_plan(session, &plan, json);
    if (wanted->if_needed && plan.documents == 0)
        return not_needed(session, "not_needed", "Nothing to repair.", json);
    if (!json) {
        tf_plan_report_print(&session->engine, &plan);
        printf("\n");
        fflush(stdout);
    }
    if (ask(session, wanted, &plan, &err))
        return -1;
    tf_attempt_failed(&session->engine, "up", &err);
    return unconfirmed(session, &plan, &err, json);
}

static int up(const tf_globals *globals, up_args *wanted, int argc, char *const *argv)
{
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_outcome_done) tf_outcome outcome = {0};
    if (!begin(wanted, globals, argc ? argv[0] : NULL, &session, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (!wanted->dry_run && !tf_up_allowed(&session.engine, &err)) {
        tf_session_settle(&session);
        if (err.code == TF_ERR_COMPLETED && wanted->if_needed)
            return not_needed(&session, "completed", err.message, globals->json);
        tf_attempt_failed(&session.engine, "up", &err);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    if (wanted->dry_run || !wanted->confirm || !tf_confirm_given(wanted->yes)) {
        int status = preview(&session, wanted, globals->json);
        if (status >= 0)
            return status;
    }
    session.engine.settings.confirmed_by = tf_confirm_how(wanted->yes);
    tf_stop_install(tf_output_ended);
    tf_attempt_confirmed(&session.engine, "up");
    bool good = tf_up(&session.engine, &outcome, &err);
    tf_session_settle(&session);
    if (!good && !outcome.run[0])
        tf_attempt_failed(&session.engine, "up", &err);
    if (good && outcome.nothing)
        return not_needed(&session, "completed", "Nothing to repair.", globals->json);
    int status = good ? finish(&session, wanted, &outcome, globals->json) : fail(&session, &outcome, &err, globals->json);
    if (wanted->timings && !globals->json && outcome.batches > 0)
        tf_timings_report_print(&outcome.timings);
    return status;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    up_args *wanted = args;
    int status = up(globals, wanted, argc, argv);
    tf_export_args_done(&wanted->export);
    return status;
}

const tf_command tf_cmd_up = {
    .name = "up",
    .synopsis = "[MIGRATION]",
    .summary = "Repair the data: snapshot, change and verify every affected document",
    .description =
        "Backs up every affected document, changes it, and proves the result. Without --confirm it shows the preview "
        "and exits with 4. With --confirm it asks on a terminal for the database's name; --yes, or "
        "CONFIRM_MIGRATION=yes in the environment, answers in advance.\n\n"
        "The first Ctrl-C finishes the batch and leaves the run so that --resume goes on with it, the second stops at "
        "once, the third does not even wait for the server's answer. A lost connection stops the run in the same way. A failed invariant takes the whole run back.",
    .flags = TF_CMD_WRITES | TF_CMD_NEEDS_CONFIRM | TF_CMD_NEEDS_LEASE,
    .max_words = 1,
    .options = options,
    .args_size = sizeof(up_args),
    .exits = "012345678",
    .run = run,
};
