#include "cmd/completion.h"
#include "cmd/manual.h"

static const char places[] =
    "What is the same every time may stand in a file. It is the one that --config or the variable TOKENFIX_CONFIG "
    "names, or else the "
    "first that is there of those below. Every command that connects reads it; --config /dev/null does without one.";

static const char rules[] = "A line is a key and its value, \"key = value\". Keys are the names of options, the global "
                            "ones and the commands' own, written with - or _. "
                            "An option that may be repeated has a line for each value. A comment has a line of its "
                            "own, which begins with # or ;.\n\n"
                            "A line [NAME] begins a profile. What stands above all of them holds always; the keys of a "
                            "profile hold where --profile or the variable TOKENFIX_PROFILE names it, and take the place "
                            "of those above, a list as a whole.\n\n"
                            "What is typed wins over the environment, that over the file, that over the default.\n\n"
                            "A key that no command knows, a value out of range, a key given twice in the same profile: each is an error "
                            "that names file and line, unknown keys in the profiles that do not hold too. What only the "
                            "one who types can decide, to confirm or to resume, cannot stand there.\n\n"
                            "The file must belong to its reader or to root and be writable by nobody else; where it "
                            "holds a secret, nobody else may read it "
                            "either, but for the group of a file of root's.";

static void print_key(FILE *out, const tf_option *row)
{
    char value[200];
    const char *metavar = tf_option_metavar(row, value, sizeof value);
    fprintf(out, ".TP\n\\fB");
    tf_roff_word(out, row->name);
    fprintf(out, "\\fR = \\fI");
    tf_roff_word(out, metavar ? metavar : "yes|no");
    fprintf(out, "\\fR\n");
    tf_roff_text(out, row->help);
}

static void print_keys(FILE *out, const tf_option *table, const char *title)
{
    bool begun = false;
    for (const tf_option *row = table; row && row->name; row++) {
        if (row->by_hand)
            continue;
        if (!begun)
            fprintf(out, ".SS %s\n", title);
        begun = true;
        print_key(out, row);
    }
}

static void keys_of(FILE *out, const tf_command *command, const char *path)
{
    char title[192];
    if (command->flags & TF_CMD_NO_DATABASE)
        return;
    snprintf(title, sizeof title, "Keys for \\(dqtokenfix %s\\(dq", path);
    print_keys(out, command->options, title);
}

void tf_manual_config(FILE *out, const tf_command *const *commands)
{
    tf_manual_title(out, "tokenfix.conf", 5);
    tf_manual_name(out, "tokenfix.conf", "settings of tokenfix");
    fprintf(out, ".SH SYNOPSIS\n.EX\nuri\\-file = /etc/tokenfix/uri\ndb = wallet\n# for "
                 "\\(dqaudit\\(dq\nalert\\-repeat = 4h\n[test]\nhost = localhost\n.EE\n"
                 ".SH DESCRIPTION\n");
    tf_roff_text(out, places);
    fprintf(out, ".SH SYNTAX\n");
    tf_roff_text(out, rules);
    fprintf(out, ".SH KEYS\n");
    print_keys(out, tf_global_options, "Keys for every command");
    tf_completion_walk(out, commands, keys_of);
    fprintf(out, ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/tokenfix/tokenfix.conf\n"
                 "one\\(aqs own; without the variable ~/.config/tokenfix/tokenfix.conf\n"
                 ".TP\n.I /etc/tokenfix/tokenfix.conf\nthe one for all users of this machine\n"
                 ".SH SEE ALSO\n.BR tokenfix (1)\n");
}
