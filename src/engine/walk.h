/*
 * The walk through a partition: its candidates in the order of _id, read outside any transaction. For transactions, which read
 * them again: their ids, from one cursor; what it gave and no batch has committed yet waits in a queue. For the journal: the
 * documents, by a find for each batch; what a batch did not take comes first.
 */
#ifndef TF_ENGINE_WALK_H
#define TF_ENGINE_WALK_H

#include "engine/context.h"

typedef struct tf_walk tf_walk;

tf_walk *tf_walk_open(tf_context *context, const tf_partition *partition);
void tf_walk_close(tf_walk *walk);
void tf_walk_closep(tf_walk **walk);

/* Fills the queue up to `count` candidates; opens the cursor anew, behind the last one, where the connection was lost. */
bool tf_walk_fill(tf_walk *walk, size_t count, tf_error *err);

/* Takes from the head of the queue at most `count` candidates and at most the bytes that a batch may have, one at least:
 * appends their _ids to the empty array `ids` and copies the last one's to *last. Returns how many. */
size_t tf_walk_ids(const tf_walk *walk, size_t count, bson_t *ids, bson_value_t *last);

/* The journal's: copies the first `count` candidates as they are to *out. False where they must be read again: they are only
 * ids, or older than half a second, as after a pause. */
bool tf_walk_docs(const tf_walk *walk, size_t count, tf_docs *out);

/* Removes what was committed from the head; the next batch may have more bytes, up to 4 MB. */
void tf_walk_drop(tf_walk *walk, size_t count);

#endif
