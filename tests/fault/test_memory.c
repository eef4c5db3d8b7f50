/*
 * The n-th allocation of the program fails, for every n. It may end there (libbson and libmongoc call abort, and so do we), but in no
 * other way; data and records are whole, and who goes on finds nothing lost and nothing done twice.
 */
#include "fault/fault.h"

#include <unistd.h>

enum { TOKENS = 8, PATIENCE_S = 120, EVERY = 5, TODAY = 100, OTHERS = 10 };
enum { ABORTED = 128 + SIGABRT };

typedef enum { UP, DOWN, VERIFY, KINDS } kind;

typedef struct scene {
    const char *name, *what;
    kind kind;
    bool journal;
} scene;

static const scene scenes[] = {
    {"up_transaction", "nth malloc of an up fails", UP, false},
    {"up_journal", "nth malloc of an up by journal fails", UP, true},
    {"down_transaction", "nth malloc of a down fails", DOWN, false},
    {"down_journal", "nth malloc of a down by journal fails", DOWN, true},
    {"verify", "nth malloc of a verify fails", VERIFY, false},
};
enum { SCENES = sizeof scenes / sizeof *scenes };

static const char *const *words(const scene *s)
{
    static const char *const list[2][3] = {{"--strategy", "transaction"}, {"--strategy", "journal"}};
    return list[s->journal];
}

/* Runs the scene's command; the n-th allocation fails. With `count` the number of all goes there. */
static tf_program *run(tf_fixture *f, const scene *s, long n, long *count)
{
    static const char *const commands[KINDS] = {"up", "down", "verify"};
    char *folder = count ? tf_folder_make() : NULL, nth[48], file[512], preload[512];
    const char *argv[16] = {commands[s->kind], "--json"};
    size_t at = 2;
    if (s->kind != VERIFY) {
        argv[at++] = "--confirm";
        argv[at++] = "--yes";
        for (const char *const *word = words(s); *word; word++)
            argv[at++] = *word;
    }
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", TF_FAULTY_MEMORY);
    snprintf(nth, sizeof nth, "TF_FAULTY_MALLOC=%ld", n);
    snprintf(file, sizeof file, "TF_FAULTY_COUNT=%s/count", folder ? folder : "/nowhere");
    /* a fault is the system's to report, not the sanitizer's; what the process holds when it aborts is no leak */
    const char *const env[] = {
        "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0", preload,
        nth, count ? file : "TF_FAULTY_COUNT", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .env = env, .timeout_s = PATIENCE_S});
    if (count) {
        FILE *in = fopen(strchr(file, '=') + 1, "re");
        if (!in || fscanf(in, "%ld", count) != 1)
            fail_msg("the allocations were not counted");
        fclose(in);
        tf_folder_remove(folder);
    }
    return p;
}

static void assert_ended_in_order(const tf_program *p, const scene *s, long n)
{
    static const int known[] = {0, 1, 2, 7, 8, ABORTED};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (p->status == known[i] && !p->timed_out)
            return;
    fail_msg("%s, allocation %ld: exit %d: %s\n%s", s->name, n, p->status, p->out, p->err);
}

/* As before the scene: seeded, and repaired where the scene takes that back or verifies it. */
static void prepare(tf_fixture *f, const scene *s, fault_data *data)
{
    fault_clear(f);
    fault_data_done(data);
    fault_seed_some(f, data, TOKENS);
    if (s->kind != UP)
        assert_exit(fault_exec(f, "up", NULL, words(s)), 0);
}

/* Goes on where something was begun. True: all is as before the scene, and the next one need not be prepared. */
static bool finish(tf_fixture *f, const scene *s, const fault_data *data)
{
    const char *direction = s->kind == DOWN ? "down" : "up";
    _cleanup_(bson_destroyp) bson_t *begun = fault_newest(f, direction);
    if (s->kind == VERIFY || bson_empty(begun)) {
        if (s->kind == UP)
            fault_assert_untouched(f, data);
        else
            fault_assert_repaired(f, data);
        return true;
    }
    fault_go_on(f, direction, words(s));
    if (s->kind == UP)
        fault_assert_repaired(f, data);
    else {
        fault_assert_untouched(f, data);
        fault_assert_balances(f, data, false);
    }
    if (tf_series_is_full()) /* a resume has proven it itself */
        fault_assert_proven(f);
    return false;
}

/* In steps of five, from anywhere. `times`: of a quick run. */
static void every_allocation_fails(tf_fixture *f, const scene *what, int times)
{
    FAULT_DATA_CLEANUP fault_data data = {0};
    long count = 0;
    prepare(f, what, &data);
    assert_exit(run(f, what, 0, &count), 0);
    assert_true(count > 100);
    count += count % EVERY == 0; /* so that steps of five come to every one */
    tf_series s = tf_series_begin(what->name, what->what, times, (int)count);
    for (bool prepared = false; tf_series_next(&s);) {
        long n = 1 + (long)s.at * EVERY % count;
        fault_workers = s.workers;
        if (prepared)
            tf_fixture_forget(f);
        else
            prepare(f, what, &data);
        assert_ended_in_order(run(f, what, n, NULL), what, n);
        prepared = finish(f, what, &data);
    }
}

static void memory__may_fail_anywhere(void **state)
{
    const char *rotation = getenv("TF_FAULT_ROTATION");
    long today = rotation && *rotation >= '0' && *rotation <= '9' ? atol(rotation) : (long)(time(NULL) / 86400);
    for (int i = 0; i < SCENES; i++)
        every_allocation_fails(*state, &scenes[i], i == today % SCENES ? TODAY : OTHERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(memory__may_fail_anywhere)};
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
