/*
 * The audit trail under everything that can happen to it: many writers at once, replies that are lost, a primary that goes, deaths in
 * the middle of an archive. Afterwards it is one chain, each event stands there once, and nothing was removed that is not exported.
 */
#include "fault/fault.h"
#include "support/documents.h"
#include "support/proxy.h"
#include "support/trail.h"

#include <sys/stat.h>

static int64_t events(tf_fixture *f, const char *filter)
{
    return tf_fixture_count(f, f->state_db, "events", filter);
}

static void assert_whole(tf_fixture *f, int64_t count)
{
    tf_program *p = tf_program_run(f, "history", "--verify", "--json", NULL);
    assert_exit(p, 0);
    if (count >= 0)
        assert_int_equal(tf_program_number(p, "data.events"), count);
}

/* No event stands there twice. */
static void assert_each_once(tf_fixture *f)
{
    char json[256];
    snprintf(json, sizeof json, "{\"aggregate\": \"events\", \"cursor\": {}, \"pipeline\": [{\"$group\": {\"_id\": \"$id\", \"n\": {\"$sum\": 1}}},"
                                " {\"$match\": {\"n\": {\"$gt\": 1}}}]}");
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    bson_t reply;
    bson_iter_t iter, at;
    bool asked = false;
    for (int n = 0; n < 5 && !asked; n++) { /* the client may have the former primary still */
        asked = mongoc_client_command_simple(f->client, f->state_db, command, NULL, &reply, NULL);
        if (!asked)
            bson_destroy(&reply);
    }
    assert_true(asked);
    assert_true(bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch", &at));
    assert_false(bson_iter_recurse(&at, &iter) && bson_iter_next(&iter));
    bson_destroy(&reply);
}

/* ---- writers ---- */

static void trail__of_many_writers_at_once_is_one_chain(void **state)
{
    enum { WRITERS = 20, ROUNDS = 2 };
    tf_fixture *f = *state;
    tf_program *programs[WRITERS];
    tf_tokens_fill(f, 3);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < WRITERS; i++)
            programs[i] = tf_program_start(f, &(tf_program_options){.argv = (const char *const[]){"pause", NULL}});
        for (int i = 0; i < WRITERS; i++) {
            tf_program_wait(programs[i], 120);
            assert_exit(programs[i], 1);
        }
        assert_int_equal(events(f, "{\"type\": \"refused\"}"), round * WRITERS);
    }
    assert_whole(f, ROUNDS * WRITERS);
    assert_each_once(f);
}

/* ---- replies ---- */

typedef struct fixture {
    tf_fixture *f;
    tf_proxy proxy;
    char direct[1024];
} fixture;

/* `without`: the driver does not send the insert again by itself. */
static int setup_proxy(void **state, const char *without)
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
    memcpy(x.direct, x.f->uri, sizeof x.direct);
    snprintf(uri, sizeof uri, "%.*s127.0.0.1:%d/%s?directConnection=true%s%s", (int)(host - x.f->uri), x.f->uri, x.proxy.port[0], x.f->db,
             set + strlen("replicaSet=tokenfix"), without);
    memcpy(x.f->uri, uri, sizeof uri);
    *state = &x;
    return 0;
}

static int setup_retrying(void **state)
{
    return setup_proxy(state, "");
}

static int setup_once(void **state)
{
    return setup_proxy(state, "&retryWrites=false");
}

static int teardown_proxy(void **state)
{
    fixture *x = *state;
    void *made = x->f;
    int failed = tf_fixture_teardown(&made);
    tf_proxy_stop(&x->proxy);
    return failed;
}

/* The reply to every insert of an event in turn is lost, one to three times: confirmed, started, progress, completed. */
static void trail__whose_replies_are_lost_has_each_event_once(void **state)
{
    fixture *x = *state;
    static const char *const types[] = {"confirmed", "up_started", "progress", "up_completed"};
    for (int skip = 0; skip < 4; skip++)
        for (int count = 1; count <= 3; count += 2) {
            fault_clear(x->f);
            tf_tokens_fill(x->f, 5);
            tf_proxy_say(&x->proxy, "swallow insert events %d %d close", skip, count);
            tf_program *p = tf_program_exec(x->f, &(tf_program_options){.argv = (const char *const[]){"up", "--confirm", "--yes", "--json", NULL}, .timeout_s = 120});
            assert_exit(p, 0);
            assert_true(tf_proxy_say(&x->proxy, "swallowed") >= 1);
            tf_proxy_say(&x->proxy, "heal");
            assert_each_once(x->f);
            for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
                char filter[64];
                snprintf(filter, sizeof filter, "{\"type\": \"%s\"}", types[i]);
                if (events(x->f, filter) != 1)
                    fail_msg("insert %d lost %d times: %d events %s", skip, count, (int)events(x->f, filter), types[i]);
            }
            assert_whole(x->f, 4);
        }
}

