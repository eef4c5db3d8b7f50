/* What the server says about a collection that a run depends on. */
#ifndef TF_DB_COLLECTION_H
#define TF_DB_COLLECTION_H

#include "db/operation.h"

typedef struct tf_collection {
    char type[32];    /* "collection", "view", "timeseries"; empty where there is none of this name */
    bool capped;
    bson_t collation; /* as `create` takes it; empty: the simple one */
} tf_collection;

/* Fills *out from listCollections on op's database; release it with tf_collection_done, on failure too. */
bool tf_collection_read(const tf_op *op, const char *name, tf_collection *out, tf_error *err);
void tf_collection_done(tf_collection *collection);

/* How many documents it holds by its metadata: exact unless the server crashed; no pass over the data. */
bool tf_collection_count(const tf_op *op, const char *name, int64_t *count, tf_error *err);

#endif
