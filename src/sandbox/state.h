/* The state file of a sandbox: sandbox.json in its folder. */
#ifndef TF_SANDBOX_STATE_H
#define TF_SANDBOX_STATE_H

#include "sandbox/sandbox.h"

/* Checks the name and fills name and folder of an otherwise empty sandbox. */
bool tf_state_place(const char *name, tf_sandbox *sandbox, tf_error *err);

/* True when its folder holds a state file. */
bool tf_state_exists(const tf_sandbox *sandbox);

/* Reads it and looks which nodes run; a state that is not of its form is TF_ERR_DAMAGED, sandbox untouched. */
bool tf_state_load(tf_sandbox *sandbox, tf_error *err);
bool tf_state_save(const tf_sandbox *sandbox, tf_error *err);

/* Locks the sandbox's folder, making it: a file descriptor to close, or -1. Another holder is waited for. */
int tf_state_lock(const tf_sandbox *sandbox, tf_error *err);

#endif
