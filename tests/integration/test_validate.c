/* `tokenfix validate` as it is typed, against servers of every kind that can be had here. */
#include "support/fixture.h"

#include "db/client.h"
#include "sandbox/sandbox.h"

#include <unistd.h>

static const char token[] =
    "{\"npub\": \"npub1a\", \"wallet_id\": 1, \"proofs\": [], \"mint_url\": \"https://m\", \"total_amount\": 8,"
    " \"status\": \"unspent\", \"transaction_type\": \"melted\", \"transaction_id\": \"t\"}";

static void fill(tf_fixture *f)
{
    tf_fixture_insert(f, "cashu_tokens", token);
    tf_fixture_insert(f, "cashu_wallets", "{\"npub\": \"npub1a\", \"mint_url\": \"https://m\"}");
}

typedef struct check {
    char state[16], message[512], hint[512];
} check;

static void copy_text(const bson_t *doc, const char *key, char *into, size_t size)
{
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_UTF8(&iter));
    snprintf(into, size, "%s", bson_iter_utf8(&iter, NULL));
}

/* The row `name` of data.checks; fails the test where there is none. Each row has exactly its four fields. */
static check check_of(const tf_program *p, const char *name)
{
    bson_iter_t iter, list, row;
    check found = {0};
    if (!p->json)
        fail_msg("no JSON: %s %s", p->out, p->err);
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.checks", &list));
    assert_true(bson_iter_recurse(&list, &row));
    while (bson_iter_next(&row)) {
        const uint8_t *data = NULL;
        uint32_t length = 0;
        bson_t doc;
        char called[64];
        bson_iter_document(&row, &length, &data);
        assert_true(bson_init_static(&doc, data, length));
        assert_int_equal(bson_count_keys(&doc), 4);
        copy_text(&doc, "name", called, sizeof called);
        if (strcmp(called, name) != 0)
            continue;
        copy_text(&doc, "state", found.state, sizeof found.state);
        copy_text(&doc, "message", found.message, sizeof found.message);
        copy_text(&doc, "hint", found.hint, sizeof found.hint);
        return found;
    }
    fail_msg("there is no check '%s' in %s", name, p->out);
    return found;
}

static void expect(const tf_program *p, const char *name, const char *state, const char *message)
{
    check found = check_of(p, name);
    if (strcmp(found.state, state) != 0 || !strstr(found.message, message))
        fail_msg("%s: expected %s '%s', found %s '%s'", name, state, message, found.state, found.message);
    if (strcmp(state, "failed") == 0)
        assert_true(found.hint[0]);
}

static tf_program *validate_as(tf_fixture *f, const char *uri, const char *option)
{
    const char *const argv[] = {"validate", "--json", option, NULL};
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = uri});
}

static bool has_database(tf_fixture *f, const char *name)
{
    bson_error_t error;
    char **names = mongoc_client_get_database_names_with_opts(f->client, NULL, &error);
    bool found = false;
    assert_non_null(names);
    for (char **at = names; *at; at++)
        found = found || strcmp(*at, name) == 0;
    bson_strfreev(names);
    return found;
}

static const char *const all_checks[] = {
    "connection", "server_version", "topology", "privileges", "state_privileges", "collections", "fields", "index",
    "index_cost", "disk",           "lag",      "clock",      "interrupted_runs", "lease",
};

static void validate__of_a_good_database_is_valid_and_writes_nothing(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_true(tf_program_flag(p, "data.isValid"));
    assert_string_equal(tf_program_text(p, "data.risk.level"), "low");
    assert_true(tf_program_has(p, "data.risk.reasons"));
    for (size_t i = 0; i < sizeof all_checks / sizeof *all_checks; i++)
        assert_string_not_equal(check_of(p, all_checks[i]).state, "failed");
    expect(p, "server_version", "ok", "MongoDB ");
    expect(p, "topology", "ok", "replica set");
    expect(p, "privileges", "ok", f->db);
    expect(p, "state_privileges", "ok", f->state_db);
    expect(p, "collections", "ok", "all that is required");
    expect(p, "fields", "ok", "the first 1 documents");
    expect(p, "disk", "ok", "free");
    expect(p, "interrupted_runs", "ok", "none");
    expect(p, "lease", "ok", "nobody");
    assert_false(has_database(f, f->state_db));
}

