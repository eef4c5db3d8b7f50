/* What became of findings from one audit to the next. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check/trend.h"

#include <string.h>
#include <tokenfix/cleanup.h>

static bson_t *audit(const char *checks, const char *findings)
{
    char json[1024];
    bson_error_t error;
    snprintf(json, sizeof json, "{\"checks\": [%s], \"findings\": [%s]}", checks, findings);
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

#define F(id, check, severity, count) "{\"id\": \"" id "\", \"check\": \"" check "\", \"severity\": \"" severity "\", \"count\": " count "}"

/* Compares two audits and says what came out as text: "new a 0 3, gone b 2 0". */
static void expect(const char *checks_before, const char *before, const char *checks, const char *now, const char *expected)
{
    _cleanup_(bson_destroyp) bson_t *first = audit(checks_before, before), *second = audit(checks, now);
    char said[512] = "";
    tf_trend trend;
    tf_trend_make(first, second, &trend);
    for (size_t i = 0; i < trend.count; i++)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s %s %lld %lld", i ? ", " : "", tf_trend_names[trend.rows[i].kind],
                 trend.rows[i].check, (long long)trend.rows[i].before, (long long)trend.rows[i].now);
    assert_string_equal(said, expected);
    size_t n = 0;
    for (int kind = 0; kind < TF_TRENDS; kind++)
        n += trend.of[kind];
    assert_int_equal(n, trend.count);
    tf_trend_done(&trend);
}

static void trend__names_what_is_new_gone_grown_and_shrunk(void **state)
{
    (void)state;
    expect("\"a\", \"b\", \"c\", \"d\", \"e\"", F("1", "a", "low", "2") "," F("2", "b", "low", "2") "," F("3", "c", "low", "2") "," F("4", "d", "high", "2"),
           "\"a\", \"b\", \"c\", \"d\", \"e\"", F("1", "a", "low", "2") "," F("2", "b", "low", "3") "," F("3", "c", "low", "1") "," F("5", "e", "high", "7"),
           "new e 0 7, gone d 2 0, grown b 2 3, shrunk c 2 1, same a 2 2");
    expect("\"a\"", "", "\"a\"", "", "");
}

/* A check that only one of them ran says nothing about what changed. */
static void trend__leaves_out_what_was_not_looked_at_both_times(void **state)
{
    (void)state;
    expect("\"a\"", F("1", "a", "low", "2"), "\"b\"", F("2", "b", "low", "2"), "");
    expect("\"a\", \"b\"", F("1", "a", "low", "2") "," F("2", "b", "low", "1"), "\"b\"", F("2", "b", "low", "2"), "grown b 1 2");
}

static void trend__of_one_count_goes_by_the_amount(void **state)
{
    (void)state;
#define A(amount) "{\"id\": \"1\", \"check\": \"a\", \"severity\": \"high\", \"count\": 2, \"amount\": {\"$numberLong\": \"" amount "\"}}"
    expect("\"a\"", A("10"), "\"a\"", A("11"), "grown a 2 2");
    expect("\"a\"", A("10"), "\"a\"", A("-9"), "shrunk a 2 2");
    expect("\"a\"", A("10"), "\"a\"", A("10"), "same a 2 2");
    expect("\"a\"", A("10"), "\"a\"", F("1", "a", "high", "2"), "same a 2 2");
    _cleanup_(bson_destroyp) bson_t *first = audit("\"a\"", ""), *second = audit("\"a\"", A("9223372036854775807"));
    tf_trend trend;
    tf_trend_make(first, second, &trend);
    assert_int_equal(trend.count, 1);
    assert_true(trend.rows[0].has_amount);
    assert_int_equal(trend.rows[0].amount, INT64_MAX);
    assert_string_equal(trend.rows[0].severity, "high");
    assert_string_equal(trend.rows[0].id, "1");
    tf_trend_done(&trend);
}

/* What somebody else wrote there, or a newer version. */
static void trend__passes_over_what_is_no_finding(void **state)
{
    (void)state;
    expect("\"a\", 7", "1, {}, {\"id\": 4}, \"x\", {\"id\": \"1\", \"check\": \"a\", \"count\": \"many\"}," F("1", "a", "low", "2"), "\"a\"",
           F("1", "a", "low", "2"), "same a 2 2");
    expect("\"a\"", F("1", "a", "low", "-2"), "\"a\"", F("1", "a", "low", "0"), "");
    _cleanup_bson_ bson_t empty = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *some = audit("\"a\"", F("1", "a", "low", "2"));
    tf_trend trend;
    tf_trend_make(&empty, some, &trend);
    assert_int_equal(trend.count, 0);
    tf_trend_make(some, &empty, &trend);
    assert_int_equal(trend.count, 0);
    tf_trend_done(&trend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trend__names_what_is_new_gone_grown_and_shrunk),
        cmocka_unit_test(trend__leaves_out_what_was_not_looked_at_both_times),
        cmocka_unit_test(trend__of_one_count_goes_by_the_amount),
        cmocka_unit_test(trend__passes_over_what_is_no_finding),
    };
    return cmocka_run_group_tests_name("trend", tests, NULL, NULL);
}
