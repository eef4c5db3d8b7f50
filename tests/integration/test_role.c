/* The roles that `validate --print-role` prints: all that the tool does works under them, and nothing else does. */
#include "support/fixture.h"

#include "sandbox/sandbox.h"

enum { TOKENS = 60, DEFECTS = 40 };

/* DEFECTS melted tokens that are still unspent among TOKENS, of three users. */
static void fill(tf_fixture *f)
{
    for (int i = 0; i < TOKENS; i++) {
        char json[512];
        snprintf(json, sizeof json,
                 "{\"_id\": %d, \"npub\": \"npub1%c\", \"wallet_id\": %d, \"proofs\": [{\"id\": \"k\", \"amount\": 8,"
                 " \"secret\": \"s%d\", \"C\": \"c\"}], \"mint_url\": \"https://m\", \"total_amount\": 8,"
                 " \"status\": \"unspent\", \"transaction_type\": \"%s\", \"transaction_id\": \"t%d\","
                 " \"metadata\": {\"source\": \"mint\"}, \"createdAt\": {\"$date\": \"2020-01-01T00:00:00Z\"},"
                 " \"updatedAt\": {\"$date\": \"2020-01-01T00:00:00Z\"}}",
                 i, 'a' + i % 3, i % 3, i, i < DEFECTS ? "melted" : "received", i);
        tf_fixture_insert(f, "cashu_tokens", json);
    }
    tf_fixture_insert(f, "cashu_wallets", "[{\"_id\": 0, \"npub\": \"npub1a\"}, {\"_id\": 1}, {\"_id\": 2}]");
}

