/* From what an operator types to a run. */
#ifndef TF_ENGINE_RESOLVE_H
#define TF_ENGINE_RESOLVE_H

#include "engine/engine.h"

/* The run `text` names: an id, or a migration (its newest run). NOT_FOUND offers the nearest id. */
bool tf_resolve_run(const tf_engine *engine, const char *text, tf_run *out, tf_error *err);

/* The newest run of the engine's migration (any where it is NULL) that matches `query` (may be NULL); `accept` looks at
 * the derived state. 1 found, 0 none, -1. */
int tf_resolve_newest(const tf_engine *engine, const bson_t *query, bool (*accept)(const tf_run *), tf_run *out, tf_error *err);

/* The run, of whatever migration, that is active and whose owner lives: 1, 0, -1. */
int tf_resolve_live(const tf_engine *engine, tf_run *out, tf_error *err);

/* Whether a migration counts as applied: its newest up is completed. */
bool tf_resolve_applied(const tf_engine *engine, const char *migration, bool *applied, tf_error *err);

#endif
