#include "report/progress.h"

#include <tokenfix/bson.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/text.h"
#include "report/format.h"
#include "report/log.h"
#include "report/terminal.h"

enum { REDRAW_MS = 100, LINE_MS = 5000, TEXT_MAX = 1024, BAR_MAX = 40, BAR_MIN = 8 };

struct tf_progress {
    tf_progress_state state;
    char *label;
    char note[160];
    unsigned flags;
    bool bar;     /* redraws one line */
    bool is_log;  /* standard error is the log's: nothing is drawn there */
    bool started; /* the first value is known: the rate counts from there */
    bool drawn;   /* something stands on the line / was printed */
    int64_t start, next;
    tf_terminal terminal;
};

tf_progress *tf_progress_new(const char *label, int64_t total, unsigned flags)
{
    tf_progress *p = bson_malloc0(sizeof *p);
    p->label = bson_strdup(label);
    p->terminal = tf_terminal_of(stderr);
    p->flags = flags;
    p->is_log = tf_log_has_stderr();
    p->bar = p->terminal.interactive && !p->is_log && !(flags & (TF_PROGRESS_LINES | TF_PROGRESS_QUIET));
    p->state = (tf_progress_state){.label = p->label, .note = p->note, .total = total};
    p->start = tf_clock_ms();
    p->next = p->start + (p->bar ? 0 : LINE_MS);
    return p;
}

static void append(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

static void append_bar(char *out, size_t size, size_t cells, double part, bool utf8)
{
    size_t full = (size_t)(part * (double)cells);
    append(out, size, " ");
    for (size_t i = 0; i < cells; i++)
        append(out, size, "%s", i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
}

const char *tf_progress_render(const tf_progress_state *state, size_t width, bool utf8, char *out, size_t size)
{
    int64_t fresh = state->done - state->first;
    double seconds = (double)state->elapsed_ms / 1000, rate = seconds > 0 && fresh > 0 ? (double)fresh / seconds : 0;
    double part = state->total > 0 ? (double)state->done / (double)state->total : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    char tail[512] = "";
    if (state->total <= 0 && state->done <= 0)
        append(tail, sizeof tail, " ...");
    else if (state->total > 0)
        append(tail, sizeof tail, " %d %%, %s of %s", (int)(part * 100), TF_COUNT(state->done), TF_COUNT(state->total));
    else
        append(tail, sizeof tail, " %s", TF_COUNT(state->done));
    if (rate > 0)
        append(tail, sizeof tail, ", %s/s", tf_format_real(rate, rate < 10 ? 1 : 0, (char[TF_FORMAT_MAX]){0}));
    double left = rate > 0 ? (double)(state->total - state->done) / rate : 0;
    if (rate > 0 && state->total > state->done && left < 1e8)
        append(tail, sizeof tail, ", %s left", TF_DURATION((int64_t)(left + 0.999) * 1000));
    if (state->note && *state->note)
        append(tail, sizeof tail, ", %s", TF_WORD(state->note));

    snprintf(out, size, "%s:", TF_WORD(state->label));
    size_t used = tf_text_width(out) + tf_text_width(tail);
    if (width > used + 1 + BAR_MIN && state->total > 0) {
        size_t cells = width - used - 1;
        append_bar(out, size, cells < BAR_MAX ? cells : BAR_MAX, part, utf8);
    }
    append(out, size, "%s", tail);
    return out;
}

static void draw(tf_progress *p)
{
    char text[TEXT_MAX], fitting[TEXT_MAX];
    size_t width = p->bar ? p->terminal.width - 1 : 0;
    p->state.elapsed_ms = tf_clock_ms() - p->start;
    tf_progress_render(&p->state, width, p->terminal.utf8, text, sizeof text);
    if (!p->bar && p->is_log) {
        tf_log(TF_LOG_DEBUG, NULL, "%s", text);
    } else if (!p->bar) {
        fprintf(stderr, "%s\n", text);
    } else {
        if (tf_text_width(text) > width) /* without a bar; ASCII but for the note: bytes are columns enough */
            tf_text_clean(text, fitting, width + 1 < sizeof fitting ? width + 1 : sizeof fitting);
        else
            snprintf(fitting, sizeof fitting, "%s", text);
        fprintf(stderr, "\r\033[K%s", fitting);
    }
    fflush(stderr);
    p->drawn = true;
}

void tf_progress_set(tf_progress *p, int64_t done, int64_t total, const char *note)
{
    if (!p->started) {
        p->started = true;
        p->state.first = done;
        p->start = tf_clock_ms();
    }
    p->state.done = done;
    p->state.total = total;
    if (note)
        tf_text_clean(note, p->note, sizeof p->note);
    else
        p->note[0] = '\0';
    if (p->flags & TF_PROGRESS_QUIET)
        return;
    int64_t now = tf_clock_ms();
    if (now >= p->next) {
        p->next = now + (p->bar ? REDRAW_MS : LINE_MS);
        draw(p);
    }
}

void tf_progress_say(tf_progress *p, const char *format, ...)
{
    char text[TEXT_MAX], clean[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tf_log(TF_LOG_INFO, NULL, "%s", strncmp(text, "tokenfix: ", 10) == 0 ? text + 10 : text);
    if (p->flags & TF_PROGRESS_QUIET || p->is_log)
        return;
    if (p->bar && p->drawn)
        fputs("\r\033[K", stderr);
    tf_text_wrap(stderr, tf_text_clean(text, clean, sizeof clean), 0, 0, p->terminal.width);
    if (p->bar && p->drawn)
        draw(p);
}

void tf_progress_done(tf_progress *p)
{
    if (!p)
        return;
    bool counted = p->state.total > 0 || p->state.done > 0;
    if (p->drawn && p->bar && !counted) { /* a phase that counts nothing leaves nothing behind */
        fputs("\r\033[K", stderr);
    } else if (p->drawn) {
        draw(p);
        if (p->bar)
            fputc('\n', stderr);
    }
    bson_free(p->label);
    bson_free(p);
}
