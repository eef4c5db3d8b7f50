/* The execution of a `down` whose run exists: shared by the command and by an `up` that is rolled back. */
#ifndef TF_ENGINE_DOWN_H
#define TF_ENGINE_DOWN_H

#include "engine/context.h"

/* Restores, proves, completes. On failure the run is left interrupted. */
bool tf_down_execute(tf_context *context, tf_outcome *out, tf_error *err);

#endif
