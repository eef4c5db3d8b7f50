/* Three nodes, of which some stop applying what they get: the run waits for them, and says so. */
#include "fault/fault.h"
#include "support/pauses.h"

static tf_sandbox sandbox;

static int setup(void **state)
{
    if (tf_fixture_own_setup(state))
        return -1;
    tf_fixture_own_server(*state, (tf_sandbox_options){.nodes = 3}, &sandbox);
    return 0;
}

static mongoc_client_t *connect_to(unsigned node)
{
    char uri[128];
    bson_error_t error;
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true", sandbox.node[node].port);
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *parsed = mongoc_uri_new_with_error(uri, &error);
    mongoc_client_t *client = mongoc_client_new_from_uri(parsed);
    assert_non_null(client);
    return client;
}

static bool is_secondary(mongoc_client_t *client)
{
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    bson_t reply;
    bson_iter_t iter;
    bson_error_t error;
    if (!mongoc_client_command_simple(client, "admin", hello, NULL, &reply, &error))
        fail_msg("hello: %s", error.message);
    bool secondary = bson_iter_init_find(&iter, &reply, "secondary") && bson_iter_as_bool(&iter);
    bson_destroy(&reply);
    return secondary;
}

/* Lets `wanted` secondaries stop, or all go on. Returns the port of the last one that stopped. */
static int stop_applying(unsigned wanted)
{
    int port = 0;
    for (unsigned i = 0, stopped = 0; i < 3; i++) {
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_to(i);
        if (!is_secondary(client))
            continue;
        bool stop = stopped++ < wanted;
        bson_error_t error;
        _cleanup_(bson_destroyp) bson_t *command =
            BCON_NEW("configureFailPoint", "rsSyncApplyStop", "mode", BCON_UTF8(stop ? "alwaysOn" : "off"));
        if (!mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
            fail_msg("rsSyncApplyStop: %s", error.message);
        port = stop ? sandbox.node[i].port : port;
    }
    return port;
}

/* What the application writes; it waits for nobody. */
static bool try_to_write(tf_fixture *f)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json(
        (const uint8_t *)"{\"insert\": \"others\", \"documents\": [{\"a\": 1}], \"writeConcern\": {\"w\": 1}}", -1, &error);
    return mongoc_client_command_simple(f->client, f->db, command, NULL, NULL, &error);
}

/* Writes until that many secondaries are more than three seconds behind. */
static void wait_until_behind(tf_fixture *f, unsigned wanted)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("replSetGetStatus", BCON_INT32(1));
    for (int n = 0; n < 300; n++, usleep(100000)) {
        bson_t reply;
        bson_error_t error;
        unsigned behind = 0;
        int64_t newest = 0;
        assert_true(try_to_write(f));
        if (!mongoc_client_command_simple(f->client, "admin", command, NULL, &reply, &error))
            fail_msg("replSetGetStatus: %s", error.message);
        for (int pass = 0; pass < 2; pass++)
            for (unsigned i = 0; i < 3; i++) {
                char path[64];
                snprintf(path, sizeof path, "members.%u.optimeDate", i);
                int64_t at = fault_number(&reply, path);
                behind += pass && newest - at > 3000;
                newest = at > newest ? at : newest;
            }
        bson_destroy(&reply);
        if (behind >= wanted)
            return;
    }
    fail_msg("the members do not fall behind");
}

static tf_program *start(tf_fixture *f, const char *strategy, const char *file)
{
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--batch-size", "5", "--strategy", strategy, "--pause-file", file, NULL};
    return tf_program_start(f, &(tf_program_options){.argv = argv});
}

