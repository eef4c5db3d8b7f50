/* What the server says about itself: read once when connecting, again after a failover. */
#ifndef TF_DB_FACTS_H
#define TF_DB_FACTS_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

typedef struct tf_facts {
    char version[32];
    int major, minor;
    char set_name[128]; /* empty on a standalone server */
    char host[256];     /* as the server calls itself, empty where it does not say */
    bool sharded;       /* a mongos */
    bool writable;      /* a primary, a mongos or a standalone */
    bool transactions;  /* multi-document transactions exist here */
    int64_t time_ms;    /* the server's clock when asked, milliseconds since the epoch */
    int64_t offset_ms;  /* server clock minus this machine's */
    int64_t round_trip_ms;
    int members;        /* of the replica set as `hello` lists them */
} tf_facts;

bool tf_facts_read(mongoc_client_t *client, tf_facts *out, tf_error *err);

#endif
