/* The proof of a run: what `verify` shows, and what closes every `up` and `down`. Reads only, but for the ledger's "after"
 * of a closing proof. */
#ifndef TF_ENGINE_VERIFY_H
#define TF_ENGINE_VERIFY_H

#include "engine/context.h"

/* Proves `run` (state and lineage as loaded). `closing`: the proof that ends the run: posts the moves and records the
 * balances after; a run that is not finished has no seal to be compared with. */
bool tf_verify_run(const tf_engine *engine, const tf_store *store, const tf_run *run, const tf_lineage *lineage, bool closing,
                   tf_proof *out, tf_error *err);

/* A summary for the run's document. */
void tf_proof_append(const tf_proof *proof, bson_t *out);

#endif
