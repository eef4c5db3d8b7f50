/*
 * kill -9 at any moment of up, down or their resumption, on a server that ends open transactions after its usual 60 s: who
 * resumes ends them himself (killSessions), and works again within seconds.
 */
#include "fault/fault.h"

enum { DEATHS = 3, PROMISED_MS = 5000, PATIENT_MS = 20000 }; /* in the suite other tests take their share of the machine */

static const char *const *words_of(bool journal)
{
    static const char *const words[2][5] = {{"--batch-size", "2", "--strategy", "transaction"}, {"--batch-size", "2", "--strategy", "journal"}};
    return words[journal];
}

static void assert_usual_lifetime(tf_fixture *f)
{
    bson_t reply;
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("getParameter", BCON_INT32(1), "transactionLifetimeLimitSeconds", BCON_INT32(1));
    if (!mongoc_client_command_simple(f->client, "admin", command, NULL, &reply, &error))
        fail_msg("%s", error.message);
    assert_int_equal(fault_number(&reply, "transactionLifetimeLimitSeconds"), 60);
    bson_destroy(&reply);
}

/* How long it takes when nobody kills it. */
static int64_t exec_timed(tf_fixture *f, const char *direction, bool journal)
{
    int64_t started = tf_clock_us();
    assert_exit(fault_exec(f, direction, NULL, words_of(journal)), 0);
    return tf_clock_us() - started;
}

static void kill_after(tf_program *p, int64_t us)
{
    usleep((useconds_t)us);
    kill(p->pid, SIGKILL);
    tf_program_wait(p, 0);
    if (p->status != 0) /* it may have been done */
        assert_exit(p, 128 + SIGKILL);
}

static void die_and_go_on(tf_fixture *f, tf_series *s, const char *direction, bool journal, int64_t whole_us)
{
    int deaths = 1 + (int)tf_random_below(&s->random, DEATHS);
    for (int n = 0; n < deaths; n++) {
        _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
        if (strcmp(fault_text(run, "state"), "completed") == 0)
            break;
        tf_program *p = fault_start(f, direction, NULL, bson_empty(run) ? words_of(journal) : fault_words("--resume"));
        kill_after(p, (int64_t)tf_random_below(&s->random, (uint64_t)whole_us));
    }
    int64_t took = fault_resume_timed(f, direction, words_of(journal));
    tf_series_recovered(s, took);
    assert_true(took <= (tf_series_is_full() ? PROMISED_MS : PATIENT_MS));
}

static void killed_at_random(tf_fixture *f, tf_series *s, bool journal)
{
    int64_t up_us = 0, down_us = 0; /* measured once: both directions */
    while (tf_series_next(s)) {
        FAULT_DATA_CLEANUP fault_data data;
        bool down = s->at % 2;
        fault_clear(f);
        fault_workers = s->workers;
        fault_seed(f, &data);
        if (!up_us) {
            assert_usual_lifetime(f);
            up_us = exec_timed(f, "up", journal);
            down_us = exec_timed(f, "down", journal);
            fault_clear(f);
            fault_data_done(&data);
            fault_seed(f, &data);
        }
        if (down)
            assert_exit(fault_exec(f, "up", NULL, words_of(journal)), 0);
        die_and_go_on(f, s, down ? "down" : "up", journal, down ? down_us : up_us);
        if (down)
            fault_assert_untouched(f, &data);
        else
            fault_assert_repaired(f, &data);
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
        fault_assert_proven(f);
    }
}

static void kill__at_random_with_transactions(void **state)
{
    tf_series s = tf_series_begin("transaction", "kill -9 at 1 to 3 random moments of up and down, transaction strategy", 10, 500);
    killed_at_random(*state, &s, false);
}

static void kill__at_random_with_a_journal(void **state)
{
    tf_series s = tf_series_begin("journal", "kill -9 at 1 to 3 random moments of up and down, journal strategy", 10, 500);
    killed_at_random(*state, &s, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(kill__at_random_with_transactions),
        TF_FIXTURE_TEST(kill__at_random_with_a_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
