/*
 * The findings that `sandbox seed --with-findings` plants: tokens with flaws, behind the ordinary ones and of users of their
 * own, in numbers that follow from the seed. Each row of docs/data.md's table is there but for balance_discrepancy, which a
 * change after a run makes, and no data alone.
 */
#ifndef TOKENFIX_SANDBOX_SEED_FINDING_H
#define TOKENFIX_SANDBOX_SEED_FINDING_H

#include "sandbox/seed_document.h"

enum {
    TF_SEED_MELTED_UNSPENT,
    TF_SEED_DUPLICATE_SECRET,
    TF_SEED_SECRET_REUSE,
    TF_SEED_ORPHANED_TOKEN,
    TF_SEED_AMOUNT_MISMATCH,
    TF_SEED_INVALID_AMOUNT,
    TF_SEED_MISSING_SOURCE,
    TF_SEED_STATUS_INCONSISTENT,
    TF_SEED_NEGATIVE_BALANCE,
    TF_SEED_CHECKS
};

/* The checks' names, and of what each counts. */
extern const char *const tf_seed_check_names[TF_SEED_CHECKS];

/* What is planted. A plain value. */
typedef struct tf_seed_findings {
    tf_seed_plan plan; /* with the planted tokens and users behind those of the ordinary plan */
    int64_t first_token, first_user;
    int64_t counts[TF_SEED_CHECKS]; /* what an audit of everything reports, the ordinary defects included */
} tf_seed_findings;

/* From the plan of the ordinary documents, which stay the same byte for byte. */
tf_seed_findings tf_seed_findings_make(const tf_seed_plan *ordinary);

/* Appends planted token `index` (first_token ≤ index < plan.tokens) to *out. facts may be NULL; of a defect the amount is its. */
void tf_seed_planted_token(const tf_seed_findings *findings, int64_t index, bson_t *out, tf_seed_facts *facts);

#endif
