#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>

#include "report/table.h"
#include "report/terminal.h"

static const tf_column columns[] = {{"npub", "user", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                    {"state", "state", TF_COLUMN_STATE, 0},
                                    {"tokenCount", "tokens", TF_COLUMN_COUNT, 0},
                                    {"size", "size", TF_COLUMN_BYTES, 0},
                                    {"at", "at", TF_COLUMN_TIME, 0},
                                    {NULL, NULL, TF_COLUMN_TEXT, 0}};

static char *print(const tf_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    tf_table_print(table, out);
    fclose(out);
    return text;
}

static void table__is_printed_as_text(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("npub1abc"), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(1234567), TF_CELL_NUMBER(1536),
                 TF_CELL_NUMBER(0));
    tf_table_add(table, TF_CELL_TEXT(NULL), TF_CELL_TEXT("failed"));
    char *text = print(table);
    assert_string_equal(text, "user      state      tokens     size  at\n"
                              "npub1abc  ok      1,234,567  1.5 KiB  1970-01-01T00:00:00.000Z\n"
                              "          failed                      \n");
    free(text);
    tf_table_free(table);
}

static void table__becomes_bson_with_the_same_values(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("u"), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(5), TF_CELL_NUMBER(6), TF_CELL_NUMBER(7));
    tf_table_add(table, TF_CELL_NONE);
    bson_t doc = BSON_INITIALIZER;
    tf_table_append(table, &doc, "rows");
    bson_t *expected = BCON_NEW("rows", "[", "{", "npub", "u", "state", "ok", "tokenCount", BCON_INT64(5), "size",
                                BCON_INT64(6), "at", BCON_DATE_TIME(7), "}", "{", "npub", BCON_NULL, "state", BCON_NULL,
                                "tokenCount", BCON_NULL, "size", BCON_NULL, "at", BCON_NULL, "}", "]");
    assert_true(bson_equal(&doc, expected));
    bson_destroy(expected);
    bson_destroy(&doc);
    tf_table_free(table);
}

static void table__fits_80_columns(void **state)
{
    (void)state;
    static char wide[10001];
    memset(wide, 'w', sizeof wide - 1);
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT(wide), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(5), TF_CELL_NUMBER(6),
                 TF_CELL_NUMBER(7));
    char *text = print(table);
    for (char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(text);
    tf_table_free(table);
}

static void table__what_is_cut_is_marked(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("npub1w4cj0jphnjg5tnqh53mf6edwqzklnd0lst800mugfvfw9cj8dxknvq9nk"), TF_CELL_TEXT("ok"),
                 TF_CELL_NUMBER(1234), TF_CELL_NUMBER(6), TF_CELL_NUMBER(7));
    tf_table_add(table, TF_CELL_TEXT("npub1short"), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(1), TF_CELL_NUMBER(6),
                 TF_CELL_NUMBER(7));
    char *text = print(table);
    assert_string_equal(text, "user                               state  tokens  size  at\n"
                              "npub1w4cj0jphnjg5tnqh53mf6edwq...  ok      1,234   6 B  1970-01-01T00:00:00.007Z\n"
                              "npub1short                         ok          1   6 B  1970-01-01T00:00:00.007Z\n");
    free(text);
    tf_table_free(table);
}

static void table__that_fits_nowhere_is_stacked(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("npub1w4cj0 jphnjg5tnqh53mf6edwqzk"), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(1234), TF_CELL_NONE, TF_CELL_NUMBER(7));
    tf_table_add(table, TF_CELL_TEXT("npub1short"), TF_CELL_TEXT("ok"), TF_CELL_NUMBER(1), TF_CELL_NUMBER(6), TF_CELL_NUMBER(7));
    setenv("COLUMNS", "40", 1);
    char *text = print(table);
    unsetenv("COLUMNS");
    assert_string_equal(text, "user    npub1w4cj0\n        jphnjg5tnqh53mf6edwqzk\nstate   ok\ntokens  1,234\nat      1970-01-01T00:00:00.007Z\n\n"
                              "user    npub1short\nstate   ok\ntokens  1\nsize    6 B\nat      1970-01-01T00:00:00.007Z\n");
    free(text);
    tf_table_free(table);
}