static void validate__as_text_says_what_to_do(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    tf_program *p = tf_program_run(f, "validate", "004", NULL);
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->out, "check             state"));
    assert_non_null(strstr(p->out, "\nWhat to do:\n"));
    assert_non_null(strstr(p->out, "\nRisk: low"));
    assert_non_null(strstr(p->out, "'tokenfix up 004_fix_melted_token_status --confirm'"));
    for (const char *line = p->out; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] != 0))
        assert_true(strcspn(line, "\n") <= 80);
}

static void validate__under_the_printed_role_is_valid_but_sees_no_members(void **state)
{
    tf_fixture *f = *state;
    static const char *const others[] = {"cashu_wallets", NULL};
    fill(f);
    tf_program *p = validate_as(f, tf_fixture_login(f, "run", "cashu_tokens", others), NULL);
    assert_int_equal(p->status, 0);
    expect(p, "privileges", "ok", "@admin may do all");
    expect(p, "state_privileges", "ok", "@admin may do all");
    expect(p, "lag", "warning", "not visible with these privileges");
    assert_non_null(strstr(check_of(p, "lag").hint, "--print-role=monitor"));
}

static void validate__names_what_a_reader_lacks(void **state)
{
    tf_fixture *f = *state;
    char lacking[320];
    fill(f);
    tf_program *p = validate_as(f, tf_fixture_login(f, "reader", NULL, NULL), NULL);
    assert_int_equal(p->status, 8);
    assert_false(tf_program_flag(p, "success"));
    assert_false(tf_program_flag(p, "data.isValid"));
    assert_string_equal(tf_program_text(p, "error.code"), "PERMISSION");
    assert_int_equal(tf_program_number(p, "error.exit"), 8);
    snprintf(lacking, sizeof lacking, "lacks update on %s.cashu_tokens", f->db);
    expect(p, "privileges", "failed", lacking);
    snprintf(lacking, sizeof lacking, "insert, createCollection, createIndex on %s; update on %s.runs", f->state_db,
             f->state_db);
    expect(p, "state_privileges", "failed", lacking);
    assert_non_null(strstr(tf_program_text(p, "error.message"), "Permission denied"));
    assert_true(tf_program_has(p, "data.risk.level"));
}

static void validate__of_a_monitor_sees_the_members_and_nothing_else(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    tf_program *p = validate_as(f, tf_fixture_login(f, "monitor", NULL, NULL), NULL);
    assert_int_equal(p->status, 8);
    expect(p, "privileges", "failed", "find, update on");
    expect(p, "lag", "ok", "one member");
    static const char *const hidden[] = {"collections", "fields",           "index", "index_cost",
                                         "disk",        "interrupted_runs", "lease"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        expect(p, hidden[i], "warning", "not visible with these privileges");
}

static void validate__without_a_login_asks_for_one(void **state)
{
    tf_fixture *f = *state;
    char uri[512];
    fill(f);
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *full = mongoc_uri_new(f->uri);
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(full);
    snprintf(uri, sizeof uri, "mongodb://%s/%s", host->host_and_port, f->db);
    tf_program *p = validate_as(f, uri, NULL);
    assert_int_equal(p->status, 8);
    expect(p, "privileges", "failed", "a connection without a user lacks");
    assert_non_null(strstr(check_of(p, "privileges").hint, "Log in"));
}

static void validate__with_a_wrong_password_has_one_row(void **state)
{
    tf_fixture *f = *state;
    char uri[768];
    const char *given = tf_fixture_login(f, "reader", NULL, NULL), *password = strstr(given, ":fixture@");
    assert_non_null(password);
    snprintf(uri, sizeof uri, "%.*s:wrong@%s", (int)(password - given), given, password + strlen(":fixture@"));
    tf_program *p = validate_as(f, uri, NULL);
    assert_int_equal(p->status, 8);
    assert_false(tf_program_flag(p, "data.isValid"));
    expect(p, "connection", "failed", "authentication failed");
    assert_false(tf_program_has(p, "data.checks.1"));
    assert_string_equal(tf_program_text(p, "data.risk.level"), "unknown");
    assert_null(strstr(p->out, "wrong"));
}

static void validate__of_a_server_that_is_not_there(void **state)
{
    tf_fixture *f = *state;
    const char *const argv[] = {"validate", "--json", "--timeout", "1", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = "mongodb://127.0.0.1:9/shop"});
    assert_int_equal(p->status, 8);
    assert_string_equal(tf_program_text(p, "error.message"), "Database connection not ready");
    expect(p, "connection", "failed", "Database connection not ready");
    const char *const text[] = {"validate", "--timeout", "1", NULL};
    p = tf_program_exec(f, &(tf_program_options){.argv = text, .uri = "mongodb://127.0.0.1:9/shop"});
    assert_int_equal(p->status, 8);
    assert_non_null(strstr(p->out, "connection  failed"));
    assert_non_null(strstr(p->err, "Database connection not ready"));
}

