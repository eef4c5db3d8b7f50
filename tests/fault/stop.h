/* What the tests of stopped runs share: small batches, and what a run that was interrupted must be like. */
#ifndef TF_TESTS_STOP_H
#define TF_TESTS_STOP_H

#include "fault/fault.h"

#include <signal.h>

static const char *const stop_by_two[] = {"--batch-size", "2", NULL};
static const char *const stop_by_two_journal[] = {"--batch-size", "2", "--strategy", "journal", NULL};

static inline const char *const *stop_words_of(bool journal)
{
    return journal ? stop_by_two_journal : stop_by_two;
}

static inline void stop_go_on(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 120);
}

/* Interrupted as it should be: resumable, and nobody has to wait for its lease. */
static inline void stop_assert_interrupted(tf_fixture *f, const tf_program *p, const char *direction, int64_t batches)
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

static inline void stop_resume_up(tf_fixture *f, const fault_data *data)
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

#endif
