/*
 * The other members: how far behind they are and what their clocks say. Read once, for a person to judge; nothing of
 * the protocol depends on it.
 */
#ifndef TF_DB_MEMBERS_H
#define TF_DB_MEMBERS_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

typedef struct tf_members {
    bool majority_known;     /* `hello` tells it to everybody; not on a standalone server or a mongos */
    int64_t majority_lag_ms; /* how long a write of now took, at most, to reach the majority; measured up to 2.5 s */
    bool majority_reached;   /* it did reach it in that time */
    bool visible;            /* replSetGetStatus is allowed: the fields of this block are filled */
    int secondaries;
    int unhealthy;            /* members that cannot be reached or are no primary, secondary or arbiter */
    char unhealthy_name[256]; /* one of them */
    int64_t max_lag_ms;       /* of the secondary furthest behind */
    char slowest[256];
    int clocks;              /* members whose clocks could be read */
    int64_t clock_offset_ms; /* the server's clock minus this machine's */
    int64_t clock_spread_ms; /* between the members furthest apart */
    int64_t clock_doubt_ms;  /* half of the slowest answer: what the two figures may be off by */
} tf_members;

/* What may not be seen is left out, not an error. Takes up to 4 s where members are behind. */
bool tf_members_read(mongoc_client_t *client, tf_members *out, tf_error *err);

#endif
