/* What a stream can show: width, colours, UTF-8. */
#ifndef TF_REPORT_TERMINAL_H
#define TF_REPORT_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

typedef struct tf_terminal {
    bool interactive; /* a terminal that can move its cursor */
    bool color;
    bool utf8;
    size_t width; /* columns: the terminal's, or COLUMNS, or 80 */
} tf_terminal;

/* `color`: "auto" (a terminal, NO_COLOR not set, TERM not dumb), "always" or "never". For the whole process. */
void tf_terminal_set_color(const char *color);

tf_terminal tf_terminal_of(FILE *stream);

#endif
