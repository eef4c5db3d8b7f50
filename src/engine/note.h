/* What the engine writes into the audit trail: the events that a step depends on, and those that must not stand in its way. */
#ifndef TF_ENGINE_NOTE_H
#define TF_ENGINE_NOTE_H

#include "engine/context.h"
#include "store/event.h"

/* Appends the options of a run that have an effect, the defaults among them; no connection, no secret. */
void tf_note_options(const tf_settings *settings, bson_t *out);

/* Appends an event of the context's run; where `begins` with the options. The step fails where it cannot be written. The
 * context keeps its place, which the run's next change of state stores. `data`, `result` may be NULL. */
bool tf_note(tf_context *context, tf_event_type type, bool begins, const bson_t *data, const bson_t *result, tf_error *err);

/* {trail: {seq, hash}} of the context's newest event, appended to what a change of state sets. */
void tf_note_place(const tf_context *context, bson_t *set);

/* The same of any run (NULL: none) for up to patience_ms, whatever becomes of it. `why` (may be NULL) becomes the result. */
void tf_note_try(const tf_store *store, tf_event_type type, const char *run, const bson_t *data, const tf_error *why,
                 int64_t patience_ms);

/* How long an event is tried again, at most, that must not stand in the way: of a step, of an answer that is a refusal. */
enum { TF_NOTE_PATIENCE_MS = 3000, TF_ATTEMPT_PATIENCE_MS = 10000 };

#endif
