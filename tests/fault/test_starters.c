/* Many start at the same moment: exactly one applies, or takes back. */
#include "fault/fault.h"

enum { STARTERS = 40 };

static const char *const by_two[] = {"--batch-size", "2", NULL};

/* Refused: by the one that runs, or because all was done when it came. */
static void assert_refused(const tf_program *p, const char *late)
{
    const char *code = tf_program_text(p, "error.code");
    if (p->status == 5)
        assert_string_equal(code, "LEASE_HELD");
    else {
        assert_exit(p, 1);
        assert_string_equal(code, late);
    }
}

static void starters__of_forty_exactly_one_applies(void **state)
{
    tf_fixture *f = *state;
    tf_series s = tf_series_begin("forty", "40 starters at once: exactly one applies", 2, 20);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        tf_program *p[STARTERS];
        int won = 0;
        bool down = s.at % 2, journal = s.at / 2 % 2;
        const char *const *words = journal ? fault_words("--batch-size", "2", "--strategy", "journal") : by_two;
        fault_clear(f);
        fault_workers = s.workers;
        fault_seed(f, &data);
        if (down)
            assert_exit(fault_exec(f, "up", NULL, words), 0);
        for (int i = 0; i < STARTERS; i++)
            p[i] = fault_start(f, down ? "down" : "up", NULL, words);
        for (int i = 0; i < STARTERS; i++) {
            tf_program_wait(p[i], 240);
            won += p[i]->status == 0;
        }
        assert_int_equal(won, 1);
        for (int i = 0; i < STARTERS; i++)
            if (p[i]->status != 0)
                assert_refused(p[i], down ? "NOTHING_TO_DO" : "COMPLETED");
        assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{}"), down ? 2 : 1);
        if (down) {
            fault_assert_untouched(f, &data);
            fault_assert_balances(f, &data, false);
        } else
            fault_assert_repaired(f, &data);
        fault_assert_proven(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(starters__of_forty_exactly_one_applies)};
    return cmocka_run_group_tests_name("starters", tests, NULL, NULL);
}
