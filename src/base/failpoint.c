#include "base/failpoint.h"

#ifdef TF_FAILPOINTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

enum { POINTS_MAX = 64 };

static struct {
    char name[64];
    char action[32];
    int at;
    atomic_int passed;
} points[POINTS_MAX];
static int count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *text = getenv("TOKENFIX_FAILPOINT");
    if (!text)
        return;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    char *save = NULL;
    for (char *item = strtok_r(copy, ",", &save); item && count < POINTS_MAX; item = strtok_r(NULL, ",", &save)) {
        char *action = strchr(item, '=');
        if (!action)
            continue;
        *action++ = '\0';
        char *at = strchr(action, '@');
        if (at)
            *at++ = '\0';
        snprintf(points[count].name, sizeof points[count].name, "%s", item);
        snprintf(points[count].action, sizeof points[count].action, "%s", action);
        points[count].at = at ? atoi(at) : 1;
        count++;
    }
}

static void act(const char *action)
{
    if (strcmp(action, "kill") == 0)
        kill(getpid(), SIGKILL);
    else if (strcmp(action, "stop") == 0)
        kill(getpid(), SIGSTOP);
    else if (strcmp(action, "interrupt") == 0)
        kill(getpid(), SIGINT);
    else if (strncmp(action, "sleep:", 6) == 0) {
        long ms = atol(action + 6);
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000}, NULL);
    }
}

void tf_failpoint_pass(const char *name)
{
    pthread_once(&once, read_environment);
    const char *log = getenv("TOKENFIX_FAILPOINT_LOG");
    if (log) {
        FILE *file = fopen(log, "a");
        if (file) {
            fprintf(file, "%s\n", name);
            fclose(file);
        }
    }
    for (int i = 0; i < count; i++)
        if (strcmp(points[i].name, name) == 0 && atomic_fetch_add(&points[i].passed, 1) + 1 == points[i].at)
            act(points[i].action);
}

#else
typedef int tf_failpoint_unused; /* ISO C forbids an empty translation unit */
#endif
