/* What holds a batch up, and in which words. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/throttle.h"

enum { LIMIT_MS = 2000, NOW = 1000000 };

/* ---- the decision ---- */

typedef struct row {
    const char *name;
    tf_sight sight;
    tf_conflicts conflicts;
    tf_verdict_kind kind;
    tf_pause reason;
    const char *text;
} row;

static const row rows[] = {
    {.name = "nothing", .kind = TF_GO, .text = ""},
    {.name = "a request", .sight = {.pause_wanted = true, .by = "anna@host"}, .kind = TF_WAIT, .reason = TF_PAUSE_REQUEST, .text = "anna@host asked for it"},
    {.name = "a file", .sight = {.pause_file = "/run/pause"}, .kind = TF_WAIT, .reason = TF_PAUSE_FILE, .text = "/run/pause exists"},
    {.name = "a load", .sight = {.load = "a.b is 7, the limit is 5"}, .kind = TF_WAIT, .reason = TF_PAUSE_LOAD, .text = "a.b is 7, the limit is 5"},
    {.name = "the majority, at the limit", .sight = {.majority_lag_ms = LIMIT_MS}, .kind = TF_GO, .text = ""},
    {.name = "the majority, beyond", .sight = {.majority_lag_ms = LIMIT_MS + 1}, .kind = TF_WAIT, .reason = TF_PAUSE_MAJORITY_LAG, .text = "the majority is 2.0 s behind, the limit is 2.0 s"},
    {.name = "a member", .sight = {.member_lag_ms = 3400, .slowest = "db2:27017"}, .kind = TF_WAIT, .reason = TF_PAUSE_MEMBER_LAG, .text = "member db2:27017 is 3.4 s behind, the limit is 2.0 s"},
    {.name = "conflicts, resting", .conflicts = {.pause_until = NOW + 1, .pause_ms = 4000}, .kind = TF_WAIT, .reason = TF_PAUSE_CONFLICTS, .text = "too many batches met a write conflict, 4 s of rest"},
    {.name = "conflicts, rested", .conflicts = {.pause_until = NOW, .pause_ms = 4000}, .kind = TF_GO, .text = ""},
    {.name = "a cancellation", .sight = {.cancel_wanted = true, .by = "anna@host"}, .kind = TF_CANCEL, .text = "cancelled by anna@host"},
    {.name = "a critical load", .sight = {.critical = "a.b is 9, the limit is 8", .load = "a.b is 9, the limit is 5"}, .kind = TF_CRITICAL, .text = "a.b is 9, the limit is 8"},
    {.name = "taken over", .sight = {.shut_out = true, .cancel_wanted = true, .pause_wanted = true}, .kind = TF_SHUT_OUT, .text = "another process took the run over"},
    {.name = "a cancellation of what is paused", .sight = {.cancel_wanted = true, .pause_wanted = true, .by = "bert@host"}, .kind = TF_CANCEL, .text = "cancelled by bert@host"},
    {.name = "a critical load of what is paused", .sight = {.critical = "x", .pause_wanted = true}, .kind = TF_CRITICAL, .text = "x"},
    {.name = "everything at once names the request", .sight = {.pause_wanted = true, .by = "anna@host", .pause_file = "f", .load = "l", .majority_lag_ms = 9999, .member_lag_ms = 9999}, .kind = TF_WAIT, .reason = TF_PAUSE_REQUEST, .text = "anna@host asked for it"},
    {.name = "load before lag", .sight = {.load = "l", .majority_lag_ms = 9999, .member_lag_ms = 9999}, .kind = TF_WAIT, .reason = TF_PAUSE_LOAD, .text = "l"},
};

static void throttle__names_the_gravest_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_verdict found;
        tf_throttle_decide(&rows[i].sight, &rows[i].conflicts, LIMIT_MS, NOW, &found);
        if (found.kind != rows[i].kind || found.reason != rows[i].reason || strcmp(found.text, rows[i].text) != 0)
            fail_msg("%s: %d %s '%s'", rows[i].name, found.kind, tf_pause_name(found.reason), found.text);
    }
}

static void throttle__reasons_have_names(void **state)
{
    (void)state;
    for (int i = TF_PAUSE_REQUEST; i < TF_PAUSES; i++) {
        assert_true(*tf_pause_name((tf_pause)i));
        for (int k = TF_PAUSE_NONE; k < i; k++)
            assert_string_not_equal(tf_pause_name((tf_pause)i), tf_pause_name((tf_pause)k));
    }
}

/* ---- conflicts ---- */

static void conflicts__few_of_many_are_borne(void **state)
{
    (void)state;
    tf_conflicts all = {0};
    for (int i = 0; i < 100; i++)
        tf_conflicts_count(&all, 2, i % 5 ? 0 : 1, NOW);
    assert_int_equal(all.pause_until, 0);
}

static void conflicts__half_of_the_attempts_bring_a_rest_that_doubles(void **state)
{
    (void)state;
    tf_conflicts all = {0};
    int64_t now = NOW;
    static const int64_t rests[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        tf_conflicts_count(&all, 9, 9, now); /* too few to judge */
        assert_true(all.pause_until <= now);
        tf_conflicts_count(&all, 1, 0, now);
        assert_int_equal(all.pause_until - now, rests[i]);
        now = all.pause_until;
    }
    tf_conflicts_count(&all, 10, 0, now);
    assert_true(all.pause_until <= now);
    tf_conflicts_count(&all, 10, 5, now);
    assert_int_equal(all.pause_until - now, 1000); /* from the beginning */
}

/* ---- the gate ---- */

typedef struct passer {
    tf_throttle *throttle;
    atomic_int passed;
    atomic_bool quit;
    tf_verdict why;
} passer;

