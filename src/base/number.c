#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>

/* Never freed: it is one, for the life of the process. */
static locale_t c_locale(void)
{
    static locale_t locale;
    if (!locale)
        locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return locale;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

tf_number_result tf_number_int64(const char *text, int64_t *out)
{
    const char *digits = *text == '-' || *text == '+' ? text + 1 : text;
    if (!is_digit(*digits) || digits[strspn(digits, "0123456789")])
        return TF_NUMBER_MALFORMED;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return TF_NUMBER_RANGE;
    *out = value;
    return TF_NUMBER_OK;
}

tf_number_result tf_number_double(const char *text, double *out)
{
    const char *first = *text == '-' || *text == '+' ? text + 1 : text;
    /* the alphabet keeps out what strtod takes besides: blanks, hexadecimal, "inf", "nan" */
    if (!(is_digit(*first) || (*first == '.' && is_digit(first[1]))) || first[strspn(first, "0123456789.eE+-")])
        return TF_NUMBER_MALFORMED;
    char *end = NULL;
    double value = strtod_l(text, &end, c_locale());
    if (*end)
        return TF_NUMBER_MALFORMED;
    if (!isfinite(value))
        return TF_NUMBER_RANGE;
    *out = value;
    return TF_NUMBER_OK;
}

tf_number_result tf_number_size(const char *text, int64_t *out)
{
    static const char units[] = "kMGT";
    size_t digits = strspn(text, "0123456789");
    char number[32];
    if (digits == 0)
        return TF_NUMBER_MALFORMED;
    if (digits >= sizeof number)
        return TF_NUMBER_RANGE;
    memcpy(number, text, digits);
    number[digits] = '\0';

    const char *unit = text + digits;
    int shift = 0;
    const char *found = *unit == 'K' ? units : *unit ? strchr(units, *unit) : NULL;
    if (found) {
        shift = 10 * (int)(found - units + 1);
        unit += unit[1] == 'i' && unit[2] == 'B' ? 2 : 1;
    }
    if (*unit == 'B')
        unit++;
    if (*unit)
        return TF_NUMBER_MALFORMED;

    int64_t value = 0;
    tf_number_result result = tf_number_int64(number, &value);
    if (result != TF_NUMBER_OK)
        return result;
    if (value > INT64_MAX >> shift)
        return TF_NUMBER_RANGE;
    *out = value << shift;
    return TF_NUMBER_OK;
}

tf_number_result tf_number_duration(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"", 1000},           {"ms", 1},        {"s", 1000},          {"m", 60000},
                 {"h", 3600000},       {"d", 86400000},  {"w", 7 * 86400000},  {"y", 365 * INT64_C(86400000)}};
    size_t digits = strspn(text, "0123456789"), unit = 0;
    char number[32];
    while (unit < sizeof units / sizeof *units && strcmp(units[unit].name, text + digits) != 0)
        unit++;
    if (digits == 0 || unit == sizeof units / sizeof *units)
        return TF_NUMBER_MALFORMED;
    if (digits >= sizeof number)
        return TF_NUMBER_RANGE;
    snprintf(number, sizeof number, "%.*s", (int)digits, text);
    int64_t value = 0;
    tf_number_result result = tf_number_int64(number, &value);
    if (result != TF_NUMBER_OK)
        return result;
    if (value > INT64_MAX / units[unit].ms)
        return TF_NUMBER_RANGE;
    *out = value * units[unit].ms;
    return TF_NUMBER_OK;
}

int64_t tf_number_sum(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return a < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

const char *tf_number_shortest(double value, char *out, size_t size)
{
    locale_t before = uselocale(c_locale());
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    uselocale(before);
    return out;
}
