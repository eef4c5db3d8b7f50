/* A run as `status`, `history`, `plan` and the question before `down` show it. */
#ifndef TF_CMD_RUN_REPORT_H
#define TF_CMD_RUN_REPORT_H

#include "cmd/terms.h"
#include "report/table.h"
#include "store/run.h"

/* Where a run's counts are not written down yet, or are older than its batches (it goes on, or was killed), adds up the
 * batches. Best effort. */
void tf_runs_complete(const tf_store *store, tf_run *runs, size_t count);

/* Whether a run's counts are known. */
bool tf_run_is_counted(const tf_run *run);

/* A number of the run's `counts` ("applied"), of its amount; 0 where it is not recorded. */
int64_t tf_run_count(const tf_run *run, const char *name);
int64_t tf_run_amount(const tf_run *run);

/* How long it took; 0 while it has not ended. */
int64_t tf_run_duration(const tf_run *run);

/* Appends the fields of a run to `out`. */
void tf_run_report_append(const tf_run *run, bson_t *out);

/* key: an array of runs. */
void tf_runs_report_append(const tf_run *runs, size_t count, bson_t *to, const char *key);

/* Prints runs as a table, in the order given. */
void tf_runs_report_print(const tf_run *runs, size_t count);

/* Adds what there is to say about one run to a sheet. */
void tf_run_report_sheet(const tf_run *run, tf_table *sheet);

#endif
