/*
 * The server answers one command with an error: 8 commands × 12 errors × {once, three times, always}, in runs of both
 * directions and strategies, from their start, from the middle, from their end. Whatever the program makes of it, it ends within
 * its budget after a bounded number of attempts, the server is up, and who goes on finds nothing lost and nothing done twice.
 * Has a server of its own: failCommand is the server's, not a database's.
 */
#include "fault/fault.h"

#include "base/clock.h"

#include <signal.h>

enum { COMMANDS = 8, ERRORS = 12, MODES = 3, ROWS = COMMANDS * ERRORS * MODES, STEP = 97, TOKENS = 60, MANY = 5300, MOST_ATTEMPTS = 200 };
enum { BUDGET_MS = 2000, PATIENCE_S = 120 };

static const char *const commands[COMMANDS] = {"find",   "aggregate",         "getMore",          "insert",
                                               "update", "commitTransaction", "abortTransaction", "killSessions"};

static const struct {
    const char *name, *how;
} errors[ERRORS] = {
    {"WriteConflict, transient", "\"errorCode\": 112, \"errorLabels\": [\"TransientTransactionError\"]"},
    {"NoSuchTransaction, transient", "\"errorCode\": 251, \"errorLabels\": [\"TransientTransactionError\"]"},
    {"InterruptedAtShutdown, retryable", "\"errorCode\": 11600, \"errorLabels\": [\"RetryableWriteError\"]"},
    {"ShutdownInProgress", "\"errorCode\": 91"},
    {"NotWritablePrimary", "\"errorCode\": 10107"},
    {"PrimarySteppedDown, retryable", "\"errorCode\": 189, \"errorLabels\": [\"RetryableWriteError\"]"},
    {"the connection is closed", "\"closeConnection\": true"},
    {"MaxTimeMSExpired", "\"errorCode\": 50"},
    {"no majority in time", "\"writeConcernError\": {\"code\": 64, \"errmsg\": \"waiting for replication timed out\"}"},
    {"Unauthorized", "\"errorCode\": 13"},
    {"CursorNotFound", "\"errorCode\": 43"},
    {"an error that nobody knows", "\"errorCode\": 8000"},
};

/* Commands and errors that the table tells apart. */
enum { GET_MORE = 2, ABORT = 6, KILL = 7, FIRST_FAILOVER = 2, LAST_FAILOVER = 6, NO_MAJORITY = 8 };

static const char *const modes[MODES] = {"{\"times\": 1}", "{\"times\": 3}", "\"alwaysOn\""};

typedef enum { FROM_START, FROM_MIDDLE, FROM_END } phase;

typedef struct failure {
    const char *command, *how;
    int command_at, error_at, mode;
    bool journal, down;
    phase phase;
} failure;

static bson_t *admin(tf_fixture *f, const char *text)
{
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)text, -1, NULL);
    bson_error_t error;
    bson_t reply;
    if (!mongoc_client_command_simple(f->client, "admin", command, NULL, &reply, &error))
        fail_msg("%s", error.message);
    bson_t *out = bson_copy(&reply);
    bson_destroy(&reply);
    return out;
}

/* Switches the failpoint; how often it came into effect since the last time. */
static int64_t fail_command(tf_fixture *f, const failure *what)
{
    static int64_t before; /* the server counts on */
    char text[512];
    if (what)
        snprintf(text, sizeof text,
                 "{\"configureFailPoint\": \"failCommand\", \"mode\": %s, \"data\": {\"failCommands\": [\"%s\"], \"appName\": \"tokenfix\", %s}}",
                 modes[what->mode], what->command, what->how);
    else
        snprintf(text, sizeof text, "{\"configureFailPoint\": \"failCommand\", \"mode\": \"off\"}");
    _cleanup_(bson_destroyp) bson_t *reply = admin(f, text);
    int64_t count = fault_number(reply, "count"), hits = count - before;
    before = count;
    return hits;
}

