#include "base/text.h"
#include "cmd/backup.h"
#include "cmd/confirm.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "report/format.h"
#include "report/output.h"

#define COMMAND "backup purge"

typedef struct purge_args {
    const char *dir;
    bool files, force, confirm, yes;
} purge_args;

static const tf_option options[] = {
    TF_BACKUP_DIR_OPTION(purge_args),
    TF_OPTION_FLAG(purge_args, files, "files", "Remove the exported files in DIR, too; the manifest stays.",
                   .by_hand = true),
    TF_OPTION_FLAG(purge_args, force, "force",
                   "Also where the run can still be needed: it can neither be taken back nor proven then.",
                   .by_hand = true),
    TF_CONFIRM_OPTIONS(purge_args),
    TF_OPTION_END,
};

static void append(const tf_purge *purge, bson_t *out)
{
    BSON_APPEND_UTF8(out, "run", purge->run);
    BSON_APPEND_UTF8(out, "state", purge->state);
    tf_append_text(out, "neededFor", purge->needed);
    BSON_APPEND_BOOL(out, "inDatabase", purge->in_database);
    BSON_APPEND_BOOL(out, "inFiles", purge->has_data);
    BSON_APPEND_INT64(out, "documents", purge->documents);
    BSON_APPEND_UTF8(out, "manifest", purge->manifest);
    BSON_APPEND_BOOL(out, "dropped", purge->dropped);
    BSON_APPEND_BOOL(out, "removed", purge->removed);
    BSON_APPEND_INT64(out, "event", purge->event);
}

static bool is_allowed(const tf_purge *purge, bool force, tf_error *err)
{
    if (!purge->needed[0] || force)
        return true;
    tf_error_set(err, TF_ERR_NEEDED, "the backup of run %s can still be needed: %s", purge->run, purge->needed);
    return tf_error_hint(
        err,
        "Without it that is no longer possible, unless an exported one is brought back ('tokenfix backup import'). "
        "--force removes it all the same.");
}

static void question_of(const tf_purge *purge, const purge_args *args, const char *state_db, char *out, size_t size)
{
    char collection[192] = "";
    bool file = args->files && purge->has_data;
    if (purge->in_database)
        snprintf(collection, sizeof collection, "the backup of run %s from %s", purge->run, state_db);
    int used = snprintf(out, size, "This removes %s%s. The manifest stays in '%s'.", collection,
                        !file                ? ""
                        : purge->in_database ? ", and its exported files"
                                             : "the exported files of the backup",
                        TF_WORD(purge->manifest));
    if (purge->needed[0] && used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, " It can still be needed: %s.", purge->needed);
}

static bool ask(const tf_session *session, const purge_args *args, const tf_purge *purge, bool json, tf_error *err)
{
    char question[700];
    question_of(purge, args, session->client.state_db, question, sizeof question);
    if (args->confirm)
        return tf_confirm(question, session->client.db, args->yes, err);
    if (!json) {
        printf("%s\n", question);
        fflush(stdout);
    }
    tf_error_set(err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
    return tf_error_hint(err, "Run 'tokenfix backup purge %s%s%s --confirm' to do it.", purge->run,
                         args->files ? " --files" : "", args->force ? " --force" : "");
}

static int tell(const tf_purge *purge, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append(purge, &data);
        tf_output_success(&data);
        return 0;
    }
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "purged", "run %s", purge->run);
    if (purge->dropped)
        tf_sheet_add(sheet, "removed", "%s documents in the database", TF_COUNT(purge->documents));
    if (purge->removed)
        tf_sheet_add(sheet, purge->dropped ? "" : "removed", "the exported files");
    tf_sheet_add(sheet, "kept", "%s", TF_WORD(purge->manifest));
    tf_sheet_print(sheet);
    return 0;
}

/* `failed`: noted in the audit trail. */
static int fail(const tf_session *session, const tf_purge *purge, const tf_error *err, bool json)
{
    _cleanup_bson_ bson_t preview = BSON_INITIALIZER;
    tf_attempt_failed(&session->engine, COMMAND, err);
    if (purge->run[0])
        append(purge, &preview);
    return tf_output_error(err, purge->run[0] ? purge->run : NULL,
                           json && purge->run[0] && err->code == TF_ERR_CONFIRM ? &preview : NULL, json);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const purge_args *wanted = args;
    tf_error err = {0};
    tf_purge purge = {0};
    (void)argc;
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!tf_session_open_to_write(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    session.engine.settings.run = argv[0];
    if (!tf_purge_plan(&session.engine, wanted->dir, wanted->files, &purge, &err) ||
        !is_allowed(&purge, wanted->force, &err) || !ask(&session, wanted, &purge, globals->json, &err))
        return fail(&session, &purge, &err, globals->json);
    session.engine.settings.confirmed_by = tf_confirm_how(wanted->yes);
    tf_attempt_confirmed(&session.engine, COMMAND);
    if (!tf_purge_run(&session.engine, wanted->dir, wanted->files, &purge, &err))
        return fail(&session, &purge, &err, globals->json);
    return tell(&purge, globals->json);
}

const tf_command tf_cmd_backup_purge = {
    .name = "purge",
    .synopsis = "RUN",
    .summary = "Remove the backup of a run that nobody needs any more; its manifest stays",
    .description =
        "Drops the backup collection of RUN, with --files also what was exported of it into DIR. The manifest stays "
        "there (one is written where "
        "there is none), and so do the run's records. Refused is what can still be needed: a run that is not finished, "
        "or that can still be taken "
        "back; --force removes that, too, but never while somebody works on it. Of a run that was taken back, and of a "
        "rollback, the documents "
        "stand as they did: what is given up is the proof, and undoing the rollback.\n\n"
        "It needs the role that 'validate --print-role purge' prints. Without --confirm it only says what it would do.",
    .flags = TF_CMD_NEEDS_CONFIRM,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .args_size = sizeof(purge_args),
    .exits = "0124578",
    .run = run,
};
