/* What a batch moved, as an accountant would enter it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check/tally.h"

#include <tokenfix/cleanup.h>

static const char text[] = "{\"collection\": \"c\", \"filter\": {\"s\": 1}, \"update\": [{\"$set\": {\"s\": 2}}], \"touched\": [\"s\"],"
                           " \"ledger\": {\"owner\": [\"who\", \"at.mint\"], \"amount\": \"money.n\", \"status\": \"s\", \"scale\": 1}}";

typedef struct desk {
    tf_repair *repair;
    tf_tally *tally;
} desk;

static int open_desk(void **state)
{
    tf_error err = {0};
    desk *d = calloc(1, sizeof *d);
    d->repair = tf_repair_parse(text, &err);
    if (!d->repair)
        fail_msg("%s", err.message);
    d->tally = tf_tally_new(d->repair);
    *state = d;
    return 0;
}

static int close_desk(void **state)
{
    desk *d = *state;
    tf_tally_free(d->tally);
    tf_repair_free(d->repair);
    free(d);
    return 0;
}

static bson_t *parse(const char *json)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", json, error.message);
    return doc;
}

static bool add(desk *d, const char *before, const char *after, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *a = parse(before), *b = parse(after);
    return tf_tally_add(d->tally, a, b, err);
}

static void must_add(desk *d, const char *before, const char *after)
{
    tf_error err = {0};
    if (!add(d, before, after, &err))
        fail_msg("%s", err.message);
}

#define ANNA(n, s) "{\"who\": \"anna\", \"at\": {\"mint\": \"m\"}, \"money\": {\"n\": " n "}, \"s\": " s "}"
#define BERT(n, s) "{\"who\": \"bert\", \"money\": {\"n\": " n "}, \"s\": " s "}"

static void assert_moves(desk *d, const char *expected)
{
    _cleanup_bson_ bson_t moves = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *wanted = parse(expected);
    tf_tally_append(d->tally, &moves, "moves");
    if (!bson_equal(&moves, wanted))
        fail_msg("%s instead of %s", bson_as_canonical_extended_json(&moves, NULL), expected);
}

static void tally__adds_equal_moves_up(void **state)
{
    desk *d = *state;
    must_add(d, BERT("1", "1"), BERT("1", "2"));
    must_add(d, ANNA("1.5", "1"), ANNA("1.5", "2"));
    must_add(d, ANNA("2", "1"), ANNA("2", "2"));
    must_add(d, ANNA("2", "3"), ANNA("2", "2"));
    assert_int_equal(tf_tally_amount(d->tally), 65);
    assert_int_equal(tf_tally_odd(d->tally), 0);
    assert_moves(d, "{\"moves\": [{\"owner\": {\"who\": \"bert\"}, \"from\": 1, \"to\": 2, \"n\": {\"$numberLong\": \"1\"},"
                    " \"amount\": {\"$numberLong\": \"10\"}},"
                    " {\"owner\": {\"who\": \"anna\", \"at_mint\": \"m\"}, \"from\": 1, \"to\": 2, \"n\": {\"$numberLong\": \"2\"},"
                    " \"amount\": {\"$numberLong\": \"35\"}},"
                    " {\"owner\": {\"who\": \"anna\", \"at_mint\": \"m\"}, \"from\": 3, \"to\": 2, \"n\": {\"$numberLong\": \"1\"},"
                    " \"amount\": {\"$numberLong\": \"20\"}}]}");
}

static void tally__of_the_same_moves_is_the_same_bytes_in_any_order(void **state)
{
    desk *d = *state;
    _cleanup_bson_ bson_t one = BSON_INITIALIZER, two = BSON_INITIALIZER;
    must_add(d, BERT("1", "1"), BERT("1", "2"));
    must_add(d, ANNA("1", "1"), ANNA("1", "2"));
    tf_tally_append(d->tally, &one, "m");
    tf_tally_clear(d->tally);
    assert_int_equal(tf_tally_amount(d->tally), 0);
    must_add(d, ANNA("1", "1"), ANNA("1", "2"));
    must_add(d, BERT("1", "1"), BERT("1", "2"));
    tf_tally_append(d->tally, &two, "m");
    assert_true(bson_equal(&one, &two));
}

static void tally__of_nothing_is_an_empty_array(void **state)
{
    assert_moves(*state, "{\"moves\": []}");
}

static void tally__counts_odd_amounts_as_nothing(void **state)
{
    desk *d = *state;
    must_add(d, ANNA("\"7\"", "1"), ANNA("\"7\"", "2"));
    must_add(d, ANNA("1.25", "1"), ANNA("1.25", "2"));
    must_add(d, "{\"s\": 1}", "{}"); /* no owner, no amount, no status after */
    assert_int_equal(tf_tally_odd(d->tally), 3);
    assert_int_equal(tf_tally_amount(d->tally), 0);
    assert_moves(d, "{\"moves\": [{\"owner\": {}, \"from\": 1, \"n\": {\"$numberLong\": \"1\"}, \"amount\": {\"$numberLong\": \"0\"}},"
                    " {\"owner\": {\"who\": \"anna\", \"at_mint\": \"m\"}, \"from\": 1, \"to\": 2, \"n\": {\"$numberLong\": \"2\"},"
                    " \"amount\": {\"$numberLong\": \"0\"}}]}");
}

