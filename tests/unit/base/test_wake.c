/* Waiting by the monotonic clock: as long as told, and no longer once somebody ends it. How late it wakes is not asserted. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wake.h"

enum { HOUR_MS = 3600 * 1000, WAITERS = 3 };

/* 999 ms: the nanoseconds nearly always run over a full second. */
static void rest__lasts_its_time_and_goes_on(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 20, 999};
    tf_wake wake;
    tf_wake_init(&wake);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t begun = tf_clock_us();
        assert_true(tf_wake_rest(&wake, times[i]));
        assert_true(tf_clock_us() - begun >= times[i] * 1000);
    }
    tf_wake_done(&wake);
}

static void rest__is_not_ended_by_what_others_are_told(void **state)
{
    (void)state;
    tf_wake wake;
    tf_wake_init(&wake);
    tf_wake_tell(&wake);
    int64_t begun = tf_clock_us();
    assert_true(tf_wake_rest(&wake, 20));
    assert_true(tf_clock_us() - begun >= 20000);
    tf_wake_done(&wake);
}

static void *rest_for_an_hour(void *arg)
{
    return tf_wake_rest(arg, HOUR_MS) ? arg : NULL;
}

/* Whether the thread has come to its rest by then or not; it must not sleep on in either case. */
static void rest__ends_whenever_it_is_ended(void **state)
{
    (void)state;
    for (unsigned delay_us = 0; delay_us < 2000; delay_us += 40) {
        tf_wake wake;
        pthread_t thread;
        void *went_on;
        tf_wake_init(&wake);
        assert_int_equal(pthread_create(&thread, NULL, rest_for_an_hour, &wake), 0);
        usleep(delay_us);
        tf_wake_end(&wake);
        assert_int_equal(pthread_join(thread, &went_on), 0);
        assert_null(went_on);
        assert_false(tf_wake_rest(&wake, HOUR_MS));
        tf_wake_done(&wake);
    }
}

typedef struct door {
    tf_wake wake;
    int waiting;
    bool open;
} door;

static void *pass(void *arg)
{
    door *d = arg;
    pthread_mutex_lock(&d->wake.mutex);
    d->waiting++;
    while (!d->open)
        tf_wake_wait(&d->wake, HOUR_MS);
    pthread_mutex_unlock(&d->wake.mutex);
    return NULL;
}

static int waiting_at(door *d)
{
    pthread_mutex_lock(&d->wake.mutex);
    int waiting = d->waiting;
    pthread_mutex_unlock(&d->wake.mutex);
    return waiting;
}

static void tell__wakes_all_that_wait(void **state)
{
    (void)state;
    door d = {0};
    pthread_t threads[WAITERS];
    tf_wake_init(&d.wake);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass, &d), 0);
    while (waiting_at(&d) < WAITERS)
        usleep(1000);
    pthread_mutex_lock(&d.wake.mutex);
    d.open = true;
    tf_wake_tell(&d.wake);
    pthread_mutex_unlock(&d.wake.mutex);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    tf_wake_done(&d.wake);
}

static void wait__without_a_word_lasts_its_time(void **state)
{
    (void)state;
    int times = 0;
    tf_wake wake;
    tf_wake_init(&wake);
    int64_t begun = tf_clock_us();
    pthread_mutex_lock(&wake.mutex);
    for (; tf_clock_us() - begun < 20000; times++)
        tf_wake_wait(&wake, 20);
    pthread_mutex_unlock(&wake.mutex);
    assert_in_range(times, 1, 20); /* it may wake for no reason, but that is rare */
    tf_wake_done(&wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest__lasts_its_time_and_goes_on),
        cmocka_unit_test(rest__is_not_ended_by_what_others_are_told),
        cmocka_unit_test(rest__ends_whenever_it_is_ended),
        cmocka_unit_test(tell__wakes_all_that_wait),
        cmocka_unit_test(wait__without_a_word_lasts_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
