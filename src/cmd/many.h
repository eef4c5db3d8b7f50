/* A command on several databases, one after the other. */
#ifndef TF_CMD_MANY_H
#define TF_CMD_MANY_H

#include "base/command.h"

/* Runs the command of an invocation that names several databases on each of them in the order they were named, also where one
 * fails; after a signal none is begun any more. The exit status is the first that is not 0. */
int tf_many_run(tf_invocation *in);

#endif
