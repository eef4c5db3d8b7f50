/* tokenfix history --archive: the old part of the audit trail is exported, its head kept, then it is removed. */
#include "base/clock.h"
#include "support/documents.h"
#include "support/role.h"
#include "support/tokens.h"
#include "support/trail.h"

#include <sys/stat.h>
#include <unistd.h>

enum { OLD = 10, DAY = 86400 };

typedef struct scene {
    tf_fixture *f;
    char *folder, file[256], second[256];
} scene;

static int setup(void **state)
{
    static scene s;
    void *made = NULL;
    int failed = tf_fixture_setup(&made);
    s = (scene){.f = made, .folder = tf_folder_make()};
    snprintf(s.file, sizeof s.file, "%s/old.jsonl", s.folder);
    snprintf(s.second, sizeof s.second, "%s/later.jsonl", s.folder);
    *state = &s;
    return failed;
}

static int teardown(void **state)
{
    scene *s = *state;
    void *made = s->f;
    tf_folder_remove(s->folder);
    return tf_fixture_teardown(&made);
}

#define TRAIL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define history(s, ...) tf_program_run((s)->f, "history", "--json", ##__VA_ARGS__, NULL)
#define archive(s, file, age, ...) history((s), "--archive", (file), "--older-than", (age), ##__VA_ARGS__)
#define archive_it(s, file, age, ...) archive((s), (file), (age), "--confirm", "--yes", ##__VA_ARGS__)

static int64_t events(scene *s, const char *filter)
{
    return tf_fixture_count(s->f, s->f->state_db, "events", filter);
}

/* A chain of OLD events, the newest of them so many days old, each a day older than the next. */
static void plant(scene *s, int youngest)
{
    TF_LINKS_CLEANUP tf_links links = {0};
    int64_t at = tf_clock_wall_ms() - (int64_t)(youngest + OLD - 1) * DAY * 1000 - 3600 * 1000;
    tf_links_make(&links, OLD, 1, NULL, at, NULL, 0);
    for (size_t i = 0; i < links.count; i++)
        assert_true(tf_documents_insert(s->f, s->f->state_db, "events", links.events[i]));
}

static void assert_whole(const tf_program *p)
{
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.intact"));
}

static void archive__exports_keeps_the_head_and_removes(void **state)
{
    scene *s = *state;
    struct stat about;
    char head[128];
    tf_tokens_fill(s->f, 5);
    plant(s, 2); /* ten events, two to eleven days old */
    assert_exit(tf_up(s->f), 0);
    int64_t before = events(s, "{}");
    snprintf(head, sizeof head, "%s", tf_program_text(history(s, "--verify"), "data.head"));
    tf_program *p = archive_it(s, s->file, "5d"); /* those of day 5 to 11 */
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.first"), 1);
    assert_int_equal(tf_program_number(p, "data.last"), 7);
    assert_int_equal(tf_program_number(p, "data.removed"), 7);
    assert_int_equal(tf_program_number(p, "data.kept"), 8);
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 7}}"), 0);
    assert_int_equal(events(s, "{}"), before - 7 + 2); /* confirmed, archived */
    assert_int_equal(events(s, "{\"type\": \"archived\", \"data.upto\": 7, \"data.count\": 7, \"data.file\": \"old.jsonl\"}"), 1);
    assert_int_equal(stat(s->file, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);

    tf_program *v = history(s, "--verify", "--head", head);
    assert_whole(v);
    assert_int_equal(tf_program_number(v, "data.first"), 8);
    assert_int_equal(tf_program_number(v, "data.archived.upto"), 7);
    assert_int_equal(tf_program_number(v, "data.archived.leftOver"), 0);
    assert_string_equal(tf_program_text(v, "data.archived.sha256"), tf_program_text(p, "data.sha256"));
    v = history(s, "--verify", "--file", s->file, "--head", tf_program_text(p, "data.head"));
    assert_whole(v);
    assert_int_equal(tf_program_number(v, "data.events"), 7);
    v = history(s, "--verify", "--head", tf_program_text(p, "data.head")); /* the last that went */
    assert_whole(v);
    assert_true(tf_program_flag(v, "data.headCompared"));

    p = archive_it(s, s->second, "3d");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.first"), 8);
    assert_int_equal(tf_program_number(p, "data.last"), 9);
    assert_whole(history(s, "--verify"));
    v = history(s, "--verify", "--file", s->second);
    assert_whole(v);
    assert_int_equal(tf_program_number(v, "data.first"), 8);
    v = tf_program_run(s->f, "history", "--verify", NULL);
    assert_has(v->out, "archived");
    assert_has(v->out, "later.jsonl");
}

