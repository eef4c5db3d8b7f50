#include "base/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t level;

static void on_signal(int signal_number)
{
    (void)signal_number;
    tf_stop_request();
}

void tf_stop_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int tf_stop_level(void)
{
    return level;
}

void tf_stop_request(void)
{
    if (level < 2)
        level = level + 1;
}
