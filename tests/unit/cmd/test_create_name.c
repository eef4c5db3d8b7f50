#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/create_name.h"
#include "cmd/create_template.h"

#include <stdlib.h>

static void create__names_are_normalised(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"fix_totals", "fix_totals"},
        {"Fix  Negative-Totals!", "fix_negative_totals"},
        {"__a__b__", "a_b"},
        {"a9", "a9"},
        {"../../etc/passwd", "etc_passwd"},
        {"a\"b\\n*/c", "a_b_n_c"},
        {"f\xc3\xa4ulnis", "f_ulnis"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[TF_CREATE_NAME_MAX];
        tf_error err = {0};
        assert_true(tf_create_name(rows[i][0], name, &err));
        assert_string_equal(name, rows[i][1]);
    }
}

static void create__what_is_no_name_is_refused(void **state)
{
    (void)state;
    char longest[TF_CREATE_NAME_MAX + 1];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const rows[] = {"", "---", "123", "1a", "\xff\xfe", longest};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[TF_CREATE_NAME_MAX] = "untouched";
        tf_error err = {0};
        assert_false(tf_create_name(rows[i], name, &err));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_true(err.hint[0]);
        assert_string_equal(name, "untouched");
    }
    longest[TF_CREATE_NAME_MAX - 1] = '\0';
    char name[TF_CREATE_NAME_MAX];
    assert_true(tf_create_name(longest, name, &(tf_error){0}));
    assert_string_equal(name, longest);
}

static void create__summaries_read_like_sentences(void **state)
{
    (void)state;
    char summary[TF_CREATE_NAME_MAX];
    assert_string_equal(tf_create_summary("fix_negative_totals", summary), "Fix negative totals");
}

static void create__numbers_of_files_are_read(void **state)
{
    (void)state;
    int number = -1;
    char name[TF_CREATE_NAME_MAX];
    assert_true(tf_create_parse("004_fix_it.c", &number, name));
    assert_int_equal(number, 4);
    assert_string_equal(name, "fix_it");
    static const char *const none[] = {"fix_it.c", "004_fix_it.h", "004.c", "004_.c", "_a.c", "README.md", ".c", ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(tf_create_parse(none[i], &number, name));
}

static void create__templates_are_filled_in_everywhere(void **state)
{
    (void)state;
    char *migration = tf_template_migration("017_fix_it", "Fix it"), *test = tf_template_test("017_fix_it", "Fix it");
    assert_null(strchr(migration, '@'));
    assert_null(strchr(test, '@'));
    assert_non_null(strstr(migration, "const tf_migration tf_migration_017_fix_it = {"));
    assert_non_null(strstr(migration, ".summary = \"Fix it\""));
    assert_non_null(strstr(test, "static void fix_it__repairs"));
    assert_non_null(strstr(test, "\"up\", \"017_fix_it\", \"--confirm\""));
    free(migration);
    free(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create__names_are_normalised),
        cmocka_unit_test(create__what_is_no_name_is_refused),
        cmocka_unit_test(create__summaries_read_like_sentences),
        cmocka_unit_test(create__numbers_of_files_are_read),
        cmocka_unit_test(create__templates_are_filled_in_everywhere),
    };
    return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}
