/*
 * An owner that is stopped beyond its lease, taken over, and continued: what it does then changes nothing. Promised by the
 * transaction strategy; test_lease.c has the points of the journal.
 */
#include "fault/fault.h"
#include "support/documents.h"

#include <signal.h>

static const char *const points[] = {"before_advance", "after_advance", "before_backup", "after_backup", "after_write",
                                     "after_check",    "after_record",  "before_commit", "after_commit"};
enum { POINTS = sizeof points / sizeof *points, LATEST = 12 };

static const char *const by_two[] = {"--batch-size", "2", NULL};

static void wake(tf_program *p)
{
    assert_int_equal(kill(p->pid, SIGCONT), 0);
}

/* Its lease ends now, by the server's clock. */
static void end_lease(tf_fixture *f)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *runs = fault_collection(f, f->state_db, "runs");
    _cleanup_(bson_destroyp) bson_t *which = BCON_NEW("active", BCON_BOOL(true)),
                                    *set = BCON_NEW("$set", "{", "lease.until", BCON_DATE_TIME(1000), "}");
    bson_error_t error;
    if (!mongoc_collection_update_one(runs, which, set, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* Everything that a batch writes. */
typedef struct picture {
    tf_docs tokens, batches, backup;
} picture;

static void picture_done(picture *p)
{
    tf_docs_done(&p->tokens);
    tf_docs_done(&p->batches);
    tf_docs_done(&p->backup);
}

static void take(tf_fixture *f, const char *direction, picture *p)
{
    char backup[96];
    _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, direction);
    snprintf(backup, sizeof backup, "backup_%s", fault_text(run, "_id"));
    tf_documents_read(f, NULL, "cashu_tokens", &p->tokens);
    tf_documents_read(f, f->state_db, "batches", &p->batches);
    tf_documents_read(f, f->state_db, backup, &p->backup);
}

static void assert_shut_out(const tf_program *owner)
{
    assert_exit(owner, 7);
    assert_string_equal(tf_program_text(owner, "error.code"), "LEASE_LOST");
}

/* The next owner has fenced it and stands still: whatever is written now, the former one wrote. */
static void zombie_alone(tf_fixture *f, const char *direction, tf_program *owner)
{
    _cleanup_(picture_done) picture before = {0}, after = {0};
    tf_program *next = fault_start(f, direction, "resume.after_fence=stop", fault_words("--resume"));
    wait_until_stopped(next);
    take(f, direction, &before);
    wake(owner);
    tf_program_wait(owner, 0);
    assert_shut_out(owner);
    take(f, direction, &after);
    tf_documents_same(&after.tokens, &before.tokens, "the zombie changed the collection");
    tf_documents_same(&after.batches, &before.batches, "the zombie committed");
    tf_documents_same(&after.backup, &before.backup, "the zombie wrote the backup");
    wake(next);
    tf_program_wait(next, 0);
    assert_exit(next, 0);
}

/* Both work at the same time. */
static void zombie_beside_the_next(tf_fixture *f, const char *direction, tf_program *owner, tf_random *random)
{
    char point[64];
    snprintf(point, sizeof point, "%s.%s=stop@%d", direction, points[tf_random_below(random, POINTS - 2)],
             1 + (int)tf_random_below(random, LATEST));
    tf_program *next = fault_start(f, direction, point, fault_words("--resume"));
    wait_until_stopped(next);
    wake(owner);
    wake(next);
    tf_program_wait(next, 0);
    tf_program_wait(owner, 0);
    assert_exit(next, 0);
    assert_shut_out(owner);
}

static void zombie__commits_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_series s = tf_series_begin("commits_nothing", "owner stopped beyond its lease, taken over, continued: zombie commits", 5, 100);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        char stop[64];
        bool down = tf_random_below(&s.random, 3) == 0, alone = tf_random_below(&s.random, 2);
        const char *direction = down ? "down" : "up", *point = points[tf_random_below(&s.random, POINTS)];
        bool commit = strstr(point, "commit");
        fault_clear(f);
        fault_workers = s.workers;
        fault_seed(f, &data);
        if (down)
            assert_exit(fault_exec(f, "up", NULL, by_two), 0);
        /* the first commit of a rollback is its hand-over */
        snprintf(stop, sizeof stop, "%s.%s=stop@%d", commit ? "txn" : direction, point, (commit && down ? 2 : 1) + (int)tf_random_below(&s.random, LATEST));
        print_message("%s, %s\n", stop, alone ? "alone" : "beside the next");
        tf_program *owner = fault_start(f, direction, stop, by_two);
        wait_until_stopped(owner);
        end_lease(f);
        if (alone)
            zombie_alone(f, direction, owner);
        else
            zombie_beside_the_next(f, direction, owner, &s.random);
        if (down)
            fault_assert_untouched(f, &data);
        else
            fault_assert_repaired(f, &data);
        fault_assert_proven(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(zombie__commits_nothing)};
    return cmocka_run_group_tests_name("zombie", tests, NULL, NULL);
}
