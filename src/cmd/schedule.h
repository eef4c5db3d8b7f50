/* `audit --every`: rounds without end, in the foreground; and what a single audit has in common with them. */
#ifndef TF_CMD_SCHEDULE_H
#define TF_CMD_SCHEDULE_H

#include "cmd/alerting.h"
#include "engine/audit.h"

/* The arguments of `audit`. */
typedef struct tf_audit_args {
    tf_strings checks;
    const char *user, *mint, *since, *format, *fail_on, *keep;
    int64_t limit, offset;
    double max_time;
    bool diff, no_keep;
    int64_t every_ms, rounds; /* 0: once; 0: without end */
    const char *jitter;       /* NULL: none; "": a tenth of every_ms */
    tf_alert_args alerts;
} tf_audit_args;

/* Rows for tf_audit_args. */
#define TF_SCHEDULE_OPTIONS                                                                                               \
    TF_OPTION_DURATION(tf_audit_args, every_ms, "every", 100, 30 * INT64_C(86400000),                                  \
                       "Stay, and audit again and again in this rhythm: 60s, 5m, 1h.", .single = true, .metavar = "TIME",              \
                       .env = "TOKENFIX_EVERY"),                                                                       \
        TF_OPTION_STRING(tf_audit_args, jitter, "jitter",                                                              \
                         "With --every: begin each round up to this much later, at random (a tenth of --every).",      \
                         .metavar = "TIME", .optional = true),                                                         \
        TF_OPTION_INT(tf_audit_args, rounds, "rounds", 1, INT64_MAX, "With --every: end after so many rounds.")

/* The names of the checks that are asked for: the words of every --check, which may be several with commas between them. */
typedef struct tf_check_words {
    char *text;
    const char **items; /* NULL-terminated */
} tf_check_words;

void tf_check_words_split(const tf_strings *given, tf_check_words *out);
void tf_check_words_done(tf_check_words *words);

/* Whether --every, --jitter, --rounds and what a single audit alone can do go together: USAGE. */
bool tf_schedule_check(const tf_audit_args *args, tf_error *err);

/* The least severity that is a failure; above all that there are: none is. */
tf_severity tf_schedule_fail_on(const tf_audit_args *args);

/* For how long what was found is kept; 0: without end. */
int64_t tf_schedule_keep_ms(const tf_audit_args *args);

/* How long an answer may take: longer than --max-time, so that the server's word comes first; for ever where that is 0. */
int64_t tf_schedule_patience_ms(const tf_audit_args *args);

/* Runs until it is told to stop; the exit status. */
int tf_schedule_run(const tf_globals *globals, const tf_audit_args *args, const tf_migration *migration);

/* The names of a migration's checks, NULL-terminated; the caller frees the list. */
const char **tf_schedule_checks(const tf_migration *migration);

#endif
