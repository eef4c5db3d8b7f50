#include "engine/heartbeat.h"

#include "base/clock.h"
#include "base/wake.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { INTERVAL_MS = 5000 };

struct tf_heartbeat {
    tf_client *client;
    tf_store store;
    char run[TF_RUN_ID_SIZE];
    char owner[33];
    int64_t fence;
    pthread_t thread;
    tf_wake wake;
    atomic_bool lost;
    _Atomic int64_t until; /* by tf_clock_ms */
};

static void *beat(void *arg)
{
    tf_heartbeat *heartbeat = arg;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); /* signals belong to the main thread */
    heartbeat->store.client = mongoc_client_pool_pop(heartbeat->client->pool);
    /* fencing others may have used up much of the first lease: then the first renewal does not wait */
    bool due = tf_heartbeat_left_ms(heartbeat) < TF_LEASE_MS - INTERVAL_MS;
    while (due || tf_wake_rest(&heartbeat->wake, INTERVAL_MS)) {
        tf_error err = {0};
        due = false;
        int64_t before = tf_clock_ms();
        if (tf_run_renew(&heartbeat->store, heartbeat->run, heartbeat->owner, heartbeat->fence, &err))
            atomic_store(&heartbeat->until, before + TF_LEASE_MS);
        else if (err.code == TF_ERR_LEASE_LOST)
            atomic_store(&heartbeat->lost, true);
    }
    tf_op_release(heartbeat->store.client);
    mongoc_client_pool_push(heartbeat->client->pool, heartbeat->store.client);
    return NULL;
}

tf_heartbeat *tf_heartbeat_start(tf_client *client, const tf_run *run, const char *owner_id, tf_error *err)
{
    tf_heartbeat *heartbeat = bson_malloc0(sizeof *heartbeat);
    heartbeat->client = client;
    tf_store_init(&heartbeat->store, NULL, client->db, client->state_db);
    snprintf(heartbeat->run, sizeof heartbeat->run, "%s", run->id);
    snprintf(heartbeat->owner, sizeof heartbeat->owner, "%s", owner_id);
    heartbeat->fence = run->fence;
    tf_wake_init(&heartbeat->wake);
    atomic_store(&heartbeat->until, tf_clock_ms() + run->lease_left_ms);
    int failed = pthread_create(&heartbeat->thread, NULL, beat, heartbeat);
    if (failed) {
        tf_error_errno(err, failed, "cannot start a thread");
        tf_wake_done(&heartbeat->wake);
        free(heartbeat);
        return NULL;
    }
    return heartbeat;
}

void tf_heartbeat_stop(tf_heartbeat *heartbeat)
{
    if (!heartbeat)
        return;
    tf_wake_end(&heartbeat->wake);
    pthread_join(heartbeat->thread, NULL);
    tf_wake_done(&heartbeat->wake);
    free(heartbeat);
}

void tf_heartbeat_stopp(tf_heartbeat **heartbeat)
{
    tf_heartbeat_stop(*heartbeat);
    *heartbeat = NULL;
}

bool tf_heartbeat_ok(const tf_heartbeat *heartbeat, tf_error *err)
{
    if (!atomic_load(&heartbeat->lost))
        return true;
    tf_error_set(err, TF_ERR_LEASE_LOST, "run %s was taken over by another process", heartbeat->run);
    return tf_error_hint(err, "'tokenfix status' shows who holds it; nothing of this process is written any more.");
}

int64_t tf_heartbeat_left_ms(const tf_heartbeat *heartbeat)
{
    return atomic_load(&heartbeat->until) - tf_clock_ms();
}
