/* What a series counts, and what it leaves behind for the next go. Each go is a process, as in scripts/fault. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/fixture.h"
#include "support/series.h"

typedef struct go {
    int repetitions, dies_in; /* as asked for; 0: none */
    bool killed;
} go;

/* How many repetitions it began. */
static int run(go g)
{
    int pipes[2], began = 0, status;
    char byte;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(9);
        tf_series s = tf_series_begin("example", "an example", 2, g.repetitions);
        for (int n = 1; tf_series_next(&s); n++) {
            if (write(pipes[1], "x", 1) != 1)
                _exit(9);
            tf_series_recovered(&s, 10 * n);
            if (n == g.dies_in && g.killed)
                _exit(0);
            if (n == g.dies_in)
                exit(1);
        }
        exit(0);
    }
    close(pipes[1]);
    while (read(pipes[0], &byte, 1) == 1)
        began++;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return began;
}

static int count(const char *path, const char *what)
{
    char line[1024];
    int found = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        found += strstr(line, what) != NULL;
    if (file)
        fclose(file);
    return found;
}

static int setup(void **state)
{
    char *folder = tf_folder_make(), *path = NULL;
    assert_true(asprintf(&path, "%s/results", folder) > 0);
    *state = folder;
    setenv("TF_FAULT_RESULTS", path, 1);
    setenv("TF_FAULT_FULL", "1", 1);
    free(path);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"TF_FAULT_RESULTS", "TF_FAULT_FULL", "TF_FAULT_CASE", "TF_FAULT_SECONDS", "TF_FAULT_TIMES"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    tf_folder_remove(*state);
    return 0;
}

static void series__of_a_quick_run_is_short(void **state)
{
    (void)state;
    unsetenv("TF_FAULT_FULL");
    unsetenv("TF_FAULT_RESULTS");
    assert_int_equal(run((go){.repetitions = 7}), 2);
    setenv("TF_FAULT_CASE", "another", 1);
    assert_int_equal(run((go){.repetitions = 7}), 0);
}

static void series__goes_on_where_it_was_killed(void **state)
{
    (void)state;
    const char *path = getenv("TF_FAULT_RESULTS");
    assert_int_equal(run((go){.repetitions = 7, .dies_in = 4, .killed = true}), 4);
    assert_int_equal(count(path, "\tpassed\t1\t30\t"), 1);
    assert_int_equal(count(path, "\tpassed\t"), 3); /* the fourth has no result */
    assert_int_equal(run((go){.repetitions = 7}), 4);
    assert_int_equal(count(path, "\tpassed\t"), 7);
    assert_int_equal(run((go){.repetitions = 7}), 0);
}

static void series__begins_anew_after_a_failure(void **state)
{
    (void)state;
    const char *path = getenv("TF_FAULT_RESULTS");
    assert_int_equal(run((go){.repetitions = 7, .dies_in = 4}), 4);
    assert_int_equal(count(path, "\tpassed\t"), 3);
    assert_int_equal(count(path, "\tfailed\t1\t"), 1);
    assert_int_equal(run((go){.repetitions = 7}), 7);
}

static void series__begins_nothing_when_time_is_over(void **state)
{
    (void)state;
    setenv("TF_FAULT_SECONDS", "0", 1);
    assert_int_equal(run((go){.repetitions = 7}), 0);
}

static void series__is_as_long_as_one_wants(void **state)
{
    (void)state;
    setenv("TF_FAULT_TIMES", "3", 1);
    assert_int_equal(run((go){.repetitions = 7}), 3);
    assert_int_equal(run((go){.repetitions = 7}), 3);
}

#define SERIES_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERIES_TEST(series__of_a_quick_run_is_short),     SERIES_TEST(series__goes_on_where_it_was_killed),
        SERIES_TEST(series__begins_anew_after_a_failure), SERIES_TEST(series__begins_nothing_when_time_is_over),
        SERIES_TEST(series__is_as_long_as_one_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
