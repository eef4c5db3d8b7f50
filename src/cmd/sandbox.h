/* What the subcommands of `sandbox` share. */
#ifndef TF_CMD_SANDBOX_H
#define TF_CMD_SANDBOX_H

#include "base/command.h"
#include "sandbox/sandbox.h"

/* Fills the sandbox and its URI (of the first login) or fails with TF_ERR_CONNECT if it does not run. */
bool tf_cmd_sandbox_open(const char *name, const char *db, tf_sandbox *sandbox, char *uri, size_t size, tf_error *err);

/* "a replica set of one node" */
const char *tf_cmd_sandbox_form(const tf_sandbox *sandbox);

/* All of it for --json, connection strings included. */
void tf_cmd_sandbox_append(const tf_sandbox *sandbox, bson_t *to);

/* Without access control the connection string alone, so that a shell can take it; with it, a line for each user. */
void tf_cmd_sandbox_print_uris(const tf_sandbox *sandbox, const char *indent);

#define TF_SANDBOX_NAME_HELP "The sandbox; several can run side by side."

extern const tf_command tf_cmd_sandbox_start, tf_cmd_sandbox_seed;

#endif
