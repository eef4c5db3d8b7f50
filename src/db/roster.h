/* The servers that the driver means to talk to: those of the connection string, of a DNS record, and those they named. */
#ifndef TF_DB_ROSTER_H
#define TF_DB_ROSTER_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>

enum { TF_ROSTER_SET_MAX = 128 };
enum { TF_ROSTER_MAX = 64 }; /* a replica set has 50 members at most */

typedef struct tf_roster tf_roster;

/* Listens to a pool that has no client yet; NULL on failure. To be freed after the pool. */
tf_roster *tf_roster_new(mongoc_client_pool_t *pool);
void tf_roster_free(tf_roster *roster);

/* Copies those known by now, at most `size`; returns how many. */
size_t tf_roster_read(tf_roster *roster, mongoc_host_list_t *out, size_t size);

/* The first that answered and is not of the replica set `set`; `own` is the one it is of, empty where it is of none. False: no such. */
bool tf_roster_find_stranger(tf_roster *roster, const char *set, mongoc_host_list_t *host, char own[static TF_ROSTER_SET_MAX]);

#endif
