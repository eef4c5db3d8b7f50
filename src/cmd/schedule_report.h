/* What a scheduled audit says of each round: one line, or with --json one object on a line. */
#ifndef TF_CMD_SCHEDULE_REPORT_H
#define TF_CMD_SCHEDULE_REPORT_H

#include "cmd/round.h"

typedef struct tf_schedule_line {
    const tf_round *round;
    int64_t number;  /* of the round, from 1 */
    int64_t skipped; /* rounds left out since the one before, because it took too long */
    tf_severity fail_on;
    tf_alerting_count alerts;
    size_t open; /* alerts */
} tf_schedule_line;

/* "healthy", "findings", "degraded", "failed" */
const char *tf_schedule_state(const tf_schedule_line *line);

/* On standard output, which is flushed. */
void tf_schedule_print(const tf_schedule_line *line, bool json);

/* The same in a few words: what systemd shows as the status. */
void tf_schedule_status(const tf_schedule_line *line, char *out, size_t size);

#endif