static void archive__of_nothing_old_does_nothing(void **state)
{
    scene *s = *state;
    plant(s, 2);
    tf_program *p = archive_it(s, s->file, "1y");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.events"), 0);
    assert_int_not_equal(access(s->file, F_OK), 0);
    assert_int_equal(events(s, "{}"), OLD);
}

static void archive__needs_confirmation(void **state)
{
    scene *s = *state;
    plant(s, 2);
    tf_program *p = archive(s, s->file, "5d");
    assert_exit(p, 4);
    assert_int_equal(tf_program_number(p, "error.preview.last"), 7);
    p = tf_program_run(s->f, "history", "--archive", s->file, "--older-than", "5d", NULL);
    assert_exit(p, 4);
    assert_has(p->out, "events 1 to 7");
    p = archive(s, s->file, "5d", "--confirm");
    assert_exit(p, 4);
    assert_int_not_equal(access(s->file, F_OK), 0);
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 10}}"), OLD);
    assert_int_equal(events(s, "{\"type\": \"not_confirmed\", \"data.command\": \"history --archive\"}"), 3);
    const char *const argv[] = {"history", "--archive", s->file, "--older-than", "5d", "--confirm", NULL};
    p = tf_program_exec(s->f, &(tf_program_options){.argv = argv, .env = (const char *const[]){"CONFIRM_MIGRATION=yes", NULL}});
    assert_exit(p, 0);
    assert_has(p->out, "events 1 to 7");
    assert_int_equal(events(s, "{\"type\": \"confirmed\", \"data.by\": \"CONFIRM_MIGRATION\"}"), 1);
}

static void archive__leaves_the_events_of_unfinished_runs(void **state)
{
    scene *s = *state;
    tf_tokens_fill(s->f, 15);
    plant(s, 2);
    tf_program *up = tf_up(s->f, "--canary", "5");
    assert_exit(up, 7);
    tf_program *p = archive_it(s, s->file, "0s");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.keptFor"), tf_program_text(up, "data.run"));
    assert_int_equal(tf_program_number(p, "data.last"), OLD + 1); /* and the confirmation, which has no run */
    assert_int_equal(events(s, "{\"type\": \"up_started\"}"), 1);
    assert_exit(tf_up(s->f, "--resume"), 0);
    assert_exit(tf_program_run(s->f, "verify", NULL), 0);
    assert_whole(history(s, "--verify"));
}

/* An exported file fits the trail as an archive that died does: that is no reason to remove what is not old enough. */
static void archive__into_an_exported_file_removes_nothing_that_is_to_stay(void **state)
{
    scene *s = *state;
    tf_tokens_fill(s->f, 15);
    plant(s, 2);
    assert_exit(history(s, "--export", s->file), 0);
    tf_program *p = archive_it(s, s->file, "5d");
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "event 8, which is not old enough");
    assert_int_equal(events(s, "{}"), OLD + 1); /* and that it was exported */
    assert_exit(archive_it(s, s->file, "1d"), 0); /* all of them are */
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 10}}"), 0);
    tf_program *up = tf_up(s->f, "--canary", "5");
    assert_exit(up, 7);
    assert_exit(history(s, "--export", s->second), 0);
    int64_t before = events(s, "{}");
    p = archive_it(s, s->second, "0s");
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), tf_program_text(up, "data.run"));
    assert_int_equal(events(s, "{}"), before);
    assert_whole(history(s, "--verify"));
}

