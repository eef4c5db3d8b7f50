/* tokenfix config: which values options have, where each came from, and that no secret is shown. */
#include "support/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *folder, path[256];
} place;

static int setup(void **state)
{
    static place p;
    p.folder = tf_folder_make();
    snprintf(p.path, sizeof p.path, "%s/tokenfix.conf", p.folder);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    tf_folder_remove(p->folder);
    return 0;
}

static void write_file(const place *p, const char *text, mode_t mode)
{
    unlink(p->path);
    int fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static tf_program *config(const place *p, const char *const *env, const char *const *argv)
{
    const char *all[16] = {"config", "--config", p->path, NULL};
    for (size_t n = 3; *argv; argv++)
        all[n++] = *argv;
    return tf_program_exec(NULL, &(tf_program_options){.argv = all, .env = env, .uri = ""});
}

#define CONFIG(p, ...) config((p), NULL, (const char *const[]){__VA_ARGS__, NULL})

/* The option's object within data.options. */
static bool option(const tf_program *p, const char *name, bson_iter_t *out)
{
    bson_iter_t iter, list, at;
    assert_non_null(p->json);
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.options", &at) && bson_iter_recurse(&at, &list));
    while (bson_iter_next(&list)) {
        bson_iter_t field;
        assert_true(bson_iter_recurse(&list, &field) && bson_iter_find(&field, "name"));
        if (strcmp(bson_iter_utf8(&field, NULL), name) == 0) {
            *out = list;
            return true;
        }
    }
    return false;
}

static void assert_option(const tf_program *p, const char *name, const char *field, const char *expected)
{
    bson_iter_t one, at;
    if (!option(p, name, &one))
        fail_msg("no option '%s' in %s", name, p->out);
    assert_true(bson_iter_recurse(&one, &at) && bson_iter_find(&at, field));
    if (!expected)
        assert_true(BSON_ITER_HOLDS_NULL(&at));
    else if (!BSON_ITER_HOLDS_UTF8(&at) || strcmp(bson_iter_utf8(&at, NULL), expected) != 0)
        fail_msg("%s.%s is not '%s' in %s", name, field, expected, p->out);
}

static void config__says_where_each_value_came_from(void **state)
{
    const place *at = *state;
    char line[300];
    static const char *const env[] = {"TOKENFIX_TIMEOUT=7", "TOKENFIX_HOST=fromenv", NULL};
    write_file(at, "db = wallet\nusername = me\n[prod]\nusername = you\n", 0600);
    tf_program *p = config(at, env, (const char *const[]){"--json", "--host", "fromflag", "--profile", "prod", NULL});
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.file"), at->path);
    assert_string_equal(tf_program_text(p, "data.profile"), "prod");
    assert_string_equal(tf_program_text(p, "data.profiles.0"), "prod");
    assert_string_equal(tf_program_text(p, "data.server"), "mongodb://fromflag/");
    assert_string_equal(tf_program_text(p, "data.database"), "wallet");
    assert_string_equal(tf_program_text(p, "data.stateDatabase"), "wallet_tokenfix");
    assert_option(p, "host", "value", "fromflag");
    assert_option(p, "host", "source", "flag");
    assert_option(p, "timeout", "value", "7");
    assert_option(p, "timeout", "source", "environment");
    assert_option(p, "timeout", "from", "TOKENFIX_TIMEOUT");
    assert_option(p, "username", "value", "you");
    assert_option(p, "username", "source", "config");
    snprintf(line, sizeof line, "%s:4 [prod]", at->path);
    assert_option(p, "username", "from", line);
    assert_option(p, "color", "value", "auto");
    assert_option(p, "color", "source", "default");
    assert_option(p, "port", "value", NULL);
    tf_program_free(p);
}

static void config__of_a_command_has_its_options_too(void **state)
{
    const place *at = *state;
    char line[300];
    write_file(at, "db = wallet\nbatch-size = 77\nmax-load = a=1\nmax-load = b=2\n", 0600);
    tf_program *p = CONFIG(at, "up", "--json");
    assert_exit(p, 0);
    assert_option(p, "batch-size", "value", "77");
    assert_option(p, "batch-size", "command", "up");
    snprintf(line, sizeof line, "%s:3, %s:4", at->path, at->path);
    assert_option(p, "max-load", "from", line);
    assert_option(p, "max-lag", "value", "2");
    tf_program_free(p);
    p = CONFIG(at, "up");
    assert_exit(p, 0);
    assert_has(p->out, "batch-size");
    assert_has(p->out, "line 2");
    assert_has(p->out, "line 3, 4");
    assert_has(p->out, "more have no value: --all shows them.");
    assert_has_not(p->out, "canary");
    tf_program_free(p);
    p = CONFIG(at, "up", "--all");
    assert_has(p->out, "canary");
    tf_program_free(p);
    p = CONFIG(at, "sandbox", "start", "--all");
    assert_exit(p, 0);
    assert_has(p->out, "standalone");
    tf_program_free(p);
}

static void config__shows_no_secret(void **state)
{
    const place *at = *state;
    static const char *const forms[] = {NULL, "--json"};
    static const char *const env[] = {"TOKENFIX_PASSWORD=s3cr3t-pw", "TOKENFIX_WEBHOOK_SECRET=s3cr3t-hook", NULL};
    write_file(at, "uri = mongodb://me:s3cr3t-uri@h1,h2/wallet?replicaSet=rs\nwebhook = https://hooks.example/s3cr3t-path\n", 0600);
    for (size_t i = 0; i < 2; i++) {
        tf_program *p = config(at, env, (const char *const[]){"audit", "--all", forms[i], NULL});
        assert_exit(p, 0);
        assert_has(p->out, "<hidden>");
        assert_has(p->out, "h1,h2");
        assert_has_not(p->out, "s3cr3t");
        assert_has_not(p->err, "s3cr3t");
        tf_program_free(p);
    }
}

static void config__without_a_file_says_where_it_is_looked_for(void **state)
{
    const place *at = *state;
    char home[300], expected[400];
    snprintf(home, sizeof home, "XDG_CONFIG_HOME=%s", at->folder);
    const char *const env[] = {home, "TOKENFIX_CONFIG", NULL}, *const argv[] = {"config", NULL};
    snprintf(expected, sizeof expected, "%s/tokenfix/tokenfix.conf", at->folder);
    tf_program *p = tf_program_exec(NULL, &(tf_program_options){.argv = argv, .env = env, .uri = ""});
    if (access("/etc/tokenfix/tokenfix.conf", F_OK) != 0) {
        assert_exit(p, 0);
        assert_has(p->out, "none; looked for");
        assert_has(p->out, "/etc/tokenfix/tokenfix.conf");
        assert_has(p->out, "not known: no database named");
    }
    tf_program_free(p);
}

static void config__refuses_what_the_file_has_wrong(void **state)
{
    const place *at = *state;
    static const struct {
        const char *text, *message, *hint;
        mode_t mode;
    } rows[] = {
        {"pasword = x\n", "unknown key 'pasword'", "Did you mean 'password'?", 0600},
        {"[prod]\nbatch_sice = 1\n", "unknown key 'batch-sice'", "Did you mean 'batch-size'?", 0600},
        {"password = x\n", "holds a secret", "chmod 600", 0644},
        {"[prod]\nuri = mongodb://a:b@h/x\n", "holds a secret", "chmod 600", 0640},
        {"db = wallet\n", "others may write", "chmod go-w", 0666},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(at, rows[i].text, rows[i].mode);
        tf_program *p = CONFIG(at, "--color", "never");
        if (p->status != 2 || !strstr(p->err, rows[i].message) || !strstr(p->err, rows[i].hint))
            fail_msg("%s: exit %d, %s", rows[i].text, p->status, p->err);
        tf_program_free(p);
    }
    write_file(at, "[prod]\n", 0600);
    tf_program *p = CONFIG(at, "--profile", "pord");
    assert_exit(p, 2);
    assert_has(p->err, "Did you mean 'prod'?");
    tf_program_free(p);
    p = CONFIG(at, "upp");
    assert_exit(p, 2);
    assert_has(p->err, "Did you mean 'up'?");
    tf_program_free(p);
    p = CONFIG(at, "up", "down");
    assert_exit(p, 2);
    tf_program_free(p);
}

int main(void)
{
#define CONFIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(config__says_where_each_value_came_from), CONFIG_TEST(config__of_a_command_has_its_options_too),
        CONFIG_TEST(config__shows_no_secret),                 CONFIG_TEST(config__without_a_file_says_where_it_is_looked_for),
        CONFIG_TEST(config__refuses_what_the_file_has_wrong),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
