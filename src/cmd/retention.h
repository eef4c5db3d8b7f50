/* history --archive: the old part of the audit trail goes into a file. */
#ifndef TF_CMD_RETENTION_H
#define TF_CMD_RETENTION_H

#include "cmd/trail.h"

int tf_retention_command(const tf_globals *globals, const tf_trail_args *args);

/* The value of an option. "90d": seconds, minutes, hours, days, weeks, years (365 days), in milliseconds. USAGE. */
bool tf_retention_age(const char *option, const char *text, int64_t *ms, tf_error *err);

#endif
