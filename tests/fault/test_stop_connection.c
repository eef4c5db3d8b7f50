/*
 * A connection that is lost while a run works. Has a server of its own: failCommand is the server's, not a database's.
 */
#include "fault/stop.h"

static void fail_command(tf_fixture *f, const char *mode, const char *commands, const char *more)
{
    char text[768];
    bson_error_t error;
    snprintf(text, sizeof text, "{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": {\"failCommands\": [%s], \"appName\":"
             " \"tokenfix\"%s%s}}", mode, commands, *more ? ", " : "", more);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!command || !mongoc_client_command_simple(f->client, "admin", command, NULL, NULL, &error))
        fail_msg("%s: %s", text, error.message);
}

static void fail_nothing(tf_fixture *f)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *off = BCON_NEW("configureFailPoint", "failCommand", "mode", "off");
    if (!mongoc_client_command_simple(f->client, "admin", off, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* A command of the fourth batch fails as told; the program is stopped at `point` until that is arranged. */
static tf_program *up_failing_at(tf_fixture *f, bool journal, const char *point, const char *mode, const char *command, const char *how)
{
    char points[96];
    snprintf(points, sizeof points, "%s=stop@4", point);
    tf_program *p = fault_start(f, "up", points, stop_words_of(journal));
    wait_until_stopped(p);
    fail_command(f, mode, command, how);
    stop_go_on(p);
    fail_nothing(f);
    return p;
}

typedef struct trouble {
    const char *name;
    bool journal;
    const char *point, *mode, *command, *how;
    bool stops; /* with 7, and the resume completes; else it completes by itself */
} trouble;

#define CLOSE "\"closeConnection\": true"
#define TRANSIENT "\"errorCode\": 11600, \"errorLabels\": [\"TransientTransactionError\"]"

static const trouble troubles[] = {
    {"stop__connection_lost_once_in_an_insert_is_survived", false, "up.before_backup", "{\"times\": 1}", "\"insert\"", CLOSE, false},
    {"stop__connection_lost_once_in_an_update_is_survived", false, "up.after_backup", "{\"times\": 1}", "\"update\"", CLOSE, false},
    {"stop__connection_lost_once_in_a_commit_is_survived", false, "txn.before_commit", "{\"times\": 1}", "\"commitTransaction\"", CLOSE, false},
    {"stop__connection_lost_thrice_in_a_commit_is_survived", false, "txn.before_commit", "{\"times\": 3}", "\"commitTransaction\"", CLOSE, false},
    {"stop__connection_lost_twice_in_an_insert_stops", false, "up.before_backup", "{\"times\": 2}", "\"insert\"", CLOSE, true},
    {"stop__connection_lost_twice_in_an_update_stops", false, "up.after_backup", "{\"times\": 2}", "\"update\"", CLOSE, true},
    {"stop__connection_lost_once_in_a_journals_update_is_survived", true, "up.journal.after_backup", "{\"times\": 1}", "\"update\"", CLOSE, false},
    {"stop__connection_lost_twice_in_a_journals_update_stops", true, "up.journal.after_backup", "{\"times\": 2}", "\"update\"", CLOSE, true},
    {"stop__transient_error_once_is_survived", false, "up.after_backup", "{\"times\": 1}", "\"update\"", TRANSIENT, false},
    {"stop__transient_error_thrice_is_survived", false, "up.after_backup", "{\"times\": 3}", "\"update\"", TRANSIENT, false},
    {"stop__commit_that_does_not_reach_a_majority_is_sent_again", false, "txn.before_commit", "{\"times\": 2}", "\"commitTransaction\"",
     "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting for replication timed out\"}", false},
    {"stop__commit_whose_result_is_unknown_is_sent_again", false, "txn.before_commit", "{\"times\": 3}", "\"commitTransaction\"",
     "\"errorCode\": 50, \"errorLabels\": [\"UnknownTransactionCommitResult\"]", false},
};

static const trouble *current;

static void connection_fails(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    char how[256];
    fault_seed(f, &data);
    /* updates of the collection only: the heartbeat and the partitions update, too */
    bool update = strcmp(current->command, "\"update\"") == 0;
    snprintf(how, sizeof how, "%s%s%s%s", current->how, update ? ", \"namespace\": \"" : "", update ? f->db : "",
             update ? ".cashu_tokens\"" : "");
    tf_program *p = up_failing_at(f, current->journal, current->point, current->mode, current->command, how);
    if (current->stops) {
        stop_assert_interrupted(f, p, "up", 3);
        assert_has(tf_program_text(p, "error.hint"), "not sent a third time");
        stop_resume_up(f, &data);
        return;
    }
    assert_exit(p, 0);
    fault_assert_repaired(f, &data);
    fault_assert_proven(f);
}

/* A server that only pretends to be away tells nobody that it is back: the driver looks every half second, not every ten. */
static int setup(void **state)
{
    int failed = tf_fixture_setup(state);
    tf_fixture *f = *state;
    size_t length = strlen(f->uri);
    snprintf(f->uri + length, sizeof f->uri - length, "&heartbeatFrequencyMS=500");
    return failed;
}

static int setup_trouble(void **state)
{
    current = *state;
    return setup(state);
}

/* No transaction of a program that ended holds a partition: they can be written without waiting. */
static void assert_nothing_is_left_open(tf_fixture *f)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("update", "partitions", "updates", "[", "{", "q", "{", "}", "u", "{", "$set", "{", "probe", BCON_INT32(1), "}", "}",
                 "multi", BCON_BOOL(true), "}", "]", "maxTimeMS", BCON_INT32(5000));
    if (!mongoc_client_command_simple(f->client, f->state_db, command, NULL, NULL, &error))
        fail_msg("a transaction was left open: %s", error.message);
}

static int count_lines(const char *path, const char *line)
{
    char text[128];
    int count = 0;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = '\0';
        count += strcmp(text, line) == 0;
    }
    fclose(file);
    return count;
}

