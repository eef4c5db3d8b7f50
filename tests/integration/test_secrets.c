/* A password is in memory as long as it is used, and then only where the driver keeps it to log in again. */
#include "support/memory.h"
#include "support/role.h"

#include "cmd/connection.h"
#include "db/client.h"
#include "sandbox/place.h"

#include <sys/wait.h>

static int nothing(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)globals, (void)args, (void)argc, (void)argv;
    return 0;
}

static const tf_command go = {.name = "go", .synopsis = "", .summary = "Go", .exits = "0", .run = nothing};
static const tf_command *const table[] = {&go, NULL};

static void expect_count(const tf_secret *secret, int expected, const char *name, const char *when)
{
    int found = tf_memory_count(0, secret, 0);
    if (found != expected)
        fail_msg("%s, %s: the password stands %d times in memory instead of %d", name, when, found, expected);
}

/* By a process of its own: what the driver does with a command's documents is not our subject. */
static void create_user(tf_fixture *f, const tf_secret *secret)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char password[64] = "";
        tf_secret_append(secret, password, sizeof password);
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(f->uri);
        _cleanup_(bson_destroyp) bson_t *command =
            BCON_NEW("createUser", BCON_UTF8(f->db), "pwd", BCON_UTF8(password), "roles", "[", "root", "]");
        _exit(mongoc_client_command_simple(client, "admin", command, NULL, NULL, NULL) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect_count(secret, 0, "a user", "created elsewhere");
}

static int teardown(void **state)
{
    tf_fixture *f = *state;
    _cleanup_(bson_destroyp) bson_t *drop = BCON_NEW("dropUser", BCON_UTF8(f->db));
    mongoc_client_command_simple(f->client, "admin", drop, NULL, NULL, NULL);
    return tf_fixture_teardown(state);
}

/* ---- the ways to give one ---- */

typedef struct way {
    const char *name, *argument, *variable; /* the secret goes behind either; with "//" within a connection string */
    bool file;                              /* into the file that the argument names */
} way;

static const way ways[] = {
    {"--uri", "--uri=mongodb://", NULL, false},
    {"TOKENFIX_URI", NULL, "TOKENFIX_URI=mongodb://", false},
    {"--uri-file", "--uri-file=", NULL, true},
    {"--password", "--password=", NULL, false},
    {"TOKENFIX_PASSWORD", NULL, "TOKENFIX_PASSWORD=", false},
};

enum { TEXT = 1024, WAYS = sizeof ways / sizeof *ways };

typedef struct typed {
    char argument[TEXT], variable[TEXT], path[TEXT];
    char address[TEXT], user[TEXT];
} typed;

/* "mongodb://USER:SECRET@HOSTS/…", or only the secret. */
static void write_text(const tf_secret *secret, const char *before, const char *user, const char *behind, char *out)
{
    bool whole = strstr(before, "//") != NULL;
    snprintf(out, TEXT, "%s%s%s", before, whole ? user : "", whole ? ":" : "");
    tf_secret_append(secret, out, TEXT);
    size_t used = strlen(out);
    snprintf(out + used, TEXT - used, "%s", whole ? behind : "");
}

/* What would be typed to log in as `user` at `behind` ("@host:port/db?options"); wiped and removed with unwrite. */
static void write_way(const way *w, const tf_secret *secret, const char *user, const char *behind, typed *out)
{
    tf_error err = {0};
    *out = (typed){.argument = "--quiet"};
    if (w->file) {
        char text[TEXT];
        _cleanup_free_ char *folder = tf_folder_make();
        snprintf(out->path, sizeof out->path, "%s/uri", folder);
        snprintf(out->argument, sizeof out->argument, "%s%s", w->argument, out->path);
        write_text(secret, "mongodb://", user, behind, text);
        assert_true(tf_place_write(out->path, text, strlen(text), &err));
        explicit_bzero(text, sizeof text);
        return;
    }
    write_text(secret, w->argument ? w->argument : w->variable, user, behind,
               w->argument ? out->argument : out->variable);
    if (strstr(w->name, "PASSWORD") || strstr(w->name, "password")) {
        snprintf(out->address, sizeof out->address, "mongodb://%s", behind + 1);
        snprintf(out->user, sizeof out->user, "--username=%s", user);
    }
}

