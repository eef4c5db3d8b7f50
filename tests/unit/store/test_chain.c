/* The chain's first break: where it is, and what. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/chain.h"
#include "support/trail.h"

#include <stdio.h>

enum { EVENTS = 8, SIGNED_FROM = 3, DAY_ONE = 1 };

typedef struct scene {
    tf_key *signer, *other;
    tf_links links;
} scene;

static int setup(void **state)
{
    static scene s;
    tf_error err = {0};
    s = (scene){.signer = tf_key_make(&err), .other = tf_key_make(&err)};
    *state = &s;
    return !s.signer || !s.other;
}

static int teardown(void **state)
{
    scene *s = *state;
    tf_links_done(&s->links);
    tf_key_free(s->signer);
    tf_key_free(s->other);
    return 0;
}

static void refill(scene *s)
{
    tf_links_done(&s->links);
    tf_links_make(&s->links, EVENTS, 1, NULL, DAY_ONE, s->signer, SIGNED_FROM);
}

static void walk(const scene *s, tf_chain *chain, bool with_key)
{
    const tf_key *keys[] = {s->signer};
    tf_chain_init(chain, keys, with_key);
    for (size_t i = 0; i < s->links.count && tf_chain_add(chain, s->links.events[i]); i++)
        continue;
    tf_chain_end(chain);
}

/* ---- mutilations; the event with index 4 is number 5 and signed ---- */

static void drop(scene *s, size_t i)
{
    bson_destroy(s->links.events[i]);
    memmove(&s->links.events[i], &s->links.events[i + 1], (s->links.count - i - 1) * sizeof *s->links.events);
    s->links.count--;
}

static bson_t *without(const bson_t *doc, const char *a, const char *b, const char *c)
{
    bson_t *out = bson_new();
    bson_copy_to_excluding_noinit(doc, out, a, b, c, NULL);
    return out;
}

static void put(scene *s, size_t i, bson_t *doc)
{
    bson_destroy(s->links.events[i]);
    s->links.events[i] = doc;
}

/* Another user, and what else is needed so that the event itself looks right. */
static void forge(scene *s, size_t i, const tf_key *signer, bool rehash, bool keep_key)
{
    uint8_t hash[32];
    const bson_t *was = s->links.events[i];
    bson_t *doc = without(was, "user", "signature", "hash");
    bson_t *content = keep_key ? doc : without(doc, "key", "key", "key");
    if (content != doc)
        bson_destroy(doc);
    BSON_APPEND_UTF8(content, "user", "mallory");
    if (rehash) {
        put(s, i, tf_link_seal(content, signer, hash));
        return;
    }
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, was, "hash"))
        bson_append_iter(content, "hash", 4, &iter);
    if (bson_iter_init_find(&iter, was, "signature"))
        bson_append_iter(content, "signature", 9, &iter);
    put(s, i, content);
}

static void alter(scene *s)
{
    forge(s, 4, NULL, false, true);
}

static void alter_an_unsigned_one_with_its_hash(scene *s)
{
    forge(s, 1, NULL, true, false);
}

static void alter_with_its_hash_and_keep_the_signature(scene *s)
{
    uint8_t hash[32];
    bson_iter_t iter;
    bson_t *was = bson_copy(s->links.events[4]), *doc = without(was, "user", "signature", "hash");
    BSON_APPEND_UTF8(doc, "user", "mallory");
    tf_sha256_of(bson_get_data(doc), doc->len, hash);
    BSON_APPEND_BINARY(doc, "hash", BSON_SUBTYPE_BINARY, hash, 32);
    if (bson_iter_init_find(&iter, was, "signature"))
        bson_append_iter(doc, "signature", 9, &iter);
    put(s, 4, doc);
    bson_destroy(was);
}

static void strip_a_signature(scene *s)
{
    put(s, 4, without(s->links.events[4], "signature", "signature", "signature"));
}

static void strip_key_and_signature(scene *s)
{
    uint8_t hash[32];
    bson_t *doc = without(s->links.events[7], "signature", "hash", "key");
    put(s, 7, tf_link_seal(doc, NULL, hash));
}

static void sign_with_another_key(scene *s)
{
    uint8_t hash[32];
    bson_t *doc = without(s->links.events[7], "signature", "hash", "key");
    put(s, 7, tf_link_seal(doc, s->other, hash));
}

static void add_a_signature(scene *s)
{
    BSON_APPEND_BINARY(s->links.events[1], "signature", BSON_SUBTYPE_BINARY, (const uint8_t *)"", 0);
}

