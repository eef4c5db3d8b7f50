/*
 * Backups as files under everything that can happen to them: the process dies at any point of an export, an import and a purge, the
 * disk is full, two do the same at once, replies are lost. A folder that has its name is whole; `down` takes a backup whole or not at
 * all; nothing is removed whose manifest is not kept; and the same command again does the rest.
 */
#include "support/backups.h"

#include "fault/fault.h"
#include "support/proxy.h"

enum { TOKENS_HERE = 20, KILLED = 128 + SIGKILL, WRITES_MOST = 60, FAILED_OUTPUT = 1 };

static tf_program *at_point(backups *b, const char *point, const char *const *argv)
{
    char text[160];
    snprintf(text, sizeof text, "TOKENFIX_FAILPOINT=%s", point ? point : "");
    return tf_program_exec(b->f, &(tf_program_options){.argv = argv, .env = (const char *const[]){text, NULL}});
}

static void begin(backups *b)
{
    char path[1024];
    fault_clear(b->f);
    snprintf(path, sizeof path, "%s", b->dir);
    tf_dir_remove(AT_FDCWD, path);
    backups_up(b, TOKENS_HERE);
}

static tf_program *take_back(backups *b)
{
    return tf_program_run(b->f, "down", b->id, "--confirm", "--yes", "--json", NULL);
}

/* ---- export ---- */

/* What has its name is whole; what has not is gone after the next export. */
static void assert_whole_or_absent(backups *b, const char *point)
{
    if (access(b->set, F_OK) != 0)
        return;
    tf_program *p = backup(b, "verify", b->set);
    if (p->status != 0)
        fail_msg("%s: %s%s", point, p->out, p->err);
    if (backups_events(b, "exported") < 1)
        fail_msg("%s: there is a file that the audit trail does not know", point);
}

static void export__that_dies_anywhere_leaves_nothing_by_halves(void **state)
{
    static const char *const points[] = {"backup.before_export", "backup.after_data",  "backup.after_manifest",
                                         "event.before_insert",  "event.after_insert", "backup.after_exported",
                                         "backup.after_name"};
    backups *b = *state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char point[64];
        begin(b);
        const char *const argv[] = {"backup", "export", b->id, "--out", b->dir, NULL};
        snprintf(point, sizeof point, "%s=kill", points[i]);
        assert_exit(at_point(b, point, argv), KILLED);
        assert_whole_or_absent(b, points[i]);
        bool named = access(b->set, F_OK) == 0;
        tf_program *p = at_point(b, NULL, argv);
        assert_exit(p, named ? 2 : 0);
        assert_whole_or_absent(b, points[i]);
        ASSERT_NAMES(b->dir, b->id); /* no part is left */
        assert_true(backups_events(b, "exported") <= 2);
        backups_assert_trail(b);
    }
}

/* Somebody else's part, in which he works, stays; one that is nobody's goes. */
static void export__beside_another_one_leaves_its_part_alone(void **state)
{
    backups *b = *state;
    begin(b);
    const char *const argv[] = {"backup", "export", b->id, "--out", b->dir, "--json", NULL};
    tf_program *first = tf_program_start(
        b->f, &(tf_program_options){.argv = argv,
                                    .env = (const char *const[]){"TOKENFIX_FAILPOINT=backup.after_data=stop", NULL}});
    wait_until_stopped(first);
    assert_exit(at_point(b, NULL, argv), 0);
    assert_int_equal(kill(first->pid, SIGCONT), 0);
    tf_program_wait(first, 60);
    assert_exit(first, 2);
    assert_has(tf_program_text(first, "error.message"), "is there already");
    assert_whole_or_absent(b, "two at once");
    ASSERT_NAMES(b->dir, b->id);
}

/* The n-th write or fsync fails, for every n. */
static void export__onto_a_full_disk_leaves_nothing_by_halves(void **state)
{
    static const char *const kinds[] = {"enospc", "short"};
    backups *b = *state;
    _cleanup_free_ char *real = strdup(tf_program_path(false));
    begin(b);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool harmless = k == 1;
        int succeeded = 0;
        for (int n = 1; n < WRITES_MOST && succeeded < 1; n++) {
            char number[16];
            snprintf(number, sizeof number, "%d", n);
            const char *const argv[] = {kinds[k], number, real, "backup", "export", b->id, "--out", b->dir, NULL};
            setenv("TOKENFIX", TF_FAULTY_WRITE, 1);
            tf_program *p = tf_program_exec(b->f, &(tf_program_options){.argv = argv});
            setenv("TOKENFIX", real, 1);
            if (harmless && p->status != 0)
                fail_msg("%s %d: %s%s", kinds[k], n, p->out, p->err);
            if (p->status != 0 && p->status != FAILED_OUTPUT)
                fail_msg("%s %d: exit %d: %s%s", kinds[k], n, p->status, p->out, p->err);
            succeeded += p->status == 0;
            assert_whole_or_absent(b, kinds[k]);
            if (access(b->set, F_OK) != 0)
                ASSERT_NAMES(b->dir);
            tf_dir_remove(AT_FDCWD, b->set);
        }
        assert_int_equal(succeeded, 1);
    }
}

