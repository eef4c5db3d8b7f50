/* The configuration file: what it may say, who may read and write it, and what a mistake in it is answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <tokenfix/bson.h>
#include <unistd.h>

typedef struct {
    int64_t alert_repeat, limit;
    const char *secret, *channel;
    bool confirm;
    tf_strings only;
} sample_args;

static const tf_option options[] = {
    TF_OPTION_DURATION(sample_args, alert_repeat, "alert-repeat", 1000, 86400000, "Repeat.", .fallback = "4h",
                       .env = "TFT_ALERT_REPEAT"),
    TF_OPTION_INT(sample_args, limit, "limit", 1, 100, "Limit.", .fallback = "10"),
    TF_OPTION_STRING(sample_args, secret, "secret", "Secret.", .secret = true, .no_flag = true, .env = "TFT_SECRET"),
    TF_OPTION_STRING(sample_args, channel, "channel", "Channel."),
    TF_OPTION_FLAG(sample_args, confirm, "confirm", "Do it.", .by_hand = true),
    TF_OPTION_LIST(sample_args, only, "only", "Only these."),
    TF_OPTION_END,
};

typedef struct {
    const char *other;
} other_args;

static const tf_option other_options[] = {
    TF_OPTION_STRING(other_args, other, "other", "Of another command."),
    TF_OPTION_END,
};

static int nothing(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)globals, (void)args, (void)argc, (void)argv;
    return 0;
}

static const tf_command sample = {.name = "sample", .synopsis = "", .summary = "Sample", .options = options,
                                  .args_size = sizeof(sample_args), .exits = "0", .run = nothing};
static const tf_command other = {.name = "other", .synopsis = "", .summary = "Other", .options = other_options,
                                 .args_size = sizeof(other_args), .exits = "0", .run = nothing};
static const tf_command apart = {.name = "apart", .synopsis = "", .summary = "Apart", .flags = TF_CMD_NO_DATABASE,
                                 .exits = "0", .run = nothing};
static const tf_command *const commands[] = {&sample, &other, &apart, NULL};

static char folder[64], path[96];
static tf_invocation now;
static tf_error err;
static char memory[8][256];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tf-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c.conf", folder);
    unsetenv("TFT_ALERT_REPEAT");
    unsetenv("TOKENFIX_CONFIG");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tf_invocation_done(&now);
    unlink(path);
    rmdir(folder);
    return 0;
}

static void write_file(const char *text, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static bool parse(const char *const *arguments)
{
    char *argv[8] = {NULL};
    int argc = 0;
    for (; arguments[argc]; argc++) {
        snprintf(memory[argc], sizeof memory[argc], "%s", arguments[argc]);
        argv[argc] = memory[argc];
    }
    tf_invocation_done(&now);
    err = (tf_error){0};
    return tf_command_parse(commands, argc, argv, &now, &err);
}

#define PARSE(...) parse((const char *const[]){"tokenfix", "--config", path, __VA_ARGS__, NULL})
#define ARGS ((const sample_args *)now.args)

static void config__fills_options_below_flags_and_environment(void **state)
{
    (void)state;
    write_file("# ours\n; and\nalert_repeat = 30m\nlimit=7\n\n  channel : the value \nonly = a\nonly = b\ndb = wallet\n", 0600);
    assert_true(PARSE("sample"));
    assert_int_equal(ARGS->alert_repeat, 1800000);
    assert_int_equal(ARGS->limit, 7);
    assert_string_equal(ARGS->channel, "the value");
    assert_int_equal(ARGS->only.count, 2);
    assert_string_equal(ARGS->only.items[1], "b");
    assert_string_equal(now.globals.db, "wallet");
    assert_int_equal(tf_options_source(&now.global_options, "db"), TF_SOURCE_CONFIG);
    setenv("TFT_ALERT_REPEAT", "1h", 1);
    assert_true(PARSE("sample", "--limit", "3", "--only=c"));
    assert_int_equal(ARGS->alert_repeat, 3600000);
    assert_int_equal(ARGS->limit, 3);
    assert_int_equal(ARGS->only.count, 1);
}

static void config__both_spellings_of_a_key_are_one(void **state)
{
    (void)state;
    write_file("alert-repeat = 30m\n", 0600);
    assert_true(PARSE("sample"));
    assert_int_equal(ARGS->alert_repeat, 1800000);
    write_file("alert-repeat = 30m\nalert_repeat = 30m\n", 0600);
    assert_false(PARSE("sample"));
    assert_string_equal(err.message, "the key 'alert-repeat' is given twice in the configuration");
}

static void config__keys_of_another_command_are_let_be(void **state)
{
    (void)state;
    write_file("other = x\nlimit = 7\n", 0600);
    assert_true(PARSE("sample"));
    assert_int_equal(ARGS->limit, 7);
    assert_true(PARSE("other"));
    assert_string_equal(((const other_args *)now.args)->other, "x");
}

static void config__is_not_read_by_what_connects_to_nothing(void **state)
{
    (void)state;
    write_file("nonsense\n", 0600);
    assert_true(PARSE("apart"));
    assert_true(PARSE("sample", "--help"));
    assert_false(PARSE("sample"));
}

static void config__mistakes_name_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *hint;
        int line;
        mode_t mode;
    } rows[] = {
        {"\nalert_repet = 4h\n", "unknown key 'alert-repet' in the configuration", "Did you mean 'alert-repeat'?", 2, 0600},
        {"quite_unknown_thing = 1\n", "unknown key 'quite-unknown-thing' in the configuration",
         "Keys are the names of options; 'tokenfix help COMMAND' lists them.", 1, 0600},
        {"limit = many\n", "configuration key 'limit': 'many' is not a whole number", "Give a whole number from 1 to 100.", 1,
         0600},
        {"limit = -1\n", "configuration key 'limit': '-1' is not in the range allowed",
         "Give a whole number from 1 to 100.", 1, 0600},
        {"alert-repeat = soon\n", "configuration key 'alert-repeat': 'soon' is not a duration",
         "Give a duration like 90s, 5m, 4h or 1d, from 1s to 1d.", 1, 0600},
        {"alert-repeat = 2d\n", "configuration key 'alert-repeat': '2d' is not in the range allowed",
         "Give a duration like 90s, 5m, 4h or 1d, from 1s to 1d.", 1, 0600},
        {"limit\n", "a line of the configuration is not of the form 'key = value'",
         "Keys are the names of options without dashes before them: 'alert-repeat = 4h'.", 1, 0600},
        {"limit = 1\n[profile a]\n", "'[profile a]' is not the beginning of a profile in the configuration",
         "Write '[NAME]' alone on its line: letters, digits and . _ -, at most 64.", 2, 0600},
        {"[a\n", "'[a' is not the beginning of a profile in the configuration",
         "Write '[NAME]' alone on its line: letters, digits and . _ -, at most 64.", 1, 0600},
        {"[a] limit = 1\n", "'[a] limit = 1' is not the beginning of a profile in the configuration",
         "Write '[NAME]' alone on its line: letters, digits and . _ -, at most 64.", 1, 0600},
        {"[]\n", "'[]' is not the beginning of a profile in the configuration",
         "Write '[NAME]' alone on its line: letters, digits and . _ -, at most 64.", 1, 0600},
        {"[a]\n[b]\n[a]\n", "the profile 'a' is there twice in the configuration", "Line 1 has it too: write its keys there.", 3, 0600},
        {"limit = 1\n[b]\nlimet = 2\n", "unknown key 'limet' in the configuration", "Did you mean 'limit'?", 3, 0600},
        {"[b]\nlimit = 1\nlimit = 2\n", "the key 'limit' is given twice in the configuration",
         "Line 2 has it too: leave one of them out.", 3, 0600},
        {"[b]\nprofile = b\n", "'profile' cannot be set in the configuration",
         "It is for whoever runs the command to say: take it out.", 2, 0600},
        {"[b]\nsecret = abc\n", "the configuration file holds a secret, and others than its owner may read it", "", 2, 0644},
        {"channel = date ; rm\n", "in a line of the configuration a blank stands before a ';'",
         "A comment has a line of its own; in a value write ';' without a blank before it.", 1, 0600},
        {"confirm = yes\n", "'confirm' cannot be set in the configuration",
         "It is for whoever runs the command to say: take it out.", 1, 0600},
        {"config = /etc/passwd\n", "'config' cannot be set in the configuration",
         "It is for whoever runs the command to say: take it out.", 1, 0600},
        {"limit = 1\n\nlimit = 2\n", "the key 'limit' is given twice in the configuration",
         "Line 1 has it too: leave one of them out.", 3, 0600},
        {"secret = abc\n", "the configuration file holds a secret, and others than its owner may read it", "", 1, 0644},
        {"secret = abc\n", "the configuration file holds a secret, and others than its owner may read it", "", 1, 0640},
        {"password = abc\n", "the configuration file holds a secret, and others than its owner may read it", "", 1, 0604},
        {"uri = mongodb://me:pw@h/x\n", "the configuration file holds a secret, and others than its owner may read it",
         "", 1, 0640},
    };
    write_file("limit = 1\n", 0644);
    assert_true(PARSE("sample"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char where[160];
        write_file(rows[i].text, rows[i].mode);
        assert_false(PARSE("sample"));
        assert_int_equal(tf_error_exit(err.code), 2);
        assert_string_equal(err.message, rows[i].message);
        snprintf(where, sizeof where, "%s, line %d", path, rows[i].line);
        assert_string_equal(err.detail, where);
        if (*rows[i].hint)
            assert_string_equal(err.hint, rows[i].hint);
        else
            assert_non_null(strstr(err.hint, "chmod 600"));
    }
}

static void config__without_a_secret_may_be_read_by_all_and_written_by_none(void **state)
{
    (void)state;
    write_file("uri = mongodb://h/x\nlimit = 2\n", 0644);
    assert_true(PARSE("sample"));
    static const mode_t modes[] = {0620, 0602, 0666};
    for (size_t i = 0; i < 3; i++) {
        write_file("limit = 2\n", modes[i]);
        assert_false(PARSE("sample"));
        assert_non_null(strstr(err.message, "others may write the configuration file"));
        assert_non_null(strstr(err.hint, "chmod go-w"));
    }
    write_file("password = abc\n", 0600);
    assert_true(PARSE("sample"));
    assert_string_equal(now.globals.password, "abc");
}

static void config__that_is_no_text_or_too_long_is_refused(void **state)
{
    (void)state;
    char *text = bson_malloc0(70001);
    memset(text, 'x', 9000);
    write_file(text, 0600);
    assert_false(PARSE("sample"));
    assert_non_null(strstr(err.message, "a line of the configuration is longer than "));
    memset(text, '\n', 70000);
    write_file(text, 0600);
    assert_false(PARSE("sample"));
    assert_non_null(strstr(err.message, "is larger than 64 KiB"));
    write_file("limit = \xff\n", 0600);
    assert_false(PARSE("sample"));
    assert_non_null(strstr(err.message, "is not text in UTF-8"));
    bson_free(text);
}

#ifdef TF_TEST_INI_MAX_LINE
static void config__takes_a_long_connection_string(void **state)
{
    (void)state;
    char text[4200] = "";
    memset(text, 'h', 4000);
    memcpy(text, "channel = ", 10);
    write_file(text, 0600);
    assert_true(PARSE("sample"));
    assert_int_equal(strlen(ARGS->channel), 3990);
}
#endif

static void config__that_was_named_must_be_there(void **state)
{
    (void)state;
    assert_false(PARSE("sample"));
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_non_null(strstr(err.message, "cannot be read"));
    assert_non_null(strstr(err.hint, "--config /dev/null"));
    snprintf(path, sizeof path, "/dev/null");
    assert_true(PARSE("sample"));
    snprintf(path, sizeof path, "/");
    assert_false(PARSE("sample"));
    snprintf(path, sizeof path, "%s/c.conf", folder);
}

static void config__is_looked_for_at_home(void **state)
{
    (void)state;
    char inner[128], file[192];
    const char *const arguments[] = {"tokenfix", "sample", NULL};
    snprintf(inner, sizeof inner, "%s/tokenfix", folder);
    snprintf(file, sizeof file, "%s/tokenfix.conf", inner);
    assert_int_equal(mkdir(inner, 0700), 0);
    write_file("limit = 9\n", 0600);
    assert_int_equal(rename(path, file), 0);
    setenv("XDG_CONFIG_HOME", folder, 1);
    assert_true(parse(arguments));
    assert_int_equal(ARGS->limit, 9);
    assert_string_equal(now.config.path, file);
    unlink(file);
    assert_true(parse(arguments));
    assert_int_equal(ARGS->limit, 10);
    unsetenv("XDG_CONFIG_HOME");
    rmdir(inner);
}

static void config__secrets_are_not_taken_from_the_command_line(void **state)
{
    (void)state;
    write_file("secret = abc\n", 0600);
    assert_true(PARSE("sample"));
    assert_string_equal(ARGS->secret, "abc");
    for (size_t i = 0; i < now.config.count; i++)
        assert_string_equal(now.config.entries[i].value, "");
    assert_false(PARSE("sample", "--secret=abc"));
    assert_string_equal(err.message, "option '--secret' would show the secret to everybody on this host");
}

/* ---- profiles ---- */

