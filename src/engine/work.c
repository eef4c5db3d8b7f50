#include "engine/work.h"

#include "db/operation.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <tokenfix/cleanup.h>

enum { DEFAULT_MOST = 4 };

typedef struct worker {
    tf_work *work;
    mongoc_client_t *client; /* NULL: takes one from the pool */
    pthread_t thread;
    bool started, ok;
    tf_error error;
} worker;

int tf_work_default(void)
{
    cpu_set_t set;
    int processors = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return processors < DEFAULT_MOST ? processors : DEFAULT_MOST;
}

static bool work_on(worker *w, mongoc_client_t *client)
{
    tf_work *work = w->work;
    void *state = NULL;
    if (!work->begin(work, client, &state, &w->error))
        return false;
    bool ok = true;
    while (ok && !atomic_load(&work->halted)) {
        size_t item = atomic_fetch_add(&work->taken, 1);
        if (item >= work->items)
            break;
        ok = work->item(state, item, &w->error);
    }
    work->end(state, &w->error);
    return ok;
}

static void run(worker *w)
{
    mongoc_client_t *client = w->client ? w->client : mongoc_client_pool_pop(w->work->client->pool);
    w->ok = work_on(w, client);
    if (!w->ok)
        atomic_store(&w->work->halted, true);
    if (!w->client) {
        tf_op_release(client);
        mongoc_client_pool_push(w->work->client->pool, client);
    }
}

static void *run_thread(void *arg)
{
    run(arg);
    return NULL;
}

/* Signals belong to the calling thread: those that it starts inherit that they are blocked. */
static bool start(worker *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, run_thread, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = failed == 0;
    return w->started || tf_error_errno(&w->error, failed, "cannot start a thread");
}

static int gravity(const tf_error *error)
{
    switch (error->code) {
    case TF_ERR_LEASE_LOST:
        return 4;
    case TF_ERR_INVARIANT:
    case TF_ERR_REFUSED_WRITE:
    case TF_ERR_PERMISSION:
        return 3;
    case TF_ERR_INTERRUPTED:
        return 1;
    default:
        return 2;
    }
}

bool tf_work_run(tf_work *work, tf_error *err)
{
    size_t count = work->workers > 0 ? (size_t)work->workers : 1;
    if (count > work->items)
        count = work->items ? work->items : 1;
    worker *workers = bson_malloc0(count * sizeof *workers), *gravest = NULL;
    for (size_t i = 0; i < count; i++)
        workers[i] = (worker){.work = work, .ok = true};
    workers[0].client = work->client->client;
    for (size_t i = 1; i < count && !atomic_load(&work->halted); i++)
        if (!start(&workers[i])) {
            workers[i].ok = false;
            atomic_store(&work->halted, true);
        }
    run(&workers[0]);
    for (size_t i = 0; i < count; i++) {
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
        if (!workers[i].ok && (!gravest || gravity(&workers[i].error) > gravity(&gravest->error)))
            gravest = &workers[i];
    }
    if (gravest && err)
        *err = gravest->error;
    bool ok = !gravest;
    free(workers);
    return ok;
}
