/* `backup import` and `backup verify`: what reads exported backups. */
#include "base/stop.h"
#include "base/text.h"
#include "cmd/backup.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "report/format.h"
#include "report/output.h"

typedef struct import_args {
    const char *dir;
    bool check;
    tf_secret_args secret;
} import_args;

static const tf_option import_options[] = {
    TF_BACKUP_DIR_OPTION(import_args),
    TF_OPTION_FLAG(import_args, check, "dry-run", "Compare file and records, and write nothing."),
    TF_BACKUP_SECRET_OPTIONS(import_args),
    TF_OPTION_END,
};

static const tf_option verify_options[] = {
    TF_BACKUP_DIR_OPTION(import_args),
    TF_BACKUP_SECRET_OPTIONS(import_args),
    TF_OPTION_END,
};

/* A set and what opens it. */
typedef struct opened {
    tf_file_set set;
    tf_cipher_secret *secret;
} opened;

static void opened_done(opened *it)
{
    tf_file_set_close(&it->set);
    tf_cipher_secret_free(it->secret);
}

static bool open_it(const tf_globals *globals, const import_args *args, const char *word, opened *out, tf_error *err)
{
    bool open = tf_backup_open_set(word, args->dir, &out->set, err);
    if (open)
        tf_backup_warn(&out->set);
    open = open && tf_backup_secret_for(&args->secret, &out->set, &out->secret, err);
    tf_options_forget(globals->command_options);
    return open;
}

/* ---- import ---- */

static void print_import(const tf_import *done, const tf_file_set *set, bool check)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    if (done->nothing)
        printf("The backup of run %s is there, complete and as recorded: nothing was written.\n", done->run);
    else if (check)
        printf("The file holds the backup of run %s as it was recorded. Nothing was written: leave --dry-run out to "
               "bring it back.\n",
               done->run);
    if (done->nothing || check)
        return;
    tf_sheet_add(sheet, "brought back", "run %s", done->run);
    tf_sheet_add(sheet, "from", "%s", TF_WORD(set->path));
    tf_sheet_add(sheet, "documents", "%s, of which %s were missing", TF_COUNT(done->documents),
                 TF_COUNT(done->inserted));
    tf_sheet_add(sheet, "proven", "every batch is as the run recorded it");
    tf_sheet_add(sheet, "duration", "%s", TF_DURATION(done->elapsed_ms));
    tf_sheet_print(sheet);
    printf("'tokenfix down %s' can take the run back again.\n", done->run);
}

static int tell_import(const tf_import *done, const tf_file_set *set, bool check, bool json)
{
    if (!json) {
        print_import(done, set, check);
        return 0;
    }
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&data, "run", done->run);
    BSON_APPEND_UTF8(&data, "source", set->path);
    BSON_APPEND_INT64(&data, "documents", done->documents);
    BSON_APPEND_INT64(&data, "inserted", done->inserted);
    BSON_APPEND_BOOL(&data, "complete", done->nothing || !check);
    BSON_APPEND_BOOL(&data, "dryRun", check);
    BSON_APPEND_INT64(&data, "event", done->event);
    BSON_APPEND_INT64(&data, "elapsedMs", done->elapsed_ms);
    tf_output_success(&data);
    return 0;
}

