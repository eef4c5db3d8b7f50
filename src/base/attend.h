/*
 * What a program that stays waits for: signals, its own threads, and time. From tf_attend_begin on SIGINT, SIGTERM and SIGHUP
 * reach no handler but are handed out here: the first two as a request to stop (also base/stop.h, once for each), SIGHUP as
 * the request to read the configuration again.
 */
#ifndef TF_BASE_ATTEND_H
#define TF_BASE_ATTEND_H

#include <stdint.h>
#include <tokenfix/error.h>

typedef struct tf_attend {
    int signals, told;
} tf_attend;

enum { TF_CALL_STOP = 1, TF_CALL_RELOAD = 2, TF_CALL_TOLD = 4 };

/* Before threads start: those started from now on are not woken by these signals. */
bool tf_attend_begin(tf_attend *attend, tf_error *err);
void tf_attend_done(tf_attend *attend);

/* From any thread: ends a tf_attend_wait, or the next one. */
void tf_attend_tell(const tf_attend *attend);

/* Waits at most `ms` milliseconds; what happened: TF_CALL_*, 0 when nothing. */
unsigned tf_attend_wait(const tf_attend *attend, int64_t ms);

#endif
