/* `tokenfix sandbox …` as it is typed. Each test has a state folder of its own. */
#include "support/fixture.h"

typedef struct place {
    char *folder;
    char variable[600];
    const char *env[2];
} place;

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->folder = tf_folder_make();
    snprintf(p->variable, sizeof p->variable, "XDG_STATE_HOME=%s", p->folder);
    p->env[0] = p->variable;
    *state = p;
    return 0;
}

static tf_program *type(const place *p, const char *const *argv)
{
    return tf_program_exec(NULL, &(tf_program_options){.argv = argv, .env = p->env});
}

#define TYPE(p, ...) type(p, (const char *const[]){"sandbox", __VA_ARGS__, NULL})
#define _cleanup_program_ _cleanup_(tf_program_freep)

static int teardown(void **state)
{
    place *p = *state;
    tf_program_free(TYPE(p, "stop", "--remove"));
    tf_program_free(TYPE(p, "stop", "--remove", "--name", "second"));
    tf_folder_remove(p->folder);
    free(p);
    return 0;
}

static void start__prints_the_uri_alone_on_stdout(void **state)
{
    const place *p = *state;
    _cleanup_program_ tf_program *first = TYPE(p, "start", "--standalone", "--cache-mb", "256");
    assert_int_equal(first->status, 0);
    assert_int_equal(strncmp(first->out, "mongodb://127.0.0.1:", 20), 0);
    assert_non_null(strstr(first->out, "/wallet?directConnection=true\n"));
    assert_string_equal(strchr(first->out, '\n'), "\n");
    assert_non_null(strstr(first->err, "sandbox 'default' is running, a standalone server"));
    _cleanup_program_ tf_program *again = TYPE(p, "start", "--quiet");
    assert_string_equal(again->out, first->out);
    assert_string_equal(again->err, "");
}

static void start__with_auth_makes_the_documented_users(void **state)
{
    const place *p = *state;
    _cleanup_program_ tf_program *start = TYPE(p, "start", "--auth", "--json", "--db", "shop", "--cache-mb", "256");
    assert_int_equal(start->status, 0);
    static const char *const users[] = {"admin", "run", "monitor", "reader"};
    for (int i = 0; i < 4; i++) {
        char path[64], begin[64];
        snprintf(path, sizeof path, "data.logins.%d.name", i);
        assert_string_equal(tf_program_text(start, path), users[i]);
        snprintf(path, sizeof path, "data.logins.%d.uri", i);
        snprintf(begin, sizeof begin, "mongodb://%s:", users[i]);
        assert_int_equal(strncmp(tf_program_text(start, path), begin, strlen(begin)), 0);
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(tf_program_text(start, path));
        assert_non_null(client);
        _cleanup_bson_ bson_t ping = BSON_INITIALIZER;
        BSON_APPEND_INT32(&ping, "ping", 1);
        assert_true(mongoc_client_command_simple(client, "shop", &ping, NULL, NULL, NULL));
    }
    assert_string_equal(tf_program_text(start, "data.database"), "shop");
    _cleanup_program_ tf_program *stop = TYPE(p, "stop");
    assert_null(strstr(stop->err, "endSessions")); /* the driver's own log is silent */
    assert_string_equal(start->err, "");
    _cleanup_program_ tf_program *wide = TYPE(p, "start", "--auth", "--name", "second", "--db", "a", "--state-db", "a");
    assert_int_equal(wide->status, 2);
}

static void seed__fills_and_reset_empties(void **state)
{
    const place *p = *state;
    tf_program_free(TYPE(p, "start", "--standalone", "--cache-mb", "256"));
    _cleanup_program_ tf_program *seed =
        TYPE(p, "seed", "--tokens", "1000", "--users", "10", "--defects", "10", "--indexes", "none", "--json");
    assert_int_equal(seed->status, 0);
    assert_int_equal(tf_program_number(seed, "data.tokens"), 1000);
    assert_int_equal(tf_program_number(seed, "data.defects"), 100);
    _cleanup_program_ tf_program *twice = TYPE(p, "seed", "--tokens", "1000", "--users", "10");
    assert_int_equal(twice->status, 1);
    _cleanup_program_ tf_program *reset = TYPE(p, "reset");
    assert_int_equal(reset->status, 0);
    _cleanup_program_ tf_program *after = TYPE(p, "seed", "--tokens", "1000", "--users", "10");
    assert_int_equal(after->status, 0);
    assert_non_null(strstr(after->out, "1,000 tokens"));
}

