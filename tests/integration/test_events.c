/* What stands in the audit trail after each thing that is done or tried: who, what, with which options, and how it ended. */
#include "fault/fault.h"
#include "support/documents.h"
#include "support/pauses.h"
#include "support/role.h"

#include <unistd.h>

static int64_t events(tf_fixture *f, const char *filter)
{
    return tf_fixture_count(f, f->state_db, "events", filter);
}

/* Each filter matches one event at least, and in this order. */
static void assert_in_order(tf_fixture *f, const char *const *filters)
{
    int64_t last = 0;
    for (; *filters; filters++) {
        _cleanup_(bson_destroyp) bson_t *filter = bson_new_from_json((const uint8_t *)*filters, -1, NULL);
        _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(1));
        assert_non_null(filter);
        BCON_APPEND(filter, "_id", "{", "$gt", BCON_INT64(last), "}");
        _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = fault_collection(f, f->state_db, "events");
        _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(in, filter, opts, NULL);
        const bson_t *doc = NULL;
        if (!mongoc_cursor_next(cursor, &doc))
            fail_msg("no event %s behind number %d", *filters, (int)last);
        last = fault_number(doc, "_id");
    }
}

static void assert_trail_is_whole(tf_fixture *f)
{
    tf_program *p = tf_program_run(f, "history", "--verify", "--json", NULL);
    assert_exit(p, 0);
}

static void events__of_a_repair_say_who_and_how(void **state)
{
    static const char *const order[] = {
        "{\"type\": \"confirmed\", \"data.command\": \"up\", \"data.by\": \"--yes\", \"options.batch_size\": 10}",
        "{\"type\": \"up_started\", \"data.documents\": 25, \"options.workers\": 1, \"options.strategy\": \"transaction\","
        " \"options.migration\": \"004_fix_melted_token_status\", \"options.max_lag_ms\": 2000, \"options.nice\": 0.5}",
        "{\"type\": \"progress\", \"data.percent\": 100, \"data.documents\": 25, \"data.amount\": 250}",
        "{\"type\": \"up_completed\", \"data.backup\": 25, \"result.ok\": true}",
        "{\"type\": \"confirmed\", \"data.command\": \"down\"}",
        "{\"type\": \"down_started\", \"options.on_conflict\": \"fields\", \"options.strategy\": \"transaction\"}",
        "{\"type\": \"progress\", \"data.percent\": 100}",
        "{\"type\": \"down_completed\", \"result.ok\": true}",
        "{\"type\": \"rolled_back\", \"data.conflicts\": 0}",
        NULL};
    tf_fixture *f = *state;
    char who[512], host[256] = "", user[300];
    tf_tokens_sample(f, 25);
    tf_program *up = tf_up(f, "--batch-size", "10", "--workers", "1", "--nice", "0.5");
    assert_exit(up, 0);
    assert_exit(tf_down(f, "--on-conflict", "fields"), 0);
    assert_in_order(f, order);
    gethostname(host, sizeof host - 1);
    snprintf(who, sizeof who,
             "{\"host\": \"%s\", \"user\": {\"$gt\": \"\"}, \"pid\": {\"$gt\": 0}, \"at\": {\"$gt\": {\"$date\": \"2020-01-01T00:00:00Z\"}}, \"db\": \"%s\","
             " \"id\": {\"$gt\": \"\"}, \"hash\": {\"$exists\": true}, \"database_user\": {\"$gt\": \"\"}}",
             host, f->db);
    assert_int_equal(events(f, who), events(f, "{}"));
    snprintf(user, sizeof user, "{\"database_user\": {\"$not\": {\"$regex\": \"^%.60s.*@admin$\"}}}", f->db);
    assert_int_equal(events(f, user), 0); /* the least role of the fixture is named after its database */
    snprintf(who, sizeof who, "{\"type\": {\"$in\": [\"up_started\", \"progress\", \"up_completed\", \"rolled_back\"]}, \"run\": \"%s\"}",
             tf_program_text(up, "data.run"));
    assert_true(events(f, who) >= 4);
    assert_trail_is_whole(f);
    assert_int_equal(events(f, "{\"options.uri\": {\"$exists\": true}}"), 0);
}

