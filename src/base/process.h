/* The process: what it must not leak, and what must not kill it. */
#ifndef TF_BASE_PROCESS_H
#define TF_BASE_PROCESS_H

/* Once, first thing in main: no core dumps, no tracing by others, SIGPIPE and SIGXFSZ ignored, SIGCHLD not, characters after the locale but
 * numbers never, descriptors 0 to 2 open. Failures are harmless and ignored. */
void tf_process_setup(void);

#endif
