/* Who runs this process: stored in the lease and in the audit trail, and used to tell whether an owner still lives. */
#ifndef TF_BASE_OWNER_H
#define TF_BASE_OWNER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tf_owner {
    char id[33];     /* random, hex: distinguishes two owners whatever else they share */
    char host[256];  /* node name */
    char boot[40];   /* the kernel's boot id: a pid means nothing after a reboot; empty where unknown */
    char space[40];  /* the namespace of the pid: containers may share a host's name, not their pids; empty where unknown */
    int64_t pid;
    int64_t started; /* of the process, in clock ticks since boot (field 22 of /proc/PID/stat); 0 where unknown */
    char user[64];   /* of the operating system */
} tf_owner;

/* Fills *owner for this process. */
void tf_owner_self(tf_owner *owner);

/* True only when the owner was on this host and its process is known to be gone. */
bool tf_owner_is_gone(const tf_owner *owner);

/* Start time of a process in clock ticks since boot, -1 when there is no such process. */
int64_t tf_process_started(int64_t pid);

#endif