static bool quits(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void *pass(void *arg)
{
    passer *p = arg;
    while (tf_throttle_enter(p->throttle, quits, &p->quit, &p->why)) {
        atomic_fetch_add(&p->passed, 1);
        tf_throttle_leave(p->throttle, 0, 1, 0);
        usleep(1000);
        if (atomic_load(&p->quit))
            return NULL;
    }
    return NULL;
}

static void passes(passer *p, int more)
{
    int before = atomic_load(&p->passed);
    for (int n = 0; n < 10000; n++) {
        if (atomic_load(&p->passed) >= before + more)
            return;
        usleep(1000);
    }
    fail_msg("it does not pass");
}

static void wait_until_still(tf_throttle *t)
{
    tf_verdict ignored;
    for (int n = 0; n < 10000 && !tf_throttle_look(t, &ignored); n++)
        usleep(1000);
    assert_true(tf_throttle_look(t, &ignored));
}

static void gate__holds_while_there_is_a_reason_and_counts_the_time(void **state)
{
    (void)state;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 0);
    passer p = {.throttle = t};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, pass, &p), 0);
    passes(&p, 3);
    tf_throttle_see(t, &(tf_sight){.pause_file = "f"});
    wait_until_still(t);
    int before = atomic_load(&p.passed);
    int64_t begun = tf_clock_ms();
    while (tf_clock_ms() - begun < 120)
        usleep(1000);
    assert_int_equal(atomic_load(&p.passed), before);
    tf_throttle_see(t, &(tf_sight){0});
    passes(&p, 3);
    assert_true(tf_throttle_held_ms(t, TF_PAUSE_FILE) >= 100);
    assert_int_equal(tf_throttle_held_ms(t, TF_PAUSE_REQUEST), 0);
    atomic_store(&p.quit, true);
    pthread_join(thread, NULL);
    tf_throttle_free(t);
}

static void gate__lets_a_waiting_worker_give_up(void **state)
{
    (void)state;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 0);
    passer p = {.throttle = t};
    pthread_t thread;
    tf_throttle_see(t, &(tf_sight){.pause_wanted = true});
    assert_int_equal(pthread_create(&thread, NULL, pass, &p), 0);
    atomic_store(&p.quit, true);
    pthread_join(thread, NULL);
    assert_int_equal(p.passed, 0);
    assert_int_equal(p.why.kind, TF_GO);
    tf_throttle_free(t);
}

static void gate__tells_a_waiting_worker_of_a_cancellation(void **state)
{
    (void)state;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 0);
    passer p = {.throttle = t};
    pthread_t thread;
    tf_throttle_see(t, &(tf_sight){.pause_wanted = true});
    assert_int_equal(pthread_create(&thread, NULL, pass, &p), 0);
    tf_throttle_see(t, &(tf_sight){.pause_wanted = true, .cancel_wanted = true, .by = "anna@host"});
    pthread_join(thread, NULL);
    assert_int_equal(p.passed, 0);
    assert_int_equal(p.why.kind, TF_CANCEL);
    assert_string_equal(p.why.text, "cancelled by anna@host");
    tf_throttle_free(t);
}

/* A worker that is in a batch has not heard of it yet: the run is not paused before it comes out. */
static void gate__is_not_still_while_somebody_is_in_a_batch(void **state)
{
    (void)state;
    tf_verdict verdict;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 0);
    assert_true(tf_throttle_look(t, &verdict));
    assert_true(tf_throttle_enter(t, NULL, NULL, &verdict));
    tf_throttle_see(t, &(tf_sight){.pause_wanted = true});
    assert_false(tf_throttle_look(t, &verdict));
    assert_int_equal(verdict.kind, TF_WAIT);
    tf_throttle_leave(t, 0, 1, 0);
    assert_true(tf_throttle_look(t, &verdict));
    tf_throttle_free(t);
}

static void gate__is_nice_in_proportion_to_the_work(void **state)
{
    (void)state;
    tf_verdict verdict;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 3);
    assert_true(tf_throttle_enter(t, NULL, NULL, &verdict));
    int64_t begun = tf_clock_ms();
    tf_throttle_leave(t, 40, 1, 0);
    assert_true(tf_clock_ms() - begun >= 120);
    assert_true(tf_throttle_held_ms(t, TF_PAUSE_NONE) >= 120);
    tf_throttle_free(t);
}

static void gate__is_not_nice_to_a_run_that_ends(void **state)
{
    (void)state;
    tf_verdict verdict;
    tf_throttle *t = tf_throttle_new(LIMIT_MS, 1000);
    assert_true(tf_throttle_enter(t, NULL, NULL, &verdict));
    tf_throttle_see(t, &(tf_sight){.cancel_wanted = true});
    tf_throttle_leave(t, 1000000, 1, 0); /* 11 days */
    assert_false(tf_throttle_enter(t, NULL, NULL, &verdict));
    tf_throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(throttle__names_the_gravest_reason),
        cmocka_unit_test(throttle__reasons_have_names),
        cmocka_unit_test(conflicts__few_of_many_are_borne),
        cmocka_unit_test(conflicts__half_of_the_attempts_bring_a_rest_that_doubles),
        cmocka_unit_test(gate__holds_while_there_is_a_reason_and_counts_the_time),
        cmocka_unit_test(gate__lets_a_waiting_worker_give_up),
        cmocka_unit_test(gate__tells_a_waiting_worker_of_a_cancellation),
        cmocka_unit_test(gate__is_not_still_while_somebody_is_in_a_batch),
        cmocka_unit_test(gate__is_nice_in_proportion_to_the_work),
        cmocka_unit_test(gate__is_not_nice_to_a_run_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
