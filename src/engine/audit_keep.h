/* Audits are kept, and compared with the one before. */
#ifndef TF_ENGINE_AUDIT_KEEP_H
#define TF_ENGINE_AUDIT_KEEP_H

#include "engine/audit.h"
#include "store/audit.h"

/* The document of an audit, as store/audit.h has it; asks no server. `alerts`: an array, or NULL. Free with
 * tf_audit_kept_done. */
void tf_audit_document(const tf_engine *engine, const tf_audit *audit, const bson_t *alerts, tf_audit_kept *out);

/* That of a round that could not audit at all, for this reason: it carries the alerts that are open. */
void tf_audit_document_failed(const tf_engine *engine, int64_t at, const tf_error *why, tf_audit_kept *out);

/* Keeps it. PERMISSION where the user may only read: the audit is as good as before. */
bool tf_audit_keep(const tf_engine *engine, const tf_audit_kept *kept, tf_error *err);

/* Removes what was kept of the engine's migration and is older than this by the server's clock, but for what --diff and alerts
 * depend on (store/audit.h). PERMISSION where the user may not. */
bool tf_audit_forget(const tf_engine *engine, int64_t older_ms, int64_t *removed, tf_error *err);

/* The newest kept before it that looked at the same part of the data by the same checks at least: 1 and *out, 0 where there is
 * none, -1. */
int tf_audit_before(const tf_engine *engine, const tf_audit *audit, tf_audit_kept *out, tf_error *err);

#endif
