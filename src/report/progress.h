/*
 * Progress on standard error: on a terminal a bar with rate and time left, elsewhere a line every five seconds. Call
 * tf_progress_set as often as you like, from one thread.
 */
#ifndef TF_REPORT_PROGRESS_H
#define TF_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TF_PROGRESS_QUIET = 1, /* print nothing */
    TF_PROGRESS_LINES = 2  /* lines also on a terminal (--json) */
};

typedef struct tf_progress tf_progress;

/* `label`: what is going on ("repairing", copied). `total`: 0 where it is not known. Never NULL; free with
 * tf_progress_done, which accepts NULL, prints the last state if anything was printed, and ends the line. */
tf_progress *tf_progress_new(const char *label, int64_t total, unsigned flags);
void tf_progress_set(tf_progress *progress, int64_t done, int64_t total, const char *note);
void tf_progress_done(tf_progress *progress);

/* Prints a line of its own without tearing the bar apart. Nothing with TF_PROGRESS_QUIET. */
void tf_progress_say(tf_progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What is shown, as a text; the bar is left out where `width` is 0. `first`: the work done before the clock started (a
 * resumed run), which the rate does not count. Exposed for tests. */
typedef struct tf_progress_state {
    const char *label, *note; /* note may be NULL */
    int64_t first, done, total, elapsed_ms;
} tf_progress_state;
const char *tf_progress_render(const tf_progress_state *state, size_t width, bool utf8, char *out, size_t size);

#endif
