/*
 * What stops a run and what takes it back. Has a server of its own: failCommand is the server's, not a database's.
 */
#include "fault/fault.h"

#include <signal.h>
#include <unistd.h>

static const char *const by_two[] = {"--batch-size", "2", NULL};
static const char *const by_two_journal[] = {"--batch-size", "2", "--strategy", "journal", NULL};

static const char *const *words_of(bool journal)
{
    return journal ? by_two_journal : by_two;
}

static void go_on(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 120);
}

/* Interrupted as it should be: resumable, and nobody has to wait for its lease. */
static void assert_interrupted(tf_fixture *f, const tf_program *p, const char *direction, int64_t batches)
{
    assert_exit(p, 7);
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
    assert_string_equal(fault_text(run, "state"), "interrupted");
    assert_int_equal(fault_number(run, "active"), 0);
    char filter[128];
    snprintf(filter, sizeof filter, "{\"run\": \"%s\"}", fault_text(run, "_id"));
    if (batches >= 0)
        assert_int_equal(tf_fixture_count(f, f->state_db, "batches", filter), batches);
    assert_has(tf_program_text(p, "error.hint"), "--resume");
}

static void resume_up(tf_fixture *f, const fault_data *data)
{
    tf_program *p = fault_exec(f, "up", NULL, fault_words("--resume"));
    assert_exit(p, 0);
    assert_has_not(p->err, "waiting");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), data->wrongs); /* the run's totals */
    assert_int_equal(tf_program_number(p, "data.totalAmount"), data->wrong_amount);
    assert_int_equal(tf_program_number(p, "data.batches"), tf_batches(f));
    assert_int_equal(tf_program_number(p, "data.verification.equal"), data->wrongs);
    fault_assert_repaired(f, data);
    fault_assert_proven(f);
}

/* ---- signals ---- */

static void stop__first_interrupt_finishes_the_batch(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.before_backup=interrupt@4", by_two);
    assert_interrupted(f, p, "up", 4);
    resume_up(f, &data);
}

static void stop__with_a_journal_finishes_the_batch_too(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.journal.before_backup=interrupt@4", by_two_journal);
    assert_interrupted(f, p, "up", 4);
    resume_up(f, &data);
}

static void stop__terminate_is_as_interrupt(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_start(f, "up", "up.before_backup=stop@4", by_two);
    wait_until_stopped(p);
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    go_on(p);
    assert_interrupted(f, p, "up", 4);
    resume_up(f, &data);
}

static void stop__second_interrupt_drops_the_batch(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.before_backup=interrupt@4,up.after_write=interrupt@4", by_two);
    assert_interrupted(f, p, "up", 3);
    resume_up(f, &data);
}

static void stop__second_interrupt_leaves_a_journals_batch_to_the_resume(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.journal.before_backup=interrupt@4,up.journal.after_write=interrupt@4", by_two_journal);
    assert_interrupted(f, p, "up", 3);
    resume_up(f, &data);
}

static void stop__of_a_rollback_leaves_it_resumable(void **state)
{
    tf_fixture *f = *state;
    for (int journal = 0; journal < 2; journal++) {
        FAULT_DATA_CLEANUP fault_data data;
        const char *points = journal ? "down.journal.after_write=interrupt@4" : "down.after_write=interrupt@4";
        fault_seed(f, &data);
        assert_exit(fault_exec(f, "up", NULL, words_of(journal)), 0);
        assert_interrupted(f, fault_exec(f, "down", points, words_of(journal)), "down", 4);
        tf_program *p = fault_exec(f, "down", NULL, fault_words("--resume"));
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.restoredTokens"), data.wrongs);
        fault_assert_untouched(f, &data);
        fault_assert_proven(f);
        bson_destroy(tf_fixture_command(f, "{\"dropDatabase\": 1}"));
    }
}

/* ---- what is wrong with the data ---- */

