/*
 * The connection: a pool, the names of the repaired and of the state database, and what is known about the server.
 * Every thread takes a client of its own. A pool, because a single client gives up at the first failed selection.
 */
#ifndef TF_DB_CLIENT_H
#define TF_DB_CLIENT_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

#include "db/facts.h"
#include "db/roster.h"

typedef struct tf_client {
    mongoc_client_pool_t *pool;
    mongoc_client_t *client; /* of the main thread */
    tf_roster *roster;
    char *db;
    char *state_db;
    tf_facts facts;
} tf_client;

/* Connects within timeout_ms, reads the facts and fills *out (close with tf_client_close). Fails with CONNECT, AUTH or
 * UNSUPPORTED (a server below 5.0), or USAGE where a member is not to be talked to in plaintext (`allowed`:
 * db/transport.h). Copies its arguments. */
bool tf_client_open(const mongoc_uri_t *uri, const char *db, const char *state_db, int64_t timeout_ms, unsigned allowed,
                    tf_client *out, tf_error *err);
void tf_client_close(tf_client *client);

/* The same in a process that is about to end: does not wait for the driver's monitoring threads, which takes up to 500 ms. With TLS
 * it does: one end in eighty crashed there, in such a thread, during the clean-up at exit. */
void tf_client_leave(tf_client *client);

/* The first word to the driver (mongoc_init), before anything else asks for OpenSSL: its own clean-up at exit would pull the rug
 * from under threads that were left. Opening a client does it too. */
void tf_client_begin(void);

/* The last word to the driver (mongoc_cleanup), where no threads were left that still use what it would free. */
void tf_client_end(void);

/* Destroys a connection string (may be NULL), its password wiped first. */
void tf_client_forget(mongoc_uri_t *uri);

/* A client apart from the pool, with the same URI, whose operations fail after `patience_ms` without an answer: for looking at
 * what may hang. The caller destroys it; NULL where there can be none. */
mongoc_client_t *tf_client_impatient(mongoc_client_t *client, const char *name, int32_t patience_ms);

/* The newest write that the majority of the replica set has: what is read after it is no older. 0 where there is no such thing, or
 * it cannot be asked. */
uint64_t tf_client_moment(mongoc_client_t *client);

/* The server's time now, milliseconds since the epoch. */
bool tf_client_now(mongoc_client_t *client, int64_t *ms, tf_error *err);

#endif
