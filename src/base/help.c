#include "base/help.h"

#include <inttypes.h>

#include "base/number.h"
#include "base/text.h"

enum { TEXT_COLUMN = 26 };

const char *tf_exit_meaning(int status)
{
    static const char *const meanings[] = {
        "done, or nothing to do",
        "failed",
        "usage",
        "done, but with findings, conflicts, refused documents, or migrations pending",
        "confirmation missing or refused",
        "another run holds the lease",
        "an invariant failed; everything was rolled back",
        "interrupted; can be resumed",
        "cannot connect, or not allowed",
    };
    return status >= 0 && (size_t)status < sizeof meanings / sizeof *meanings ? meanings[status] : NULL;
}

/* A term at the left and its text at the right, below it where the term is too long. */
static void entry(FILE *out, const char *term, const char *text, size_t width)
{
    size_t column = tf_text_width(term);
    fputs(term, out);
    if (column + 2 > TEXT_COLUMN) {
        fputc('\n', out);
        column = 0;
    }
    tf_text_wrap(out, text, column, TEXT_COLUMN, width);
}

static void print_exit(FILE *out, int status, size_t width)
{
    fprintf(out, "  %d  ", status);
    tf_text_wrap(out, tf_exit_meaning(status), 5, 5, width);
}

void tf_help_facts(const tf_option *row, char *out, size_t size)
{
    char part[3][128] = {"", "", ""}, low[32], high[32];
    if (row->fallback)
        snprintf(part[0], sizeof part[0], "default %s", row->fallback);
    if (row->kind == TF_OPT_INT && row->max != INT64_MAX)
        snprintf(part[1], sizeof part[1], "%" PRId64 " to %" PRId64, row->min, row->max);
    if (row->kind == TF_OPT_DOUBLE)
        snprintf(part[1], sizeof part[1], "%s to %s", tf_number_shortest(row->real_min, low, sizeof low),
                 tf_number_shortest(row->real_max, high, sizeof high));
    if (row->env)
        snprintf(part[2], sizeof part[2], "%s", row->env);

    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < 3; i++)
        if (part[i][0] && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : " [", part[i]);
    if (used && used < size)
        snprintf(out + used, size - used, "]");
}

static void print_option(FILE *out, const tf_option *row, size_t width)
{
    char term[256], letter[8] = "    ", value[200], text[1024], more[400];
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    const char *metavar = tf_option_metavar(row, value, sizeof value);
    if (row->no_flag)
        snprintf(term, sizeof term, "  %s%s %s", letter, row->name, metavar ? metavar : "");
    else if (row->optional)
        snprintf(term, sizeof term, "  %s--%s[=%s]", letter, row->name, metavar);
    else
        snprintf(term, sizeof term, "  %s--%s%s%s", letter, row->name, metavar ? " " : "", metavar ? metavar : "");
    tf_help_facts(row, more, sizeof more);
    snprintf(text, sizeof text, "%s%s", row->help, more);
    entry(out, term, text, width);
}

static void print_options(FILE *out, const char *title, const tf_option *table, size_t width)
{
    if (!table || !table->name)
        return;
    fprintf(out, "\n%s:\n", title);
    for (const tf_option *row = table; row->name; row++)
        print_option(out, row, width);
}

static void print_commands(FILE *out, const tf_command *const *commands, size_t width)
{
    fprintf(out, "\nCommands:\n");
    for (; *commands; commands++) {
        char term[128];
        snprintf(term, sizeof term, "  %s%s%s", (*commands)->name, *(*commands)->synopsis ? " " : "",
                 (*commands)->synopsis);
        entry(out, term, (*commands)->summary, width);
    }
}

void tf_help_short(FILE *out, const tf_command *const *commands, size_t width)
{
    fprintf(out, "Usage: tokenfix [global options] COMMAND [MIGRATION] [options]\n");
    print_commands(out, commands, width);
    fprintf(out, "\n'tokenfix help COMMAND' explains a command, 'tokenfix --help' shows it all.\n");
}

void tf_help_overview(FILE *out, const tf_command *const *commands, size_t width)
{
    fprintf(out, "Usage: tokenfix [global options] COMMAND [MIGRATION] [options]\n\n");
    tf_text_wrap(
        out,
        "Repairs data in a live MongoDB and can prove it: shows what it would change, snapshots every affected "
        "document, changes them in transactions, verifies the balances, and takes it all back on demand.",
        0, 0, width);
    print_commands(out, commands, width);
    print_options(out, "Global options, before or after COMMAND", tf_global_options, width);
    fprintf(out, "\nExit status:\n");
    for (int status = 0; tf_exit_meaning(status); status++)
        print_exit(out, status, width);
    fprintf(out, "\n'tokenfix help COMMAND' explains a command.\n");
}

void tf_help_command(FILE *out, const tf_command *command, const tf_command *group, size_t width)
{
    const char *words = command->subcommands ? "SUBCOMMAND" : command->synopsis;
    fprintf(out, "Usage: tokenfix [global options] %s%s%s%s%s%s\n\n%s.\n", group ? group->name : "", group ? " " : "",
            command->name, *words ? " " : "", words, command->options ? " [options]" : "", command->summary);
    if (command->description) {
        fputc('\n', out);
        tf_text_wrap(out, command->description, 0, 0, width);
    }
    if (command->subcommands)
        print_commands(out, command->subcommands, width);
    print_options(out, "Options", command->options, width);
    if (command->exits) {
        fprintf(out, "\nExit status:\n");
        for (const char *digit = command->exits; *digit; digit++)
            print_exit(out, *digit - '0', width);
    }
    fprintf(out, "\nThe global options are listed by 'tokenfix --help'.\n");
}
