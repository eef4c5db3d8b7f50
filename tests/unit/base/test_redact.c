#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/redact.h"
#include "base/text.h"

static void redact__password_of_a_connection_string_is_hidden(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"mongodb://u:pw@h:27017/db?x=y", "mongodb://u:<hidden>@h:27017/db?x=y"},
        {"mongodb+srv://u:pw@h/db", "mongodb+srv://u:<hidden>@h/db"},
        {"MongoDB://u:pw@h", "MongoDB://u:<hidden>@h"},
        {"mongodb://u@h", "mongodb://u@h"},
        {"mongodb://u:@h", "mongodb://u:<hidden>@h"},
        {"mongodb://h:27017,i:27018/db", "mongodb://h:27017,i:27018/db"},
        {"mongodb://u:p@ss:w/o?r#d@h/db", "mongodb://u:<hidden>@h/db"},
        {"mongodb://u:two words@h/db", "mongodb://u:<hidden>@h/db"},
        {"mongodb://h/?tlsCertificateKeyFilePassword=geheim&tls=true",
         "mongodb://h/?tlsCertificateKeyFilePassword=<hidden>&tls=true"},
        {"mongodb://h/?tlsCertificateKeyFilePassword=ge,he;i m'&tls=true",
         "mongodb://h/?tlsCertificateKeyFilePassword=<hidden>&tls=true"},
        {"mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN%3Ageheim&tls=true",
         "mongodb://h/?authMechanismProperties=<hidden>&tls=true"},
        {"mongodb://h/?proxyPassword=geheim&appName=a@b", "mongodb://h/?proxyPassword=<hidden>&appName=a@b"},
        {"mongodb://h/?proxyPassword=ge:he@im&tls=true", "mongodb://h<hidden>&tls=true"},
        {"http://u:pw@h", "http://u:<hidden>@h"},
        {"u:pw@h", "u:<hidden>@h"},
        {"nonsense", "nonsense"},
        {"", ""},
        {"mongodb://", "mongodb://"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(tf_redact_uri(rows[i][0], out, sizeof out), rows[i][1]);
}

static void redact__every_connection_string_in_a_text_is_hidden(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"no 'mongodb://a:b@c/d' and mongodb+srv://e:f@g, sorry", "no 'mongodb://a:<hidden>@c/d' and "
                                                                  "mongodb+srv://e:<hidden>@g, sorry"},
        {"at mongodb://h:27017/x mail me@example.org", "at mongodb://h:27017/x mail me@example.org"},
        {"bad mongodb://u:two words@h/db here", "bad mongodb://u:<hidden>@h/db here"},
        {"bad mongodb://u:cut-in-the-mid", "bad mongodb://u:<hidden>"},
        {"bad 'mongodb://h/?tlsCertificateKeyFilePassword=ge,he;im', sorry",
         "bad 'mongodb://h/?tlsCertificateKeyFilePassword=<hidden>', sorry"},
        {"nothing to hide: a@b", "nothing to hide: a@b"},
    };
    char out[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(tf_redact_text(rows[i][0], out, sizeof out), rows[i][1]);
}

static void redact__short_buffers_are_never_overrun(void **state)
{
    (void)state;
    const char *uri = "mongodb://user:password@host";
    for (size_t size = 1; size < 40; size++) {
        char *out = malloc(size);
        tf_redact_uri(uri, out, size);
        assert_true(strlen(out) < size);
        assert_null(strstr(out, "pass"));
        free(out);
    }
}

static void redact__needed_tells_whether_a_password_is_there(void **state)
{
    (void)state;
    assert_true(tf_redact_needed("mongodb://u:p@h"));
    assert_true(tf_redact_needed("mongodb+srv://u:p/w@h"));
    assert_false(tf_redact_needed("mongodb://u@h"));
    assert_false(tf_redact_needed("mongodb://u:@h"));
    assert_false(tf_redact_needed("mongodb://h:27017"));
    assert_false(tf_redact_needed("nonsense"));
}

static void text__control_characters_and_invalid_utf8_are_replaced(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(tf_text_clean("a\x1b[1mb\n\xff\xc3\xa4\xe2\x80\xae", out, sizeof out), "a?[1mb ?\xc3\xa4?");
    assert_string_equal(tf_text_clean("\xed\xa0\x80\xc0\xaf", out, sizeof out), "?????");
}

static void text__what_does_not_fit_ends_with_dots(void **state)
{
    (void)state;
    for (size_t size = 4; size < 12; size++) {
        char *out = malloc(size);
        tf_text_clean("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", out, size);
        assert_true(strlen(out) < size);
        assert_string_equal(out + strlen(out) - 3, "...");
        for (size_t i = 0; i < strlen(out) - 3;)
            i += tf_utf8_next(out + i, strlen(out) - i, NULL) ?: 100;
        free(out);
    }
    char exact[5];
    assert_string_equal(tf_text_clean("abcd", exact, sizeof exact), "abcd");
}

static void text__is_wrapped_between_words(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("x: ", out);
    tf_text_wrap(out, "one two three\nfour averyverylongword", 3, 2, 10);
    tf_text_wrap(out, "", 0, 0, 10);
    fclose(out);
    assert_string_equal(text, "x: one two\n  three\n  four\n  averyverylongword\n\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redact__password_of_a_connection_string_is_hidden),
        cmocka_unit_test(redact__every_connection_string_in_a_text_is_hidden),
        cmocka_unit_test(redact__short_buffers_are_never_overrun),
        cmocka_unit_test(redact__needed_tells_whether_a_password_is_there),
        cmocka_unit_test(text__control_characters_and_invalid_utf8_are_replaced),
        cmocka_unit_test(text__what_does_not_fit_ends_with_dots),
        cmocka_unit_test(text__is_wrapped_between_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
