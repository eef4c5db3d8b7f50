/*
 * A journal batch that died between its intent and its record changed documents that no record speaks of. Where its run
 * goes on, the batch does (journal.c). Where its run is taken back instead, the batch is settled first: what the backup
 * holds of it is recorded as it stands, and nothing more is written. Then it is given back like any other.
 */
#ifndef TF_ENGINE_SETTLE_H
#define TF_ENGINE_SETTLE_H

#include "engine/context.h"

/* Settles the open batches of the run that `context`'s down takes back. May be interrupted and done again. */
bool tf_settle_target(tf_context *context, tf_error *err);

#endif
