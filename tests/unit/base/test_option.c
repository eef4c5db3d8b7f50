#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/option.h"

typedef struct {
    bool confirm, dry_run, no_color;
    int64_t batch_size, memory;
    double rate;
    const char *strategy, *db, *password, *resume, *print;
    tf_strings only;
} sample;

static const char *const strategies[] = {"transaction", "journal", NULL};

static const tf_option rows[] = {
    TF_OPTION_FLAG(sample, confirm, "confirm", "Do it."),
    TF_OPTION_FLAG(sample, dry_run, "dry-run", "Show it.", .letter = 'n', .env = "TFT_DRY_RUN"),
    TF_OPTION_FLAG(sample, no_color, "no-color", "No colours.", .letter = 'c'),
    TF_OPTION_INT(sample, batch_size, "batch-size", 1, 100000, "Documents in one transaction.", .letter = 'b',
                  .fallback = "1000", .env = "TFT_BATCH_SIZE"),
    TF_OPTION_SIZE(sample, memory, "memory", 1024, INT64_MAX, "Memory."),
    TF_OPTION_DOUBLE(sample, rate, "rate", 0.5, 10, "Rate."),
    TF_OPTION_CHOICE(sample, strategy, "strategy", strategies, "Strategy.", .fallback = "transaction"),
    TF_OPTION_STRING(sample, db, "db", "Database.", .letter = 'd', .env = "TFT_DB"),
    TF_OPTION_STRING(sample, password, "password", "Password.", .secret = true, .env = "TFT_PASSWORD"),
    TF_OPTION_STRING(sample, resume, "resume", "Go on.", .optional = true, .metavar = "RUN"),
    TF_OPTION_CHOICE(sample, print, "print", strategies, "Print it.", .letter = 'P', .optional = true),
    TF_OPTION_LIST(sample, only, "only", "Only these."),
    TF_OPTION_END,
};

typedef struct {
    sample args;
    tf_options options;
    tf_error err;
    char *words[32];
    int words_count, next;
    char memory[32][64];
    char *argv[33];
} attempt;

static attempt now;

/* Reads the NULL-terminated arguments, from writable memory as in main. */
static bool parse(bool fill, char *const *arguments)
{
    tf_options_done(&now.options);
    now = (attempt){0};
    tf_options_init(&now.options, rows, &now.args);
    int count = 0;
    for (; arguments[count]; count++) {
        if (strlen(arguments[count]) < sizeof now.memory[0]) {
            snprintf(now.memory[count], sizeof now.memory[count], "%s", arguments[count]);
            now.argv[count] = now.memory[count];
        } else {
            now.argv[count] = arguments[count];
        }
    }
    tf_options *const scopes[] = {&now.options, NULL};
    return tf_options_parse(scopes, count, now.argv, false, &now.next, now.words, &now.words_count, &now.err) &&
           (!fill || tf_options_fill(&now.options, &now.err));
}

#define PARSE(...) parse(true, (char *const[]){__VA_ARGS__, NULL})

static void assert_refused(tf_error_code code, const char *message, const char *hint)
{
    assert_int_equal(now.err.code, code);
    assert_string_equal(now.err.message, message);
    assert_string_equal(now.err.hint, hint);
}

static void option__value_is_taken_from_the_next_argument(void **state)
{
    (void)state;
    assert_true(PARSE("--batch-size", "7"));
    assert_int_equal(now.args.batch_size, 7);
    assert_int_equal(tf_options_source(&now.options, "batch-size"), TF_SOURCE_FLAG);
}

static void option__value_is_taken_after_the_equals_sign(void **state)
{
    (void)state;
    assert_true(PARSE("--db=a=b", "--strategy=journal"));
    assert_string_equal(now.args.db, "a=b");
    assert_string_equal(now.args.strategy, "journal");
}

static void option__short_names_take_values_and_bundle(void **state)
{
    (void)state;
    assert_true(PARSE("-ncb5", "-d", "shop"));
    assert_true(now.args.dry_run && now.args.no_color);
    assert_int_equal(now.args.batch_size, 5);
    assert_string_equal(now.args.db, "shop");
}

static void option__words_and_options_intermix(void **state)
{
    (void)state;
    assert_true(PARSE("one", "--confirm", "two", "-", "--", "--dry-run", "-x"));
    assert_true(now.args.confirm);
    assert_false(now.args.dry_run);
    assert_int_equal(now.words_count, 5);
    assert_string_equal(now.words[2], "-");
    assert_string_equal(now.words[3], "--dry-run");
}

