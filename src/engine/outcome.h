/* Filling the outcome of an `up` or a `down` from its context. */
#ifndef TF_ENGINE_OUTCOME_H
#define TF_ENGINE_OUTCOME_H

#include "engine/context.h"

/* Copies run, state and totals; the lists of what was left alone are read from the batches. */
void tf_outcome_fill(const tf_context *context, tf_outcome *out);
bool tf_outcome_read_conflicts(const tf_context *context, tf_outcome *out, tf_error *err);

/* The head of the audit trail, for who keeps it elsewhere; where it cannot be read it stays unknown. */
void tf_outcome_read_head(const tf_engine *engine, tf_outcome *out);

#endif
