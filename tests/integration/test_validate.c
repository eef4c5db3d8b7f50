/* `tokenfix validate` as it is typed: what it says of access, collections and runs. integration/test_validate_servers.c has the
 * other kinds of servers. */
#include "support/checks.h"

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
    tf_checks_fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_true(tf_program_flag(p, "data.isValid"));
    assert_string_equal(tf_program_text(p, "data.risk.level"), "low");
    assert_true(tf_program_has(p, "data.risk.reasons"));
    for (size_t i = 0; i < sizeof all_checks / sizeof *all_checks; i++)
        assert_string_not_equal(tf_check_of(p, all_checks[i]).state, "failed");
    tf_check_expect(p, "server_version", "ok", "MongoDB ");
    tf_check_expect(p, "topology", "ok", "replica set");
    tf_check_expect(p, "privileges", "ok", f->db);
    tf_check_expect(p, "state_privileges", "ok", f->state_db);
    tf_check_expect(p, "collections", "ok", "all that is required");
    tf_check_expect(p, "fields", "ok", "the first 1 documents");
    tf_check_expect(p, "disk", "ok", "free");
    tf_check_expect(p, "interrupted_runs", "ok", "none");
    tf_check_expect(p, "lease", "ok", "nobody");
    assert_false(has_database(f, f->state_db));
}

static void validate__as_text_says_what_to_do(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
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
    tf_checks_fill(f);
    tf_program *p = tf_checks_run(f, tf_fixture_login(f, "run", "cashu_tokens", others));
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "privileges", "ok", "@admin may do all");
    tf_check_expect(p, "state_privileges", "ok", "@admin may do all");
    tf_check_expect(p, "lag", "warning", "not visible with these privileges");
    assert_non_null(strstr(tf_check_of(p, "lag").hint, "--print-role=monitor"));
}

static void validate__names_what_a_reader_lacks(void **state)
{
    tf_fixture *f = *state;
    char lacking[320];
    tf_checks_fill(f);
    tf_program *p = tf_checks_run(f, tf_fixture_login(f, "reader", NULL, NULL));
    assert_int_equal(p->status, 8);
    assert_false(tf_program_flag(p, "success"));
    assert_false(tf_program_flag(p, "data.isValid"));
    assert_string_equal(tf_program_text(p, "error.code"), "PERMISSION");
    assert_int_equal(tf_program_number(p, "error.exit"), 8);
    snprintf(lacking, sizeof lacking, "lacks update on %s.cashu_tokens", f->db);
    tf_check_expect(p, "privileges", "failed", lacking);
    snprintf(lacking, sizeof lacking, "insert, createCollection on %s; update, createIndex on %s.runs", f->state_db,
             f->state_db);
    tf_check_expect(p, "state_privileges", "failed", lacking);
    assert_non_null(strstr(tf_program_text(p, "error.message"), "Permission denied"));
    assert_true(tf_program_has(p, "data.risk.level"));
}

