/* The name of a new migration, and its number. */
#ifndef TF_CMD_CREATE_NAME_H
#define TF_CMD_CREATE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/error.h>

enum { TF_CREATE_NAME_MAX = 64 };

/* "Fix  Negative-totals!" becomes "fix_negative_totals". TF_ERR_USAGE: nothing is left of it, it does not begin with a
 * letter, or it is too long. */
bool tf_create_name(const char *text, char out[static TF_CREATE_NAME_MAX], tf_error *err);

/* "fix_negative_totals" becomes "Fix negative totals". Returns `out`. */
const char *tf_create_summary(const char *name, char out[static TF_CREATE_NAME_MAX]);

/* The number and the name of a migration's file "NNN_name.c"; false where `file` is none. `name` has room for
 * TF_CREATE_NAME_MAX characters; a longer one is cut. */
bool tf_create_parse(const char *file, int *number, char *name);

#endif