/* The run waits behind its pause file until the members have been stopped, then that reason takes over. */
static void lags(tf_fixture *f, const char *strategy, unsigned members, const char *reason)
{
    TF_PAUSES_FILE file;
    char text[128];
    tf_pauses_file_make(&file);
    tf_tokens_sample(f, 30);
    tf_program *up = start(f, strategy, file.path);
    tf_pauses_wait_for(f, "{\"state\": \"paused\", \"pause.reason\": \"pause_file\"}");
    int port = stop_applying(members);
    wait_until_behind(f, members);
    unlink(file.path);
    snprintf(text, sizeof text, "paused: member 127.0.0.1:%d is", port);
    if (members > 1)
        snprintf(text, sizeof text, "paused: the majority is");
    bool saw = tf_program_saw(up, text);
    int64_t batches = tf_batches(f);
    stop_applying(0);
    if (!saw) {
        tf_program_wait(up, 60);
        fail_msg("not said: %s\n%s\n%s", text, up->err, up->out);
    }
    assert_int_equal(batches, 0);
    tf_program_wait(up, 120);
    assert_exit(up, 0);
    assert_has(up->out, reason);
    assert_int_equal(tf_tokens_wrong(f), 0);
    fault_assert_proven(f);
}

static void lag__of_a_member_is_waited_for_and_named(void **state)
{
    lags(*state, "transaction", 1, "\"member_lag\"");
}

static void lag__of_the_majority_is_waited_for(void **state)
{
    lags(*state, "journal", 2, "\"majority_lag\"");
}

/* ---- the connection ---- */

static void fail_watch(tf_fixture *f, const char *mode)
{
    char text[256];
    bson_error_t error;
    snprintf(text, sizeof text, "{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": {\"failCommands\": [\"find\", \"update\"],"
             " \"appName\": \"tokenfix-watch\", \"closeConnection\": true}}", mode);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!mongoc_client_command_simple(f->client, "admin", command, NULL, NULL, &error))
        fail_msg("%s: %s", text, error.message);
}

static void lag__pause_outlives_the_connection_and_a_failover(void **state)
{
    tf_fixture *f = *state;
    bson_error_t error;
    TF_PAUSES_FILE file;
    tf_pauses_file_make(&file);
    tf_tokens_sample(f, 60);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--batch-size", "5", "--nice", "1000", "--pause-file", file.path, NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv});
    tf_pauses_wait_for(f, "{\"state\": \"paused\"}");
    assert_exit(tf_program_run(f, "pause", NULL), 0);
    fail_watch(f, "\"alwaysOn\"");
    unlink(file.path);
    tf_program *p = tf_program_run(f, "continue", "--wait", "2", "--json", NULL);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NO_ANSWER");
    assert_int_equal(tf_batches(f), 0); /* what it was told last holds */
    fail_watch(f, "\"off\"");
    for (int n = 0; n < 1200 && tf_batches(f) == 0; n++) /* the request stood */
        usleep(50000);
    assert_exit(tf_program_run(f, "pause", NULL), 0);
    int64_t batches = tf_batches(f);
    assert_true(batches > 0 && batches < 12);
    _cleanup_(bson_destroyp) bson_t *down = BCON_NEW("replSetStepDown", BCON_INT32(10), "force", BCON_BOOL(true));
    mongoc_client_command_simple(f->client, "admin", down, NULL, NULL, &error); /* may lose its own connection */
    for (int n = 0; n < 600 && !try_to_write(f); n++)
        usleep(50000);
    p = tf_program_run(f, "status", "--json", NULL);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.runs.0.pause.reason"), "request");
    assert_int_equal(tf_batches(f), batches);
    assert_exit(tf_program_run(f, "cancel", NULL), 0);
    tf_program_wait(up, 60);
    assert_exit(up, 1);
    assert_int_equal(tf_batches(f), batches);
}

#define LAG_TEST(t) cmocka_unit_test_setup_teardown(t, setup, tf_fixture_own_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAG_TEST(lag__of_a_member_is_waited_for_and_named),
        LAG_TEST(lag__of_the_majority_is_waited_for),
        LAG_TEST(lag__pause_outlives_the_connection_and_a_failover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
