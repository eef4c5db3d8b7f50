#include "cmd/retention.h"

#include <inttypes.h>

#include "base/number.h"
#include "base/text.h"
#include "cmd/confirm.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "cmd/trail_report.h"
#include "engine/archive.h"
#include "report/format.h"
#include "report/output.h"

#define COMMAND "history --archive"

/* A bare number would be seconds: nobody means that here. */
bool tf_retention_age(const char *option, const char *text, int64_t *ms, tf_error *err)
{
    size_t length = strlen(text);
    bool unit = length > 0 && (text[length - 1] < '0' || text[length - 1] > '9');
    int64_t age = 0;
    if (unit && tf_number_duration(text, &age) == TF_NUMBER_OK && age <= INT64_C(100) * 365 * 86400000) {
        *ms = age;
        return true;
    }
    tf_error_set(err, TF_ERR_USAGE, "option '--%s': '%s' is not an age", option, TF_WORD(text));
    return tf_error_hint(err, "Write a number and s, m, h, d, w or y: 90d, 1y.");
}

/* ---- telling ---- */

static void append(const tf_archive *archive, const char *path, bson_t *out)
{
    char head[TF_HEAD_TEXT];
    BSON_APPEND_UTF8(out, "file", path);
    tf_append_text(out, "sha256", archive->sha256);
    BSON_APPEND_INT64(out, "events", archive->count);
    BSON_APPEND_INT64(out, "first", archive->first);
    BSON_APPEND_INT64(out, "last", archive->upto.seq);
    tf_append_text(out, "head", archive->upto.seq ? tf_head_text(&archive->upto, head) : NULL);
    BSON_APPEND_INT64(out, "event", archive->event);
    BSON_APPEND_INT64(out, "removed", archive->removed);
    BSON_APPEND_INT64(out, "kept", archive->kept);
    tf_append_text(out, "keptFor", archive->kept_for);
}

static void print_kept(const tf_archive *archive)
{
    if (archive->kept_for[0])
        printf("Event %" PRId64 " and what follows stay: it belongs to run %s, which is not finished.\n", archive->kept, archive->kept_for);
}

static int nothing(const tf_archive *archive, const char *path, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&data, "message", "No event is old enough to be archived.");
        append(archive, path, &data);
        tf_output_success(&data);
        return 0;
    }
    printf("No event is old enough to be archived.\n");
    print_kept(archive);
    return 0;
}

static void print_done(const tf_archive *archive, const char *path)
{
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "archived", "events %" PRId64 " to %" PRId64, archive->first, archive->upto.seq);
    tf_sheet_add(sheet, "file", "%s", TF_WORD(path));
    tf_sheet_add(sheet, "SHA-256", "%s", archive->sha256);
    tf_sheet_add(sheet, "removed", "%s events", TF_COUNT(archive->removed));
    tf_sheet_print(sheet);
    tf_head_print("Archived up to", &archive->upto);
    print_kept(archive);
}

static int done(const tf_archive *archive, const char *path, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append(archive, path, &data);
        tf_output_success(&data);
    } else
        print_done(archive, path);
    return 0;
}

/* ---- asking ---- */

static void question_of(const tf_archive *archive, const char *path, char *out, size_t size)
{
    if (archive->have_event)
        snprintf(out, size, "This removes the events that are archived in '%s', up to event %" PRId64 ", where they are still there.", TF_WORD(path),
                 archive->upto.seq);
    else
        snprintf(out, size, "This %s events %" PRId64 " to %" PRId64 " of the audit trail %s '%s', and removes them.",
                 archive->have_file ? "takes up an archive that holds" : "writes", archive->first, archive->upto.seq,
                 archive->have_file ? "in" : "into", TF_WORD(path));
}

static bool ask(const tf_session *session, const tf_trail_args *args, const tf_archive *archive, bool json, tf_error *err)
{
    char question[256];
    question_of(archive, args->archive, question, sizeof question);
    if (args->confirm)
        return tf_confirm(question, session->client.db, args->yes, err);
    if (!json) {
        printf("%s\n", question);
        print_kept(archive);
        fflush(stdout);
    }
    tf_error_set(err, TF_ERR_CONFIRM, "not confirmed: nothing was changed");
    return tf_error_hint(err, "Run 'tokenfix history --archive %s --older-than %s --confirm' to do it.", args->archive, args->older_than);
}

int tf_retention_command(const tf_globals *globals, const tf_trail_args *args)
{
    tf_error err = {0};
    tf_archive archive;
    tf_archive_wanted wanted = {.path = args->archive};
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!tf_retention_age("older-than", args->older_than, &wanted.older_ms, &err) || !tf_session_open_to_write(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (!tf_archive_plan(&session.engine, &wanted, &archive, &err)) {
        tf_attempt_failed(&session.engine, COMMAND, &err);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    if (archive.count == 0)
        return nothing(&archive, args->archive, globals->json);
    if (!ask(&session, args, &archive, globals->json, &err)) {
        _cleanup_bson_ bson_t preview = BSON_INITIALIZER;
        tf_attempt_failed(&session.engine, COMMAND, &err);
        append(&archive, args->archive, &preview);
        return tf_output_error(&err, NULL, globals->json ? &preview : NULL, globals->json);
    }
    session.engine.settings.confirmed_by = tf_confirm_how(args->yes);
    tf_attempt_confirmed(&session.engine, COMMAND);
    if (!tf_archive_run(&session.engine, &wanted, &archive, &err)) {
        tf_attempt_failed(&session.engine, COMMAND, &err);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    return done(&archive, args->archive, globals->json);
}
