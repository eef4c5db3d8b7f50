/*
 * The state database: where the tool keeps its own collections. Beside the repaired database by default
 * (`<db>_tokenfix`); where both are the same, every name gets the prefix `tokenfix_`.
 */
#ifndef TF_STORE_STORE_H
#define TF_STORE_STORE_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

#include "db/operation.h"

#define TF_RUN_ID_SIZE 64

typedef struct tf_store {
    mongoc_client_t *client;
    char db[64];         /* the state database */
    char repaired[64];   /* the repaired database */
    char prefix[16];
    const char *comment; /* of every operation: "tokenfix/<run>/<batch>"; NULL: "tokenfix" */
    int64_t max_time_ms; /* of every operation; 0: none */
    uint64_t after;      /* no read is older than this moment; 0: as it is */
    const struct tf_key *signer; /* signs the events; NULL: nobody. Borrowed */
} tf_store;

/* Names of collections, to be handed to tf_store_name. */
#define TF_RUNS "runs"
#define TF_PARTITIONS "partitions"
#define TF_BATCHES "batches"
#define TF_LEDGER "ledger"
#define TF_EVENTS "events"

/* Fills *store: `client` is borrowed, the names (at most 63 bytes) are copied. A plain value, nothing to free. */
void tf_store_init(tf_store *store, mongoc_client_t *client, const char *repaired, const char *state_db);

typedef struct tf_name {
    char text[160];
} tf_name;

/* The full name of a collection of the tool; of a run's backup. */
tf_name tf_store_name(const tf_store *store, const char *collection);
tf_name tf_store_backup_name(const tf_store *store, const char *run);

/* An operation on the state database. */
tf_op tf_store_op(const tf_store *store, mongoc_client_session_t *session, const char *what);

/* Creates the collections and indexes that are missing; what is there is left as it is. */
bool tf_store_prepare(const tf_store *store, tf_error *err);

/* Creates the (empty) backup collection of a run; one that exists is left as it is. */
bool tf_store_create_backup(const tf_store *store, const char *run, const bson_t *collation, tf_error *err);

/* One update statement {q, u} on a collection of the tool; *matched says how many it met. */
bool tf_store_update(const tf_store *store, mongoc_client_session_t *session, const char *collection, const bson_t *query,
                     const bson_t *update, int64_t *matched, const char *what, tf_error *err);

/* The same outside a transaction, repeated while the failure is transient (a failover), within tf_txn_budget_ms. The first
 * one may have been carried out: the repetitions ask for `again` (NULL: the update changes nothing that the query asks for). */
bool tf_store_update_patiently(const tf_store *store, const char *collection, const bson_t *query, const bson_t *again,
                               const bson_t *update, int64_t *matched, const char *what, tf_error *err);

/* A whole command, as patiently, that does no more when it is carried out twice. */
bool tf_store_write_patiently(const tf_op *op, const bson_t *command, tf_error *err);

/* Ends what a former owner's session may have left open: a killed tool leaves its transaction behind, and who writes to
 * one of its documents waits for up to 90 s. As our own session, and where its user is known (`uid`, 32 bytes, else NULL)
 * as that one's, which needs killAnySession. Says nothing of success: the write that follows is the proof. */
void tf_store_kill_session(const tf_store *store, const bson_t *lsid, const uint8_t *uid);

#endif