/* What stands there now is what it must be given back as. */
static void read_again(tf_fixture *f, fault_data *data)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = fault_collection(f, f->db, "cashu_tokens");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = fault_sorted(in);
    const bson_t *doc = NULL;
    for (int i = 0; i < data->count; i++) {
        assert_true(mongoc_cursor_next(cursor, &doc));
        bson_destroy(data->doc[i]);
        data->doc[i] = bson_copy(doc);
    }
}

/* The defective token in the middle: batches before it and behind it. */
enum { PLANTED = 65, EARLY = 0 };

static void plant(tf_fixture *f, fault_data *data)
{
    char filter[64];
    snprintf(filter, sizeof filter, "{\"_id\": %d}", PLANTED * 3);
    assert_true(data->wrong[PLANTED] && data->wrong[EARLY]);
    tf_tokens_update(f, filter, "{\"$set\": {\"planted\": true}}");
    read_again(f, data);
}

static tf_program *start_failing(tf_fixture *f, const char *points, const char *const *more)
{
    const char *argv[16] = {"up", "901_fail_in_the_middle", "--confirm", "--yes", "--json", "--workers", "1"};
    size_t n = 7;
    for (; more && *more; more++)
        argv[n++] = *more;
    char text[256];
    snprintf(text, sizeof text, "TOKENFIX_FAILPOINT=%s", points ? points : "");
    const char *const env[] = {text, NULL};
    return tf_program_start(f, &(tf_program_options){.argv = argv, .env = env, .test_registry = true});
}

static tf_program *exec_failing(tf_fixture *f, const char *const *more)
{
    tf_program *p = start_failing(f, NULL, more);
    tf_program_wait(p, 120);
    return p;
}

static void assert_rolled_back(tf_fixture *f, const tf_program *p, const fault_data *data, const char *code)
{
    assert_exit(p, 6);
    assert_string_equal(tf_program_text(p, "error.code"), code);
    fault_assert_untouched(f, data);
    _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up"), *down = fault_newest(f, "down");
    assert_string_equal(fault_text(up, "state"), "rolled_back");
    assert_string_equal(fault_text(down, "state"), "completed");
    assert_string_equal(fault_text(down, "restores"), fault_text(up, "_id"));
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
}

static void stop__failed_invariant_takes_everything_back(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    plant(f, &data);
    tf_program *p = exec_failing(f, by_two);
    assert_rolled_back(f, p, &data, "INVARIANT");
    assert_has(tf_program_text(p, "error.message"), "is_not_planted");
    _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up");
    char filter[128];
    snprintf(filter, sizeof filter, "{\"run\": \"%s\"}", fault_text(up, "_id"));
    assert_true(tf_fixture_count(f, f->state_db, "batches", filter) > 5); /* there was something to take back */
}

static void stop__failed_invariant_with_a_journal_takes_the_batch_itself_back(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    plant(f, &data);
    assert_rolled_back(f, exec_failing(f, by_two_journal), &data, "INVARIANT");
}

static void stop__set_that_fits_one_batch_is_all_or_nothing(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    plant(f, &data);
    assert_rolled_back(f, exec_failing(f, NULL), &data, "INVARIANT");
    assert_int_equal(tf_fixture_count(f, f->state_db, "batches", "{\"counts.applied\": {\"$gt\": 0}}"), 0);
}

static void stop__on_error_stop_keeps_what_is_done(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    plant(f, &data);
    assert_interrupted(f, exec_failing(f, fault_words("--batch-size", "2", "--on-error", "stop")), "up", -1);
    int64_t batches = tf_batches(f);
    assert_true(batches > 5);
    /* a run goes on as it began: it stops there again */
    assert_interrupted(f, exec_failing(f, fault_words("--resume")), "up", batches);
    char filter[64];
    snprintf(filter, sizeof filter, "{\"_id\": %d}", PLANTED * 3);
    tf_tokens_update(f, filter, "{\"$unset\": {\"planted\": 1}}");
    tf_program *p = exec_failing(f, fault_words("--resume"));
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), data.wrongs);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void stop__rollback_that_meets_conflicts_lists_them(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    char filter[64];
    fault_seed(f, &data);
    plant(f, &data);
    tf_program *p = start_failing(f, "up.before_advance=stop@5", by_two);
    wait_until_stopped(p);
    snprintf(filter, sizeof filter, "{\"_id\": %d}", EARLY * 3);
    tf_tokens_update(f, filter, "{\"$set\": {\"status\": \"pending\"}}");
    go_on(p);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.state"), "rolled_back_with_conflicts");
    assert_int_equal(tf_program_number(p, "data.conflicts"), 1);
    assert_int_equal(tf_program_number(p, "data.conflictIds.0._id"), EARLY * 3);
    assert_has(tf_program_text(p, "data.failure"), "is_not_planted");
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"status\": \"pending\", \"_id\": 0}"), 1);
    assert_int_equal(tf_tokens_wrong(f), data.wrongs - 1);
}