static int run_import(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const import_args *wanted = args;
    tf_error err = {0};
    tf_import done = {0};
    (void)argc;
    _cleanup_(opened_done) opened it = {.set = {.root = -1}};
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!open_it(globals, wanted, argv[0], &it, &err) || !tf_session_open_to_write(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    session.engine.settings.run = it.set.run;
    tf_stop_install(tf_output_ended);
    bool good = tf_backup_import(&session.engine, &it.set, it.secret, wanted->check, &done, &err);
    tf_session_settle(&session);
    if (good)
        return tell_import(&done, &it.set, wanted->check, globals->json);
    if (!wanted->check)
        tf_attempt_failed(&session.engine, "backup import", &err);
    return tf_output_error(&err, done.run[0] ? done.run : NULL, NULL, globals->json);
}

/* ---- verify ---- */

static void append_verified(const tf_file_set *set, const tf_file_sum *sum, const tf_error *finding, bson_t *out)
{
    BSON_APPEND_UTF8(out, "folder", set->path);
    tf_append_text(out, "run", set->run);
    BSON_APPEND_BOOL(out, "ok", finding->code == TF_ERR_OK);
    BSON_APPEND_INT64(out, "documents", sum->documents);
    BSON_APPEND_INT64(out, "bytes", sum->bytes);
    BSON_APPEND_INT64(out, "batches", (int64_t)set->manifest.batches_count);
    tf_append_text(out, "database", set->manifest.database);
    tf_append_text(out, "manifestSha256", set->manifest.sha256);
    tf_append_text(out, "finding", finding->message);
    tf_append_text(out, "detail", finding->detail);
}

static void print_verified(const tf_file_set *set, const tf_file_sum *sum, const tf_error *finding)
{
    if (finding->code != TF_ERR_OK) {
        printf("The backup in '%s' is NOT as it was written.\n  %s\n", TF_WORD(set->path), finding->message);
        if (finding->detail[0])
            printf("  %s\n", finding->detail);
        return;
    }
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "verified", "run %s", set->run);
    tf_sheet_add(sheet, "documents", "%s, %s", TF_COUNT(sum->documents), TF_BYTES(sum->bytes));
    if (set->dump)
        tf_sheet_add(sheet, "proven",
                     "every document is one; there is no manifest: 'tokenfix backup import --dry-run' compares it with "
                     "the database");
    else
        tf_sheet_add(sheet, "proven", "manifest, files (%s) and batches (%s) are as they were written",
                     TF_COUNT((int64_t)set->manifest.files_count), TF_COUNT((int64_t)set->manifest.batches_count));
    if (!set->dump)
        tf_sheet_add(sheet, "SHA-256", "%s (of the manifest)", set->manifest.sha256);
    tf_sheet_print(sheet);
}

static int tell_verified(const tf_file_set *set, const tf_file_sum *sum, const tf_error *finding, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append_verified(set, sum, finding, &data);
        tf_output_success(&data);
    } else
        print_verified(set, sum, finding);
    return finding->code == TF_ERR_OK ? 0 : 3;
}

static int run_verify(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    tf_error err = {0};
    tf_file_sum sum = {0};
    (void)argc;
    _cleanup_(opened_done) opened it = {.set = {.root = -1}};
    bool ready = open_it(globals, args, argv[0], &it, &err), found = it.set.root >= 0;
    if (!found && err.code == TF_ERR_DAMAGED) { /* the manifest itself */
        snprintf(it.set.path, sizeof it.set.path, "%s", argv[0]);
        return tell_verified(&it.set, &sum, &err, globals->json);
    }
    if (ready && tf_file_set_read(&it.set, it.secret, NULL, 0, NULL, NULL, &sum, &err))
        tf_file_set_check_rest(&it.set, &err);
    bool finding =
        err.code == TF_ERR_DAMAGED || (found && err.code == TF_ERR_NOT_FOUND); /* a file that the manifest names */
    return err.code == TF_ERR_OK || finding ? tell_verified(&it.set, &sum, &err, globals->json)
                                            : tf_output_error(&err, NULL, NULL, globals->json);
}

const tf_command tf_cmd_backup_import = {
    .name = "import",
    .synopsis = "RUN|FOLDER|FILE",
    .summary = "Bring the backup of a run back from files, so that 'down' works",
    .description =
        "Puts back into the state database what of a run's backup is missing there. RUN is looked for in --dir; FOLDER "
        "is one that 'backup "
        "export' wrote; FILE is backup_RUN.bson of a mongodump. Before anything is written manifest, file and each "
        "document are compared with the "
        "records of the run, which must be there; afterwards the whole backup is. What is there already stays as it "
        "is: begun again after any "
        "interruption it does the rest, and until it has come to its end 'down' takes nothing from that backup.",
    .min_words = 1,
    .max_words = 1,
    .options = import_options,
    .args_size = sizeof(import_args),
    .exits = "012578",
    .run = run_import,
};

const tf_command tf_cmd_backup_verify = {
    .name = "verify",
    .synopsis = "RUN|FOLDER|FILE",
    .summary = "Examine an exported backup, without a server",
    .description = "Compares every file with the SHA-256 in the manifest, every document with the rules of BSON, every "
                   "batch with its hash, and the "
                   "manifest with its own. It ends with 3 where one byte is not as it was written. ('tokenfix verify "
                   "RUN' proves what the run "
                   "did, in the database.)",
    .flags = TF_CMD_NO_DATABASE,
    .min_words = 1,
    .max_words = 1,
    .options = verify_options,
    .args_size = sizeof(import_args),
    .exits = "0123",
    .run = run_verify,
};