static tf_program *start(tf_fixture *f, const failure *what, const char *points, const char *const *more)
{
    const char *argv[16] = {what->down ? "down" : "up", "--confirm", "--yes", "--json"};
    size_t n = 4;
    for (; more && *more; more++)
        argv[n++] = *more;
    char text[160], budget[64], workers[16];
    if (fault_workers) {
        snprintf(workers, sizeof workers, "%d", fault_workers);
        argv[n++] = "--workers";
        argv[n++] = workers;
    }
    snprintf(text, sizeof text, "TOKENFIX_FAILPOINT=%s", points);
    snprintf(budget, sizeof budget, "TOKENFIX_TXN_BUDGET_MS=%d", BUDGET_MS);
    const char *const env[] = {text, budget, NULL};
    return tf_program_start(f, &(tf_program_options){.argv = argv, .env = env});
}

static const char *const *words(const failure *what)
{
    static const char *list[5];
    list[0] = "--batch-size";
    list[1] = what->command_at == GET_MORE ? "1000" : "2"; /* 2,120 defects, and the cursor that finds them brings 2,000 at first */
    list[2] = "--strategy";
    list[3] = what->journal ? "journal" : "transaction";
    return list;
}

static const char *batch_point(const failure *what, const char *name, const char *action, char text[static 96])
{
    snprintf(text, 96, "%s.%s%s=%s", what->down ? "down" : "up", what->journal ? "journal." : "", name, action);
    return text;
}

/* The failure is armed before the program begins, or while it stands still at a point of its way. */
static tf_program *start_and_arm(tf_fixture *f, const failure *what)
{
    char point[96], both[96];
    if (what->command_at == KILL) { /* what a take-over sends */
        tf_program *dead = start(f, what, batch_point(what, "after_write", "kill@2", point), words(what));
        tf_program_wait(dead, PATIENCE_S);
        assert_exit(dead, 128 + SIGKILL);
        fail_command(f, what);
        return start(f, what, "", fault_words("--resume"));
    }
    if (what->phase == FROM_START) {
        fail_command(f, what);
        return start(f, what, "", words(what));
    }
    if (what->command_at == ABORT) { /* sent when a second interrupt drops the batch */
        batch_point(what, "before_backup", "stop@2", both);
    } else if (what->phase == FROM_END)
        snprintf(both, sizeof both, "finish.before_verifying=stop");
    else
        batch_point(what, what->journal ? "before_intent" : "before_advance", "stop@2", both);
    tf_program *p = start(f, what, both, words(what));
    wait_until_stopped(p);
    fail_command(f, what);
    if (what->command_at == ABORT) {
        assert_int_equal(kill(p->pid, SIGINT), 0);
        assert_int_equal(kill(p->pid, SIGTERM), 0); /* another signal: two of a kind would be one */
    }
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    return p;
}

/* It says what happened and what to do; nothing else is an end. */
static void assert_told(const tf_program *p)
{
    assert_false(p->timed_out);
    if (p->status == 0)
        return;
    static const int known[] = {1, 6, 7, 8};
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        is_known = is_known || p->status == known[i];
    if (!is_known)
        assert_exit(p, 7);
    assert_has_not(tf_program_text(p, "error.code"), "INTERNAL");
    if (!tf_program_text(p, "error.hint")[0])
        fail_msg("no hint: %s", p->out);
}

/* One that passes by: the program notices, and goes on by itself. */
static bool is_failover(const failure *what)
{
    return what->error_at >= FIRST_FAILOVER && what->error_at <= LAST_FAILOVER && what->command_at != ABORT && what->command_at != GET_MORE;
}

static bool is_in(const bson_t *run, const char *state)
{
    return strcmp(fault_text(run, "state"), state) == 0;
}

/* What an operator does, reading `status`: goes on with what was begun until it is done. */
static void go_on(tf_fixture *f, const failure *what)
{
    for (int n = 0; n < 6; n++) {
        _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up"), *down = fault_newest(f, "down");
        const char *direction = bson_empty(down) ? "up" : "down";
        if (is_in(bson_empty(down) ? up : down, "completed") && !(what->down && bson_empty(down)))
            return;
        bool fresh = bson_empty(up) || (what->down && bson_empty(down));
        tf_program *p = fault_exec(f, what->down ? "down" : direction, NULL, fresh ? words(what) : fault_words("--resume"));
        assert_exit(p, 0);
    }
    fail_msg("not done after six attempts");
}

