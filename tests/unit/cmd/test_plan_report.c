#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/plan_report.h"
#include "support/capture.h"

static const char repair[] =
    "{\"collection\": \"c\", \"filter\": {\"a\": 1}, \"update\": [{\"$set\": {\"a\": 2}}], \"touched\": [\"a\"],"
    " \"noun\": \"invoice\", \"ledger\": {\"owner\": [\"customer\"], \"amount\": \"sum\", \"scale\": 2,"
    " \"unit\": \"EUR\", \"status\": \"a\"}}";

static const tf_migration migration = {.id = "001_x", .summary = "Repairs x", .repair = repair};

typedef struct {
    tf_client client;
    tf_engine engine;
    tf_plan plan;
    tf_impact impacts[3];
    bson_t *sample;
} given;

static void begin(given *g)
{
    *g = (given){.client = {.db = (char *)(uintptr_t) "shop"}};
    g->engine = (tf_engine){.client = &g->client, .migration = &migration};
    g->plan = (tf_plan){.repair = tf_repair_parse(repair, &(tf_error){0}),
                        .documents = 12345,
                        .amount = 123456789,
                        .owners = 3,
                        .limit = 10,
                        .estimated_ms = 1500,
                        .risk = "high",
                        .reasons = {"more than 10,000 invoices"},
                        .reasons_count = 1,
                        .bytes = 1536,
                        .impacts = g->impacts,
                        .impacts_count = 3};
    assert_non_null(g->plan.repair);
    g->impacts[0] = (tf_impact){.documents = 12000, .amount = 123000000};
    g->impacts[0].owner.value_type = BSON_TYPE_UTF8;
    g->impacts[0].owner.value.v_utf8.str = (char *)(uintptr_t) "anna";
    g->impacts[0].owner.value.v_utf8.len = 4;
    g->impacts[1] = (tf_impact){.owner = {.value_type = BSON_TYPE_INT32}, .documents = 344, .amount = 456789};
    g->impacts[1].owner.value.v_int32 = 7;
    g->impacts[2] = (tf_impact){.owner = {.value_type = BSON_TYPE_EOD}, .documents = 1};
}

static void end(given *g)
{
    tf_repair_free(g->plan.repair);
    if (g->plan.odd_ids)
        bson_destroy(g->plan.odd_ids);
    if (g->sample)
        bson_destroy(g->sample);
}

static void print(const void *arg)
{
    const given *g = arg;
    tf_plan_report_print(&g->engine, &g->plan);
}

static void plan__is_printed_for_people(void **state)
{
    (void)state;
    given g;
    begin(&g);
    char *text = tf_capture(print, &g);
    assert_string_equal(text, "Preview of 001_x\n"
                              "Repairs x.\n\n"
                              "to repair  12,345 invoices of shop.c\n"
                              "amount     1,234,567.89 EUR\n"
                              "users      3\n"
                              "backup     about 1.5 KiB\n"
                              "time       about 1.5 s, estimated from a measured sample\n"
                              "risk       high: more than 10,000 invoices\n\n"
                              "Largest amounts by user, 1 to 3 of 3\n"
                              "customer   invoices   amount, EUR\n"
                              "anna         12,000  1,230,000.00\n"
                              "7               344      4,567.89\n"
                              "(missing)         1          0.00\n");
    free(text);
    end(&g);
}

static void plan__says_where_the_estimate_is_from(void **state)
{
    (void)state;
    given g;
    begin(&g);
    g.plan.estimate_from_history = true;
    char *text = tf_capture(print, &g);
    assert_non_null(strstr(text, "estimated from earlier runs"));
    free(text);
    end(&g);
}

