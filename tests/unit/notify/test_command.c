/* The alert command: what it is given, and that it never outlives its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notify/command.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/notify/message.h"

static char folder[64];
static tf_error err;

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tf-command-XXXXXX");
    return mkdtemp(folder) ? chdir(folder) : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink("out");
    unlink("env");
    unlink("pid");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static bool run(const char *line, int64_t limit_ms, const atomic_bool *cancelled)
{
    static const atomic_bool going;
    tf_alert_command *command = tf_alert_command_new(line, limit_ms);
    _cleanup_(tf_message_freep) tf_message *message = sample_message("it's \"12\" $(tokens)\n", "{\"count\": 12}");
    err = (tf_error){0};
    bool ok = tf_alert_command_run(command, message, cancelled ? cancelled : &going, &err);
    tf_alert_command_free(command);
    return ok;
}

static const char *content(const char *file)
{
    static char text[65536];
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    return text;
}

static void command__gets_json_and_variables(void **state)
{
    (void)state;
    setenv("TOKENFIX_PASSWORD", "pw", 1);
    assert_true(run("cat >out; env >env", 20000, NULL));
    assert_non_null(strstr(content("out"), "\"count\": 12"));
    assert_non_null(strstr(content("out"), "\"alert\": \"melted_unspent\""));
    static const char *const lines[] = {"TOKENFIX_ALERT_EVENT=raised\n", "TOKENFIX_ALERT_NAME=melted_unspent\n",
                                        "TOKENFIX_ALERT_SEVERITY=high\n", "TOKENFIX_ALERT_DATABASE=wallet\n",
                                        "TOKENFIX_ALERT_SUMMARY=it's \"12\" $(tokens) \n",
                                        "TOKENFIX_ALERT_ID=004/melted_unspent\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(content("env"), lines[i]))
            fail_msg("no %s in %s", lines[i], content("env"));
    assert_null(strstr(content("env"), "TOKENFIX_PASSWORD"));
    unsetenv("TOKENFIX_PASSWORD");
}

static void command__need_not_read(void **state)
{
    (void)state;
    assert_true(run("exec <&-; true", 20000, NULL));
}

static void command__that_fails_is_said(void **state)
{
    (void)state;
    assert_false(run("cat >/dev/null; exit 3", 20000, NULL));
    assert_string_equal(err.message, "the alert command ended with status 3");
    assert_false(run("kill -9 $$", 20000, NULL));
    assert_string_equal(err.message, "the alert command was ended by signal 9");
    assert_false(run("/nonexistent/program", 20000, NULL));
    assert_string_equal(err.message, "the alert command ended with status 127");
}

static bool is_gone(pid_t pid)
{
    for (int n = 0; n < 500; n++) {
        char path[64], state = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *in = fopen(path, "r");
        if (!in || fscanf(in, "%*d %*s %c", &state) != 1 || state == 'Z') {
            if (in)
                fclose(in);
            return true;
        }
        fclose(in);
        usleep(10000);
    }
    return false;
}

static void command__that_takes_too_long_is_ended_with_its_group(void **state)
{
    (void)state;
    assert_false(run("trap '' TERM; sleep 300 & echo $! >pid; while :; do sleep 300; done", 400, NULL));
    assert_non_null(strstr(err.message, "took longer than 0.4 s"));
    assert_true(is_gone((pid_t)atoi(content("pid"))));
}

static void command__is_ended_when_the_program_ends(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    int64_t begun = tf_clock_ms();
    assert_false(run("sleep 300", 200000, &cancelled));
    assert_true(tf_clock_ms() - begun < 60000);
    assert_int_equal(err.code, TF_ERR_INTERRUPTED);
    assert_null(strstr(err.message, "took longer"));
}

#define COMMAND_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(command__gets_json_and_variables),
        COMMAND_TEST(command__need_not_read),
        COMMAND_TEST(command__that_fails_is_said),
        COMMAND_TEST(command__that_takes_too_long_is_ended_with_its_group),
        COMMAND_TEST(command__is_ended_when_the_program_ends),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
