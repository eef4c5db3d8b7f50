/* How far behind, from samples: the age of a write that is waited for, not the difference of two times. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "db/lag.h"

typedef struct sample {
    int64_t now;
    uint64_t newest, reached;
    int64_t bound;
    int64_t lag;
} sample;

typedef struct row {
    const char *name;
    sample samples[8];
} row;

enum { FAR = 1000000 };

static const row rows[] = {
    {"nobody is behind", {{1000, 5, 5, 0, 0}, {2000, 9, 9, 0, 0}}},
    {"one write after a quiet spell is no lag", {{1000, 9, 5, 10000, 0}, {2000, 9, 9, 0, 0}}},
    {"what stands still grows old", {{1000, 9, 5, FAR, 0}, {2000, 9, 5, FAR, 1000}, {3000, 9, 5, FAR, 2000}, {9000, 12, 6, FAR, 8000}}},
    {"a constant lag under constant writes stays", {{1000, 10, 5, FAR, 0}, {2000, 20, 6, FAR, 1000}, {4000, 40, 10, FAR, 3000}, {5000, 50, 20, FAR, 3000}}},
    {"it is over when all is there", {{1000, 10, 5, FAR, 0}, {4000, 40, 6, FAR, 3000}, {5000, 50, 50, 0, 0}, {6000, 60, 55, FAR, 0}}},
    {"writes without end that are there at once are no lag", {{1000, 10, 9, 5, 0}, {2000, 20, 19, 5, 5}, {3000, 30, 29, 4, 4}}},
    {"a clock that was set back says nothing", {{1000, 10, 5, -3000, 0}, {2000, 10, 5, -2000, 0}}},
};

static void lag__is_the_age_of_what_is_waited_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_lag_meter meter = {0};
        for (const sample *s = rows[i].samples; s->now; s++) {
            int64_t lag = tf_lag_measure(&meter, s->now, s->newest, s->reached, s->bound);
            if (lag != s->lag)
                fail_msg("%s: at %lld the lag is %lld instead of %lld", rows[i].name, (long long)s->now, (long long)lag,
                         (long long)s->lag);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lag__is_the_age_of_what_is_waited_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
