/* What changed since the audit before, for people and for programs. */
#ifndef TF_CMD_AUDIT_TREND_H
#define TF_CMD_AUDIT_TREND_H

#include "check/trend.h"
#include "cmd/terms.h"
#include "store/audit.h"

/* {since: {audit, timestamp} or null, new: […], gone: […], grown: […], shrunk: […], unchanged} under "diff"; each of a list
 * {id, type, severity, before, count, amountBefore, amount}. `before` NULL: there is no earlier audit. */
void tf_audit_trend_append(const tf_trend *trend, const tf_audit_kept *before, bson_t *out);

void tf_audit_trend_print(const tf_trend *trend, const tf_audit_kept *before, const tf_terms *terms);

#endif
