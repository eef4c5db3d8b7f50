/* What stops a run and what takes it back: signals, and what is wrong with the data. test_stop_connection.c has lost connections. */
#include "fault/stop.h"

/* ---- signals ---- */

static void stop__first_interrupt_finishes_the_batch(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.before_backup=interrupt@4", stop_by_two);
    stop_assert_interrupted(f, p, "up", 4);
    stop_resume_up(f, &data);
}

static void stop__with_a_journal_finishes_the_batch_too(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.journal.before_backup=interrupt@4", stop_by_two_journal);
    stop_assert_interrupted(f, p, "up", 4);
    stop_resume_up(f, &data);
}

static void stop__terminate_is_as_interrupt(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_start(f, "up", "up.before_backup=stop@4", stop_by_two);
    wait_until_stopped(p);
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    stop_go_on(p);
    stop_assert_interrupted(f, p, "up", 4);
    stop_resume_up(f, &data);
}

static void stop__second_interrupt_drops_the_batch(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.before_backup=interrupt@4,up.after_write=interrupt@4", stop_by_two);
    stop_assert_interrupted(f, p, "up", 3);
    stop_resume_up(f, &data);
}

static void stop__second_interrupt_leaves_a_journals_batch_to_the_resume(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_exec(f, "up", "up.journal.before_backup=interrupt@4,up.journal.after_write=interrupt@4", stop_by_two_journal);
    stop_assert_interrupted(f, p, "up", 3);
    stop_resume_up(f, &data);
}

/* Everything is written: the proof is what is left. */
static void stop__second_interrupt_ends_the_closing_proof(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    tf_program *p = fault_start(f, "up", "finish.before_verifying=stop", stop_by_two);
    wait_until_stopped(p);
    assert_int_equal(kill(p->pid, SIGTERM), 0);
    assert_int_equal(kill(p->pid, SIGINT), 0);
    stop_go_on(p);
    assert_exit(p, 7);
    assert_string_equal(tf_program_text(p, "error.code"), "INTERRUPTED");
    stop_resume_up(f, &data);
}

static void stop__of_a_rollback_leaves_it_resumable(void **state)
{
    tf_fixture *f = *state;
    for (int journal = 0; journal < 2; journal++) {
        FAULT_DATA_CLEANUP fault_data data;
        const char *points = journal ? "down.journal.after_write=interrupt@4" : "down.after_write=interrupt@4";
        fault_seed(f, &data);
        assert_exit(fault_exec(f, "up", NULL, stop_words_of(journal)), 0);
        stop_assert_interrupted(f, fault_exec(f, "down", points, stop_words_of(journal)), "down", 4);
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
    tf_program *p = exec_failing(f, stop_by_two);
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
    assert_rolled_back(f, exec_failing(f, stop_by_two_journal), &data, "INVARIANT");
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
    stop_assert_interrupted(f, exec_failing(f, fault_words("--batch-size", "2", "--on-error", "stop")), "up", -1);
    int64_t batches = tf_batches(f);
    assert_true(batches > 5);
    /* a run goes on as it began: it stops there again */
    stop_assert_interrupted(f, exec_failing(f, fault_words("--resume")), "up", batches);
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
    tf_program *p = start_failing(f, "up.before_advance=stop@5", stop_by_two);
    wait_until_stopped(p);
    snprintf(filter, sizeof filter, "{\"_id\": %d}", EARLY * 3);
    tf_tokens_update(f, filter, "{\"$set\": {\"status\": \"pending\"}}");
    stop_go_on(p);
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
        assert_rolled_back(f, fault_exec(f, "up", NULL, stop_words_of(journal)), &data, "REFUSED_WRITE");
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
    assert_rolled_back(f, fault_exec(f, "up", NULL, stop_by_two), &data, "REFUSED_WRITE");
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

static void stop__rollback_that_the_server_refuses_is_resumed(void **state)
{
    tf_fixture *f = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(f, &data);
    assert_exit(fault_exec(f, "up", NULL, stop_by_two), 0);
    bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"status\": {\"$ne\": \"unspent\"}}}"));
    tf_program *p = fault_exec(f, "down", NULL, stop_by_two);
    stop_assert_interrupted(f, p, "down", 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(stop__first_interrupt_finishes_the_batch),
        TF_FIXTURE_TEST(stop__with_a_journal_finishes_the_batch_too),
        TF_FIXTURE_TEST(stop__terminate_is_as_interrupt),
        TF_FIXTURE_TEST(stop__second_interrupt_drops_the_batch),
        TF_FIXTURE_TEST(stop__second_interrupt_leaves_a_journals_batch_to_the_resume),
        TF_FIXTURE_TEST(stop__second_interrupt_ends_the_closing_proof),
        TF_FIXTURE_TEST(stop__of_a_rollback_leaves_it_resumable),
        TF_FIXTURE_TEST(stop__failed_invariant_takes_everything_back),
        TF_FIXTURE_TEST(stop__failed_invariant_with_a_journal_takes_the_batch_itself_back),
        TF_FIXTURE_TEST(stop__set_that_fits_one_batch_is_all_or_nothing),
        TF_FIXTURE_TEST(stop__on_error_stop_keeps_what_is_done),
        TF_FIXTURE_TEST(stop__rollback_that_meets_conflicts_lists_them),
        TF_FIXTURE_TEST(stop__validator_that_refuses_takes_everything_back),
        TF_FIXTURE_TEST(stop__unique_index_that_refuses_takes_everything_back),
        TF_FIXTURE_TEST(stop__attempt_that_takes_too_long_is_cut_smaller),
        TF_FIXTURE_TEST(stop__rollback_that_the_server_refuses_is_resumed),
        TF_FIXTURE_TEST(stop__rollback_by_journal_dies_behind_a_batch_that_changed_nothing),
    };
    const char *only = getenv("TF_FAULT_ONLY");
    fault_workers = 1; /* batches are counted; integration.workers has several */
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