/* ---- import ---- */

static void import__that_dies_anywhere_is_whole_for_down_or_not_there(void **state)
{
    static const char *const points[] = {"backup.after_mark",      "backup.between_inserts", "backup.before_proof",
                                         "backup.before_imported", "event.before_insert",    "event.after_insert",
                                         "backup.after_imported"};
    backups *b = *state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char point[64];
        begin(b);
        const char *const argv[] = {"backup", "import", b->set, NULL};
        assert_exit(export_it(b), 0);
        backups_lose(b);
        snprintf(point, sizeof point, "%s=kill", points[i]);
        assert_exit(at_point(b, point, argv), KILLED);
        tf_program *p = take_back(b);
        assert_exit(p, i == 0 ? 1 : 7); /* there is no backup at all; or it is not known to be whole */
        assert_int_equal(tf_tokens_wrong(b->f), 0);
        assert_exit(at_point(b, NULL, argv), 0);
        assert_int_equal(backups_held(b), TOKENS_HERE);
        assert_int_equal(tf_fixture_count(b->f, b->f->state_db, "runs", "{\"import\": {\"$exists\": true}}"), 0);
        assert_exit(take_back(b), 0);
        assert_int_equal(tf_tokens_original(b->f), TOKENS_HERE + 2);
        backups_assert_trail(b);
    }
}

/* Two at once insert the same; whoever ends says so, and the backup is whole. */
static void import__beside_another_one_ends_whole(void **state)
{
    backups *b = *state;
    begin(b);
    assert_exit(export_it(b), 0);
    backups_lose(b);
    const char *const argv[] = {"backup", "import", b->set, "--json", NULL};
    tf_program *first = tf_program_start(
        b->f, &(tf_program_options){.argv = argv,
                                    .env = (const char *const[]){"TOKENFIX_FAILPOINT=backup.after_mark=stop", NULL}});
    wait_until_stopped(first);
    assert_exit(at_point(b, NULL, argv), 0);
    assert_int_equal(kill(first->pid, SIGCONT), 0);
    tf_program_wait(first, 60);
    assert_exit(first, 5);
    assert_has(tf_program_text(first, "error.message"), "another process began to import");
    assert_int_equal(backups_held(b), TOKENS_HERE);
    assert_exit(take_back(b), 0);
    assert_int_equal(tf_tokens_original(b->f), TOKENS_HERE + 2);
}

/* The replies to inserts are lost, and the driver does not send them again by itself: what is there is recognised. */
static void import__whose_replies_are_lost_inserts_each_document_once(void **state)
{
    backups *b = *state;
    char uri[sizeof b->f->uri];
    int port = 0;
    tf_proxy proxy;
    char *host = strstr(b->f->uri, "127.0.0.1:"), *set = strstr(b->f->uri, "replicaSet=tokenfix");
    assert_true(host && set && sscanf(host, "127.0.0.1:%d", &port) == 1);
    begin(b);
    assert_exit(export_it(b), 0);
    tf_proxy_start(&proxy, &port, 1);
    snprintf(uri, sizeof uri, "%.*s127.0.0.1:%d/%s?directConnection=true%s&retryWrites=false", (int)(host - b->f->uri),
             b->f->uri, proxy.port[0], b->f->db, set + strlen("replicaSet=tokenfix"));
    for (int count = 1; count <= 3; count += 2) {
        backups_lose(b);
        tf_proxy_say(&proxy, "swallow insert %s 0 %d close", backups_collection(b), count);
        tf_program *p = backup_as(b, uri, "import", b->set);
        assert_exit(p, 0);
        assert_true(tf_proxy_say(&proxy, "swallowed") >= 1);
        tf_proxy_say(&proxy, "heal");
        assert_int_equal(backups_held(b), TOKENS_HERE);
    }
    tf_proxy_stop(&proxy);
    assert_exit(take_back(b), 0);
    assert_int_equal(tf_tokens_original(b->f), TOKENS_HERE + 2);
    backups_assert_trail(b);
}

