/* `tokenfix validate` of servers of its own: standalone, three members, some of them behind, hanging or a secondary. */
#include "support/checks.h"

#include "db/client.h"

#include <unistd.h>

static void own_server(tf_fixture *f, tf_sandbox_options options, tf_sandbox *sandbox)
{
    tf_fixture_own_server(f, options, sandbox);
    tf_checks_fill(f);
}

static void validate__of_a_standalone_server_passes_for_the_journal_only(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    own_server(f, (tf_sandbox_options){.standalone = true}, &sandbox);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "UNSUPPORTED");
    tf_check_expect(p, "topology", "failed", "standalone");
    assert_non_null(strstr(tf_check_of(p, "topology").hint, "--strategy journal"));
    p = tf_program_run(f, "validate", "--json", "--strategy", "journal", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "topology", "warning", "standalone");
    tf_check_expect(p, "privileges", "ok", "access control is off");
    tf_check_expect(p, "lag", "ok", "no other members");
    tf_check_expect(p, "clock", "ok", "this machine and the server");
}

/* Whichever member answers first: it is the primary that is asked. */
static void expect_primary(const tf_fixture *f)
{
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(f->uri);
    for (int i = 0; i < 50; i++) {
        tf_client client = {0};
        tf_error err = {0};
        if (!tf_client_open(uri, f->db, "wallet_tokenfix", 5000, 0, &client, &err))
            fail_msg("%s", err.message);
        assert_true(client.facts.writable);
        tf_client_close(&client);
    }
}

static void validate__of_three_members_sees_them_and_refuses_a_secondary(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "topology", "ok", "3 members");
    expect_primary(f);
    tf_check_expect(p, "lag", "ok", "2 secondaries");
    tf_check_expect(p, "clock", "ok", "and 3 members agree");
    bool refused = false;
    for (unsigned i = 0; i < sandbox.nodes && !refused; i++) {
        char uri[128];
        snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?directConnection=true", sandbox.node[i].port);
        p = tf_checks_run(f, uri);
        if (p->status == 0)
            continue; /* the primary */
        refused = true;
        assert_int_equal(p->status, 8);
        tf_check_expect(p, "topology", "failed", "not the primary");
        tf_check_expect(p, "collections", "ok", "all that is required");
        assert_string_equal(tf_program_text(p, "error.code"), "NOT_WRITABLE");
    }
    assert_true(refused);
}

/* The ports of the secondaries. */
static unsigned secondaries(const tf_fixture *f, const tf_sandbox *sandbox, unsigned nodes[static TF_SANDBOX_NODES])
{
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    bson_error_t error;
    bson_t reply;
    bson_iter_t iter;
    unsigned count = 0;
    assert_true(mongoc_client_command_simple(f->client, "admin", hello, NULL, &reply, &error));
    assert_true(bson_iter_init_find(&iter, &reply, "me"));
    int primary = atoi(strchr(bson_iter_utf8(&iter, NULL), ':') + 1);
    bson_destroy(&reply);
    for (unsigned i = 0; i < sandbox->nodes; i++)
        if (sandbox->node[i].port != primary)
            nodes[count++] = i;
    return count;
}

/* A member that stays up but no longer fetches what it shall replicate. */
static void stop_replicating(const tf_sandbox *sandbox, unsigned node)
{
    char uri[128];
    bson_error_t error;
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true", sandbox->node[node].port);
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("configureFailPoint", "stopReplProducer", "mode", "alwaysOn");
    if (!mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static void write_something(tf_fixture *f)
{
    bson_destroy(tf_fixture_command(f, "{\"insert\": \"things\", \"documents\": [{}], \"writeConcern\": {\"w\": 1}}"));
}

/* On a loaded machine the others may be behind for a moment, too, which is said first. */
static void expect_lag(tf_fixture *f, const char *message)
{
    for (int left = 20;; left--) {
        tf_program *p = tf_program_run(f, "validate", "--json", NULL);
        assert_int_equal(p->status, 0);
        if (left == 0 || strstr(tf_check_of(p, "lag").message, message)) {
            tf_check_expect(p, "lag", "warning", message);
            return;
        }
        write_something(f);
        usleep(600000);
    }
}

static void validate__of_members_that_are_behind_warns(void **state)
{
    static const char *const parameters[] = {"enableTestCommands=1", NULL};
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    unsigned nodes[TF_SANDBOX_NODES];
    own_server(f, (tf_sandbox_options){.nodes = 3, .parameters = parameters}, &sandbox);
    assert_int_equal(secondaries(f, &sandbox, nodes), 2);
    stop_replicating(&sandbox, nodes[0]);
    for (int i = 0; i < 8; i++) {
        write_something(f);
        usleep(600000);
    }
    expect_lag(f, "s behind the primary");
    stop_replicating(&sandbox, nodes[1]);
    for (int i = 0; i < 8; i++) {
        write_something(f);
        usleep(200000);
    }
    expect_lag(f, "the majority has not followed");
}

static void validate__does_not_hang_with_a_member(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    unsigned nodes[TF_SANDBOX_NODES];
    own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    assert_int_equal(secondaries(f, &sandbox, nodes), 2);
    kill((pid_t)sandbox.node[nodes[0]].process.pid, SIGSTOP);
    const char *const argv[] = {"validate", "--json", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .timeout_s = 30});
    kill((pid_t)sandbox.node[nodes[0]].process.pid, SIGCONT);
    assert_false(p->timed_out);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "clock", "ok", "2 members agree");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_OWN_TEST(validate__of_a_standalone_server_passes_for_the_journal_only),
        TF_FIXTURE_OWN_TEST(validate__of_three_members_sees_them_and_refuses_a_secondary),
        TF_FIXTURE_OWN_TEST(validate__of_members_that_are_behind_warns),
        TF_FIXTURE_OWN_TEST(validate__does_not_hang_with_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
