/* What an `up` or a `down` did, as data and as text. */
#ifndef TF_CMD_OUTCOME_REPORT_H
#define TF_CMD_OUTCOME_REPORT_H

#include "cmd/terms.h"
#include "engine/engine.h"

/* Appends the fields of `up`'s or of `down`'s data to `out`. */
void tf_up_report_append(const tf_outcome *outcome, const tf_terms *terms, bson_t *out);
void tf_down_report_append(const tf_outcome *outcome, const tf_terms *terms, bson_t *out);

/* Print it on standard output, and the closing proof where there is one. */
void tf_up_report_print(const tf_outcome *outcome, const tf_terms *terms);
void tf_down_report_print(const tf_outcome *outcome, const tf_terms *terms);

/* Prints where the time went: --timings. */
void tf_timings_report_print(const tf_timings *timings);

#endif