static void events__of_what_was_refused_say_why(void **state)
{
    static const char *const order[] = {
        "{\"type\": \"not_confirmed\", \"data.command\": \"up\", \"result.code\": \"CONFIRM\", \"result.exit\": 4}",
        "{\"type\": \"refused\", \"data.command\": \"down\", \"result.code\": \"NO_BACKUP\"}",
        "{\"type\": \"refused\", \"data.command\": \"pause\", \"result.code\": \"NOTHING_TO_DO\"}",
        "{\"type\": \"refused\", \"data.command\": \"up\", \"result.code\": \"NOTHING_TO_DO\", \"options.resume\": true}",
        "{\"type\": \"up_completed\"}",
        "{\"type\": \"refused\", \"data.command\": \"up\", \"result.code\": \"COMPLETED\", \"result.exit\": 1}",
        "{\"type\": \"not_confirmed\", \"data.command\": \"down\"}",
        NULL};
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    assert_exit(tf_program_run(f, "up", NULL), 4);
    assert_exit(tf_down(f), 1);
    assert_exit(tf_program_run(f, "pause", NULL), 1);
    assert_exit(tf_up(f, "--resume"), 1);
    assert_exit(tf_up(f), 0);
    assert_exit(tf_up(f), 1);
    assert_exit(tf_up(f, "--if-needed"), 0); /* that is a success, and no attempt */
    assert_exit(tf_program_run(f, "down", NULL), 4);
    assert_in_order(f, order);
    assert_int_equal(events(f, "{\"type\": \"refused\"}"), 4);
    assert_exit(tf_program_run(f, "up", "--cofirm", NULL), 2);
    assert_exit(tf_program_run(f, "up", "--dry-run", NULL), 0);
    assert_int_equal(events(f, "{\"type\": {\"$in\": [\"refused\", \"not_confirmed\"]}}"), 6);
    assert_trail_is_whole(f);
}

static void events__of_a_pause_name_who_asked(void **state)
{
    static const char *const order[] = {"{\"type\": \"up_started\"}",
                                        "{\"type\": \"paused\", \"data.reason\": \"pause_file\"}",
                                        "{\"type\": \"pause_requested\"}",
                                        "{\"type\": \"continue_requested\"}",
                                        "{\"type\": \"continued\"}",
                                        "{\"type\": \"up_completed\"}",
                                        NULL};
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 30);
    tf_pauses_file_make(&file);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--pause-file", file.path, NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv});
    tf_pauses_wait_for(f, "{\"state\": \"paused\", \"pause.reason\": \"pause_file\"}");
    tf_program *held = tf_up(f);
    assert_exit(held, 5);
    assert_int_equal(events(f, "{\"type\": \"refused\", \"result.code\": \"LEASE_HELD\", \"result.exit\": 5}"), 1);
    assert_exit(tf_program_run(f, "pause", NULL), 0);
    unlink(file.path);
    assert_exit(tf_program_run(f, "continue", NULL), 0);
    tf_program_wait(up, 60);
    assert_exit(up, 0);
    assert_in_order(f, order);
    assert_trail_is_whole(f);
}

