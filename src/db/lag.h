/*
 * How far the other members are behind, sample by sample. The difference of two times in one reply says little: after a
 * quiet spell one write makes it large for a moment. So a write that was not everywhere when it was seen is waited for,
 * and its age is the lag; a reply's times only bound it from above.
 */
#ifndef TF_DB_LAG_H
#define TF_DB_LAG_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

typedef struct tf_lag_meter {
    uint64_t target; /* the write that is waited for, 0: none */
    int64_t since;   /* when it was seen first */
    int64_t last;    /* how long the one before took */
} tf_lag_meter;

/* One sample: the newest write is `newest`, all up to `reached` have arrived; the lag can be no more than `bound` ms.
 * Returns the lag in ms. `now` is monotonic. */
int64_t tf_lag_measure(tf_lag_meter *meter, int64_t now, uint64_t newest, uint64_t reached, int64_t bound);

/* Zero-initialise. */
typedef struct tf_lag {
    tf_lag_meter majority, member;
    int64_t majority_ms; /* 0 where it is not known: standalone, mongos */
    int64_t member_ms;   /* of the slowest secondary that can be reached and is not delayed on purpose */
    char slowest[256];   /* its name */
    bool denied;         /* replSetGetStatus: asked for once and not allowed */
    bool configured;     /* replSetGetConfig was asked for */
    bson_t *delayed;     /* {name: true}; owned */
} tf_lag;

/* Takes a sample; what may not be seen is left out. False only where the server cannot be reached. */
bool tf_lag_read(mongoc_client_t *client, tf_lag *lag, tf_error *err);
void tf_lag_done(tf_lag *lag);

#endif