static void stop__what_never_succeeds_ends_within_its_budget(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    char how[256], log[512], log_text[600];
    char *folder = tf_folder_make();
    fault_seed(f, &data);
    snprintf(log, sizeof log, "%s/passed", folder);
    snprintf(log_text, sizeof log_text, "TOKENFIX_FAILPOINT_LOG=%s", log);
    const char *const env[] = {log_text, "TOKENFIX_FAILPOINT=up.before_advance=stop@4", "TOKENFIX_TXN_BUDGET_MS=5000", NULL};
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--workers", "1", "--batch-size", "2", NULL};
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv, .env = env});
    wait_until_stopped(p);
    snprintf(how, sizeof how, TRANSIENT ", \"namespace\": \"%s.cashu_tokens\"", f->db);
    fail_command(f, "\"alwaysOn\"", "\"update\"", how);
    stop_go_on(p);
    fail_nothing(f);
    stop_assert_interrupted(f, p, "up", 3);
    int attempts = count_lines(log, "up.before_advance") - 3;
    assert_true(attempts >= 2 && attempts <= 500);
    tf_folder_remove(folder);
    assert_nothing_is_left_open(f);
    stop_resume_up(f, &data);
}

/* A rollback meets the same: it stops, and says neither 6 nor 8. */
static void stop__rollback_that_loses_its_connection_is_resumed(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    char how[256];
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, stop_by_two), 0);
    tf_program *p = fault_start(f, "down", "down.after_backup=stop@4", stop_by_two);
    wait_until_stopped(p);
    snprintf(how, sizeof how, CLOSE ", \"namespace\": \"%s.cashu_tokens\"", f->db);
    fail_command(f, "{\"times\": 2}", "\"update\"", how);
    stop_go_on(p);
    fail_nothing(f);
    stop_assert_interrupted(f, p, "down", 3);
    assert_exit(fault_exec(f, "down", NULL, fault_words("--resume")), 0);
    fault_assert_untouched(f, &data);
    fault_assert_proven(f);
}

