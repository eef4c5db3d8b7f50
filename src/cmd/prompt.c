#include "cmd/prompt.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static int open_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd == -1 && isatty(STDIN_FILENO))
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd;
}

/* A line that does not fit is refused whole: half a password or half a name is not an answer. With a mask the signals that it lets
 * through are heard while there is nothing to read, and at no other time. */
static bool read_line(int fd, const sigset_t *mask, char *answer, size_t size)
{
    size_t used = 0;
    char c = 0;
    for (;;) {
        if (mask && ppoll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, NULL, mask) != 1)
            break;
        ssize_t got = read(fd, &c, 1);
        if (got != 1)
            break;
        if (c == '\n')
            break;
        if (used + 1 < size)
            answer[used] = c;
        used++;
    }
    bool good = c == '\n' && used < size;
    answer[good ? used : 0] = '\0';
    return good;
}

/* ---- without an echo ---- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof *signals };

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* They are blocked, and let through by *mask. */
static void catch_signals(struct sigaction before[static SIGNALS], sigset_t *mask)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;
    sigemptyset(&action.sa_mask);
    sigemptyset(&blocked);
    caught = 0;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&blocked, signals[i]);
    sigprocmask(SIG_BLOCK, &blocked, mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

static bool ask(int fd, const sigset_t *mask, const char *question, char *answer, size_t size)
{
    return write(fd, question, strlen(question)) == (ssize_t)strlen(question) && read_line(fd, mask, answer, size);
}

/* Whoever ends or stops us while a password is typed gets back a terminal that shows what is typed. */
static bool ask_hidden(int fd, const char *question, char *answer, size_t size)
{
    struct termios before, silent;
    struct sigaction actions[SIGNALS];
    sigset_t mask;
    if (tcgetattr(fd, &before) != 0)
        return false;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ECHONL;
    for (;;) {
        catch_signals(actions, &mask);
        bool answered = tcsetattr(fd, TCSAFLUSH, &silent) == 0 && ask(fd, &mask, question, answer, size);
        tcsetattr(fd, TCSAFLUSH, &before);
        for (size_t i = 0; i < SIGNALS; i++)
            sigaction(signals[i], &actions[i], NULL);
        int number = caught;
        if (number)
            raise(number);
        sigprocmask(SIG_SETMASK, &mask, NULL); /* here it acts */
        if (number != SIGTSTP) /* else it is asked again when it goes on */
            return answered && !number;
    }
}

bool tf_prompt(const char *question, bool echo, char *answer, size_t size)
{
    answer[0] = '\0';
    int fd = open_terminal();
    if (fd == -1)
        return false;
    bool answered = echo ? ask(fd, NULL, question, answer, size) : ask_hidden(fd, question, answer, size);
    close(fd);
    return answered;
}
