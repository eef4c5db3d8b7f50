/* The proxy of support/proxy.c as a child of the test: it ends with the test, whatever becomes of that. */
#ifndef TF_TESTS_PROXY_H
#define TF_TESTS_PROXY_H

#include "support/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct tf_proxy {
    pid_t pid;
    FILE *commands, *answers;
    unsigned servers;
    int port[TF_SANDBOX_NODES]; /* where it listens for each server */
} tf_proxy;

static inline int tf_proxy_answer(tf_proxy *proxy)
{
    char line[32];
    if (!fgets(line, sizeof line, proxy->answers))
        fail_msg("the proxy ended");
    return atoi(line);
}

/* A command as support/proxy.c lists them; returns its answer. */
static inline int __attribute__((format(printf, 2, 3))) tf_proxy_say(tf_proxy *proxy, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(proxy->commands, format, args);
    va_end(args);
    fputc('\n', proxy->commands);
    fflush(proxy->commands);
    return tf_proxy_answer(proxy);
}

static inline void tf_proxy_start(tf_proxy *proxy, const int *ports, unsigned count)
{
    int in[2], out[2];
    char text[TF_SANDBOX_NODES][16];
    char *argv[TF_SANDBOX_NODES + 2] = {(char *)(uintptr_t)TF_TEST_PROXY_PATH};
    *proxy = (tf_proxy){.servers = count};
    for (unsigned i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%d", ports[i]);
        argv[i + 1] = text[i];
    }
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    proxy->pid = fork();
    if (proxy->pid == 0) {
        if (dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1)
            execv(argv[0], argv);
        _exit(127);
    }
    assert_true(proxy->pid > 0);
    close(in[0]);
    close(out[1]);
    proxy->commands = fdopen(in[1], "w");
    proxy->answers = fdopen(out[0], "r");
    for (unsigned i = 0; i < count; i++)
        proxy->port[i] = tf_proxy_answer(proxy);
}

static inline void tf_proxy_stop(tf_proxy *proxy)
{
    if (proxy->pid <= 0)
        return;
    fclose(proxy->commands); /* its sign to end */
    fclose(proxy->answers);
    waitpid(proxy->pid, NULL, 0);
    *proxy = (tf_proxy){0};
}

#endif
