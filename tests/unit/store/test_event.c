/* The links of the audit trail. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "store/event.h"

#include <tokenfix/cleanup.h>

static bson_t *event(int n, const uint8_t *previous, uint8_t hash[32])
{
    bson_t *doc = BCON_NEW("_id", BCON_INT64(n), "type", "up_started", "user", "anna");
    if (previous)
        BSON_APPEND_BINARY(doc, "previous", BSON_SUBTYPE_BINARY, previous, 32);
    tf_sha256_of(bson_get_data(doc), doc->len, hash);
    BSON_APPEND_BINARY(doc, "hash", BSON_SUBTYPE_BINARY, hash, 32);
    return doc;
}

static void event__fits_its_content_and_the_one_before(void **state)
{
    (void)state;
    uint8_t one[32], two[32], carried[32], other[32] = {7};
    _cleanup_(bson_destroyp) bson_t *first = event(1, NULL, one), *second = event(2, one, two);
    assert_true(tf_event_check(first, NULL, carried));
    assert_memory_equal(carried, one, 32);
    assert_true(tf_event_check(second, one, carried));
    assert_memory_equal(carried, two, 32);
    assert_false(tf_event_check(second, other, carried));
    assert_memory_equal(carried, two, 32); /* what the next must link to is told all the same */
    assert_false(tf_event_check(second, NULL, carried));
    assert_false(tf_event_check(first, one, carried)); /* a first one in the middle */
}

static void event__altered_in_any_byte_does_not_fit(void **state)
{
    (void)state;
    uint8_t one[32], two[32], carried[32];
    _cleanup_(bson_destroyp) bson_t *first = event(1, NULL, one), *second = event(2, one, two);
    assert_true(tf_event_check(first, NULL, carried) && tf_event_check(second, one, carried));
    bson_iter_t iter;
    assert_true(bson_iter_init(&iter, second));
    while (bson_iter_next(&iter)) {
        _cleanup_(bson_destroyp) bson_t *changed = bson_copy(second);
        uint32_t last = bson_iter_offset(&iter); /* the type of the element, then its name */
        ((uint8_t *)(uintptr_t)bson_get_data(changed))[last + 1] ^= 1;
        if (tf_event_check(changed, one, carried))
            fail_msg("%s was altered", bson_iter_key(&iter));
    }
    _cleanup_(bson_destroyp) bson_t *longer = bson_copy(second);
    BSON_APPEND_INT32(longer, "more", 1);
    assert_false(tf_event_check(longer, one, carried));
}

static void event__without_a_hash_does_not_fit(void **state)
{
    (void)state;
    uint8_t carried[32], zeros[32] = {0};
    _cleanup_(bson_destroyp) bson_t *none = BCON_NEW("_id", BCON_INT64(1)), *short_one = BCON_NEW("hash", BCON_BIN(BSON_SUBTYPE_BINARY, zeros, 31)),
                                    *text = BCON_NEW("hash", "x");
    memset(carried, 9, 32);
    assert_false(tf_event_check(none, NULL, carried));
    assert_memory_equal(carried, zeros, 32);
    assert_false(tf_event_check(short_one, NULL, carried));
    assert_false(tf_event_check(text, NULL, carried));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event__fits_its_content_and_the_one_before),
        cmocka_unit_test(event__altered_in_any_byte_does_not_fit),
        cmocka_unit_test(event__without_a_hash_does_not_fit),
    };
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
