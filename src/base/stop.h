/*
 * Requests to stop. The first SIGINT, SIGTERM or SIGHUP asks for an orderly stop (finish the batch, leave the run
 * resumable), the second for an immediate one (abort the open transaction). The third signal ends the process where it stands,
 * with 7: it may be waiting for an answer of the server that never comes. A run is then as after any other death.
 */
#ifndef TF_BASE_STOP_H
#define TF_BASE_STOP_H

#include <stdbool.h>

#include <tokenfix/error.h>

/* Installs the handlers; call once, before threads start. `say` (may be NULL) is called in the handler before the third signal
 * ends the process: it may do what is safe there, as tf_output_ended is. */
void tf_stop_install(void (*say)(void));

/* 0 none, 1 orderly, 2 at once. Safe from any thread. */
int tf_stop_level(void);

/* Whether to stop at once; *err is then INTERRUPTED, "stopped at once, " and `where`. */
bool tf_stop_at_once(tf_error *err, const char *where);

/* What a signal does; for front ends without signals. */
void tf_stop_request(void);

#endif
