/* Scripts that let a shell complete command lines: frames from template/, tables from the commands and their options. */
#ifndef TF_CMD_COMPLETION_H
#define TF_CMD_COMPLETION_H

#include <stdio.h>

#include "base/command.h"

void tf_completion_bash(FILE *out, const tf_command *const *commands);
void tf_completion_zsh(FILE *out, const tf_command *const *commands);
void tf_completion_fish(FILE *out, const tf_command *const *commands);

/* ---- what the three have in common ---- */

/* What a shell can offer where a value, or a word of a synopsis, is wanted. */
typedef enum tf_offer {
    TF_OFFER_NOTHING, /* only the one who types knows */
    TF_OFFER_FILE,
    TF_OFFER_FOLDER,
    TF_OFFER_MIGRATION, /* the program lists them; also where a run is wanted, for a migration means its newest */
    TF_OFFER_COMMAND,
    TF_OFFER_CHOICE /* the row's choices */
} tf_offer;

tf_offer tf_offer_of_option(const tf_option *row);

/* Of the word of a synopsis ("NPUB [MIGRATION]") that begins at *at, which it moves behind it. Where there is none it returns false,
 * and *offer stays. */
bool tf_offer_of_word(const char **at, tf_offer *offer);

/* Whether the option's value may be the next argument (else it has none, or stands behind a =). */
bool tf_completion_takes_next(const tf_option *row);

/* A help text up to its first full stop, colon or semicolon. Each of the characters in `escaped` gets a backslash, and ' becomes
 * `quote`. */
void tf_completion_clause(FILE *out, const char *text, const char *escaped, const char *quote);

/* Calls visit(out, command, path) for every command and subcommand; the path is "sandbox start". */
typedef void (*tf_completion_visit)(FILE *out, const tf_command *command, const char *path);
void tf_completion_walk(FILE *out, const tf_command *const *commands, tf_completion_visit visit);

/* Writes `frame` up to the line "@tables@", whose place the caller's tables take; returns what stands behind that line. */
const char *tf_completion_frame(FILE *out, const char *frame);

#endif
