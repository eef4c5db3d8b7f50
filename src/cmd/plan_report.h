/* What `preview` found, as data and as text. `up` shows the same in front of its confirmation. */
#ifndef TF_CMD_PLAN_REPORT_H
#define TF_CMD_PLAN_REPORT_H

#include "engine/engine.h"

/* Appends the fields of `preview`'s data to `out`. */
void tf_plan_report_append(const tf_engine *engine, const tf_plan *plan, bson_t *out);

/* Prints it on standard output. */
void tf_plan_report_print(const tf_engine *engine, const tf_plan *plan);

#endif
