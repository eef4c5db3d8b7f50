#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/run_report.h"
#include "cmd/sheet.h"
#include "support/capture.h"

static tf_run given(void)
{
    tf_run run = {.id = "20261120t173012-004-3fa9c1",
                  .migration = "004_x",
                  .collection = "tokens",
                  .strategy = "transaction",
                  .state = TF_STATE_COMPLETED,
                  .started_at = 1000,
                  .ended_at = 2500,
                  .owner = {.user = "taker", .host = "elsewhere"}};
    run.doc = BCON_NEW("repair", "{", "collection", "tokens", "noun", "token", "filter", "{", "a", BCON_INT32(1), "}",
                       "update", "[", "{", "$set", "{", "a", BCON_INT32(2), "}", "}", "]", "touched", "[", "a", "]",
                       "ledger", "{", "owner", "[", "npub", "]", "amount", "sum", "unit", "sat", "status", "a", "}",
                       "}", "who", "{", "user", "op", "host", "box", "database_user", "runner", "}", "version", "1.2.3",
                       "counts", "{", "applied", BCON_INT64(1234), "amount", BCON_INT64(98765), "batches",
                       BCON_INT64(2), "refused", BCON_INT64(1), "conflicts", BCON_INT64(0), "}");
    return run;
}

static void print_table(const void *arg)
{
    tf_runs_report_print(arg, 1);
}

static void print_sheet(const void *arg)
{
    tf_table *sheet = tf_sheet_new();
    tf_run_report_sheet(arg, sheet);
    tf_sheet_print(sheet);
    tf_table_free(sheet);
}

static void run__is_a_row_of_a_table(void **state)
{
    (void)state;
    tf_run run = given();
    char *text = tf_capture(print_table, &run);
    assert_string_equal(text, "run                             state      documents  left   took\n"
                              "20261120t173012-004-3fa9c1  up  completed      1,234     1  1.5 s\n");
    free(text);
    tf_run_done(&run);
}

static void run__that_goes_on_shows_no_numbers_it_does_not_have(void **state)
{
    (void)state;
    tf_run run = given();
    bson_destroy(run.doc);
    run.doc = bson_new();
    run.ended_at = 0;
    run.state = TF_STATE_RUNNING;
    assert_false(tf_run_is_counted(&run));
    assert_int_equal(tf_run_duration(&run), 0);
    char *text = tf_capture(print_table, &run);
    assert_non_null(strstr(text, "up  running "));
    assert_null(strstr(text, " 0"));
    free(text);
    tf_run_done(&run);
}

static void run__that_was_resumed_has_not_ended(void **state)
{
    (void)state;
    tf_run run = given();
    run.state = TF_STATE_RUNNING;
    run.active = true;
    run.lease_left_ms = 20000;
    assert_int_equal(tf_run_duration(&run), 0);
    char *text = tf_capture(print_sheet, &run);
    assert_null(strstr(text, "ended"));
    assert_non_null(strstr(text, "lease      ends in 20"));
    free(text);
    run.state = TF_STATE_INTERRUPTED;
    assert_int_equal(tf_run_duration(&run), 1500);
    tf_run_done(&run);
}

static void run__is_explained_on_a_sheet(void **state)
{
    (void)state;
    tf_run run = given();
    char *text = tf_capture(print_sheet, &run);
    assert_string_equal(text, "run        20261120t173012-004-3fa9c1\n"
                              "migration  004_x, up\n"
                              "state      completed\n"
                              "started    1970-01-01T00:00:01.000Z by op@box\n"
                              "ended      1970-01-01T00:00:02.500Z, after 1.5 s\n"
                              "repaired   1,234 tokens of tokens\n"
                              "amount     98,765 sat\n"
                              "refused    1\n"
                              "batches    2, strategy transaction\n");
    free(text);
    tf_run_done(&run);
}

static const char *text_of(const bson_t *doc, const char *key)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, doc, key) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : NULL;
}

static void run__becomes_data(void **state)
{
    (void)state;
    tf_run run = given();
    bson_iter_t at;
    bson_t data = BSON_INITIALIZER;
    tf_run_report_append(&run, &data);
    assert_string_equal(text_of(&data, "run"), run.id);
    assert_string_equal(text_of(&data, "state"), "completed");
    assert_string_equal(text_of(&data, "direction"), "up");
    assert_string_equal(text_of(&data, "user"), "op");
    assert_string_equal(text_of(&data, "databaseUser"), "runner");
    assert_string_equal(text_of(&data, "toolVersion"), "1.2.3");
    assert_string_equal(text_of(&data, "unit"), "sat");
    assert_true(bson_iter_init_find(&at, &data, "tokens") && bson_iter_as_int64(&at) == 1234);
    assert_true(bson_iter_init_find(&at, &data, "totalAmount") && bson_iter_as_int64(&at) == 98765);
    assert_true(bson_iter_init_find(&at, &data, "endedAt") && bson_iter_date_time(&at) == 2500);
    assert_true(bson_iter_init_find(&at, &data, "restores") && BSON_ITER_HOLDS_NULL(&at));
    assert_true(bson_iter_init_find(&at, &data, "error") && BSON_ITER_HOLDS_NULL(&at));
    bson_destroy(&data);
    tf_run_done(&run);
}

static void run__shows_no_password_of_a_stored_message(void **state)
{
    (void)state;
    tf_run run = given();
    bson_iter_t at;
    bson_t data = BSON_INITIALIZER;
    BCON_APPEND(run.doc, "error", "{", "message", "no answer from mongodb://me:geheim@h/x", "}");
    tf_run_report_append(&run, &data);
    assert_true(bson_iter_init_find(&at, &data, "error"));
    assert_string_equal(bson_iter_utf8(&at, NULL), "no answer from mongodb://me:<hidden>@h/x");
    char *text = tf_capture(print_sheet, &run);
    assert_null(strstr(text, "geheim"));
    assert_non_null(strstr(text, "no answer from mongodb://me:<hidden>@h/x"));
    free(text);
    bson_destroy(&data);
    tf_run_done(&run);
}

static void value__is_shown_on_one_line(void **state)
{
    (void)state;
    char out[64], small[6];
    bson_t *doc = BCON_NEW("a", "text", "b", BCON_INT64(5), "c", "{", "d", BCON_NULL, "}", "e", BCON_BOOL(true), "f",
                           BCON_DATE_TIME(0));
    static const char *const expected[] = {"text", "5", "{\"d\": null}", "true", "1970-01-01T00:00:00.000Z"};
    bson_iter_t at;
    assert_true(bson_iter_init(&at, doc));
    for (size_t i = 0; bson_iter_next(&at); i++)
        assert_string_equal(tf_value_text(bson_iter_value(&at), out, sizeof out), expected[i]);
    assert_true(bson_iter_init_find(&at, doc, "c"));
    assert_string_equal(tf_value_text(bson_iter_value(&at), small, sizeof small), "{\"d\":");
    assert_string_equal(tf_value_text(&(bson_value_t){.value_type = BSON_TYPE_EOD}, out, sizeof out), "");
    bson_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__is_a_row_of_a_table),
        cmocka_unit_test(run__that_goes_on_shows_no_numbers_it_does_not_have),
        cmocka_unit_test(run__that_was_resumed_has_not_ended),
        cmocka_unit_test(run__is_explained_on_a_sheet),
        cmocka_unit_test(run__becomes_data),
        cmocka_unit_test(run__shows_no_password_of_a_stored_message),
        cmocka_unit_test(value__is_shown_on_one_line),
    };
    return cmocka_run_group_tests_name("run_report", tests, NULL, NULL);
}
