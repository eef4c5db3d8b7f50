#include "notify/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { SLICE_MS = 50, MERCY_MS = 1000, LAST_MERCY_MS = 250, OWN_VARIABLES = 8 };

extern char **environ;

tf_alert_command *tf_alert_command_new(const char *line, int64_t limit_ms)
{
    tf_alert_command *command = bson_malloc0(sizeof *command);
    command->line = bson_strdup(line);
    command->limit_ms = limit_ms;
    return command;
}

void tf_alert_command_free(void *arg)
{
    tf_alert_command *command = arg;
    if (command)
        bson_free(command->line);
    bson_free(command);
}

/* ---- the environment ---- */

static char **make_environment(const tf_message *message)
{
    const char *const own[OWN_VARIABLES][2] = {
        {"EVENT", tf_alert_event_name(message->event)}, {"ID", message->id},
        {"NAME", message->name},                        {"SEVERITY", tf_level_name(message->level)},
        {"SUMMARY", message->summary},                  {"TEXT", message->text},
        {"DATABASE", message->database},                {"DELIVERY", message->delivery}};
    size_t count = 0;
    while (environ[count])
        count++;
    char **made = bson_malloc0((count + OWN_VARIABLES + 1) * sizeof *made);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "TOKENFIX_", 9) != 0)
            made[used++] = bson_strdup(environ[i]);
    for (size_t i = 0; i < OWN_VARIABLES; i++)
        made[used++] = bson_strdup_printf("TOKENFIX_ALERT_%s=%s", own[i][0], own[i][1]);
    return made;
}

/* ---- the process ---- */

/* Between fork and exec, in a program with threads: only what is safe in a signal handler. */
static _Noreturn void become(char *const *argv, char *const *env, int input)
{
    sigset_t none;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGPIPE, &usual, NULL);
    if (dup2(input, 0) == -1 || dup2(2, 1) == -1)
        _exit(126);
    close_range(3, ~0U, 0); /* our connections are nothing to it */
    execve(argv[0], argv, env);
    _exit(127);
}

static pid_t start(const tf_alert_command *command, const tf_message *message, int *input)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    char **env = make_environment(message);
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, command->line, NULL};
    pid_t pid = fork();
    if (pid == 0)
        become(argv, env, ends[0]);
    int reason = errno;
    if (pid > 0)
        setpgid(pid, pid); /* whichever of the two comes first */
    bson_strfreev(env);
    close(ends[0]);
    if (pid == -1) {
        close(ends[1]);
        errno = reason;
        return -1;
    }
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    *input = ends[1];
    return pid;
}

/* Writes what fits; closes the pipe at the end, or where nobody reads (which is the command's right). */
static void feed(int *input, const char **rest)
{
    ssize_t done = write(*input, *rest, strlen(*rest));
    if (done > 0)
        *rest += done;
    if (**rest == '\0' || (done == -1 && errno != EAGAIN && errno != EINTR)) {
        close(*input);
        *input = -1;
    }
}

/* Whether it ended by `until`. */
static bool attend(pid_t pid, int *input, const char *text, int64_t until, const atomic_bool *cancelled, int *status)
{
    while (waitpid(pid, status, WNOHANG) == 0) {
        struct pollfd pipe = {.fd = *input, .events = POLLOUT};
        if (tf_clock_ms() >= until || (cancelled && atomic_load(cancelled)))
            return false;
        if (poll(&pipe, 1, *input == -1 ? SLICE_MS / 5 : SLICE_MS) > 0)
            feed(input, &text);
    }
    return true;
}

static void end_group(pid_t pid, int *input, int64_t mercy_ms, int *status)
{
    kill(-pid, SIGTERM);
    bool ended = attend(pid, input, "", tf_clock_ms() + mercy_ms, NULL, status);
    kill(-pid, SIGKILL); /* also what it left behind */
    if (!ended)
        waitpid(pid, status, 0);
}

static bool judge(int status, tf_error *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status))
        return tf_error_set(err, TF_ERR_SYSTEM, "the alert command ended with status %d", WEXITSTATUS(status));
    return tf_error_set(err, TF_ERR_SYSTEM, "the alert command was ended by signal %d", WTERMSIG(status));
}

bool tf_alert_command_run(void *arg, const tf_message *message, const atomic_bool *cancelled, tf_error *err)
{
    const tf_alert_command *command = arg;
    int input = -1, status = 0;
    int64_t until = tf_clock_ms() + command->limit_ms;
    pid_t pid = start(command, message, &input);
    if (pid == -1)
        return tf_error_errno(err, errno, "the alert command cannot be started");
    bool ended = attend(pid, &input, message->json, until, cancelled, &status);
    if (!ended)
        end_group(pid, &input, atomic_load(cancelled) ? LAST_MERCY_MS : MERCY_MS, &status);
    if (input != -1)
        close(input);
    if (ended)
        return judge(status, err);
    if (atomic_load(cancelled))
        return tf_error_set(err, TF_ERR_INTERRUPTED, "the alert command was ended at the end of the program");
    return tf_error_set(err, TF_ERR_SYSTEM, "the alert command took longer than %g s and was ended", (double)command->limit_ms / 1000);
}
