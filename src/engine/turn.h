/* A batch's turn: the throttle and the watch as the workers of a run meet them. */
#ifndef TF_ENGINE_TURN_H
#define TF_ENGINE_TURN_H

#include "engine/context.h"

/* Before the first batch and behind the last: sets the watch, and takes it away. The latter waits while the run is paused,
 * where all went well so far, and fails as a batch would. */
bool tf_turns_begin(tf_context *context, tf_error *err);
bool tf_turns_end(tf_context *context, bool ok, tf_error *err);

/* Before a batch: waits while there is a reason to. CANCELLED, INTERRUPTED, LEASE_LOST. */
bool tf_turn_take(tf_context *context, tf_error *err);

/* Behind it, whatever became of it: `attempts`, of which so many met a write conflict, took `ms` together. */
void tf_turn_give(tf_context *context, int64_t ms, int attempts, int conflicts);

#endif
