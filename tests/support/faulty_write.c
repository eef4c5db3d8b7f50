/*
 * Runs a program one of whose writes fails:  tf-faulty-write KIND N PROGRAM ARGUMENTS...
 * KIND: enospc, eio, eintr (the n-th write or fsync returns that), short (the n-th write takes half), full, broken (as enospc and eio,
 * from the n-th on). N 0: none. What counts are write, writev, pwrite64, fsync and fdatasync on anything but a socket, of this
 * process and not of its children. The kernel asks this process what to answer (seccomp's user notification), so nothing in the
 * program is other than it is. With TF_FAULTY_COUNT=FILE the number of calls is written there. Exit status: the program's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    const char *kind;
    long n, calls;
    pid_t child;
} plan;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "faulty_write: %s: %s\n", what, strerror(errno));
    if (plan.child > 0)
        kill(plan.child, SIGKILL);
    exit(125);
}

static int install_filter(void)
{
#define ASK(call)                                                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ASK(write),
        ASK(writev),
        ASK(pwrite64),
        ASK(fsync),
        ASK(fdatasync),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void send_fd(int through, int fd)
{
    char byte = 0, space[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (sendmsg(through, &message, 0) != 1)
        _exit(125);
}

static int receive_fd(int through)
{
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    int fd;
    if (recvmsg(through, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
        die("the listener did not come");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static bool is_socket(const struct seccomp_notif *call)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/proc/%u/fd/%d", call->pid, (int)call->data.args[0]);
    return stat(path, &about) == 0 && S_ISSOCK(about.st_mode);
}

static pid_t process_of(pid_t thread)
{
    char path[64], line[256];
    int process = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Tgid: %d", &process) == 1)
            break;
    if (file)
        fclose(file);
    return process;
}

/* Writes the first half in the program's place. */
static int64_t write_half(const struct seccomp_notif *call)
{
    size_t length = call->data.args[2] / 2;
    char *data = malloc(length);
    struct iovec here = {.iov_base = data, .iov_len = length},
                 there = {.iov_base = (void *)(uintptr_t)call->data.args[1], .iov_len = length};
    int process = (int)syscall(SYS_pidfd_open, plan.child, 0);
    int fd = (int)syscall(SYS_pidfd_getfd, process, (int)call->data.args[0], 0);
    if (!data || fd < 0 || process_vm_readv(plan.child, &here, 1, &there, 1, 0) != (ssize_t)length)
        die("cannot write in the program's place");
    int64_t done = write(fd, data, length);
    free(data);
    close(fd);
    close(process);
    return done;
}

static void answer(const struct seccomp_notif *call, struct seccomp_notif_resp *reply)
{
    static const struct {
        const char *kind;
        int error;
        bool for_ever;
    } kinds[] = {{"enospc", ENOSPC, false},
                 {"eio", EIO, false},
                 {"eintr", EINTR, false},
                 {"full", ENOSPC, true},
                 {"broken", EIO, true}};
    reply->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    if (process_of((pid_t)call->pid) != plan.child || is_socket(call))
        return;
    long at = ++plan.calls;
    if (plan.n == 0 || at < plan.n)
        return;
    if (at == plan.n && strcmp(plan.kind, "short") == 0 && call->data.nr == __NR_write && call->data.args[2] > 1) {
        reply->flags = 0;
        reply->val = write_half(call);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(plan.kind, kinds[i].kind) == 0 && (at == plan.n || kinds[i].for_ever)) {
            reply->flags = 0;
            reply->error = -kinds[i].error;
        }
}

static void serve(int listener)
{
    struct seccomp_notif call;
    struct seccomp_notif_resp reply;
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (poll(&ready, 1, -1) == 1 && (ready.revents & POLLIN)) {
        memset(&call, 0, sizeof call);
        memset(&reply, 0, sizeof reply);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
            if (errno == EINTR || errno == ENOENT)
                continue;
            die("receive");
        }
        reply.id = call.id;
        answer(&call, &reply);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply) != 0 && errno != ENOENT)
            die("send");
    }
}

static void write_count(void)
{
    const char *path = getenv("TF_FAULTY_COUNT");
    FILE *file = path ? fopen(path, "we") : NULL;
    if (file) {
        fprintf(file, "%ld\n", plan.calls);
        fclose(file);
    }
}

int main(int argc, char **argv)
{
    int pair[2], status = 0;
    if (argc < 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return 2;
    plan.kind = argv[1];
    plan.n = atol(argv[2]);
    plan.child = fork();
    if (plan.child < 0)
        die("fork");
    if (plan.child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int listener = install_filter();
        if (listener < 0)
            _exit(125);
        send_fd(pair[1], listener);
        close(listener);
        execv(argv[3], argv + 3);
        _exit(127);
    }
    close(pair[1]);
    int listener = receive_fd(pair[0]);
    serve(listener); /* until nobody with the filter lives */
    if (waitpid(plan.child, &status, 0) != plan.child)
        die("wait");
    write_count();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
