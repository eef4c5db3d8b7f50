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

/* What a probe or a premise says: where to look. */
typedef struct tf_candidates {
    bool any;       /* there can be something to find */
    bool few;       /* `values` are all of them */
    bson_t *values; /* array; owned, NULL where there are not few */
} tf_candidates;

void tf_candidates_done(tf_candidates *candidates);

enum { TF_PASS_MAX = 32 };

/* Checks that share a source, and the premises that are asked in passing: of checks that come later. */
typedef struct tf_pass {
    const tf_check *checks[TF_PASS_MAX];
    size_t count;
    const tf_check *premises[TF_PASS_MAX];
    size_t premises_count;
} tf_pass;

/* Whether one pass serves both. */
bool tf_check_shares(const tf_check *a, const tf_check *b);

/* Whether the check's premise is to be asked before it: not where it looks at other documents than those asked for. */
bool tf_check_has_premise(const tf_check *check, const tf_narrowing *narrowing);

/* Asks a check's probe by itself: whether there can be anything to find, and where. *candidates (tf_candidates_done) may be filled
 * on failure, too. */
bool tf_audit_ask_probe(const tf_audit_input *input, const tf_check *check, tf_candidates *candidates, tf_error *err);

/* Runs a pass: findings[i] (tf_finding_done) is that of checks[i], its severity NONE where nothing was found, and candidates[i]
 * (tf_candidates_done) what the i-th premise says. `known`: what was said of checks[0] before; NULL: nothing. INVALID where the
 * text of a check is not what it must be. */
bool tf_audit_pass(const tf_audit_input *input, const tf_pass *pass, const tf_candidates *known, tf_finding *findings,
                   tf_candidates *candidates, tf_error *err);

#endif
