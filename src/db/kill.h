/* Ends operations of ours on every server that is known, from outside: for a thread that waits for one and cannot be woken. */
#ifndef TF_DB_KILL_H
#define TF_DB_KILL_H

#include <mongoc/mongoc.h>

/* Those with this comment, asked for and ended with a client of its own like `client` (whose other users are not disturbed), in
 * about 2 s at most. Everybody may end operations of his own. Returns how many were told to end. */
int tf_kill_operations(mongoc_client_t *client, const char *comment);

#endif
