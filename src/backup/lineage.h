/*
 * A run and what it takes back, and what that takes back: down to the `up` it all began with. Knows the prediction of any
 * of them: for an `up` the stored pipeline, evaluated by the server on the backup; for a `down` what it gave back.
 */
#ifndef TF_BACKUP_LINEAGE_H
#define TF_BACKUP_LINEAGE_H

#include "base/docs.h"
#include "db/id.h"
#include "store/run.h"

#include <tokenfix/repair.h>

typedef struct tf_lineage {
    char run[TF_RUN_ID_SIZE];
    bool down;
    bool fields_policy;
    int64_t run_started; /* what $$RUN_STARTED means */
    tf_repair *repair;
    struct tf_lineage *target; /* of a down */
} tf_lineage;

/* The repair that is stored in a run. NULL on failure (DAMAGED, INVALID); free with tf_repair_free. */
tf_repair *tf_lineage_repair(const tf_run *run, tf_error *err);

/* Reads the run's stored repair and its targets'. NULL on failure (DAMAGED when one is gone, or the chain is longer
 * than 64); free with tf_lineage_free, which accepts NULL. */
tf_lineage *tf_lineage_load(const tf_store *store, const tf_run *run, tf_error *err);
void tf_lineage_free(tf_lineage *lineage);
void tf_lineage_freep(tf_lineage **lineage);

/* The predictions of the run's backup documents `before` (as read in the order of _id), in the same order. DAMAGED when
 * the backup no longer has one of them. */
bool tf_lineage_predict(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, tf_docs *out,
                        tf_error *err);

/* What the update of an `up` makes of the touched fields of the backup documents `before`: {_id, touched fields, and what
 * `also` projects from the updated document}, in the order of _id. DAMAGED as above. */
bool tf_lineage_changes(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, const bson_t *also, tf_docs *out,
                        tf_error *err);

/* The pre-image with the touched fields as `change` (of tf_lineage_changes) has them, appended to the empty *out: the
 * prediction wherever the update keeps to its touched fields. */
void tf_lineage_compose(const tf_repair *repair, const bson_t *before, const bson_t *change, bson_t *out);

/* Reads the documents of the backup in a range, sorted by _id, together with their predictions: one pass of the server instead
 * of two. An aggregation need not hand out the very bytes of odd documents, so that *before must be compared with the recorded
 * hash, and read by tf_snapshot_read_range and predicted anew where it differs. False where it cannot be done or failed: the same. */
bool tf_lineage_read_range(const tf_store *store, const tf_lineage *lineage, const tf_range *range, tf_docs *before, tf_docs *predicted);

#endif
