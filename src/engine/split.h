/* Cuts a collection into partitions: ranges of _id of about the same size, chosen by the server from a sample. */
#ifndef TF_ENGINE_SPLIT_H
#define TF_ENGINE_SPLIT_H

#include "engine/engine.h"

enum { TF_PARTITIONS_A_WORKER = 16 };

/* Fills the empty array `bounds` with the inner bounds, ascending, as {v: _id}; none where `documents` are
 * fewer than eight batches of `batch`: a partition is to hold four full ones. Reads a random sample only. */
bool tf_split_bounds(const tf_engine *engine, const tf_repair *repair, int64_t documents, int64_t batch, bson_t *bounds,
                     tf_error *err);

#endif
