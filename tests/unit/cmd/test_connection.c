#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/confirm.h"
#include "cmd/connection.h"
#include "db/transport.h"

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)globals, (void)args, (void)argc, (void)argv;
    return 0;
}

static const tf_command go = {.name = "go", .synopsis = "", .summary = "Go", .exits = "0", .run = run};
static const tf_command *const table[] = {&go, NULL};

static tf_connection made;
static tf_error err;

static bool resolve(char *const *arguments)
{
    char memory[16][300], *argv[17] = {"tokenfix"};
    int argc = 1;
    for (; *arguments; arguments++, argc++) {
        snprintf(memory[argc - 1], sizeof memory[0], "%s", *arguments);
        argv[argc] = memory[argc - 1];
    }
    tf_invocation in = {0};
    tf_connection_done(&made);
    tf_error_clear(&err);
    bool good = tf_command_parse(table, argc, argv, &in, &err) && tf_connection_resolve(&in.globals, &made, &err);
    tf_invocation_done(&in);
    return good;
}

/* The hosts in these tests do not exist; whether they may be talked to in plaintext has a test of its own. */
#define RESOLVE(...) resolve((char *const[]){"go", "--allow-plaintext", __VA_ARGS__, NULL})
#define RESOLVE_STRICTLY(...) resolve((char *const[]){"go", __VA_ARGS__, NULL})

static void assert_refused(const char *message)
{
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_string_equal(err.message, message);
    assert_null(made.uri);
}

static void connection__defaults_to_localhost(void **state)
{
    (void)state;
    assert_true(RESOLVE("--db", "shop"));
    assert_string_equal(mongoc_uri_get_hosts(made.uri)->host_and_port, "localhost:27017");
    assert_string_equal(made.db, "shop");
    assert_string_equal(made.state_db, "shop_tokenfix");
    assert_int_equal(made.timeout_ms, 5000);
}

static void connection__waits_as_long_as_the_server_may_work(void **state)
{
    (void)state;
    assert_true(RESOLVE("--db", "shop"));
    tf_connection_be_patient(&made, 0);
    assert_false(mongoc_uri_has_option(made.uri, MONGOC_URI_SOCKETTIMEOUTMS));
    tf_connection_be_patient(&made, 3660000);
    assert_int_equal(mongoc_uri_get_option_as_int32(made.uri, MONGOC_URI_SOCKETTIMEOUTMS, 0), 3660000);
    assert_true(RESOLVE("--db", "shop"));
    tf_connection_be_patient(&made, INT64_MAX);
    assert_int_equal(mongoc_uri_get_option_as_int32(made.uri, MONGOC_URI_SOCKETTIMEOUTMS, 0), INT32_MAX);
    assert_true(RESOLVE("--uri=mongodb://h/shop?socketTimeoutMS=7000"));
    tf_connection_be_patient(&made, 3660000);
    assert_int_equal(mongoc_uri_get_option_as_int32(made.uri, MONGOC_URI_SOCKETTIMEOUTMS, 0), 7000);
}

static void connection__host_may_name_port_and_set(void **state)
{
    (void)state;
    assert_true(RESOLVE("--db=a", "--host=rs0/one:1,two:2", "--timeout=0.5"));
    assert_string_equal(mongoc_uri_get_replica_set(made.uri), "rs0");
    assert_string_equal(mongoc_uri_get_hosts(made.uri)->next->host_and_port, "two:2");
    assert_int_equal(made.timeout_ms, 500);
    assert_true(RESOLVE("--db=a", "--host=one", "--port=7"));
    assert_string_equal(mongoc_uri_get_hosts(made.uri)->host_and_port, "one:7");
    assert_true(RESOLVE("--db=a", "--host=::1", "--port=7"));
    assert_string_equal(mongoc_uri_get_hosts(made.uri)->host, "::1");
    assert_false(RESOLVE("--db=a", "--host=one:1", "--port=7"));
    static const char *const wrong[] = {"--host=",    "--host=/x",  "--host=u:p@h",
                                        "--host=a?b", "--host=a b", "--host=s/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", wrong[i]);
        assert_false(RESOLVE("--db=a", text));
        assert_int_equal(err.code, TF_ERR_USAGE);
    }
}

