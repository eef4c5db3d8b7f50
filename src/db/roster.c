#include "db/roster.h"

#include <pthread.h>
#include <stdlib.h>

struct tf_roster {
    pthread_mutex_t lock; /* the driver calls from its monitoring threads */
    size_t count;
    mongoc_host_list_t hosts[TF_ROSTER_MAX];
};

static void note(const mongoc_apm_server_opening_t *event)
{
    tf_roster *roster = mongoc_apm_server_opening_get_context(event);
    pthread_mutex_lock(&roster->lock);
    if (roster->count < TF_ROSTER_MAX) {
        mongoc_host_list_t *host = &roster->hosts[roster->count++];
        *host = *mongoc_apm_server_opening_get_host(event);
        host->next = NULL;
    }
    pthread_mutex_unlock(&roster->lock);
}

tf_roster *tf_roster_new(mongoc_client_pool_t *pool)
{
    tf_roster *roster = bson_malloc0(sizeof *roster);
    mongoc_apm_callbacks_t *callbacks = roster ? mongoc_apm_callbacks_new() : NULL;
    if (!callbacks) {
        free(roster);
        return NULL;
    }
    pthread_mutex_init(&roster->lock, NULL);
    mongoc_apm_set_server_opening_cb(callbacks, note);
    bool good = mongoc_client_pool_set_apm_callbacks(pool, callbacks, roster);
    mongoc_apm_callbacks_destroy(callbacks);
    if (good)
        return roster;
    tf_roster_free(roster);
    return NULL;
}

void tf_roster_free(tf_roster *roster)
{
    if (!roster)
        return;
    pthread_mutex_destroy(&roster->lock);
    free(roster);
}

size_t tf_roster_read(tf_roster *roster, mongoc_host_list_t *out, size_t size)
{
    pthread_mutex_lock(&roster->lock);
    size_t count = roster->count < size ? roster->count : size;
    for (size_t i = 0; i < count; i++)
        out[i] = roster->hosts[i];
    pthread_mutex_unlock(&roster->lock);
    return count;
}
