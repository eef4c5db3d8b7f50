/*
 * The checks of an audit, run on the server: whatever list of checks it is given. Checks with the same source share one pass over
 * the data, which counts the findings of all and picks a few examples; nothing else comes to the client.
 */
#ifndef TF_CHECK_AUDIT_H
#define TF_CHECK_AUDIT_H

#include "check/finding.h"
#include "check/narrowing.h"
#include "store/store.h"

typedef struct tf_audit_input {
    const tf_store *store; /* a worker's */
    const char *migration; /* its id */
    const tf_narrowing *narrowing;
    int64_t max_time_ms; /* of each operation; 0: none */
} tf_audit_input;

/* Whether one pass serves both. */
bool tf_check_shares(const tf_check *a, const tf_check *b);

/* Runs checks that share a pass: findings[i] (tf_finding_done) is that of checks[i], its severity NONE where nothing was found.
 * INVALID where the text of a check is not what it must be. */
bool tf_audit_pass(const tf_audit_input *input, const tf_check *const *checks, size_t count, tf_finding *findings, tf_error *err);

#endif
