/* The processes of a sandbox. */
#ifndef TF_SANDBOX_NODES_H
#define TF_SANDBOX_NODES_H

#include "sandbox/sandbox.h"

/* Starts the nodes that do not run, recording each on disk before it may run, and waits until all accept connections. */
bool tf_nodes_launch(tf_sandbox *sandbox, tf_error *err);

/* Ends those that run; counts in *stopped what it found. False where one did not end; the others have. */
bool tf_nodes_end(tf_sandbox *sandbox, tf_sandbox_stopped *stopped, tf_error *err);

#endif