/* The reply is lost, and before the tool comes back another writer goes on behind its event. */
static void trail__whose_reply_is_lost_goes_on_behind_another_writer(void **state)
{
    fixture *x = *state;
    tf_tokens_fill(x->f, 5);
    tf_proxy_say(&x->proxy, "swallow insert events 0 1 close");
    tf_program *p = tf_program_start(x->f, &(tf_program_options){.argv = (const char *const[]){"pause", NULL},
                                                                 .env = (const char *const[]){"TOKENFIX_FAILPOINT=event.after_insert=stop", NULL}});
    wait_until_stopped(p);
    assert_int_equal(tf_proxy_say(&x->proxy, "swallowed"), 1);
    assert_int_equal(events(x->f, "{}"), 1);
    tf_program *other = tf_program_exec(x->f, &(tf_program_options){.argv = (const char *const[]){"cancel", NULL}, .uri = x->direct});
    assert_exit(other, 1);
    assert_int_equal(events(x->f, "{}"), 2);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 1);
    assert_int_equal(events(x->f, "{\"data.command\": \"pause\"}"), 1);
    assert_int_equal(events(x->f, "{\"data.command\": \"cancel\"}"), 1);
    assert_whole(x->f, 2);
}

/* Another writer comes between the look at the head and the insert. */
static void trail__whose_head_moved_is_looked_at_again(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_fill(f, 5);
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = (const char *const[]){"pause", NULL},
                                                              .env = (const char *const[]){"TOKENFIX_FAILPOINT=event.before_insert=stop", NULL}});
    wait_until_stopped(p);
    tf_program *other = tf_program_run(f, "cancel", "--json", NULL);
    assert_exit(other, 1);
    assert_string_equal(tf_program_text(other, "error.code"), "NOTHING_TO_DO");
    if (events(f, "{}") != 1)
        fail_msg("%d events: %s%s", (int)events(f, "{}"), other->out, other->err);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 1);
    assert_int_equal(events(f, "{\"_id\": 2, \"data.command\": \"pause\"}"), 1);
    assert_whole(f, 2);
}

/* ---- a failover ---- */

static void trail__goes_on_with_another_primary(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    tf_fixture_own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    tf_tokens_fill(f, 40);
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = (const char *const[]){"up", "--confirm", "--yes", "--json", "--max-lag", "0", NULL},
                                                               .env = (const char *const[]){"TOKENFIX_FAILPOINT=event.before_insert=stop@2", NULL}});
    wait_until_stopped(up);
    _cleanup_(bson_destroyp) bson_t *down = BCON_NEW("replSetStepDown", BCON_INT32(20), "secondaryCatchUpPeriodSecs", BCON_INT32(10), "force", BCON_BOOL(true));
    mongoc_client_command_simple(f->client, "admin", down, NULL, NULL, NULL);
    assert_int_equal(kill(up->pid, SIGCONT), 0);
    tf_program_wait(up, 120);
    assert_exit(up, 0);
    assert_whole(f, 4);
    assert_each_once(f);
}

/* ---- archives ---- */

enum { OLD = 12 };

static void plant(tf_fixture *f)
{
    TF_LINKS_CLEANUP tf_links links = {0};
    tf_links_make(&links, OLD, 1, NULL, 1600000000000, NULL, 0);
    for (size_t i = 0; i < links.count; i++)
        assert_true(tf_documents_insert(f, f->state_db, "events", links.events[i]));
}

static tf_program *archive(tf_fixture *f, const char *file, const char *point)
{
    char text[96];
    snprintf(text, sizeof text, "TOKENFIX_FAILPOINT=%s", point ? point : "");
    const char *const argv[] = {"history", "--json", "--archive", file, "--older-than", "1y", "--confirm", "--yes", NULL};
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .env = (const char *const[]){text, NULL}});
}

/* Every event of the beginning is in the database, or in a whole file of that name. */
static void assert_nothing_is_lost(tf_fixture *f, const char *file, const char *point)
{
    int64_t there = events(f, "{\"_id\": {\"$lte\": 12}}");
    bool exported = false;
    if (access(file, F_OK) == 0) {
        tf_program *p = tf_program_run(f, "history", "--json", "--verify", "--file", file, NULL);
        assert_exit(p, 0);
        exported = tf_program_number(p, "data.first") == 1 && tf_program_number(p, "data.last") == OLD;
    }
    if (there < OLD && !exported)
        fail_msg("%s: %d of %d events are left, and they are not exported", point, (int)there, OLD);
}

static void archive__that_dies_anywhere_loses_nothing_and_is_taken_up(void **state)
{
    static const char *const points[] = {"archive.before_file", "export.before_name", "export.after_name", "archive.before_event",
                                         "event.before_insert=kill@2", "event.after_insert=kill@2", "archive.after_event",
                                         "archive.between_removals"};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char file[256], point[96];
        char *folder = tf_folder_make();
        fault_clear(f);
        tf_tokens_fill(f, 1);
        plant(f);
        snprintf(file, sizeof file, "%s/old.jsonl", folder);
        snprintf(point, sizeof point, "%s%s", points[i], strchr(points[i], '=') ? "" : "=kill");
        assert_exit(archive(f, file, point), 128 + SIGKILL);
        assert_nothing_is_lost(f, file, points[i]);
        assert_whole(f, -1);
        tf_program *p = archive(f, file, NULL);
        assert_exit(p, 0);
        assert_int_equal(events(f, "{\"_id\": {\"$lte\": 12}}"), 0);
        assert_nothing_is_lost(f, file, points[i]);
        if (events(f, "{\"type\": \"archived\"}") != 1)
            fail_msg("%s: %d events say that it was archived", points[i], (int)events(f, "{\"type\": \"archived\"}"));
        assert_whole(f, -1);
        p = archive(f, file, NULL); /* once more: there is nothing left to do */
        assert_exit(p, 0);
        assert_int_equal(tf_program_number(p, "data.removed"), 0);
        tf_folder_remove(folder);
    }
}

