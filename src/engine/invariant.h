/* The invariants of a repair, evaluated by the server as fields of a projection. */
#ifndef TF_ENGINE_INVARIANT_H
#define TF_ENGINE_INVARIANT_H

#include "backup/lineage.h"

/* Appends one computed field per invariant to a projection. */
void tf_invariant_project(const tf_lineage *lineage, bson_t *projection);

/* Whether they hold in a document that came of such a projection; INVARIANT names the one that does not. */
bool tf_invariant_holds(const tf_repair *repair, const bson_t *image, tf_error *err);

#endif
