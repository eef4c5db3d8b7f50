#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/terms.h"

static const tf_terms sat = {.noun = "token", .unit = "sat", .amounts = true};
static const tf_terms euro = {.noun = "invoice", .unit = "EUR", .scale = 2, .amounts = true};
static const tf_terms none = {.noun = "document"};

static void terms__counts_are_in_the_singular_for_one_only(void **state)
{
    (void)state;
    assert_string_equal(TF_DOCUMENTS(&sat, 0), "0 tokens");
    assert_string_equal(TF_DOCUMENTS(&sat, 1), "1 token");
    assert_string_equal(TF_DOCUMENTS(&sat, 1234567), "1,234,567 tokens");
}

static void terms__amounts_have_their_point_and_unit(void **state)
{
    (void)state;
    assert_string_equal(TF_AMOUNT(&sat, 1234567), "1,234,567 sat");
    assert_string_equal(TF_AMOUNT(&euro, 123456789), "1,234,567.89 EUR");
    assert_string_equal(TF_AMOUNT(&euro, 5), "0.05 EUR");
    assert_string_equal(TF_AMOUNT(&euro, -5), "-0.05 EUR");
    assert_string_equal(TF_AMOUNT(&euro, -123456), "-1,234.56 EUR");
    assert_string_equal(TF_NUMBER(&euro, 100), "1.00");
    assert_string_equal(TF_AMOUNT(&none, 5), "-");
}

static void terms__the_largest_amounts_are_exact(void **state)
{
    (void)state;
    assert_string_equal(TF_NUMBER(&sat, INT64_MAX), "9,223,372,036,854,775,807");
    assert_string_equal(TF_NUMBER(&euro, INT64_MIN), "-92,233,720,368,547,758.08");
    tf_terms fine = {.scale = 18, .amounts = true};
    assert_string_equal(TF_NUMBER(&fine, INT64_MAX), "9.223372036854775807");
}

static void terms__come_from_the_repair(void **state)
{
    (void)state;
    tf_terms terms;
    tf_terms_of_json("{\"collection\": \"c\", \"filter\": {\"a\": 1}, \"update\": [{\"$set\": {\"a\": 2}}],"
                     " \"touched\": [\"a\"], \"noun\": \"invoice\", \"ledger\": {\"owner\": [\"customer.id\"],"
                     " \"amount\": \"sum\", \"scale\": 2, \"unit\": \"EUR\", \"status\": \"a\"}}",
                     &terms);
    assert_string_equal(terms.noun, "invoice");
    assert_string_equal(terms.owner, "customer.id");
    assert_string_equal(terms.unit, "EUR");
    assert_int_equal(terms.scale, 2);
    assert_true(terms.amounts);
    tf_terms_of_json("{\"collection\": \"c\", \"filter\": {\"a\": 1}, \"update\": [{\"$set\": {\"a\": 2}}],"
                     " \"touched\": [\"a\"]}",
                     &terms);
    assert_string_equal(terms.noun, "document");
    assert_false(terms.amounts);
}

static void terms__of_what_does_not_parse_are_plain(void **state)
{
    (void)state;
    tf_terms terms;
    tf_terms_of_json("{", &terms);
    assert_string_equal(terms.noun, "document");
    assert_false(terms.amounts);
    tf_terms_of_json(NULL, &terms);
    assert_string_equal(terms.noun, "document");
    bson_t run = BSON_INITIALIZER;
    tf_terms_of_run(&run, &terms);
    assert_string_equal(terms.noun, "document");
    BSON_APPEND_UTF8(&run, "repair", "no document");
    tf_terms_of_run(&run, &terms);
    assert_string_equal(terms.noun, "document");
    bson_destroy(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms__counts_are_in_the_singular_for_one_only),
        cmocka_unit_test(terms__amounts_have_their_point_and_unit),
        cmocka_unit_test(terms__the_largest_amounts_are_exact),
        cmocka_unit_test(terms__come_from_the_repair),
        cmocka_unit_test(terms__of_what_does_not_parse_are_plain),
    };
    return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