static void option__unknown_name_gets_the_nearest(void **state)
{
    (void)state;
    assert_false(PARSE("--confrim"));
    assert_refused(TF_ERR_NOT_FOUND, "unknown option '--confrim'", "Did you mean '--confirm'?");
    assert_false(PARSE("--zzzzzzzzzzzz"));
    assert_refused(TF_ERR_NOT_FOUND, "unknown option '--zzzzzzzzzzzz'", "'--help' lists the options.");
}

static void option__unique_prefix_is_not_accepted(void **state)
{
    (void)state;
    assert_false(PARSE("--conf"));
    assert_refused(TF_ERR_NOT_FOUND, "unknown option '--conf'", "Did you mean '--confirm'?");
}

static void option__unknown_letter_is_refused(void **state)
{
    (void)state;
    assert_false(PARSE("-nz"));
    assert_string_equal(now.err.message, "unknown option '-z'");
}

static void option__numbers_are_checked_strictly(void **state)
{
    (void)state;
    static const char *const wrong[] = {"abc",
                                        "12x",
                                        "",
                                        " 1",
                                        "1 ",
                                        "0x10",
                                        "1e3",
                                        "1.0",
                                        "-1",
                                        "0",
                                        "-0",
                                        "100001",
                                        "9223372036854775808",
                                        "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char argument[64];
        snprintf(argument, sizeof argument, "--batch-size=%s", wrong[i]);
        assert_false(PARSE(argument));
        assert_int_equal(now.err.code, TF_ERR_USAGE);
        assert_int_equal(tf_error_exit(now.err.code), 2);
        assert_string_equal(now.err.hint, "Give a whole number from 1 to 100000.");
    }
    assert_false(PARSE("--batch-size", "-1"));
    assert_string_equal(now.err.message, "option '--batch-size': '-1' is not in the range allowed");
}

static void option__doubles_are_checked_strictly(void **state)
{
    (void)state;
    assert_true(PARSE("--rate=1.5"));
    assert_true(now.args.rate > 1.4 && now.args.rate < 1.6);
    static const char *const wrong[] = {"nan", "inf", "1,5", "0x1p1", "", "1e999", "0.1", "11", "1.5x", "1e"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char argument[64];
        snprintf(argument, sizeof argument, "--rate=%s", wrong[i]);
        assert_false(PARSE(argument));
        assert_int_equal(now.err.code, TF_ERR_USAGE);
    }
}

static void option__sizes_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"--memory=4096", 4096},          {"--memory=4k", 4096},     {"--memory=4KiB", 4096},
                {"--memory=64M", 64 << 20},       {"--memory=1GB", 1 << 30}, {"--memory=2048B", 2048},
                {"--memory=1T", INT64_C(1) << 40}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", good[i].text);
        assert_true(PARSE(text));
        assert_int_equal(now.args.memory, good[i].bytes);
    }
    assert_false(PARSE("--memory=9999999999G"));
    assert_false(PARSE("--memory=M"));
    assert_false(PARSE("--memory=1Mx"));
    assert_false(PARSE("--memory=1023"));
}

static void option__choice_out_of_list_gets_the_nearest(void **state)
{
    (void)state;
    assert_false(PARSE("--strategy", "jornal"));
    assert_refused(TF_ERR_USAGE, "option '--strategy': 'jornal' is not one of transaction|journal",
                   "Did you mean 'journal'?");
}

static void option__optional_value_needs_the_equals_sign(void **state)
{
    (void)state;
    assert_true(PARSE("--resume", "word"));
    assert_string_equal(now.args.resume, "");
    assert_int_equal(now.words_count, 1);
    assert_true(PARSE("--resume=20261120-1"));
    assert_string_equal(now.args.resume, "20261120-1");
    assert_false(PARSE("--resume="));
    assert_int_equal(now.err.code, TF_ERR_USAGE);
    assert_true(PARSE("word"));
    assert_null(now.args.resume);
}

