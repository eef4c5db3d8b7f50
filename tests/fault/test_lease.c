/* The right to run: who may begin, who must wait, who was shut out. */
#include "fault/fault.h"

#include <sys/wait.h>
#include <unistd.h>

/* Starts an up that stops itself (SIGSTOP) at a failpoint: an owner that is alive and says nothing. */
static tf_program *start_stopped(tf_fixture *f, const char *command, const char *point, const char *const *more)
{
    char points[96];
    snprintf(points, sizeof points, "%s=stop@%d", point, strncmp(point, "up.", 3) == 0 ? 5 : 1);
    tf_program *p = fault_start(f, command, points, more);
    wait_until_stopped(p);
    return p;
}

static void go_on(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 0);
}

/* The lease of the live run ends now. */
static void end_lease(tf_fixture *f)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *runs = fault_collection(f, f->state_db, "runs");
    _cleanup_(bson_destroyp) bson_t *which = BCON_NEW("active", BCON_BOOL(true)),
                                    *set = BCON_NEW("$set", "{", "lease.until", BCON_DATE_TIME(1000), "}");
    bson_error_t error;
    if (!mongoc_collection_update_one(runs, which, set, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static const char *const by_two[] = {"--batch-size", "2", NULL}, *const by_two_journal[] = {"--batch-size", "2", "--strategy", "journal", NULL};

/* ---- who begins ---- */

static void lease__of_several_starters_exactly_one_runs(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    enum { STARTERS = 8 };
    tf_program *p[STARTERS];
    fault_seed(f, &data);
    /* none ends before all have begun: the winner waits in its planning */
    for (int i = 0; i < STARTERS; i++)
        p[i] = fault_start(f, "up", "plan.before_running=stop", by_two);
    int ended = 0, winner = -1;
    for (int n = 0; n < 12000 && ended < STARTERS - 1; n++) {
        ended = 0;
        for (int i = 0; i < STARTERS; i++) {
            siginfo_t info = {0};
            assert_int_equal(waitid(P_PID, (id_t)p[i]->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
            ended += info.si_pid != 0;
            winner = info.si_pid ? winner : i;
        }
        usleep(10000);
    }
    assert_int_equal(ended, STARTERS - 1);
    assert_true(winner >= 0);
    for (int i = 0; i < STARTERS; i++)
        if (i != winner) {
            tf_program_wait(p[i], 0);
            assert_exit(p[i], 5);
            assert_string_equal(tf_program_text(p[i], "error.code"), "LEASE_HELD");
        }
    wait_until_stopped(p[winner]);
    go_on(p[winner]);
    assert_exit(p[winner], 0);
    fault_assert_repaired(f, &data);
}

static void lease__of_two_starters_one_runs_whichever_is_faster(void **state)
{
    tf_fixture *f = *state;
    for (int n = 0; n < 4; n++) {
        FAULT_DATA_CLEANUP fault_data data;
        fault_seed_some(f, &data, 40);
        tf_program *a = fault_start(f, "up", NULL, by_two), *b = fault_start(f, "up", NULL, by_two);
        tf_program_wait(a, 0);
        tf_program_wait(b, 0);
        /* the slower one is refused, or comes when all is done */
        int won = (a->status == 0) + (b->status == 0);
        const tf_program *lost = a->status == 0 ? b : a;
        assert_int_equal(won, 1);
        if (lost->status != 5)
            assert_exit(lost, 1);
        fault_assert_repaired(f, &data);
        bson_destroy(tf_fixture_command(f, "{\"dropDatabase\": 1}"));
        _cleanup_(mongoc_database_destroyp) mongoc_database_t *records = mongoc_client_get_database(f->client, f->state_db);
        assert_true(mongoc_database_drop(records, NULL));
    }
}

static void lease__a_starter_that_was_overtaken_makes_no_second_run(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *late = start_stopped(f, "up", "begin.before_run", by_two);
    assert_exit(fault_exec(f, "up", NULL, by_two), 0);
    go_on(late);
    assert_exit(late, 5);
    fault_assert_repaired(f, &data); /* of exactly one run */
    fault_assert_proven(f);
}

static void lease__of_two_downs_exactly_one_runs(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, by_two), 0);
    tf_program *late = start_stopped(f, "down", "begin.before_run", by_two);
    assert_exit(fault_exec(f, "down", NULL, by_two), 0);
    go_on(late);
    assert_exit(late, 5);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"down\"}"), 1);
    fault_assert_untouched(f, &data);
}

