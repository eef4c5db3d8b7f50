/*
 * Keeps a run's lease alive from a thread of its own, and notices when it is lost. Renewals disturb no batch: they write
 * the run's document, batches write the partitions'.
 */
#ifndef TF_ENGINE_HEARTBEAT_H
#define TF_ENGINE_HEARTBEAT_H

#include "db/client.h"
#include "store/run.h"

typedef struct tf_heartbeat tf_heartbeat;

/* Starts renewing every 5 s; `client` is borrowed. NULL on failure; else end it with tf_heartbeat_stop (accepts NULL), which
 * waits for its thread. The lease is not given up by this. */
tf_heartbeat *tf_heartbeat_start(tf_client *client, const tf_run *run, const char *owner_id, tf_error *err);
void tf_heartbeat_stop(tf_heartbeat *heartbeat);
void tf_heartbeat_stopp(tf_heartbeat **heartbeat);

/* False, with LEASE_LOST, once another process has the run. */
bool tf_heartbeat_ok(const tf_heartbeat *heartbeat, tf_error *err);

/* Milliseconds until the lease ends, by this machine's monotonic clock: conservative, counted from before the last
 * renewal was sent. */
int64_t tf_heartbeat_left_ms(const tf_heartbeat *heartbeat);

#endif