/* ---- the collections ---- */

static void validate__without_the_collection_fails(void **state)
{
    tf_fixture *f = *state;
    char message[160];
    tf_fixture_insert(f, "cashu_wallets", "{}");
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "MISSING");
    snprintf(message, sizeof message, "not in %s: cashu_tokens", f->db);
    expect(p, "collections", "failed", message);
    assert_non_null(strstr(check_of(p, "collections").hint, "--db"));
}

static void validate__without_what_only_checks_read_warns(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens", token);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "collections", "warning", "cashu_wallets");
}

static void validate__of_a_view_fails(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "real", token);
    tf_fixture_insert(f, "cashu_wallets", "{}");
    bson_destroy(tf_fixture_command(f, "{\"create\": \"cashu_tokens\", \"viewOn\": \"real\", \"pipeline\": []}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    expect(p, "collections", "failed", "cashu_tokens: view");
}

static void validate__of_a_collection_that_may_refuse_warns(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    bson_destroy(
        tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"npub\": {\"$exists\": true}}}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "collections", "warning", "has a validator");
}

static void validate__of_other_data_names_the_fields_it_misses(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens", "[{\"npub\": \"npub1a\", \"status\": null}, {\"mint_url\": 1}]");
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "fields", "warning", "in none of the first 2 documents: transaction_type; total_amount");
}

static void validate__of_an_empty_collection_is_valid(void **state)
{
    tf_fixture *f = *state;
    bson_destroy(tf_fixture_command(f, "{\"create\": \"cashu_tokens\"}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "fields", "ok", "empty");
    expect(p, "index", "ok", "empty");
}

static void validate__tells_a_useful_index_from_the_cost_of_none(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    bson_destroy(tf_fixture_command(f,
                                    "{\"createIndexes\": \"cashu_tokens\", \"indexes\": ["
                                    "{\"key\": {\"npub\": 1, \"status\": 1}, \"name\": \"a\"},"
                                    "{\"key\": {\"proofs.secret\": 1}, \"name\": \"b\"},"
                                    "{\"key\": {\"mint_url\": 1}, \"name\": \"c\","
                                    " \"partialFilterExpression\": {\"spent_at\": {\"$gt\": 1}}},"
                                    "{\"key\": {\"$**\": 1}, \"name\": \"d\", \"wildcardProjection\": {\"x\": 1}}]}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    expect(p, "index", "warning", "no index begins with a filter field: one pass over 1 documents");
    expect(p, "index_cost", "ok", "changes 3 of 5 indexes");
    bson_destroy(
        tf_fixture_command(f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": ["
                              "{\"key\": {\"transaction_type\": 1, \"status\": 1}, \"name\": \"of_the_filter\"}]}"));
    p = tf_program_run(f, "validate", "--json", NULL);
    expect(p, "index", "ok", "of_the_filter");
    expect(p, "index_cost", "ok", "changes 4 of 6 indexes");
}

/* ---- runs ---- */

static void insert_run(tf_fixture *f, const char *id, const char *direction, const char *state, bool active,
                       int64_t until)
{
    bson_error_t error;
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *runs =
        mongoc_client_get_collection(f->client, f->state_db, "runs");
    _cleanup_(bson_destroyp) bson_t *run =
        BCON_NEW("_id", BCON_UTF8(id), "db", BCON_UTF8(f->db), "migration", "004_fix_melted_token_status", "direction",
                 BCON_UTF8(direction), "strategy", "transaction", "restores", "some-run", "state", BCON_UTF8(state), "active", BCON_BOOL(active), "started_at",
                 BCON_DATE_TIME(1), "lease", "{", "until", BCON_DATE_TIME(until), "fence", BCON_INT64(1), "owner", "{",
                 "id", "x", "host", "elsewhere", "boot", "b", "space", "", "user", "ann", "pid", BCON_INT64(7),
                 "started", BCON_INT64(1), "}", "}");
    if (!mongoc_collection_insert_one(runs, run, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static void validate__while_another_run_works_fails_and_names_it(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    insert_run(f, "live-run", "up", "running", true, INT64_C(4102444800000));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    expect(p, "lease", "failed", "held by live-run (running, ann@elsewhere pid 7)");
    expect(p, "interrupted_runs", "ok", "none");
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_READY");
}

static void validate__of_an_interrupted_run_says_how_to_go_on(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    insert_run(f, "dead-run", "up", "running", true, 2);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "lease", "ok", "nobody");
    expect(p, "interrupted_runs", "warning", "up dead-run was interrupted");
    assert_non_null(strstr(check_of(p, "interrupted_runs").hint, "'tokenfix up --resume=dead-run --confirm'"));
    p = tf_program_run(f, "validate", NULL);
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->out, "a plain 'tokenfix up' will not begin"));
}

static void validate__of_a_run_of_another_database_sees_nothing(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    char own[64];
    snprintf(own, sizeof own, "%s", f->db);
    snprintf(f->db, sizeof f->db, "another");
    insert_run(f, "foreign-run", "up", "running", true, INT64_C(4102444800000));
    snprintf(f->db, sizeof f->db, "%s", own);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "lease", "ok", "nobody");
}

static void validate__after_a_completed_run_says_so(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    expect(p, "migration", "ok", "nothing");
    assert_int_equal(tf_program_run(f, "up", "--confirm", "--yes", NULL)->status, 0);
    p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "migration", "warning", "Migration has already been completed");
    expect(p, "interrupted_runs", "ok", "none");
}

static void validate__before_a_dependency_is_applied_fails(void **state)
{
    tf_fixture *f = *state;
    const char *const argv[] = {"validate", "102", "--json", NULL};
    tf_fixture_insert(f, "invoices", "{\"_id\": \"a\"}");
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .test_registry = true});
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "DEPENDENCY");
    expect(p, "migration", "failed", "101_settle_invoices");
    expect(p, "collections", "ok", "all that is required");
}

/* ---- the state in the repaired database ---- */

static void validate__with_the_state_in_the_repaired_database_warns(void **state)
{
    tf_fixture *f = *state;
    fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", "--state-db", f->db, NULL);
    assert_int_equal(p->status, 0);
    expect(p, "state_privileges", "warning", "kept in the repaired database");
    p = tf_program_run(f, "validate", "--json", "--print-role", "--state-db", f->db, NULL);
    assert_int_equal(p->status, 2);
    assert_non_null(strstr(tf_program_text(p, "error.message"), "no least role"));
    p = tf_program_run(f, "validate", "--print-role=monitor", "--state-db", f->db, NULL);
    assert_int_equal(p->status, 0);
}

static void role__is_printed_without_a_server(void **state)
{
    tf_fixture *f = *state;
    const char *const argv[] = {"validate", "--print-role", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = "mongodb://127.0.0.1:9/shop"});
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->out, "db.getSiblingDB(\"admin\").runCommand({\n  \"createRole\": \"tokenfix_run_shop\""));
    assert_non_null(strstr(p->out, "\"db\": \"shop_tokenfix\""));
    assert_non_null(strstr(p->out, "createUser"));
    assert_string_equal(p->err, "");
    p = tf_program_run(f, "validate", "--print-role=everything", NULL);
    assert_int_equal(p->status, 2);
    assert_non_null(strstr(p->err, "run|monitor|audit|purge"));
}

