/* Which server and which databases the command line means. */
#ifndef TF_CMD_CONNECTION_H
#define TF_CMD_CONNECTION_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

#include "base/command.h"

typedef struct tf_connection {
    mongoc_uri_t *uri;
    char *db;
    char *state_db;
    int64_t timeout_ms;
    unsigned allowed; /* TF_TRANSPORT_*: what may be unprotected */
} tf_connection;

/* Puts together the connection string (--uri, --uri-file, or --host and --port; the environment below the flags), the
 * credentials (asked for on a terminal where a user has no password) and the names of the databases. Warns on standard
 * error about passwords in the command line. Connects to nothing. TF_ERR_USAGE: what is given is contradictory,
 * malformed or not enough, or would not be protected on its way (db/transport.h). The driver keeps the password as long as
 * it connects; every copy of ours is wiped when it has been used. *out (free with tf_connection_done) is untouched on failure. */
bool tf_connection_resolve(const tf_globals *globals, tf_connection *out, tf_error *err);

/* The same for who only wants the names of the databases and connects to nothing: no password is asked for. */
bool tf_connection_names(const tf_globals *globals, tf_connection *out, tf_error *err);
void tf_connection_done(tf_connection *connection);

/* Whether `name` can be the name of a database of the user's: TF_ERR_USAGE says what is wrong. `option` is the option
 * the hint speaks of ("--db"). */
bool tf_database_name_check(const char *name, const char *option, tf_error *err);

/* Lets the server work on one operation for so long (0: the driver's 5 minutes), unless the connection string says how long. A dead
 * host is found by the driver's keep-alive. */
void tf_connection_be_patient(tf_connection *connection, int64_t patience_ms);

#endif
