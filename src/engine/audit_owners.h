/* What an audit found, by owner: the checks with a `user_key`. */
#ifndef TF_ENGINE_AUDIT_OWNERS_H
#define TF_ENGINE_AUDIT_OWNERS_H

#include "check/holding.h"
#include "check/owners.h"
#include "engine/audit.h"

typedef struct tf_audit_owners {
    tf_repair *repair; /* owned */
    const tf_check *checks[TF_OWNERS_CHECKS_MAX]; /* those with a user_key, in the migration's order */
    int order[TF_OWNERS_CHECKS_MAX];              /* where they stand in the counts; -1: nothing was found of it */
    size_t checks_count;
    tf_owners owners;
    tf_holding *holdings; /* of the page's owners; without rows where they cannot be added up */
} tf_audit_owners;

/* Looks for the owners of what `audit` (with the same `wanted`) found. `wanted` says by_owner: a check that found
 * nothing is not run again. *out (free with tf_audit_owners_done) is untouched on failure. */
bool tf_audit_owners_read(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_audit *audit, int64_t limit, int64_t offset,
                          tf_audit_owners *out, tf_error *err);
void tf_audit_owners_done(tf_audit_owners *owners);

/* The count of the i-th of the checks in these counts. */
int64_t tf_audit_owners_count(const tf_audit_owners *owners, const tf_owner_counts *counts, size_t i);

#endif
