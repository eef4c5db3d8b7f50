/* What is found out about a connection that failed takes its time only where somebody answers. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/handshake.h"

enum { CALLERS = 8, SHORT_MS = 50, LONG_MS = 120000 };

/* As a host behind a wall: whoever calls hears nothing. The queue is full, so that the system drops the next one's packets. */
typedef struct swallower {
    int listening, callers[CALLERS];
    uint16_t port;
} swallower;

static void make_swallower(swallower *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    s->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->listening, 0), 0);
    assert_int_equal(getsockname(s->listening, (struct sockaddr *)&address, &size), 0);
    s->port = ntohs(address.sin_port);
    for (size_t i = 0; i < CALLERS; i++) {
        s->callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(s->callers[i], (struct sockaddr *)&address, sizeof address);
    }
}

static void end_swallower(const swallower *s)
{
    for (size_t i = 0; i < CALLERS; i++)
        close(s->callers[i]);
    close(s->listening);
}

static void handshake__gives_up_early_who_takes_no_connection(void **state)
{
    (void)state;
    swallower s;
    char text[64];
    tf_handshake found;
    make_swallower(&s);
    snprintf(text, sizeof text, "mongodb://127.0.0.1:%u/", s.port);
    mongoc_uri_t *uri = mongoc_uri_new(text);
    int64_t begun = tf_clock_ms();
    tf_handshake_try(uri, mongoc_uri_get_hosts(uri), SHORT_MS, LONG_MS, &found);
    assert_int_equal(found.outcome, TF_HANDSHAKE_UNREACHED);
    assert_true(tf_clock_ms() - begun < LONG_MS / 2);
    mongoc_uri_destroy(uri);
    end_swallower(&s);
}

static void handshake__takes_a_small_part_of_the_timeout(void **state)
{
    (void)state;
    assert_int_equal(tf_handshake_reserve(100), 25);
    assert_int_equal(tf_handshake_reserve(5000), 500);
    assert_int_equal(tf_handshake_reserve(86400000), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake__gives_up_early_who_takes_no_connection),
        cmocka_unit_test(handshake__takes_a_small_part_of_the_timeout),
    };
    return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
