#include "cmd/commands.h"
#include "cmd/plan_report.h"
#include "cmd/session.h"
#include "report/output.h"

typedef struct {
    int64_t limit, offset, sample;
} preview_args;

static const tf_option options[] = {
    TF_OPTION_INT(preview_args, limit, "limit", 0, 10000, "Show so many users, those with the largest amounts first.",
                  .fallback = "10", .letter = 'n'),
    TF_OPTION_INT(preview_args, offset, "offset", 0, INT64_MAX, "Leave out so many users before the first shown.",
                  .fallback = "0"),
    TF_OPTION_INT(preview_args, sample, "sample", 0, 100, "Show so many of the documents, with secrets masked.",
                  .fallback = "0"),
    TF_OPTION_END,
};

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const preview_args *wanted = args;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_plan_done) tf_plan plan = {0};
    const tf_migration *migration = tf_migration_find(argc ? argv[0] : NULL, &err);
    if (!migration || !tf_session_open(&session, globals, migration, &err) ||
        !tf_plan_make(&session.engine, wanted->limit, wanted->offset, wanted->sample, &plan, &err)) {
        tf_session_settle(&session);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    tf_session_settle(&session);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_plan_report_append(&session.engine, &plan, &data);
        tf_output_success(&data);
        return 0;
    }
    tf_plan_report_print(&session.engine, &plan);
    if (plan.documents > 0)
        printf("\nNothing was changed. To repair:\n  tokenfix up %s --confirm\n", migration->id);
    else
        printf("\nNothing to repair.\n");
    if (plan.empty)
        tf_output_warning("%s.%s holds no document at all: check --db", session.client.db, plan.repair->collection);
    return 0;
}

const tf_command tf_cmd_preview = {
    .name = "preview",
    .synopsis = "[MIGRATION]",
    .summary = "Show what 'up' would change, and change nothing",
    .description = "Counts the documents that the migration would repair, their amounts and their users, estimates the "
                   "time and names the risk. It needs no more than the right to read, and writes nothing at all: no "
                   "record, no index, no backup.",
    .max_words = 1,
    .options = options,
    .args_size = sizeof(preview_args),
    .exits = "0128",
    .run = run,
};
