#include "cmd/commands.h"
#include "cmd/run_report.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/format.h"
#include "report/output.h"

static const char not_visible[] = "earlier runs are not visible with these privileges";

/* ---- data ---- */

static void append_recommendations(const tf_status *status, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "recommendations", &array);
    for (size_t i = 0; i < status->recommendations_count; i++) {
        const tf_recommendation *r = &status->recommendations[i];
        _cleanup_(bson_destroyp) bson_t *one =
            BCON_NEW("type", BCON_UTF8(r->type), "priority", BCON_UTF8(r->priority), "message", BCON_UTF8(r->message));
        tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append_status(const tf_session *session, const tf_status *status, bson_t *out)
{
    const tf_migration *migration = session->engine.migration;
    bson_t part;
    BSON_APPEND_DATE_TIME(out, "timestamp", status->time);
    BSON_APPEND_UTF8(out, "database", session->client.db);
    BSON_APPEND_UTF8(out, "stateDatabase", session->client.state_db);
    BSON_APPEND_DOCUMENT_BEGIN(out, "migration", &part);
    BSON_APPEND_UTF8(&part, "name", migration->id);
    BSON_APPEND_UTF8(&part, "summary", migration->summary);
    BSON_APPEND_UTF8(&part, "state", status->state);
    BSON_APPEND_BOOL(&part, "isCompleted", status->completed);
    BSON_APPEND_BOOL(&part, "migrationNeeded", status->matching > 0);
    BSON_APPEND_INT64(&part, "problematicTokens", status->matching);
    BSON_APPEND_INT64(&part, "totalMeltedTokens", status->population);
    bson_append_document_end(out, &part);
    BSON_APPEND_DOCUMENT_BEGIN(out, "health", &part);
    BSON_APPEND_INT64(&part, "totalTokens", status->documents);
    BSON_APPEND_DOUBLE(&part, "healthScore", status->health);
    bson_append_document_end(out, &part);
    append_recommendations(status, out);
    tf_runs_report_append(status->runs, status->runs_count, out, "runs");
    BSON_APPEND_BOOL(out, "runsVisible", status->runs_visible);
}

/* ---- text ---- */

static void print_facts(const tf_session *session, const tf_status *status)
{
    const tf_migration *migration = session->engine.migration;
    tf_terms terms;
    char health[TF_FORMAT_MAX];
    tf_terms_of_json(migration->repair, &terms);
    printf("Migration %s: %s\n%s.\n\n", migration->id, status->state, migration->summary);
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_sheet_add(sheet, "database", "%s, runs and backups in %s", session->client.db, session->client.state_db);
    tf_sheet_add(sheet, "documents", "%s in the collection", TF_DOCUMENTS(&terms, status->documents));
    tf_sheet_add(sheet, "to repair", "%s of %s that can have the defect", TF_COUNT(status->matching),
                 TF_COUNT(status->population));
    /* rounded down, so that 100 % means all */
    int64_t parts = (int64_t)(status->health * 10000);
    tf_sheet_add(sheet, "health", "%s %%", tf_format_real((double)parts / 100, 2, health));
    tf_sheet_print(sheet);
}

static void print_recommendations(const tf_status *status)
{
    static const tf_column columns[] = {{"priority", "priority", TF_COLUMN_TEXT, 0},
                                        {"message", "what to do", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < status->recommendations_count; i++)
        tf_table_add(table, TF_CELL_TEXT(status->recommendations[i].priority),
                     TF_CELL_TEXT(status->recommendations[i].message));
    if (tf_table_rows(table))
        printf("\n");
    tf_table_print(table, stdout);
}

static void print_status(const tf_session *session, const tf_status *status)
{
    print_facts(session, status);
    if (status->runs_count) {
        printf("\n");
        tf_runs_report_print(status->runs, status->runs_count);
    }
    print_recommendations(status);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)args;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_status_done) tf_status status = {0};
    const tf_migration *migration = tf_migration_find(argc ? argv[0] : NULL, &err);
    if (!migration || !tf_session_open(&session, globals, migration, &err) ||
        !tf_status_read(&session.engine, &status, &err)) {
        tf_session_settle(&session);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    tf_session_settle(&session);
    if (!status.runs_visible)
        tf_output_warning("%s (%s)", not_visible, session.client.state_db);
    tf_runs_complete(&session.engine.store, status.runs, status.runs_count);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append_status(&session, &status, &data);
        tf_output_success(&data);
    } else {
        print_status(&session, &status);
    }
    return 0;
}

const tf_command tf_cmd_status = {
    .name = "status",
    .synopsis = "[MIGRATION]",
    .summary = "Show the state of a migration, and what to do next",
    .description = "Shows the state of the migration, how many documents have the defect, the health score (the share "
                   "of the documents that can have the defect and do not), the last runs, and recommendations. It "
                   "changes nothing.",
    .max_words = 1,
    .exits = "0128",
    .run = run,
};
