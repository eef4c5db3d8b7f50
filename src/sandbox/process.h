/*
 * Processes: run one to its end, or start one that outlives us and end exactly that one later.
 *
 * A process is known by its pid, the time the kernel started it and the boot it belongs to: a pid alone is reused.
 * spawn → (the caller records it on disk) → release: a starter that dies in between leaves nothing behind.
 */
#ifndef TF_SANDBOX_PROCESS_H
#define TF_SANDBOX_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tokenfix/error.h>

typedef struct tf_process {
    pid_t pid;
    uint64_t started; /* field 22 of /proc/PID/stat: ticks since boot */
    char boot[40];    /* the kernel's boot id */
    int gate;         /* writing lets it exec; -1 once released */
    int report;       /* yields the errno of a failed exec */
} tf_process;

/* True while exactly this process lives; a zombie is dead. */
bool tf_process_alive(const tf_process *process);

/* Fills pid, started and boot of a living process; false if there is none of that pid. */
bool tf_process_identify(pid_t pid, tf_process *process);

/* Forks a daemon in a session of its own, in folder `cwd`, output appended to `log`; it waits for the release. */
bool tf_process_spawn(const char *log, const char *cwd, char *const *argv, tf_process *process, tf_error *err);

/* Lets it exec argv[0], a path; false when that failed: the process is gone then. */
bool tf_process_release(tf_process *process, tf_error *err);

/* Sends SIGTERM, and SIGKILL after patience_ms; returns when it is gone. Nothing is sent to any other process. */
bool tf_process_end(const tf_process *process, int patience_ms, tf_error *err);

/* Runs argv (looked up in PATH) to its end, without input. The last bytes of its output go to out, terminated by a zero.
 * False when it could not be started or did not exit with 0. */
bool tf_process_run(char *const *argv, char *out, size_t out_size, tf_error *err);

#endif