/* ---- other servers ---- */

static void own_server(tf_fixture *f, tf_sandbox_options options, tf_sandbox *sandbox)
{
    tf_fixture_own_server(f, options, sandbox);
    fill(f);
}

static void validate__of_a_standalone_server_passes_for_the_journal_only(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    own_server(f, (tf_sandbox_options){.standalone = true}, &sandbox);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "UNSUPPORTED");
    expect(p, "topology", "failed", "standalone");
    assert_non_null(strstr(check_of(p, "topology").hint, "--strategy journal"));
    p = tf_program_run(f, "validate", "--json", "--strategy", "journal", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "topology", "warning", "standalone");
    expect(p, "privileges", "ok", "access control is off");
    expect(p, "lag", "ok", "no other members");
    expect(p, "clock", "ok", "this machine and the server");
}

/* Whichever member answers first: it is the primary that is asked. */
static void expect_primary(const tf_fixture *f)
{
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(f->uri);
    for (int i = 0; i < 50; i++) {
        tf_client client = {0};
        tf_error err = {0};
        if (!tf_client_open(uri, f->db, "wallet_tokenfix", 5000, 0, &client, &err))
            fail_msg("%s", err.message);
        assert_true(client.facts.writable);
        tf_client_close(&client);
    }
}

static void validate__of_three_members_sees_them_and_refuses_a_secondary(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "topology", "ok", "3 members");
    expect_primary(f);
    expect(p, "lag", "ok", "2 secondaries");
    expect(p, "clock", "ok", "and 3 members agree");
    bool refused = false;
    for (unsigned i = 0; i < sandbox.nodes && !refused; i++) {
        char uri[128];
        snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?directConnection=true", sandbox.node[i].port);
        p = validate_as(f, uri, NULL);
        if (p->status == 0)
            continue; /* the primary */
        refused = true;
        assert_int_equal(p->status, 8);
        expect(p, "topology", "failed", "not the primary");
        expect(p, "collections", "ok", "all that is required");
        assert_string_equal(tf_program_text(p, "error.code"), "NOT_WRITABLE");
    }
    assert_true(refused);
}

