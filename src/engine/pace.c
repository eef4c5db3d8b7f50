#include "engine/pace.h"

/* What the newest batch counts in the average. */
static const double newest = 0.5;

void tf_pace_init(tf_pace *pace, size_t most, int64_t target_ms)
{
    *pace = (tf_pace){.limit = most, .most = most, .target_ms = target_ms};
}

void tf_pace_note(tf_pace *pace, int64_t documents, int64_t ms)
{
    size_t step = pace->limit + pace->limit / 5 + 1, wanted = pace->most;
    if (documents <= 0)
        return;
    if (pace->target_ms > 0) {
        double rate = (double)documents / (double)(ms > 0 ? ms : 1);
        pace->rate = pace->rate > 0 ? newest * rate + (1 - newest) * pace->rate : rate;
        double fits = pace->rate * (double)pace->target_ms;
        if (fits < (double)pace->most)
            wanted = fits < 1 ? 1 : (size_t)fits;
        if (wanted < pace->limit && ms <= pace->target_ms) /* the last few of a range are slow for each, not in all */
            wanted = pace->limit;
    }
    wanted = wanted < step ? wanted : step;
    pace->limit = wanted < pace->most ? wanted : pace->most;
}