/* What a head that was kept names has gone: whoever has the database can say that it was archived. */
static void verify__of_a_head_that_was_archived_asks_for_the_file(void **state)
{
    scene *s = *state;
    char head[128];
    plant(s, 12);
    assert_exit(archive_it(s, s->file, "15d"), 0);
    snprintf(head, sizeof head, "%s", tf_program_text(history(s, "--verify", "--file", s->file), "data.head"));
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 7}}"), 0);
    assert_whole(history(s, "--verify", "--head", head));
    assert_exit(archive_it(s, s->second, "13d"), 0);
    tf_program *p = history(s, "--verify", "--head", head);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "archived");
    assert_int_equal(tf_program_number(p, "data.break.event"), 7);
    assert_false(tf_program_flag(p, "data.headCompared"));
    p = tf_program_run(s->f, "history", "--verify", "--head", head, NULL);
    assert_exit(p, 3);
    assert_has(p->out, "NOT PROVEN back to event 7");
    assert_has(p->out, "later.jsonl");
    assert_whole(history(s, "--verify", "--file", s->file, "--head", head));
    assert_whole(history(s, "--verify", "--file", s->second, "--head", head)); /* the last before it */
    head[strlen(head) - 1] = head[strlen(head) - 1] == '0' ? '1' : '0'; /* another digit */
    p = history(s, "--verify", "--file", s->second, "--head", head);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "witness");
    head[0] = '6';
    p = history(s, "--verify", "--file", s->second, "--head", head);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "archived");
}

/* Somebody without the key says that all was archived, and waits until the next signed events stand behind it. */
static void verify__of_an_archive_that_nobody_signed_is_a_break(void **state)
{
    scene *s = *state;
    char key[300], public[300];
    snprintf(key, sizeof key, "%s/trail.key", s->folder);
    snprintf(public, sizeof public, "%s/trail.key.pub", s->folder);
    assert_exit(tf_program_run(s->f, "history", "--make-key", key, NULL), 0);
    tf_tokens_fill(s->f, 5);
    plant(s, 2);
    assert_exit(archive_it(s, s->file, "1d"), 0); /* `confirmed`, `archived` */
    assert_exit(tf_up(s->f, "--sign-key", key), 0);
    tf_program *p = history(s, "--verify", "--public-key", public);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "unsigned");
    assert_int_equal(tf_program_number(p, "data.break.event"), OLD + 2);
    assert_whole(history(s, "--verify"));
    assert_exit(archive_it(s, s->second, "0s", "--sign-key", key), 0);
    assert_whole(history(s, "--verify", "--public-key", public));
}

static void archive__of_a_broken_trail_is_refused(void **state)
{
    scene *s = *state;
    plant(s, 2);
    _cleanup_(bson_destroyp) bson_t *command =
        bson_new_from_json((const uint8_t *)"{\"delete\": \"events\", \"deletes\": [{\"q\": {\"_id\": 9}, \"limit\": 1}]}", -1, NULL);
    assert_true(mongoc_client_command_simple(s->f->client, s->f->state_db, command, NULL, NULL, NULL));
    tf_program *p = archive_it(s, s->file, "5d");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "DAMAGED");
    assert_has(tf_program_text(p, "error.message"), "event 9");
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 10}}"), OLD - 1);
    assert_int_not_equal(access(s->file, F_OK), 0);
}

static void archive__never_writes_over_another_file(void **state)
{
    scene *s = *state;
    plant(s, 2);
    FILE *file = fopen(s->file, "we");
    fputs("mine\n", file);
    fclose(file);
    tf_program *p = archive_it(s, s->file, "5d");
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "is there already");
    assert_int_equal(symlink(s->file, s->second), 0);
    assert_exit(archive_it(s, s->second, "5d"), 2);
    assert_int_equal(events(s, "{}"), OLD);
    struct stat about;
    assert_int_equal(stat(s->file, &about), 0);
    assert_int_equal(about.st_size, 5);
    /* an exported trail of somebody else is no archive of this one either */
    unlink(s->second);
    unlink(s->file);
    assert_exit(history(s, "--export", s->file), 0);
    _cleanup_(bson_destroyp) bson_t *drop = BCON_NEW("drop", "events");
    assert_true(mongoc_client_command_simple(s->f->client, s->f->state_db, drop, NULL, NULL, NULL));
    plant(s, 4);
    assert_exit(archive_it(s, s->file, "5d"), 2);
}

