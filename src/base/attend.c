#include "base/attend.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/stop.h"

enum { LONGEST_MS = 3600000 };

static void ours(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

bool tf_attend_begin(tf_attend *attend, tf_error *err)
{
    sigset_t set;
    ours(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    attend->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    attend->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (attend->signals != -1 && attend->told != -1)
        return true;
    tf_error_errno(err, errno, "cannot wait for signals");
    tf_attend_done(attend);
    return false;
}

void tf_attend_done(tf_attend *attend)
{
    if (attend->signals > 0)
        close(attend->signals);
    if (attend->told > 0)
        close(attend->told);
    *attend = (tf_attend){.signals = -1, .told = -1};
}

void tf_attend_tell(const tf_attend *attend)
{
    uint64_t one = 1;
    while (write(attend->told, &one, sizeof one) == -1 && errno == EINTR)
        continue;
}

static unsigned read_signals(int fd)
{
    struct signalfd_siginfo info;
    unsigned calls = 0;
    while (read(fd, &info, sizeof info) == sizeof info) {
        calls |= info.ssi_signo == SIGHUP ? TF_CALL_RELOAD : TF_CALL_STOP;
        if (info.ssi_signo != SIGHUP)
            tf_stop_request();
    }
    return calls;
}

unsigned tf_attend_wait(const tf_attend *attend, int64_t ms)
{
    struct pollfd fds[] = {{.fd = attend->signals, .events = POLLIN}, {.fd = attend->told, .events = POLLIN}};
    uint64_t count;
    unsigned calls = 0;
    int64_t patience = ms < 0 ? 0 : ms < LONGEST_MS ? ms : LONGEST_MS;
    if (poll(fds, 2, (int)patience) <= 0)
        return 0;
    if (fds[0].revents)
        calls |= read_signals(attend->signals);
    if (fds[1].revents && read(attend->told, &count, sizeof count) == sizeof count)
        calls |= TF_CALL_TOLD;
    return calls;
}
