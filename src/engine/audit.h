/* An audit: all checks of a migration, over every document, computed by the server. Looks, writes nothing. */
#ifndef TF_ENGINE_AUDIT_H
#define TF_ENGINE_AUDIT_H

#include "check/finding.h"
#include "check/narrowing.h"
#include "engine/engine.h"

typedef struct tf_audit_wanted {
    const char *const *checks; /* names or groups, NULL-terminated; NULL or empty: all */
    bool by_owner;             /* besides these, the checks that the report by owner is made of */
    const char *user, *mint;   /* of the ledger's first and second owner field; NULL: all */
    const char *since;         /* a run, or a migration's newest: only what was created or changed since it began; NULL: all */
    int64_t max_time_ms;       /* of each operation on the server; 0: none */
} tf_audit_wanted;

typedef enum { TF_AUDIT_PASSED, TF_AUDIT_FINDING, TF_AUDIT_SKIPPED, TF_AUDIT_UNSURE /* while it runs */ } tf_audit_state;

typedef struct tf_audit_row {
    const tf_check *check;
    tf_audit_state state;
    char reason[256]; /* why it was skipped */
} tf_audit_row;

typedef struct tf_audit {
    char id[TF_RUN_ID_SIZE]; /* time-sortable */
    const tf_migration *migration;
    char narrowing[1024];     /* as a text, the same for the same narrowing; "0:;0:;0:;" where there is none */
    char since[TF_RUN_ID_SIZE]; /* the run's id; empty */
    int64_t at, elapsed_ms;   /* the server's time at the beginning */
    bool empty;               /* the collection holds no document at all, or is not there */
    bool nobody;              /* no document belongs to the user and mint that were asked for */
    size_t total, passed, skipped;
    tf_audit_row *rows;       /* a row for each of the total */
    tf_finding *findings;     /* in the order of the rows, without those of severity NONE */
    size_t findings_count;
    tf_severity worst;
} tf_audit;

/* "passed", "finding", "skipped" */
const char *tf_audit_state_name(tf_audit_state state);

/* Whether these (NULL-terminated) are all names of checks, or groups of checks, of the migration: NOT_FOUND with the nearest. */
bool tf_audit_check_words(const tf_migration *migration, const char *const *words, tf_error *err);

/* Runs the engine's migration's checks. *out (free with tf_audit_done) is untouched on failure: NOT_FOUND with the nearest name
 * for a check or run that is not there, USAGE where there is nothing to narrow by. What the user may not see is skipped, unless
 * it is the repaired collection itself. */
bool tf_audit_run(const tf_engine *engine, const tf_audit_wanted *wanted, tf_audit *out, tf_error *err);
void tf_audit_done(tf_audit *audit);

/* What `wanted` narrows the audit to: fills the narrowing (which then points into `wanted`, `repair` and `audit`) and the audit's
 * own words for it. NOT_FOUND, USAGE as above. */
bool tf_audit_narrow(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_repair *repair, tf_audit *audit,
                     tf_narrowing *narrowing, tf_error *err);

#endif
