/* Help, written from the tables of commands and options. */
#ifndef TF_BASE_HELP_H
#define TF_BASE_HELP_H

#include <stdio.h>

#include "base/command.h"

/* All commands and the global options. */
void tf_help_overview(FILE *out, const tf_command *const *commands, size_t width);

/* How the tool is called, in a few lines. */
void tf_help_short(FILE *out, const tf_command *const *commands, size_t width);

/* One command; `group` is the command it is a subcommand of, or NULL. */
void tf_help_command(FILE *out, const tf_command *command, const tf_command *group, size_t width);

/* What help adds to a row's text by itself, " [default 5; 0.1 to 86400; TOKENFIX_TIMEOUT]"; empty where there is nothing. */
void tf_help_facts(const tf_option *row, char *out, size_t size);

/* What an exit status means: "done, or nothing to do"; NULL for one that is not used. */
const char *tf_exit_meaning(int status);

#endif
