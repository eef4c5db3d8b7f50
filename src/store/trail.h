/*
 * The trail of a state database, walked from its beginning to its head in constant memory. Its beginning is event 1, or what
 * stands behind the newest archive: an event `archived` {first, upto, hash, file, sha256} says that everything up to `upto` was
 * exported, and may have been removed since.
 */
#ifndef TF_STORE_TRAIL_H
#define TF_STORE_TRAIL_H

#include "store/chain.h"

typedef struct tf_anchor {
    tf_head upto;     /* the newest event that was archived; seq 0: none was */
    int64_t event;    /* number of the event that says so */
    int64_t at;       /* its time */
    char file[256];   /* where to, without the folder */
    char sha256[65];  /* of the file */
} tf_anchor;

/* The archive that reaches furthest: 1, 0 when there is none, -1. DAMAGED where the event that says so was altered. */
int tf_anchor_read(const tf_store *store, tf_anchor *anchor, tf_error *err);

typedef struct tf_trail {
    tf_chain chain;    /* what was found */
    tf_anchor anchor;
    int64_t left_over; /* archived events that are not removed yet */
    int64_t witnesses; /* runs whose newest event was compared */
} tf_trail;

/* Called with each event of the chain. False ends the walk. */
typedef bool (*tf_trail_see)(void *arg, const bson_t *event, tf_error *err);

typedef struct tf_trail_wanted {
    const tf_key *const *keys; /* as tf_chain_init takes them */
    size_t keys_count;
    const tf_head *head;       /* somebody wrote it down; NULL: nobody */
    int64_t upto;              /* no further than this event; 0: to the head */
    bool witnesses;            /* compare with what the runs have recorded */
    tf_trail_see see;          /* may be NULL */
    void *arg;
} tf_trail_wanted;

/* Walks to the first break (out->chain.broken) or to the end. False only where the trail cannot be read, or `see` failed. */
bool tf_trail_walk(const tf_store *store, const tf_trail_wanted *wanted, tf_trail *out, tf_error *err);

#endif