/* ---- owners that are gone ---- */

static void lease__of_a_dead_owner_is_taken_over_at_once(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", "up.after_write=kill@4", by_two), 128 + SIGKILL);
    _cleanup_(bson_destroyp) bson_t *left = fault_state(f, "runs", "[{\"$match\": {\"active\": true}}, {\"$project\": {\"valid\": {\"$gt\": "
                                                                   "[\"$lease.until\", \"$$NOW\"]}}}]");
    assert_int_equal(fault_number(left, "valid"), 1); /* it would be waited for, were its owner not known to be gone */
    tf_program *p = fault_exec(f, "up", NULL, fault_words("--resume"));
    assert_exit(p, 0);
    assert_has_not(p->err, "waiting");
    fault_assert_repaired(f, &data);
}

/* A transaction that was left open holds its documents for 60 s and more; the take-over ends it: it is gone before the new
 * owner's first batch, and nothing of it was kept. */
static void lease__of_a_dead_owner_leaves_no_open_transaction_in_the_way(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    static const char open[] = "{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$currentOp\": {\"allUsers\": true, \"idleSessions\": true}},"
                               " {\"$match\": {\"type\": \"idleSession\", \"transaction.parameters.autocommit\": false}},"
                               " {\"$project\": {\"lsid\": 1}}]}";
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", "up.after_record=kill@4", by_two), 128 + SIGKILL);
    _cleanup_(bson_destroyp) bson_t *noted =
        fault_state(f, "partitions", "[{\"$match\": {\"lsid\": {\"$exists\": true}}}, {\"$sort\": {\"n\": -1}}, {\"$limit\": 1}]");
    bson_iter_t iter, id;
    uint32_t length;
    const uint8_t *uuid;
    assert_true(bson_iter_init(&iter, noted) && bson_iter_find_descendant(&iter, "lsid.id", &id));
    bson_iter_binary(&id, NULL, &length, &uuid);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)open, -1, NULL);
    for (int after = 0; after < 2; after++) {
        bson_t reply;
        bson_error_t error;
        bool ours = false;
        if (!mongoc_client_command_simple(f->client, "admin", command, NULL, &reply, &error))
            fail_msg("%s", error.message);
        bson_iter_t all, item, field;
        assert_true(bson_iter_init(&all, &reply) && bson_iter_find_descendant(&all, "cursor.firstBatch", &item) &&
                    bson_iter_recurse(&item, &all));
        while (bson_iter_next(&all)) {
            uint32_t n;
            const uint8_t *one;
            if (!bson_iter_recurse(&all, &item) || !bson_iter_find_descendant(&item, "lsid.id", &field))
                continue;
            bson_iter_binary(&field, NULL, &n, &one);
            ours = ours || (n == length && memcmp(one, uuid, n) == 0);
        }
        bson_destroy(&reply);
        assert_int_equal(ours, after == 0);
        if (after == 0) {
            /* dies right behind the fence: no batch of the new owner's yet */
            assert_exit(fault_exec(f, "up", "resume.after_fence=kill", fault_words("--resume")), 128 + SIGKILL);
            assert_int_equal(tf_batches(f), 3);
        }
    }
    fault_go_on(f, "up", NULL);
    fault_assert_repaired(f, &data);
}

/* ---- owners that live ---- */

