#include "cmd/manual.h"

#include "base/help.h"
#include "cmd/version.h"

/* No date: a page says the same until a table or the version changes. */
void tf_manual_title(FILE *out, const char *name, int section)
{
    fprintf(out, ".\\\" scripts/generate writes this page from the tables of options: do not edit\n.TH \"");
    for (const char *c = name; *c; c++)
        fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
    fprintf(out, "\" %d \"\" \"tokenfix %s\" \"tokenfix\"\n.nr HY 0\n.hy 0\n.ad l\n", section, tf_version());
}

void tf_manual_name(FILE *out, const char *name, const char *summary)
{
    fprintf(out, ".SH NAME\n");
    tf_roff_word(out, name);
    fprintf(out, " \\- ");
    tf_roff_word(out, summary);
    fputc('\n', out);
}

static void print_term(FILE *out, const tf_option *row)
{
    char value[200];
    const char *metavar = tf_option_metavar(row, value, sizeof value);
    fprintf(out, ".TP\n");
    if (row->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    fprintf(out, "\\fB%s", row->no_flag ? "" : "\\-\\-");
    tf_roff_word(out, row->name);
    fprintf(out, "\\fR");
    if (metavar) {
        fprintf(out, row->optional ? "[=\\fI" : " \\fI");
        tf_roff_word(out, metavar);
        fprintf(out, "\\fR%s", row->optional ? "]" : "");
    }
    fputc('\n', out);
}

static void print_options(FILE *out, const char *title, const tf_option *table)
{
    char facts[400];
    if (!table || !table->name)
        return;
    fprintf(out, ".SH %s\n", title);
    for (const tf_option *row = table; row->name; row++) {
        print_term(out, row);
        tf_roff_text(out, row->help);
        tf_help_facts(row, facts, sizeof facts);
        if (*facts)
            tf_roff_text(out, facts + 1); /* a line of its own does not begin with a blank */
    }
}

static void print_commands(FILE *out, const tf_command *const *commands, const tf_command *group)
{
    fprintf(out, ".SH COMMANDS\n");
    for (; *commands; commands++) {
        fprintf(out, ".TP\n\\fB%s%s%s\\fR ", group ? group->name : "", group ? " " : "", (*commands)->name);
        tf_roff_synopsis(out, (*commands)->synopsis);
        fputc('\n', out);
        tf_roff_word(out, (*commands)->summary);
        fprintf(out, ".\n");
    }
}

static void print_exits(FILE *out, const char *digits)
{
    fprintf(out, ".SH EXIT STATUS\n");
    for (; *digits; digits++) {
        fprintf(out, ".TP\n.B %c\n", *digits);
        tf_roff_word(out, tf_exit_meaning(*digits - '0'));
        fprintf(out, ".\n");
    }
}

static void print_see(FILE *out, const tf_command *const *commands, const tf_command *group)
{
    for (; *commands; commands++) {
        fprintf(out, ",\n.BR tokenfix\\-%s%s%s (1)", group ? group->name : "", group ? "\\-" : "", (*commands)->name);
    }
    fputc('\n', out);
}

static const char overview[] =
    "Repairs data in a live MongoDB and can prove it: shows what it would change, snapshots every affected document, "
    "changes them in "
    "transactions, verifies the balances, and takes it all back on demand.\n\n"
    "A migration says what is wrong and how it is repaired. Where MIGRATION is expected, its id or a unique beginning "
    "of it will do; "
    "without one the default migration is meant. Where RUN is expected, a run's id will do, or a migration, which "
    "means its newest "
    "run.\n\n"
    "Runs, backups and the audit trail are kept in a database of their own beside the repaired one: --state-db.";

static const struct {
    const char *command, *says;
} examples[] = {
    {"tokenfix --uri-file FILE status", "Whether there is something to repair. FILE holds the connection string, and "
                                        "only its owner may read it. Nothing is written."},
    {"tokenfix --uri-file FILE preview", "What would be changed, for whom, and at what risk. Nothing is written."},
    {"tokenfix --uri-file FILE validate",
     "Whether a repair can run there: every prerequisite, and what to do. Nothing is written."},
    {"tokenfix --uri-file FILE up --confirm", "The repair. It asks for the database's name, and proves the result."},
    {"tokenfix --uri-file FILE verify", "The proof again, at any time."},
    {"tokenfix --uri-file FILE down --confirm", "Takes the repair back."},
};

static void print_examples(FILE *out)
{
    fprintf(out, ".SH EXAMPLES\n");
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        fprintf(out, ".TP\n.B ");
        tf_roff_word(out, examples[i].command);
        fputc('\n', out);
        tf_roff_text(out, examples[i].says);
    }
}

