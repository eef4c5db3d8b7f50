#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/command.h"
#include "base/help.h"

typedef struct {
    int64_t limit;
    bool confirm, yes;
} up_args;

static const tf_option up_options[] = {
    TF_OPTION_INT(up_args, limit, "limit", 1, 100, "How many.", .fallback = "20"),
    TF_OPTION_FLAG(up_args, confirm, "confirm", "Do it."),
    TF_OPTION_FLAG(up_args, yes, "yes", "Do not ask."),
    TF_OPTION_END,
};

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)globals, (void)args, (void)argc, (void)argv;
    return 0;
}

static const tf_command up = {.name = "up",
                              .synopsis = "[MIGRATION]",
                              .summary = "Repair",
                              .max_words = 1,
                              .flags = TF_CMD_NEEDS_CONFIRM,
                              .options = up_options,
                              .args_size = sizeof(up_args),
                              .exits = "012",
                              .run = run};
static const tf_command create = {.name = "create",
                                  .synopsis = "NAME",
                                  .summary = "Create",
                                  .min_words = 1,
                                  .max_words = 1,
                                  .exits = "012",
                                  .run = run};
static const tf_command start = {.name = "start", .synopsis = "", .summary = "Start", .exits = "01", .run = run};
static const tf_command stop = {.name = "stop", .synopsis = "", .summary = "Stop", .exits = "01", .run = run};
static const tf_command *const parts[] = {&start, &stop, NULL};
static const tf_command sandbox = {.name = "sandbox", .synopsis = "", .summary = "Sandbox", .subcommands = parts};
static const tf_command *const table[] = {&up, &create, &sandbox, NULL};

static tf_invocation in;
static tf_error err;

static bool parse(int argc, char **argv)
{
    tf_invocation_done(&in);
    tf_error_clear(&err);
    return tf_command_parse(table, argc, argv, &in, &err);
}