static void events__of_a_cancel_and_a_canary(void **state)
{
    static const char *const order[] = {"{\"type\": \"canary\", \"data.documents\": 5, \"data.verified\": true}",
                                        "{\"type\": \"interrupted\", \"result.code\": \"INTERRUPTED\", \"result.exit\": 7}",
                                        "{\"type\": \"resumed\", \"options.resume\": true}",
                                        "{\"type\": \"cancel_requested\"}",
                                        "{\"type\": \"cancelled\", \"data.counts.applied\": 5, \"result.code\": \"CANCELLED\"}",
                                        NULL};
    tf_fixture *f = *state;
    TF_PAUSES_FILE file;
    tf_tokens_sample(f, 30);
    assert_exit(tf_up(f, "--canary", "5"), 7);
    tf_pauses_file_make(&file);
    const char *const argv[] = {"up", "--confirm", "--yes", "--json", "--resume", "--pause-file", file.path, NULL};
    tf_program *up = tf_program_start(f, &(tf_program_options){.argv = argv});
    tf_pauses_wait_for(f, "{\"state\": \"paused\", \"pause.reason\": \"pause_file\"}");
    assert_exit(tf_program_run(f, "cancel", NULL), 0);
    tf_program_wait(up, 60);
    assert_exit(up, 1);
    assert_in_order(f, order);
    assert_trail_is_whole(f);
}

static void events__of_a_rollback_say_what_failed(void **state)
{
    static const char *const order[] = {"{\"type\": \"up_started\"}",
                                        "{\"type\": \"rollback\", \"result.exit\": 6}",
                                        "{\"type\": \"down_started\"}",
                                        "{\"type\": \"down_completed\"}",
                                        "{\"type\": \"rolled_back\"}",
                                        NULL};
    tf_fixture *f = *state;
    tf_tokens_sample(f, 30);
    bson_destroy(tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"$or\": [{\"status\": \"unspent\"}, {\"_id\": {\"$lt\": 15}},"
                                       " {\"_id\": {\"$gt\": 100000}}]}}"));
    assert_exit(tf_up(f, "--batch-size", "5", "--workers", "1"), 6);
    assert_in_order(f, order);
    assert_trail_is_whole(f);
}

static void events__of_a_take_over_name_the_former_owner(void **state)
{
    tf_fixture *f = *state;
    char filter[256];
    tf_tokens_sample(f, 30);
    tf_program *up = fault_start(f, "up", "up.after_write=stop@2", fault_words("--batch-size", "5", "--workers", "1"));
    wait_until_stopped(up);
    tf_program *second = tf_up(f, "--resume", "--take-over");
    assert_exit(second, 0);
    snprintf(filter, sizeof filter, "{\"type\": \"taken_over\", \"data.from.pid\": %d, \"data.fence\": 2, \"data.from.fence\": 1, \"run\": \"%s\"}", (int)up->pid,
             tf_program_text(second, "data.run"));
    assert_int_equal(events(f, filter), 1);
    assert_int_equal(kill(up->pid, SIGCONT), 0);
    tf_program_wait(up, 60);
    assert_exit(up, 7);
    assert_int_equal(events(f, "{\"type\": \"interrupted\"}"), 0); /* what is not its own any more it does not write about */
    assert_trail_is_whole(f);
}

/* A user who may not write events gets the same answer as ever. */
static void events__that_cannot_be_written_change_no_answer(void **state)
{
    tf_fixture *f = *state;
    char run[1024], audit[1024];
    fill(f);
    create_printed_role(f, "run", run, sizeof run);
    create_printed_role(f, "audit", audit, sizeof audit);
    SUCCEEDS(f, run, "up", "--confirm", "--yes");
    int64_t before = events(f, "{}");
    tf_program *p = AS(f, audit, "up", "--json");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "COMPLETED");
    p = AS(f, audit, "up", "--again", "--json");
    assert_exit(p, 4);
    p = AS(f, audit, "down", "--json", "--confirm", "--yes");
    assert_exit(p, 8);
    assert_has(tf_program_text(p, "error.message"), "Permission denied");
    p = AS(f, audit, "cancel", "--json");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    assert_int_equal(events(f, "{}"), before);
}