static void unwrite(typed *t)
{
    if (t->path[0]) {
        unlink(t->path);
        *strrchr(t->path, '/') = '\0';
        tf_folder_remove(strdup(t->path));
    }
    explicit_bzero(t, sizeof *t);
}

/* ---- in this process ---- */

/* Reads the command line as main does. */
static bool resolve(typed *t, tf_invocation *in, tf_connection *made, tf_error *err)
{
    char address[TEXT];
    char *argv[6] = {"tokenfix", "go", t->argument};
    int argc = 3;
    if (t->variable[0]) {
        char *equals = strchr(t->variable, '=');
        *equals = '\0';
        setenv(t->variable, equals + 1, 1);
    }
    if (t->address[0]) {
        snprintf(address, sizeof address, "--uri=%s", t->address);
        argv[argc++] = address;
        argv[argc++] = t->user;
    }
    bool good = tf_command_parse(table, argc, argv, in, err) && tf_connection_resolve(&in->globals, made, err);
    tf_options_forget(&in->global_options);
    if (t->variable[0])
        unsetenv(t->variable);
    unwrite(t);
    return good;
}

/* How many copies the driver itself keeps for a pool with one client that has logged in. */
static int bare_driver(const tf_secret *secret, const char *user, const char *behind)
{
    char text[TEXT], password[64] = "";
    snprintf(text, sizeof text, "mongodb://%s:x%s", user, behind);
    mongoc_uri_t *uri = mongoc_uri_new(text);
    tf_secret_append(secret, password, sizeof password);
    assert_true(mongoc_uri_set_password(uri, password));
    explicit_bzero(password, sizeof password);
    mongoc_client_pool_t *pool = mongoc_client_pool_new(uri);
    mongoc_uri_destroy(uri);
    mongoc_client_t *client = mongoc_client_pool_pop(pool);
    _cleanup_(bson_destroyp) bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
    bson_error_t error;
    if (!mongoc_client_command_simple(client, "admin", ping, NULL, NULL, &error))
        fail_msg("%s", error.message);
    int kept = tf_memory_count(0, secret, 0);
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_destroy(pool);
    return kept;
}

static void password__is_kept_by_the_driver_alone(void **state)
{
    tf_fixture *f = *state;
    tf_secret secret;
    tf_secret_make(&secret);
    create_user(f, &secret);
    const char *behind = strchr(f->uri, '@');
    assert_non_null(behind);
    int kept = bare_driver(&secret, f->db, behind);
    assert_true(kept > 0);
    expect_count(&secret, 0, "the driver", "closed");
    for (size_t i = 0; i < WAYS; i++) {
        typed t;
        tf_error err = {0};
        tf_invocation in = {0};
        tf_connection to = {0};
        tf_client client;
        write_way(&ways[i], &secret, f->db, behind, &t);
        if (!resolve(&t, &in, &to, &err) ||
            !tf_client_open(to.uri, to.db, to.state_db, to.timeout_ms, to.allowed, &client, &err))
            fail_msg("%s: %s (%s)", ways[i].name, err.message, err.detail);
        tf_connection_done(&to);
        expect_count(&secret, kept, ways[i].name, "connected");
        tf_client_close(&client);
        expect_count(&secret, 0, ways[i].name, "disconnected");
        tf_invocation_done(&in);
    }
}

