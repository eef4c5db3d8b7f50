#include "base/help.h"

#include "cmd/commands.h"
#include "report/output.h"
#include "report/terminal.h"

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)args;
    size_t width = tf_terminal_of(stdout).width;
    width = width < 100 ? width : 100;
    const tf_command *group = NULL, *command = NULL;
    const tf_command *const *commands = globals->commands;
    tf_error err = {0};
    if (argc == 0) {
        tf_help_overview(stdout, commands, width);
        return 0;
    }
    for (int i = 0; i < argc; i++) {
        group = command;
        command = tf_command_find(commands, argv[i], group, &err);
        if (!command)
            return tf_output_error(&err, NULL, NULL, globals->json);
        commands = command->subcommands;
        if (!commands && i + 1 < argc) {
            tf_error_set(&err, TF_ERR_NOT_FOUND, "command '%s' has no subcommands", command->name);
            tf_error_hint(&err, "'tokenfix help %s' explains it.", command->name);
            return tf_output_error(&err, NULL, NULL, globals->json);
        }
    }
    tf_help_command(stdout, command, group, width);
    return 0;
}

const tf_command tf_cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "Explain a command",
    .flags = TF_CMD_NO_DATABASE,
    .max_words = 2,
    .exits = "012",
    .run = run,
};