static void plan__lists_odd_amounts_and_samples(void **state)
{
    (void)state;
    given g;
    begin(&g);
    g.plan.odd = 5;
    g.plan.odd_ids = BCON_NEW("0", BCON_INT32(1), "1", "two", "2", BCON_NULL, "3", BCON_INT32(4));
    g.sample = BCON_NEW("_id", BCON_INT32(9), "secret", "s3cr3t", "nested", "{", "a", "[", BCON_INT32(1), "]", "}");
    g.plan.samples = &g.sample;
    g.plan.samples_count = 1;
    char *text = tf_capture(print, &g);
    assert_non_null(strstr(text, "5 invoices whose amount cannot be counted (repaired all the"));
    assert_non_null(strstr(text, "1, two, null, ..."));
    assert_non_null(strstr(text, "\nSample 1 of 1, secrets masked\n"
                                 "field   value\n"
                                 "_id     9\n"
                                 "secret  ***\n"
                                 "nested  {\"a\": [1]}\n"));
    free(text);
    end(&g);
}

static void plan__of_nothing_is_short(void **state)
{
    (void)state;
    given g;
    begin(&g);
    g.plan = (tf_plan){.repair = g.plan.repair, .risk = "low", .limit = 10};
    char *text = tf_capture(print, &g);
    assert_string_equal(text, "Preview of 001_x\nRepairs x.\n\n"
                              "to repair  0 invoices of shop.c\namount     0.00 EUR\nusers      0\nrisk       low\n");
    free(text);
    end(&g);
}

static int64_t number(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    assert_true(bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) && BSON_ITER_HOLDS_INT(&at));
    return bson_iter_as_int64(&at);
}

static const char *text_of(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    assert_true(bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) && BSON_ITER_HOLDS_UTF8(&at));
    return bson_iter_utf8(&at, NULL);
}

static void plan__has_the_field_names_that_others_rely_on(void **state)
{
    (void)state;
    given g;
    begin(&g);
    bson_t data = BSON_INITIALIZER;
    tf_plan_report_append(&g.engine, &g.plan, &data);
    assert_string_equal(text_of(&data, "migration_name"), "001_x");
    assert_int_equal(number(&data, "stats.tokensToMigrate"), 12345);
    assert_int_equal(number(&data, "stats.totalAmountAffected"), 123456789);
    assert_int_equal(number(&data, "stats.affectedUsers"), 3);
    assert_int_equal(number(&data, "stats.estimatedExecutionMs"), 1500);
    assert_string_equal(text_of(&data, "stats.estimatedExecutionTime"), "1.5 s");
    assert_string_equal(text_of(&data, "stats.estimateFrom"), "sample");
    assert_string_equal(text_of(&data, "stats.unit"), "EUR");
    assert_int_equal(number(&data, "stats.scale"), 2);
    assert_string_equal(text_of(&data, "risk.level"), "high");
    assert_string_equal(text_of(&data, "risk.reasons.0"), "more than 10,000 invoices");
    assert_int_equal(number(&data, "userImpact.anna.tokenCount"), 12000);
    assert_int_equal(number(&data, "userImpact.anna.totalAmount"), 123000000);
    assert_int_equal(number(&data, "userImpact.(7).tokenCount"), 344);
    assert_int_equal(number(&data, "userImpact.(missing).tokenCount"), 1);
    assert_int_equal(number(&data, "limit"), 10);
    assert_int_equal(number(&data, "offset"), 0);
    bson_destroy(&data);
    end(&g);
}

static void plan__users_of_one_name_are_both_listed(void **state)
{
    (void)state;
    given g;
    begin(&g);
    g.impacts[1].owner = g.impacts[0].owner;
    bson_t data = BSON_INITIALIZER;
    tf_plan_report_append(&g.engine, &g.plan, &data);
    assert_int_equal(number(&data, "userImpact.anna.tokenCount"), 12000);
    assert_int_equal(number(&data, "userImpact.anna (2).tokenCount"), 344);
    bson_destroy(&data);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan__is_printed_for_people),
        cmocka_unit_test(plan__says_where_the_estimate_is_from),
        cmocka_unit_test(plan__lists_odd_amounts_and_samples),
        cmocka_unit_test(plan__of_nothing_is_short),
        cmocka_unit_test(plan__has_the_field_names_that_others_rely_on),
        cmocka_unit_test(plan__users_of_one_name_are_both_listed),
    };
    return cmocka_run_group_tests_name("plan_report", tests, NULL, NULL);
}