static void check(tf_fixture *f, const failure *what, const fault_data *data)
{
    _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up");
    if (!what->down && is_in(up, "completed"))
        fault_assert_repaired(f, data);
    else {
        assert_string_equal(fault_text(up, "state"), "rolled_back");
        fault_assert_untouched(f, data);
        fault_assert_balances(f, data, false);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"down\"}"), 1);
    }
    fault_assert_proven(f);
}

static failure choose(tf_series *s)
{
    int row = (int)((int64_t)s->at * STEP % ROWS);
    failure what = {.command_at = row % COMMANDS, .error_at = row / COMMANDS % ERRORS, .mode = row / COMMANDS / ERRORS};
    what.command = commands[what.command_at];
    what.how = errors[what.error_at].how;
    bool transactions = what.command_at == ABORT || what.command_at == KILL || what.command_at == GET_MORE; /* the journal sends none */
    what.journal = !transactions && (row + s->at / ROWS) % 2;
    what.down = what.command_at != GET_MORE && tf_random_below(&s->random, 2);
    what.phase = (phase)tf_random_below(&s->random, 3);
    if (what.command_at == GET_MORE && what.phase == FROM_END)
        what.phase = FROM_START;
    if (what.command_at == ABORT)
        what.phase = FROM_MIDDLE;
    return what;
}

static void fail_command__whatever_fails_nothing_is_lost_or_done_twice(void **state)
{
    tf_fixture *f = *state;
    tf_series s = tf_series_begin("fail_command", "failCommand: 8 commands, 12 errors, once, three times, always, both strategies", 48, 2 * ROWS);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        failure what = choose(&s);
        print_message("%s of %s: %s, %s, %s, from %d\n", what.command, what.down ? "down" : "up", errors[what.error_at].name, modes[what.mode],
                      what.journal ? "journal" : "transaction", what.phase);
        fault_clear(f);
        fault_workers = s.workers;
        fault_seed_some(f, &data, what.command_at == GET_MORE ? MANY : TOKENS);
        if (what.down)
            assert_exit(fault_exec(f, "up", NULL, words(&what)), 0);
        int64_t began = tf_clock_ms();
        tf_program *p = start_and_arm(f, &what);
        tf_program_wait(p, PATIENCE_S);
        int64_t ended = tf_clock_ms(), hits = fail_command(f, NULL);
        print_message("  exit %d after %lld ms, %lld failures\n", p->status, (long long)(ended - began), (long long)hits);
        if (hits > MOST_ATTEMPTS || (hits == 0 && what.error_at != NO_MAJORITY))
            fail_msg("%lld attempts: %s", (long long)hits, p->out);
        assert_told(p);
        if (what.mode == 0 && is_failover(&what))
            assert_exit(p, 0);
        go_on(f, &what);
        tf_series_recovered(&s, tf_clock_ms() - ended);
        check(f, &what, &data);
    }
}

/* A server that only pretends to be away tells nobody that it is back: the driver looks every half second, not every ten. */
static int setup(void **state)
{
    int failed = tf_fixture_setup(state);
    tf_fixture *f = *state;
    size_t length = strlen(f->uri);
    snprintf(f->uri + length, sizeof f->uri - length, "&heartbeatFrequencyMS=500");
    if (!failed) /* a take-over whose killSessions fails waits for that, the server for half as long again */
        bson_destroy(admin(f, "{\"setParameter\": 1, \"transactionLifetimeLimitSeconds\": 4}"));
    return failed;
}

int main(void)
{
    char name[64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fail_command__whatever_fails_nothing_is_lost_or_done_twice, setup, tf_fixture_teardown),
    };
    snprintf(name, sizeof name, "fault-command-%d", (int)getpid());
    setenv("TF_TEST_SANDBOX", name, 1);
    return cmocka_run_group_tests_name("fail command", tests, NULL, NULL);
}
