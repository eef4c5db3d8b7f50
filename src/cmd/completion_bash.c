/*
 * Two tables. _tokenfix_about COMMAND sets what can stand behind it: `commands`, `options`, `places` (a kind for each word).
 * _tokenfix_takes COMMAND OPTION sets `takes`, what its value is: text, file, folder, migration, command; "choice a b"; "maybe
 * a b", which may be left out; "attached KIND", only behind a =; empty where it has none.
 */
#include "cmd/completion.h"

extern const char tf_template_bash_text[];

static const char *const kinds[] = {"text", "file", "folder", "migration", "command", "choice"};

static void print_names(FILE *out, const tf_option *table)
{
    for (const tf_option *row = table; row && row->name; row++)
        if (!row->no_flag)
            fprintf(out, "%s--%s", row == table ? "" : " ", row->name);
}

static void print_about(FILE *out, const tf_command *const *commands, const tf_option *table, const char *path)
{
    fprintf(out, "        '%s')\n            commands='", path);
    for (size_t i = 0; commands && commands[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", commands[i]->name);
    fprintf(out, "'\n            options='");
    print_names(out, table);
    fprintf(out, "'\n            places='");
}

static void about(FILE *out, const tf_command *command, const char *path)
{
    print_about(out, command->subcommands, command->options, path);
    const char *at = command->synopsis;
    tf_offer offer = TF_OFFER_NOTHING;
    for (int i = 0; i < command->max_words; i++) {
        tf_offer_of_word(&at, &offer); /* the last one stands for all that follow */
        fprintf(out, "%s%s", i ? " " : "", kinds[offer]);
    }
    fprintf(out, "'\n            ;;\n");
}

static void print_kind(FILE *out, const tf_option *row)
{
    tf_offer offer = tf_offer_of_option(row);
    if (!tf_completion_takes_next(row))
        fprintf(out, "attached ");
    fprintf(out, "%s", row->optional && offer == TF_OFFER_CHOICE ? "maybe" : kinds[offer]);
    for (const char *const *choice = row->choices; choice && *choice; choice++)
        fprintf(out, " %s", *choice);
}

static void print_takes(FILE *out, const tf_option *table, const char *pattern)
{
    for (const tf_option *row = table; row && row->name; row++) {
        if (row->kind == TF_OPT_FLAG || row->no_flag)
            continue;
        fprintf(out, "        %s' --%s'", pattern, row->name);
        if (row->letter)
            fprintf(out, " | %s' -%c'", pattern, row->letter);
        fprintf(out, ") takes='");
        print_kind(out, row);
        fprintf(out, "' ;;\n");
    }
}

static void takes(FILE *out, const tf_command *command, const char *path)
{
    char pattern[160];
    snprintf(pattern, sizeof pattern, "'%s'", path);
    print_takes(out, command->options, pattern);
}

void tf_completion_bash(FILE *out, const tf_command *const *commands)
{
    const char *rest = tf_completion_frame(out, tf_template_bash_text);
    fprintf(out, "_tokenfix_about()\n{\n    commands= options= places=\n    case $1 in\n");
    print_about(out, commands, tf_global_options, "");
    fprintf(out, "'\n            ;;\n");
    tf_completion_walk(out, commands, about);
    fprintf(out, "    esac\n}\n\n_tokenfix_takes()\n{\n    takes=\n    case \"$1 $2\" in\n");
    print_takes(out, tf_global_options, "*");
    tf_completion_walk(out, commands, takes);
    fprintf(out, "    esac\n}\n\n%s", rest);
}
