#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <locale.h>
#include <math.h>

#include "base/number.h"
#include "report/format.h"
#include "report/progress.h"

static void format__counts_have_thousands_separators(void **state)
{
    (void)state;
    assert_string_equal(TF_COUNT(0), "0");
    assert_string_equal(TF_COUNT(999), "999");
    assert_string_equal(TF_COUNT(1000), "1,000");
    assert_string_equal(TF_COUNT(-1234567), "-1,234,567");
    assert_string_equal(TF_COUNT(INT64_MIN), "-9,223,372,036,854,775,808");
    assert_string_equal(TF_COUNT(INT64_MAX), "9,223,372,036,854,775,807");
}

static void format__durations_use_two_units(void **state)
{
    (void)state;
    assert_string_equal(TF_DURATION(0), "0 ms");
    assert_string_equal(TF_DURATION(840), "840 ms");
    assert_string_equal(TF_DURATION(1500), "1.5 s");
    assert_string_equal(TF_DURATION(59400), "59 s");
    assert_string_equal(TF_DURATION(59999), "1 m 0 s");
    assert_string_equal(TF_DURATION(72000), "1 m 12 s");
    assert_string_equal(TF_DURATION(3720000), "1 h 2 m");
    assert_string_equal(TF_DURATION(90000000), "1 d 1 h");
    assert_string_equal(TF_DURATION(-1500), "-1.5 s");
    assert_string_equal(TF_DURATION(INT64_MIN), "-106751991167 d 7 h");
}

static void format__bytes_are_binary(void **state)
{
    (void)state;
    assert_string_equal(TF_BYTES(0), "0 B");
    assert_string_equal(TF_BYTES(1023), "1023 B");
    assert_string_equal(TF_BYTES(1536), "1.5 KiB");
    assert_string_equal(TF_BYTES(16 << 20), "16 MiB");
    assert_string_equal(TF_BYTES(INT64_MAX), "8191 PiB");
    assert_string_equal(TF_BYTES(INT64_MIN), "-8192 PiB");
}

static void format__times_are_iso_in_utc(void **state)
{
    (void)state;
    assert_string_equal(TF_TIME(0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(TF_TIME(-1), "1969-12-31T23:59:59.999Z");
    assert_string_equal(TF_TIME(1795195824123), "2026-11-20T17:30:24.123Z");
    assert_string_equal(TF_TIME(INT64_MAX), "+292278994-08-17T07:12:55.807Z");
    assert_string_equal(TF_TIME(INT64_MIN), "-292275055-05-16T16:47:04.192Z");
}

static void format__reals_have_fixed_decimals(void **state)
{
    (void)state;
    char out[TF_FORMAT_MAX];
    assert_string_equal(tf_format_real(1234.5, 2, out), "1,234.50");
    assert_string_equal(tf_format_real(-0.005, 2, out), "-0.01");
    assert_string_equal(tf_format_real(99.996, 2, out), "100.00");
    assert_string_equal(tf_format_real(7, 0, out), "7");
    assert_string_equal(tf_format_real(NAN, 2, out), "nan");
    assert_string_equal(tf_format_real(1e300, 2, out), "1e+300");
}

static void number__shortest_reads_back_equal(void **state)
{
    (void)state;
    static const double values[] = {0, 0.1, 1.0 / 3, 1e21, DBL_MAX, DBL_MIN, 5e-324, 123456789012345678.0, -2.5};
    char out[32];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(strtod(tf_number_shortest(values[i], out, sizeof out), NULL) == values[i]);
    assert_string_equal(tf_number_shortest(0.1, out, sizeof out), "0.1");
}

static void number__ignores_the_locale(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "fa_IR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        char out[32];
        double value = 0;
        setlocale(LC_ALL, locales[i]); /* where it is not installed, the one before stays */
        assert_string_equal(tf_number_shortest(1.5, out, sizeof out), "1.5");
        assert_int_equal(tf_number_double("2.5", &value), TF_NUMBER_OK);
        assert_true(value > 2.4 && value < 2.6);
        assert_int_equal(tf_number_double("2,5", &value), TF_NUMBER_MALFORMED);
    }
    setlocale(LC_ALL, "C");
}

static void progress__shows_rate_and_time_left(void **state)
{
    (void)state;
    char out[512];
    tf_progress_state s = {.label = "repairing", .done = 450000, .total = 1000000, .elapsed_ms = 45000};
    assert_string_equal(tf_progress_render(&s, 0, false, out, sizeof out),
                        "repairing: 45 %, 450,000 of 1,000,000, 10,000/s, 55 s left");
    s.note = "batch 7";
    assert_string_equal(tf_progress_render(&s, 80, false, out, sizeof out),
                        "repairing: #####....... 45 %, 450,000 of 1,000,000, 10,000/s, 55 s left, batch 7");
    assert_true(strlen(out) <= 80);
}

static void progress__resumed_work_does_not_count_for_the_rate(void **state)
{
    (void)state;
    char out[512];
    tf_progress_state s = {.label = "x", .first = 900, .done = 950, .total = 1000, .elapsed_ms = 10000};
    assert_string_equal(tf_progress_render(&s, 0, false, out, sizeof out), "x: 95 %, 950 of 1,000, 5.0/s, 10 s left");
}

static void progress__unknown_total_and_odd_numbers_are_survived(void **state)
{
    (void)state;
    char out[512];
    tf_progress_state s = {.label = "x", .done = 5};
    assert_string_equal(tf_progress_render(&s, 80, true, out, sizeof out), "x: 5");
    s = (tf_progress_state){.label = "x", .done = 20, .total = 10, .elapsed_ms = 1};
    assert_non_null(strstr(tf_progress_render(&s, 80, true, out, sizeof out), " 100 %, 20 of 10"));
    s = (tf_progress_state){.label = "x", .done = 1, .total = INT64_MAX, .elapsed_ms = INT64_MAX};
    tf_progress_render(&s, 80, true, out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format__counts_have_thousands_separators),
        cmocka_unit_test(format__durations_use_two_units),
        cmocka_unit_test(format__bytes_are_binary),
        cmocka_unit_test(format__times_are_iso_in_utc),
        cmocka_unit_test(format__reals_have_fixed_decimals),
        cmocka_unit_test(number__shortest_reads_back_equal),
        cmocka_unit_test(number__ignores_the_locale),
        cmocka_unit_test(progress__shows_rate_and_time_left),
        cmocka_unit_test(progress__resumed_work_does_not_count_for_the_rate),
        cmocka_unit_test(progress__unknown_total_and_odd_numbers_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
