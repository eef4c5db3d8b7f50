#include "report/terminal.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/number.h"
#include "base/outlet.h"

enum { USUAL_WIDTH = 80, NARROWEST = 20, WIDEST = 1000 };

static const char *color_mode = "auto";

void tf_terminal_set_color(const char *color)
{
    color_mode = color;
}

static size_t width_of(int fd, bool tty)
{
    struct winsize size = {0};
    int64_t columns = 0;
    const char *variable = getenv("COLUMNS");
    if (tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    else if (variable && tf_number_int64(variable, &columns) != TF_NUMBER_OK)
        columns = 0;
    return columns >= NARROWEST && columns <= WIDEST ? (size_t)columns : USUAL_WIDTH;
}

tf_terminal tf_terminal_of(FILE *stream)
{
    int fd = tf_outlet_fd(stream); /* -1 for a stream in memory */
    bool tty = fd >= 0 && isatty(fd);
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool capable = tty && term && *term && strcmp(term, "dumb") != 0;
    bool wanted = capable && !(no_color && *no_color);
    if (strcmp(color_mode, "auto") != 0)
        wanted = strcmp(color_mode, "always") == 0;
    return (tf_terminal){.interactive = capable,
                         .color = wanted,
                         .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                         .width = width_of(fd, tty)};
}
