/* Clocks of this machine. Times that are stored or compared across machines are the server's (db/facts.h). */
#ifndef TF_BASE_CLOCK_H
#define TF_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic milliseconds / microseconds since an arbitrary start: for measuring durations only. The time that the machine
 * was suspended counts: a lease ends meanwhile, too. */
int64_t tf_clock_ms(void);
int64_t tf_clock_us(void);

/* Wall clock of this machine, milliseconds since the epoch. */
int64_t tf_clock_wall_ms(void);

/* Sleeps; returns early when a stop is requested (base/stop.h). */
void tf_clock_sleep_ms(int64_t ms);

/* A random number in [0, limit): for back-off jitter and names, not for secrets. */
uint64_t tf_clock_random(uint64_t limit);

#endif
