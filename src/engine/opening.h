/* What every run begins or goes on with: its document, and a context that is ready to work. */
#ifndef TF_ENGINE_OPENING_H
#define TF_ENGINE_OPENING_H

#include "engine/context.h"

/* UNSUPPORTED when the strategy needs transactions and the server has none; NOT_WRITABLE on a secondary. */
bool tf_opening_strategy_fits(const tf_engine *engine, const char *strategy, tf_error *err);
bool tf_opening_writable(const tf_engine *engine, tf_error *err);

/* Appends the document of a new run, all but state and lease, to the initialised *doc, and fills its `id`. `strategy` counts
 * where the command line names none. Writes nothing. */
bool tf_opening_new_run(const tf_engine *engine, int64_t number, const char *migration, const char *direction, const char *strategy,
                        const tf_owner *owner, bson_t *doc, char id[TF_RUN_ID_SIZE], tf_error *err);

/* Reads the run into the context; DAMAGED when it is not there. */
bool tf_opening_load(tf_context *context, const char *id, tf_error *err);

/* Everything but the run itself, which is loaded: session, database, the stored repair, options, the heartbeat. */
bool tf_opening_context(tf_context *context, tf_error *err);

/* Before a transaction on the run's own document: notes its session there, so that whoever takes over can end it. */
bool tf_opening_note_session(const tf_engine *engine, const tf_run *run, mongoc_client_session_t *session, tf_error *err);

#endif
