/* The least-privilege roles, printed as the commands that create them. */
#ifndef TF_CMD_ROLE_REPORT_H
#define TF_CMD_ROLE_REPORT_H

#include <tokenfix/migration.h>

#include "base/command.h"

/* Prints the role of `kind` (one of tf_role_kinds) for the databases that the global options name:
 * as a command for mongosh, or with --json as data. Connects to nothing. Returns the exit status. */
int tf_role_report(const tf_globals *globals, const tf_migration *migration, const char *kind);

#endif
