#include "sandbox/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <tokenfix/cleanup.h>
#include <time.h>
#include <unistd.h>

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static ssize_t slurp(const char *path, char *out, size_t size)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, out, size - 1);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

static bool boot_id(char out[40])
{
    if (slurp("/proc/sys/kernel/random/boot_id", out, 40) <= 0)
        return false;
    out[strcspn(out, "\n")] = '\0';
    return true;
}

/* The name in field 2 may hold spaces and parentheses: fields are counted from its last ')'. */
static bool read_stat(pid_t pid, char *state, uint64_t *started)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (slurp(path, text, sizeof text) <= 0)
        return false;
    char *field = strrchr(text, ')');
    if (!field || sscanf(field, ") %c", state) != 1)
        return false;
    for (int i = 2; field && i < 22; i++)
        field = strchr(field + 1, ' ');
    return field && sscanf(field, "%" SCNu64, started) == 1;
}

bool tf_process_identify(pid_t pid, tf_process *process)
{
    tf_process found = {.pid = pid, .gate = -1, .report = -1};
    char state = 0;
    if (pid <= 0 || !read_stat(pid, &state, &found.started) || state == 'Z' || state == 'X' || !boot_id(found.boot))
        return false;
    *process = found;
    return true;
}

bool tf_process_alive(const tf_process *process)
{
    tf_process now;
    return tf_process_identify(process->pid, &now) && now.started == process->started &&
           strcmp(now.boot, process->boot) == 0;
}

/* The rest runs between fork and exec: nothing but async-signal-safe calls. */
static _Noreturn void daemon_main(const char *log, const char *cwd, char *const *argv, int gate, int report)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t self = getpid();
    char go;
    if (null < 0 || out < 0 || chdir(cwd) != 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(126);
    if (write(report, &self, sizeof self) != sizeof self || read(gate, &go, 1) != 1)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    static const int reset[] = {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGQUIT, SIGCHLD, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof reset / sizeof reset[0]; i++)
        signal(reset[i], SIG_DFL);
    (void)syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    execv(argv[0], argv);
    int failed = errno;
    if (write(report, &failed, sizeof failed) < 0)
        _exit(126);
    _exit(127);
}

bool tf_process_spawn(const char *log, const char *cwd, char *const *argv, tf_process *process, tf_error *err)
{
    int gates[2] = {-1, -1}, reports[2] = {-1, -1};
    if (pipe2(gates, O_CLOEXEC) != 0)
        return tf_error_errno(err, errno, "cannot make a pipe");
    _cleanup_(closep) int gate_in = gates[0];
    _cleanup_(closep) int gate_out = gates[1];
    if (pipe2(reports, O_CLOEXEC) != 0)
        return tf_error_errno(err, errno, "cannot make a pipe");
    _cleanup_(closep) int report_in = reports[0];
    _cleanup_(closep) int report_out = reports[1];

    pid_t child = fork();
    if (child < 0)
        return tf_error_errno(err, errno, "cannot start a process");
    if (child == 0) {
        close(gate_out);
        if (setsid() < 0)
            _exit(126);
        pid_t grandchild = fork();
        if (grandchild != 0)
            _exit(grandchild < 0 ? 126 : 0);
        daemon_main(log, cwd, argv, gate_in, report_out);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    closep(&report_out);
    pid_t pid = 0;
    if (status != 0 || read(report_in, &pid, sizeof pid) != sizeof pid)
        return tf_error_set(err, TF_ERR_SYSTEM, "cannot start a process with its log in %s", log);
    if (!tf_process_identify(pid, process))
        return tf_error_set(err, TF_ERR_SYSTEM, "process %d vanished while it was started", (int)pid);
    process->gate = gate_out;
    process->report = report_in;
    gate_out = report_in = -1;
    return true;
}

bool tf_process_release(tf_process *process, tf_error *err)
{
    _cleanup_(closep) int gate = process->gate;
    _cleanup_(closep) int report = process->report;
    process->gate = process->report = -1;
    if (write(gate, "g", 1) != 1)
        return tf_error_errno(err, errno, "cannot start process %d", (int)process->pid);
    int failed = 0;
    if (read(report, &failed, sizeof failed) == sizeof failed)
        return tf_error_errno(err, failed, "cannot execute the program");
    return true;
}

/* With a pidfd the check of the start time and the signal are about the same process; without one (an old kernel)
 * they are a moment apart. */
static bool send_signal(const tf_process *process, int number)
{
    _cleanup_(closep) int fd = (int)syscall(SYS_pidfd_open, process->pid, 0U);
    if (!tf_process_alive(process))
        return true;
    if (fd >= 0)
        return syscall(SYS_pidfd_send_signal, fd, number, NULL, 0U) == 0 || errno == ESRCH;
    return kill(process->pid, number) == 0 || errno == ESRCH;
}

static bool wait_gone(const tf_process *process, int patience_ms)
{
    for (int waited = 0; tf_process_alive(process); waited += 10) {
        if (waited >= patience_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    return true;
}

bool tf_process_end(const tf_process *process, int patience_ms, tf_error *err)
{
    if (!send_signal(process, SIGTERM))
        return tf_error_errno(err, errno, "cannot end process %d", (int)process->pid);
    if (wait_gone(process, patience_ms))
        return true;
    if (!send_signal(process, SIGKILL))
        return tf_error_errno(err, errno, "cannot kill process %d", (int)process->pid);
    if (wait_gone(process, 10000))
        return true;
    return tf_error_set(err, TF_ERR_SYSTEM, "process %d does not end", (int)process->pid);
}

/* Keeps the last size - 1 bytes of what fd yields. */
static void drain(int fd, char *out, size_t size)
{
    char block[4096];
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        const char *from = block;
        size_t more = (size_t)n;
        if (more >= size) {
            from += more - (size - 1);
            more = size - 1;
        }
        if (used + more > size - 1) {
            size_t drop = used + more - (size - 1);
            memmove(out, out + drop, used - drop);
            used -= drop;
        }
        memcpy(out + used, from, more);
        used += more;
    }
    out[used] = '\0';
}

bool tf_process_run(char *const *argv, char *out, size_t out_size, tf_error *err)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return tf_error_errno(err, errno, "cannot make a pipe");
    _cleanup_(closep) int in = pipes[0];
    _cleanup_(closep) int to = pipes[1];
    pid_t child = fork();
    if (child < 0)
        return tf_error_errno(err, errno, "cannot start %s", argv[0]);
    if (child == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, 0) < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0)
            _exit(126);
        execvp(argv[0], argv);
        _exit(127);
    }
    closep(&to);
    drain(in, out, out_size);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        tf_error_set(err, TF_ERR_SYSTEM, "%s was killed by signal %d (%s)", argv[0], WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == 127 && !out[0])
        tf_error_set(err, TF_ERR_SYSTEM, "cannot execute %s", argv[0]);
    else
        tf_error_set(err, TF_ERR_SYSTEM, "%s failed with exit status %d", argv[0], WEXITSTATUS(status));
    return tf_error_detail(err, "%s", out);
}