static void lease__of_a_live_owner_is_respected(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *owner = start_stopped(f, "up", "up.before_advance", by_two);
    int64_t batches = tf_batches(f);
    assert_exit(fault_exec(f, "up", NULL, by_two), 5);
    assert_exit(fault_exec(f, "down", NULL, by_two), 5);
    assert_int_equal(tf_batches(f), batches);
    assert_int_equal(tf_runs(f), 1);
    go_on(owner);
    assert_exit(owner, 0);
    fault_assert_repaired(f, &data);
}

static void lease__that_may_be_held_is_waited_for_and_then_taken_over(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *owner = start_stopped(f, "up", "up.before_advance", by_two);
    tf_program *next = fault_start(f, "up", NULL, fault_words("--resume"));
    assert_true(tf_program_saw(next, "waiting"));
    end_lease(f);
    tf_program_wait(next, 0);
    assert_exit(next, 0);
    fault_assert_repaired(f, &data);
    go_on(owner);
    assert_exit(owner, 7);
    fault_assert_repaired(f, &data);
    fault_assert_proven(f);
}

static void lease__that_is_renewed_meanwhile_is_not_taken_over(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    /* sleeps in a batch; its heartbeat goes on */
    tf_program *owner = fault_start(f, "up", "up.before_advance=sleep:20000@3", by_two);
    for (int n = 0; n < 6000 && tf_fixture_count(f, f->state_db, "batches", "{}") < 2; n++)
        usleep(10000);
    tf_program *next = fault_exec(f, "up", NULL, fault_words("--resume"));
    assert_exit(next, 5);
    assert_has(next->err, "waiting");
    tf_program_wait(owner, 0);
    assert_exit(owner, 0);
    fault_assert_repaired(f, &data);
}

static void lease__of_a_rollback_is_waited_for_too(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, by_two), 0);
    tf_program *owner = start_stopped(f, "down", "down.before_advance", by_two);
    tf_program *next = fault_start(f, "down", NULL, fault_words("--resume"));
    assert_true(tf_program_saw(next, "waiting"));
    end_lease(f);
    tf_program_wait(next, 0);
    assert_exit(next, 0);
    go_on(owner);
    assert_exit(owner, 7);
    fault_assert_untouched(f, &data);
    fault_assert_proven(f);
}

/* ---- zombies ---- */

typedef struct zombie {
    const char *name, *point;
    bool journal;
} zombie;

static const zombie zombies[] = {
    {"lease__zombie_in_its_planning_is_shut_out", "plan.before_ledger", false},
    {"lease__zombie_between_its_partitions_is_shut_out", "plan.between_partitions", false},
    {"lease__zombie_before_its_first_batch_is_shut_out", "plan.before_running", false},
    {"lease__zombie_before_a_batch_is_shut_out", "up.before_advance", false},
    {"lease__zombie_with_a_written_batch_is_shut_out", "up.after_write", false},
    {"lease__zombie_before_its_commit_is_shut_out", "up.after_record", false},
    {"lease__zombie_at_its_end_is_shut_out", "finish.before_event", false},
    {"lease__zombie_in_its_last_transaction_is_shut_out", "finish.in_transaction", false},
    {"lease__zombie_with_a_journal_before_its_intent_is_shut_out", "up.journal.before_intent", true},
    {"lease__zombie_with_a_journal_in_a_batch_is_shut_out", "up.journal.before_backup", true},
};

static const zombie *current;

/* Stopped owner, taken over, all done by the next: what the first one does when it wakes changes nothing. */
static void zombie_is_shut_out(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *owner = start_stopped(f, "up", current->point, current->journal ? by_two_journal : by_two);
    tf_program *next = fault_exec(f, "up", NULL, fault_words("--resume", "--take-over"));
    assert_exit(next, 0);
    assert_has_not(next->err, "waiting");
    fault_assert_repaired(f, &data);
    int64_t batches = tf_batches(f);
    _cleanup_(bson_destroyp) bson_t *before = fault_newest(f, "up");
    go_on(owner);
    assert_exit(owner, 7);
    assert_string_equal(tf_program_text(owner, "error.code"), "LEASE_LOST");
    assert_int_equal(tf_batches(f), batches);
    _cleanup_(bson_destroyp) bson_t *after = fault_newest(f, "up");
    assert_true(bson_equal(before, after));
    fault_assert_repaired(f, &data);
    fault_assert_proven(f);
}

