#include "base/wake.h"

#include <time.h>

void tf_wake_init(tf_wake *wake)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&wake->mutex, NULL);
    pthread_cond_init(&wake->told, &attributes);
    pthread_condattr_destroy(&attributes);
    wake->ended = false;
}

void tf_wake_done(tf_wake *wake)
{
    pthread_cond_destroy(&wake->told);
    pthread_mutex_destroy(&wake->mutex);
}

static struct timespec from_now(int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

void tf_wake_wait(tf_wake *wake, int64_t ms)
{
    struct timespec until = from_now(ms);
    pthread_cond_timedwait(&wake->told, &wake->mutex, &until);
}

void tf_wake_tell(tf_wake *wake)
{
    pthread_cond_broadcast(&wake->told);
}

bool tf_wake_rest(tf_wake *wake, int64_t ms)
{
    struct timespec until = from_now(ms);
    pthread_mutex_lock(&wake->mutex);
    while (!wake->ended && pthread_cond_timedwait(&wake->told, &wake->mutex, &until) == 0)
        continue;
    bool go_on = !wake->ended;
    pthread_mutex_unlock(&wake->mutex);
    return go_on;
}

void tf_wake_end(tf_wake *wake)
{
    pthread_mutex_lock(&wake->mutex);
    wake->ended = true;
    tf_wake_tell(wake);
    pthread_mutex_unlock(&wake->mutex);
}
