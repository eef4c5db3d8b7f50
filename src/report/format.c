#include "report/format.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <time.h>

/* Writes `left.right` rounded: value / unit with one decimal. */
static void one_decimal(uint64_t value, uint64_t unit, const char *name, char *out)
{
    uint64_t whole = value / unit, tenth = ((value % unit) * 10 + unit / 2) / unit;
    if (tenth == 10) {
        whole++;
        tenth = 0;
    }
    if (tenth)
        snprintf(out, TF_FORMAT_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole, tenth, name);
    else
        snprintf(out, TF_FORMAT_MAX, "%" PRIu64 " %s", whole, name);
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

const char *tf_format_count(int64_t count, char out[static TF_FORMAT_MAX])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, magnitude(count));
    char *to = out;
    if (count < 0)
        *to++ = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

const char *tf_format_duration(int64_t milliseconds, char out[static TF_FORMAT_MAX])
{
    uint64_t ms = magnitude(milliseconds), s = (ms + 500) / 1000;
    char *to = out;
    if (milliseconds < 0)
        *to++ = '-';
    if (ms < 1000)
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " ms", ms);
    else if (ms < 9950)
        one_decimal(ms, 1000, "s", to);
    else if (s < 60)
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " s", s);
    else if (s < 3600)
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s % 3600 / 60);
    else
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
    return out;
}

const char *tf_format_bytes(int64_t bytes, char out[static TF_FORMAT_MAX])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    uint64_t n = magnitude(bytes), unit = 1;
    size_t name = 0;
    char *to = out;
    while (n / unit >= 1024 && name < 5) {
        unit *= 1024;
        name++;
    }
    if (bytes < 0)
        *to++ = '-';
    if (name == 0)
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " B", n);
    else if (n >> 50) /* the tenths of an exbibyte do not fit 64 bits */
        snprintf(to, TF_FORMAT_MAX - 1, "%" PRIu64 " %s", n / unit, names[name]);
    else
        one_decimal(n, unit, names[name], to);
    return out;
}

const char *tf_format_time(int64_t milliseconds, char out[static TF_FORMAT_MAX])
{
    int64_t ms = milliseconds % 1000, seconds = milliseconds / 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    time_t when = (time_t)seconds;
    struct tm utc = {0};
    gmtime_r(&when, &utc); /* 64-bit milliseconds are years within ±292 million: always representable */
    int64_t year = (int64_t)utc.tm_year + 1900;
    const char *sign = year < 0 ? "-" : year > 9999 ? "+" : "";
    snprintf(out, TF_FORMAT_MAX, "%s%04" PRIu64 "-%02d-%02dT%02d:%02d:%02d.%03dZ", sign, magnitude(year),
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)ms);
    return out;
}

const char *tf_format_real(double value, int decimals, char out[static TF_FORMAT_MAX])
{
    if (!isfinite(value) || fabs(value) >= 1e15) {
        snprintf(out, TF_FORMAT_MAX, "%g", value);
        return out;
    }
    int64_t power = 1;
    for (int i = 0; i < decimals && i < 9 && fabs(value) * (double)power < 1e17; i++)
        power *= 10;
    int64_t scaled = llround(value * (double)power);
    uint64_t n = magnitude(scaled), fraction = n % (uint64_t)power;
    char *to = out;
    if (scaled < 0)
        *to++ = '-';
    tf_format_count((int64_t)(n / (uint64_t)power), to);
    to += strlen(to);
    if (power > 1)
        *to++ = '.';
    for (power /= 10; power > 0; power /= 10) {
        *to++ = (char)('0' + fraction / (uint64_t)power);
        fraction %= (uint64_t)power;
    }
    *to = '\0';
    return out;
}