static void connection__database_comes_from_the_uri(void **state)
{
    (void)state;
    assert_true(RESOLVE("--uri=mongodb://h/shop", "--state-db=elsewhere"));
    assert_string_equal(made.db, "shop");
    assert_string_equal(made.state_db, "elsewhere");
    assert_true(RESOLVE("--uri=mongodb://h/shop", "--db=other"));
    assert_string_equal(made.db, "other");
}

static void connection__no_database_is_refused(void **state)
{
    (void)state;
    assert_false(RESOLVE("--uri=mongodb://h"));
    assert_refused("no database named");
}

static void connection__odd_database_names_are_judged(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",    "a/b",  "a\\b",  "a.b",   "a b",    "a\"b",
        "a$b", "\xff", "admin", "local", "Config", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"};
    static const char *const good[] = {"a", "z\xc3\xa4p-1", "a*b|c<d>", "_", "0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tf_error_clear(&err);
        assert_false(tf_database_name_check(wrong[i], "--db", &err));
        assert_int_equal(err.code, TF_ERR_USAGE);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(tf_database_name_check(good[i], "--db", &err));
    assert_false(RESOLVE("--db=nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"));
    assert_string_equal(err.hint, "Give another with --state-db.");
}

static void connection__two_servers_are_refused(void **state)
{
    (void)state;
    assert_false(RESOLVE("--db=a", "--uri=mongodb://h", "--host=i"));
    assert_refused("the server is named twice: by --host or --port and by --uri");
    assert_false(RESOLVE("--db=a", "--uri=mongodb://h", "--uri-file=x"));
    assert_refused("the server is named twice: by --uri and by --uri-file");
}

static void connection__flag_beats_environment(void **state)
{
    (void)state;
    setenv("TOKENFIX_URI", "mongodb://env/envdb", 1);
    assert_true(RESOLVE("--host=flag", "--db=x"));
    assert_string_equal(mongoc_uri_get_hosts(made.uri)->host, "flag");
    setenv("TOKENFIX_URI", "mongodb://env/envdb", 1);
    assert_true(RESOLVE("--quiet"));
    assert_string_equal(made.db, "envdb");
    setenv("TOKENFIX_DB", "one", 1);
    assert_false(RESOLVE("--uri=mongodb://h/two"));
    assert_refused("the database is named twice: 'one' by TOKENFIX_DB, 'two' by the connection string");
    unsetenv("TOKENFIX_DB");
}

static void connection__malformed_uri_is_refused_without_its_password(void **state)
{
    (void)state;
    static const char *const wrong[] = {"nonsense",
                                        "mongodb://",
                                        "mongodb://u:ge%heim@h/db",

                                        "mongodb://u:ge/heim@h",
                                        "http://u:geheim@h",
                                        "mongodb://h:99999/db"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[64];
        snprintf(text, sizeof text, "--uri=%s", wrong[i]);
        assert_false(RESOLVE("--db=a", text));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_null(strstr(err.message, "heim"));
        assert_null(strstr(err.detail, "heim"));
        assert_non_null(strstr(err.hint, "mongodb://USER"));
    }
}

static void connection__credentials_are_taken_verbatim(void **state)
{
    (void)state;
    assert_true(RESOLVE("--db=a", "-u", "us@er", "--password=p:@/%w", "--authenticationDatabase=admin",
                        "--authenticationMechanism=SCRAM-SHA-256"));
    assert_string_equal(mongoc_uri_get_username(made.uri), "us@er");
    assert_string_equal(mongoc_uri_get_password(made.uri), "p:@/%w");
    assert_string_equal(mongoc_uri_get_auth_source(made.uri), "admin");
    assert_string_equal(mongoc_uri_get_auth_mechanism(made.uri), "SCRAM-SHA-256");
}

static void connection__user_without_password_and_terminal_is_refused(void **state)
{
    (void)state;
    assert_false(RESOLVE("--db=a", "-u", "me"));
    assert_refused("no password for user 'me'");
    assert_false(RESOLVE("--uri=mongodb://other:pw@h/a", "-u", "me"));
    assert_refused("no password for user 'me'");
    assert_false(RESOLVE("--db=a", "--password=x"));
    assert_refused("a password is given, but no user");
    assert_true(RESOLVE("--db=a", "-u", "CN=me", "--authenticationMechanism=MONGODB-X509"));
}

static void connection__uri_file_must_be_private(void **state)
{
    (void)state;
    char path[] = "/tmp/tokenfix-uri-XXXXXX", option[64];
    int fd = mkstemp(path);
    snprintf(option, sizeof option, "--uri-file=%s", path);
    assert_false(RESOLVE(option));
    assert_non_null(strstr(err.message, "is empty"));
    assert_int_equal(write(fd, "  mongodb://u:p@h/fromfile \r\nmore\n", 33), 33);
    assert_true(RESOLVE(option));
    assert_string_equal(made.db, "fromfile");
    assert_string_equal(mongoc_uri_get_password(made.uri), "p");
    static const mode_t open_modes[] = {0640, 0604, 0620};
    for (size_t i = 0; i < 3; i++) {
        fchmod(fd, open_modes[i]);
        assert_false(RESOLVE(option));
        assert_non_null(strstr(err.message, "others than its owner"));
        assert_non_null(strstr(err.hint, "chmod 600"));
    }
    close(fd);
    unlink(path);
    assert_false(RESOLVE(option));
    assert_non_null(strstr(err.message, "cannot be read"));
    assert_false(RESOLVE("--uri-file=/"));
}

static void connection__tls_files_must_be_readable(void **state)
{
    (void)state;
    assert_false(RESOLVE("--db=a", "--tlsCAFile=/nowhere.pem"));
    assert_refused("option '--tlsCAFile': '/nowhere.pem' cannot be read");
    assert_true(RESOLVE("--db=a", "--tlsCAFile=/dev/null"));
    assert_true(mongoc_uri_get_tls(made.uri));
}

static void connection__plaintext_leaves_this_machine_with_permission_only(void **state)
{
    (void)state;
    assert_true(RESOLVE_STRICTLY("--db=a"));
    assert_true(RESOLVE_STRICTLY("--db=a", "--host=127.0.0.1"));
    assert_false(RESOLVE_STRICTLY("--db=a", "--host=db.example"));
    assert_refused("the connection to 'db.example:27017' would not be encrypted");
    assert_non_null(strstr(err.hint, "--allow-plaintext"));
    assert_false(RESOLVE_STRICTLY("--uri=mongodb://localhost,db.example/a"));
    assert_refused("the connection to 'db.example:27017' would not be encrypted");
    assert_false(RESOLVE_STRICTLY("--uri=mongodb://me:pw@db.example/a", "--allow-insecure-tls"));
    assert_true(RESOLVE_STRICTLY("--db=a", "--host=db.example", "--tls"));
    assert_int_equal(made.allowed, 0);
    setenv("TOKENFIX_ALLOW_PLAINTEXT", "1", 1);
    assert_true(RESOLVE_STRICTLY("--db=a", "--host=db.example"));
    unsetenv("TOKENFIX_ALLOW_PLAINTEXT");
    assert_int_equal(made.allowed, TF_TRANSPORT_PLAINTEXT);
}

static void connection__lax_tls_needs_permission(void **state)
{
    (void)state;
    static const char *const lax[][2] = {{"--tlsInsecure", MONGOC_URI_TLSINSECURE},
                                         {"--tlsAllowInvalidCertificates", MONGOC_URI_TLSALLOWINVALIDCERTIFICATES},
                                         {"--tlsAllowInvalidHostnames", MONGOC_URI_TLSALLOWINVALIDHOSTNAMES}};
    for (size_t i = 0; i < sizeof lax / sizeof *lax; i++) {
        char flag[64], uri[128];
        snprintf(flag, sizeof flag, "%s", lax[i][0]);
        assert_false(RESOLVE_STRICTLY("--db=a", flag));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_non_null(strstr(err.hint, "--allow-insecure-tls"));
        assert_false(RESOLVE("--db=a", flag));
        assert_true(RESOLVE_STRICTLY("--db=a", "--host=h", flag, "--allow-insecure-tls"));
        assert_true(mongoc_uri_get_tls(made.uri));
        assert_true(mongoc_uri_get_option_as_bool(made.uri, lax[i][1], false));
        snprintf(uri, sizeof uri, "--uri=mongodb://h/a?%s=true", lax[i][1]);
        assert_false(RESOLVE_STRICTLY(uri));
        assert_true(RESOLVE_STRICTLY(uri, "--allow-insecure-tls"));
    }
}

static void connection__names_alone_ask_for_nothing(void **state)
{
    (void)state;
    char *argv[] = {"tokenfix", "go", "--uri=mongodb://me@db.example/shop", NULL};
    char memory[64];
    snprintf(memory, sizeof memory, "%s", argv[2]);
    argv[2] = memory;
    tf_invocation in = {0};
    tf_connection_done(&made);
    tf_error_clear(&err);
    assert_true(tf_command_parse(table, 3, argv, &in, &err));
    assert_true(tf_connection_names(&in.globals, &made, &err));
    assert_string_equal(made.db, "shop");
    tf_invocation_done(&in);
}

/* ---- the password in the string ---- */

static const struct password_row {
    const char *userinfo, *password; /* NULL: refused */
} passwords[] = {
    {"me:pw@", "pw"},        {"me:p%40s%2Fs%3a%25@", "p@s/s:%"}, {"me:%C3%A4@", "\xc3\xa4"},
    {"me:x@", "x"},          {"m%40e:%78x@", "xx"},              {"me:a%00b@", NULL},
    {"me:a%4@", NULL},       {"me:a%zz@", NULL},                 {"me:%ff@", NULL},
    {"me:a:b@", NULL},       {"me:a@b@", NULL},                  {"me:a%@", NULL},
    {"me:$&'()*+,;=!~-._@", "$&'()*+,;=!~-._"},
};

static void connection__password_is_decoded_and_not_in_the_string(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        char option[128];
        snprintf(option, sizeof option, "--uri=mongodb://%sh1,h2:7/shop?w=1&appname=x", passwords[i].userinfo);
        bool good = RESOLVE(option);
        if (good != (passwords[i].password != NULL))
            fail_msg("%s: %s", passwords[i].userinfo, good ? "not refused" : err.message);
        if (!good)
            continue;
        assert_string_equal(mongoc_uri_get_password(made.uri), passwords[i].password);
        assert_string_equal(mongoc_uri_get_hosts(made.uri)->next->host_and_port, "h2:7");
        assert_string_equal(made.db, "shop");
        assert_string_equal(mongoc_uri_get_appname(made.uri), "x");
        const char *colon = strchr(mongoc_uri_get_string(made.uri) + strlen("mongodb://"), ':');
        assert_int_equal(strncmp(colon, ":x@h1", 5), 0);
    }
    assert_true(RESOLVE("--uri=mongodb://h/shop?appname=a@b:c"));
    assert_string_equal(mongoc_uri_get_appname(made.uri), "a@b:c");
}

