/* What an audit of the balances found, by user. */
#ifndef TF_CMD_AUDIT_OWNERS_REPORT_H
#define TF_CMD_AUDIT_OWNERS_REPORT_H

#include "cmd/terms.h"
#include "engine/audit_owners.h"

/* {totalUsers, checkedUsers, issues: [{npub, issues: {…}, details: {balanceBreakdown}}], summary}: names that others rely on. */
void tf_audit_owners_append(const tf_audit_owners *owners, bson_t *out);

/* A table of the users with issues; nothing where there are none. */
void tf_audit_owners_print(const tf_audit_owners *owners, const tf_terms *terms);

#endif
