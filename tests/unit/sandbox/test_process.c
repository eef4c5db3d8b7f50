#include "support/fixture.h"

#include "sandbox/process.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

static bool spawn(const char *folder, const char *const *argv, tf_process *process, tf_error *err)
{
    char log[512];
    snprintf(log, sizeof log, "%s/log", folder);
    return tf_process_spawn(log, folder, (char *const *)(uintptr_t)argv, process, err);
}

static char *log_of(const char *folder)
{
    static char text[4096];
    char path[512];
    snprintf(path, sizeof path, "%s/log", folder);
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    return text;
}

static int setup(void **state)
{
    *state = tf_folder_make();
    return 0;
}

static int teardown(void **state)
{
    tf_folder_remove(*state);
    return 0;
}

static void process__runs_after_its_release_only(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo here; exec sleep 100", NULL};
    tf_process process;
    tf_error err = {0};
    assert_true(spawn(*state, argv, &process, &err));
    assert_true(tf_process_alive(&process));
    nap();
    assert_string_equal(log_of(*state), "");
    assert_true(tf_process_release(&process, &err));
    for (int i = 0; i < 500 && !log_of(*state)[0]; i++)
        nap();
    assert_string_equal(log_of(*state), "here\n");
    assert_true(tf_process_alive(&process));
    assert_int_not_equal(getsid(process.pid), getsid(0));
    assert_true(tf_process_end(&process, 5000, &err));
    assert_false(tf_process_alive(&process));
}

static void process__whose_starter_dies_before_the_release_ends(void **state)
{
    static const char *const argv[] = {"/bin/sleep", "100", NULL};
    tf_process process;
    tf_error err = {0};
    assert_true(spawn(*state, argv, &process, &err));
    close(process.gate);
    close(process.report);
    for (int i = 0; i < 500 && tf_process_alive(&process); i++)
        nap();
    assert_false(tf_process_alive(&process));
}

static void process__that_cannot_be_executed_is_an_error(void **state)
{
    static const char *const argv[] = {"/nowhere/mongod", NULL};
    tf_process process;
    tf_error err = {0};
    assert_true(spawn(*state, argv, &process, &err));
    assert_false(tf_process_release(&process, &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
    assert_string_equal(err.detail, "No such file or directory");
}

static void process__without_a_log_is_an_error(void **state)
{
    static const char *const argv[] = {"/bin/true", NULL};
    (void)state;
    tf_process process = {0};
    tf_error err = {0};
    assert_false(tf_process_spawn("/nowhere/log", "/", (char *const *)(uintptr_t)argv, &process, &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
    assert_int_equal(process.pid, 0);
}

static void process__deaf_to_sigterm_is_killed(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done", NULL};
    tf_process process;
    tf_error err = {0};
    assert_true(spawn(*state, argv, &process, &err));
    assert_true(tf_process_release(&process, &err));
    for (int i = 0; i < 500 && !log_of(*state)[0]; i++)
        nap();
    assert_true(tf_process_end(&process, 200, &err));
    assert_false(tf_process_alive(&process));
}

/* The pid is there, but started at another time or in another boot: somebody else's. */
static void process__of_a_reused_pid_is_not_touched(void **state)
{
    (void)state;
    pid_t other = fork();
    assert_true(other >= 0);
    if (other == 0) {
        pause();
        _exit(0);
    }
    tf_process process, earlier, booted;
    tf_error err = {0};
    assert_true(tf_process_identify(other, &process));
    assert_true(tf_process_alive(&process));
    earlier = booted = process;
    earlier.started--;
    booted.boot[0] ^= 1;
    assert_false(tf_process_alive(&earlier));
    assert_false(tf_process_alive(&booted));
    assert_true(tf_process_end(&earlier, 100, &err));
    assert_true(tf_process_end(&booted, 100, &err));
    assert_true(tf_process_alive(&process));
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);

    assert_int_equal(kill(other, SIGKILL), 0);
    for (int i = 0; i < 500 && tf_process_alive(&process); i++)
        nap();
    assert_false(tf_process_alive(&process)); /* a zombie by now, not yet waited for */
    assert_int_equal(waitpid(other, NULL, 0), other);
    assert_false(tf_process_identify(other, &process));
}

static void process__none_has_pid_0(void **state)
{
    (void)state;
    tf_process process = {.pid = 77};
    assert_false(tf_process_identify(0, &process));
    assert_false(tf_process_identify(-1, &process));
    assert_int_equal(process.pid, 77);
}

static void run__tells_output_and_failure_apart(void **state)
{
    (void)state;
    char out[16];
    static const char *const fine[] = {"sh", "-c", "read x; echo 0123456789abcdefghij; echo \"[$x]\" >&2", NULL};
    static const char *const fails[] = {"sh", "-c", "echo why; exit 3", NULL};
    static const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
    static const char *const absent[] = {"no-such-program", NULL};
    tf_error err = {0};
    assert_true(tf_process_run((char *const *)(uintptr_t)fine, out, sizeof out, &err));
    assert_string_equal(out, &"0123456789abcdefghij\n[]\n"[9]); /* the last 15 bytes */
    assert_false(tf_process_run((char *const *)(uintptr_t)fails, out, sizeof out, &err));
    assert_string_equal(err.message, "sh failed with exit status 3");
    assert_string_equal(err.detail, "why\n");
    tf_error_clear(&err);
    assert_false(tf_process_run((char *const *)(uintptr_t)killed, out, sizeof out, &err));
    assert_non_null(strstr(err.message, "sh was killed by signal 9"));
    tf_error_clear(&err);
    assert_false(tf_process_run((char *const *)(uintptr_t)absent, out, sizeof out, &err));
    assert_string_equal(err.message, "cannot execute no-such-program");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(process__runs_after_its_release_only),
        TEST(process__whose_starter_dies_before_the_release_ends),
        TEST(process__that_cannot_be_executed_is_an_error),
        TEST(process__without_a_log_is_an_error),
        TEST(process__deaf_to_sigterm_is_killed),
        TEST(process__of_a_reused_pid_is_not_touched),
        TEST(process__none_has_pid_0),
        TEST(run__tells_output_and_failure_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
