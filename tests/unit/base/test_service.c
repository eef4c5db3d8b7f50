/* What systemd would be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attend.h"
#include "base/clock.h"
#include "base/service.h"
#include "base/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))), 0);
    return fd;
}

static void service__tells_by_path_and_by_abstract_name(void **state)
{
    (void)state;
    char paths[2][96], got[256];
    snprintf(paths[0], sizeof paths[0], "/tmp/tf-notify-%d", getpid());
    snprintf(paths[1], sizeof paths[1], "@tf-notify-%d", getpid());
    for (size_t i = 0; i < 2; i++) {
        int fd = listen_at(paths[i]);
        setenv("NOTIFY_SOCKET", paths[i], 1);
        tf_service_tell("READY=1\nSTATUS=round %d", 3);
        ssize_t size = recv(fd, got, sizeof got - 1, 0);
        assert_true(size > 0);
        got[size] = '\0';
        assert_string_equal(got, "READY=1\nSTATUS=round 3");
        close(fd);
        tf_service_tell("READY=1"); /* nobody is there any more */
    }
    unlink(paths[0]);
    unsetenv("NOTIFY_SOCKET");
    tf_service_tell("READY=1");
}

static void watchdog__is_half_of_what_the_unit_allows(void **state)
{
    (void)state;
    char pid[32];
    assert_int_equal(tf_service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(tf_service_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(tf_service_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(tf_service_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(tf_service_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void *tell_it(void *attend)
{
    tf_attend_tell(attend);
    return NULL;
}

static void attend__hands_out_signals_and_words(void **state)
{
    (void)state;
    tf_attend attend;
    tf_error err = {0};
    pthread_t thread;
    assert_true(tf_attend_begin(&attend, &err));
    assert_int_equal(tf_attend_wait(&attend, 1), 0);
    assert_int_equal(pthread_create(&thread, NULL, tell_it, &attend), 0);
    assert_int_equal(tf_attend_wait(&attend, 20000), TF_CALL_TOLD);
    pthread_join(thread, NULL);
    kill(getpid(), SIGHUP);
    assert_int_equal(tf_attend_wait(&attend, 20000), TF_CALL_RELOAD);
    assert_int_equal(tf_stop_level(), 0);
    kill(getpid(), SIGTERM);
    assert_int_equal(tf_attend_wait(&attend, 20000), TF_CALL_STOP);
    assert_int_equal(tf_stop_level(), 1);
    kill(getpid(), SIGINT);
    assert_int_equal(tf_attend_wait(&attend, 20000), TF_CALL_STOP);
    assert_int_equal(tf_stop_level(), 2);
    tf_attend_done(&attend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service__tells_by_path_and_by_abstract_name),
        cmocka_unit_test(watchdog__is_half_of_what_the_unit_allows),
        cmocka_unit_test(attend__hands_out_signals_and_words),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