static void validate__of_a_monitor_sees_the_members_and_nothing_else(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    tf_program *p = tf_checks_run(f, tf_fixture_login(f, "monitor", NULL, NULL));
    assert_int_equal(p->status, 8);
    tf_check_expect(p, "privileges", "failed", "find, update on");
    tf_check_expect(p, "lag", "ok", "one member");
    static const char *const hidden[] = {"collections", "fields",           "index", "index_cost",
                                         "disk",        "interrupted_runs", "lease"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        tf_check_expect(p, hidden[i], "warning", "not visible with these privileges");
}

static void validate__without_a_login_asks_for_one(void **state)
{
    tf_fixture *f = *state;
    char uri[512];
    tf_checks_fill(f);
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *full = mongoc_uri_new(f->uri);
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(full);
    snprintf(uri, sizeof uri, "mongodb://%s/%s", host->host_and_port, f->db);
    tf_program *p = tf_checks_run(f, uri);
    assert_int_equal(p->status, 8);
    tf_check_expect(p, "privileges", "failed", "a connection without a user lacks");
    assert_non_null(strstr(tf_check_of(p, "privileges").hint, "Log in"));
}

static void validate__with_a_wrong_password_has_one_row(void **state)
{
    tf_fixture *f = *state;
    char uri[768];
    const char *given = tf_fixture_login(f, "reader", NULL, NULL), *password = strstr(given, ":fixture@");
    assert_non_null(password);
    snprintf(uri, sizeof uri, "%.*s:wrong@%s", (int)(password - given), given, password + strlen(":fixture@"));
    tf_program *p = tf_checks_run(f, uri);
    assert_int_equal(p->status, 8);
    assert_false(tf_program_flag(p, "data.isValid"));
    tf_check_expect(p, "connection", "failed", "authentication failed");
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
    tf_check_expect(p, "connection", "failed", "Database connection not ready");
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
    tf_check_expect(p, "collections", "failed", message);
    assert_non_null(strstr(tf_check_of(p, "collections").hint, "--db"));
}

static void validate__without_what_only_checks_read_warns(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens", TF_CHECKS_TOKEN);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "collections", "warning", "cashu_wallets");
}

static void validate__of_a_view_fails(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "real", TF_CHECKS_TOKEN);
    tf_fixture_insert(f, "cashu_wallets", "{}");
    bson_destroy(tf_fixture_command(f, "{\"create\": \"cashu_tokens\", \"viewOn\": \"real\", \"pipeline\": []}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    tf_check_expect(p, "collections", "failed", "cashu_tokens: view");
}

static void validate__of_a_collection_that_may_refuse_warns(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    bson_destroy(
        tf_fixture_command(f, "{\"collMod\": \"cashu_tokens\", \"validator\": {\"npub\": {\"$exists\": true}}}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "collections", "warning", "has a validator");
}

/* By the time that is set, or by a condition that only a repaired document meets: what was repaired would be gone soon. */
static void validate__of_an_index_that_deletes_what_is_repaired_warns(void **state)
{
    static const struct {
        const char *index, *state;
    } cases[] = {{"{\"key\": {\"createdAt\": 1}, \"name\": \"harmless\", \"expireAfterSeconds\": 100000000}", "ok"},
                 {"{\"key\": {\"spent_at\": 1}, \"name\": \"deletes\", \"expireAfterSeconds\": 100000000}", "warning"},
                 {"{\"key\": {\"createdAt\": -1}, \"name\": \"deletes\", \"expireAfterSeconds\": 100000000, "
                  "\"partialFilterExpression\": {\"status\": \"spent\"}}", "warning"}};
    tf_fixture *f = *state;
    char json[512];
    tf_checks_fill(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(json, sizeof json, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [%s]}", cases[i].index);
        bson_destroy(tf_fixture_command(f, json));
        tf_program *p = tf_program_run(f, "validate", "--json", NULL);
        assert_int_equal(p->status, 0);
        tf_check_expect(p, "index_cost", cases[i].state, i ? "deletes documents by index deletes" : "the update changes");
        bson_destroy(tf_fixture_command(f, "{\"dropIndexes\": \"cashu_tokens\", \"index\": \"*\"}"));
    }
}

static void validate__of_other_data_names_the_fields_it_misses(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens", "[{\"npub\": \"npub1a\", \"status\": null}, {\"mint_url\": 1}]");
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "fields", "warning", "in none of the first 2 documents: transaction_type; total_amount");
}

static void validate__of_an_empty_collection_is_valid(void **state)
{
    tf_fixture *f = *state;
    bson_destroy(tf_fixture_command(f, "{\"create\": \"cashu_tokens\"}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "fields", "ok", "empty");
    tf_check_expect(p, "index", "ok", "empty");
}

static void validate__tells_a_useful_index_from_the_cost_of_none(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    bson_destroy(tf_fixture_command(f,
                                    "{\"createIndexes\": \"cashu_tokens\", \"indexes\": ["
                                    "{\"key\": {\"npub\": 1, \"status\": 1}, \"name\": \"a\"},"
                                    "{\"key\": {\"proofs.secret\": 1}, \"name\": \"b\"},"
                                    "{\"key\": {\"mint_url\": 1}, \"name\": \"c\","
                                    " \"partialFilterExpression\": {\"spent_at\": {\"$gt\": 1}}},"
                                    "{\"key\": {\"$**\": 1}, \"name\": \"d\", \"wildcardProjection\": {\"x\": 1}}]}"));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    tf_check_expect(p, "index", "warning", "no index begins with a filter field: one pass over 1 documents");
    tf_check_expect(p, "index_cost", "ok", "changes 3 of 5 indexes");
    bson_destroy(
        tf_fixture_command(f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": ["
                              "{\"key\": {\"transaction_type\": 1, \"status\": 1}, \"name\": \"of_the_filter\"}]}"));
    p = tf_program_run(f, "validate", "--json", NULL);
    tf_check_expect(p, "index", "ok", "of_the_filter");
    tf_check_expect(p, "index_cost", "ok", "changes 4 of 6 indexes");
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
    tf_checks_fill(f);
    insert_run(f, "live-run", "up", "running", true, INT64_C(4102444800000));
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 1);
    tf_check_expect(p, "lease", "failed", "held by live-run (running, ann@elsewhere pid 7)");
    tf_check_expect(p, "interrupted_runs", "ok", "none");
    assert_string_equal(tf_program_text(p, "error.code"), "NOT_READY");
}

static void validate__of_an_interrupted_run_says_how_to_go_on(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    insert_run(f, "dead-run", "up", "running", true, 2);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "lease", "ok", "nobody");
    tf_check_expect(p, "interrupted_runs", "warning", "up dead-run was interrupted");
    assert_non_null(strstr(tf_check_of(p, "interrupted_runs").hint, "'tokenfix up --resume=dead-run --confirm'"));
    p = tf_program_run(f, "validate", NULL);
    assert_int_equal(p->status, 0);
    assert_non_null(strstr(p->out, "a plain 'tokenfix up' will not begin"));
}

static void validate__of_a_run_of_another_database_sees_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    char own[64];
    snprintf(own, sizeof own, "%s", f->db);
    snprintf(f->db, sizeof f->db, "another");
    insert_run(f, "foreign-run", "up", "running", true, INT64_C(4102444800000));
    snprintf(f->db, sizeof f->db, "%s", own);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "lease", "ok", "nobody");
}

static void validate__after_a_completed_run_says_so(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", NULL);
    tf_check_expect(p, "migration", "ok", "nothing");
    assert_int_equal(tf_program_run(f, "up", "--confirm", "--yes", NULL)->status, 0);
    p = tf_program_run(f, "validate", "--json", NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "migration", "warning", "Migration has already been completed");
    tf_check_expect(p, "interrupted_runs", "ok", "none");
}

static void validate__before_a_dependency_is_applied_fails(void **state)
{
    tf_fixture *f = *state;
    const char *const argv[] = {"validate", "102", "--json", NULL};
    tf_fixture_insert(f, "invoices", "{\"_id\": \"a\"}");
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = argv, .test_registry = true});
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "DEPENDENCY");
    tf_check_expect(p, "migration", "failed", "101_settle_invoices");
    tf_check_expect(p, "collections", "ok", "all that is required");
}

/* ---- the state in the repaired database ---- */

static void validate__with_the_state_in_the_repaired_database_warns(void **state)
{
    tf_fixture *f = *state;
    tf_checks_fill(f);
    tf_program *p = tf_program_run(f, "validate", "--json", "--state-db", f->db, NULL);
    assert_int_equal(p->status, 0);
    tf_check_expect(p, "state_privileges", "warning", "kept in the repaired database");
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
    assert_non_null(strstr(p->err, "run|monitor|audit|auditor|purge"));
}

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
        TF_FIXTURE_TEST(validate__of_an_index_that_deletes_what_is_repaired_warns),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
