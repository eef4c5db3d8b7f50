#include "cmd/commands.h"
#include "cmd/confirm.h"
#include "cmd/history_report.h"
#include "cmd/run_report.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "cmd/trail.h"
#include "engine/resolve.h"
#include "report/output.h"

typedef struct {
    int64_t limit, offset;
    bool confirm, yes;
    tf_trail_args trail;
} history_args;

static const tf_option options[] = {
    TF_OPTION_INT(history_args, limit, "limit", 1, 100000, "Show so many runs, events, or batches of the run.",
                  .fallback = "20", .letter = 'n'),
    TF_OPTION_INT(history_args, offset, "offset", 0, INT64_MAX, "Leave out so many before the first shown.",
                  .fallback = "0"),
    TF_TRAIL_OPTIONS(history_args),
    TF_OPTION_FLAG(history_args, confirm, "confirm", "With --archive: do it. Without this it only says what it would do.",
                   .by_hand = true),
    TF_OPTION_FLAG(history_args, yes, "yes",
                   "With --archive: do not ask for the database's name; CONFIRM_MIGRATION=yes does the same.",
                   .letter = 'y', .by_hand = true),
    TF_OPTION_END,
};

static int show_runs(tf_session *session, const history_args *wanted, bool json)
{
    tf_error err = {0};
    tf_run *runs = NULL;
    size_t count = 0;
    int64_t upto = wanted->offset > INT64_MAX - wanted->limit ? INT64_MAX : wanted->offset + wanted->limit;
    if (!tf_run_list(&session->engine.store, NULL, upto > INT32_MAX ? 0 : upto, &runs, &count, &err))
        return tf_output_error(&err, NULL, NULL, json);
    tf_runs_complete(&session->engine.store, runs, count);
    size_t skip = (int64_t)count < wanted->offset ? count : (size_t)wanted->offset;
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_runs_report_append(runs + skip, count - skip, &data, "runs");
        BSON_APPEND_INT64(&data, "limit", wanted->limit);
        BSON_APPEND_INT64(&data, "offset", wanted->offset);
        tf_output_success(&data);
    } else if (count == skip) {
        printf("No runs%s in %s.\n", skip ? " that far back" : "", session->client.state_db);
    } else {
        tf_runs_report_print(runs + skip, count - skip);
    }
    tf_runs_free(runs, count);
    return 0;
}

static int show_run(tf_session *session, const tf_run *run, const history_args *wanted, bool json)
{
    tf_error err = {0};
    _cleanup_(tf_history_done) tf_history history = {0};
    if (!tf_history_read(&session->engine.store, run, wanted->limit, wanted->offset, &history, &err))
        return tf_output_error(&err, run->id, NULL, json);
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_run_report_append(run, &data);
        tf_history_append(&history, &data);
        tf_output_success(&data);
        return 0;
    }
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    tf_run_report_sheet(run, sheet);
    tf_sheet_print(sheet);
    tf_history_print(&history);
    return 0;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    tf_error err = {0};
    history_args *wanted = args;
    wanted->trail.confirm = wanted->confirm;
    wanted->trail.yes = wanted->yes;
    wanted->trail.limit = wanted->limit;
    wanted->trail.offset = wanted->offset;
    if (tf_trail_wants(&wanted->trail, argc, &err))
        return tf_trail_command(globals, &wanted->trail);
    if (err.code != TF_ERR_OK)
        return tf_output_error(&err, NULL, NULL, globals->json);
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_run_done) tf_run named = {0};
    if (!tf_session_open(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (argc == 0)
        return show_runs(&session, args, globals->json);
    if (!tf_resolve_run(&session.engine, argv[0], &named, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    tf_runs_complete(&session.engine.store, &named, 1);
    return show_run(&session, &named, args, globals->json);
}

const tf_command tf_cmd_history = {
    .name = "history",
    .synopsis = "[RUN]",
    .summary = "Show the runs, or the batches and events of one; examine the audit trail",
    .description =
        "Without a word the runs, newest first. RUN is the id of a run or a migration, which means its newest run.\n\n"
        "The audit trail is one chain of events of all runs. --verify walks it and ends with 3 at its first break; --head "
        "and --public-key let it notice more (docs/audit-trail.md). --export writes it into a file that can be examined "
        "anywhere. --archive does the same with the old part, and removes that; all else changes nothing.",
    .max_words = 1,
    .options = options,
    .args_size = sizeof(history_args),
    .exits = "012348",
    .run = run,
};