#define PARSE(...)                                                                                                     \
    ({                                                                                                                 \
        char *argv_[] = {"tokenfix", ##__VA_ARGS__, NULL};                                                             \
        parse((int)(sizeof argv_ / sizeof *argv_) - 1, argv_);                                                         \
    })

static void command__global_options_stand_before_and_behind(void **state)
{
    (void)state;
    assert_true(PARSE("--db", "shop", "up", "--json", "004", "--limit", "5"));
    assert_ptr_equal(in.command, &up);
    assert_true(in.globals.json);
    assert_string_equal(in.globals.db, "shop");
    assert_int_equal(((up_args *)in.args)->limit, 5);
    assert_int_equal(in.words_count, 1);
    assert_string_equal(in.words[0], "004");
    assert_null(in.words[1]);
    assert_true(in.globals.timeout > 4.9 && in.globals.timeout < 5.1);
}

static void command__none_is_not_an_error_of_the_parser(void **state)
{
    (void)state;
    assert_true(PARSE());
    assert_null(in.command);
    assert_true(PARSE("--help"));
    assert_true(in.globals.help);
}

static void command__unknown_gets_the_nearest(void **state)
{
    (void)state;
    assert_false(PARSE("craete"));
    assert_int_equal(err.code, TF_ERR_NOT_FOUND);
    assert_string_equal(err.message, "unknown command 'craete'");
    assert_string_equal(err.hint, "Did you mean 'create'?");
    assert_false(PARSE("qqqqqqqqqqqq"));
    assert_string_equal(err.hint, "'tokenfix help' lists the commands.");
}

static void command__subcommand_is_found(void **state)
{
    (void)state;
    assert_true(PARSE("--json", "sandbox", "--quiet", "start", "--verbose"));
    assert_ptr_equal(in.command, &start);
    assert_ptr_equal(in.group, &sandbox);
    assert_true(in.globals.json && in.globals.quiet && in.globals.verbose);
    assert_false(PARSE("sandbox", "strat"));
    assert_string_equal(err.message, "unknown command 'sandbox strat'");
    assert_string_equal(err.hint, "Did you mean 'sandbox start'?");
    assert_false(PARSE("sandbox"));
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_true(PARSE("sandbox", "--help"));
    assert_ptr_equal(in.command, &sandbox);
}

static void command__own_option_in_front_is_explained(void **state)
{
    (void)state;
    assert_false(PARSE("--limit=5", "up"));
    assert_string_equal(err.message, "unknown option '--limit'");
    assert_string_equal(err.hint, "'--limit' is an option of 'up': write it behind the command.");
}

static void command__number_of_words_is_checked(void **state)
{
    (void)state;
    assert_false(PARSE("up", "004", "005"));
    assert_string_equal(err.message, "too many words: '005'");
    assert_string_equal(err.hint, "Usage: tokenfix up [MIGRATION] [options]");
    assert_false(PARSE("create"));
    assert_string_equal(err.message, "command 'create' needs NAME");
    assert_true(PARSE("create", "--help"));
}

static void command__help_survives_a_wrong_environment(void **state)
{
    (void)state;
    setenv("TOKENFIX_PORT", "x", 1);
    assert_true(PARSE("up", "--help"));
    assert_false(PARSE("up"));
    assert_int_equal(err.code, TF_ERR_USAGE);
    unsetenv("TOKENFIX_PORT");
}

static void command__table_is_checked(void **state)
{
    (void)state;
    tf_error_clear(&err);
    assert_true(tf_command_check(table, &err));
    static const tf_command no_exits = {.name = "a", .synopsis = "", .summary = "A", .run = run};
    static const tf_command no_yes = {
        .name = "a", .synopsis = "", .summary = "A", .run = run, .exits = "0", .flags = TF_CMD_NEEDS_CONFIRM};
    static const tf_command no_run = {.name = "a", .synopsis = "", .summary = "A", .exits = "0"};
    static const tf_command *const unsound[][3] = {{&no_exits}, {&no_yes}, {&no_run}, {&up, &up}};
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++) {
        tf_error_clear(&err);
        assert_false(tf_command_check(unsound[i], &err));
        assert_int_equal(err.code, TF_ERR_INTERNAL);
    }
}

static char *help_of(const tf_command *command, const tf_command *group)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (command)
        tf_help_command(out, command, group, 80);
    else
        tf_help_overview(out, table, 80);
    fclose(out);
    return text;
}

static void help__shows_options_and_exit_statuses(void **state)
{
    (void)state;
    char *text = help_of(&up, NULL);
    assert_string_equal(text, "Usage: tokenfix [global options] up [MIGRATION] [options]\n\nRepair.\n\nOptions:\n"
                              "      --limit N           How many. [default 20; 1 to 100]\n"
                              "      --confirm           Do it.\n"
                              "      --yes               Do not ask.\n"
                              "\nExit status:\n  0  done, or nothing to do\n  1  failed\n  2  usage\n"
                              "\nThe global options are listed by 'tokenfix --help'.\n");
    free(text);
}

static void help__is_not_wider_than_80_columns(void **state)
{
    (void)state;
    char *text = help_of(NULL, NULL);
    for (char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    assert_non_null(strstr(text, "--tlsCertificateKeyFile FILE"));
    free(text);
}

static int clean(void **state)
{
    (void)state;
    tf_invocation_done(&in);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command__global_options_stand_before_and_behind),
        cmocka_unit_test(command__none_is_not_an_error_of_the_parser),
        cmocka_unit_test(command__unknown_gets_the_nearest),
        cmocka_unit_test(command__subcommand_is_found),
        cmocka_unit_test(command__own_option_in_front_is_explained),
        cmocka_unit_test(command__number_of_words_is_checked),
        cmocka_unit_test(command__help_survives_a_wrong_environment),
        cmocka_unit_test(command__table_is_checked),
        cmocka_unit_test(help__shows_options_and_exit_statuses),
        cmocka_unit_test(help__is_not_wider_than_80_columns),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
