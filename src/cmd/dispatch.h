/* From the command line to the exit status. */
#ifndef TF_CMD_DISPATCH_H
#define TF_CMD_DISPATCH_H

#include "base/command.h"

/* Reads the command line against the NULL-terminated table, runs the command, prints help, versions and errors. */
int tf_dispatch(const tf_command *const *commands, int argc, char **argv);

#endif
