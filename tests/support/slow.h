/* Tests that repeat themselves a thousand times do so some times only where each step takes fifty times as long. */
#ifndef TF_TESTS_SLOW_H
#define TF_TESTS_SLOW_H

#include <stdlib.h>
#include <string.h>

/* `usual`, or `fewer` under valgrind, which looks at memory, not at results: those the sanitizers' build has shown. */
static inline size_t tf_unless_slow(size_t usual, size_t fewer)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload") ? fewer : usual;
}

#endif