static void as_admin(tf_fixture *f, bson_t *command)
{
    _cleanup_(bson_destroyp) bson_t *owned = command;
    bson_error_t error;
    if (!mongoc_client_command_simple(f->client, "admin", owned, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* Creates the role by the very command that is printed, and a user who has it and nothing else. */
static void create_printed_role(tf_fixture *f, const char *option, char *uri, size_t size)
{
    tf_program *p = tf_program_run(f, "validate", option, "--json", NULL);
    bson_iter_t iter, at;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    assert_int_equal(p->status, 0);
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.command", &at));
    bson_iter_document(&at, &length, &data);
    as_admin(f, bson_new_from_data(data, length));
    as_admin(f, BCON_NEW("createUser", BCON_UTF8(f->db), "pwd", "printed", "roles", "[",
                         BCON_UTF8(tf_program_text(p, "data.command.createRole")), "]"));
    /* not mongoc_uri_set_username: mongoc_uri_get_string gives back what it was made from */
    const char *at_sign = strchr(f->uri, '@');
    assert_non_null(at_sign);
    snprintf(uri, size, "mongodb://%s:printed%s", f->db, at_sign);
}

static int role_teardown(void **state)
{
    tf_fixture *f = *state;
    char role[128];
    snprintf(role, sizeof role, "tokenfix_run_%s", f->db);
    _cleanup_(bson_destroyp) bson_t *user = BCON_NEW("dropUser", BCON_UTF8(f->db)),
                                    *named = BCON_NEW("dropRole", BCON_UTF8(role));
    mongoc_client_command_simple(f->client, "admin", user, NULL, NULL, NULL);
    mongoc_client_command_simple(f->client, "admin", named, NULL, NULL, NULL);
    return tf_fixture_teardown(state);
}

#define AS(f, who, ...)                                                                                                \
    tf_program_exec((f), &(tf_program_options){.argv = (const char *const[]){__VA_ARGS__, NULL}, .uri = (who)})

#define SUCCEEDS(f, who, ...)                                                                                          \
    do {                                                                                                               \
        tf_program *p_ = AS(f, who, __VA_ARGS__);                                                                      \
        if (p_->status != 0)                                                                                           \
            fail_msg("exit %d: %s %s", p_->status, p_->out, p_->err);                                                  \
    } while (0)

/* The server's hash over all documents of a database, by collection. */
static char *hash_of(mongoc_client_t *client, const char *db)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("dbHash", BCON_INT32(1));
    bson_error_t error;
    bson_t reply;
    bson_iter_t iter;
    char hash[4096] = "";
    if (!mongoc_client_command_simple(client, db, command, NULL, &reply, &error))
        fail_msg("dbHash of %s: %s", db, error.message);
    if (bson_iter_init_find(&iter, &reply, "collections")) {
        bson_iter_t each;
        bson_iter_recurse(&iter, &each);
        while (bson_iter_next(&each))
            snprintf(hash + strlen(hash), sizeof hash - strlen(hash), "%s:%s ", bson_iter_key(&each),
                     bson_iter_utf8(&each, NULL));
    }
    bson_destroy(&reply);
    return strdup(hash);
}

static void role__printed_lets_a_repair_run_from_end_to_end(void **state)
{
    tf_fixture *f = *state;
    char uri[768];
    fill(f);
    create_printed_role(f, "--print-role", uri, sizeof uri);
    _cleanup_free_ char *before = hash_of(f->client, f->db);
    static const char spent[] = "{\"transaction_type\": \"melted\", \"status\": \"spent\"}";
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "validate");
    SUCCEEDS(f, uri, "preview", "--sample", "2");
    SUCCEEDS(f, uri, "up", "--confirm", "--yes", "--batch-size", "7");
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", spent), DEFECTS);
    char user[128];
    snprintf(user, sizeof user, "{\"who.database_user\": \"%s@admin\"}", f->db);
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
    char uri[768];
    fill(f);
    create_printed_role(f, "--print-role=run", uri, sizeof uri);
    _cleanup_free_ char *before = hash_of(f->client, f->db);
    SUCCEEDS(f, uri, "up", "--strategy", "journal", "--confirm", "--yes");
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
    _cleanup_free_ char *after = hash_of(f->client, f->db);
    assert_string_equal(before, after);
}

/* ---- what is denied ---- */

typedef struct denial {
    const char *what;
    enum { ON_REPAIRED, ON_STATE, ON_OTHER, ON_ADMIN } on;
    const char *json; /* %s: the backup's name */
} denial;

static const denial denials[] = {
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
    char uri[768], backup[128], other[96];
    fill(f);
    tf_fixture_insert(f, "users", "{}");
    create_printed_role(f, "--print-role", uri, sizeof uri);
    tf_program *up = AS(f, uri, "up", "--confirm", "--yes", "--json");
    assert_int_equal(up->status, 0);
    snprintf(backup, sizeof backup, "backup_%s", tf_program_text(up, "data.run"));
    assert_int_equal(tf_fixture_count(f, f->state_db, backup, "{}"), DEFECTS);
    snprintf(other, sizeof other, "%s_other", f->db);
    const char *const databases[] = {f->db, f->state_db, other, "admin"};
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    for (size_t i = 0; i < sizeof denials / sizeof *denials; i++) {
        const denial *row = &denials[i];
        const char *name = strstr(row->json, "%s");
        char json[512];
        bson_error_t error = {0};
        snprintf(json, sizeof json, "%.*s%s%s", (int)(name ? name - row->json : (long)strlen(row->json)), row->json,
                 name ? backup : "", name ? name + 2 : "");
        _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);
        assert_non_null(command);
        if (mongoc_client_command_simple(client, databases[row->on], command, NULL, NULL, &error) || error.code != 13)
            fail_msg("%s is not denied: code %u %s", row->what, error.code, error.message);
    }
}

/* ---- looking ---- */

/* Of all databases but the server's own records of its sessions and of replication. */
static char *hash_of_all(mongoc_client_t *client)
{
    bson_error_t error;
    char all[16384] = "";
    char **names = mongoc_client_get_database_names_with_opts(client, NULL, &error);
    assert_non_null(names);
    for (char **at = names; *at; at++) {
        if (strcmp(*at, "local") == 0 || strcmp(*at, "config") == 0)
            continue;
        _cleanup_free_ char *hash = hash_of(client, *at);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s {%s}\n", *at, hash);
    }
    bson_strfreev(names);
    return strdup(all);
}

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

#define ROLE_TEST(f) cmocka_unit_test_setup_teardown(f, tf_fixture_setup, role_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(role__printed_lets_a_repair_run_from_end_to_end),
        ROLE_TEST(role__printed_is_enough_for_the_journal_strategy),
        ROLE_TEST(role__printed_denies_everything_else),
        TF_FIXTURE_OWN_TEST(looking__needs_the_built_in_read_only_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