/* ---- confirmation ---- */

/* Runs tf_confirm on a terminal of its own where `typed` is typed; returns the code it ends with. */
static int confirm_on_terminal(const char *typed)
{
    int master = -1;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    if (pid == 0) {
        tf_error e = {0};
        tf_confirm("About to repair 5 documents.", "shop", false, &e);
        _exit((int)e.code);
    }
    char seen[256];
    size_t used = 0;
    ssize_t got = 0;
    while (used < sizeof seen - 1 && (got = read(master, seen + used, sizeof seen - 1 - used)) > 0) {
        used += (size_t)got;
        seen[used] = '\0';
        if (strstr(seen, "to go on: "))
            break;
    }
    assert_non_null(strstr(seen, "About to repair 5 documents.\r\nType the database's name"));
    assert_int_equal(write(master, typed, strlen(typed)), (ssize_t)strlen(typed));
    int status = 0;
    waitpid(pid, &status, 0);
    close(master);
    return WEXITSTATUS(status);
}

static void confirm__on_a_terminal_the_name_must_be_typed(void **state)
{
    (void)state;
    assert_int_equal(confirm_on_terminal("shop\n"), TF_ERR_OK);
    assert_int_equal(confirm_on_terminal("yes\n"), TF_ERR_CONFIRM);
    assert_int_equal(confirm_on_terminal("\n"), TF_ERR_CONFIRM);
    assert_int_equal(confirm_on_terminal("\x04"), TF_ERR_CONFIRM);
}