static void option__optional_choice_takes_the_next_word_only_if_it_is_one(void **state)
{
    (void)state;
    assert_true(PARSE("--print"));
    assert_string_equal(now.args.print, "transaction");
    assert_true(PARSE("--print", "journal", "word"));
    assert_string_equal(now.args.print, "journal");
    assert_int_equal(now.words_count, 1);
    assert_true(PARSE("--print", "word"));
    assert_string_equal(now.args.print, "transaction");
    assert_string_equal(now.words[0], "word");
    assert_true(PARSE("-P", "journal"));
    assert_string_equal(now.args.print, "journal");
    assert_true(PARSE("--print=journal"));
    assert_string_equal(now.args.print, "journal");
    assert_false(PARSE("--print=jurnal"));
    assert_refused(TF_ERR_USAGE, "option '--print': 'jurnal' is not one of transaction|journal",
                   "Did you mean 'journal'?");
    assert_true(PARSE("word"));
    assert_null(now.args.print);
}

static void option__missing_value_is_refused(void **state)
{
    (void)state;
    assert_false(PARSE("--db"));
    assert_refused(TF_ERR_USAGE, "option '--db' needs a value", "Write '--db=TEXT'.");
    assert_false(PARSE("--db", "--confirm"));
    assert_refused(TF_ERR_USAGE, "option '--db' needs a value", "Write '--db=TEXT'.");
    assert_true(PARSE("--db=--confirm"));
    assert_string_equal(now.args.db, "--confirm");
}

static void option__flag_takes_no_value(void **state)
{
    (void)state;
    assert_false(PARSE("--confirm=yes"));
    assert_string_equal(now.err.message, "option '--confirm' takes no value");
}

static void option__given_twice_differently_is_refused(void **state)
{
    (void)state;
    assert_true(PARSE("--db", "a", "--db", "a"));
    assert_false(PARSE("--db", "a", "--db", "b"));
    assert_string_equal(now.err.message, "option '--db' is given twice, with different values");
}

static void option__list_collects_its_values(void **state)
{
    (void)state;
    assert_true(PARSE("--only", "a", "--only=b", "--only="));
    assert_int_equal(now.args.only.count, 3);
    assert_string_equal(now.args.only.items[1], "b");
    assert_string_equal(now.args.only.items[2], "");
    assert_null(now.args.only.items[3]);
}

static void option__flag_beats_environment_beats_default(void **state)
{
    (void)state;
    assert_true(PARSE("x"));
    assert_int_equal(now.args.batch_size, 1000);
    assert_int_equal(tf_options_source(&now.options, "batch-size"), TF_SOURCE_DEFAULT);
    setenv("TFT_BATCH_SIZE", "50", 1);
    assert_true(PARSE("x"));
    assert_int_equal(now.args.batch_size, 50);
    assert_int_equal(tf_options_source(&now.options, "batch-size"), TF_SOURCE_ENVIRONMENT);
    assert_true(PARSE("--batch-size=9"));
    assert_int_equal(now.args.batch_size, 9);
    assert_int_equal(tf_options_source(&now.options, "batch-size"), TF_SOURCE_FLAG);
    unsetenv("TFT_BATCH_SIZE");
}

static void option__environment_error_names_the_variable(void **state)
{
    (void)state;
    setenv("TFT_BATCH_SIZE", "many", 1);
    assert_false(PARSE("x"));
    assert_string_equal(now.err.message, "environment variable TFT_BATCH_SIZE: 'many' is not a whole number");
    setenv("TFT_BATCH_SIZE", "", 1);
    assert_true(PARSE("x"));
    unsetenv("TFT_BATCH_SIZE");
    setenv("TFT_DRY_RUN", "perhaps", 1);
    assert_false(PARSE("x"));
    setenv("TFT_DRY_RUN", "Yes", 1);
    assert_true(PARSE("x"));
    assert_true(now.args.dry_run);
    unsetenv("TFT_DRY_RUN");
}

static void option__configuration_stands_between_environment_and_default(void **state)
{
    (void)state;
    setenv("TFT_DB", "from-environment", 1);
    parse(false, (char *const[]){"--strategy=journal", NULL});
    assert_true(tf_options_set(&now.options, "batch-size", "77", TF_SOURCE_CONFIG, &now.err));
    assert_true(tf_options_set(&now.options, "db", "from-config", TF_SOURCE_CONFIG, &now.err));
    assert_true(tf_options_set(&now.options, "strategy", "transaction", TF_SOURCE_CONFIG, &now.err));
    assert_true(tf_options_fill(&now.options, &now.err));
    assert_int_equal(now.args.batch_size, 77);
    assert_string_equal(now.args.db, "from-environment");
    assert_string_equal(now.args.strategy, "journal");
    unsetenv("TFT_DB");
    assert_false(tf_options_set(&now.options, "nonsense", "1", TF_SOURCE_CONFIG, &now.err));
}