static void give_a_hash_twice(scene *s)
{
    BSON_APPEND_BINARY(s->links.events[1], "hash", BSON_SUBTYPE_BINARY, (const uint8_t *)"", 0);
}

static void remove_one(scene *s)
{
    drop(s, 4);
}

static void remove_two(scene *s)
{
    drop(s, 4);
    drop(s, 4);
}

static void cut_the_beginning(scene *s)
{
    drop(s, 0);
    drop(s, 0);
}

static void exchange_two(scene *s)
{
    bson_t *one = s->links.events[4];
    s->links.events[4] = s->links.events[5];
    s->links.events[5] = one;
}

static void repeat_one(scene *s)
{
    put(s, 5, bson_copy(s->links.events[4]));
}

static void number_of_another_type(scene *s)
{
    bson_t *doc = BCON_NEW("_id", BCON_INT32(5));
    bson_copy_to_excluding_noinit(s->links.events[4], doc, "_id", NULL);
    put(s, 4, doc);
}

static void something_else(scene *s)
{
    put(s, 4, BCON_NEW("_id", "note"));
}

static void first_with_a_past(scene *s)
{
    uint8_t hash[32] = {9};
    bson_t *doc = without(s->links.events[0], "signature", "hash", "key");
    BSON_APPEND_BINARY(doc, "previous", BSON_SUBTYPE_BINARY, hash, 32);
    put(s, 0, tf_link_seal(doc, NULL, hash));
}

static void nothing(scene *s)
{
    (void)s;
}

static void all_without_signatures(scene *s)
{
    tf_links_done(&s->links);
    tf_links_make(&s->links, EVENTS, 1, NULL, DAY_ONE, NULL, 0);
}

static void chain__is_broken_where_and_how(void **state)
{
    static const struct {
        const char *name;
        void (*mutilate)(scene *s);
        tf_break with_key, without_key;
        int64_t at_with, at_without;
    } rows[] = {
        {"intact", nothing, TF_BREAK_NONE, TF_BREAK_NONE, 0, 0},
        {"altered", alter, TF_BREAK_CONTENT, TF_BREAK_CONTENT, 5, 5},
        {"an unsigned one altered with its hash", alter_an_unsigned_one_with_its_hash, TF_BREAK_LINK, TF_BREAK_LINK, 3, 3},
        {"a signed one altered with its hash", alter_with_its_hash_and_keep_the_signature, TF_BREAK_SIGNATURE, TF_BREAK_LINK, 5, 6},
        {"a signature removed", strip_a_signature, TF_BREAK_UNSIGNED, TF_BREAK_UNSIGNED, 5, 5},
        {"the last one without key and signature", strip_key_and_signature, TF_BREAK_UNSIGNED, TF_BREAK_NONE, 8, 0},
        {"the last one signed by somebody else", sign_with_another_key, TF_BREAK_KEY, TF_BREAK_NONE, 8, 0},
        {"a signature that names no key", add_a_signature, TF_BREAK_CONTENT, TF_BREAK_CONTENT, 2, 2},
        {"two hashes", give_a_hash_twice, TF_BREAK_CONTENT, TF_BREAK_CONTENT, 2, 2},
        {"one removed", remove_one, TF_BREAK_NUMBER, TF_BREAK_NUMBER, 5, 5},
        {"two removed", remove_two, TF_BREAK_NUMBER, TF_BREAK_NUMBER, 5, 5},
        {"the beginning removed", cut_the_beginning, TF_BREAK_START, TF_BREAK_START, 1, 1},
        {"two exchanged", exchange_two, TF_BREAK_NUMBER, TF_BREAK_NUMBER, 5, 5},
        {"one twice", repeat_one, TF_BREAK_NUMBER, TF_BREAK_NUMBER, 5, 5},
        {"a number of another type", number_of_another_type, TF_BREAK_FORM, TF_BREAK_FORM, 5, 5},
        {"something else", something_else, TF_BREAK_FORM, TF_BREAK_FORM, 5, 5},
        {"a first one that names one before", first_with_a_past, TF_BREAK_LINK, TF_BREAK_LINK, 1, 1},
        {"no signature at all", all_without_signatures, TF_BREAK_UNSIGNED, TF_BREAK_NONE, 1, 0},
    };
    scene *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int with_key = 0; with_key < 2; with_key++) {
            tf_chain chain;
            tf_break expected = with_key ? rows[i].with_key : rows[i].without_key;
            int64_t at = with_key ? rows[i].at_with : rows[i].at_without;
            refill(s);
            rows[i].mutilate(s);
            walk(s, &chain, with_key);
            if (chain.broken != expected || chain.at != at || (expected != TF_BREAK_NONE) != (chain.text[0] != '\0'))
                fail_msg("%s, key %d: %s at %d instead of %s at %d: %s", rows[i].name, with_key, tf_break_name(chain.broken), (int)chain.at,
                         tf_break_name(expected), (int)at, chain.text);
        }
}