/* Where the connection does not come about, nobody keeps it. */
static void password__of_a_refused_connection_is_wiped(void **state)
{
    static const struct {
        const char *name, *user, *behind;
        bool resolved;
    } refusals[] = {
        {"plaintext to another machine", "me", "@192.0.2.1/shop", false},
        {"no database", "me", "@127.0.0.1:9", false},
        {"nobody there", "me", "@127.0.0.1:9/shop", true},
        {"an @ as it is typed", "me", "@b@127.0.0.1:9/shop", false},
        {"a malformed %", "me", "%zz@127.0.0.1:9/shop", false},
    };
    tf_secret secret;
    (void)state;
    tf_secret_make(&secret);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        for (size_t k = 0; k < WAYS; k++) {
            typed t;
            tf_error err = {0};
            tf_invocation in = {0};
            tf_connection to = {0};
            tf_client client;
            if (refusals[i].behind[0] != '@' || strchr(refusals[i].behind + 1, '@'))
                if (strstr(ways[k].name, "PASSWORD") || strstr(ways[k].name, "password"))
                    continue; /* not within a connection string */
            write_way(&ways[k], &secret, refusals[i].user, refusals[i].behind, &t);
            bool resolved = resolve(&t, &in, &to, &err);
            if (resolved != refusals[i].resolved)
                fail_msg("%s, %s: %s", refusals[i].name, ways[k].name, err.message);
            assert_false(resolved && tf_client_open(to.uri, to.db, to.state_db, 100, to.allowed, &client, &err));
            tf_connection_done(&to);
            expect_count(&secret, 0, ways[k].name, refusals[i].name);
            tf_invocation_done(&in);
        }
    }
}

/* ---- the real program ---- */

/* AddressSanitizer keeps a copy of the environment as it was at the start. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BY_CLANG 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(BY_CLANG)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The program has stopped itself in the middle of `up`: the bytes in front of each of its copies tell whose they are. */
static void look_into(tf_program *p, const tf_secret *secret, const way *w)
{
    int status = 0;
    assert_int_equal(waitpid(p->pid, &status, WUNTRACED), p->pid);
    if (!WIFSTOPPED(status))
        fail_msg("%s: the program ended with %d before it stopped", w->name, WEXITSTATUS(status));
    int all = tf_memory_count(p->pid, secret, 0);
    if (all == -1)
        skip(); /* a build without failpoints, whose memory nobody may read, has not come here */
    assert_true(all > 0);
    int in_string = tf_memory_count(p->pid, secret, ':'), behind_name = tf_memory_count(p->pid, secret, '=');
    if (in_string + behind_name != (SANITIZED && w->variable))
        fail_msg("%s: %d times in a connection string, %d times behind a name", w->name, in_string, behind_name);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 0);
    assert_int_equal(p->status, 0);
}

/* needs a failpoint to stop the program at */
__attribute__((unused)) static void password__is_in_no_argument_variable_or_string_of_the_program(void **state)
{
    tf_fixture *f = *state;
    tf_secret secret;
    tf_secret_make(&secret);
    create_user(f, &secret);
    fill(f);
    for (size_t i = 0; i < WAYS; i++) {
        typed t;
        write_way(&ways[i], &secret, f->db, strchr(f->uri, '@'), &t);
        const char *const argv[] = {"up", "--confirm", "--yes", t.argument, t.user[0] ? t.user : NULL, NULL};
        const char *const env[] = {"TOKENFIX_FAILPOINT=plan.before_running=stop", t.variable[0] ? t.variable : NULL,
                                   NULL};
        tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv, .env = env, .uri = t.address});
        look_into(p, &secret, &ways[i]);
        unwrite(&t);
        assert_int_equal(tf_program_run(f, "down", "--confirm", "--yes", NULL)->status, 0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tf_fixture_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(password__is_kept_by_the_driver_alone),
        TEST(password__of_a_refused_connection_is_wiped),
#ifdef TF_FAILPOINTS
        TEST(password__is_in_no_argument_variable_or_string_of_the_program),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
