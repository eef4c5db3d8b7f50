#include "cmd/run_report.h"

#include <inttypes.h>

#include "base/field.h"
#include "base/number.h"
#include "base/redact.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"

static bool find(const bson_t *doc, const char *path, bson_iter_t *found)
{
    bson_iter_t iter;
    return doc && bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, found);
}

static const char *text_at(const tf_run *run, const char *path)
{
    bson_iter_t found;
    return find(run->doc, path, &found) && BSON_ITER_HOLDS_UTF8(&found) ? bson_iter_utf8(&found, NULL) : NULL;
}

static const char *const summed[] = {"applied", "refused",   "gone",    "overtaken",
                                     "already", "conflicts", "deleted", "recreated"};

static void complete(const tf_store *store, tf_run *run)
{
    tf_op op = tf_store_op(store, NULL, "add up the batches");
    tf_error ignored = {0};
    _cleanup_bson_ bson_t group = BSON_INITIALIZER, sums = BSON_INITIALIZER;
    BSON_APPEND_NULL(&group, "_id");
    for (size_t i = 0; i < sizeof summed / sizeof *summed; i++) {
        char path[64];
        snprintf(path, sizeof path, "$counts.%s", summed[i]);
        BCON_APPEND(&group, summed[i], "{", "$sum", BCON_UTF8(path), "}");
    }
    BCON_APPEND(&group, "batches", "{", "$sum", BCON_INT64(1), "}", "amount", "{", "$sum", BCON_UTF8("$amount"), "}");
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(run->id), "}", "}",
                                                         "1", "{", "$group", BCON_DOCUMENT(&group), "}");
    if (tf_cursor_one(tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, NULL), &op, &sums,
                      &ignored) < 0)
        return;
    _cleanup_(bson_destroyp) bson_t *full = bson_new();
    if (!tf_field_copy_without(run->doc, "counts", full))
        return;
    BSON_APPEND_DOCUMENT(full, "counts", &sums);
    bson_destroy(run->doc);
    run->doc = TAKE_PTR(full);
}

void tf_runs_complete(const tf_store *store, tf_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (runs[i].active || !tf_run_is_counted(&runs[i]))
            complete(store, &runs[i]);
}

bool tf_run_is_counted(const tf_run *run)
{
    bson_iter_t found;
    return find(run->doc, "counts", &found);
}

int64_t tf_run_count(const tf_run *run, const char *name)
{
    char path[64];
    bson_iter_t found;
    snprintf(path, sizeof path, "counts.%s", name);
    return find(run->doc, path, &found) ? bson_iter_as_int64(&found) : 0;
}

int64_t tf_run_amount(const tf_run *run)
{
    return tf_run_count(run, "amount");
}

/* A run that goes on again has not ended, whatever is noted of its interruption. */
static int64_t ended_at(const tf_run *run)
{
    return run->active && run->state != TF_STATE_INTERRUPTED ? 0 : run->ended_at;
}

int64_t tf_run_duration(const tf_run *run)
{
    return ended_at(run) > run->started_at ? ended_at(run) - run->started_at : 0;
}

/* Who started it; the lease's owner may be somebody who took it over. */
static const char *starter(const tf_run *run, const char *field)
{
    char path[32];
    snprintf(path, sizeof path, "who.%s", field);
    const char *text = text_at(run, path);
    return text ? text : "";
}

static const char *const counts[][2] = {
    {"batches", "batches"},     {"refused", "refused"},         {"gone", "gone"},       {"overtaken", "overtaken"},
    {"conflicts", "conflicts"}, {"already", "alreadyOriginal"}, {"deleted", "deleted"}, {"recreated", "recreated"}};

static void append_pause(const tf_run *run, bson_t *out)
{
    bson_t pause;
    if (run->state != TF_STATE_PAUSED)
        return;
    BSON_APPEND_DOCUMENT_BEGIN(out, "pause", &pause);
    tf_append_text(&pause, "reason", run->pause_reason);
    tf_append_text(&pause, "message", run->pause_text);
    tf_append_time(&pause, "since", run->paused_at);
    bson_append_document_end(out, &pause);
}

void tf_run_report_append(const tf_run *run, bson_t *out)
{
    tf_terms terms;
    tf_terms_of_run(run->doc, &terms);
    BSON_APPEND_UTF8(out, "run", run->id);
    BSON_APPEND_UTF8(out, "migration_name", run->migration);
    BSON_APPEND_UTF8(out, "direction", run->down ? "down" : "up");
    BSON_APPEND_UTF8(out, "state", tf_state_name(run->state));
    BSON_APPEND_BOOL(out, "active", run->active);
    BSON_APPEND_INT64(out, "tokens", tf_run_count(run, "applied"));
    tf_terms_append_amount(&terms, out, "totalAmount", tf_run_amount(run));
    tf_terms_append(&terms, out);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        BSON_APPEND_INT64(out, counts[i][1], tf_run_count(run, counts[i][0]));
    tf_append_text(out, "strategy", run->strategy);
    tf_append_text(out, "collection", run->collection);
    tf_append_text(out, "restores", run->restores);
    tf_append_text(out, "restoredBy", run->restored_by);
    tf_append_time(out, "startedAt", run->started_at);
    tf_append_time(out, "endedAt", ended_at(run));
    tf_append_text(out, "user", starter(run, "user"));
    tf_append_text(out, "host", starter(run, "host"));
    tf_append_text(out, "databaseUser", text_at(run, "who.database_user"));
    tf_append_text(out, "toolVersion", text_at(run, "version"));
    tf_append_message(out, "error", text_at(run, "error.message"));
    append_pause(run, out);
    bson_iter_t timings;
    if (find(run->doc, "timings", &timings))
        bson_append_iter(out, "timings", -1, &timings);
}

