/* How many documents a batch has, so that it takes about as long as it shall: each worker has its own. Idea: pt-osc. */
#ifndef TF_ENGINE_PACE_H
#define TF_ENGINE_PACE_H

#include <stddef.h>
#include <stdint.h>

typedef struct tf_pace {
    size_t limit;      /* documents at most: what the next batch is cut to */
    size_t most;       /* never more than these */
    int64_t target_ms; /* how long a batch shall take; 0: any time */
    double rate;       /* documents per ms, exponential average; 0: nothing measured yet */
} tf_pace;

/* Begins with `most`. */
void tf_pace_init(tf_pace *pace, size_t most, int64_t target_ms);

/* A batch of so many documents took so long: the limit grows by 20 % at most, and shrinks at once. */
void tf_pace_note(tf_pace *pace, int64_t documents, int64_t ms);

#endif
