/*
 * A fault case that is run many times: a few in `scripts/test`, many by `scripts/fault --full`, which adds up what was run
 * in docs/reliability.tsv and writes docs/reliability.md from it.
 *
 *   tf_series s = tf_series_begin("killed_at_random_transaction", "kill -9 at a random moment", 20, 1000);
 *   while (tf_series_next(&s)) {
 *       ...one repetition: a fresh database, random choices from &s.random, assertions...
 *       tf_series_recovered(&s, milliseconds);        where something recovered
 *   }
 *
 * A repetition counts as passed when the next one is asked for, as failed when the test ends before (a failed assertion), and
 * not at all when the program is killed. What repeats a failed one is printed.
 * A table of n rows is a series too: the row is s.at % n, so that several goes cover it all.
 *
 * Environment, set by scripts/fault: TF_FAULT_FULL=1 the full counts, less what TF_FAULT_RESULTS has already;
 * TF_FAULT_SECONDS no repetition begins later; TF_FAULT_CASE=<name> no series but this; TF_FAULT_TIMES; TF_FAULT_SEED;
 * TF_FAULT_AT the repetition of that number, with exactly TF_FAULT_SEED; TF_FAULT_WORKERS instead of the mix.
 */
#ifndef TF_TESTS_SERIES_H
#define TF_TESTS_SERIES_H

#include "sandbox/random.h"

typedef struct tf_series {
    const char *name, *what;
    int full, times;   /* of the full run; of this one */
    int at;            /* the present repetition's number over all goes; in a quick run it starts anywhere */
    tf_random random;  /* of the present repetition */
    int workers;       /* for the present repetition: one or four */
    /* own business */
    int n, first;
    bool open;
    uint64_t seed, own_seed;
    int64_t recovery_ms;
} tf_series;

/* name: [a-z0-9_], unique in its program; what: for the reader of docs/reliability.md, without '|'. Both literals. */
tf_series tf_series_begin(const char *name, const char *what, int quick, int full);

/* The one before has passed; true: run one more. */
bool tf_series_next(tf_series *series);

/* How long it took until work went on; the longest is reported. */
void tf_series_recovered(tf_series *series, int64_t ms);

/* True under scripts/fault --full: bounds may be the promised ones; in the suite other tests take their share of the machine. */
bool tf_series_is_full(void);

#endif
