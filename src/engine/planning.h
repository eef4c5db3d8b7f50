/* planned → running: the ledger's "before", the backup collection, the partitions. May be interrupted and done again. */
#ifndef TF_ENGINE_PLANNING_H
#define TF_ENGINE_PLANNING_H

#include "engine/context.h"

/* Everything in it can be repeated. LEASE_LOST when another process took the run over meanwhile. */
bool tf_planning_run(tf_context *context, tf_error *err);

#endif
