/* Two functions of fish (whether an option's value is the next word; whether a word names a command there), then one `complete` for
 * each command, option and word. */
#include "cmd/completion.h"

extern const char tf_template_fish_text[];

static void print_takes(FILE *out, const tf_option *table, const char *path)
{
    for (const tf_option *row = table; row && row->name; row++) {
        if (row->no_flag || row->optional || !tf_completion_takes_next(row))
            continue;
        fprintf(out, "        '%s%s--%s'", path, *path ? " " : "", row->name);
        if (row->letter)
            fprintf(out, " '%s%s-%c'", path, *path ? " " : "", row->letter);
        fprintf(out, " \\\n");
    }
}

static void takes(FILE *out, const tf_command *command, const char *path)
{
    print_takes(out, command->options, path);
}

static void name(FILE *out, const tf_command *command, const char *path)
{
    (void)command;
    fprintf(out, "        '%s' \\\n", path);
}

/* What stands behind -a; "" where there is nothing to offer. */
static void print_offer(FILE *out, tf_offer offer, const char *const *choices)
{
    switch (offer) {
    case TF_OFFER_FILE:
        fputs(" -F", out);
        break;
    case TF_OFFER_FOLDER:
        fputs(" -f -a '(__fish_complete_directories)'", out);
        break;
    case TF_OFFER_MIGRATION:
        fputs(" -f -a '(__tokenfix_migrations)'", out);
        break;
    case TF_OFFER_CHOICE:
        for (const char *const *choice = choices; *choice; choice++)
            fprintf(out, "%s%s", choice == choices ? " -f -a '" : " ", *choice);
        fputc('\'', out);
        break;
    case TF_OFFER_COMMAND:
    case TF_OFFER_NOTHING:
        fputs(" -f", out);
        break;
    }
}

static void print_options(FILE *out, const tf_option *table, const char *condition)
{
    for (const tf_option *row = table; row && row->name; row++) {
        if (row->no_flag)
            continue;
        fprintf(out, "complete -c tokenfix%s -l %s", condition, row->name);
        if (row->letter)
            fprintf(out, " -s %c", row->letter);
        if (row->kind != TF_OPT_FLAG) {
            if (!row->optional)
                fputs(" -r", out);
            print_offer(out, tf_offer_of_option(row), row->choices);
        }
        fputs(" -d '", out);
        tf_completion_clause(out, row->help, "\\", "\\'");
        fputs("'\n", out);
    }
}

/* The commands of a group where `condition` holds. */
static void print_commands(FILE *out, const tf_command *const *commands, const char *condition)
{
    for (; *commands; commands++) {
        fprintf(out, "complete -c tokenfix -n '%s' -f -a %s -d '", condition, (*commands)->name);
        tf_completion_clause(out, (*commands)->summary, "\\", "\\'");
        fputs("'\n", out);
    }
}

static void behind(FILE *out, const tf_command *command, const char *path)
{
    char condition[192];
    snprintf(condition, sizeof condition, "__tokenfix_at \"%s\" 0", path);
    if (command->subcommands)
        print_commands(out, command->subcommands, condition);
    snprintf(condition, sizeof condition, " -n '__tokenfix_at \"%s\"'", path);
    print_options(out, command->options, condition);
    const char *at = command->synopsis;
    tf_offer offer = TF_OFFER_NOTHING;
    for (int i = 0; i < command->max_words; i++) {
        tf_offer_of_word(&at, &offer);
        if (offer == TF_OFFER_NOTHING || offer == TF_OFFER_COMMAND)
            continue;
        fprintf(out, "complete -c tokenfix -n '__tokenfix_at \"%s\" %d'", path, i);
        print_offer(out, offer, NULL);
        fputc('\n', out);
    }
}

/* The words behind `help`: a command, then one of its subcommands. */
static void print_topics(FILE *out, const tf_command *const *commands)
{
    char condition[192];
    print_commands(out, commands, "__tokenfix_at \"help\" 0");
    for (; *commands; commands++) {
        if (!(*commands)->subcommands)
            continue;
        snprintf(condition, sizeof condition, "__tokenfix_at \"help\" 1; and contains %s (commandline -opc)",
                 (*commands)->name);
        print_commands(out, (*commands)->subcommands, condition);
    }
}

void tf_completion_fish(FILE *out, const tf_command *const *commands)
{
    const char *rest = tf_completion_frame(out, tf_template_fish_text);
    fprintf(out, "function __tokenfix_takes -a command word\n    contains -- $word \\\n");
    print_takes(out, tf_global_options, "");
    fprintf(out, "        --\n    or contains -- \"$command $word\" \\\n");
    tf_completion_walk(out, commands, takes);
    fprintf(out, "        --\nend\n\nfunction __tokenfix_names -a command word\n"
                 "    contains -- (string trim \"$command $word\") \\\n");
    tf_completion_walk(out, commands, name);
    fprintf(out, "        --\nend\n\ncomplete -c tokenfix -f\n");
    print_options(out, tf_global_options, "");
    print_commands(out, commands, "__tokenfix_at \"\" 0");
    tf_completion_walk(out, commands, behind);
    print_topics(out, commands);
    fputs(rest, out);
}
