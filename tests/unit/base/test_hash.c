#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"

/* the examples of FIPS 180-2, and one of more than a block */
static const struct {
    const char *text;
    const char *hex;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void hash__of_one_piece_is_the_known_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t sum[TF_SHA256_SIZE];
        char hex[2 * TF_SHA256_SIZE + 1];
        tf_sha256_of(known[i].text, strlen(known[i].text), sum);
        tf_hex(sum, sizeof sum, hex);
        assert_string_equal(hex, known[i].hex);
    }
}

static void hash__of_pieces_is_that_of_the_whole(void **state)
{
    (void)state;
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    uint8_t whole[TF_SHA256_SIZE], pieces[TF_SHA256_SIZE];
    const char *text = known[2].text;
    tf_sha256_of(text, strlen(text), whole);
    for (size_t i = 0; text[i]; i++)
        tf_sha256_add(hash, text + i, 1);
    tf_sha256_finish(hash, pieces);
    assert_memory_equal(whole, pieces, sizeof whole);
}

static void hash__starts_anew_after_finish(void **state)
{
    (void)state;
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    uint8_t first[TF_SHA256_SIZE], second[TF_SHA256_SIZE], third[TF_SHA256_SIZE];
    tf_sha256_add(hash, "abc", 3);
    tf_sha256_finish(hash, first);
    tf_sha256_add(hash, "abc", 3);
    tf_sha256_finish(hash, second);
    assert_memory_equal(first, second, sizeof first);
    tf_sha256_finish(hash, third);
    assert_memory_not_equal(first, third, sizeof first);
}

static void hex__has_two_digits_for_every_byte(void **state)
{
    (void)state;
    char hex[9] = "xxxxxxxx";
    tf_hex((const uint8_t[]){0x00, 0x0f, 0xa0, 0xff}, 4, hex);
    assert_string_equal(hex, "000fa0ff");
    tf_hex(NULL, 0, hex);
    assert_string_equal(hex, "");
}

static void hash__free_accepts_null(void **state)
{
    (void)state;
    tf_sha256_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash__of_one_piece_is_the_known_one),
        cmocka_unit_test(hash__of_pieces_is_that_of_the_whole),
        cmocka_unit_test(hash__starts_anew_after_finish),
        cmocka_unit_test(hex__has_two_digits_for_every_byte),
        cmocka_unit_test(hash__free_accepts_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
