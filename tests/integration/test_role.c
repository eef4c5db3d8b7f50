/* The roles that `validate --print-role` prints: all that the tool does works under them, and nothing else does. */
#include "support/role.h"

static void role__printed_lets_a_repair_run_from_end_to_end(void **state)
{
    tf_fixture *f = *state;
    char uri[1024];
    fill(f);
    create_printed_role(f, "", uri, sizeof uri);
    _cleanup_free_ char *before = hash_of(f->client, f->db);
    static const char spent[] = "{\"transaction_type\": \"melted\", \"status\": \"spent\"}";
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "validate");
    SUCCEEDS(f, uri, "preview", "--sample", "2");
    SUCCEEDS(f, uri, "up", "--confirm", "--yes", "--batch-size", "7");
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", spent), DEFECTS);
    char user[128];
    snprintf(user, sizeof user, "{\"who.database_user\": \"%s_run@admin\"}", f->db);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", user), 1);
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "history");
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "status");
    _cleanup_free_ char *after = hash_of(f->client, f->db);
    assert_string_equal(before, after);
}

static void role__printed_is_enough_for_the_journal_strategy(void **state)
{
    tf_fixture *f = *state;
    char uri[1024];
    fill(f);
    create_printed_role(f, "run", uri, sizeof uri);
    _cleanup_free_ char *before = hash_of(f->client, f->db);
    SUCCEEDS(f, uri, "up", "--strategy", "journal", "--confirm", "--yes");
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    _cleanup_free_ char *after = hash_of(f->client, f->db);
    assert_string_equal(before, after);
}

/* ---- what is denied ---- */

