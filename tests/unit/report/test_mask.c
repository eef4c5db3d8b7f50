#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/mask.h"

static void assert_masked(bson_t *doc, const char *const *paths, bson_t *expected)
{
    bson_t out = BSON_INITIALIZER;
    tf_mask_document(doc, paths, &out);
    char *shown = bson_as_canonical_extended_json(&out, NULL),
         *wanted = bson_as_canonical_extended_json(expected, NULL);
    assert_string_equal(shown, wanted);
    assert_true(bson_validate(&out, BSON_VALIDATE_NONE, NULL));
    bson_free(shown);
    bson_free(wanted);
    bson_destroy(&out);
    bson_destroy(doc);
    bson_destroy(expected);
}

static void mask__scalars_below_a_path_are_hidden_and_shape_is_kept(void **state)
{
    (void)state;
    static const char *const paths[] = {"proofs", "meta.token", NULL};
    assert_masked(BCON_NEW("a", BCON_INT32(1), "proofs", "[", "{", "id", "x", "amount", BCON_INT32(8), "}", BCON_NULL,
                           "]", "meta", "{", "token", "abc", "other", "kept", "}"),
                  paths,
                  BCON_NEW("a", BCON_INT32(1), "proofs", "[", "{", "id", "***", "amount", "***", "}", "***", "]",
                           "meta", "{", "token", "***", "other", "kept", "}"));
}

static void mask__path_reaches_through_arrays(void **state)
{
    (void)state;
    static const char *const paths[] = {"list.key", NULL};
    assert_masked(
        BCON_NEW("list", "[", "{", "key", "k", "n", BCON_INT32(1), "}", "[", "{", "key", "k", "}", "]", "]"), paths,
        BCON_NEW("list", "[", "{", "key", "***", "n", BCON_INT32(1), "}", "[", "{", "key", "***", "}", "]", "]"));
}

static void mask__names_that_hold_a_secret_name_are_hidden(void **state)
{
    (void)state;
    assert_masked(BCON_NEW("p2pk_privkey", "x", "walletMnemonic", "y", "a", "{", "payment_preimage", "z", "}", "pubkey", "p", "c", "w"), NULL,
                  BCON_NEW("p2pk_privkey", "***", "walletMnemonic", "***", "a", "{", "payment_preimage", "***", "}", "pubkey", "p", "c", "w"));
}

static void mask__path_must_match_whole_names(void **state)
{
    (void)state;
    static const char *const paths[] = {"proof", "a.b", "", NULL};
    assert_masked(BCON_NEW("proofs", "x", "proof_id", "y", "a", "{", "bc", "z", "}", "b", "w"), paths,
                  BCON_NEW("proofs", "x", "proof_id", "y", "a", "{", "bc", "z", "}", "b", "w"));
}

static void mask__dotted_names_are_hidden_too(void **state)
{
    (void)state;
    static const char *const paths[] = {"a.b", NULL};
    assert_masked(BCON_NEW("a.b", "x"), paths, BCON_NEW("a.b", "***"));
}

static void mask__secret_names_are_hidden_anywhere(void **state)
{
    (void)state;
    assert_masked(BCON_NEW("x", "[", "{", "secret", "s", "C", "c", "c", "kept", "Password", "p", "witness", "{", "sig",
                           "[", BCON_INT32(1), "]", "}", "}", "]", "privkey", BCON_INT64(5)),
                  NULL,
                  BCON_NEW("x", "[", "{", "secret", "***", "C", "***", "c", "kept", "Password", "***", "witness", "{",
                           "sig", "[", "***", "]", "}", "}", "]", "privkey", "***"));
}

static void mask__long_names_and_deep_documents_are_hidden(void **state)
{
    (void)state;
    static char name[10001];
    memset(name, 'n', sizeof name - 1);
    assert_masked(BCON_NEW(name, "v"), NULL, BCON_NEW(name, "***"));
    bson_t *doc = BCON_NEW("v", "plain"), out = BSON_INITIALIZER;
    for (int i = 0; i < 1000; i++) {
        bson_t *outer = bson_new();
        BSON_APPEND_DOCUMENT(outer, "v", doc);
        bson_destroy(doc);
        doc = outer;
    }
    tf_mask_document(doc, NULL, &out);
    char *json = bson_as_canonical_extended_json(&out, NULL);
    assert_null(strstr(json, "plain"));
    bson_free(json);
    bson_destroy(&out);
    bson_destroy(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mask__scalars_below_a_path_are_hidden_and_shape_is_kept),
        cmocka_unit_test(mask__path_reaches_through_arrays),
        cmocka_unit_test(mask__names_that_hold_a_secret_name_are_hidden),
        cmocka_unit_test(mask__path_must_match_whole_names),
        cmocka_unit_test(mask__dotted_names_are_hidden_too),
        cmocka_unit_test(mask__secret_names_are_hidden_anywhere),
        cmocka_unit_test(mask__long_names_and_deep_documents_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
