#include "base/outlet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <tokenfix/bson.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wake.h"

enum { ROOM = 64 << 10, OUT = 1, ERR = 2 };

typedef struct line {
    struct line *next;
    int fd;
    size_t length;
    char text[];
} line;

/* A stream that collects bytes until they are a line. */
typedef struct source {
    int fd;
    FILE *stream, *before;
    char *part;
    size_t length, room;
} source;

static struct outlet {
    bool on;
    tf_wake wake; /* guards what follows */
    line *first, **last;
    size_t waiting; /* bytes */
    int64_t lost;   /* lines that did not fit */
    bool busy, over;
    int failed; /* errno of standard output */
    pthread_t thread;
    source out, err;
} outlet;

/* ---- in the thread ---- */

/* Whoever shares the terminal with us may have made it non-blocking. */
static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, text, length);
        if (done == -1 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (done == -1 && errno != EINTR)
            return errno;
        if (done > 0) {
            text += done;
            length -= (size_t)done;
        }
    }
    return 0;
}

static void say_lost(int64_t lost)
{
    char text[128];
    int length = snprintf(text, sizeof text, "tokenfix: warning: %lld line%s not printed, for nobody read\n", (long long)lost,
                          lost == 1 ? " was" : "s were");
    write_all(ERR, text, (size_t)length);
}

static line *take(int64_t *lost)
{
    line *next = outlet.first;
    *lost = 0;
    if (next) {
        outlet.first = next->next;
        outlet.waiting -= next->length;
        if (!outlet.first)
            outlet.last = &outlet.first;
    } else if (outlet.lost) {
        *lost = outlet.lost;
        outlet.lost = 0;
    }
    outlet.busy = next || *lost;
    return next;
}

static void *work(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&outlet.wake.mutex);
    for (;;) {
        int64_t lost = 0;
        line *next = take(&lost);
        if (!outlet.busy) {
            tf_wake_tell(&outlet.wake);
            if (outlet.wake.ended)
                break;
            pthread_cond_wait(&outlet.wake.told, &outlet.wake.mutex);
            continue;
        }
        bool refused = next && next->fd == OUT && outlet.failed;
        pthread_mutex_unlock(&outlet.wake.mutex);
        int failed = 0;
        if (lost)
            say_lost(lost);
        else if (!refused)
            failed = write_all(next->fd, next->text, next->length);
        pthread_mutex_lock(&outlet.wake.mutex);
        if (next && next->fd == OUT && failed)
            outlet.failed = failed;
        bson_free(next);
    }
    outlet.over = true;
    tf_wake_tell(&outlet.wake);
    pthread_mutex_unlock(&outlet.wake.mutex);
    return NULL;
}

/* ---- the streams ---- */

static void commit(source *from)
{
    if (!from->length)
        return;
    line *made = bson_malloc0(sizeof *made + from->length);
    made->fd = from->fd;
    made->length = from->length;
    memcpy(made->text, from->part, from->length);
    from->length = 0;
    pthread_mutex_lock(&outlet.wake.mutex);
    if (outlet.first && outlet.waiting + made->length > ROOM) {
        outlet.lost++;
        bson_free(made);
    } else {
        *outlet.last = made;
        outlet.last = &made->next;
        outlet.waiting += made->length;
    }
    tf_wake_tell(&outlet.wake);
    pthread_mutex_unlock(&outlet.wake.mutex);
}

static ssize_t collect(void *cookie, const char *text, size_t length)
{
    source *to = cookie;
    for (size_t i = 0; i < length; i++) {
        if (to->length == to->room) {
            to->room = to->room ? 2 * to->room : 1024;
            to->part = bson_realloc(to->part, to->room);
        }
        to->part[to->length++] = text[i];
        if (text[i] == '\n')
            commit(to);
    }
    return (ssize_t)length;
}

static bool open_source(source *to, int fd, FILE **stream, tf_error *err)
{
    *to = (source){.fd = fd, .before = *stream};
    fflush(*stream);
    to->stream = fopencookie(to, "w", (cookie_io_functions_t){.write = collect});
    if (!to->stream)
        return tf_error_errno(err, errno, "cannot open a stream");
    setvbuf(to->stream, NULL, _IOLBF, 0);
    *stream = to->stream;
    return true;
}

static void close_source(source *from, FILE **stream)
{
    if (!from->stream)
        return;
    *stream = from->before;
    fclose(from->stream);
    commit(from);
    bson_free(from->part);
    from->stream = NULL;
    from->part = NULL;
}

/* ---- */

bool tf_outlet_begin(tf_error *err)
{
    sigset_t all, before;
    outlet = (struct outlet){.last = &outlet.first};
    tf_wake_init(&outlet.wake);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the main thread */
    int failed = pthread_create(&outlet.thread, NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return tf_error_errno(err, failed, "cannot start a thread");
    outlet.on = true;
    if (open_source(&outlet.out, OUT, &stdout, err) && open_source(&outlet.err, ERR, &stderr, err))
        return true;
    tf_outlet_end(0);
    return false;
}

int tf_outlet_end(int64_t ms)
{
    if (!outlet.on)
        return 0;
    close_source(&outlet.out, &stdout);
    close_source(&outlet.err, &stderr);
    int64_t until = tf_clock_ms() + ms;
    pthread_mutex_lock(&outlet.wake.mutex);
    outlet.wake.ended = true;
    tf_wake_tell(&outlet.wake);
    for (int64_t left = ms; !outlet.over && left > 0; left = until - tf_clock_ms())
        tf_wake_wait(&outlet.wake, left);
    bool over = outlet.over;
    int failed = outlet.failed ? outlet.failed : over ? 0 : EAGAIN;
    pthread_mutex_unlock(&outlet.wake.mutex);
    outlet.on = false;
    if (!over) { /* it hangs in a write, and ends with the process */
        pthread_detach(outlet.thread);
        return failed;
    }
    pthread_join(outlet.thread, NULL);
    tf_wake_done(&outlet.wake);
    return failed;
}

int tf_outlet_fd(FILE *stream)
{
    return stream && stream == outlet.out.stream ? OUT : stream && stream == outlet.err.stream ? ERR : fileno(stream);
}
