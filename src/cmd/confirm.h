/* The confirmation in front of everything that writes. */
#ifndef TF_CMD_CONFIRM_H
#define TF_CMD_CONFIRM_H

#include <stdbool.h>
#include <tokenfix/error.h>

#include "base/option.h"

/* The rows of --confirm and --yes for a struct with the fields `bool confirm, yes`. */
#define TF_CONFIRM_OPTIONS(type)                                                                                       \
    TF_OPTION_FLAG(type, confirm, "confirm", "Do it. Without this only the preview is shown.", .by_hand = true),       \
        TF_OPTION_FLAG(type, yes, "yes", "Do not ask for the database's name; CONFIRM_MIGRATION=yes does the same.",   \
                       .letter = 'y', .by_hand = true)

/* Whether `yes`, or CONFIRM_MIGRATION=yes in the environment, has answered already. */
bool tf_confirm_given(bool yes);

/* How it was confirmed, for the audit trail: "--yes", "CONFIRM_MIGRATION" or "terminal". */
const char *tf_confirm_how(bool yes);

/* Asks to type the name of the database, after `question` (what is about to happen, a sentence), unless that
 * has been answered already. TF_ERR_CONFIRM: another answer, or no terminal to ask on. */
bool tf_confirm(const char *question, const char *db, bool yes, tf_error *err);

#endif