static void option__secret_is_wiped_where_it_came_from(void **state)
{
    (void)state;
    assert_true(PARSE("--password", "hunter2"));
    assert_string_equal(now.args.password, "hunter2");
    assert_string_equal(now.memory[1], "xxxxxxx");
    assert_true(PARSE("--password=hunter2"));
    assert_string_equal(now.memory[0], "--password=xxxxxxx");
    setenv("TFT_PASSWORD", "hunter3", 1);
    assert_true(PARSE("x"));
    assert_string_equal(now.args.password, "hunter3");
    assert_null(getenv("TFT_PASSWORD"));
}

static void option__hostile_arguments_are_survived(void **state)
{
    (void)state;
    static char huge[10000];
    memset(huge, 'a', sizeof huge - 1);
    memcpy(huge, "--", 2);
    assert_false(PARSE(huge));
    assert_int_equal(now.err.code, TF_ERR_NOT_FOUND);
    memcpy(huge, "--batch-size=", 13);
    memset(huge + 13, '9', sizeof huge - 14);
    assert_false(PARSE(huge));
    assert_int_equal(now.err.code, TF_ERR_USAGE);
    assert_false(PARSE("--\xff\xfe\x1b[31m"));
    assert_string_equal(now.err.message, "unknown option '--???[31m'");
    assert_false(PARSE("--=x"));
    assert_false(PARSE("-\xff"));
    assert_true(PARSE(""));
    assert_int_equal(now.words_count, 1);
}

static void option__table_that_is_unsound_is_found(void **state)
{
    (void)state;
    tf_error err = {0};
    assert_true(tf_option_check(rows, NULL, &err));
    static const tf_option twice[] = {TF_OPTION_FLAG(sample, confirm, "a", "A."),
                                      TF_OPTION_FLAG(sample, dry_run, "a", "B."), TF_OPTION_END};
    static const tf_option helpless[] = {{.name = "a", .kind = TF_OPT_FLAG}, TF_OPTION_END};
    static const tf_option wrong_default[] = {TF_OPTION_INT(sample, memory, "m", 1, 5, "M.", .fallback = "6"),
                                              TF_OPTION_END};
    static const tf_option *const unsound[] = {twice, helpless, wrong_default};
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        tf_error_clear(&err);
        assert_false(tf_option_check(unsound[i], NULL, &err));
        assert_int_not_equal(err.code, TF_ERR_OK);
    }
    tf_error_clear(&err);
    static const tf_option same_letter[] = {TF_OPTION_FLAG(sample, dry_run, "other", "O.", .letter = 'n'),
                                            TF_OPTION_END};
    assert_false(tf_option_check(rows, same_letter, &err));
}

static int clean(void **state)
{
    (void)state;
    tf_options_done(&now.options);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option__value_is_taken_from_the_next_argument),
        cmocka_unit_test(option__value_is_taken_after_the_equals_sign),
        cmocka_unit_test(option__short_names_take_values_and_bundle),
        cmocka_unit_test(option__words_and_options_intermix),
        cmocka_unit_test(option__unknown_name_gets_the_nearest),
        cmocka_unit_test(option__unique_prefix_is_not_accepted),
        cmocka_unit_test(option__unknown_letter_is_refused),
        cmocka_unit_test(option__numbers_are_checked_strictly),
        cmocka_unit_test(option__doubles_are_checked_strictly),
        cmocka_unit_test(option__sizes_have_units),
        cmocka_unit_test(option__choice_out_of_list_gets_the_nearest),
        cmocka_unit_test(option__optional_value_needs_the_equals_sign),
        cmocka_unit_test(option__optional_choice_takes_the_next_word_only_if_it_is_one),
        cmocka_unit_test(option__missing_value_is_refused),
        cmocka_unit_test(option__flag_takes_no_value),
        cmocka_unit_test(option__given_twice_differently_is_refused),
        cmocka_unit_test(option__list_collects_its_values),
        cmocka_unit_test(option__flag_beats_environment_beats_default),
        cmocka_unit_test(option__environment_error_names_the_variable),
        cmocka_unit_test(option__configuration_stands_between_environment_and_default),
        cmocka_unit_test(option__secret_is_wiped_where_it_came_from),
        cmocka_unit_test(option__hostile_arguments_are_survived),
        cmocka_unit_test(option__table_that_is_unsound_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
