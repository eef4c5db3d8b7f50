/* For the tests of roles: data, users who hold a printed role, and tables of what they may and may not do. */
#ifndef TF_TESTS_ROLE_H
#define TF_TESTS_ROLE_H

#include "db/role.h"
#include "support/fixture.h"

enum { TOKENS = 60, DEFECTS = 40 };

/* DEFECTS melted tokens that are still unspent among TOKENS, of three users. */
static inline void fill(tf_fixture *f)
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

static inline void as_admin(tf_fixture *f, bson_t *command)
{
    _cleanup_(bson_destroyp) bson_t *owned = command;
    bson_error_t error;
    if (!mongoc_client_command_simple(f->client, "admin", owned, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

/* Creates the role of a kind ("" what the bare option prints: run) by the very command that is printed, and a user who has
 * it and nothing else: "<db>_<kind>". */
static inline void create_printed_role(tf_fixture *f, const char *kind, char *uri, size_t size)
{
    char name[128];
    snprintf(name, sizeof name, "%s_%s", f->db, *kind ? kind : "run");
    const char *const argv[] = {"validate", "--json", "--print-role", *kind ? kind : NULL, NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv});
    bson_iter_t iter, at;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    assert_int_equal(p->status, 0);
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.command", &at));
    bson_iter_document(&at, &length, &data);
    as_admin(f, bson_new_from_data(data, length));
    as_admin(f, BCON_NEW("createUser", BCON_UTF8(name), "pwd", "printed", "roles", "[",
                         BCON_UTF8(tf_program_text(p, "data.command.createRole")), "]"));
    /* not mongoc_uri_set_username: mongoc_uri_get_string gives back what it was made from */
    const char *at_sign = strchr(f->uri, '@');
    assert_non_null(at_sign);
    snprintf(uri, size, "mongodb://%s:printed%s", name, at_sign);
}

static inline int role_teardown(void **state)
{
    tf_fixture *f = *state;
    for (const char *const *kind = tf_role_kinds; *kind; kind++) {
        char role[128], name[128];
        snprintf(name, sizeof name, "%s_%s", f->db, *kind);
        if (strcmp(*kind, "monitor") == 0)
            snprintf(role, sizeof role, "tokenfix_monitor");
        else
            snprintf(role, sizeof role, "tokenfix_%s_%s", *kind, f->db);
        _cleanup_(bson_destroyp) bson_t *user = BCON_NEW("dropUser", BCON_UTF8(name)),
                                        *named = BCON_NEW("dropRole", BCON_UTF8(role));
        mongoc_client_command_simple(f->client, "admin", user, NULL, NULL, NULL);
        mongoc_client_command_simple(f->client, "admin", named, NULL, NULL, NULL);
    }
    return tf_fixture_teardown(state);
}

#define ROLE_TEST(f) cmocka_unit_test_setup_teardown(f, tf_fixture_setup, role_teardown)

#define AS(f, who, ...)                                                                                                \
    tf_program_exec((f), &(tf_program_options){.argv = (const char *const[]){__VA_ARGS__, NULL}, .uri = (who)})

#define SUCCEEDS(f, who, ...)                                                                                          \
    do {                                                                                                               \
        tf_program *p_ = AS(f, who, __VA_ARGS__);                                                                      \
        if (p_->status != 0)                                                                                           \
            fail_msg("exit %d: %s %s", p_->status, p_->out, p_->err);                                                  \
    } while (0)

/* The server's hash over all documents of a database, by collection. */
static inline char *hash_of(mongoc_client_t *client, const char *db)
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

/* Of all databases but the server's own records of its sessions and of replication. */
static inline char *hash_of_all(mongoc_client_t *client)
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

/* Repairs under this user and gives the name of the backup's collection. */
static inline void make_backup(tf_fixture *f, const char *uri, char *backup, size_t size)
{
    tf_program *up = AS(f, uri, "up", "--confirm", "--yes", "--json");
    assert_int_equal(up->status, 0);
    snprintf(backup, size, "backup_%s", tf_program_text(up, "data.run"));
    assert_int_equal(tf_fixture_count(f, f->state_db, backup, "{}"), DEFECTS);
}

/* A command that a role allows or denies. */
typedef struct tf_demand {
    const char *what;
    enum { ON_REPAIRED, ON_STATE, ON_OTHER, ON_ADMIN } on;
    const char *json; /* %s: the backup's name */
} tf_demand;

/* The server's code, 0 where it did what was asked. */
static inline uint32_t demand(tf_fixture *f, mongoc_client_t *client, const char *backup, const tf_demand *row,
                              bson_error_t *error)
{
    char json[512], other[96];
    const char *name = strstr(row->json, "%s");
    snprintf(other, sizeof other, "%s_other", f->db);
    const char *const databases[] = {f->db, f->state_db, other, "admin"};
    snprintf(json, sizeof json, "%.*s%s%s", (int)(name ? name - row->json : (long)strlen(row->json)), row->json,
             name ? backup : "", name ? name + 2 : "");
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, error);
    assert_non_null(command);
    return mongoc_client_command_simple(client, databases[row->on], command, NULL, NULL, error) ? 0 : error->code;
}

static inline void expect_codes(tf_fixture *f, const char *uri, const char *backup, const tf_demand *rows, size_t count,
                                uint32_t code)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    assert_non_null(client);
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    for (size_t i = 0; i < count; i++) {
        bson_error_t error = {0};
        uint32_t got = demand(f, client, backup, &rows[i], &error);
        if (got != code)
            fail_msg("'%s': code %u instead of %u: %s", rows[i].what, got, code, error.message);
    }
}

static inline void expect_denied(tf_fixture *f, const char *uri, const char *backup, const tf_demand *rows,
                                 size_t count)
{
    expect_codes(f, uri, backup, rows, count, 13);
}

static inline void expect_allowed(tf_fixture *f, const char *uri, const char *backup, const tf_demand *rows,
                                  size_t count)
{
    expect_codes(f, uri, backup, rows, count, 0);
}

#endif
