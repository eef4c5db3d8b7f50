#include "base/help.h"

#include <tokenfix/migration.h>

#include "cmd/commands.h"
#include "cmd/completion.h"
#include "cmd/manual.h"
#include "report/output.h"
#include "report/terminal.h"

typedef struct help_args {
    const char *format, *list;
} help_args;

static const char *const formats[] = {"text", "man", "man-conf", "bash", "zsh", "fish", NULL};
static const char *const lists[] = {"commands", "migrations", NULL};

static const tf_option options[] = {
    TF_OPTION_CHOICE(help_args, format, "format", formats,
                     "Write for people; a manual page: of the program, of COMMAND, or of the configuration file; or "
                     "what makes bash, zsh "
                     "or fish complete command lines.",
                     .fallback = "text"),
    TF_OPTION_CHOICE(help_args, list, "list", lists, "Only list names, one a line."),
    TF_OPTION_END,
};

static void print_name(FILE *out, const tf_command *command, const char *path)
{
    (void)command;
    fprintf(out, "%s\n", path);
}

static void print_list(const tf_globals *globals, const char *what)
{
    if (strcmp(what, "commands") == 0)
        tf_completion_walk(stdout, globals->commands, print_name);
    else
        for (size_t i = 0; i < tf_migrations_count; i++)
            printf("%s\n", tf_migrations[i]->id);
}

/* `command` NULL: the program. */
static void print(const tf_globals *globals, const char *format, const tf_command *command, const tf_command *group)
{
    size_t width = tf_terminal_of(stdout).width;
    width = width < 100 ? width : 100;
    bool manual = strcmp(format, "man") == 0;
    if (strcmp(format, "man-conf") == 0)
        tf_manual_config(stdout, globals->commands);
    else if (strcmp(format, "bash") == 0)
        tf_completion_bash(stdout, globals->commands);
    else if (strcmp(format, "zsh") == 0)
        tf_completion_zsh(stdout, globals->commands);
    else if (strcmp(format, "fish") == 0)
        tf_completion_fish(stdout, globals->commands);
    else if (command && manual)
        tf_manual_command(stdout, command, group);
    else if (command)
        tf_help_command(stdout, command, group, width);
    else if (manual)
        tf_manual_overview(stdout, globals->commands);
    else
        tf_help_overview(stdout, globals->commands, width);
}

/* The command that the words name; NULL in *command where there are none. */
static bool find(const tf_globals *globals, int argc, char *const *argv, const tf_command **command,
                 const tf_command **group, tf_error *err)
{
    const tf_command *const *commands = globals->commands;
    for (int i = 0; i < argc; i++) {
        *group = *command;
        *command = tf_command_find(commands, argv[i], *group, err);
        if (!*command)
            return false;
        commands = (*command)->subcommands;
        if (!commands && i + 1 < argc) {
            tf_error_set(err, TF_ERR_NOT_FOUND, "command '%s' has no subcommands", (*command)->name);
            return tf_error_hint(err, "'tokenfix help %s' explains it.", (*command)->name);
        }
    }
    return true;
}

static int run(const tf_globals *globals, void *arg, int argc, char *const *argv)
{
    const help_args *args = arg;
    const tf_command *command = NULL, *group = NULL;
    tf_error err = {0};
    if (!find(globals, argc, argv, &command, &group, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (command && (args->list || (strcmp(args->format, "text") != 0 && strcmp(args->format, "man") != 0))) {
        tf_error_set(&err, TF_ERR_USAGE, "what is asked for is not of one command");
        tf_error_hint(&err, "Leave '%s' out.", command->name);
        return tf_output_error(&err, NULL, NULL, globals->json);
    }
    if (args->list)
        print_list(globals, args->list);
    else
        print(globals, args->format, command, group);
    return 0;
}

const tf_command tf_cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "Explain a command",
    .description = "Of a command that has subcommands, a second word names one of them.",
    .flags = TF_CMD_NO_DATABASE,
    .max_words = 2,
    .options = options,
    .args_size = sizeof(help_args),
    .exits = "012",
    .run = run,
};
