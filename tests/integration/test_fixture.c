/* What every other integration test leans on. */
#include "support/fixture.h"

static void fixture__gives_an_empty_database(void **state)
{
    tf_fixture *f = *state;
    assert_int_equal(tf_fixture_count(f, NULL, "things", "{}"), 0);
    tf_fixture_insert(f, "things", "[{\"_id\": 1}, {\"_id\": \"two\"}]");
    tf_fixture_insert(f, "things", "{\"_id\": {\"$oid\": \"000000000000000000000003\"}}");
    assert_int_equal(tf_fixture_count(f, NULL, "things", "{}"), 3);
    assert_int_equal(tf_fixture_count(f, f->state_db, "things", "{}"), 0);
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, "{\"ping\": 1}");
    assert_true(bson_has_field(reply, "ok"));
}

static bool may(const char *uri, const char *db, const char *json)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(client);
    assert_non_null(command);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    bson_error_t error = {0};
    if (mongoc_client_command_simple(client, db, command, NULL, NULL, &error))
        return true;
    if (error.code != 13 || error.domain != MONGOC_ERROR_SERVER)
        fail_msg("%s: %s", json, error.message);
    return false;
}

static void fixture__logins_may_what_their_kind_may(void **state)
{
    tf_fixture *f = *state;
    static const char *const others[] = {"owners", NULL};
    const char *run = tf_fixture_login(f, "run", "things", others);
    const char *monitor = tf_fixture_login(f, "monitor", "things", NULL);
    const char *reader = tf_fixture_login(f, "reader", NULL, NULL);
    tf_fixture_insert(f, "things", "{\"_id\": 1}");
    static const char update[] = "{\"update\": \"things\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}";
    static const char insert[] = "{\"insert\": \"things\", \"documents\": [{}]}";
    static const char find[] = "{\"find\": \"things\"}";
    static const char owners[] = "{\"find\": \"owners\"}";
    static const char change_owners[] =
        "{\"update\": \"owners\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}";
    static const char drop[] = "{\"drop\": \"things\"}";
    static const char status[] = "{\"replSetGetStatus\": 1}";
    assert_true(may(run, f->db, update));
    assert_true(may(run, f->db, find));
    assert_true(may(run, f->db, owners));
    assert_false(may(run, f->db, change_owners));
    assert_false(may(run, f->db, insert));
    assert_false(may(run, f->db, drop));
    assert_false(may(run, "admin", status));
    assert_true(may(run, f->db, "{\"listIndexes\": \"things\"}"));
    assert_true(may(run, f->db, "{\"listCollections\": 1}"));
    assert_true(may(run, f->db, "{\"collStats\": \"things\"}"));
    assert_true(may(run, f->db, "{\"dbStats\": 1}"));
    assert_true(may(run, f->state_db, insert));
    assert_false(may(run, f->state_db, update));
    assert_false(may(run, f->state_db, drop));
    assert_true(may(run, f->state_db, "{\"create\": \"backup_x\"}"));
    assert_true(may(run, f->state_db, "{\"listCollections\": 1}"));
    assert_true(may(run, f->state_db, "{\"dbStats\": 1}"));
    assert_true(
        may(run, f->state_db, "{\"createIndexes\": \"runs\", \"indexes\": [{\"key\": {\"a\": 1}, \"name\": \"a\"}]}"));
    assert_true(may(run, f->state_db, "{\"listIndexes\": \"runs\"}"));
    static const char *const changing[] = {"runs", "partitions", "ledger"};
    for (size_t i = 0; i < 3; i++) {
        char json[160];
        snprintf(json, sizeof json, "{\"update\": \"%s\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}",
                 changing[i]);
        assert_true(may(run, f->state_db, json));
        snprintf(json, sizeof json, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}", changing[i]);
        assert_false(may(run, f->state_db, json));
    }
    assert_true(may(monitor, "admin", status));
    assert_true(may(monitor, "admin", "{\"serverStatus\": 1}"));
    assert_true(may(monitor, "admin", "{\"getParameter\": 1, \"enableTestCommands\": 1}"));
    assert_false(may(monitor, f->db, find));
    assert_true(may(reader, f->db, find));
    assert_true(may(reader, f->state_db, find));
    assert_false(may(reader, f->db, update));
    assert_false(may(reader, f->state_db, insert));
}

