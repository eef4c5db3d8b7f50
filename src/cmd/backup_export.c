#include "base/stop.h"
#include "base/text.h"
#include "cmd/backup.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "report/format.h"
#include "report/output.h"

typedef struct export_args {
    tf_export_args export;
} export_args;

static const tf_option options[] = {
    TF_OPTION_STRING(export_args, export.dir, "out", "Folder in which the run's folder is made.",
                     .fallback = TF_BACKUP_DIR, .letter = 'o', .metavar = "DIR", .env = "TOKENFIX_BACKUP_DIR"),
    TF_EXPORT_FORM_OPTIONS(export_args),
    TF_OPTION_END,
};

/* ---- options, also of `up` ---- */

bool tf_export_args_read(tf_export_args *args, const tf_globals *globals, tf_error *err)
{
    const tf_options *own = globals->command_options;
    static const char *const only[] = {"passphrase-file", "key-file"};
    for (size_t i = 0; !args->encrypt && i < sizeof only / sizeof *only; i++)
        if (tf_options_source(own, only[i]) == TF_SOURCE_FLAG)
            return tf_error_set(err, TF_ERR_USAGE, "option '--%s' needs '--encrypt'", only[i]);
    bool read = !args->encrypt || (args->key = tf_backup_secret_read(&args->secret, true, err)) != NULL;
    tf_options_forget(own);
    return read;
}

void tf_export_args_done(tf_export_args *args)
{
    tf_cipher_secret_free(args->key);
    args->key = NULL;
}

void tf_export_args_wanted(const tf_export_args *args, tf_export_wanted *out)
{
    *out = (tf_export_wanted){.dir = args->dir,
                              .gzip = args->gzip,
                              .secret = args->key,
                              .encryption = !args->key              ? "none"
                                            : args->secret.key_file ? "key file"
                                                                    : "passphrase"};
}

/* ---- telling ---- */

void tf_export_report_append(const tf_export *done, bson_t *out)
{
    BSON_APPEND_UTF8(out, "run", done->run);
    BSON_APPEND_UTF8(out, "folder", done->folder);
    BSON_APPEND_UTF8(out, "data", done->data);
    BSON_APPEND_INT64(out, "documents", done->documents);
    BSON_APPEND_INT64(out, "bytes", done->bytes);
    BSON_APPEND_INT64(out, "fileBytes", done->file_bytes);
    BSON_APPEND_UTF8(out, "manifestSha256", done->sha256);
    BSON_APPEND_INT64(out, "event", done->event);
    BSON_APPEND_INT64(out, "elapsedMs", done->elapsed_ms);
}

void tf_export_report_append_to(const tf_export *done, bson_t *out)
{
    bson_t inner;
    if (!done)
        return;
    BSON_APPEND_DOCUMENT_BEGIN(out, "export", &inner);
    tf_export_report_append(done, &inner);
    bson_append_document_end(out, &inner);
}

bool tf_export_after(tf_session *session, const tf_export_args *args, const char *run, tf_export *out, tf_error *err)
{
    tf_export_wanted wanted;
    tf_export_args_wanted(args, &wanted);
    session->engine.settings.run = run;
    bool good = tf_backup_export(&session->engine, &wanted, out, err);
    tf_session_settle(session);
    return good;
}

void tf_export_report_print(const tf_export *done)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "exported", "run %s", done->run);
    tf_sheet_add(sheet, "documents", "%s, %s", TF_COUNT(done->documents), TF_BYTES(done->bytes));
    tf_sheet_add(sheet, "file", "%s/%s, %s", TF_WORD(done->folder), TF_WORD(done->data), TF_BYTES(done->file_bytes));
    tf_sheet_add(sheet, "manifest", "%s/%s", TF_WORD(done->folder), TF_MANIFEST);
    tf_sheet_add(sheet, "SHA-256", "%s (of the manifest)", done->sha256);
    tf_sheet_add(sheet, "duration", "%s", TF_DURATION(done->elapsed_ms));
    tf_sheet_print(sheet);
}

static int export(const tf_globals *globals, tf_export_args *form, const char *word)
{
    tf_error err = {0};
    tf_export done = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!tf_export_args_read(form, globals, &err) || !tf_export_ready(form->dir, NULL, &err) ||
        !tf_session_open_to_write(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    tf_stop_install(tf_output_ended);
    if (!tf_export_after(&session, form, word, &done, &err)) {
        tf_attempt_failed(&session.engine, "backup export", &err);
        return tf_output_error(&err, done.run[0] ? done.run : NULL, NULL, globals->json);
    }
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_export_report_append(&done, &data);
        tf_output_success(&data);
    } else
        tf_export_report_print(&done);
    return 0;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    tf_export_args *form = &((export_args *)args)->export;
    int status = export(globals, form, argc ? argv[0] : NULL);
    tf_export_args_done(form);
    return status;
}

const tf_command tf_cmd_backup_export = {
    .name = "export",
    .synopsis = "[RUN]",
    .summary = "Write the backup of a run into files that mongorestore reads",
    .description = "Writes DIR/RUN/ with the documents as they were before the run (DB/COLLECTION.bson and "
                   ".metadata.json, under the names of the "
                   "repaired database and collection) and manifest.json: the run's record and ledger, counts, amounts, "
                   "the SHA-256 of each file. Every batch "
                   "is compared with what the run recorded. RUN is the id of a run or a migration, which means its "
                   "newest run; without it, the newest "
                   "'up'.\n\n"
                   "The folder appears complete and on disk, or not at all; for its owner only. Symbolic links are not "
                   "followed, a folder in which others "
                   "can write is refused, and what is there is never written over. The audit trail notes each export.",
    .max_words = 1,
    .options = options,
    .args_size = sizeof(export_args),
    .exits = "012578",
    .run = run,
};
