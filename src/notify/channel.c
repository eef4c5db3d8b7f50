#include "notify/channel.h"

#include <pthread.h>
#include <signal.h>
#include <tokenfix/bson.h>

#include "base/clock.h"
#include "base/wake.h"

enum { SLICE_MS = 50, LAST_MS = 500 };

typedef struct result {
    tf_delivered delivered;
    struct result *next;
} result;

/* Shared by the thread and its owner; the last of them frees it. */
struct tf_channel {
    char name[32];
    unsigned bit;
    tf_deliver deliver;
    void *arg;
    void (*release)(void *);
    tf_wake wake; /* guards all below */
    tf_message **waiting;
    size_t room, count;
    bool busy, over;    /* over: the thread has ended */
    bool given_up;      /* it was busy when it was told to give up */
    bool left;          /* the owner has gone: the thread frees all */
    result *results, **last;
    atomic_bool cancelled;
    pthread_t thread;
};

static void dispose(tf_channel *channel)
{
    for (size_t i = 0; i < channel->count; i++)
        tf_message_free(channel->waiting[i]);
    for (result *at = channel->results, *next; at; at = next) {
        next = at->next;
        bson_free(at);
    }
    if (channel->release)
        channel->release(channel->arg);
    tf_wake_done(&channel->wake);
    bson_free(channel->waiting);
    bson_free(channel);
}

static tf_message *take(tf_channel *channel)
{
    pthread_mutex_lock(&channel->wake.mutex);
    while (channel->count == 0 && !channel->wake.ended)
        pthread_cond_wait(&channel->wake.told, &channel->wake.mutex);
    tf_message *message = NULL;
    if (!channel->wake.ended) {
        message = channel->waiting[0];
        memmove(channel->waiting, channel->waiting + 1, --channel->count * sizeof *channel->waiting);
        channel->busy = true;
    }
    pthread_mutex_unlock(&channel->wake.mutex);
    return message;
}

static void note(tf_channel *channel, const tf_message *message, bool ok, const tf_error *err)
{
    result *made = bson_malloc0(sizeof *made);
    made->delivered = (tf_delivered){.serial = message->serial, .ok = ok, .err = *err};
    snprintf(made->delivered.id, sizeof made->delivered.id, "%s", message->id);
    pthread_mutex_lock(&channel->wake.mutex);
    *channel->last = made;
    channel->last = &made->next;
    channel->busy = false;
    tf_wake_tell(&channel->wake);
    pthread_mutex_unlock(&channel->wake.mutex);
}

static void *work(void *arg)
{
    tf_channel *channel = arg;
    tf_message *message;
    while ((message = take(channel))) {
        tf_error err = {0};
        bool ok = channel->deliver(channel->arg, message, &channel->cancelled, &err);
        note(channel, message, ok, &err);
        tf_message_free(message);
    }
    pthread_mutex_lock(&channel->wake.mutex);
    channel->over = true;
    bool left = channel->left;
    tf_wake_tell(&channel->wake);
    pthread_mutex_unlock(&channel->wake.mutex);
    if (left)
        dispose(channel);
    return NULL;
}

tf_channel *tf_channel_start(const char *name, unsigned bit, size_t room, tf_deliver deliver, void *arg,
                             void (*release)(void *), tf_error *err)
{
    tf_channel *channel = bson_malloc0(sizeof *channel);
    sigset_t all, before;
    snprintf(channel->name, sizeof channel->name, "%s", name);
    channel->bit = bit;
    channel->deliver = deliver;
    channel->arg = arg;
    channel->release = release;
    channel->room = room;
    channel->waiting = bson_malloc0(room * sizeof *channel->waiting);
    channel->last = &channel->results;
    tf_wake_init(&channel->wake);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the main thread */
    int failed = pthread_create(&channel->thread, NULL, work, channel);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return channel;
    tf_error_errno(err, failed, "cannot start a thread");
    dispose(channel);
    return NULL;
}

const char *tf_channel_name(const tf_channel *channel)
{
    return channel->name;
}

unsigned tf_channel_bit(const tf_channel *channel)
{
    return channel->bit;
}

bool tf_channel_put(tf_channel *channel, tf_message *message)
{
    pthread_mutex_lock(&channel->wake.mutex);
    bool fits = channel->count < channel->room;
    if (fits)
        channel->waiting[channel->count++] = message;
    tf_wake_tell(&channel->wake);
    pthread_mutex_unlock(&channel->wake.mutex);
    if (!fits)
        tf_message_free(message);
    return fits;
}

bool tf_channel_collect(tf_channel *channel, tf_delivered *out)
{
    pthread_mutex_lock(&channel->wake.mutex);
    result *first = channel->results;
    if (first) {
        channel->results = first->next;
        if (!channel->results)
            channel->last = &channel->results;
    }
    pthread_mutex_unlock(&channel->wake.mutex);
    if (first)
        *out = first->delivered;
    bson_free(first);
    return first != NULL;
}

bool tf_channel_flush(tf_channel *channel, int64_t ms, bool (*stop)(void))
{
    int64_t until = tf_clock_ms() + ms;
    pthread_mutex_lock(&channel->wake.mutex);
    for (int64_t left = ms; (channel->count || channel->busy) && left > 0 && !(stop && stop()); left = until - tf_clock_ms())
        tf_wake_wait(&channel->wake, left < SLICE_MS ? left : SLICE_MS);
    bool empty = !channel->count && !channel->busy;
    pthread_mutex_unlock(&channel->wake.mutex);
    return empty;
}

static bool wait_for_end(tf_channel *channel, int64_t ms)
{
    int64_t until = tf_clock_ms() + ms;
    for (int64_t left = ms; !channel->over && left > 0; left = until - tf_clock_ms())
        tf_wake_wait(&channel->wake, left);
    return channel->over;
}

void tf_channel_cancel(tf_channel *channel)
{
    pthread_mutex_lock(&channel->wake.mutex);
    channel->wake.ended = true;
    channel->given_up = channel->busy;
    atomic_store(&channel->cancelled, true);
    tf_wake_tell(&channel->wake);
    pthread_mutex_unlock(&channel->wake.mutex);
}

size_t tf_channel_stop(tf_channel *channel, int64_t grace_ms)
{
    if (!channel)
        return 0;
    pthread_mutex_lock(&channel->wake.mutex);
    channel->wake.ended = true;
    tf_wake_tell(&channel->wake);
    size_t undone = channel->count + channel->given_up;
    bool ended = wait_for_end(channel, grace_ms);
    if (!ended) {
        undone += channel->busy && !channel->given_up;
        atomic_store(&channel->cancelled, true);
        ended = wait_for_end(channel, LAST_MS);
    }
    channel->left = !ended;
    pthread_t thread = channel->thread;
    pthread_mutex_unlock(&channel->wake.mutex);
    if (!ended) {
        pthread_detach(thread);
        return undone;
    }
    pthread_join(thread, NULL);
    dispose(channel);
    return undone;
}
