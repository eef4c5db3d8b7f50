#include "base/stop.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/confirm.h"
#include "cmd/manners.h"
#include "cmd/outcome_report.h"
#include "cmd/run_report.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "engine/resolve.h"
#include "report/output.h"

typedef struct {
    bool confirm, yes, recreate_deleted, take_over, timings;
    int64_t batch_size, workers;
    const char *on_conflict, *strategy, *resume;
    tf_manners_args manners;
} down_args;

static const char *const strategies[] = {"transaction", "journal", NULL};
static const char *const policies[] = {"skip", "fields", NULL};

static const tf_option options[] = {
    TF_CONFIRM_OPTIONS(down_args),
    TF_OPTION_CHOICE(down_args, on_conflict, "on-conflict", policies,
                     "What to do with a document that was changed since the repair: leave it alone, or give back only "
                     "those touched fields that still hold what the repair wrote.",
                     .fallback = "skip"),
    TF_OPTION_FLAG(down_args, recreate_deleted, "recreate-deleted",
                   "Insert documents again that were deleted since the repair.", .by_hand = true),
    TF_OPTION_STRING(down_args, resume, "resume", "Go on with an interrupted rollback: RUN, or the newest.",
                     .metavar = "RUN", .optional = true, .by_hand = true),
    TF_OPTION_FLAG(down_args, take_over, "take-over", "Do not wait until the lease of a run's former owner ends.",
                   .by_hand = true),
    TF_OPTION_FLAG(down_args, timings, "timings", "Show where the time went; --json always does."),
    TF_OPTION_INT(down_args, batch_size, "batch-size", 1, 100000, "Restore at most so many documents in one batch.",
                  .env = "TOKENFIX_BATCH_SIZE"),
    TF_OPTION_INT(down_args, workers, "workers", 1, 64, "Restore by so many workers at once; otherwise as many as this machine has processors, at most 4.",
                  .env = "TOKENFIX_WORKERS"),
    TF_OPTION_CHOICE(down_args, strategy, "strategy", strategies,
                     "Restore each batch in a transaction, or with a journal; otherwise as the run was repaired.",
                     .env = "TOKENFIX_STRATEGY"),
    TF_MANNERS_OPTIONS(down_args),
    TF_OPTION_END,
};

/* A migration means its newest `up` that is not taken back yet. Its newest run of any direction, as elsewhere, would make
 * the second of two `down 004` repair again what the first gave back. */
static bool name_migration(tf_engine *engine, const char *word, tf_error *err)
{
    tf_run run = {0};
    tf_error ignored = {0};
    int got = tf_run_load(&engine->store, word, &run, err);
    tf_run_done(&run);
    engine->migration = got == 0 ? tf_migration_find(word, &ignored) : NULL;
    if (!engine->migration)
        engine->settings.run = word;
    return got >= 0;
}

static bool begin(down_args *wanted, const tf_globals *globals, const char *word, tf_session *session,
                  tf_error *err)
{
    const char *resumed = wanted->resume && *wanted->resume ? wanted->resume : NULL;
    if (word && resumed) {
        tf_error_set(err, TF_ERR_USAGE, "two runs are named: '%s' and '%s'", TF_WORD(word), TF_WORD(resumed));
        return tf_error_hint(err, "Name the rollback to go on with behind --resume=, and nothing else.");
    }
    if (!tf_session_open_to_write(session, globals, NULL, err))
        return false;
    tf_settings *settings = &session->engine.settings;
    if (resumed)
        settings->run = resumed;
    else if (word && !name_migration(&session->engine, word, err))
        return false;
    settings->batch_size = wanted->batch_size;
    settings->workers = wanted->workers;
    settings->strategy = wanted->strategy;
    settings->on_conflict = wanted->on_conflict;
    settings->recreate_deleted = wanted->recreate_deleted;
    settings->resume = wanted->resume != NULL;
    settings->take_over = wanted->take_over;
    return tf_manners_read(&wanted->manners, settings, err);
}

/* ---- the question ---- */

