/* Cuts a collection into partitions: ranges of _id of about the same size, chosen by the server from a sample. */
#ifndef TF_ENGINE_SPLIT_H
#define TF_ENGINE_SPLIT_H

#include "engine/engine.h"

enum { TF_PARTITIONS_A_WORKER = 16 };

/* Fills the empty array `bounds` with the inner bounds, ascending, as {v: _id}: at most 16 partitions a worker, each with
 * four batches of `batch` of the `documents`, or enough of the collection to be searched for less. None where one batch holds them all: that is one
 * transaction. Reads a random sample and the collection's metadata only. */
bool tf_split_bounds(const tf_engine *engine, const tf_repair *repair, int64_t documents, int64_t batch, int workers, bson_t *bounds,
                     tf_error *err);

#endif
