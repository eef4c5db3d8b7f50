/*
 * A channel: a thread that delivers messages one after the other, and a bounded queue before it. Whoever has something to tell
 * never waits for it; what does not fit is not taken, and stays due.
 */
#ifndef TF_NOTIFY_CHANNEL_H
#define TF_NOTIFY_CHANNEL_H

#include <stdatomic.h>
#include <tokenfix/error.h>

#include "notify/message.h"

/* Delivers a message, in the channel's thread. Ends soon once *cancelled. */
typedef bool (*tf_deliver)(void *arg, const tf_message *message, const atomic_bool *cancelled, tf_error *err);

typedef struct tf_delivered {
    char id[256];
    uint64_t serial;
    bool ok;
    tf_error err; /* of a failed one */
} tf_delivered;

typedef struct tf_channel tf_channel;

/* `name` ("webhook") is copied; `arg` outlives the channel and is freed with `release` once the thread uses it no more (may be
 * NULL); `room` is how many messages may wait. NULL where no thread can be started: `arg` is released then. */
tf_channel *tf_channel_start(const char *name, unsigned bit, size_t room, tf_deliver deliver, void *arg,
                             void (*release)(void *), tf_error *err);

const char *tf_channel_name(const tf_channel *channel);
unsigned tf_channel_bit(const tf_channel *channel);

/* Takes the message over; false, and it is freed, where the queue is full. */
bool tf_channel_put(tf_channel *channel, tf_message *message);

/* The next result that nobody has collected; false: there is none. */
bool tf_channel_collect(tf_channel *channel, tf_delivered *out);

/* Waits until nothing is waiting or being delivered, at most `ms`; also ends, with what it is then, when *stop (may be NULL)
 * says so. Whether it is empty. */
bool tf_channel_flush(tf_channel *channel, int64_t ms, bool (*stop)(void));

/* Tells it to give up what is being delivered, and waits for nothing. */
void tf_channel_cancel(tf_channel *channel);

/* Ends the channel: what is being delivered gets `grace_ms`, what waits nothing. A thread that does not end even so (a name that
 * cannot be resolved) is left to itself. Returns how many messages were not delivered. */
size_t tf_channel_stop(tf_channel *channel, int64_t grace_ms);

#endif