static const tf_demand denials[] = {
    {"insert into the repaired collection", ON_REPAIRED, "{\"insert\": \"cashu_tokens\", \"documents\": [{}]}"},
    {"delete from it", ON_REPAIRED, "{\"delete\": \"cashu_tokens\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
    {"drop it", ON_REPAIRED, "{\"drop\": \"cashu_tokens\"}"},
    {"index it", ON_REPAIRED,
     "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"a\": 1}, \"name\": \"a\"}]}"},
    {"drop its indexes", ON_REPAIRED, "{\"dropIndexes\": \"cashu_tokens\", \"index\": \"*\"}"},
    {"change its options", ON_REPAIRED, "{\"collMod\": \"cashu_tokens\", \"validationLevel\": \"off\"}"},
    {"change a wallet", ON_REPAIRED,
     "{\"update\": \"cashu_wallets\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
    {"read another collection", ON_REPAIRED, "{\"find\": \"users\"}"},
    {"create a collection", ON_REPAIRED, "{\"create\": \"mine\"}"},
    {"drop the database", ON_REPAIRED, "{\"dropDatabase\": 1}"},
    {"write by aggregation", ON_REPAIRED,
     "{\"aggregate\": \"cashu_tokens\", \"pipeline\": [{\"$out\": \"copy\"}], \"cursor\": {}}"},
    {"delete from a backup", ON_STATE, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
    {"change a backup", ON_STATE, "{\"update\": \"%s\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
    {"drop a backup", ON_STATE, "{\"drop\": \"%s\"}"},
    {"change an event", ON_STATE,
     "{\"update\": \"events\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
    {"delete an event", ON_STATE, "{\"delete\": \"events\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
    {"change a batch", ON_STATE,
     "{\"update\": \"batches\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
    {"delete a batch", ON_STATE, "{\"delete\": \"batches\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
    {"delete a run", ON_STATE, "{\"delete\": \"runs\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
    {"drop the index of the lease", ON_STATE, "{\"dropIndexes\": \"runs\", \"index\": \"one_writing_run\"}"},
    {"drop the runs", ON_STATE, "{\"drop\": \"runs\"}"},
    {"drop the state", ON_STATE, "{\"dropDatabase\": 1}"},
    {"read another database", ON_OTHER, "{\"find\": \"cashu_tokens\"}"},
    {"list another database", ON_OTHER, "{\"listCollections\": 1}"},
    {"write to another database", ON_OTHER, "{\"insert\": \"things\", \"documents\": [{}]}"},
    {"read the users", ON_ADMIN, "{\"find\": \"system.users\"}"},
    {"create a role", ON_ADMIN, "{\"createRole\": \"r\", \"privileges\": [], \"roles\": []}"},
    {"look at the replica set", ON_ADMIN, "{\"replSetGetStatus\": 1}"},
    {"stop the server", ON_ADMIN, "{\"shutdown\": 1}"},
};

static void role__printed_denies_everything_else(void **state)
{
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    fill(f);
    tf_fixture_insert(f, "users", "{}");
    create_printed_role(f, "run", uri, sizeof uri);
    make_backup(f, uri, backup, sizeof backup);
    expect_denied(f, uri, backup, denials, sizeof denials / sizeof *denials);
}

/* What `tokenfix pause|continue|cancel` asks for, and what a take-over needs. */
static void role__of_a_run_may_ask_a_run_to_pause(void **state)
{
    static const tf_demand allowed[] = {
        {"ask a run to pause", ON_STATE,
         "{\"update\": \"runs\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"control.pause\": true}}}]}"},
        {"raise a fence", ON_STATE,
         "{\"update\": \"partitions\", \"updates\": [{\"q\": {}, \"u\": {\"$inc\": {\"fence\": 1}}}]}"},
        {"list its own sessions", ON_ADMIN,
         "{\"aggregate\": 1, \"pipeline\": [{\"$listLocalSessions\": {}}], \"cursor\": {}}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    fill(f);
    create_printed_role(f, "run", uri, sizeof uri);
    make_backup(f, uri, backup, sizeof backup);
    expect_allowed(f, uri, backup, allowed, sizeof allowed / sizeof *allowed);
}

/* ---- looking ---- */

static void expect_untouched(tf_fixture *f, const char *uri)
{
    _cleanup_free_ char *before = hash_of_all(f->client);
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "status", "--json");
    SUCCEEDS(f, uri, "preview");
    SUCCEEDS(f, uri, "preview", "--json", "--limit", "2", "--sample", "2");
    SUCCEEDS(f, uri, "up", "--dry-run");
    assert_int_equal(AS(f, uri, "up")->status, 4);
    assert_int_equal(AS(f, uri, "validate")->status, 8);
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
}

static void looking__needs_the_built_in_read_only_and_writes_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    char reader[TF_SANDBOX_URI];
    _cleanup_(bson_destroyp) bson_t *roles =
        BCON_NEW("0", "{", "role", "read", "db", "wallet", "}", "1", "{", "role", "read", "db", "wallet_tokenfix", "}");
    const tf_sandbox_user users[] = {{.name = "reader", .roles = roles}};
    tf_fixture_own_server(f, (tf_sandbox_options){.auth = true, .users = users, .users_count = 1}, &sandbox);
    assert_true(tf_sandbox_uri(&sandbox, "reader", "wallet", reader, sizeof reader));
    fill(f);
    expect_untouched(f, reader);
    tf_program *up = AS(f, f->uri, "up", "--confirm", "--yes");
    assert_int_equal(up->status, 0);
    _cleanup_free_ char *before = hash_of_all(f->client);
    SUCCEEDS(f, reader, "status");
    SUCCEEDS(f, reader, "preview");
    SUCCEEDS(f, reader, "verify");
    SUCCEEDS(f, reader, "history");
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(role__printed_lets_a_repair_run_from_end_to_end),
        ROLE_TEST(role__printed_is_enough_for_the_journal_strategy),
        ROLE_TEST(role__printed_denies_everything_else),
        ROLE_TEST(role__of_a_run_may_ask_a_run_to_pause),
        TF_FIXTURE_OWN_TEST(looking__needs_the_built_in_read_only_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
