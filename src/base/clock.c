#include "base/clock.h"

#include "base/stop.h"

#include <sys/random.h>
#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t tf_clock_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t tf_clock_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t tf_clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void tf_clock_sleep_ms(int64_t ms)
{
    int before = tf_stop_level();
    int64_t until = tf_clock_ms() + ms;
    for (int64_t left = ms; left > 0 && tf_stop_level() == before; left = until - tf_clock_ms()) {
        int64_t slice = left < 50 ? left : 50;
        nanosleep(&(struct timespec){.tv_nsec = slice * 1000000}, NULL);
    }
}

uint64_t tf_clock_random(uint64_t limit)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        value = (uint64_t)tf_clock_us();
    return limit ? value % limit : 0;
}
