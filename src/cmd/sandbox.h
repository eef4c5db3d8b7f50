/* What the subcommands of `sandbox` share. */
#ifndef TF_CMD_SANDBOX_H
#define TF_CMD_SANDBOX_H

#include "base/command.h"
#include "sandbox/sandbox.h"

/* Fills the sandbox and its URI (of the first login) or fails with TF_ERR_CONNECT if it does not run. */
bool tf_cmd_sandbox_open(const char *name, const char *db, tf_sandbox *sandbox, char *uri, size_t size, tf_error *err);

extern const tf_command tf_cmd_sandbox_seed;

#endif