static void tally__enters_what_came_into_being(void **state)
{
    desk *d = *state;
    tf_error err = {0};
    _cleanup_(bson_destroyp) bson_t *doc = parse(BERT("2", "1"));
    assert_true(tf_tally_create(d->tally, doc, &err));
    assert_int_equal(tf_tally_amount(d->tally), 20);
    assert_moves(d, "{\"moves\": [{\"owner\": {\"who\": \"bert\"}, \"to\": 1, \"created\": true, \"n\": {\"$numberLong\": \"1\"},"
                    " \"amount\": {\"$numberLong\": \"20\"}}]}");
}

static void tally__refuses_another_owner_or_amount(void **state)
{
    static const char *const others[] = {BERT("1", "2"), ANNA("2", "2"), ANNA("\"1\"", "2"), "{\"s\": 2}"};
    desk *d = *state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        tf_error err = {0};
        assert_false(add(d, ANNA("1", "1"), others[i], &err));
        assert_int_equal(err.code, TF_ERR_INVARIANT);
    }
    must_add(d, ANNA("1", "1"), ANNA("{\"$numberLong\": \"1\"}", "2")); /* the same amount in another type */
}

static void tally__ends_at_64_bits(void **state)
{
    desk *d = *state;
    tf_error err = {0};
    must_add(d, ANNA("{\"$numberLong\": \"922337203685477580\"}", "1"), ANNA("{\"$numberLong\": \"922337203685477580\"}", "2"));
    assert_false(add(d, ANNA("1", "1"), ANNA("1", "2"), &err));
    assert_int_equal(err.code, TF_ERR_OVERFLOW);
}

static void tally__holds_many_accounts(void **state)
{
    desk *d = *state;
    for (int i = 0; i < 3000; i++) {
        tf_error err = {0};
        _cleanup_(bson_destroyp) bson_t *a = BCON_NEW("who", BCON_INT32(i % 1000), "money", "{", "n", BCON_INT32(1), "}", "s", BCON_INT32(1));
        _cleanup_(bson_destroyp) bson_t *b = BCON_NEW("who", BCON_INT32(i % 1000), "money", "{", "n", BCON_INT32(1), "}", "s", BCON_INT32(2));
        assert_true(tf_tally_add(d->tally, a, b, &err));
    }
    _cleanup_bson_ bson_t moves = BSON_INITIALIZER;
    bson_iter_t iter, item, field;
    int rows = 0;
    tf_tally_append(d->tally, &moves, "m");
    assert_true(bson_iter_init_find(&iter, &moves, "m") && bson_iter_recurse(&iter, &item));
    for (; bson_iter_next(&item); rows++) {
        assert_true(bson_iter_recurse(&item, &field) && bson_iter_find(&field, "n"));
        assert_int_equal(bson_iter_as_int64(&field), 3);
    }
    assert_int_equal(rows, 1000);
}

#define DESK_TEST(f) cmocka_unit_test_setup_teardown(f, open_desk, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(tally__adds_equal_moves_up),
        DESK_TEST(tally__of_the_same_moves_is_the_same_bytes_in_any_order),
        DESK_TEST(tally__of_nothing_is_an_empty_array),
        DESK_TEST(tally__counts_odd_amounts_as_nothing),
        DESK_TEST(tally__enters_what_came_into_being),
        DESK_TEST(tally__refuses_another_owner_or_amount),
        DESK_TEST(tally__ends_at_64_bits),
        DESK_TEST(tally__holds_many_accounts),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
