/*
 * The life of a run around its batches: begin, go on, finish, stop. Every step can be the last: what stands in the state
 * database then is enough to go on (docs/protocol.md has the table).
 */
#ifndef TF_ENGINE_LIFECYCLE_H
#define TF_ENGINE_LIFECYCLE_H

#include "engine/context.h"

/* Creates a new `up` run and plans it: ledger, backup collection, partitions; on success the run is `running` and the
 * context is ready for its migration's `up`. `last`: tf_run_last_number, read before it was decided that the run may
 * begin: LEASE_HELD when another began since. `documents`, `amount`: what the plan found. */
bool tf_lifecycle_begin_up(const tf_engine *engine, int64_t last, int64_t documents, int64_t amount, tf_context *context,
                           tf_error *err);

/* The same for a `down` of `target`, which becomes `rolling_back`. The target is taken over first where it is abandoned;
 * `owned`: it is this process's own (an up that failed). */
bool tf_lifecycle_begin_down(const tf_engine *engine, int64_t last, tf_run *target, bool owned, tf_context *context, tf_error *err);

/* Takes an interrupted run over and makes the context ready to go on; waits for a lease that may still be held. *run is
 * consumed. */
bool tf_lifecycle_resume(const tf_engine *engine, tf_run *run, tf_context *context, tf_error *err);

/* running → verifying, unless it is that already. */
bool tf_lifecycle_verifying(tf_context *context, tf_error *err);

/* Appends the closing event and ends the run as completed; a down's target becomes rolled_back in the same transaction.
 * `proof`: a summary to be stored, may be NULL. */
bool tf_lifecycle_complete(tf_context *context, const bson_t *proof, tf_error *err);

/* Ends the run as cancelled: what is done stays, and nothing more is written. *err says who wanted it; where it could not be
 * recorded, false, and why. */
bool tf_lifecycle_cancel(tf_context *context, tf_error *err);

/* Ends this process's part in the run: `interrupted` where it can be told, nothing where the run is not ours any more. The
 * error itself is recorded. */
void tf_lifecycle_interrupt(tf_context *context, const tf_error *error);

#endif
