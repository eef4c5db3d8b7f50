/* The run that a word of the command line means. */
#ifndef TF_CMD_FIND_RUN_H
#define TF_CMD_FIND_RUN_H

#include "engine/engine.h"

/* A run's id, or a migration (an id or a unique prefix): its newest run. Fills *out (tf_run_done). NOT_FOUND with the
 * nearest id as hint, NOTHING_TO_DO where the migration has no run. */
bool tf_find_run(const tf_engine *engine, const char *name, tf_run *out, tf_error *err);

#endif