/* A rollback that was interrupted cannot be resumed before the backup it goes back to is whole. */
static void import__holds_up_an_interrupted_rollback(void **state)
{
    backups *b = *state;
    begin(b);
    assert_exit(export_it(b), 0);
    tf_program *p =
        fault_exec(b->f, "down", "down.before_backup=kill@3", fault_words("--batch-size", "2", "--workers", "1"));
    assert_exit(p, KILLED);
    backups_lose(b);
    const char *const argv[] = {"backup", "import", b->set, "--json", NULL};
    for (int n = 0; n < 600 && (p = at_point(b, "backup.between_inserts=kill", argv))->status == 5; n++)
        usleep(100000); /* until the dead owner is known to be gone */
    assert_exit(p, KILLED);
    p = fault_exec(b->f, "down", NULL, fault_words("--resume"));
    assert_exit(p, 7);
    assert_has(tf_program_text(p, "error.message"), "is being brought back");
    assert_exit(at_point(b, NULL, argv), 0);
    assert_exit(fault_exec(b->f, "down", NULL, fault_words("--resume")), 0);
    assert_int_equal(tf_tokens_original(b->f), TOKENS_HERE + 2);
    fault_assert_proven(b->f);
}

/* The file is exchanged between the examination and the insertion. */
static void import__of_a_file_that_is_exchanged_meanwhile_is_refused(void **state)
{
    backups *b = *state;
    char path[1024];
    size_t length = 0;
    begin(b);
    assert_exit(export_it(b), 0);
    backups_lose(b);
    snprintf(path, sizeof path, "%s/%s/cashu_tokens.bson", b->set, b->f->db);
    char *data = backups_file(path, "", &length);
    const char *const argv[] = {"backup", "import", b->set, "--json", NULL};
    tf_program *p = tf_program_start(
        b->f, &(tf_program_options){.argv = argv,
                                    .env = (const char *const[]){"TOKENFIX_FAILPOINT=backup.after_mark=stop", NULL}});
    wait_until_stopped(p);
    char *at = memmem(data, length, "total_amount", 12);
    at[13] ^= 1;
    backups_write(path, data, length, 0600);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "DAMAGED");
    assert_exit(take_back(b), backups_held(b) ? 7 : 1);
    at[13] ^= 1;
    backups_write(path, data, length, 0600);
    free(data);
    assert_exit(at_point(b, NULL, argv),
                0); /* nothing of the other file is there: each batch was compared before it was inserted */
    assert_exit(take_back(b), 0);
    assert_int_equal(tf_tokens_original(b->f), TOKENS_HERE + 2);
}

/* ---- purge ---- */

static void purge__that_dies_anywhere_keeps_the_manifest_and_is_taken_up(void **state)
{
    static const char *const points[] = {"backup.before_kept", "event.before_insert=kill@2",
                                         "event.after_insert=kill@2", "backup.after_purged", "backup.after_drop"};
    backups *b = *state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char point[64];
        begin(b);
        bool exported = i % 2 == 0;
        if (exported)
            assert_exit(export_it(b), 0);
        const char *const argv[] = {"backup",  "purge",     b->id,   "--dir",  b->dir, exported ? "--files" : "--force",
                                    "--force", "--confirm", "--yes", "--json", NULL};
        const char *const plain[] = {"backup",  "purge",     b->id,   "--dir",  b->dir,
                                     "--force", "--confirm", "--yes", "--json", NULL};
        snprintf(point, sizeof point, "%s%s", points[i], strchr(points[i], '=') ? "" : "=kill");
        assert_exit(at_point(b, point, exported ? argv : plain), KILLED);
        if (backups_held(b) == 0)
            assert_exit(backup(b, "show", b->set), 0);
        tf_program *p = at_point(b, NULL, exported ? argv : plain);
        bool done = !exported && strcmp(points[i], "backup.after_drop") == 0;
        assert_exit(p, done ? 1 : 0);
        assert_int_equal(backups_held(b), 0);
        ASSERT_NAMES(b->set, "manifest.json");
        assert_exit(backup(b, "show", b->set), 0);
        assert_true(backups_events(b, "purged") >= 1);
        backups_assert_trail(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUPS_TEST(export__that_dies_anywhere_leaves_nothing_by_halves),
        BACKUPS_TEST(export__beside_another_one_leaves_its_part_alone),
        BACKUPS_TEST(export__onto_a_full_disk_leaves_nothing_by_halves),
        BACKUPS_TEST(import__that_dies_anywhere_is_whole_for_down_or_not_there),
        BACKUPS_TEST(import__beside_another_one_ends_whole),
        BACKUPS_TEST(import__whose_replies_are_lost_inserts_each_document_once),
        BACKUPS_TEST(import__holds_up_an_interrupted_rollback),
        BACKUPS_TEST(import__of_a_file_that_is_exchanged_meanwhile_is_refused),
        BACKUPS_TEST(purge__that_dies_anywhere_keeps_the_manifest_and_is_taken_up),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
