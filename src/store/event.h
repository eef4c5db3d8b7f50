/*
 * The audit trail: insert-only, one chain. `_id` is the number of the event; each carries the SHA-256 of the one before
 * and of itself (over its BSON without `hash`). Concurrent writers collide on the number and the later tries again.
 */
#ifndef TF_STORE_EVENT_H
#define TF_STORE_EVENT_H

#include "store/store.h"

/* Appends an event, trying again for up to 60 s where others append too. `run` and `data` may be NULL. */
bool tf_event_append(const tf_store *store, const char *run, const char *type, const bson_t *data, tf_error *err);

/* Checks one link: `event` as stored, `previous` the hash of the one before (32 bytes; NULL for the first). Fills `hash`
 * with the one it carries (zeros where it carries none), to which the next must link. False when the content or the link
 * is not as written. */
bool tf_event_check(const bson_t *event, const uint8_t *previous, uint8_t hash[32]);

/* The events of a run (or all: NULL) in their order. The caller destroys the cursor. */
mongoc_cursor_t *tf_event_find(const tf_store *store, const char *run);

#endif
