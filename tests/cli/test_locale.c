/* What is printed, and what is masked, does not depend on the digits, the decimal point or the letters of the locale. */
#include "support/tokens.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <sys/wait.h>
#include <unistd.h>

/* other digits; a decimal comma; letters of which the upper case is another one */
static const char *const locales[] = {"fa_IR", "de_DE", "tr_TR"};
enum { LOCALES = sizeof locales / sizeof *locales };

/* Compiled from the sources of the package "locales" into a folder of our own; false where they are not installed. */
static bool locale_make(const char *folder, const char *name)
{
    char out[256];
    snprintf(out, sizeof out, "%s/%s.UTF-8", folder, name);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("localedef", "localedef", "--no-archive", "-i", name, "-f", "UTF-8", out, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    /* without the sources it leaves an empty folder; its status is that of a warning */
    snprintf(out, sizeof out, "%s/%s.UTF-8/LC_NUMERIC", folder, name);
    return access(out, R_OK) == 0;
}

/* That it has other digits or another point, in earnest. Asked in a child: the C library keeps what it read of LOCPATH. */
static bool locale_is_another(const char *folder, const char *name)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("LOCPATH", folder, 1);
        locale_t locale = newlocale(LC_ALL_MASK, name, (locale_t)0);
        _exit(locale && (strcmp(nl_langinfo_l(RADIXCHAR, locale), ".") != 0 ||
                         strcmp(nl_langinfo_l(_NL_CTYPE_OUTDIGIT0_MB, locale), "0") != 0)
                  ? 0
                  : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status == 0;
}

/* The fixture's data: a finished run, and defects that came later; one has a secret under a name of capital letters. */
static void fill(tf_fixture *f)
{
    tf_tokens_sample(f, 1234);
    assert_exit(tf_up(f, "--batch-size", "500"), 0);
    tf_fixture_insert(
        f, "cashu_tokens",
        "[{\"_id\": 900001, \"npub\": \"npub1anna\", \"mint_url\": \"https://mint\", \"total_amount\": 1234567,"
        " \"transaction_type\": \"melted\", \"status\": \"unspent\", \"PRIVKEY\": \"hunter2\","
        " \"WITNESS\": \"hunter2\", \"weight\": 0.5,"
        " \"createdAt\": {\"$date\": \"2099-01-01T00:00:00Z\"}}]");
}

static tf_program *run_in(tf_fixture *f, const char *folder, const char *name, const char *const *argv)
{
    char path[256], all[64];
    snprintf(path, sizeof path, "LOCPATH=%s", folder);
    snprintf(all, sizeof all, "LC_ALL=%s.UTF-8", name);
    const char *const env[] = {all, path, NULL};
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env});
}

static void compare(tf_fixture *f, const char *folder, const char *name)
{
    static const char *const commands[][5] = {
        {"history"}, {"verify"}, {"status"}, {"plan"}, {"history", "004", "--json"}, {"ledger", "004"},
        {"ledger", "004", "--json"}, {"ledger", "004", "--format", "csv"}, {"config", "up", "--all"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        tf_program *here = tf_program_exec(f, &(tf_program_options){.argv = commands[i]});
        tf_program *there = run_in(f, folder, name, commands[i]);
        assert_int_equal(there->status, here->status);
        assert_string_equal(there->out, here->out);
        assert_string_equal(there->err, here->err);
    }
    tf_program *preview = run_in(f, folder, name, (const char *const[]){"preview", "--sample", "3", "--json", NULL});
    assert_exit(preview, 0);
    assert_int_equal(tf_program_number(preview, "data.stats.totalAmountAffected"), 1234567);
    assert_has(preview->out, "WITNESS");
    assert_has(preview->out, "0.5");
    assert_null(strstr(preview->out, "hunter2"));
}

static void output__is_the_same_in_every_locale(void **state)
{
    tf_fixture *f = *state;
    char *folder = tf_folder_make();
    int made = 0;
    fill(f);
    for (size_t i = 0; i < LOCALES; i++) {
        char full[32];
        snprintf(full, sizeof full, "%s.UTF-8", locales[i]);
        if (!locale_make(folder, locales[i])) {
            print_message("no locale %s: localedef and the package \"locales\" make it\n", locales[i]);
            continue;
        }
        assert_true(locale_is_another(folder, full));
        compare(f, folder, locales[i]);
        made++;
    }
    tf_folder_remove(folder);
    if (made == 0)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(output__is_the_same_in_every_locale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