void tf_runs_report_append(const tf_run *runs, size_t count, bson_t *to, const char *key)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (size_t i = 0; i < count; i++) {
        _cleanup_bson_ bson_t run = BSON_INITIALIZER;
        tf_run_report_append(&runs[i], &run);
        tf_array_append_document(&array, &n, &run);
    }
    bson_append_array_end(to, &array);
}

void tf_runs_report_print(const tf_run *runs, size_t count)
{
    static const tf_column columns[] = {{"run", "run", TF_COLUMN_TEXT, 0},
                                        {"direction", "", TF_COLUMN_TEXT, 0},
                                        {"state", "state", TF_COLUMN_STATE, TF_COLUMN_SHRINK},
                                        {"documents", "documents", TF_COLUMN_COUNT, 0},
                                        {"aside", "left", TF_COLUMN_COUNT, 0},
                                        {"took", "took", TF_COLUMN_DURATION, 0},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < count; i++) {
        const tf_run *run = &runs[i];
        int64_t aside = tf_number_sum(tf_number_sum(tf_run_count(run, "refused"), tf_run_count(run, "overtaken")),
                                      tf_run_count(run, "conflicts"));
        int64_t took = tf_run_duration(run);
        tf_table_add(table, TF_CELL_TEXT(run->id), TF_CELL_TEXT(run->down ? "down" : "up"),
                     TF_CELL_TEXT(tf_state_name(run->state)),
                     tf_run_is_counted(run) ? TF_CELL_NUMBER(tf_run_count(run, "applied")) : TF_CELL_NONE,
                     aside ? TF_CELL_NUMBER(aside) : TF_CELL_NONE, took ? TF_CELL_NUMBER(took) : TF_CELL_NONE);
    }
    tf_table_print(table, stdout);
}

static void add_times(const tf_run *run, tf_table *sheet)
{
    tf_sheet_add(sheet, "started", "%s by %s@%s", TF_TIME(run->started_at), starter(run, "user"), starter(run, "host"));
    if (ended_at(run))
        tf_sheet_add(sheet, run->state == TF_STATE_INTERRUPTED ? "stopped" : "ended", "%s, after %s",
                     TF_TIME(ended_at(run)), TF_DURATION(tf_run_duration(run)));
    else if (run->active && run->lease_left_ms > 0)
        tf_sheet_add(sheet, "lease", "ends in %s unless renewed", TF_DURATION(run->lease_left_ms));
}

void tf_run_report_sheet(const tf_run *run, tf_table *sheet)
{
    static const char *const asides[][2] = {{"refused", "refused"},          {"gone", "gone before us"},
                                            {"overtaken", "overtaken"},      {"conflicts", "conflicts"},
                                            {"already", "already original"}, {"recreated", "recreated"}};
    tf_terms terms;
    tf_terms_of_run(run->doc, &terms);
    tf_sheet_add(sheet, "run", "%s", run->id);
    tf_sheet_add(sheet, "migration", "%s, %s", run->migration, run->down ? "down" : "up");
    tf_sheet_add(sheet, "state", "%s", tf_state_name(run->state));
    if (run->state == TF_STATE_PAUSED)
        tf_sheet_add(sheet, "paused", "since %s: %s", TF_TIME(run->paused_at), run->pause_text);
    if (run->restores[0])
        tf_sheet_add(sheet, "takes back", "%s", run->restores);
    if (run->restored_by[0])
        tf_sheet_add(sheet, "taken back by", "%s", run->restored_by);
    add_times(run, sheet);
    tf_sheet_add(sheet, run->down ? "restored" : "repaired", "%s of %s",
                 TF_DOCUMENTS(&terms, tf_run_count(run, "applied")), run->collection);
    if (terms.amounts)
        tf_sheet_add(sheet, "amount", "%s", TF_AMOUNT(&terms, tf_run_amount(run)));
    for (size_t i = 0; i < sizeof asides / sizeof *asides; i++)
        if (tf_run_count(run, asides[i][0]))
            tf_sheet_add(sheet, asides[i][1], "%s", TF_COUNT(tf_run_count(run, asides[i][0])));
    tf_sheet_add(sheet, "batches", "%s, strategy %s", TF_COUNT(tf_run_count(run, "batches")), run->strategy);
    const char *error = text_at(run, "error.message");
    char redacted[2048];
    if (error)
        tf_sheet_add(sheet, run->state == TF_STATE_COMPLETED ? "had stopped" : "error", "%s",
                     tf_redact_text(error, redacted, sizeof redacted));
}
