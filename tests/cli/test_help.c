/*
 * --help of every command, compared exactly with tests/golden/help[-COMMAND[-SUBCOMMAND]].txt at 80 columns.
 * scripts/golden writes those files anew.
 */
#include "support/golden.h"
#include "support/tokens.h"

#include <dirent.h>
#include <sys/stat.h>

/* "sandbox start" → tests/golden/help-sandbox-start.txt */
static void golden_path(const char *words, char *out, size_t size)
{
    char name[128];
    snprintf(name, sizeof name, "%s", words);
    for (char *c = name; *c; c++)
        *c = *c == ' ' ? '-' : *c;
    snprintf(out, size, "%s/tests/golden/help%s%s.txt", TF_SOURCE_DIR, *name ? "-" : "", name);
}

static int check(const char *words);

/* The commands that a help text lists, each with its own. */
static int check_listed(const tf_program *p, const char *words)
{
    int failed = 0;
    const char *at = strstr(p->out, "\nCommands:\n");
    for (at = at ? at + strlen("\nCommands:\n") : NULL; at && *at == ' '; at = strchr(at, '\n') + 1) {
        if (at[2] == ' ')
            continue; /* the second line of a summary */
        char next[128];
        size_t length = strcspn(at + 2, " \n");
        snprintf(next, sizeof next, "%s%s%.*s", words, *words ? " " : "", (int)length, at + 2);
        failed += check(next);
    }
    return failed;
}

static int check(const char *words)
{
    char path[512];
    golden_path(words, path, sizeof path);
    tf_program *p = tf_golden_run(NULL, words, "--help");
    assert_exit(p, 0);
    assert_string_equal(p->err, "");
    tf_golden_width(p->out, words);
    char *expected = tf_golden_read(path);
    int failed = !expected || strcmp(expected, p->out) != 0;
    if (failed)
        print_error("'%s --help' is not as in %s (scripts/golden writes it anew):\n%s\n", words, path, p->out);
    failed += check_listed(p, words);
    free(expected);
    tf_program_free(p);
    return failed;
}

static void help__of_every_command_is_as_written_down(void **state)
{
    (void)state;
    assert_int_equal(check(""), 0);
}

static void help__of_an_unknown_command_names_the_nearest(void **state)
{
    (void)state;
    tf_program *p = tf_program_run(NULL, "help", "statos", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "status");
    tf_program_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help__of_every_command_is_as_written_down),
        cmocka_unit_test(help__of_an_unknown_command_names_the_nearest),
    };
    return cmocka_run_group_tests_name("help", tests, NULL, NULL);
}