/* How often the failpoint has been met so far. */
static int64_t failed_so_far(tf_fixture *f)
{
    _cleanup_(bson_destroyp) bson_t *off = BCON_NEW("configureFailPoint", "failCommand", "mode", "off");
    _cleanup_bson_ bson_t reply;
    bson_error_t error;
    bson_iter_t iter;
    if (!mongoc_client_command_simple(f->client, "admin", off, NULL, &reply, &error) || !bson_iter_init_find(&iter, &reply, "count"))
        fail_msg("%s", error.message);
    return bson_iter_as_int64(&iter);
}

/* The server keeps the answer for ten minutes: who presses Ctrl-C three times does not wait for it. */
static void stop__third_interrupt_does_not_wait_for_the_server(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    bson_error_t error;
    fault_seed(f, &data);
    tf_program *p = fault_start(f, "up", "up.before_backup=stop@4", stop_by_two);
    wait_until_stopped(p);
    int64_t before = failed_so_far(f);
    fail_command(f, "{\"times\": 1}", "\"insert\"", "\"blockConnection\": true, \"blockTimeMS\": 600000");
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    _cleanup_(bson_destroyp) bson_t *entered = BCON_NEW("waitForFailPoint", "failCommand", "timesEntered", BCON_INT64(before + 1),
                                                        "maxTimeMS", BCON_INT64(60000));
    if (!mongoc_client_command_simple(f->client, "admin", entered, NULL, NULL, &error))
        fail_msg("%s", error.message);
    const int three[] = {SIGINT, SIGTERM, SIGHUP}; /* two of a kind at the same moment are one */
    for (int i = 0; i < 3; i++)
        assert_int_equal(kill(p->pid, three[i]), 0);
    tf_program_wait(p, 120);
    assert_int_equal(p->status, 7);
    assert_has(p->err, "tokenfix status");
    stop_resume_up(f, &data); /* ends what the server still holds back for it */
    fail_nothing(f);
}

/* Before there is a run: a failover while the state database is made. */
static void stop__failover_while_the_state_database_is_made_is_survived(void **state)
{
    static const struct {
        const char *command, *how;
    } rows[] = {{"\"create\"", CLOSE},
                {"\"create\"", "\"errorCode\": 11602"},
                {"\"createIndexes\"", CLOSE},
                {"\"createIndexes\"", "\"writeConcernError\": {\"code\": 11602, \"errmsg\": \"operation was interrupted\"}"}};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FAULT_DATA_CLEANUP fault_data data;
        fault_clear(f);
        fault_seed(f, &data);
        int64_t before = failed_so_far(f);
        fail_command(f, "{\"times\": 2}", rows[i].command, rows[i].how);
        tf_program *p = fault_exec(f, "up", NULL, stop_by_two);
        assert_true(failed_so_far(f) >= before + 2);
        assert_exit(p, 0);
        fault_assert_repaired(f, &data);
    }
}

#define STOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tf_fixture_teardown)

int main(void)
{
    enum { TROUBLES = sizeof troubles / sizeof *troubles };
    const struct CMUnitTest plain[] = {
        STOP_TEST(stop__what_never_succeeds_ends_within_its_budget),
        STOP_TEST(stop__rollback_that_loses_its_connection_is_resumed),
        STOP_TEST(stop__third_interrupt_does_not_wait_for_the_server),
        STOP_TEST(stop__failover_while_the_state_database_is_made_is_survived),
    };
    struct CMUnitTest tests[sizeof plain / sizeof *plain + TROUBLES];
    size_t count = sizeof plain / sizeof *plain;
    const char *only = getenv("TF_FAULT_ONLY");
    char name[64];
    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < TROUBLES; i++)
        tests[count++] = (struct CMUnitTest){troubles[i].name, connection_fails, setup_trouble, tf_fixture_teardown,
                                             (void *)(uintptr_t)&troubles[i]};
    snprintf(name, sizeof name, "fault-stop-%d", (int)getpid());
    setenv("TF_TEST_SANDBOX", name, 1);
    fault_workers = 1; /* batches are counted; integration.workers has several */
    if (only)
        cmocka_set_test_filter(only);
    return _cmocka_run_group_tests("stop_connection", tests, count, NULL, NULL);
}