static void verify__of_an_archived_run_says_so(void **state)
{
    scene *s = *state;
    tf_tokens_fill(s->f, 5);
    tf_program *up = tf_up(s->f);
    assert_exit(up, 0);
    tf_program *p = tf_program_run(s->f, "verify", "--json", NULL);
    assert_exit(p, 0);
    assert_false(tf_program_has(p, "data.archived.upto"));
    assert_exit(archive_it(s, s->file, "0s"), 0);
    assert_int_equal(events(s, "{\"type\": \"up_completed\"}"), 0);
    p = tf_program_run(s->f, "verify", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.ok"));
    assert_string_equal(tf_program_text(p, "data.archived.file"), "old.jsonl");
    p = tf_program_run(s->f, "verify", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "archived");
    assert_has_not(p->out, "Findings");
    assert_whole(history(s, "--verify"));
    assert_exit(tf_down(s->f), 0);
    assert_exit(tf_program_run(s->f, "verify", NULL), 0);
    assert_whole(history(s, "--verify"));
    /* with neither archive nor event it is tampering */
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json(
        (const uint8_t *)"{\"delete\": \"events\", \"deletes\": [{\"q\": {\"type\": \"down_completed\"}, \"limit\": 0}]}", -1, NULL);
    assert_true(mongoc_client_command_simple(s->f->client, s->f->state_db, command, NULL, NULL, NULL));
    assert_exit(tf_program_run(s->f, "verify", NULL), 3);
}

static void archive__needs_the_role_that_removes(void **state)
{
    scene *s = *state;
    char run[1024], purge[1024];
    plant(s, 2);
    fill(s->f);
    create_printed_role(s->f, "run", run, sizeof run);
    create_printed_role(s->f, "purge", purge, sizeof purge);
    tf_program *p = AS(s->f, run, "history", "--archive", s->file, "--older-than", "5d", "--confirm", "--yes");
    assert_exit(p, 8);
    assert_has(p->err, "'remove'");
    assert_int_not_equal(access(s->file, F_OK), 0);
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 10}}"), OLD);
    SUCCEEDS(s->f, purge, "history", "--archive", s->file, "--older-than", "5d", "--confirm", "--yes");
    assert_int_equal(events(s, "{\"_id\": {\"$lte\": 10}}"), OLD - 7);
    SUCCEEDS(s->f, purge, "history", "--verify");
    SUCCEEDS(s->f, run, "history", "--verify");
}

static int role_scene_teardown(void **state)
{
    scene *s = *state;
    void *made = s->f;
    tf_folder_remove(s->folder);
    return role_teardown(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAIL_TEST(archive__exports_keeps_the_head_and_removes),
        TRAIL_TEST(archive__of_nothing_old_does_nothing),
        TRAIL_TEST(archive__needs_confirmation),
        TRAIL_TEST(archive__leaves_the_events_of_unfinished_runs),
        TRAIL_TEST(archive__into_an_exported_file_removes_nothing_that_is_to_stay),
        TRAIL_TEST(verify__of_a_head_that_was_archived_asks_for_the_file),
        TRAIL_TEST(verify__of_an_archive_that_nobody_signed_is_a_break),
        TRAIL_TEST(archive__of_a_broken_trail_is_refused),
        TRAIL_TEST(archive__never_writes_over_another_file),
        TRAIL_TEST(verify__of_an_archived_run_says_so),
        cmocka_unit_test_setup_teardown(archive__needs_the_role_that_removes, setup, role_scene_teardown),
    };
    return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
