/*
 * The audit trail: insert-only, one chain. `_id` is the number of the event; each carries the SHA-256 of the one before
 * and of itself (over its BSON without `hash` and `signature`). Concurrent writers collide on the number and the later tries
 * again; each event has a random `id`, so that one whose answer was lost is recognised and not written twice.
 *
 *   {_id, id, type, at, db, run?, user, host, pid, database_user?, options?, data?, result?, previous?, key?, hash, signature?}
 *
 * `at` is the server's time. `key` is the fingerprint of the key that signed (base/key.h), `signature` its Ed25519 signature of
 * `hash`. `result` is {code, exit, message} where something failed or was refused. docs/audit-trail.md explains the rest.
 */
#ifndef TF_STORE_EVENT_H
#define TF_STORE_EVENT_H

#include "store/store.h"

/* X(name, as stored, when it is written). The last two are for the commands that export and purge backups. */
#define TF_EVENT_TABLE(X)                                                                                              \
    X(CONFIRMED, "confirmed", "somebody confirmed a command that writes; data: command, by")                           \
    X(NOT_CONFIRMED, "not_confirmed", "the confirmation was missing or refused; data: command")                        \
    X(REFUSED, "refused", "a command failed before it had a run: lease held, not allowed, wrong state; data: command") \
    X(UP_STARTED, "up_started", "a run began; options, data: what the plan found")                                     \
    X(DOWN_STARTED, "down_started", "a rollback began; data: the run it takes back")                                   \
    X(PROGRESS, "progress", "the run passed a tenth of its documents; data: documents, amount, batches, percent")      \
    X(PAUSED, "paused", "the run rests; data: reason, text")                                                           \
    X(CONTINUED, "continued", "the run goes on after a pause")                                                         \
    X(PAUSE_REQUESTED, "pause_requested", "somebody asked the run's owner to pause")                                   \
    X(CONTINUE_REQUESTED, "continue_requested", "somebody asked the run's owner to go on")                             \
    X(CANCEL_REQUESTED, "cancel_requested", "somebody asked the run's owner to end it")                                \
    X(TAKEN_OVER, "taken_over", "the run was taken from its former owner, who is shut out; data: from, fence")         \
    X(LEASE_LOST, "lease_lost", "a process found that its run had been taken over, and stopped")                       \
    X(RESUMED, "resumed", "an interrupted run goes on; options")                                                       \
    X(CANARY, "canary", "so many documents were repaired for a trial; data: documents, verified")                      \
    X(ROLLBACK, "rollback", "an up failed and is being taken back; result: why")                                       \
    X(ROLLED_BACK, "rolled_back", "an up was taken back, by itself or by a down; data: by, conflicts")                 \
    X(INTERRUPTED, "interrupted", "a run stopped and can be resumed; result: why")                                     \
    X(CANCELLED, "cancelled", "a run ended on request; data: counts")                                                  \
    X(UP_COMPLETED, "up_completed", "the seal of a run: counts, every partition's last batch hash, the backup's count") \
    X(DOWN_COMPLETED, "down_completed", "the seal of a rollback")                                                      \
    X(ARCHIVED, "archived", "the trail up to an event was exported and is removed; data: first, upto, hash, file, sha256") \
    X(EXPORTED, "exported", "a backup was exported; data: folder, data, documents, bytes, encryption, manifest (SHA-256)") \
    X(IMPORTED, "imported", "a backup was brought back from a file; data: documents, inserted, source, sha256")        \
    X(PURGED, "purged", "a backup is removed; data: documents, collection, file, manifest, forced")

typedef enum tf_event_type {
#define TF_EVENT_ENUM(name, text, when) TF_EVENT_##name,
    TF_EVENT_TABLE(TF_EVENT_ENUM)
#undef TF_EVENT_ENUM
        TF_EVENT_TYPES
} tf_event_type;

const char *tf_event_type_name(tf_event_type type);

/* An event's place in the chain. As text "SEQ:HASH", to be kept elsewhere: what is cut off behind it is noticed then. */
typedef struct tf_head {
    int64_t seq; /* 0: none */
    uint8_t hash[32];
} tf_head;

enum { TF_HEAD_TEXT = 96 };
const char *tf_head_text(const tf_head *head, char out[TF_HEAD_TEXT]);

/* USAGE where the text is no number from 1 on, a colon and 64 hexadecimal digits. */
bool tf_head_parse(const char *text, tf_head *out, tf_error *err);

/* What is to be written; documents may be NULL, and text in them that is no UTF-8 is made so. */
typedef struct tf_event {
    tf_event_type type;
    const char *run; /* NULL: none */
    const bson_t *options, *data, *result;
    int64_t patience_ms; /* how long to try again where others append too or the server is away; 0: 60 s */
} tf_event;

/* Appends an event, once, signed where the store has a signer. `head` (may be NULL) is its place. */
bool tf_event_append(const tf_store *store, const tf_event *event, tf_head *head, tf_error *err);

/* Checks one link: `event` as stored, `previous` the hash of the one before (32 bytes; NULL for the first). Fills `hash`
 * with the one it carries (zeros where it carries none), to which the next must link. False when the content or the link
 * is not as written. */
bool tf_event_check(const bson_t *event, const uint8_t *previous, uint8_t hash[32]);

/* The two halves of that: the SHA-256 of the content (false: not BSON), and whether the event names what is before it. */
bool tf_event_hash(const bson_t *event, uint8_t hash[32]);
bool tf_event_links(const bson_t *event, const uint8_t *previous);

/* The newest event's place: 1, 0 when there is none, -1. */
int tf_event_newest(const tf_store *store, tf_head *head, tf_error *err);

/* The events of a run (or all: NULL) in their order. The caller destroys the cursor. */
mongoc_cursor_t *tf_event_find(const tf_store *store, const char *run);

#endif