static void profile__takes_the_place_of_what_stands_above(void **state)
{
    (void)state;
    write_file("limit = 1\nonly = a\nonly = b\nchannel = c\n[test]\nlimit = 2\n[prod]\nlimit = 3\nonly = x\nother = y\ndb = live\n[empty]\n",
               0600);
    assert_true(PARSE("sample"));
    assert_int_equal(ARGS->limit, 1);
    assert_int_equal(ARGS->only.count, 2);
    assert_null(now.globals.db);
    assert_true(PARSE("sample", "--profile", "prod"));
    assert_int_equal(ARGS->limit, 3);
    assert_int_equal(ARGS->only.count, 1);
    assert_string_equal(ARGS->only.items[0], "x");
    assert_string_equal(ARGS->channel, "c");
    assert_string_equal(now.globals.db, "live");
    assert_true(PARSE("sample", "--profile=prod", "--limit", "9"));
    assert_int_equal(ARGS->limit, 9);
    assert_true(PARSE("sample", "--profile", "empty"));
    assert_int_equal(ARGS->limit, 1);
    setenv("TOKENFIX_PROFILE", "test", 1);
    assert_true(PARSE("sample"));
    assert_int_equal(ARGS->limit, 2);
    assert_true(PARSE("sample", "--profile", "prod"));
    assert_int_equal(ARGS->limit, 3);
    unsetenv("TOKENFIX_PROFILE");
}

