/*
 * A mutex with its condition, timed by the monotonic clock: the wall clock may be set back while somebody waits. For a thread
 * that rests between its turns until it is ended, and for those who wait for something to change.
 */
#ifndef TF_BASE_WAKE_H
#define TF_BASE_WAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tf_wake {
    pthread_mutex_t mutex; /* what is waited for changes under it */
    pthread_cond_t told;
    bool ended;
} tf_wake;

void tf_wake_init(tf_wake *wake);
void tf_wake_done(tf_wake *wake);

/* With the mutex held, which is free meanwhile: returns when told, after `ms` milliseconds, or for no reason. */
void tf_wake_wait(tf_wake *wake, int64_t ms);

/* Wakes all that wait. */
void tf_wake_tell(tf_wake *wake);

/* Without the mutex: rests for `ms` milliseconds. False, and at once, from tf_wake_end on. */
bool tf_wake_rest(tf_wake *wake, int64_t ms);
void tf_wake_end(tf_wake *wake);

#endif
