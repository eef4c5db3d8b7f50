/* pause, continue, cancel: three words for one thing, asking the owner of a run. */
#include "base/stop.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/run_report.h"
#include "cmd/session.h"
#include "report/output.h"

typedef struct {
    double wait;
} control_args;

static const tf_option options[] = {
    TF_OPTION_DOUBLE(control_args, wait, "wait", 0, 3600,
                     "Wait so many seconds until the run has done what it was asked for.", .fallback = "30",
                     .metavar = "SECONDS"),
    TF_OPTION_END,
};

static void print_answer(tf_request request, const tf_run *run)
{
    tf_terms terms;
    char text[sizeof run->pause_text];
    tf_terms_of_run(run->doc, &terms);
    const char *done = TF_DOCUMENTS(&terms, tf_run_count(run, "applied"));
    const char *what = run->down ? "given back" : "repaired";
    if (request == TF_REQUEST_PAUSE)
        printf("Run %s is paused: %s are %s so far.\nTo go on: tokenfix continue %s\n", run->id, done, what, run->id);
    else if (request == TF_REQUEST_CANCEL)
        printf("Run %s is cancelled: %s are %s and stay so.\nTo take that back: tokenfix down %s --confirm\n", run->id,
               done, what, run->id);
    else if (run->state == TF_STATE_PAUSED)
        printf("Run %s may go on, but is paused still: %s\n", run->id, tf_text_clean(run->pause_text, text, sizeof text));
    else
        printf("Run %s goes on.\n", run->id);
}

static int ask(const tf_globals *globals, const control_args *wanted, tf_request request, const char *word)
{
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_run_done) tf_run run = {0};
    if (!tf_session_open_to_write(&session, globals, NULL, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    tf_stop_install(tf_output_ended);
    session.engine.settings.run = word;
    if (!tf_control_run(&session.engine, request, (int64_t)(wanted->wait * 1000), &run, &err)) {
        tf_attempt_failed(&session.engine, tf_request_name(request), &err);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    tf_runs_complete(&session.engine.store, &run, 1);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&data, "request", tf_request_name(request));
        tf_run_report_append(&run, &data);
        tf_output_success(&data);
    } else {
        print_answer(request, &run);
    }
    return 0;
}

static int run_pause(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    return ask(globals, args, TF_REQUEST_PAUSE, argc ? argv[0] : NULL);
}

static int run_continue(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    return ask(globals, args, TF_REQUEST_CONTINUE, argc ? argv[0] : NULL);
}

static int run_cancel(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    return ask(globals, args, TF_REQUEST_CANCEL, argc ? argv[0] : NULL);
}

#define CONTROL(command_name, command_summary, command_description, function)                                          \
    {                                                                                                                  \
        .name = command_name, .synopsis = "[RUN]", .summary = command_summary, .description = command_description,     \
        .max_words = 1, .options = options, .args_size = sizeof(control_args), .exits = "0128", .run = function        \
    }

const tf_command tf_cmd_pause =
    CONTROL("pause", "Let a run that is under way in another terminal rest",
            "The run finishes its batch and waits, still holding its lease, until 'tokenfix continue'. RUN is the id of "
            "a run or a migration, which means its newest run; without it, the run that is under way. The command waits "
            "until it is so.",
            run_pause);

const tf_command tf_cmd_continue = CONTROL("continue", "Let a paused run go on",
                                           "Takes 'tokenfix pause' back. A run that pauses by itself (lag, load, a "
                                           "pause file) goes on by itself.",
                                           run_continue);

const tf_command tf_cmd_cancel =
    CONTROL("cancel", "End a run that is under way in another terminal, for good",
            "The run finishes its batch and ends as cancelled. What it did stays, with its backup: 'tokenfix down RUN' "
            "takes it back, and a later 'tokenfix up' is a new run that repairs the rest. A cancelled run cannot be "
            "resumed: where that is wanted, stop it with Ctrl-C in its own terminal.",
            run_cancel);
