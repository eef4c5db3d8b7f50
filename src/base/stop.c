#include "base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static void (*last_word)(void); /* set before there are handlers */
static atomic_int level; /* lock-free: written in signal handlers, read by every worker */

/* One more request; whether it was heard as the first or the second. */
static bool raise_level(void)
{
    int now = atomic_load(&level);
    while (now < 2)
        if (atomic_compare_exchange_weak(&level, &now, now + 1)) /* another thread's signal may come in between: both count */
            return true;
    return false;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    if (raise_level())
        return;
    if (last_word)
        last_word();
    _exit(tf_error_exit(TF_ERR_INTERRUPTED)); /* a look into a constant table: safe here */
}

void tf_stop_install(void (*say)(void))
{
    last_word = say;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}; /* a slow reader of our output loses nothing */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int tf_stop_level(void)
{
    return atomic_load(&level);
}

bool tf_stop_at_once(tf_error *err, const char *where)
{
    if (tf_stop_level() < 2)
        return false;
    tf_error_set(err, TF_ERR_INTERRUPTED, "stopped at once, %s", where);
    return true;
}

void tf_stop_request(void)
{
    (void)raise_level();
}
