/*
 * What the server did and nobody was told: a proxy carries requests out and loses the replies. The answer to a commit once,
 * again and again, and with the tool killed while it waits; and that to any other command, at any time.
 */
#include "fault/fault.h"
#include "support/proxy.h"

typedef struct fixture {
    tf_fixture *f;
    tf_proxy proxy;
} fixture;

static bool journal_of(const tf_series *s)
{
    return s->at % 4 >= 2;
}

static const char *const *words_of(bool journal)
{
    static const char *const words[2][5] = {{"--batch-size", "2", "--strategy", "transaction"}, {"--batch-size", "2", "--strategy", "journal"}};
    return words[journal];
}

/* The direction that meets the fault, with everything before it done. */
static const char *prepare(fixture *x, const tf_series *s, bool journal, fault_data *data)
{
    fault_clear(x->f);
    fault_workers = s->workers;
    fault_seed(x->f, data);
    if (s->at % 2 == 0)
        return "up";
    assert_exit(fault_exec(x->f, "up", NULL, words_of(journal)), 0);
    return "down";
}

static void check(fixture *x, const char *direction, const fault_data *data)
{
    tf_proxy_say(&x->proxy, "heal");
    if (strcmp(direction, "up") == 0)
        fault_assert_repaired(x->f, data);
    else
        fault_assert_untouched(x->f, data);
    assert_int_equal(tf_fixture_count(x->f, x->f->state_db, "runs", "{\"active\": true}"), 0);
    fault_assert_proven(x->f);
}

/* Some commit of the run: a batch's, or with the last ones the hand-over's and the end's. */
enum { COMMITS = 24 };

static void lose_commits(fixture *x, tf_series *s, int count)
{
    FAULT_DATA_CLEANUP fault_data data;
    const char *direction = prepare(x, s, false, &data);
    tf_proxy_say(&x->proxy, "swallow commitTransaction * %d %d close", (int)tf_random_below(&s->random, COMMITS), count);
    assert_exit(fault_exec(x->f, direction, NULL, words_of(false)), 0);
    assert_int_equal(tf_proxy_say(&x->proxy, "swallowed"), count);
    check(x, direction, &data);
}

static void lost__commits_reply_once(void **state)
{
    tf_series s = tf_series_begin("commit_reply_once", "reply to a commit lost once; up and down", 5, 100);
    while (tf_series_next(&s))
        lose_commits(*state, &s, 1);
}

static void lost__commits_reply_again_and_again(void **state)
{
    tf_series s = tf_series_begin("commit_reply_repeatedly", "reply to a commit lost 2 to 30 times in a row; up and down", 2, 20);
    while (tf_series_next(&s))
        lose_commits(*state, &s, 2 + (int)tf_random_below(&s.random, tf_series_is_full() ? 29 : 5));
}

static void wait_until_swallowed(fixture *x)
{
    for (int n = 0; n < 12000 && tf_proxy_say(&x->proxy, "swallowed") == 0; n++)
        usleep(5000);
    assert_int_equal(tf_proxy_say(&x->proxy, "swallowed"), 1);
}

static void lost__commits_reply_and_then_the_tool_is_killed(void **state)
{
    fixture *x = *state;
    tf_series s = tf_series_begin("commit_reply_then_kill", "reply to a commit lost, tool killed while it waits; up and down", 2, 20);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        const char *direction = prepare(x, &s, false, &data);
        tf_proxy_say(&x->proxy, "swallow commitTransaction * %d 1 hang", (int)tf_random_below(&s.random, COMMITS));
        tf_program *p = fault_start(x->f, direction, NULL, words_of(false));
        wait_until_swallowed(x);
        assert_int_equal(kill(p->pid, SIGKILL), 0);
        tf_program_wait(p, 0);
        tf_series_recovered(&s, fault_resume_timed(x->f, direction, words_of(false)));
        check(x, direction, &data);
    }
}

/* One to four replies to one kind of command: the driver repeats it once, the tool goes on or stops, resumable; it never takes
 * anything back for it. */
static void lost__replies_to_anything(void **state)
{
    static const char *const commands[] = {"insert", "update", "find", "aggregate", "findAndModify", "commitTransaction", "hello",
                                           "insert", "update"};
    fixture *x = *state;
    tf_series s = tf_series_begin("any_reply", "1 to 4 replies to insert, update, find, … lost; up and down, both strategies", 6, 200);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        const char *direction = prepare(x, &s, journal_of(&s), &data);
        tf_proxy_say(&x->proxy, "swallow %s * %d %d close", commands[tf_random_below(&s.random, sizeof commands / sizeof *commands)],
                     (int)tf_random_below(&s.random, 60), 1 + (int)tf_random_below(&s.random, 4));
        tf_program *p = fault_exec(x->f, direction, NULL, words_of(journal_of(&s)));
        if (p->status != 0 && p->status != 8)
            assert_exit(p, 7);
        tf_proxy_say(&x->proxy, "heal");
        if (p->status != 0)
            fault_go_on(x->f, direction, words_of(journal_of(&s)));
        check(x, direction, &data);
    }
}

static int setup(void **state)
{
    static fixture x;
    void *made = NULL;
    int failed = tf_fixture_setup(&made), port = 0;
    x.f = made;
    char *host = strstr(x.f->uri, "127.0.0.1:"), *set = strstr(x.f->uri, "replicaSet=tokenfix");
    if (failed || !host || !set || sscanf(host, "127.0.0.1:%d", &port) != 1)
        return -1;
    tf_proxy_start(&x.proxy, &port, 1);
    char uri[sizeof x.f->uri];
    snprintf(uri, sizeof uri, "%.*s127.0.0.1:%d/%s?directConnection=true%s", (int)(host - x.f->uri), x.f->uri, x.proxy.port[0], x.f->db,
             set + strlen("replicaSet=tokenfix"));
    memcpy(x.f->uri, uri, sizeof uri);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    fixture *x = *state;
    void *made = x->f;
    int failed = tf_fixture_teardown(&made);
    tf_proxy_stop(&x->proxy);
    return failed;
}

#define LOST_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOST_TEST(lost__commits_reply_once),
        LOST_TEST(lost__commits_reply_again_and_again),
        LOST_TEST(lost__commits_reply_and_then_the_tool_is_killed),
        LOST_TEST(lost__replies_to_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
