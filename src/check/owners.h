/*
 * What the checks of an audit say of each owner: those that have a `user_key`, put together on the server, so that a page of owners
 * and the sums of all come to the client, however many there are.
 */
#ifndef TF_CHECK_OWNERS_H
#define TF_CHECK_OWNERS_H

#include "check/audit.h"

enum { TF_OWNERS_CHECKS_MAX = 8 };

typedef struct tf_owner_counts {
    bson_value_t owner; /* of the ledger's first owner field; owned */
    int64_t counts[TF_OWNERS_CHECKS_MAX]; /* by check, in the order asked for */
    int64_t amount; /* of the documents that checks without a source found; units of 10^-scale */
    bool too_large; /* it leaves 64 bits: there is none */
} tf_owner_counts;

typedef struct tf_owners {
    int64_t total;   /* owners in the collection */
    int64_t checked; /* of these, owners of documents that were asked for */
    tf_owner_counts sums; /* over all owners with issues; its owner is not set */
    int64_t with_issues;
    tf_owner_counts *page; /* the largest amounts first */
    size_t page_count;
} tf_owners;

/* Runs `checks` (count of them, each with a user_key, at most TF_OWNERS_CHECKS_MAX) and fills *out (free with tf_owners_done) with
 * `limit` owners from `offset` on. *out is untouched on failure. An owner too large to be shown is null. */
bool tf_owners_read(const tf_audit_input *input, const tf_check *const *checks, size_t count, int64_t limit, int64_t offset,
                    tf_owners *out, tf_error *err);
void tf_owners_done(tf_owners *owners);

#endif
