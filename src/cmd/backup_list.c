/* `backup list` and `backup show`. */
#include <fcntl.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/field.h"
#include "base/text.h"
#include "cmd/backup.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "engine/resolve.h"
#include "report/format.h"
#include "report/output.h"

typedef struct list_args {
    const char *dir;
    bool files;
    int64_t limit;
} list_args;

static const tf_option list_options[] = {
    TF_BACKUP_DIR_OPTION(list_args),
    TF_OPTION_FLAG(list_args, files, "files", "Only the exported backups in DIR, without a server."),
    TF_OPTION_INT(list_args, limit, "limit", 1, 100000, "Show so many runs.", .fallback = "20", .letter = 'n'),
    TF_OPTION_END,
};

static const tf_option show_options[] = {
    TF_BACKUP_DIR_OPTION(list_args),
    TF_OPTION_END,
};

/* ---- rows ---- */

static const tf_column columns[] = {
    {"run", "run", TF_COLUMN_TEXT, 0},
    {"direction", "", TF_COLUMN_TEXT, 0},
    {"state", "state", TF_COLUMN_STATE, 0},
    {"backup", "backup", TF_COLUMN_STATE, 0},
    {"documents", "documents", TF_COLUMN_COUNT, 0},
    {"file", "file", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
    {NULL, NULL, TF_COLUMN_TEXT, 0},
};

/* What is in DIR of a run: a word for people and programs; NULL where there is nothing. */
static const char *file_state(const char *dir, const char *run, tf_file_set *set)
{
    char path[TF_FILE_PATH];
    tf_error err = {0};
    snprintf(path, sizeof path, "%s/%s", dir, run);
    if (access(path, F_OK) != 0)
        return NULL;
    if (!tf_file_set_open(dir, run, set, &err))
        return err.code == TF_ERR_NOT_FOUND ? NULL : "damaged";
    if (!set->data[0] || faccessat(set->root, set->data, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return "manifest only";
    return set->encrypted ? "encrypted" : set->gzip ? "packed" : "plain";
}

static void append_row(bson_t *rows, uint32_t *n, const tf_backup *backup, const char *dir, const char *file)
{
    char key[16], folder[TF_FILE_PATH];
    bson_t row;
    snprintf(key, sizeof key, "%u", (*n)++);
    snprintf(folder, sizeof folder, "%s/%s", dir, backup->run);
    BSON_APPEND_DOCUMENT_BEGIN(rows, key, &row);
    BSON_APPEND_UTF8(&row, "run", backup->run);
    tf_append_text(&row, "migration", backup->migration);
    BSON_APPEND_UTF8(&row, "direction", backup->down ? "down" : "up");
    tf_append_text(&row, "state", backup->state);
    BSON_APPEND_UTF8(&row, "backup", tf_backup_state(backup));
    BSON_APPEND_INT64(&row, "documents", backup->recorded);
    if (backup->held >= 0)
        BSON_APPEND_INT64(&row, "inDatabase", backup->held);
    else
        BSON_APPEND_NULL(&row, "inDatabase");
    tf_append_text(&row, "file", file);
    tf_append_text(&row, "folder", file ? folder : NULL);
    tf_append_time(&row, "startedAt", backup->started_at);
    tf_append_time(&row, "exportedAt", backup->exported_at);
    tf_append_time(&row, "importedAt", backup->imported_at);
    tf_append_time(&row, "purgedAt", backup->purged_at);
    bson_append_document_end(rows, &row);
}

static void add_row(tf_table *table, const tf_backup *backup, const char *file)
{
    char where[64];
    snprintf(where, sizeof where, "%s", file ? file : "-");
    tf_table_add(table, TF_CELL_TEXT(backup->run), TF_CELL_TEXT(backup->down ? "down" : "up"),
                 TF_CELL_TEXT(backup->state), TF_CELL_TEXT(tf_backup_state(backup)), TF_CELL_NUMBER(backup->recorded),
                 TF_CELL_TEXT(where));
}

/* ---- list ---- */

static int tell_backups(const tf_session *session, const list_args *args, const tf_backup *backups, size_t count,
                        bool json)
{
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    _cleanup_bson_ bson_t rows = BSON_INITIALIZER, data = BSON_INITIALIZER;
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++) {
        _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
        const char *file = file_state(args->dir, backups[i].run, &set);
        append_row(&rows, &n, &backups[i], args->dir, file);
        add_row(table, &backups[i], file);
    }
    if (json) {
        BSON_APPEND_ARRAY(&data, "backups", &rows);
        BSON_APPEND_UTF8(&data, "dir", args->dir);
        tf_output_success(&data);
    } else if (count == 0)
        printf("No runs in %s.\n", session->client.state_db);
    else
        tf_table_print(table, stdout);
    return 0;
}

static int list_backups(const tf_globals *globals, const list_args *args)
{
    tf_error err = {0};
    tf_backup *backups = NULL;
    size_t count = 0;
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!tf_session_open(&session, globals, NULL, &err) ||
        !tf_backup_list(&session.engine, NULL, args->limit, &backups, &count, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    int status = tell_backups(&session, args, backups, count, globals->json);
    bson_free(backups);
    return status;
}

/* ---- list --files ---- */

static const tf_column file_columns[] = {
    {"run", "run", TF_COLUMN_TEXT, 0},
    {"database", "database", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
    {"file", "file", TF_COLUMN_STATE, 0},
    {"documents", "documents", TF_COLUMN_COUNT, 0},
    {"exportedAt", "exported", TF_COLUMN_TIME, 0},
    {NULL, NULL, TF_COLUMN_TEXT, 0},
};

static int list_files(const tf_globals *globals, const list_args *args)
{
    tf_error err = {0};
    _cleanup_(tf_dir_closep) int dir = tf_dir_open(args->dir, false, &err);
    char **names = dir < 0 ? NULL : tf_dir_names(dir, args->dir, &err);
    if (!names)
        return tf_output_error(&err, NULL, NULL, globals->json);
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(file_columns, 0);
    for (char **at = names; *at; at++) {
        _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
        const char *file = **at == '.' ? NULL : file_state(args->dir, *at, &set);
        const tf_manifest *m = &set.manifest;
        if (file)
            tf_table_add(table, TF_CELL_TEXT(*at), TF_CELL_TEXT(m->database[0] ? m->database : NULL),
                         TF_CELL_TEXT(file), m->head ? TF_CELL_NUMBER(m->documents) : TF_CELL_NONE,
                         m->head ? TF_CELL_NUMBER(m->exported_at) : TF_CELL_NONE);
    }
    tf_dir_names_free(names);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_table_append(table, &data, "files");
        BSON_APPEND_UTF8(&data, "dir", args->dir);
        tf_output_success(&data);
    } else if (tf_table_rows(table) == 0)
        printf("No exported backups in '%s'.\n", TF_WORD(args->dir));
    else
        tf_table_print(table, stdout);
    return 0;
}

static int run_list(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    const list_args *wanted = args;
    return wanted->files ? list_files(globals, wanted) : list_backups(globals, wanted);
}

/* ---- show: a run ---- */

static void print_backup(const tf_session *session, const tf_backup *backup, const char *dir, const char *file)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_name name = tf_store_backup_name(&session->engine.store, backup->run);
    tf_sheet_add(sheet, "run", "%s, %s, %s", backup->run, backup->down ? "down" : "up", backup->state);
    tf_sheet_add(sheet, "migration", "%s", backup->migration);
    tf_sheet_add(sheet, "backup", "%s", tf_backup_state(backup));
    tf_sheet_add(sheet, "documents", "%s recorded, %s in %s.%s", TF_COUNT(backup->recorded),
                 backup->held < 0 ? "none" : TF_COUNT(backup->held), session->client.state_db, name.text);
    if (file)
        tf_sheet_add(sheet, "file", "%s/%s, %s", TF_WORD(dir), backup->run, file);
    else
        tf_sheet_add(sheet, "file", "none in %s", TF_WORD(dir));
    const struct {
        const char *label;
        int64_t at;
    } events[] = {
        {"exported", backup->exported_at}, {"brought back", backup->imported_at}, {"purged", backup->purged_at}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i].at)
            tf_sheet_add(sheet, events[i].label, "%s", TF_TIME(events[i].at));
    tf_sheet_print(sheet);
}

static int show_run(const tf_globals *globals, const list_args *args, const char *word)
{
    tf_error err = {0};
    tf_backup *backups = NULL;
    size_t count = 0;
    tf_run run = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
    bool good = tf_session_open(&session, globals, NULL, &err) && tf_resolve_run(&session.engine, word, &run, &err) &&
                tf_backup_list(&session.engine, run.id, 1, &backups, &count, &err);
    tf_run_done(&run);
    if (good && count == 0)
        good = tf_error_set(&err, TF_ERR_NOT_FOUND, "there is no run '%s'", TF_WORD(word));
    if (!good)
        return tf_output_error(&err, NULL, NULL, globals->json);
    const char *file = file_state(args->dir, backups[0].run, &set);
    if (globals->json) {
        _cleanup_bson_ bson_t rows = BSON_INITIALIZER;
        bson_t row;
        uint32_t n = 0;
        append_row(&rows, &n, &backups[0], args->dir, file);
        tf_field_view(&rows, "0", &row);
        tf_output_success(&row);
    } else
        print_backup(&session, &backups[0], args->dir, file);
    bson_free(backups);
    return 0;
}

/* ---- show: files ---- */

static void append_set(const tf_file_set *set, bson_t *out)
{
    static const char *const fields[] = {"run",     "database", "collection", "stateDatabase", "migration", "direction",
                                         "state",   "tool",     "exportedAt", "documents",     "bytes",     "counts",
                                         "amounts", "gzip",     "encryption", "files"};
    bson_iter_t iter;
    BSON_APPEND_UTF8(out, "folder", set->path);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (bson_iter_init_find(&iter, set->manifest.head, fields[i]))
            bson_append_iter(out, fields[i], -1, &iter);
    BSON_APPEND_INT64(out, "batches", (int64_t)set->manifest.batches_count);
    BSON_APPEND_INT64(out, "ledgerRows", set->manifest.ledger_rows);
    BSON_APPEND_UTF8(out, "manifestSha256", set->manifest.sha256);
}

static void print_set(const tf_file_set *set)
{
    const tf_manifest *m = &set->manifest;
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    char direction[8] = "", state[32] = "";
    tf_field_text(m->head, "direction", direction, sizeof direction);
    tf_field_text(m->head, "state", state, sizeof state);
    tf_sheet_add(sheet, "folder", "%s", TF_WORD(set->path));
    tf_sheet_add(sheet, "run", "%s, %s, %s when it was exported", m->run, direction, state);
    tf_sheet_add(sheet, "migration", "%s", TF_WORD(m->migration));
    tf_sheet_add(sheet, "of", "%s.%s", TF_WORD(m->database), TF_WORD(m->collection));
    tf_sheet_add(sheet, "exported", "%s, by tokenfix %s", TF_TIME(m->exported_at), TF_WORD(m->tool));
    tf_sheet_add(sheet, "documents", "%s, %s", TF_COUNT(m->documents), TF_BYTES(m->bytes));
    tf_sheet_add(sheet, "accounts", "%s in the ledger", TF_COUNT(m->ledger_rows));
    tf_sheet_add(sheet, "encryption", "%s", m->encryption);
    for (size_t i = 0; i < m->files_count; i++)
        tf_sheet_add(sheet, i ? "" : "files", "%s, %s", TF_WORD(m->files[i].name), TF_BYTES(m->files[i].bytes));
    if (m->files_count == 0)
        tf_sheet_add(sheet, "files", "none: the manifest was kept when the backup was purged");
    tf_sheet_add(sheet, "SHA-256", "%s (of the manifest)", m->sha256);
    tf_sheet_print(sheet);
    printf("'tokenfix backup verify' examines the files themselves.\n");
}

static int show_files(const tf_globals *globals, const char *word)
{
    tf_error err = {0};
    _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
    if (!tf_file_set_open(word, NULL, &set, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append_set(&set, &data);
        tf_output_success(&data);
    } else
        print_set(&set);
    return 0;
}

static int run_show(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc;
    return strchr(argv[0], '/') ? show_files(globals, argv[0]) : show_run(globals, args, argv[0]);
}

const tf_command tf_cmd_backup_list = {
    .name = "list",
    .synopsis = "",
    .summary = "List the backups of the runs, and where they are",
    .description = "Of each run, newest first: whether its backup is in the state database (complete, incomplete, "
                   "lost, purged, importing; empty "
                   "where the run changed nothing), and whether there is an exported one in DIR (plain, packed, "
                   "encrypted, manifest only, damaged).",
    .options = list_options,
    .args_size = sizeof(list_args),
    .exits = "01278",
    .run = run_list,
};

const tf_command tf_cmd_backup_show = {
    .name = "show",
    .synopsis = "RUN|FOLDER",
    .summary = "Show the backup of one run, or what the manifest of an exported one says",
    .description = "RUN is the id of a run or a migration, which means its newest run. A word with a slash is the "
                   "folder of an exported backup: "
                   "its manifest is shown, without a server.",
    .min_words = 1,
    .max_words = 1,
    .options = show_options,
    .args_size = sizeof(list_args),
    .exits = "01278",
    .run = run_show,
};
