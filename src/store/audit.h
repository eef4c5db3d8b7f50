/*
 * What audits found: the collection `audits`, insert-only, a document each:
 *
 *   {_id: "20261120t173012-004-3fa9c1", at, db, migration, narrowing: "…", checks: ["melted_unspent", …],
 *    findings: [{id, check, group, severity, count, amount, examples: […]}], skipped: [{check, reason}], elapsed_ms,
 *    tool_version, who: {user, host}, alerts: […], failed?: {code, message}}
 *
 * `narrowing` is a text that is the same for audits that looked at the same part of the data, `checks` are those that were run to
 * their end, `alerts` what was open after it; `failed` says why a round could not audit, and is kept for its alerts. Examples hold no secrets. The time is the server's.
 */
#ifndef TF_STORE_AUDIT_H
#define TF_STORE_AUDIT_H

#include "store/store.h"

#define TF_AUDITS "audits"

/* One that is being written: `doc` (initialised by tf_audits_begin) is completed by its maker with findings, skipped and the
 * like, and freed with bson_destroy. */
typedef struct tf_audit_kept {
    char id[TF_RUN_ID_SIZE];
    int64_t at;
    bson_t *doc; /* owned */
} tf_audit_kept;

void tf_audit_kept_done(tf_audit_kept *kept);

/* Begins one: id, at, db, migration, narrowing, checks (NULL-terminated), who. */
void tf_audits_begin(const tf_store *store, const char *id, int64_t at, const char *migration, const char *narrowing,
                     const char *const *checks, tf_audit_kept *out);

/* Writes it; its collection and index are made where they are missing. Without a majority it fails after 10 s. */
bool tf_audits_insert(const tf_store *store, const tf_audit_kept *kept, tf_error *err);

/* The newest before `before` (a time of `at`; 0: of all) of this migration and narrowing that ran all of these checks (NULL: any):
 * 1 and *out, 0 where there is none, -1. DAMAGED where it is not of our form. */
int tf_audits_newest(const tf_store *store, const char *migration, const char *narrowing, const char *const *checks, int64_t before,
                     tf_audit_kept *out, tf_error *err);

/* The alerts that were open after the newest of this migration that told any: 1 and *out (an array, owned) and its time, 0 where
 * there is none, -1. */
int tf_audits_alerts(const tf_store *store, const char *migration, bson_t **out, int64_t *at, tf_error *err);

/* Removes those of this migration that are older than `before` (a time of `at`). What others depend on stays however old: of audits
 * whose narrowing is `whole` the newest for each set of checks, and the newest that has alerts. */
bool tf_audits_forget(const tf_store *store, const char *migration, const char *whole, int64_t before, int64_t *removed, tf_error *err);

/* Those of the repaired database, newest first, `limit` of them (0: all) after `offset`. The caller destroys the cursor. */
mongoc_cursor_t *tf_audits_list(const tf_store *store, int64_t limit, int64_t offset);

/* Reads one from its document, which is copied. DAMAGED, *out untouched, where it is not of our form. */
bool tf_audits_parse(const bson_t *doc, tf_audit_kept *out, tf_error *err);

#endif