/* The ports of the secondaries. */
static unsigned secondaries(const tf_fixture *f, const tf_sandbox *sandbox, unsigned nodes[static TF_SANDBOX_NODES])
{
    _cleanup_(bson_destroyp) bson_t *hello = BCON_NEW("hello", BCON_INT32(1));
    bson_error_t error;
    bson_t reply;
    bson_iter_t iter;
    unsigned count = 0;
    assert_true(mongoc_client_command_simple(f->client, "admin", hello, NULL, &reply, &error));
    assert_true(bson_iter_init_find(&iter, &reply, "me"));
    int primary = atoi(strchr(bson_iter_utf8(&iter, NULL), ':') + 1);
    bson_destroy(&reply);
    for (unsigned i = 0; i < sandbox->nodes; i++)
        if (sandbox->node[i].port != primary)
            nodes[count++] = i;
    return count;
}

/* A member that stays up but no longer fetches what it shall replicate. */
static void stop_replicating(const tf_sandbox *sandbox, unsigned node)
{
    char uri[128];
    bson_error_t error;
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?directConnection=true", sandbox->node[node].port);
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = mongoc_client_new(uri);
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("configureFailPoint", "stopReplProducer", "mode", "alwaysOn");
    if (!mongoc_client_command_simple(client, "admin", command, NULL, NULL, &error))
        fail_msg("%s", error.message);
}

static void write_something(tf_fixture *f)
{
    bson_destroy(tf_fixture_command(f, "{\"insert\": \"things\", \"documents\": [{}], \"writeConcern\": {\"w\": 1}}"));
}

