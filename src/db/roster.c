#include "db/roster.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct tf_roster {
    pthread_mutex_t lock; /* the driver calls from its monitoring threads */
    size_t count;
    mongoc_host_list_t hosts[TF_ROSTER_MAX];
    bool answered[TF_ROSTER_MAX];
    char set[TF_ROSTER_MAX][TF_ROSTER_SET_MAX]; /* the replica set that it says it is of; empty: of none */
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

/* One that is still starting, or was thrown out of its set, says that it is of some set, but not which. */
static void hear(const mongoc_apm_server_heartbeat_succeeded_t *event)
{
    tf_roster *roster = mongoc_apm_server_heartbeat_succeeded_get_context(event);
    const mongoc_host_list_t *host = mongoc_apm_server_heartbeat_succeeded_get_host(event);
    const bson_t *reply = mongoc_apm_server_heartbeat_succeeded_get_reply(event);
    bson_iter_t iter;
    bool named = bson_iter_init_find(&iter, reply, "setName") && BSON_ITER_HOLDS_UTF8(&iter);
    const char *set = named ? bson_iter_utf8(&iter, NULL) : "";
    if (!named && bson_iter_init_find(&iter, reply, "isreplicaset"))
        return;
    pthread_mutex_lock(&roster->lock);
    for (size_t i = 0; i < roster->count; i++)
        if (strcmp(roster->hosts[i].host_and_port, host->host_and_port) == 0) {
            roster->answered[i] = true;
            snprintf(roster->set[i], sizeof roster->set[i], "%s", set);
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
    mongoc_apm_set_server_heartbeat_succeeded_cb(callbacks, hear);
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

bool tf_roster_find_stranger(tf_roster *roster, const char *set, mongoc_host_list_t *host, char own[static TF_ROSTER_SET_MAX])
{
    bool found = false;
    pthread_mutex_lock(&roster->lock);
    for (size_t i = 0; i < roster->count && !found; i++) {
        found = roster->answered[i] && strcmp(roster->set[i], set) != 0;
        if (found) {
            *host = roster->hosts[i];
            snprintf(own, TF_ROSTER_SET_MAX, "%s", roster->set[i]);
        }
    }
    pthread_mutex_unlock(&roster->lock);
    return found;
}
