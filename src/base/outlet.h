/*
 * What a program that stays prints. From tf_outlet_begin to tf_outlet_end standard output and standard error are other streams, whose
 * lines a thread writes in their order: a reader who hangs (a pager, a log) holds up nobody. What waits is bounded; of what does not
 * fit whole lines are dropped, and their number is said on standard error once somebody reads again.
 */
#ifndef TF_BASE_OUTLET_H
#define TF_BASE_OUTLET_H

#include <stdint.h>
#include <stdio.h>
#include <tokenfix/error.h>

/* Once in a process, by the thread that prints. */
bool tf_outlet_begin(tf_error *err);

/* Gives what waits at most `ms` milliseconds, and puts the streams back. The errno of the first write to standard output that
 * failed, EAGAIN where it was not read to its end, 0. */
int tf_outlet_end(int64_t ms);

/* What is behind a stream: as fileno(3), also of the streams of an outlet. */
int tf_outlet_fd(FILE *stream);

#endif
