/* Requests to stop: each counts, whichever threads their signals meet. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/stop.h"
#include "support/slow.h"

enum { TIMES = 400, TIMES_ONE_BY_ONE = 10 }; /* valgrind lets one thread run at a time */

static pthread_barrier_t barrier;

static void *request(void *arg)
{
    pthread_barrier_wait(&barrier);
    tf_stop_request();
    return arg;
}

/* The level only rises: each time in a process of its own. */
static int level_after_two_at_once(void)
{
    pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, request, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return tf_stop_level();
}

static void stop__two_requests_at_once_are_two(void **state)
{
    (void)state;
    for (size_t i = tf_unless_slow(TIMES, TIMES_ONE_BY_ONE); i > 0; i--) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(level_after_two_at_once());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 2);
    }
}

static void stop__at_once_is_the_second_request_only(void **state)
{
    (void)state;
    tf_error err = {0};
    assert_false(tf_stop_at_once(&err, "here"));
    tf_stop_request();
    assert_false(tf_stop_at_once(&err, "here"));
    assert_int_equal(err.code, TF_ERR_OK);
    for (int i = 0; i < 2; i++) {
        tf_stop_request();
        assert_int_equal(tf_stop_level(), 2);
    }
    assert_true(tf_stop_at_once(&err, "here"));
    assert_int_equal(err.code, TF_ERR_INTERRUPTED);
    assert_string_equal(err.message, "stopped at once, here");
}

static void say(void)
{
    (void)!write(STDERR_FILENO, "tokenfix status", 15);
}

static void stop__third_signal_ends_the_process(void **state)
{
    (void)state;
    int status = 0, error[2];
    char said[256] = "";
    assert_int_equal(pipe(error), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(error[1], STDERR_FILENO);
        tf_stop_install(say);
        for (int i = 0; i < 2; i++)
            raise(i ? SIGTERM : SIGINT);
        if (tf_stop_level() != 2)
            _exit(99);
        raise(SIGINT);
        _exit(98); /* it went on */
    }
    close(error[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_true(read(error[0], said, sizeof said - 1) > 0);
    assert_non_null(strstr(said, "tokenfix status"));
    close(error[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop__two_requests_at_once_are_two),
        cmocka_unit_test(stop__third_signal_ends_the_process),
        cmocka_unit_test(stop__at_once_is_the_second_request_only),
    };
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
