/* Amounts of every type: what counts exactly, what is odd. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check/amount.h"

#include <tokenfix/cleanup.h>

/* {v: …} and what it counts, in units of 10^-scale */
typedef struct row {
    const char *name;
    const char *json;
    int scale;
    bool counts;
    int64_t amount;
} row;

static const row rows[] = {
    {"an int32", "{\"v\": {\"$numberInt\": \"7\"}}", 0, true, 7},
    {"a negative int32", "{\"v\": {\"$numberInt\": \"-7\"}}", 0, true, -7},
    {"an int32 in hundredths", "{\"v\": {\"$numberInt\": \"7\"}}", 2, true, 700},
    {"the largest int64", "{\"v\": {\"$numberLong\": \"9223372036854775807\"}}", 0, true, INT64_MAX},
    {"the smallest int64", "{\"v\": {\"$numberLong\": \"-9223372036854775808\"}}", 0, true, INT64_MIN},
    {"the largest int64 in hundredths", "{\"v\": {\"$numberLong\": \"92233720368547758\"}}", 2, true, 9223372036854775800},
    {"an int64 beyond the range in hundredths", "{\"v\": {\"$numberLong\": \"92233720368547759\"}}", 2, false, 0},
    {"the largest int64 at scale 12", "{\"v\": {\"$numberLong\": \"9223372\"}}", 12, true, 9223372000000000000},
    {"an int64 beyond the range at scale 12", "{\"v\": {\"$numberLong\": \"9223373\"}}", 12, false, 0},
    {"a whole double", "{\"v\": {\"$numberDouble\": \"12.0\"}}", 0, true, 12},
    {"a fractional double", "{\"v\": {\"$numberDouble\": \"12.5\"}}", 0, false, 0},
    {"a double with two decimals in hundredths", "{\"v\": {\"$numberDouble\": \"12.34\"}}", 2, true, 1234},
    {"a double that is not exact in binary", "{\"v\": {\"$numberDouble\": \"0.29\"}}", 2, true, 29},
    {"a negative one", "{\"v\": {\"$numberDouble\": \"-0.29\"}}", 2, true, -29},
    {"a double with three decimals in hundredths", "{\"v\": {\"$numberDouble\": \"12.345\"}}", 2, false, 0},
    {"a double a hair beside two decimals", "{\"v\": {\"$numberDouble\": \"12.340000000000002\"}}", 2, false, 0},
    {"a double at scale 12", "{\"v\": {\"$numberDouble\": \"1.000000000001\"}}", 12, true, 1000000000001},
    {"minus zero", "{\"v\": {\"$numberDouble\": \"-0.0\"}}", 0, true, 0},
    {"the largest double below 2^63", "{\"v\": {\"$numberDouble\": \"9223372036854774784\"}}", 0, true, 9223372036854774784},
    {"2^63", "{\"v\": {\"$numberDouble\": \"9223372036854775808\"}}", 0, false, 0},
    {"NaN", "{\"v\": {\"$numberDouble\": \"NaN\"}}", 0, false, 0},
    {"infinity", "{\"v\": {\"$numberDouble\": \"Infinity\"}}", 0, false, 0},
    {"minus infinity", "{\"v\": {\"$numberDouble\": \"-Infinity\"}}", 2, false, 0},
    {"a decimal", "{\"v\": {\"$numberDecimal\": \"12.34\"}}", 2, true, 1234},
    {"a decimal with zeros behind", "{\"v\": {\"$numberDecimal\": \"12.340000\"}}", 2, true, 1234},
    {"a decimal with an exponent", "{\"v\": {\"$numberDecimal\": \"12E+3\"}}", 0, true, 12000},
    {"a fraction below the scale", "{\"v\": {\"$numberDecimal\": \"12.345\"}}", 2, false, 0},
    {"the smallest fraction there is", "{\"v\": {\"$numberDecimal\": \"1E-6176\"}}", 12, false, 0},
    {"zero with the largest exponent", "{\"v\": {\"$numberDecimal\": \"0E+6111\"}}", 12, true, 0},
    {"minus zero, decimal", "{\"v\": {\"$numberDecimal\": \"-0\"}}", 0, true, 0},
    {"the largest decimal of 64 bits", "{\"v\": {\"$numberDecimal\": \"9223372036854775807\"}}", 0, true, INT64_MAX},
    {"one more", "{\"v\": {\"$numberDecimal\": \"9223372036854775808\"}}", 0, false, 0},
    {"the largest in hundredths", "{\"v\": {\"$numberDecimal\": \"92233720368547758.07\"}}", 2, true, INT64_MAX},
    {"one hundredth more", "{\"v\": {\"$numberDecimal\": \"92233720368547758.08\"}}", 2, false, 0},
    {"34 digits", "{\"v\": {\"$numberDecimal\": \"1.000000000000000000000000000000001\"}}", 2, false, 0},
    {"an enormous decimal", "{\"v\": {\"$numberDecimal\": \"9.999999999999999999999999999999999E+6144\"}}", 0, false, 0},
    {"decimal NaN", "{\"v\": {\"$numberDecimal\": \"NaN\"}}", 0, false, 0},
    {"decimal infinity", "{\"v\": {\"$numberDecimal\": \"-Infinity\"}}", 0, false, 0},
    {"a string of digits", "{\"v\": \"17\"}", 0, false, 0},
    {"null", "{\"v\": null}", 0, false, 0},
    {"a boolean", "{\"v\": true}", 0, false, 0},
    {"a date", "{\"v\": {\"$date\": {\"$numberLong\": \"17\"}}}", 0, false, 0},
    {"an array of a number", "{\"v\": [17]}", 0, false, 0},
    {"a document", "{\"v\": {\"v\": 17}}", 0, false, 0},
};