static void table__long_texts_are_wrapped_between_words(void **state)
{
    (void)state;
    static const tf_column two[] = {{"name", "name", TF_COLUMN_TEXT, 0},
                                    {"hint", "what to do", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                    {NULL, NULL, TF_COLUMN_TEXT, 0}};
    tf_table *table = tf_table_new(two, 0);
    tf_table_add(table, TF_CELL_TEXT("disk"),
                 TF_CELL_TEXT("The volume that holds the database has less room than the backup "
                              "is going to take: make room first."));
    tf_table_add(table, TF_CELL_TEXT("clock"), TF_CELL_TEXT(""));
    char *text = print(table);
    assert_string_equal(text, "name   what to do\n"
                              "disk   The volume that holds the database has less room than the backup is going\n"
                              "       to take: make room first.\n"
                              "clock  \n");
    free(text);
    tf_table_free(table);
}

static void table__hostile_text_cannot_reach_the_terminal(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("\x1b[2J\n\xff"), TF_CELL_TEXT(""));
    char *text = print(table);
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "?[2J ?"));
    free(text);
    tf_table_free(table);
}

static void table__without_rows_prints_nothing(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    char *text = print(table);
    assert_string_equal(text, "");
    free(text);
    tf_table_free(table);
    tf_table_free(NULL);
}

static void table__without_header_shows_rows_only(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, TF_TABLE_NO_HEADER);
    for (int i = 0; i < 100; i++)
        tf_table_add(table, TF_CELL_TEXT("a"), TF_CELL_TEXT("b"), TF_CELL_NUMBER(1), TF_CELL_NUMBER(2),
                     TF_CELL_NUMBER(3));
    assert_int_equal(tf_table_rows(table), 100);
    char *text = print(table);
    assert_int_equal(strncmp(text, "a  b  1  2 B  1970", 18), 0);
    free(text);
    tf_table_free(table);
}

static void table__colours_only_when_asked(void **state)
{
    (void)state;
    tf_table *table = tf_table_new(columns, 0);
    tf_table_add(table, TF_CELL_TEXT("a"), TF_CELL_TEXT("failed"));
    char *text = print(table);
    assert_null(strchr(text, '\x1b'));
    free(text);
    tf_terminal_set_color("always");
    text = print(table);
    assert_non_null(strchr(text, '\x1b'));
    free(text);
    tf_terminal_set_color("auto");
    tf_table_free(table);
}

static void terminal__columns_is_honoured_within_reason(void **state)
{
    (void)state;
    FILE *out = tmpfile();
    static const struct {
        const char *columns;
        size_t width;
    } rows[] = {{"100", 100}, {"0", 80}, {"-5", 80}, {"abc", 80}, {"99999999999999999999", 80}, {"5", 80}, {"", 80}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("COLUMNS", rows[i].columns, 1);
        assert_int_equal(tf_terminal_of(out).width, rows[i].width);
    }
    unsetenv("COLUMNS");
    fclose(out);
}

static int prepare(void **state)
{
    (void)state;
    unsetenv("COLUMNS");
    setlocale(LC_CTYPE, "C.UTF-8");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__is_printed_as_text),
        cmocka_unit_test(table__becomes_bson_with_the_same_values),
        cmocka_unit_test(table__what_is_cut_is_marked),
        cmocka_unit_test(table__fits_80_columns),
        cmocka_unit_test(table__that_fits_nowhere_is_stacked),
        cmocka_unit_test(table__long_texts_are_wrapped_between_words),
        cmocka_unit_test(table__hostile_text_cannot_reach_the_terminal),
        cmocka_unit_test(table__without_rows_prints_nothing),
        cmocka_unit_test(table__without_header_shows_rows_only),
        cmocka_unit_test(table__colours_only_when_asked),
        cmocka_unit_test(terminal__columns_is_honoured_within_reason),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
