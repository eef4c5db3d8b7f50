#include "support/series.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 1024 };

static tf_series running; /* as it was when its present repetition began */
static int64_t began;

static const char *setting(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static uint64_t hash_of(const char *name)
{
    uint64_t h = 0;
    for (; *name; name++)
        h = tf_random_mix(h ^ (uint8_t)*name);
    return h;
}

/* Repetitions since the last failure: whatever was repaired then has to pass them all again. */
static int done_before(const char *name)
{
    char line[LINE], key[256], result[16];
    int done = 0, times;
    const char *path = setting("TF_FAULT_RESULTS");
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    snprintf(key, sizeof key, "%s/%s", program_invocation_short_name, name);
    size_t length = strlen(key);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) != 0 || line[length] != '\t')
            continue;
        if (sscanf(line + length, "\t%*[^\t]\t%*d\t%15[^\t]\t%d", result, &times) == 2)
            done = strcmp(result, "passed") == 0 ? done + times : 0;
    }
    fclose(file);
    return done;
}

/* One write, so that lines of programs that run at the same time stay whole. */
static void record(const tf_series *s, bool passed)
{
    char line[LINE], when[32], recovery[24] = "-";
    const char *path = setting("TF_FAULT_RESULTS"), *where = setting("TF_FAULT_WHERE");
    if (!path)
        return;
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    if (s->recovery_ms >= 0)
        snprintf(recovery, sizeof recovery, "%" PRId64, s->recovery_ms);
    int length = snprintf(line, sizeof line, "%s/%s\t%s\t%d\t%s\t1\t%s\t%d\t%" PRIu64 "\t%s\t%s\n", program_invocation_short_name,
                          s->name, s->what, s->full, passed ? "passed" : "failed", recovery, s->workers, s->own_seed, when,
                          where ? where : "-\t-\t-\t-");
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (length >= LINE || fd < 0 || write(fd, line, (size_t)length) != length)
        print_error("%s: a result cannot be recorded\n", path);
    if (fd >= 0)
        close(fd);
}

/* The test left its loop: by an assertion. */
static void close_failed(void)
{
    if (!running.open)
        return;
    running.open = false;
    record(&running, false);
    print_error("%s failed; repeat it with TF_FAULT_CASE=%s TF_FAULT_AT=%d TF_FAULT_SEED=%" PRIu64 " TF_FAULT_WORKERS=%d%s\n",
                running.name, running.name, running.at, running.own_seed, running.workers, tf_series_is_full() ? " TF_FAULT_FULL=1" : "");
}

bool tf_series_is_full(void)
{
    return setting("TF_FAULT_FULL") != NULL;
}

tf_series tf_series_begin(const char *name, const char *what, int quick, int full)
{
    static bool hooked;
    close_failed();
    if (!hooked) {
        atexit(close_failed);
        began = tf_clock_ms();
    }
    hooked = true;
    tf_series s = {.name = name, .what = what, .full = full, .times = quick, .recovery_ms = -1};
    const char *seed = setting("TF_FAULT_SEED"), *times = setting("TF_FAULT_TIMES"), *only = setting("TF_FAULT_CASE"), *at = setting("TF_FAULT_AT");
    if (seed)
        s.seed = strtoull(seed, NULL, 10);
    else if (getrandom(&s.seed, sizeof s.seed, 0) != sizeof s.seed)
        fail_msg("no random numbers");
    if (tf_series_is_full()) {
        s.first = done_before(name);
        s.times = full > s.first ? full - s.first : 0;
    } else
        s.first = (int)(tf_random_mix(s.seed ^ hash_of(name)) % 1000000);
    if (at)
        s.first = atoi(at);
    if (times || at)
        s.times = times ? atoi(times) : 1;
    if (only && strcmp(only, name) != 0)
        s.times = 0;
    if (s.times > 0)
        print_message("%s: %d times, TF_FAULT_SEED=%" PRIu64 "\n", name, s.times, s.seed);
    return s;
}

/* One and four, four repetitions each: two directions by two strategies. */
static int workers_of(const tf_series *s)
{
    const char *given = setting("TF_FAULT_WORKERS");
    return given ? atoi(given) : s->at / 4 % 2 ? 4 : 1;
}

static bool out_of_time(void)
{
    const char *seconds = setting("TF_FAULT_SECONDS");
    return seconds && tf_clock_ms() - began >= atoll(seconds) * 1000;
}

bool tf_series_next(tf_series *s)
{
    if (s->open)
        record(s, true);
    running.open = s->open = false;
    if (s->n >= s->times || out_of_time())
        return false;
    s->at = s->first + s->n++;
    s->own_seed = setting("TF_FAULT_AT") ? s->seed : tf_random_mix(s->seed + (uint64_t)s->at);
    s->random = tf_random_stream(hash_of(s->name), s->own_seed);
    s->workers = workers_of(s);
    s->recovery_ms = -1;
    s->open = true;
    running = *s;
    return true;
}

void tf_series_recovered(tf_series *s, int64_t ms)
{
    if (ms > s->recovery_ms)
        s->recovery_ms = ms;
}
