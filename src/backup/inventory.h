/*
 * What the backup of a run must hold, as its batch records say: so many documents in each batch, in the order of their _ids, and their
 * hash. One walk over the backup, sorted by _id, proves it against that, whatever types the _ids have: the server knows their order.
 */
#ifndef TF_BACKUP_INVENTORY_H
#define TF_BACKUP_INVENTORY_H

#include "backup/manifest.h"

typedef struct tf_inventory {
    tf_manifest_batch *batches; /* those that backed anything up, in the order of their ranges; owned */
    size_t count;
    int64_t documents;
    int64_t applied, amount, all; /* over all batches of the run; `all`: how many there are */
} tf_inventory;

/* Reads the run's batch records. `collation`: of the backup collection (empty: the simple one). Free with tf_inventory_done. */
bool tf_inventory_read(const tf_store *store, const char *run, const bson_t *collation, tf_inventory *out,
                       tf_error *err);
void tf_inventory_done(tf_inventory *inventory);

/* Called with each document in the order of _id, a view. */
typedef bool (*tf_inventory_see)(void *arg, const bson_t *doc, tf_error *err);

/* Walks the run's backup and compares it: DAMAGED names the first batch that is not as recorded. `see` may be NULL. */
bool tf_inventory_walk(const tf_store *store, const char *run, const tf_inventory *inventory, tf_inventory_see see,
                       void *arg, tf_error *err);

/* Whether both name the same batches; *at is the first where they differ. */
bool tf_inventory_same(const tf_inventory *inventory, const tf_manifest *manifest, size_t *at);

#endif
