/* tokenfix backup purge, and up --export. */
#include "support/backups.h"

static void assert_refused(tf_program *p, int status, const char *why)
{
    assert_exit(p, status);
    assert_has(tf_program_text(p, "error.message"), why);
}

static tf_program *down_as(backups *b)
{
    return AS(b->f, b->run[0] ? b->run : b->f->uri, "down", b->id, "--confirm", "--yes", "--json");
}

/* ---- purge ---- */

static void purge__refuses_what_can_still_be_needed(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    backups_roles(b);
    tf_program *p = purge_it(b, "--confirm", "--yes");
    assert_refused(p, 1, "it can still be taken back");
    assert_string_equal(tf_program_text(p, "error.code"), "NEEDED");
    assert_int_equal(backups_held(b), 20);
    assert_exit(down_as(b), 0);
    p = purge_it(b, "--confirm", "--yes"); /* it was taken back: the documents stand as before */
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.dropped"));
    assert_int_equal(tf_fixture_count(b->f, b->f->state_db, "events",
                                      "{\"type\": \"purged\", \"data.forced\": false, \"data.documents\": 20}"),
                     1);
    ASSERT_NAMES(b->dir, b->id);
    ASSERT_NAMES(b->set, "manifest.json"); /* written, since there was none */
    p = backup(b, "show", b->set);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.documents"), 20);
    assert_refused(purge_it(b, "--confirm", "--yes"), 1, "is not in the database");
    assert_string_equal(tf_program_text(backup(b, "list", "--dir", b->dir), "data.backups.1.backup"), "purged");
    assert_string_equal(tf_program_text(backup(b, "list", "--dir", b->dir), "data.backups.1.file"), "manifest only");
    assert_refused(backup(b, "verify", b->set), 1, "holds a manifest only");
    assert_refused(import_it(b), 1, "holds a manifest only");
    backups_assert_trail(b);
}

static void purge__with_force_removes_it_and_import_brings_it_back(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    backups_roles(b);
    assert_exit(export_it(b), 0);
    tf_program *p = purge_it(b, "--force", "--confirm", "--yes");
    assert_exit(p, 0);
    assert_int_equal(backups_held(b), 0);
    assert_int_equal(backups_events(b, "purged"), 1);
    assert_exit(down_as(b), 1);
    assert_exit(import_it(b), 0);
    assert_exit(down_as(b), 0);
    backups_assert_trail(b);
}

static void purge__of_the_files_keeps_the_manifest(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    backups_roles(b);
    assert_exit(export_it(b, "--gzip"), 0);
    assert_exit(down_as(b), 0);
    tf_program *p = purge_it(b, "--files", "--confirm", "--yes");
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.removed"));
    assert_true(tf_program_flag(p, "data.dropped"));
    ASSERT_NAMES(b->set, "manifest.json");
    assert_int_equal(backups_held(b), 0);
    assert_refused(purge_it(b, "--files", "--confirm", "--yes"), 1, "nor in a file");
}

static void purge__needs_confirmation_and_the_role(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    backups_roles(b);
    tf_program *p = purge_it(b, "--force");
    assert_exit(p, 4);
    assert_true(tf_program_flag(p, "error.preview.inDatabase"));
    assert_exit(purge_it(b, "--force", "--confirm"), 4);
    p = AS(b->f, b->purge, "backup", "purge", b->id, "--dir", b->dir, "--force");
    assert_exit(p, 4);
    assert_has(p->out, "It can still be needed");
    p = backup(b, "purge", b->id, "--dir", b->dir, "--force", "--confirm", "--yes"); /* as who repairs */
    assert_refused(p, 8, "dropCollection");
    assert_int_equal(access(b->dir, F_OK), -1); /* nothing was written before that */
    assert_int_equal(backups_held(b), 20);
    assert_int_equal(backups_events(b, "purged"), 0);
    assert_exit(backup_as(b, b->purge, "purge", b->id, "--dir", "/proc", "--force", "--confirm", "--yes"),
                1); /* no manifest, no removal */
    assert_int_equal(backups_held(b), 20);
    assert_refused(backup_as(b, b->purge, "purge", "20200101t000000-004-000000"), 2, "no run");
}

static void purge__never_takes_what_a_run_works_with(void **state)
{
    backups *b = *state;
    char first[64], second[64];
    backups_up(b, 20);
    snprintf(first, sizeof first, "%s", b->id);
    tf_program *up = backups_paused_up(b);
    _cleanup_(bson_destroyp) bson_t *live = BCON_NEW("aggregate", "runs", "pipeline", "[", "{", "$match", "{", "active",
                                                     BCON_BOOL(true), "}", "}", "]", "cursor", "{", "}");
    bson_t reply;
    bson_iter_t iter, at;
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, live, NULL, &reply, NULL));
    assert_true(bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0._id", &at));
    snprintf(second, sizeof second, "%s", bson_iter_utf8(&at, NULL));
    bson_destroy(&reply);
    backups_named(b, second);
    assert_refused(purge_it(b, "--force", "--confirm", "--yes"), 5, "is under way");
    assert_refused(backup(b, "export", second, "--out", b->dir), 5, "is under way");
    backups_named(b, first);
    assert_exit(export_it(b, first), 0); /* an older one is exported all the same */
    backups_continue(b, up);
}