/* The least role of a run: events may be added, and neither changed nor removed. */
static void events__may_be_added_by_a_run_and_not_changed(void **state)
{
    static const tf_demand allowed[] = {{"add an event", ON_STATE, "{\"insert\": \"events\", \"documents\": [{\"_id\": \"x\"}]}"}};
    static const tf_demand denied[] = {
        {"change an event", ON_STATE, "{\"update\": \"events\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": {\"user\": \"a\"}}}]}"},
        {"replace an event", ON_STATE, "{\"findAndModify\": \"events\", \"query\": {\"_id\": 1}, \"update\": {\"user\": \"a\"}}"},
        {"remove an event", ON_STATE, "{\"delete\": \"events\", \"deletes\": [{\"q\": {\"_id\": 1}, \"limit\": 1}]}"},
        {"take an event out", ON_STATE, "{\"findAndModify\": \"events\", \"query\": {\"_id\": 1}, \"remove\": true}"},
        {"drop the events", ON_STATE, "{\"drop\": \"events\"}"},
        {"write over the events", ON_STATE, "{\"aggregate\": \"runs\", \"pipeline\": [{\"$out\": \"events\"}], \"cursor\": {}}"},
        {"merge into the events", ON_STATE,
         "{\"aggregate\": \"runs\", \"pipeline\": [{\"$merge\": {\"into\": \"events\", \"whenMatched\": \"replace\"}}], \"cursor\": {}}"},
        {"rename the events", ON_ADMIN, "{\"renameCollection\": \"a.events\", \"to\": \"a.gone\"}"},
        {"let them expire, by an index", ON_STATE,
         "{\"createIndexes\": \"events\", \"indexes\": [{\"key\": {\"at\": 1}, \"name\": \"gone\", \"expireAfterSeconds\": 1}]}"},
        {"let a backup expire, by an index", ON_STATE,
         "{\"createIndexes\": \"%s\", \"indexes\": [{\"key\": {\"createdAt\": 1}, \"name\": \"gone\", \"expireAfterSeconds\": 1}]}"},
        {"let them expire", ON_STATE, "{\"collMod\": \"events\", \"index\": {\"name\": \"by_run\", \"expireAfterSeconds\": 1}}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    fill(f);
    create_printed_role(f, "run", uri, sizeof uri);
    make_backup(f, uri, backup, sizeof backup);
    expect_denied(f, uri, backup, denied, sizeof denied / sizeof *denied);
    assert_trail_is_whole(f);
    expect_allowed(f, uri, backup, allowed, 1);
    tf_program *p = tf_program_run(f, "history", "--verify", "--json", NULL); /* and what is no event of ours is noticed */
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "form");
}

/* Who may insert may insert the largest number there is: that is a break, and no reason to repair nothing any more. */
static void events__go_on_behind_the_largest_number(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    _cleanup_(bson_destroyp) bson_t *planted = BCON_NEW("_id", BCON_INT64(((int64_t)1 << 53) - 1), "type", "progress");
    assert_true(tf_documents_insert(f, f->state_db, "events", planted));
    assert_exit(tf_up(f), 0);
    assert_exit(tf_down(f), 0);
    assert_true(events(f, "{\"type\": \"up_completed\"}") == 1 && events(f, "{\"type\": \"down_completed\"}") == 1);
    tf_program *p = tf_program_run(f, "history", "--verify", "--json", NULL);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "start");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(events__of_a_repair_say_who_and_how),
        TF_FIXTURE_TEST(events__of_what_was_refused_say_why),
        TF_FIXTURE_TEST(events__of_a_pause_name_who_asked),
        TF_FIXTURE_TEST(events__of_a_cancel_and_a_canary),
        TF_FIXTURE_TEST(events__of_a_rollback_say_what_failed),
        TF_FIXTURE_TEST(events__of_a_take_over_name_the_former_owner),
        TF_FIXTURE_TEST(events__go_on_behind_the_largest_number),
        ROLE_TEST(events__that_cannot_be_written_change_no_answer),
        ROLE_TEST(events__may_be_added_by_a_run_and_not_changed),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
