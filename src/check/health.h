/*
 * Whether the system is in working order: the connection, the round trip, the members, the majority's lag, the indexes. For
 * rounds that look again and again: it writes nothing, and what may not be seen is not judged.
 */
#ifndef TF_CHECK_HEALTH_H
#define TF_CHECK_HEALTH_H

#include <tokenfix/migration.h>

#include "db/client.h"

typedef enum {
    TF_HEALTH_CONNECTION,
    TF_HEALTH_ROUND_TRIP,
    TF_HEALTH_MEMBERS,
    TF_HEALTH_LAG,
    TF_HEALTH_INDEXES,
    TF_HEALTH_PARTS
} tf_health_part;

const char *tf_health_name(tf_health_part part); /* "connection", "round_trip", "members", "majority_lag", "indexes" */

typedef struct tf_health {
    struct {
        bool looked; /* it could be judged */
        bool degraded;
        char text[400]; /* what is wrong; of one that could not be judged, why */
    } parts[TF_HEALTH_PARTS];
    int64_t round_trip_ms;
} tf_health;

typedef struct tf_health_limits {
    int64_t lag_ms, round_trip_ms; /* above them it is degraded */
} tf_health_limits;

/* Looks at all, with a client of the calling thread. A connection that is lost is a part of the answer; the others are not
 * judged then. */
void tf_health_read(mongoc_client_t *client, const char *db, const tf_index *indexes, const tf_health_limits *limits, tf_health *out);

/* What is known where the server could not be asked at all. */
void tf_health_lost(const tf_error *why, tf_health *out);

/* Whether any part is degraded. */
bool tf_health_is_degraded(const tf_health *health);

/* ---- exposed for tests ---- */

/* Whether an index on `have` serves what one on `wanted` would: it begins with the same fields in the same order. */
bool tf_health_index_serves(const bson_t *have, const bson_t *wanted);

#endif
