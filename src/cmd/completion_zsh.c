/* Three functions of zsh: the global options, the commands of a group, and what stands behind each command, all in the language of
 * _arguments and _describe. */
#include "cmd/completion.h"

extern const char tf_template_zsh_text[];

static void print_value(FILE *out, const tf_option *row)
{
    char metavar[256];
    tf_option_metavar(row, metavar, sizeof metavar);
    fprintf(out, "%s:%s:", row->optional ? ":" : "", row->choices ? row->name : metavar);
    switch (tf_offer_of_option(row)) {
    case TF_OFFER_FILE:
        fputs("_files", out);
        break;
    case TF_OFFER_FOLDER:
        fputs("_files -/", out);
        break;
    case TF_OFFER_MIGRATION:
        fputs("_tokenfix_migrations", out);
        break;
    case TF_OFFER_COMMAND:
        fputs("_tokenfix_topic", out);
        break;
    case TF_OFFER_CHOICE:
        for (const char *const *choice = row->choices; *choice; choice++)
            fprintf(out, "%s%s", choice == row->choices ? "(" : " ", *choice);
        fputc(')', out);
        break;
    case TF_OFFER_NOTHING:
        fputc(' ', out);
        break;
    }
}

static void print_form(FILE *out, const tf_option *row, bool letter)
{
    fputs("        '", out);
    if (row->kind == TF_OPT_LIST)
        fputc('*', out);
    else if (row->letter)
        fprintf(out, "(-%c --%s)", row->letter, row->name);
    if (letter)
        fprintf(out, "-%c%s", row->letter, tf_completion_takes_next(row) ? "+" : "");
    else
        fprintf(out, "--%s%s", row->name, row->kind == TF_OPT_FLAG ? "" : tf_completion_takes_next(row) ? "=" : "=-");
    fputc('[', out);
    tf_completion_clause(out, row->help, "[]\\", "'\\''");
    fputc(']', out);
    if (row->kind != TF_OPT_FLAG)
        print_value(out, row);
    fputs("'\n", out);
}

static void print_options(FILE *out, const tf_option *table)
{
    for (const tf_option *row = table; row && row->name; row++) {
        if (row->no_flag)
            continue;
        if (row->letter)
            print_form(out, row, true);
        print_form(out, row, false);
    }
}

static void print_commands(FILE *out, const tf_command *const *commands, const char *path)
{
    fprintf(out, "        '%s')\n            commands=(\n", path);
    for (; *commands; commands++) {
        fprintf(out, "                '%s:", (*commands)->name);
        tf_completion_clause(out, (*commands)->summary, ":\\", "'\\''");
        fputs("'\n", out);
    }
    fprintf(out, "            )\n            ;;\n");
}

static void commands_of(FILE *out, const tf_command *command, const char *path)
{
    if (command->subcommands)
        print_commands(out, command->subcommands, path);
}

static void print_places(FILE *out, const tf_command *command)
{
    static const char *const actions[] = {" ", "_files", "_files -/", "_tokenfix_migrations", "_tokenfix_topic", " "};
    const char *at = command->synopsis;
    tf_offer offer = TF_OFFER_NOTHING;
    for (int i = 0; i < command->max_words; i++) {
        const char *word = at + strspn(at, " [].");
        if (tf_offer_of_word(&at, &offer))
            fprintf(out, "                '%s:%.*s:%s'\n", i < command->min_words ? "" : ":",
                    (int)strcspn(word, " []."), word, actions[offer]);
        else
            fprintf(out, "                '::more:%s'\n", actions[offer]);
    }
}

static void behind(FILE *out, const tf_command *command, const char *path)
{
    if (command->subcommands) {
        fprintf(out, "        '%s')\n            _tokenfix_level\n            return\n            ;;\n", path);
        return;
    }
    fprintf(out, "        '%s')\n            options=(\n", path);
    print_options(out, command->options);
    print_places(out, command);
    fprintf(out, "            )\n            ;;\n");
}

void tf_completion_zsh(FILE *out, const tf_command *const *commands)
{
    const char *rest = tf_completion_frame(out, tf_template_zsh_text);
    fprintf(out, "_tokenfix_globals()\n{\n    globals=(\n");
    print_options(out, tf_global_options);
    fprintf(out, "    )\n}\n\n_tokenfix_commands_of()\n{\n    local -a commands\n    case $1 in\n");
    print_commands(out, commands, "");
    tf_completion_walk(out, commands, commands_of);
    fprintf(out, "    esac\n    _describe -t commands command commands\n}\n\n"
                 "_tokenfix_behind()\n{\n    local -a options\n    case $branch in\n");
    tf_completion_walk(out, commands, behind);
    fprintf(out, "    esac\n    _arguments -S -s $globals $options\n}\n\n%s", rest);
}
