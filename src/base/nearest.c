#include "base/nearest.h"

#include <stddef.h>

#include "base/text.h"

enum { LONGEST = 64 };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Optimal string alignment; both words are at most LONGEST long. */
static size_t distance(const char *a, size_t m, const char *b, size_t n)
{
    size_t rows[3][LONGEST + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= n; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= m; i++) {
        now[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t differs = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = min(min(last[j], now[j - 1]) + 1, last[j - 1] + differs);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = min(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n];
}

const char *tf_nearest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t length = strnlen(word, LONGEST + 1), least = 0;
    if (length == 0 || length > LONGEST)
        return NULL;
    for (; *candidates; candidates++) {
        size_t other = strnlen(*candidates, LONGEST + 1);
        if (other == 0 || other > LONGEST)
            continue;
        size_t steps = distance(word, length, *candidates, other);
        size_t allowed = ((length > other ? length : other) + 2) / 3;
        if (length >= 3 && other > length && tf_text_begins(*candidates, word))
            steps = min(steps, allowed);
        if (steps < (length > other ? length : other) && steps <= allowed && (!best || steps < least)) {
            best = *candidates;
            least = steps;
        }
    }
    return best;
}