static void stop__validator_that_refuses_takes_everything_back(void **state)
{
    tf_fixture *f = *state;
    for (int journal = 0; journal < 2; journal++) {
        FAULT_DATA_CLEANUP fault_data data;
        fault_seed(f, &data);
        bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"$or\": [{\"_id\": {\"$ne\": 195}},"
                                           " {\"status\": \"unspent\"}]}}"));
        assert_true(data.wrong[195 / 3]);
        assert_rolled_back(f, fault_exec(f, "up", NULL, words_of(journal)), &data, "REFUSED_WRITE");
        bson_destroy(tf_fixture_command(f, "{\"dropDatabase\": 1}"));
    }
}

static void stop__unique_index_that_refuses_takes_everything_back(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_true(data.wrong[65] && !data.wrong[67]);
    tf_tokens_update(f, "{\"_id\": 195}", "{\"$set\": {\"slot\": 1}}");
    tf_tokens_update(f, "{\"_id\": 201}", "{\"$set\": {\"slot\": 1, \"status\": \"spent\"}}");
    read_again(f, &data);
    bson_destroy(tf_fixture_command(f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"slot\": 1, \"status\": 1}, \"name\":"
                                       " \"planted\", \"unique\": true, \"partialFilterExpression\": {\"slot\": 1}}]}"));
    assert_rolled_back(f, fault_exec(f, "up", NULL, by_two), &data, "REFUSED_WRITE");
}

/* ---- the connection ---- */

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
    tf_program *p = fault_start(f, "up", points, words_of(journal));
    wait_until_stopped(p);
    fail_command(f, mode, command, how);
    go_on(p);
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
        assert_interrupted(f, p, "up", 3);
        assert_has(tf_program_text(p, "error.hint"), "not sent a third time");
        resume_up(f, &data);
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
    go_on(p);
    fail_nothing(f);
    assert_interrupted(f, p, "up", 3);
    int attempts = count_lines(log, "up.before_advance") - 3;
    assert_true(attempts >= 2 && attempts <= 500);
    tf_folder_remove(folder);
    assert_nothing_is_left_open(f);
    resume_up(f, &data);
}

/* Whatever makes a transaction slow, it is given up long before the server would end it, and a smaller batch is cut. */
static void stop__attempt_that_takes_too_long_is_cut_smaller(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    const char *const env[] = {"TOKENFIX_FAILPOINT=up.after_backup=sleep:2500", "TOKENFIX_TXN_ATTEMPT_MS=2000", NULL};
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env});
    assert_int_equal(p->status, 0);
    assert_true(tf_program_number(p, "data.batches") >= 2); /* it would have been one */
    fault_assert_repaired(f, &data);
}

/* A rollback meets the same: it stops, and says neither 6 nor 8. */
static void stop__rollback_that_loses_its_connection_is_resumed(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    char how[256];
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, by_two), 0);
    tf_program *p = fault_start(f, "down", "down.after_backup=stop@4", by_two);
    wait_until_stopped(p);
    snprintf(how, sizeof how, CLOSE ", \"namespace\": \"%s.cashu_tokens\"", f->db);
    fail_command(f, "{\"times\": 2}", "\"update\"", how);
    go_on(p);
    fail_nothing(f);
    assert_interrupted(f, p, "down", 3);
    assert_exit(fault_exec(f, "down", NULL, fault_words("--resume")), 0);
    fault_assert_untouched(f, &data);
    fault_assert_proven(f);
}

