/*
 * kill -9 at any moment of up, down or their resumption, on a server that ends open transactions after its usual 60 s: who
 * resumes ends them himself (killSessions), and works again within seconds.
 */
#include "fault/fault.h"

enum { DEATHS = 3, PROMISED_MS = 5000, PATIENT_MS = 50000 }; /* in the suite others work, too: still below the 60 s that a transaction left behind would cost */

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

/* True when it died of it; it may have been done before. */
static bool kill_after(tf_program *p, int64_t us)
{
    usleep((useconds_t)us);
    kill(p->pid, SIGKILL);
    tf_program_wait(p, 0);
    if (p->status != 0)
        assert_exit(p, 128 + SIGKILL);
    return p->status != 0;
}

/* How often it died in the middle. */
static int die_and_go_on(tf_fixture *f, tf_series *s, const char *direction, bool journal, int64_t whole_us)
{
    int deaths = 0;
    for (int n = 1 + (int)tf_random_below(&s->random, DEATHS); n > 0; n--) {
        _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
        if (strcmp(fault_text(run, "state"), "completed") == 0)
            break; /* it died behind its last word */
        tf_program *p = fault_start(f, direction, NULL, bson_empty(run) ? words_of(journal) : fault_words("--resume"));
        if (!kill_after(p, (int64_t)tf_random_below(&s->random, (uint64_t)whole_us)))
            break;
        deaths++;
    }
    int64_t took = fault_resume_timed(f, direction, words_of(journal));
    tf_series_recovered(s, took);
    assert_true(took <= (tf_series_is_full() ? PROMISED_MS : PATIENT_MS));
    return deaths;
}

/* Data in which the direction is still to be gone. */
static void prepare(tf_fixture *f, fault_data *data, bool down, bool journal)
{
    fault_clear(f);
    fault_seed(f, data);
    if (down)
        assert_exit(fault_exec(f, "up", NULL, words_of(journal)), 0);
}

static void check(tf_fixture *f, const fault_data *data, bool down)
{
    if (down)
        fault_assert_untouched(f, data);
    else
        fault_assert_repaired(f, data);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
    fault_assert_proven(f);
}

static void killed_at_random(tf_fixture *f, tf_series *s, bool journal)
{
    int64_t whole_us[2] = {0}; /* of up and of down, as measured once; less where that turns out too long */
    while (tf_series_next(s)) {
        bool down = s->at % 2, died = false;
        const char *direction = down ? "down" : "up";
        fault_workers = s->workers;
        for (int n = 0; !died && n < 20; n++) {
            FAULT_DATA_CLEANUP fault_data data;
            prepare(f, &data, down, journal);
            if (whole_us[down]) {
                died = die_and_go_on(f, s, direction, journal, whole_us[down]) > 0;
                whole_us[down] = died ? whole_us[down] : whole_us[down] * 9 / 10;
            } else {
                assert_usual_lifetime(f);
                whole_us[down] = exec_timed(f, direction, journal);
            }
            check(f, &data, down);
        }
        assert_true(died);
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