static int unconfirmed(const tf_run *target, const tf_error *err, bool json)
{
    _cleanup_bson_ bson_t preview = BSON_INITIALIZER;
    if (json)
        tf_run_report_append(target, &preview);
    return tf_output_error(err, NULL, json ? &preview : NULL, json);
}

static bool ask(const tf_session *session, const down_args *wanted, const tf_run *target, tf_error *err)
{
    char question[256];
    tf_terms terms;
    if (!wanted->confirm) {
        tf_error_set(err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
        if (wanted->resume)
            return tf_error_hint(err, "Run 'tokenfix down --resume%s%s --confirm' to go on with the rollback.",
                                 *wanted->resume ? "=" : "", wanted->resume);
        return tf_error_hint(err, "Run 'tokenfix down %s --confirm' to take it back.", target->id);
    }
    tf_terms_of_run(target->doc, &terms);
    if (wanted->resume)
        snprintf(question, sizeof question, "This goes on with rollback %s of run %s in %s.", target->id,
                 target->restores, session->client.db);
    else
        snprintf(question, sizeof question, "This takes back run %s: %s of %s.%s.", target->id,
                 TF_DOCUMENTS(&terms, tf_run_count(target, "applied")), session->client.db, target->collection);
    return tf_confirm(question, session->client.db, wanted->yes, err);
}

/* Shows what would be taken back and asks. -1: go on; otherwise the exit status. */
static int preview(const tf_session *session, const down_args *wanted, const tf_run *target, bool json)
{
    tf_error err = {0};
    if (!json) {
        _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
        printf("%s\n\n", wanted->resume ? "This rollback would be gone on with" : "This run would be taken back");
        tf_run_report_sheet(target, sheet);
        tf_sheet_print(sheet);
        printf("\n");
        fflush(stdout);
    }
    if (ask(session, wanted, target, &err))
        return -1;
    tf_attempt_failed(&session->engine, "down", &err);
    return unconfirmed(target, &err, json);
}

/* ---- how it ends ---- */

/* Whether one of the conflicts is a document: a batch whose backup is damaged is listed without an _id. */
static bool names_documents(const bson_t *conflicts)
{
    bson_iter_t iter, field;
    for (bool more = conflicts && bson_iter_init(&iter, conflicts); more && bson_iter_next(&iter);)
        if (BSON_ITER_HOLDS_DOCUMENT(&iter) && bson_iter_recurse(&iter, &field) && bson_iter_find(&field, "_id"))
            return true;
    return false;
}

static void advise(const tf_outcome *outcome, bool fields)
{
    if (outcome->conflicts == 0)
        return;
    if (!names_documents(outcome->conflict_ids))
        tf_output_note(
            "batches whose backup is not as it was written were left alone; docs/runbook.md, 'A damaged state "
            "database', says what to do");
    else if (outcome->conflicts > outcome->deleted && fields)
        tf_output_note("what was changed since in a repaired field is never given back by itself; backup_%s holds it "
                       "as it was (docs/runbook.md, 'A rollback with conflicts')",
                       outcome->restores);
    else if (outcome->conflicts > outcome->deleted)
        tf_output_note("what was changed since the repair was left alone; 'tokenfix down %s --on-conflict fields "
                       "--confirm' gives back those fields that still hold what the repair wrote",
                       outcome->restores);
    if (outcome->deleted)
        tf_output_note("what was deleted since the repair was left alone; 'tokenfix down %s --recreate-deleted "
                       "--confirm' inserts it again",
                       outcome->restores);
}

static int succeed(const tf_session *session, const tf_outcome *outcome, bool fields, const tf_globals *globals)
{
    tf_terms terms;
    tf_terms_of_run_id(&session->engine.store, outcome->run, &terms);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_down_report_append(outcome, &terms, &data);
        tf_output_success(&data);
    } else {
        tf_down_report_print(outcome, &terms);
        if (!globals->quiet)
            advise(outcome, fields);
    }
    return outcome->findings || outcome->conflicts ? 3 : 0;
}