static void amount__is_exact_or_odd(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bson_error_t error;
        _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)rows[i].json, -1, &error);
        bson_iter_t iter;
        int64_t amount = 99;
        if (!doc)
            fail_msg("%s: %s", rows[i].name, error.message);
        assert_true(bson_iter_init_find(&iter, doc, "v"));
        bool counts = tf_amount_read(&iter, rows[i].scale, &amount);
        if (counts != rows[i].counts || amount != rows[i].amount)
            fail_msg("%s: %s %lld instead of %s %lld", rows[i].name, counts ? "counts" : "odd", (long long)amount,
                     rows[i].counts ? "counts" : "odd", (long long)rows[i].amount);
    }
}

static void amount__sums_up_to_the_last_unit_and_no_further(void **state)
{
    (void)state;
    tf_error err = {0};
    int64_t sum = INT64_MAX - 1;
    assert_true(tf_amount_add(&sum, 1, &err));
    assert_true(sum == INT64_MAX);
    assert_false(tf_amount_add(&sum, 1, &err));
    assert_int_equal(err.code, TF_ERR_OVERFLOW);
    assert_true(err.hint[0]);
    tf_error low = {0};
    sum = INT64_MIN;
    assert_true(tf_amount_add(&sum, 0, &low));
    assert_false(tf_amount_add(&sum, -1, &low));
    assert_int_equal(low.code, TF_ERR_OVERFLOW);
}

static void amount__of_a_sum_that_became_a_double_is_an_overflow(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *doc = BCON_NEW("i", BCON_INT32(-4), "l", BCON_INT64(INT64_MIN), "d", BCON_DOUBLE(1.0));
    bson_iter_t iter;
    tf_error err = {0};
    int64_t sum = 0;
    assert_true(bson_iter_init_find(&iter, doc, "i") && tf_amount_read_sum(&iter, &sum, &err));
    assert_int_equal(sum, -4);
    assert_true(bson_iter_init_find(&iter, doc, "l") && tf_amount_read_sum(&iter, &sum, &err));
    assert_true(sum == INT64_MIN);
    assert_true(bson_iter_init_find(&iter, doc, "d"));
    assert_false(tf_amount_read_sum(&iter, &sum, &err));
    assert_int_equal(err.code, TF_ERR_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amount__is_exact_or_odd),
        cmocka_unit_test(amount__sums_up_to_the_last_unit_and_no_further),
        cmocka_unit_test(amount__of_a_sum_that_became_a_double_is_an_overflow),
    };
    return cmocka_run_group_tests_name("amount", tests, NULL, NULL);
}