static void validate__of_members_that_are_behind_warns(void **state)
{
    static const char *const parameters[] = {"enableTestCommands=1", NULL};
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    unsigned nodes[TF_SANDBOX_NODES];
    own_server(f, (tf_sandbox_options){.nodes = 3, .parameters = parameters}, &sandbox);
    assert_int_equal(secondaries(f, &sandbox, nodes), 2);
    stop_replicating(&sandbox, nodes[0]);
    for (int i = 0; i < 8; i++) {
        write_something(f);
        usleep(600000);
    }
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "lag", "warning", "s behind the primary");
    stop_replicating(&sandbox, nodes[1]);
    for (int i = 0; i < 8; i++) {
        write_something(f);
        usleep(200000);
    }
    p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    expect(p, "lag", "warning", "the majority has not followed");
}

static void validate__does_not_hang_with_a_member(void **state)
{
    tf_fixture *f = *state;
    tf_sandbox sandbox;
    unsigned nodes[TF_SANDBOX_NODES];
    own_server(f, (tf_sandbox_options){.nodes = 3}, &sandbox);
    assert_int_equal(secondaries(f, &sandbox, nodes), 2);
    kill((pid_t)sandbox.node[nodes[0]].process.pid, SIGSTOP);
    const char *const argv[] = {"validate", "--json", NULL};
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .timeout_s = 30});
    kill((pid_t)sandbox.node[nodes[0]].process.pid, SIGCONT);
    assert_false(p->timed_out);
    assert_int_equal(p->status, 0);
    expect(p, "clock", "ok", "2 members agree");
}

#define OWN_SERVER_TEST(f) TF_FIXTURE_OWN_TEST(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(validate__of_a_good_database_is_valid_and_writes_nothing),
        TF_FIXTURE_TEST(validate__as_text_says_what_to_do),
        TF_FIXTURE_TEST(validate__under_the_printed_role_is_valid_but_sees_no_members),
        TF_FIXTURE_TEST(validate__names_what_a_reader_lacks),
        TF_FIXTURE_TEST(validate__of_a_monitor_sees_the_members_and_nothing_else),
        TF_FIXTURE_TEST(validate__without_a_login_asks_for_one),
        TF_FIXTURE_TEST(validate__with_a_wrong_password_has_one_row),
        TF_FIXTURE_TEST(validate__of_a_server_that_is_not_there),
        TF_FIXTURE_TEST(validate__without_the_collection_fails),
        TF_FIXTURE_TEST(validate__without_what_only_checks_read_warns),
        TF_FIXTURE_TEST(validate__of_a_view_fails),
        TF_FIXTURE_TEST(validate__of_a_collection_that_may_refuse_warns),
        TF_FIXTURE_TEST(validate__of_other_data_names_the_fields_it_misses),
        TF_FIXTURE_TEST(validate__of_an_empty_collection_is_valid),
        TF_FIXTURE_TEST(validate__tells_a_useful_index_from_the_cost_of_none),
        TF_FIXTURE_TEST(validate__while_another_run_works_fails_and_names_it),
        TF_FIXTURE_TEST(validate__of_an_interrupted_run_says_how_to_go_on),
        TF_FIXTURE_TEST(validate__of_a_run_of_another_database_sees_nothing),
        TF_FIXTURE_TEST(validate__after_a_completed_run_says_so),
        TF_FIXTURE_TEST(validate__before_a_dependency_is_applied_fails),
        TF_FIXTURE_TEST(validate__with_the_state_in_the_repaired_database_warns),
        TF_FIXTURE_TEST(role__is_printed_without_a_server),
        OWN_SERVER_TEST(validate__of_a_standalone_server_passes_for_the_journal_only),
        OWN_SERVER_TEST(validate__of_three_members_sees_them_and_refuses_a_secondary),
        OWN_SERVER_TEST(validate__of_members_that_are_behind_warns),
        OWN_SERVER_TEST(validate__does_not_hang_with_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
