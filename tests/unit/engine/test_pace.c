/* How many documents the next batch has. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/pace.h"

typedef struct batch {
    int64_t documents, ms;
    size_t limit; /* afterwards */
} batch;

typedef struct row {
    const char *name;
    size_t most, begin;
    int64_t target_ms;
    batch batches[6];
} row;

static const row rows[] = {
    {"fast ones stay at the ceiling", 1000, 1000, 500, {{1000, 50, 1000}, {1000, 500, 1000}}},
    {"twice too slow is halved at once", 1000, 1000, 500, {{1000, 1000, 500}}},
    {"far too slow shrinks at once", 1000, 1000, 500, {{1000, 50000, 10}}},
    {"one document is the least", 1000, 1000, 500, {{1000, 100000000, 1}, {1, 100000, 1}}},
    {"grows by a fifth, and one", 1000, 100, 500, {{100, 10, 121}, {121, 12, 146}, {146, 14, 176}}},
    {"the ceiling is not passed", 130, 100, 500, {{100, 10, 121}, {121, 12, 130}, {130, 13, 130}}},
    {"one slow batch does not forget the fast ones before", 1000, 1000, 500, {{1000, 100, 1000}, {1000, 1000, 1000}, {1000, 1000, 1000}, {1000, 1000, 1000}, {1000, 1000, 781}}},
    {"the last few of a range do not shrink it", 1000, 1000, 500, {{3, 20, 1000}, {1, 499, 1000}}},
    {"an empty batch says nothing", 1000, 400, 500, {{0, 9000, 400}}},
    {"without a time it only grows", 1000, 500, 0, {{500, 100000, 601}, {601, 1, 722}}},
    {"no time at all is not divided by", 1000, 500, 500, {{500, 0, 601}}},
};

static void pace__follows_the_time_that_batches_take(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_pace pace;
        tf_pace_init(&pace, rows[i].most, rows[i].target_ms);
        assert_int_equal(pace.limit, rows[i].most);
        pace.limit = rows[i].begin;
        for (const batch *b = rows[i].batches; b->limit; b++) {
            tf_pace_note(&pace, b->documents, b->ms);
            if (pace.limit != b->limit)
                fail_msg("%s: after batch %d the limit is %zu instead of %zu", rows[i].name, (int)(b - rows[i].batches) + 1, pace.limit, b->limit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pace__follows_the_time_that_batches_take)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