static void seed__with_findings_tells_their_numbers(void **state)
{
    const place *p = *state;
    tf_program_free(TYPE(p, "start", "--standalone", "--cache-mb", "256"));
    _cleanup_program_ tf_program *seed = TYPE(p, "seed", "--tokens", "100", "--users", "10", "--defects", "10", "--with-findings", "--json");
    assert_int_equal(seed->status, 0);
    static const char *const checks[] = {"melted_unspent",  "duplicate_secret", "secret_reuse",        "orphaned_token",  "amount_mismatch",
                                         "invalid_amount",  "missing_source",   "status_inconsistent", "negative_balance"};
    char path[64];
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        snprintf(path, sizeof path, "data.findings.%s", checks[i]);
        assert_true(tf_program_number(seed, path) > 0);
    }
    assert_int_equal(tf_program_number(seed, "data.findings.melted_unspent"), tf_program_number(seed, "data.defects"));
    assert_string_equal(tf_program_text(seed, "data.notPlanted.0"), "balance_discrepancy");
    tf_program_free(TYPE(p, "reset"));
    _cleanup_program_ tf_program *text = TYPE(p, "seed", "--tokens", "100", "--users", "10", "--with-findings");
    assert_int_equal(text->status, 0);
    assert_non_null(strstr(text->out, "\ncheck                findings\n"));
    assert_non_null(strstr(text->out, "\nnegative_balance "));
    assert_non_null(strstr(text->err, "balance_discrepancy cannot be planted"));
    tf_program_free(TYPE(p, "reset"));
    _cleanup_program_ tf_program *without = TYPE(p, "seed", "--tokens", "100", "--users", "10", "--json");
    assert_false(tf_program_has(without, "data.findings"));
}

static void status__tells_running_from_stopped(void **state)
{
    const place *p = *state;
    _cleanup_program_ tf_program *none = TYPE(p, "status");
    assert_int_equal(none->status, 0);
    assert_string_equal(none->out, "");
    tf_program_free(TYPE(p, "start", "--standalone", "--cache-mb", "256"));
    tf_program_free(TYPE(p, "start", "--standalone", "--cache-mb", "256", "--name", "second"));
    _cleanup_program_ tf_program *stop = TYPE(p, "stop", "--name", "second", "--json");
    assert_int_equal(tf_program_number(stop, "data.ended"), 1);
    assert_int_equal(tf_program_number(stop, "data.stale"), 0);
    _cleanup_program_ tf_program *all = TYPE(p, "status", "--json");
    assert_string_equal(tf_program_text(all, "data.sandboxes.0.name"), "default");
    assert_true(tf_program_flag(all, "data.sandboxes.0.running"));
    assert_true(tf_program_number(all, "data.sandboxes.0.nodes.0.pid") > 0);
    assert_string_equal(tf_program_text(all, "data.sandboxes.1.name"), "second");
    assert_false(tf_program_flag(all, "data.sandboxes.1.running"));
    assert_int_equal(tf_program_number(all, "data.sandboxes.1.nodes.0.pid"), 0);
    _cleanup_program_ tf_program *text = TYPE(p, "status");
    assert_non_null(strstr(text->out, "default: running, a standalone server\n"));
    assert_non_null(strstr(text->out, "second: stopped, a standalone server\n"));
    _cleanup_program_ tf_program *one = TYPE(p, "status", "--name", "second");
    assert_null(strstr(one->out, "default"));
}

static void stop__says_when_the_state_was_stale(void **state)
{
    const place *p = *state;
    _cleanup_program_ tf_program *start = TYPE(p, "start", "--standalone", "--json", "--cache-mb", "256");
    assert_int_equal(kill((pid_t)tf_program_number(start, "data.nodes.0.pid"), SIGKILL), 0);
    _cleanup_program_ tf_program *stop = TYPE(p, "stop");
    assert_int_equal(stop->status, 0);
    assert_non_null(strstr(stop->err, "1 of its processes had ended before"));
    assert_non_null(strstr(stop->err, "sandbox 'default' was not running"));
}

static void sandbox__that_is_not_there_is_an_error_with_a_hint(void **state)
{
    const place *p = *state;
    static const char *const verbs[] = {"stop", "reset", "seed"};
    for (size_t i = 0; i < 3; i++) {
        _cleanup_program_ tf_program *program = TYPE(p, verbs[i]);
        assert_int_equal(program->status, 2);
        assert_non_null(strstr(program->err, "there is no sandbox 'default'"));
        assert_non_null(strstr(program->err, "hint: "));
    }
    tf_program_free(TYPE(p, "start", "--standalone", "--cache-mb", "256"));
    tf_program_free(TYPE(p, "stop"));
    for (size_t i = 1; i < 3; i++) {
        _cleanup_program_ tf_program *program = TYPE(p, verbs[i], "--json");
        assert_int_equal(program->status, 8);
        assert_string_equal(tf_program_text(program, "error.code"), "CONNECT");
    }
    _cleanup_program_ tf_program *nodes = TYPE(p, "start", "--nodes", "2", "--name", "second");
    assert_int_equal(nodes->status, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(start__prints_the_uri_alone_on_stdout), TEST(start__with_auth_makes_the_documented_users),
        TEST(seed__fills_and_reset_empties),         TEST(seed__with_findings_tells_their_numbers),
        TEST(status__tells_running_from_stopped),
        TEST(stop__says_when_the_state_was_stale),   TEST(sandbox__that_is_not_there_is_an_error_with_a_hint),
    };
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mongoc_cleanup();
    return failed;
}