static void profile__that_is_not_there_is_an_error(void **state)
{
    (void)state;
    write_file("[prod]\nlimit = 3\n", 0600);
    assert_false(PARSE("sample", "--profile", "prd"));
    assert_int_equal(err.code, TF_ERR_NOT_FOUND);
    assert_string_equal(err.message, "there is no profile 'prd' in the configuration");
    assert_string_equal(err.hint, "Did you mean 'prod'?");
    assert_false(PARSE("sample", "--profile", ""));
    unlink(path);
    setenv("XDG_CONFIG_HOME", folder, 1);
    const char *const arguments[] = {"tokenfix", "sample", "--profile", "prod", NULL};
    assert_false(parse(arguments));
    assert_int_equal(err.code, TF_ERR_NOT_FOUND);
    unsetenv("XDG_CONFIG_HOME");
}

static void profile__is_kept_when_the_file_is_read_again(void **state)
{
    (void)state;
    sample_args args = {0};
    tf_options fresh;
    tf_config config = {0};
    bool connection = false;
    write_file("limit = 1\n[prod]\nlimit = 2\nhost = a\n", 0600);
    assert_true(PARSE("sample", "--profile", "prod"));
    write_file("limit = 1\n[prod]\nlimit = 5\nhost = b\n", 0600);
    tf_options_init(&fresh, options, &args);
    assert_true(tf_command_reload(&now.globals, &fresh, &config, &connection, &err));
    assert_int_equal(args.limit, 5);
    assert_true(connection);
    tf_options_done(&fresh);
    tf_config_done(&config);
}

