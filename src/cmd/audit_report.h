/* What an audit found, for people and for programs. */
#ifndef TF_CMD_AUDIT_REPORT_H
#define TF_CMD_AUDIT_REPORT_H

#include "cmd/terms.h"
#include "engine/audit_owners.h"

typedef struct tf_audit_view {
    const tf_audit *audit;
    const char *db;
    const char *user, *mint; /* as asked for; NULL: all */
    tf_terms terms;
    int64_t limit, offset; /* of the issues */
    tf_severity fail_on;
    const tf_audit_owners *owners; /* an audit of the balances: its issues are the users'; NULL: the checks' */
} tf_audit_view;

/* Whether the report is by user: where exactly the group "balance" was asked for, and the migration has checks that tell of users. */
bool tf_audit_report_by_owner(const tf_migration *migration, const char *const *words);

/* {isHealthy, totalChecks, passedChecks, issues: [{type, severity, count, details: []}], …}; by user the
 * checks' are `findings`, and `issues` is as cmd/audit_owners_report.h says. */
void tf_audit_report_append(const tf_audit_view *view, bson_t *out);

void tf_audit_report_print(const tf_audit_view *view);

/* A JUnit document, a case for each check, failed where the finding is as grave as fail_on; and lines of comma-separated values,
 * one for each check. On standard output. */
void tf_audit_report_junit(const tf_audit_view *view);
void tf_audit_report_csv(const tf_audit_view *view);

/* The finding of a row; NULL where it has none. */
const tf_finding *tf_audit_report_finding(const tf_audit *audit, const tf_audit_row *row);

/* "1 token", "1,234 secrets": what a check counts. Fills and returns `out`. */
const char *tf_audit_report_count(const tf_terms *terms, const tf_check *check, int64_t n, char out[static TF_TERMS_TEXT]);

#endif