static void stop__rollback_that_the_server_refuses_is_resumed(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, by_two), 0);
    bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"status\": {\"$ne\": \"unspent\"}}}"));
    tf_program *p = fault_exec(f, "down", NULL, by_two);
    assert_interrupted(f, p, "down", 0);
    bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {}}"));
    assert_exit(fault_exec(f, "down", NULL, fault_words("--resume")), 0);
    fault_assert_untouched(f, &data);
}

/* ---- an empty batch in the middle ---- */

/* A batch of nothing but refused documents changed nothing; a rollback by journal passes it over, also when it dies there. */
static void stop__rollback_by_journal_dies_behind_a_batch_that_changed_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_insert(f, 1, 6, "npub1anna", "unspent");
    tf_tokens_update(f, "{\"_id\": 3}", "[{\"$replaceWith\": {\"$mergeObjects\": [\"$$ROOT\", {\"odd\": {\"$literal\": {\"$timestamp\":"
                                        " {\"t\": 0, \"i\": 0}}}}]}}]");
    assert_exit(fault_exec(f, "up", NULL, fault_words("--batch-size", "1", "--strategy", "journal")), 3);
    for (int at = 1; at <= 5; at++) {
        char points[64];
        snprintf(points, sizeof points, "down.journal.after_write=kill@%d", 1);
        assert_exit(fault_exec(f, "down", points, at == 1 ? fault_words("--batch-size", "1", "--strategy", "journal") : fault_words("--resume")),
                    128 + SIGKILL);
        /* what died is finished by the next one's recovery, which passes the point, too: let it */
        snprintf(points, sizeof points, "down.journal.after_advance=interrupt@1");
        tf_program *p = fault_exec(f, "down", points, fault_words("--resume"));
        if (p->status == 0)
            break;
        assert_exit(p, 7);
    }
    fault_go_on(f, "down", NULL);
    assert_int_equal(tf_tokens_original(f), 6);
    assert_int_equal(tf_tokens_wrong(f), 6);
}

#define STOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, tf_fixture_teardown)

int main(void)
{
    enum { TROUBLES = sizeof troubles / sizeof *troubles };
    const struct CMUnitTest plain[] = {
        TF_FIXTURE_TEST(stop__first_interrupt_finishes_the_batch),
        TF_FIXTURE_TEST(stop__with_a_journal_finishes_the_batch_too),
        TF_FIXTURE_TEST(stop__terminate_is_as_interrupt),
        TF_FIXTURE_TEST(stop__second_interrupt_drops_the_batch),
        TF_FIXTURE_TEST(stop__second_interrupt_leaves_a_journals_batch_to_the_resume),
        TF_FIXTURE_TEST(stop__of_a_rollback_leaves_it_resumable),
        TF_FIXTURE_TEST(stop__failed_invariant_takes_everything_back),
        TF_FIXTURE_TEST(stop__failed_invariant_with_a_journal_takes_the_batch_itself_back),
        TF_FIXTURE_TEST(stop__set_that_fits_one_batch_is_all_or_nothing),
        TF_FIXTURE_TEST(stop__on_error_stop_keeps_what_is_done),
        TF_FIXTURE_TEST(stop__rollback_that_meets_conflicts_lists_them),
        TF_FIXTURE_TEST(stop__validator_that_refuses_takes_everything_back),
        TF_FIXTURE_TEST(stop__unique_index_that_refuses_takes_everything_back),
        STOP_TEST(stop__what_never_succeeds_ends_within_its_budget),
        TF_FIXTURE_TEST(stop__attempt_that_takes_too_long_is_cut_smaller),
        STOP_TEST(stop__rollback_that_loses_its_connection_is_resumed),
        TF_FIXTURE_TEST(stop__rollback_that_the_server_refuses_is_resumed),
        TF_FIXTURE_TEST(stop__rollback_by_journal_dies_behind_a_batch_that_changed_nothing),
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
    return _cmocka_run_group_tests("stop", tests, count, NULL, NULL);
}