static void reload__takes_the_file_as_it_is_now(void **state)
{
    (void)state;
    sample_args args = {0};
    tf_options fresh;
    tf_config config = {0};
    bool connection = true;
    setenv("TFT_ALERT_REPEAT", "1h", 1);
    write_file("alert-repeat = 5m\nlimit = 7\nchannel = old\n", 0600);
    assert_true(PARSE("sample", "--only=flag"));
    write_file("alert-repeat = 5m\nlimit = 8\n", 0600);
    tf_options_init(&fresh, options, &args);
    assert_true(tf_command_reload(&now.globals, &fresh, &config, &connection, &err));
    assert_int_equal(args.limit, 8);
    assert_int_equal(args.alert_repeat, 3600000);
    assert_null(args.channel);
    assert_int_equal(args.only.count, 1);
    assert_string_equal(args.only.items[0], "flag");
    assert_false(connection);
    tf_options_done(&fresh);
    tf_config_done(&config);
}

static void reload__says_when_the_connection_would_be_another(void **state)
{
    (void)state;
    static const char *const changes[] = {"db = other\n", "db = wallet\nport = 1\n", ""};
    for (size_t i = 0; i < 3; i++) {
        sample_args args = {0};
        tf_options fresh;
        tf_config config = {0};
        bool connection = false;
        write_file("db = wallet\n", 0600);
        assert_true(PARSE("sample"));
        write_file(changes[i], 0600);
        tf_options_init(&fresh, options, &args);
        assert_true(tf_command_reload(&now.globals, &fresh, &config, &connection, &err));
        assert_true(connection);
        tf_options_done(&fresh);
        tf_config_done(&config);
    }
}

