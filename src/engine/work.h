/*
 * Work in numbered items (a run's partitions) that several workers share: a free worker takes the next one. Each worker is
 * a thread with a client of the pool; the first is the calling thread with the main client.
 */
#ifndef TF_ENGINE_WORK_H
#define TF_ENGINE_WORK_H

#include "db/client.h"

#include <stdatomic.h>

typedef struct tf_work {
    tf_client *client;
    int workers; /* at most so many, and never more than items */
    size_t items;
    void *arg; /* the caller's */
    /* Makes ready what one worker needs: `client` is its own, `*state` goes to the others. Called in the worker's thread. */
    bool (*begin)(struct tf_work *work, mongoc_client_t *client, void **state, tf_error *err);
    bool (*item)(void *state, size_t item, tf_error *err);
    /* Releases it; `error` says how this worker ended. Called wherever `begin` succeeded. */
    void (*end)(void *state, const tf_error *error);
    atomic_bool halted;  /* a worker failed: nobody takes another item, and long items stop where they can */
    atomic_size_t taken; /* items */
} tf_work;

/* Workers where nobody says how many: this machine's processors that we may use, at most 4. */
int tf_work_default(void);

/* Returns when every worker has ended. Of several failures the gravest is *err: a lost lease, then what takes a run back,
 * then anything else, then a mere stop. */
bool tf_work_run(tf_work *work, tf_error *err);

#endif