/* Died in the removal: what is left of the archived part does not break the trail, and is counted. */
static void archive__half_removed_is_whole_and_says_what_is_left(void **state)
{
    tf_fixture *f = *state;
    char file[256];
    char *folder = tf_folder_make();
    tf_tokens_fill(f, 1);
    plant(f);
    snprintf(file, sizeof file, "%s/old.jsonl", folder);
    assert_exit(archive(f, file, "archive.after_event=kill"), 128 + SIGKILL);
    _cleanup_(bson_destroyp) bson_t *command =
        bson_new_from_json((const uint8_t *)"{\"delete\": \"events\", \"deletes\": [{\"q\": {\"_id\": {\"$lte\": 5}}, \"limit\": 0}]}", -1, NULL);
    assert_true(mongoc_client_command_simple(f->client, f->state_db, command, NULL, NULL, NULL));
    tf_program *p = tf_program_run(f, "history", "--verify", "--json", NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.archived.leftOver"), OLD - 5);
    assert_exit(archive(f, file, NULL), 0);
    assert_int_equal(events(f, "{\"_id\": {\"$lte\": 12}}"), 0);
    assert_whole(f, -1);
    tf_folder_remove(folder);
}

/* An archive comes between the look at what was archived and the walk: what it took is not missing. */
static void archive__beside_an_examination_is_no_break(void **state)
{
    tf_fixture *f = *state;
    char file[256];
    char *folder = tf_folder_make();
    tf_tokens_fill(f, 1);
    plant(f);
    snprintf(file, sizeof file, "%s/old.jsonl", folder);
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = (const char *const[]){"history", "--verify", "--json", NULL},
                                                              .env = (const char *const[]){"TOKENFIX_FAILPOINT=trail.after_anchor=stop", NULL}});
    wait_until_stopped(p);
    assert_exit(archive(f, file, NULL), 0);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.archived.upto"), OLD);
    tf_folder_remove(folder);
}

/* Another archive takes the beginning between the plan and the file: what is noted is what stands in the file. */
static void archive__beside_another_notes_what_its_file_holds(void **state)
{
    tf_fixture *f = *state;
    char first[256], second[256];
    char *folder = tf_folder_make();
    tf_tokens_fill(f, 1);
    plant(f);
    snprintf(first, sizeof first, "%s/first.jsonl", folder);
    snprintf(second, sizeof second, "%s/second.jsonl", folder);
    assert_exit(tf_program_run(f, "pause", NULL), 1); /* event 13, of today */
    const char *const argv[] = {"history", "--json", "--archive", second, "--older-than", "0s", "--confirm", "--yes", NULL};
    tf_program *p = tf_program_start(f, &(tf_program_options){.argv = argv,
                                                              .env = (const char *const[]){"TOKENFIX_FAILPOINT=archive.before_file=stop", NULL}});
    wait_until_stopped(p);
    assert_exit(archive(f, first, NULL), 0);
    assert_int_equal(kill(p->pid, SIGCONT), 0);
    tf_program_wait(p, 60);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.first"), OLD + 1);
    assert_int_equal(events(f, "{\"type\": \"archived\", \"data.first\": 13, \"data.upto\": 13, \"data.count\": 1}"), 1);
    p = tf_program_run(f, "history", "--json", "--verify", "--file", second, NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.first"), OLD + 1);
    assert_whole(f, -1);
    tf_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(trail__of_many_writers_at_once_is_one_chain),
        cmocka_unit_test_setup_teardown(trail__whose_replies_are_lost_has_each_event_once, setup_retrying, teardown_proxy),
        cmocka_unit_test_setup_teardown(trail__whose_replies_are_lost_has_each_event_once, setup_once, teardown_proxy),
        cmocka_unit_test_setup_teardown(trail__whose_reply_is_lost_goes_on_behind_another_writer, setup_once, teardown_proxy),
        TF_FIXTURE_TEST(trail__whose_head_moved_is_looked_at_again),
        TF_FIXTURE_OWN_TEST(trail__goes_on_with_another_primary),
        TF_FIXTURE_TEST(archive__that_dies_anywhere_loses_nothing_and_is_taken_up),
        TF_FIXTURE_TEST(archive__beside_an_examination_is_no_break),
        TF_FIXTURE_TEST(archive__beside_another_notes_what_its_file_holds),
        TF_FIXTURE_TEST(archive__half_removed_is_whole_and_says_what_is_left),
    };
    return cmocka_run_group_tests_name("trail", tests, NULL, NULL);
}
