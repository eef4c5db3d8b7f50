/*
 * The daemon and its server: 60 s with a restart in the middle, an aggregation that does not come back, rounds that take too
 * long. Has a server of its own.
 */
#include "fault/fault.h"
#include "support/alerts.h"

#include "base/clock.h"

#include <signal.h>

TF_CLEANUP(http_server *, http_stop)

enum { WITHIN_MS = 5000, LEEWAY_MS = 3000 /* of a machine that is busy with other tests, and of the sanitizers */ };

static tf_sandbox sandbox;

static int setup(void **state)
{
    tf_fixture_own_setup(state);
    tf_fixture_own_server(*state, (tf_sandbox_options){.nodes = 1}, &sandbox);
    tf_tokens_fill(*state, 3);
    alerts_make_indexes(*state);
    return 0;
}

static void admin(tf_fixture *f, const char *json)
{
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    bson_error_t error;
    if (!mongoc_client_command_simple(f->client, "admin", command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* Aggregations of ours take so long from now on; 0: as long as they take. */
static void slow_down(tf_fixture *f, int ms)
{
    char json[300];
    if (ms)
        snprintf(json, sizeof json,
                 "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": [\"aggregate\"],"
                 " \"appName\": \"tokenfix\", \"blockConnection\": true, \"blockTimeMS\": %d}}",
                 ms);
    else
        snprintf(json, sizeof json, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}");
    admin(f, json);
}

static tf_program *begin(tf_fixture *f, http_server *server, const char *const *argv)
{
    char hook[160];
    snprintf(hook, sizeof hook, "TOKENFIX_WEBHOOK=%s", server ? http_url(server) : "");
    return tf_program_start(f, &(tf_program_options){.argv = argv, .env = (const char *const[]){hook, NULL}, .merge = true});
}

static void expect(tf_program *p, const char *text)
{
    if (!tf_program_saw(p, text))
        fail_msg("never said '%s': %s", text, p->out);
}

static int64_t end(tf_program *p)
{
    int64_t begun = tf_clock_ms();
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    return tf_clock_ms() - begun;
}

/* Whether the webhook was told this, in any order. */
static bool was_told(http_server *server, const char *alert, const char *event, const char *part)
{
    for (size_t i = 0; i < http_count(server); i++) {
        const char *body = http_request_at(server, i)->body;
        char a[96], e[96];
        snprintf(a, sizeof a, "\"alert\": \"%s\"", alert);
        snprintf(e, sizeof e, "\"event\": \"%s\"", event);
        if (strstr(body, a) && strstr(body, e) && strstr(body, part))
            return true;
    }
    return false;
}

static void wait_until_told(http_server *server, const char *alert, const char *event, const char *part)
{
    for (int n = 0; n < 1200; n++) {
        if (was_told(server, alert, event, part))
            return;
        usleep(50000);
    }
    fail_msg("never told: %s %s %s", alert, event, part);
}

static void daemon__survives_a_restart_of_the_server_in_its_60_seconds(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox_stopped stopped;
    tf_error err = {0};
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    int64_t begun = tf_clock_ms();
    tf_program *p = begin(f, server, (const char *const[]){"audit", "--every", "1s", "--check", "melted_unspent", "--timeout", "2", NULL});
    wait_until_told(server, "melted_unspent", "raised", "\"count\": 3");
    while (tf_clock_ms() - begun < 20000)
        usleep(100000);
    assert_true(tf_sandbox_stop("own", false, &stopped, &err));
    wait_until_told(server, "system_degraded", "raised", "\"part\": \"connection\"");
    while (tf_clock_ms() - begun < 30000)
        usleep(100000);
    if (!tf_sandbox_start(&(tf_sandbox_options){.name = "own"}, &sandbox, &err))
        fail_msg("%s", err.message);
    wait_until_told(server, "system_degraded", "resolved", "\"part\": \"connection\"");
    while (tf_clock_ms() - begun < 60000)
        usleep(100000);
    assert_false(was_told(server, "melted_unspent", "resolved", "")); /* a server that is gone resolves nothing */
    tf_tokens_delete(f, "{\"status\": \"unspent\"}");
    wait_until_told(server, "melted_unspent", "resolved", "");
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
    assert_has(p->out, "degraded: connection: ");
    size_t raised = 0;
    for (size_t i = 0; i < http_count(server); i++)
        raised += strstr(http_request_at(server, i)->body, "\"alert\": \"melted_unspent\"") != NULL;
    assert_int_equal(raised, 2); /* raised once, resolved once, in all these rounds */
}

static void daemon__begins_before_its_server_is_there(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox_stopped stopped;
    tf_error err = {0};
    assert_true(tf_sandbox_stop("own", false, &stopped, &err));
    tf_program *p = begin(f, NULL, (const char *const[]){"audit", "--every", "200ms", "--check", "melted_unspent", "--timeout", "1", NULL});
    expect(p, "degraded: connection: ");
    if (!tf_sandbox_start(&(tf_sandbox_options){.name = "own"}, &sandbox, &err))
        fail_msg("%s", err.message);
    expect(p, "melted_unspent 3 (medium)");
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
}

static int64_t operations(tf_fixture *f)
{
    bson_t reply;
    bson_iter_t iter, at;
    int64_t n = 0;
    _cleanup_(bson_destroyp) bson_t *ask =
        BCON_NEW("currentOp", BCON_INT32(1), "command.comment", "{", "$regex", BCON_UTF8("^tokenfix/audit/"), "}");
    if (mongoc_client_command_simple(f->client, "admin", ask, NULL, &reply, NULL) && bson_iter_init_find(&iter, &reply, "inprog") &&
        bson_iter_recurse(&iter, &at))
        while (bson_iter_next(&at))
            n++;
    bson_destroy(&reply);
    return n;
}

static void daemon__ends_in_the_middle_of_an_aggregation(void **state)
{
    tf_fixture *f = *state;
    slow_down(f, 120000);
    tf_program *p = begin(f, NULL, (const char *const[]){"audit", "--every", "1h", "--check", "melted_unspent", NULL});
    for (int n = 0; n < 600 && operations(f) == 0; n++)
        usleep(50000);
    assert_true(operations(f) > 0);
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
    for (int n = 0; n < 600 && operations(f) > 0; n++)
        usleep(50000);
    assert_int_equal(operations(f), 0); /* it does not outlive us */
    slow_down(f, 0);
}

static void rounds__that_are_late_are_skipped_and_never_overlap(void **state)
{
    tf_fixture *f = *state;
    slow_down(f, 700);
    tf_program *p = begin(f, NULL, (const char *const[]){"audit", "--every", "200ms", "--rounds", "3", "--check", "melted_unspent", NULL});
    tf_program_wait(p, 60);
    slow_down(f, 0);
    assert_exit(p, 0);
    assert_int_equal(alerts_lines(p->out), 3);
    assert_has(p->out, " rounds skipped\n");
}

static void break_down(tf_fixture *f, const char *command, const char *how)
{
    char json[400];
    snprintf(json, sizeof json, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"alwaysOn\", \"data\": {\"failCommands\": [\"%s\"],"
             " \"appName\": \"tokenfix\", %s}}", command, how);
    admin(f, json);
}

/* The write that keeps a round never comes back: the next round does, and so does the end. */
static void rounds__go_on_where_keeping_hangs(void **state)
{
    tf_fixture *f = *state;
    break_down(f, "insert", "\"blockConnection\": true, \"blockTimeMS\": 120000");
    tf_program *p = begin(f, NULL, (const char *const[]){"audit", "--every", "100ms", "--check", "melted_unspent", NULL});
    expect(p, "findings: ");
    expect(p, "nothing is kept of the rounds: "); /* after 15 s */
    expect(p, "findings: ");
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
    slow_down(f, 0);
}

/* An audit that fails though the server answers: what is open is kept, and not raised again by the next process. */
static void rounds__that_could_not_audit_keep_their_alerts(void **state)
{
    tf_fixture *f = *state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    break_down(f, "aggregate", "\"errorCode\": 2");
    for (int n = 0; n < 2; n++) {
        tf_program *p = begin(f, server, (const char *const[]){"audit", "--every", "1h", "--rounds", "1", "--check", "melted_unspent", NULL});
        tf_program_wait(p, 60);
        assert_exit(p, 0);
        assert_has(p->out, "failed: not audited: ");
    }
    slow_down(f, 0);
    assert_int_equal(http_count(server), 1);
    alerts_expect(server, 0, "system_degraded", "raised", "high");
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"failed.code\": {\"$exists\": true}, \"alerts.0.id\": \"system/audit\"}"), 2);
    tf_program *p = tf_program_run(f, "audit", "--diff", "--json", "--check", "melted_unspent", NULL); /* it compares with nothing of the kind */
    assert_exit(p, 3);
    assert_false(tf_program_has(p, "data.diff.since.audit"));
    p = begin(f, server, (const char *const[]){"audit", "--every", "1h", "--rounds", "1", "--check", "melted_unspent", NULL});
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    wait_until_told(server, "system_degraded", "resolved", "system/audit");
}

static void executions__that_take_long_are_told_while_they_do(void **state)
{
    tf_fixture *f = *state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    slow_down(f, 20000);
    tf_program *p = begin(f, server, (const char *const[]){"audit", "--every", "1h", "--check", "melted_unspent", "--alert-slow", "300ms",
                                                           "--alert-stuck", "2s", NULL});
    alerts_expect(server, 0, "execution_slow", "raised", "medium");
    alerts_expect(server, 1, "execution_slow", "raised", "high");
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
    slow_down(f, 0);
}

static void runs__under_way_and_completed_are_watched(void **state)
{
    tf_fixture *f = *state;
    _cleanup_(http_stopp) http_server *server = http_serve(HTTP_OK);
    tf_program *p = begin(f, server, (const char *const[]){"audit", "--every", "200ms", "--check", "melted_unspent", "--alert-level", "low",
                                                           "--alert-slow", "500ms", "--alert-stuck", "0", NULL});
    wait_until_told(server, "melted_unspent", "raised", "");
    tf_program *up = tf_program_start(
        f, &(tf_program_options){.argv = (const char *const[]){"up", "--confirm", "--yes", "--max-lag", "0", NULL},
                                 .env = (const char *const[]){"TOKENFIX_FAILPOINT=up.after_write=sleep:4000", NULL}});
    wait_until_told(server, "execution_slow", "raised", "has been under way for");
    tf_program_wait(up, 60);
    assert_exit(up, 0);
    wait_until_told(server, "execution_slow", "resolved", "has been under way for");
    wait_until_told(server, "run_completed", "raised", "\"severity\": \"low\"");
    wait_until_told(server, "melted_unspent", "resolved", "");
    wait_until_told(server, "healthy", "raised", "all is well");
    assert_true(end(p) < WITHIN_MS + LEEWAY_MS);
    assert_false(was_told(server, "run_completed", "resolved", ""));
}

#define OWN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tf_fixture_own_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OWN_TEST(daemon__survives_a_restart_of_the_server_in_its_60_seconds),
        OWN_TEST(daemon__begins_before_its_server_is_there),
        OWN_TEST(daemon__ends_in_the_middle_of_an_aggregation),
        OWN_TEST(rounds__that_are_late_are_skipped_and_never_overlap),
        OWN_TEST(rounds__go_on_where_keeping_hangs),
        OWN_TEST(rounds__that_could_not_audit_keep_their_alerts),
        OWN_TEST(executions__that_take_long_are_told_while_they_do),
        OWN_TEST(runs__under_way_and_completed_are_watched),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
