#include "base/field.h"
#include "cmd/commands.h"
#include "cmd/ledger_report.h"
#include "cmd/session.h"
#include "engine/resolve.h"
#include "report/output.h"

typedef struct {
    const char *user, *format;
} ledger_args;

static const char *const formats[] = {"table", "csv", "json", NULL};

static const tf_option options[] = {
    TF_OPTION_STRING(ledger_args, user, "user",
                     "A line for each user, with all mints together; with NPUB the lines of this user alone.", .metavar = "NPUB",
                     .optional = true),
    TF_OPTION_CHOICE(ledger_args, format, "format", formats, "How it is written; --json means json."),
    TF_OPTION_END,
};

static const tf_ledger_format *format_of(const tf_globals *globals, const ledger_args *wanted)
{
    const char *name = wanted->format ? wanted->format : globals->json ? "json" : "table";
    return strcmp(name, "json") == 0 ? &tf_ledger_json : strcmp(name, "csv") == 0 ? &tf_ledger_csv : &tf_ledger_table;
}

/* With two words one of them is the user, whichever is no run: `ledger RUN --user NPUB`, `ledger --user NPUB RUN`. */
static bool find_run(const tf_engine *engine, int argc, char *const *argv, const char **user, tf_run *out, tf_error *err)
{
    tf_error first = {0};
    if (argc == 2 && !(*user && !**user)) {
        tf_error_set(err, TF_ERR_USAGE, "too many words: '%.60s'", argv[1]);
        return tf_error_hint(err, "Usage: tokenfix ledger RUN [options]");
    }
    if (tf_resolve_run(engine, argv[0], out, &first)) {
        *user = argc == 2 ? argv[1] : *user;
        return true;
    }
    if (argc == 2 && first.code == TF_ERR_NOT_FOUND && tf_resolve_run(engine, argv[1], out, err)) {
        *user = argv[0];
        return true;
    }
    if (argc == 1 || err->code == TF_ERR_OK)
        *err = first;
    return false;
}

static tf_repair *repair_of(const tf_run *run, tf_error *err)
{
    bson_t stored;
    if (!tf_field_view(run->doc, "repair", &stored)) {
        tf_error_set(err, TF_ERR_DAMAGED, "run %s has no repair", run->id);
        return NULL;
    }
    tf_repair *repair = tf_repair_from_bson(&stored, err);
    if (!repair || repair->ledger.present)
        return repair;
    tf_error_set(err, TF_ERR_USAGE, "run %s has no ledger: %s does not say what a balance is", run->id, run->migration);
    tf_error_hint(err, "Name a run of a migration that has one; 'tokenfix plan' lists them all.");
    tf_repair_free(repair);
    return NULL;
}

/* The table needs to know how wide its columns will be. */
static bool measure(const tf_ledger_format *format, const tf_statement_wanted *wanted, tf_session *session, tf_statement *out,
                    tf_error *err)
{
    tf_statement_wanted first = *wanted;
    *out = (tf_statement){.accounts = 0};
    if (!format->measure)
        return true;
    first.visit = format->measure;
    session->engine.observer.progress(session->engine.observer.arg, "ledger", 0, 0);
    return tf_statement_read(&first, out, err);
}

/* Everything that can be refused is, before the first line is written. */
static bool write_ledger(const tf_ledger_format *format, tf_session *session, tf_ledger_view *view, tf_statement_proof *proof,
                         bool *begun, tf_error *err)
{
    tf_statement_wanted wanted = {.store = &session->engine.store,
                                  .repair = view->repair,
                                  .run = view->run->id,
                                  .owner = view->owner,
                                  .by_owner = view->by_owner,
                                  .known = view->known,
                                  .visit = format->entry,
                                  .arg = view};
    tf_statement measured, shown, whole;
    if (!measure(format, &wanted, session, &measured, err))
        return false;
    tf_session_settle(session);
    *begun = true;
    format->begin(view, &measured);
    if (!tf_statement_read(&wanted, &shown, err))
        return false;
    whole = shown;
    wanted.visit = NULL;
    wanted.owner = NULL;
    if ((view->owner && !tf_statement_read(&wanted, &whole, err)) ||
        !tf_statement_prove(wanted.store, view->run, &whole, view->known, proof, err))
        return false;
    format->end(view, &shown, proof, &whole);
    return true;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const ledger_args *wanted = args;
    const tf_ledger_format *format = format_of(globals, wanted);
    const char *user = wanted->user;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_run_done) tf_run run = {0};
    _cleanup_(tf_repair_freep) tf_repair *repair = NULL;
    tf_statement_proof proof = {.verdict = TF_STATEMENT_OPEN};
    bool begun = false;
    int known = -1;
    if (!tf_session_open(&session, globals, NULL, &err) || !find_run(&session.engine, argc, argv, &user, &run, &err) ||
        !(repair = repair_of(&run, &err)) || (known = tf_statement_known(&session.engine.store, &run, &err)) < 0)
        return tf_output_error(&err, NULL, NULL, format == &tf_ledger_json);
    tf_ledger_view view = {.run = &run,
                           .repair = repair,
                           .db = session.client.db,
                           .owner = user && *user ? user : NULL,
                           .by_owner = user && !*user,
                           .known = known == 1};
    view.names = view.by_owner ? 1 : repair->ledger.owners;
    tf_terms_of_repair(repair, &view.terms);
    if (!write_ledger(format, &session, &view, &proof, &begun, &err)) {
        tf_session_settle(&session);
        if (!begun)
            return tf_output_error(&err, NULL, NULL, format == &tf_ledger_json);
        format->fail(&view, &err);
        return tf_error_exit(err.code);
    }
    return proof.verdict == TF_STATEMENT_AGREES ? 0 : 3;
}

const tf_command tf_cmd_ledger = {
    .name = "ledger",
    .synopsis = "RUN",
    .summary = "Show the balances before a run, what it repaired, and the balances after",
    .description =
        "A line for each user and mint, the totals, and the line that proves the sum: what was there before and what the run moved make "
        "what was found after it; and accounts, batches and the run's record say the same. RUN is the id of a run or a migration, "
        "which means its newest run. Whatever others wrote meanwhile has a column of its own. It reads the state database alone, line by "
        "line, and changes nothing.\n\n"
        "CSV has a line for each account, one with the total and one with the proof, which the first column tells apart; amounts are "
        "digits and a point. The exit status is 3 where the sums do not agree, or the run is not completed.",
    .min_words = 1,
    .max_words = 2,
    .options = options,
    .args_size = sizeof(ledger_args),
    .exits = "01238",
    .run = run,
};
