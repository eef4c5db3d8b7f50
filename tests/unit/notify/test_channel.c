/* The queue before a slow deliverer: nobody waits for it, nothing is lost without a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notify/channel.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/notify/message.h"

static struct {
    pthread_mutex_t gate; /* held: nothing is delivered */
    atomic_int begun, done, released;
    atomic_bool stubborn;
} slow = {.gate = PTHREAD_MUTEX_INITIALIZER};

static bool deliver(void *arg, const tf_message *message, const atomic_bool *cancelled, tf_error *err)
{
    (void)arg;
    atomic_fetch_add(&slow.begun, 1);
    while (pthread_mutex_trylock(&slow.gate) != 0) {
        if (atomic_load(cancelled) && !atomic_load(&slow.stubborn))
            return tf_error_set(err, TF_ERR_INTERRUPTED, "given up");
        usleep(1000);
    }
    pthread_mutex_unlock(&slow.gate);
    atomic_fetch_add(&slow.done, 1);
    return message->serial != 13 || tf_error_set(err, TF_ERR_SERVER, "no luck");
}

static void release(void *arg)
{
    (void)arg;
    atomic_fetch_add(&slow.released, 1);
}

static int setup(void **state)
{
    (void)state;
    atomic_store(&slow.begun, 0);
    atomic_store(&slow.done, 0);
    atomic_store(&slow.released, 0);
    atomic_store(&slow.stubborn, false);
    return 0;
}

static tf_message *numbered(uint64_t serial)
{
    tf_message *message = sample_message("text", NULL);
    message->serial = serial;
    return message;
}

static tf_channel *start(size_t room)
{
    tf_error err = {0};
    tf_channel *channel = tf_channel_start("webhook", 1, room, deliver, NULL, release, &err);
    assert_non_null(channel);
    return channel;
}

static void wait_for(atomic_int *counter, int value)
{
    for (int n = 0; n < 5000 && atomic_load(counter) < value; n++)
        usleep(2000);
    assert_true(atomic_load(counter) >= value);
}

static void channel__delivers_in_order_and_tells(void **state)
{
    (void)state;
    tf_delivered got;
    tf_channel *channel = start(8);
    for (uint64_t n = 11; n <= 14; n++)
        assert_true(tf_channel_put(channel, numbered(n)));
    assert_true(tf_channel_flush(channel, 20000, NULL));
    for (uint64_t n = 11; n <= 14; n++) {
        assert_true(tf_channel_collect(channel, &got));
        assert_int_equal(got.serial, n);
        assert_int_equal(got.ok, n != 13);
        assert_string_equal(got.err.message, n == 13 ? "no luck" : "");
    }
    assert_false(tf_channel_collect(channel, &got));
    assert_int_equal(tf_channel_stop(channel, 1000), 0);
    assert_int_equal(atomic_load(&slow.released), 1);
}

static void channel__that_is_full_takes_no_more_and_blocks_nobody(void **state)
{
    (void)state;
    tf_channel *channel = start(2);
    pthread_mutex_lock(&slow.gate);
    assert_true(tf_channel_put(channel, numbered(1)));
    wait_for(&slow.begun, 1);
    assert_true(tf_channel_put(channel, numbered(2)));
    assert_true(tf_channel_put(channel, numbered(3)));
    assert_false(tf_channel_put(channel, numbered(4)));
    assert_false(tf_channel_flush(channel, 50, NULL));
    pthread_mutex_unlock(&slow.gate);
    assert_true(tf_channel_flush(channel, 20000, NULL));
    assert_int_equal(atomic_load(&slow.done), 3);
    assert_int_equal(tf_channel_stop(channel, 1000), 0);
}

static void channel__stops_in_the_middle_of_a_delivery(void **state)
{
    (void)state;
    tf_channel *channel = start(4);
    pthread_mutex_lock(&slow.gate);
    for (uint64_t n = 1; n <= 3; n++)
        assert_true(tf_channel_put(channel, numbered(n)));
    wait_for(&slow.begun, 1);
    int64_t begun = tf_clock_ms();
    assert_int_equal(tf_channel_stop(channel, 100), 3);
    assert_true(tf_clock_ms() - begun < 10000);
    pthread_mutex_unlock(&slow.gate);
    assert_int_equal(atomic_load(&slow.released), 1);
    assert_int_equal(atomic_load(&slow.done), 0);
}

static void channel__that_does_not_end_is_left_to_itself(void **state)
{
    (void)state;
    tf_channel *channel = start(4);
    pthread_mutex_lock(&slow.gate);
    atomic_store(&slow.stubborn, true);
    assert_true(tf_channel_put(channel, numbered(1)));
    wait_for(&slow.begun, 1);
    assert_int_equal(tf_channel_stop(channel, 50), 1);
    assert_int_equal(atomic_load(&slow.released), 0);
    pthread_mutex_unlock(&slow.gate);
    wait_for(&slow.released, 1); /* and cleans up after itself */
}

static bool at_once(void)
{
    return true;
}

static void flush__ends_when_it_is_told_to(void **state)
{
    (void)state;
    tf_channel *channel = start(4);
    pthread_mutex_lock(&slow.gate);
    assert_true(tf_channel_put(channel, numbered(1)));
    assert_false(tf_channel_flush(channel, 600000, at_once));
    pthread_mutex_unlock(&slow.gate);
    tf_channel_stop(channel, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(channel__delivers_in_order_and_tells, setup),
        cmocka_unit_test_setup(channel__that_is_full_takes_no_more_and_blocks_nobody, setup),
        cmocka_unit_test_setup(channel__stops_in_the_middle_of_a_delivery, setup),
        cmocka_unit_test_setup(channel__that_does_not_end_is_left_to_itself, setup),
        cmocka_unit_test_setup(flush__ends_when_it_is_told_to, setup),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
