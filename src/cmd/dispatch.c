#include "cmd/dispatch.h"

#include <malloc.h>
#include <mongoc/mongoc.h>

#include "base/clock.h"
#include "base/help.h"
#include "base/process.h"
#include "base/text.h"
#include "cmd/many.h"
#include "cmd/version.h"
#include "db/client.h"
#include "report/log.h"
#include "report/output.h"
#include "report/terminal.h"

static size_t help_width(FILE *stream)
{
    size_t width = tf_terminal_of(stream).width;
    return width < 100 ? width : 100;
}

/* An error may stand before the option in the line, and is to be shown in the form asked for. */
static bool wants_json(int argc, char **argv)
{
    const char *variable = getenv("TOKENFIX_JSON");
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return variable && (strcmp(variable, "1") == 0 || tf_text_same(variable, "true") ||
                        tf_text_same(variable, "yes") || tf_text_same(variable, "on"));
}

static int show_help(const tf_command *const *commands, const tf_invocation *in)
{
    if (in->command)
        tf_help_command(stdout, in->command, in->group, help_width(stdout));
    else
        tf_help_overview(stdout, commands, help_width(stdout));
    return 0;
}

static int execute(tf_invocation *in)
{
    if (in->globals.dbs.count > 1 && !(in->command->flags & TF_CMD_ONCE))
        return tf_many_run(in);
    return in->command->run(&in->globals, in->args, in->words_count, in->words);
}

/* That it began and how it ended stands in the log only: who typed the command knows. */
static int logged(tf_invocation *in)
{
    char command[64];
    tf_error err = {0};
    const tf_log_options wanted = {.file = in->globals.log_file,
                                   .json = strcmp(in->globals.log_format, "json") == 0,
                                   .chosen = tf_options_source(&in->global_options, "log-format") > TF_SOURCE_DEFAULT,
                                   .level = in->globals.log_level};
    if (!tf_log_open(&wanted, &err))
        return tf_output_error(&err, NULL, NULL, in->globals.json);
    int64_t start = tf_clock_ms();
    snprintf(command, sizeof command, "%s%s%s", in->group ? in->group->name : "", in->group ? " " : "", in->command->name);
    tf_log_fields fields = {.command = command};
    tf_log_about(in->globals.dbs.count > 1 ? NULL : in->globals.db);
    tf_log(TF_LOG_INFO, &fields, "'%s' begins", command);
    int status = execute(in);
    fields.ended = true;
    fields.exit = status;
    fields.elapsed_ms = tf_clock_ms() - start;
    if (in->globals.dbs.count > 1)
        tf_log_about(NULL);
    tf_log(TF_LOG_INFO, &fields, "'%s' ends with %d: %s", command, status, tf_exit_meaning(status) ? tf_exit_meaning(status) : "");
    return status;
}

static int run(const tf_command *const *commands, tf_invocation *in)
{
    if (in->globals.help)
        return show_help(commands, in);
    if (in->globals.version)
        return tf_version_print(in->globals.json);
    if (!in->command && in->globals.json) {
        tf_error err = {0};
        tf_error_set(&err, TF_ERR_USAGE, "no command given");
        tf_error_hint(&err, "'tokenfix --help' lists the commands.");
        return tf_output_error(&err, NULL, NULL, true);
    }
    if (!in->command) {
        tf_help_short(stderr, commands, help_width(stderr));
        return 2;
    }
    tf_terminal_set_color(in->globals.no_color ? "never" : in->globals.color);
    return logged(in);
}

int tf_dispatch(const tf_command *const *commands, int argc, char **argv)
{
    tf_invocation in = {0};
    tf_error err = {0};
    tf_process_setup();
    bool json = wants_json(argc, argv);
#ifdef TF_FAILPOINTS
    if (!tf_command_check(commands, &err))
        return tf_output_error(&err, NULL, NULL, json);
#endif
    mallopt(M_MMAP_THRESHOLD, 4 << 20);  /* large documents go back to the system once they are let go, usual batches stay */
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
    tf_client_begin();
    int status = tf_command_parse(commands, argc, argv, &in, &err) ? run(commands, &in)
                                                                   : tf_output_error(&err, NULL, NULL, json);
    tf_log_close(); /* its file's name may be the configuration's */
    tf_invocation_done(&in);
    tf_client_end();
    return tf_output_finish(status);
}