/* An interrupted rollback goes back to the backup of the run that it takes back. */
static void purge__of_what_an_interrupted_rollback_needs_is_refused(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    const char *const argv[] = {"down", "--confirm", "--yes", "--batch-size", "3", NULL};
    tf_program *p = tf_program_exec(
        b->f, &(tf_program_options){
                  .argv = argv, .env = (const char *const[]){"TOKENFIX_FAILPOINT=down.before_backup=kill@2", NULL}});
    assert_exit(p, 128 + SIGKILL);
    assert_refused(purge_it(b, "--confirm", "--yes"), 1, "has not come to its end");
    assert_exit(tf_program_run(b->f, "down", "--resume", "--confirm", "--yes", NULL), 0);
    assert_exit(purge_it(b, "--confirm", "--yes"), 0);
}

/* ---- up --export ---- */

static void up__exports_at_once(void **state)
{
    backups *b = *state;
    char option[600], key[512];
    snprintf(option, sizeof option, "--export=%s", b->dir);
    snprintf(key, sizeof key, "%s/key", b->folder);
    backups_write(key, "0123456789abcdef0123456789abcdef", 32, 0600);
    tf_tokens_sample(b->f, 20);
    tf_program *p = tf_up(b->f, option, "--encrypt", "--key-file", key, "--gzip");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.export.documents"), 20);
    backups_named(b, tf_program_text(p, "data.run"));
    assert_string_equal(tf_program_text(p, "data.export.folder"), b->set);
    assert_exit(backup(b, "verify", b->set, "--key-file", key), 0);
    tf_tokens_insert(b->f, 5001, 5, "npub1anna", "unspent");
    p = tf_program_run(b->f, "up", "--again", "--confirm", "--yes", option, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "exported");
    backups_assert_trail(b);
}

static void up__that_cannot_export_says_so_before_it_begins(void **state)
{
    backups *b = *state;
    tf_tokens_fill(b->f, 5);
    assert_refused(tf_up(b->f, "--gzip"), 2, "needs '--export'");
    assert_refused(tf_up(b->f, "--encrypt"), 2, "needs '--export'");
    assert_refused(tf_up(b->f, "--export=/proc/nowhere/at/all"), 2, "there is no");
    assert_refused(tf_up(b->f, "--export=/tmp"), 2, "others can write");
    assert_int_equal(tf_tokens_wrong(b->f), 5);
    assert_int_equal(tf_runs(b->f), 0);
}

/* The repair stands, and is told, though the export failed. */
static void up__whose_export_fails_is_completed(void **state)
{
    backups *b = *state;
    char option[600];
    snprintf(option, sizeof option, "--export=%s", b->dir);
    tf_tokens_fill(b->f, 5);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", option, NULL};
    tf_program *p = tf_program_start(
        b->f, &(tf_program_options){
                  .argv = argv, .env = (const char *const[]){"TOKENFIX_FAILPOINT=backup.before_export=stop", NULL}});
    int64_t waits = 0;
    while (tf_fixture_count(b->f, b->f->state_db, "runs", "{\"state\": \"completed\"}") == 0 && waits++ < 3000)
        usleep(20000);
    assert_int_equal(chmod(b->dir, 0777), 0);
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    for (int n = 0; n < 3000 && !strstr(line, ") T"); n++) {
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        fclose(file);
        usleep(10000);
    }
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_refused(p, 2, "others can write");
    assert_has(tf_program_text(p, "error.hint"), "The repair is completed");
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), 5);
    assert_int_equal(tf_tokens_wrong(b->f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUPS_TEST(purge__refuses_what_can_still_be_needed),
        BACKUPS_TEST(purge__with_force_removes_it_and_import_brings_it_back),
        BACKUPS_TEST(purge__of_the_files_keeps_the_manifest),
        BACKUPS_TEST(purge__needs_confirmation_and_the_role),
        BACKUPS_TEST(purge__never_takes_what_a_run_works_with),
        BACKUPS_TEST(purge__of_what_an_interrupted_rollback_needs_is_refused),
        BACKUPS_TEST(up__exports_at_once),
        BACKUPS_TEST(up__that_cannot_export_says_so_before_it_begins),
        BACKUPS_TEST(up__whose_export_fails_is_completed),
    };
    return cmocka_run_group_tests_name("backup_purge", tests, NULL, NULL);
}
