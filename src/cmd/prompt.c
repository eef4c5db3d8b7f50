#include "cmd/prompt.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

static int open_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd == -1 && isatty(STDIN_FILENO))
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    return fd;
}

/* A line that does not fit is refused whole: half a password or half a name is not an answer. */
static bool read_line(int fd, char *answer, size_t size)
{
    size_t used = 0;
    char c = 0;
    for (;;) {
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

bool tf_prompt(const char *question, bool echo, char *answer, size_t size)
{
    answer[0] = '\0';
    int fd = open_terminal();
    if (fd == -1)
        return false;
    struct termios before;
    bool hidden = !echo && tcgetattr(fd, &before) == 0;
    if (hidden) {
        struct termios silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        silent.c_lflag |= ECHONL;
        hidden = tcsetattr(fd, TCSAFLUSH, &silent) == 0;
    }
    bool asked = (echo || hidden) && write(fd, question, strlen(question)) == (ssize_t)strlen(question);
    bool answered = asked && read_line(fd, answer, size);
    if (hidden)
        tcsetattr(fd, TCSAFLUSH, &before);
    close(fd);
    return answered;
}