/* Between its fence and its first batch a resumer may be overtaken by another: the fence that it reads then is not its own. */
static void lease__of_two_resumers_the_overtaken_one_ends(void **state)
{
    tf_fixture *f = *state;
    static const char *const points[] = {"up.after_write", "up.journal.after_write"};
    static const char *const *const kinds[] = {by_two, by_two_journal};
    for (size_t i = 0; i < 2; i++) {
        FAULT_DATA_CLEANUP fault_data data;
        char kill_there[64];
        fault_seed(f, &data);
        snprintf(kill_there, sizeof kill_there, "%s=kill@3", points[i]);
        assert_exit(fault_exec(f, "up", kill_there, kinds[i]), 128 + SIGKILL);
        tf_program *first = start_stopped(f, "up", "resume.after_fence", fault_words("--resume"));
        tf_program *second = start_stopped(f, "up", points[i], fault_words("--resume", "--take-over"));
        int64_t batches = tf_batches(f);
        go_on(first);
        assert_exit(first, 7);
        assert_string_equal(tf_program_text(first, "error.code"), "LEASE_LOST");
        assert_int_equal(tf_batches(f), batches);
        go_on(second);
        assert_exit(second, 0);
        fault_assert_repaired(f, &data);
        fault_assert_proven(f);
        bson_destroy(tf_fixture_command(f, "{\"dropDatabase\": 1}"));
        _cleanup_(mongoc_database_destroyp) mongoc_database_t *records = mongoc_client_get_database(f->client, f->state_db);
        assert_true(mongoc_database_drop(records, NULL));
    }
}

static int setup_zombie(void **state)
{
    current = *state;
    return tf_fixture_setup(state);
}

int main(void)
{
    enum { PLAIN = 11, ZOMBIES = sizeof zombies / sizeof *zombies };
    struct CMUnitTest tests[PLAIN + ZOMBIES] = {
        TF_FIXTURE_TEST(lease__of_several_starters_exactly_one_runs),
        TF_FIXTURE_TEST(lease__of_two_starters_one_runs_whichever_is_faster),
        TF_FIXTURE_TEST(lease__a_starter_that_was_overtaken_makes_no_second_run),
        TF_FIXTURE_TEST(lease__of_two_downs_exactly_one_runs),
        TF_FIXTURE_TEST(lease__of_a_dead_owner_is_taken_over_at_once),
        TF_FIXTURE_TEST(lease__of_a_dead_owner_leaves_no_open_transaction_in_the_way),
        TF_FIXTURE_TEST(lease__of_a_live_owner_is_respected),
        TF_FIXTURE_TEST(lease__that_may_be_held_is_waited_for_and_then_taken_over),
        TF_FIXTURE_TEST(lease__that_is_renewed_meanwhile_is_not_taken_over),
        TF_FIXTURE_TEST(lease__of_a_rollback_is_waited_for_too),
        TF_FIXTURE_TEST(lease__of_two_resumers_the_overtaken_one_ends),
    };
    size_t count = PLAIN;
    const char *only = getenv("TF_FAULT_ONLY");
    for (size_t i = 0; i < ZOMBIES; i++) {
        void *initial = (void *)(uintptr_t)&zombies[i];
        tests[count++] = (struct CMUnitTest){zombies[i].name, zombie_is_shut_out, setup_zombie, tf_fixture_teardown, initial};
    }
    if (only)
        cmocka_set_test_filter(only);
    return _cmocka_run_group_tests("lease", tests, count, NULL, NULL);
}