static void reload__of_a_bad_file_fails_and_leaves_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"limit = x\n", "nonsense\n", "unknown = 1\n"};
    write_file("limit = 7\n", 0600);
    assert_true(PARSE("sample"));
    for (size_t i = 0; i < 3; i++) {
        sample_args args = {0};
        tf_options fresh;
        tf_config config = {0};
        bool connection = false;
        write_file(bad[i], 0600);
        tf_options_init(&fresh, options, &args);
        err = (tf_error){0};
        assert_false(tf_command_reload(&now.globals, &fresh, &config, &connection, &err));
        assert_null(config.path);
        tf_options_done(&fresh);
    }
    assert_int_equal(ARGS->limit, 7);
}

#define CONFIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(config__fills_options_below_flags_and_environment),
        CONFIG_TEST(config__both_spellings_of_a_key_are_one),
        CONFIG_TEST(config__keys_of_another_command_are_let_be),
        CONFIG_TEST(config__is_not_read_by_what_connects_to_nothing),
        CONFIG_TEST(config__mistakes_name_file_and_line),
        CONFIG_TEST(config__without_a_secret_may_be_read_by_all_and_written_by_none),
        CONFIG_TEST(config__that_is_no_text_or_too_long_is_refused),
#ifdef TF_TEST_INI_MAX_LINE
        CONFIG_TEST(config__takes_a_long_connection_string),
#endif
        CONFIG_TEST(config__that_was_named_must_be_there),
        CONFIG_TEST(config__is_looked_for_at_home),
        CONFIG_TEST(config__secrets_are_not_taken_from_the_command_line),
        CONFIG_TEST(profile__takes_the_place_of_what_stands_above),
        CONFIG_TEST(profile__that_is_not_there_is_an_error),
        CONFIG_TEST(profile__is_kept_when_the_file_is_read_again),
        CONFIG_TEST(reload__takes_the_file_as_it_is_now),
        CONFIG_TEST(reload__says_when_the_connection_would_be_another),
        CONFIG_TEST(reload__of_a_bad_file_fails_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
