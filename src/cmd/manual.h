/* Manual pages, written from the tables of commands and options in the language of man(7). */
#ifndef TF_CMD_MANUAL_H
#define TF_CMD_MANUAL_H

#include <stdio.h>

#include "base/command.h"

/* tokenfix(1): the program, its commands and the global options. */
void tf_manual_overview(FILE *out, const tf_command *const *commands);

/* tokenfix-COMMAND(1); `group` is the command it is a subcommand of, or NULL. */
void tf_manual_command(FILE *out, const tf_command *command, const tf_command *group);

/* tokenfix.conf(5): the configuration file, with every key of every command. */
void tf_manual_config(FILE *out, const tf_command *const *commands);

/* ---- what the pages are made of ---- */

/* What a page begins with; the section NAME. */
void tf_manual_title(FILE *out, const char *name, int section);
void tf_manual_name(FILE *out, const char *name, const char *summary);

/* Text that roff shows as it is, `\n\n` as the beginning of a paragraph; options in it are bold. */
void tf_roff_text(FILE *out, const char *text);

/* The same without paragraphs and bold, for an argument of a macro. */
void tf_roff_word(FILE *out, const char *text);

/* "[MIGRATION]", the words in italics. */
void tf_roff_synopsis(FILE *out, const char *synopsis);

#endif
