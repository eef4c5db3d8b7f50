/* One round of a scheduled audit: what was looked at, and what holds because of it. */
#ifndef TF_CMD_ROUND_H
#define TF_CMD_ROUND_H

#include "check/health.h"
#include "cmd/alerting.h"
#include "cmd/terms.h"
#include "engine/audit.h"

enum { TF_ROUND_RUNS = 8 };

typedef struct tf_round_run {
    char id[TF_RUN_ID_SIZE];
    char state[32];
    bool down;
    int64_t ms; /* how long it has been under way, or took */
} tf_round_run;

typedef struct tf_round {
    int64_t at;     /* the server's time; this machine's where that is not known */
    int64_t elapsed_ms;
    bool audited;
    tf_audit audit; /* where it was */
    tf_error err;   /* where not */
    tf_health health;
    bool runs_seen;
    tf_round_run active[TF_ROUND_RUNS], completed[TF_ROUND_RUNS]; /* under way; completed since the round before */
    size_t active_count, completed_count;
} tf_round;

/* Looks, in the calling thread, with the engine's client. `since`: runs that ended after it are told of. Never fails: what could not
 * be looked at is said in *out. Free with tf_round_done. */
void tf_round_make(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_health_limits *limits, int64_t since,
                   tf_round *out);
void tf_round_done(tf_round *round);

/* A round that could not begin, for there is no connection. */
void tf_round_lost(const tf_error *why, tf_round *out);

/* ---- what holds ---- */

enum { TF_CONDITIONS = 96 };

typedef struct tf_conditions {
    tf_condition items[TF_CONDITIONS];
    size_t count;
    const char *looked[TF_CONDITIONS + 1]; /* NULL-terminated */
    size_t looked_count;
    char ids[TF_CONDITIONS][96], texts[TF_CONDITIONS][400], seen[TF_CONDITIONS][96];
    bson_t *data[TF_CONDITIONS];
} tf_conditions;

/* Zero-initialise; free with tf_conditions_done. */
void tf_conditions_done(tf_conditions *conditions);

/* Of an audit's findings, weighed by the thresholds of `alerting`. */
void tf_conditions_add_audit(tf_conditions *to, const tf_audit *audit, const tf_terms *terms, const tf_alerting *alerting);

/* Of an execution: "slow/<what>" where it took, or has been taking, longer than slow_ms (medium) or stuck_ms (high); 0: never. */
void tf_conditions_add_time(tf_conditions *to, const char *id, const char *what, int64_t ms, int64_t slow_ms, int64_t stuck_ms);

/* Of the system, the runs, and that all is well, where no finding is as grave as `fail_on`. */
void tf_conditions_add_system(tf_conditions *to, const tf_round *round, const tf_alert_args *args, tf_severity fail_on);

#endif