void tf_manual_overview(FILE *out, const tf_command *const *commands)
{
    char digits[16] = "";
    for (int status = 0; tf_exit_meaning(status); status++)
        snprintf(digits + status, sizeof digits - (size_t)status, "%d", status);
    tf_manual_title(out, "tokenfix", 1);
    tf_manual_name(out, "tokenfix", "repair data in a live MongoDB, and prove it");
    fprintf(out, ".SH SYNOPSIS\n\\fBtokenfix\\fR [\\fIglobal options\\fR] \\fICOMMAND\\fR [\\fIMIGRATION\\fR] "
                 "[\\fIoptions\\fR]\n"
                 ".SH DESCRIPTION\n");
    tf_roff_text(out, overview);
    print_commands(out, commands, NULL);
    fprintf(out,
            ".PP\n\\fBtokenfix help\\fR \\fICOMMAND\\fR and \\fBman tokenfix\\-\\fICOMMAND\\fR explain a command.\n");
    print_options(out, "GLOBAL OPTIONS", tf_global_options);
    print_exits(out, digits);
    fprintf(out, ".SH ENVIRONMENT\n");
    tf_roff_text(out, "Most options have a variable; it is named with them. An empty one counts as not set. What is "
                      "typed wins over the environment, "
                      "that over the configuration file, that over the default. NO_COLOR turns colours off.");
    print_examples(out);
    fprintf(out, ".SH SEE ALSO\n.BR tokenfix.conf (5)");
    print_see(out, commands, NULL);
}

void tf_manual_command(FILE *out, const tf_command *command, const tf_command *group)
{
    char name[128];
    snprintf(name, sizeof name, "tokenfix-%s%s%s", group ? group->name : "", group ? "-" : "", command->name);
    tf_manual_title(out, name, 1);
    tf_manual_name(out, name, command->summary);
    fprintf(out, ".SH SYNOPSIS\n\\fBtokenfix\\fR [\\fIglobal options\\fR] \\fB%s%s%s\\fR ", group ? group->name : "",
            group ? " " : "", command->name);
    tf_roff_synopsis(out, command->subcommands ? "SUBCOMMAND" : command->synopsis);
    fprintf(out, "%s\n.SH DESCRIPTION\n", command->options ? " [\\fIoptions\\fR]" : "");
    if (command->description)
        tf_roff_text(out, command->description);
    else {
        tf_roff_word(out, command->summary);
        fprintf(out, ".\n");
    }
    if (command->subcommands)
        print_commands(out, command->subcommands, command);
    print_options(out, "OPTIONS", command->options);
    fprintf(out, ".PP\nThe global options, how to connect among them, stand in\n.BR tokenfix (1).\n");
    if (command->exits)
        print_exits(out, command->exits);
    fprintf(out, ".SH SEE ALSO\n.BR tokenfix (1)");
    if (group)
        fprintf(out, ",\n.BR tokenfix\\-%s (1)", group->name);
    fprintf(out, ",\n.BR tokenfix.conf (5)");
    print_see(out, command->subcommands ? command->subcommands : (const tf_command *const[]){NULL}, command);
}