static int fail(const tf_session *session, const tf_outcome *outcome, tf_error *err, bool json)
{
    const char *run = outcome->run[0] ? outcome->run : NULL;
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    tf_terms terms;
    if (!run)
        return tf_output_error(err, NULL, NULL, json);
    if (tf_error_exit(err->code) == 7)
        tf_error_hint(err, "Go on with 'tokenfix down --resume=%s --confirm'.", run);
    tf_terms_of_run_id(&session->engine.store, run, &terms);
    if (json)
        tf_down_report_append(outcome, &terms, &data);
    else if (outcome->documents > 0) {
        tf_down_report_print(outcome, &terms);
        printf("\n");
    }
    return tf_output_failure(err, run, json ? &data : NULL, json);
}

/* ---- the run ---- */

static bool is_resumable(const tf_run *run)
{
    return run->down && (run->state == TF_STATE_INTERRUPTED || run->active);
}

/* The rollback that --resume goes on with; the engine looks again, and more closely. */
static bool find_resumed(const tf_engine *engine, tf_run *out, tf_error *err)
{
    if (engine->settings.run)
        return tf_resolve_run(engine, engine->settings.run, out, err);
    int got = tf_resolve_newest(engine, NULL, is_resumable, out, err);
    if (got == 0) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there is no interrupted rollback to resume");
        tf_error_hint(err, "'tokenfix status' shows where things stand.");
    }
    return got == 1;
}

static bool find_target(tf_session *session, const down_args *wanted, tf_run *target, tf_error *err)
{
    bool found =
        wanted->resume ? find_resumed(&session->engine, target, err) : tf_down_target(&session->engine, target, err);
    if (found)
        tf_runs_complete(&session->engine.store, target, 1);
    tf_session_settle(session);
    return found;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    down_args *wanted = args;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_run_done) tf_run target = {0};
    _cleanup_(tf_outcome_done) tf_outcome outcome = {0};
    if (!begin(wanted, globals, argc ? argv[0] : NULL, &session, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (!find_target(&session, wanted, &target, &err)) {
        tf_attempt_failed(&session.engine, "down", &err);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    if (!wanted->confirm || !tf_confirm_given(wanted->yes)) {
        int status = preview(&session, wanted, &target, globals->json);
        if (status >= 0)
            return status;
    }
    session.engine.settings.run = target.id; /* what was shown, not what is newest by now */
    session.engine.settings.confirmed_by = tf_confirm_how(wanted->yes);
    tf_stop_install(tf_output_ended);
    tf_attempt_confirmed(&session.engine, "down");
    bool good = tf_down(&session.engine, &outcome, &err);
    tf_session_settle(&session);
    if (!good && !outcome.run[0])
        tf_attempt_failed(&session.engine, "down", &err);
    bool fields = strcmp(wanted->on_conflict, "fields") == 0;
    int status = good ? succeed(&session, &outcome, fields, globals) : fail(&session, &outcome, &err, globals->json);
    if (wanted->timings && !globals->json && outcome.batches > 0)
        tf_timings_report_print(&outcome.timings);
    return status;
}

const tf_command tf_cmd_down = {
    .name = "down",
    .synopsis = "[RUN]",
    .summary = "Take a run back: give every document what it had before",
    .description =
        "Restores the documents of a run from its backup, the newest batch first, and proves the result. RUN is the id "
        "of a run, or a migration, which means its newest completed or interrupted 'up' that was not taken back; "
        "without RUN, that of any migration. A rollback is a run of its own: 'down' of its id undoes it.\n\n"
        "A document that was changed since the repair is never overwritten silently: it is listed as a conflict and "
        "left alone. Without --confirm the command shows what it would take back and exits with 4.",
    .flags = TF_CMD_WRITES | TF_CMD_NEEDS_CONFIRM | TF_CMD_NEEDS_LEASE,
    .max_words = 1,
    .options = options,
    .args_size = sizeof(down_args),
    .exits = "012345678",
    .run = run,
};