static void chain__counts_what_it_saw(void **state)
{
    scene *s = *state;
    tf_chain chain;
    uint8_t hash[32];
    refill(s);
    walk(s, &chain, true);
    assert_int_equal(chain.count, EVENTS);
    assert_int_equal(chain.first, 1);
    assert_int_equal(chain.last.seq, EVENTS);
    assert_int_equal(chain.signed_count, EVENTS - SIGNED_FROM);
    assert_int_equal(chain.first_signed, SIGNED_FROM + 1);
    assert_int_equal(chain.last_signed, EVENTS);
    assert_true(tf_event_hash(s->links.events[EVENTS - 1], hash));
    assert_memory_equal(hash, chain.last.hash, 32);
}

static void chain__goes_on_behind_an_archive(void **state)
{
    scene *s = *state;
    tf_chain chain;
    tf_head upto = {.seq = 3};
    refill(s);
    assert_true(tf_event_hash(s->links.events[2], upto.hash));
    for (int wrong = 0; wrong < 2; wrong++) {
        upto.hash[0] ^= (uint8_t)wrong;
        tf_chain_init(&chain, NULL, 0);
        tf_chain_after(&chain, &upto);
        for (size_t i = 3; i < EVENTS && tf_chain_add(&chain, s->links.events[i]); i++)
            continue;
        assert_int_equal(chain.broken, wrong ? TF_BREAK_LINK : TF_BREAK_NONE);
        assert_int_equal(chain.at, wrong ? 4 : 0);
    }
}

static void chain__is_compared_with_what_was_written_down(void **state)
{
    scene *s = *state;
    static const struct {
        int64_t seq;
        bool wrong, ended;
        tf_break expected;
        int64_t at;
    } rows[] = {
        {EVENTS, false, false, TF_BREAK_NONE, 0}, {EVENTS, true, false, TF_BREAK_WITNESS, EVENTS}, {3, true, true, TF_BREAK_NONE, 0},
        {EVENTS + 2, true, false, TF_BREAK_NONE, 0}, {EVENTS + 2, true, true, TF_BREAK_END, EVENTS + 1},
    };
    refill(s);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_chain chain;
        walk(s, &chain, false);
        tf_head head = {.seq = rows[i].seq};
        memcpy(head.hash, chain.last.hash, 32);
        head.hash[5] ^= (uint8_t)rows[i].wrong;
        assert_int_equal(tf_chain_compare(&chain, &head, "a note", rows[i].ended), rows[i].expected == TF_BREAK_NONE);
        assert_int_equal(chain.broken, rows[i].expected);
        assert_int_equal(chain.at, rows[i].at);
    }
}

static void head__is_read_back_from_its_text(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "5",     "5:",   ":00",  "0:0000000000000000000000000000000000000000000000000000000000000000",
                                        "-1:0000000000000000000000000000000000000000000000000000000000000000",
                                        "5:000000000000000000000000000000000000000000000000000000000000000g",
                                        "5:00000000000000000000000000000000000000000000000000000000000000000",
                                        "99999999999999999999999:0000000000000000000000000000000000000000000000000000000000000000"};
    tf_head head = {.seq = 17}, back;
    tf_error err = {0};
    char text[TF_HEAD_TEXT];
    for (int i = 0; i < 32; i++)
        head.hash[i] = (uint8_t)(i * 9);
    assert_true(tf_head_parse(tf_head_text(&head, text), &back, &err));
    assert_memory_equal(&head, &back, sizeof head);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tf_error_clear(&err);
        if (tf_head_parse(wrong[i], &back, &err) || err.code != TF_ERR_USAGE)
            fail_msg("'%s' was taken", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chain__is_broken_where_and_how, setup, teardown),
        cmocka_unit_test_setup_teardown(chain__counts_what_it_saw, setup, teardown),
        cmocka_unit_test_setup_teardown(chain__goes_on_behind_an_archive, setup, teardown),
        cmocka_unit_test_setup_teardown(chain__is_compared_with_what_was_written_down, setup, teardown),
        cmocka_unit_test(head__is_read_back_from_its_text),
    };
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
