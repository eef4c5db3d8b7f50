/* Ed25519 keys and their signatures. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/key.h"

/* RFC 8032, 7.1, test 2's secret, as openssl writes it. */
static const char known[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
                            "-----END PRIVATE KEY-----\n";

static void key__read_back_signs_what_its_public_half_examines(void **state)
{
    (void)state;
    tf_error err = {0};
    uint8_t hash[32] = {1, 2, 3}, signature[TF_SIGNATURE_SIZE];
    _cleanup_(tf_key_freep) tf_key *made = tf_key_make(&err);
    assert_non_null(made);
    char *secret = tf_key_pem(made, true), *public = tf_key_pem(made, false);
    _cleanup_(tf_key_freep) tf_key *signer = tf_key_parse(secret, strlen(secret), true, "f", &err);
    _cleanup_(tf_key_freep) tf_key *reader = tf_key_parse(public, strlen(public), false, "f", &err);
    _cleanup_(tf_key_freep) tf_key *both = tf_key_parse(secret, strlen(secret), false, "f", &err);
    assert_true(signer && reader && both);
    assert_memory_equal(tf_key_fingerprint(signer), tf_key_fingerprint(reader), TF_FINGERPRINT_SIZE);
    tf_key_sign(signer, hash, signature);
    assert_true(tf_key_fits(reader, hash, signature) && tf_key_fits(both, hash, signature));
    for (size_t i = 0; i < 8 * sizeof signature; i++) {
        signature[i / 8] ^= (uint8_t)(1 << i % 8);
        if (tf_key_fits(reader, hash, signature))
            fail_msg("bit %zu of the signature was turned", i);
        signature[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    hash[31] ^= 1;
    assert_false(tf_key_fits(reader, hash, signature));
    _cleanup_(tf_key_freep) tf_key *other = tf_key_make(&err);
    hash[31] ^= 1;
    assert_false(tf_key_fits(other, hash, signature));
    bson_free(secret);
    bson_free(public);
}

static void key__has_the_fingerprint_of_its_public_key_in_der(void **state)
{
    (void)state;
    tf_error err = {0};
    /* the 12 bytes that every Ed25519 SubjectPublicKeyInfo begins with, and the public key of the RFC */
    static const uint8_t der[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x3d, 0x40, 0x17,
                                    0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98,
                                    0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c};
    uint8_t expected[32];
    tf_sha256_of(der, sizeof der, expected);
    _cleanup_(tf_key_freep) tf_key *key = tf_key_parse(known, strlen(known), true, "f", &err);
    assert_non_null(key);
    assert_memory_equal(tf_key_fingerprint(key), expected, sizeof expected);
}

static void key__of_no_use_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *pem;
        bool secret;
    } rows[] = {
        {"nothing", "", true},
        {"a word", "secret\n", true},
        {"a public key where a private one is needed",
         "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n-----END PUBLIC KEY-----\n", true},
        {"half a key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEzNCJso\n-----END PRIVATE KEY-----\n", true},
        {"an X25519 key", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n-----END PUBLIC KEY-----\n",
         false},
        {"an encrypted key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg=\n-----END ENCRYPTED PRIVATE KEY-----\n",
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_error err = {0};
        tf_key *key = tf_key_parse(rows[i].pem, strlen(rows[i].pem), rows[i].secret, "the.key", &err);
        if (key || err.code != TF_ERR_USAGE || !strstr(err.message, "the.key") || !err.hint[0])
            fail_msg("%s: %s", rows[i].what, key ? "was taken" : err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key__read_back_signs_what_its_public_half_examines),
        cmocka_unit_test(key__has_the_fingerprint_of_its_public_key_in_der),
        cmocka_unit_test(key__of_no_use_is_refused),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