/* The programs stand in for the tool: what is tested here is how tests run it. */
static tf_program *shell(tf_fixture *f, tf_program_options options, const char *script)
{
    const char *argv[] = {"-c", script, NULL};
    options.argv = argv;
    setenv("TOKENFIX", "/bin/sh", 1);
    tf_program *program = tf_program_exec(f, &options);
    unsetenv("TOKENFIX");
    return program;
}

static void program__output_status_and_json_are_read(void **state)
{
    tf_program *p = shell(
        *state, (tf_program_options){.input = "seven\n"},
        "read x; echo \"{\\\"a\\\": {\\\"b\\\": 7, \\\"t\\\": \\\"$x\\\", \\\"f\\\": true}}\"; echo no >&2; exit 3");
    assert_int_equal(p->status, 3);
    assert_false(p->timed_out);
    assert_int_equal(tf_program_number(p, "a.b"), 7);
    assert_string_equal(tf_program_text(p, "a.t"), "seven");
    assert_true(tf_program_flag(p, "a.f"));
    assert_false(tf_program_has(p, "a.c"));
    assert_string_equal(p->err, "no\n");
}

static void program__environment_is_the_fixtures(void **state)
{
    tf_fixture *f = *state;
    setenv("TOKENFIX_DB", "production", 1);
    static const char *const env[] = {"COLUMNS", "EXTRA=1", NULL};
    tf_program *p = shell(f, (tf_program_options){.env = env},
                          "echo \"$TOKENFIX_URI|$TOKENFIX_DB|$LC_ALL|$TERM|${COLUMNS-none}|$EXTRA\"");
    unsetenv("TOKENFIX_DB");
    char expected[700];
    snprintf(expected, sizeof expected, "%s||C.UTF-8|dumb|none|1\n", f->uri);
    assert_string_equal(p->out, expected);
}

static void program__that_hangs_is_killed(void **state)
{
    tf_program *p = shell(*state, (tf_program_options){.timeout_s = 1}, "echo began; exec sleep 100");
    assert_true(p->timed_out);
    assert_int_equal(p->status, 128 + 9);
    assert_string_equal(p->out, "began\n");
}

static void program__streams_can_be_merged(void **state)
{
    tf_program *p = shell(*state, (tf_program_options){.merge = true}, "echo 1; echo 2 >&2; echo 3");
    assert_string_equal(p->out, "1\n2\n3\n");
    assert_string_equal(p->err, "");
}

static void program__can_have_a_terminal(void **state)
{
    tf_program *p = shell(*state, (tf_program_options){.terminal = true, .input = "yes\n"},
                          "test -t 0 && test -t 1 && test -t 2 && read x && echo got $x && stty size");
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->out, "got yes\r\n24 80"));
}

static void program__is_watched_while_it_runs(void **state)
{
    const char *argv[] = {"-c", "echo ready >&2; read x; exit 4", NULL};
    const tf_program_options options = {.argv = argv, .terminal = true};
    setenv("TOKENFIX", "/bin/sh", 1);
    tf_program *p = tf_program_start(*state, &options);
    unsetenv("TOKENFIX");
    assert_true(tf_program_saw(p, "ready"));
    assert_int_not_equal(p->pid, 0);
    kill(p->pid, 9);
    tf_program_wait(p, 0);
    assert_int_equal(p->status, 128 + 9);
    assert_false(tf_program_saw(p, "never said"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(fixture__gives_an_empty_database),
        TF_FIXTURE_TEST(fixture__logins_may_what_their_kind_may),
        TF_FIXTURE_TEST(program__output_status_and_json_are_read),
        TF_FIXTURE_TEST(program__environment_is_the_fixtures),
        TF_FIXTURE_TEST(program__that_hangs_is_killed),
        TF_FIXTURE_TEST(program__streams_can_be_merged),
        TF_FIXTURE_TEST(program__can_have_a_terminal),
        TF_FIXTURE_TEST(program__is_watched_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
