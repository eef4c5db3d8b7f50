/* What a program that stays prints: in order, and whoever does not read holds up nobody. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outlet.h"

enum { PIPE_BYTES = 4096, PATIENCE_MS = 20000 };

/* Descriptors 1 and 2 lead into a small pipe meanwhile. */
static int reading, writing, before[2];

static int setup(void **state)
{
    (void)state;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    reading = ends[0];
    writing = ends[1];
    fcntl(reading, F_SETPIPE_SZ, PIPE_BYTES);
    for (int fd = 1; fd <= 2; fd++) {
        before[fd - 1] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        dup2(writing, fd);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int fd = 1; fd <= 2; fd++) {
        dup2(before[fd - 1], fd);
        close(before[fd - 1]);
    }
    close(writing);
    if (reading != -1)
        close(reading);
    return 0;
}

static void begin(void)
{
    tf_error err = {0};
    assert_true(tf_outlet_begin(&err));
}

/* What the pipe gives until it holds `last`, or for a while. */
static const char *read_until(const char *last)
{
    static char text[1 << 20];
    size_t used = 0;
    text[0] = '\0';
    fcntl(reading, F_SETFL, O_NONBLOCK);
    for (int64_t until = tf_clock_ms() + PATIENCE_MS; !strstr(text, last) && tf_clock_ms() < until;) {
        ssize_t got = used + 1 < sizeof text ? read(reading, text + used, sizeof text - 1 - used) : 0;
        if (got > 0)
            used += (size_t)got;
        else
            usleep(1000);
        text[used] = '\0';
    }
    fcntl(reading, F_SETFL, 0);
    return text;
}

static void outlet__writes_both_streams_in_their_order(void **state)
{
    (void)state;
    begin();
    printf("one ");
    printf("line\n");
    fprintf(stderr, "another %d\n", 2);
    printf("a third\nand its rest");
    assert_int_equal(tf_outlet_fd(stdout), 1);
    assert_int_equal(tf_outlet_fd(stderr), 2);
    assert_int_equal(tf_outlet_end(PATIENCE_MS), 0);
    assert_string_equal(read_until("its rest"), "one line\nanother 2\na third\nand its rest");
    assert_int_equal(tf_outlet_fd(stdout), 1);
    assert_int_equal(tf_outlet_fd(stdin), 0);
}

static void outlet__that_nobody_reads_holds_up_nobody(void **state)
{
    (void)state;
    char line[101];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    begin();
    for (int n = 0; n < 3000; n++) /* 300 KB: the pipe holds 4, the outlet 64 */
        fprintf(n % 2 ? stderr : stdout, "%04d %s\n", n, line);
    const char *text = read_until(" lines were not printed, for nobody read\n");
    int lines = 0, lost = 0, newest = -1;
    for (const char *at = text; *at; at = strchr(at, '\n') + 1, lines++) { /* whole, and in their order */
        assert_non_null(strchr(at, '\n'));
        if (strncmp(at, "tokenfix: ", 10) == 0)
            continue;
        assert_true(atoi(at) > newest && strcspn(at, "\n") == 5 + strlen(line));
        newest = atoi(at);
    }
    const char *said = strstr(text, "warning: ");
    assert_non_null(said);
    lost = atoi(said + strlen("warning: "));
    assert_true(lost > 1000);
    assert_int_equal(lines - 1 + lost, 3000);
    printf("read again\n");
    assert_int_equal(tf_outlet_end(PATIENCE_MS), 0);
    assert_string_equal(read_until("again\n"), "read again\n");
}

static void outlet__ends_though_nobody_reads(void **state)
{
    (void)state;
    begin();
    for (int n = 0; n < 1000; n++)
        printf("line %d\n", n);
    assert_int_equal(tf_outlet_end(50), EAGAIN);
    printf("as before\n"); /* the streams are those that they were; this one waits in its own buffer */
    read_until("line 999\n"); /* and the thread ends */
}

static void outlet__knows_that_output_is_lost(void **state)
{
    (void)state;
    close(reading);
    reading = -1;
    begin();
    printf("nobody\n");
    printf("at all\n");
    assert_int_equal(tf_outlet_end(PATIENCE_MS), EPIPE);
}

#define OUTLET_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTLET_TEST(outlet__writes_both_streams_in_their_order),
        OUTLET_TEST(outlet__that_nobody_reads_holds_up_nobody),
        OUTLET_TEST(outlet__knows_that_output_is_lost),
        OUTLET_TEST(outlet__ends_though_nobody_reads),
    };
    return cmocka_run_group_tests_name("outlet", tests, NULL, NULL);
}