static void confirm__without_terminal_is_refused(void **state)
{
    (void)state;
    tf_error_clear(&err);
    assert_false(tf_confirm("x", "shop", false, &err));
    assert_int_equal(tf_error_exit(err.code), 4);
}

static void confirm__is_answered_by_yes_or_the_environment(void **state)
{
    (void)state;
    tf_error_clear(&err);
    assert_true(tf_confirm("x", "shop", true, &err));
    setenv("CONFIRM_MIGRATION", "no", 1);
    assert_false(tf_confirm("x", "shop", false, &err));
    setenv("CONFIRM_MIGRATION", "yes", 1);
    assert_true(tf_confirm("x", "shop", false, &err));
    unsetenv("CONFIRM_MIGRATION");
}

static int clean(void **state)
{
    (void)state;
    tf_connection_done(&made);
    mongoc_cleanup();
    return 0;
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection__defaults_to_localhost),
        cmocka_unit_test(connection__waits_as_long_as_the_server_may_work),
        cmocka_unit_test(connection__host_may_name_port_and_set),
        cmocka_unit_test(connection__database_comes_from_the_uri),
        cmocka_unit_test(connection__no_database_is_refused),
        cmocka_unit_test(connection__odd_database_names_are_judged),
        cmocka_unit_test(connection__two_servers_are_refused),
        cmocka_unit_test(connection__flag_beats_environment),
        cmocka_unit_test(connection__malformed_uri_is_refused_without_its_password),
        cmocka_unit_test(connection__credentials_are_taken_verbatim),
        cmocka_unit_test(connection__user_without_password_and_terminal_is_refused),
        cmocka_unit_test(connection__uri_file_must_be_private),
        cmocka_unit_test(connection__tls_files_must_be_readable),
        cmocka_unit_test(connection__plaintext_leaves_this_machine_with_permission_only),
        cmocka_unit_test(connection__lax_tls_needs_permission),
        cmocka_unit_test(connection__names_alone_ask_for_nothing),
        cmocka_unit_test(connection__password_is_decoded_and_not_in_the_string),
        cmocka_unit_test(confirm__on_a_terminal_the_name_must_be_typed),
        cmocka_unit_test(confirm__without_terminal_is_refused),
        cmocka_unit_test(confirm__is_answered_by_yes_or_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}

/* In a session of its own, so that there is no terminal to ask on. */
int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        mongoc_init();
        mongoc_log_set_handler(NULL, NULL);
        exit(run_all());
    }
    int status = 1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
