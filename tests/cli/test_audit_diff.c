/* tokenfix audit keeps what it found, and --diff says what changed since. */
#include "support/role.h"
#include "support/tokens.h"

/* A sound token; what else it has comes behind. */
static void token(tf_fixture *f, int id, const char *npub, const char *more)
{
    char json[768];
    snprintf(json, sizeof json,
             "{\"_id\": %d, \"npub\": \"%s\", \"wallet_id\": 1, \"mint_url\": \"https://mint\", \"total_amount\": 8, \"proofs\": [{\"id\": \"k\", \"amount\": 8,"
             " \"secret\": \"s3cr3t%d\", \"C\": \"02ab\"}], \"status\": \"unspent\", \"transaction_type\": \"received\", \"metadata\": {\"source\": \"p2p\"}}",
             id, npub, id);
    tf_fixture_insert(f, "cashu_tokens", json);
    if (more) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"_id\": %d}", id);
        tf_tokens_update(f, filter, more);
    }
}

#define MELTED "{\"$set\": {\"transaction_type\": \"melted\"}}"
#define NO_SOURCE "{\"$unset\": {\"metadata\": 1}}"
#define NO_WALLET "{\"$set\": {\"wallet_id\": null}}"
#define LATE "{\"$set\": {\"spent_at\": {\"$date\": \"2024-01-02T03:04:05Z\"}}}"

/* Two melted, two without a source, one without a wallet. */
static void sample(tf_fixture *f)
{
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    tf_fixture_insert(f, "cashu_wallets", "{\"_id\": 1, \"npub\": \"npub1anna\", \"mint_url\": \"https://mint\"}");
    token(f, 1, "npub1anna", NULL);
    token(f, 2, "npub1anna", MELTED);
    token(f, 3, "npub1bert", MELTED);
    token(f, 4, "npub1bert", NO_SOURCE);
    token(f, 5, "npub1anna", NO_SOURCE);
    token(f, 6, "npub1anna", NO_WALLET);
}

/* The orphan is put right, one melted is spent, two more lack a source, one was spent too early. */
static void change(tf_fixture *f)
{
    tf_tokens_update(f, "{\"_id\": 6}", "{\"$set\": {\"wallet_id\": 1}}");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"status\": \"spent\", \"spent_at\": {\"$date\": \"2024-01-02T03:04:05Z\"}}}");
    token(f, 7, "npub1anna", NO_SOURCE);
    token(f, 8, "npub1anna", NO_SOURCE);
    token(f, 9, "npub1anna", LATE);
}

#define AUDIT(f, ...) tf_program_run((f), "audit", "--json", ##__VA_ARGS__, NULL)

static size_t length_of(const tf_program *p, const char *list)
{
    char path[64];
    size_t n = 0;
    while (snprintf(path, sizeof path, "data.diff.%s.%zu", list, n) && tf_program_has(p, path))
        n++;
    return n;
}

static void assert_one(const tf_program *p, const char *list, const char *check, int64_t before, int64_t now)
{
    char path[64];
    assert_int_equal(length_of(p, list), 1);
    snprintf(path, sizeof path, "data.diff.%s.0.type", list);
    assert_string_equal(tf_program_text(p, path), check);
    snprintf(path, sizeof path, "data.diff.%s.0.before", list);
    assert_int_equal(tf_program_number(p, path), before);
    snprintf(path, sizeof path, "data.diff.%s.0.count", list);
    assert_int_equal(tf_program_number(p, path), now);
    snprintf(path, sizeof path, "data.diff.%s.0.id", list);
    assert_int_equal(strlen(tf_program_text(p, path)), 16);
}

static void diff__of_a_first_audit_says_that_there_is_none_before(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *p = AUDIT(f, "--diff");
    assert_exit(p, 3);
    assert_true(tf_program_has(p, "data.diff"));
    assert_false(tf_program_has(p, "data.diff.since.audit"));
    assert_int_equal(length_of(p, "new"), 0);
    assert_int_equal(tf_program_number(p, "data.diff.unchanged"), 0);
    assert_true(tf_program_flag(p, "data.kept"));
    p = tf_program_run(f, "audit", "--diff", "--user", "npub1anna", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "\nThere is no earlier audit of the same to compare with.\n");
}

static void diff__names_what_is_new_gone_grown_and_shrunk(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *first = AUDIT(f);
    assert_exit(first, 3);
    assert_false(tf_program_has(first, "data.diff"));
    change(f);
    tf_program *p = AUDIT(f, "--diff");
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.diff.since.audit"), tf_program_text(first, "data.audit"));
    assert_one(p, "new", "status_inconsistent", 0, 1);
    assert_one(p, "gone", "orphaned_token", 1, 0);
    assert_one(p, "grown", "missing_source", 2, 4);
    assert_one(p, "shrunk", "melted_unspent", 2, 1);
    assert_int_equal(tf_program_number(p, "data.diff.shrunk.0.amountBefore"), 16);
    assert_int_equal(tf_program_number(p, "data.diff.shrunk.0.amount"), 8);
    assert_int_equal(tf_program_number(p, "data.diff.unchanged"), 0);
    p = AUDIT(f, "--diff");
    assert_int_equal(tf_program_number(p, "data.diff.unchanged"), 3);
    assert_int_equal(length_of(p, "new") + length_of(p, "gone") + length_of(p, "grown") + length_of(p, "shrunk"), 0);
}

static void diff__is_printed_for_people(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    assert_exit(AUDIT(f), 3);
    tf_program *p = tf_program_run(f, "audit", "--diff", NULL);
    assert_has(p->out, "\nNothing changed since audit 2");
    change(f);
    p = tf_program_run(f, "audit", "--diff", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "\nSince audit 2");
    assert_has(p->out, "\nchange  check                count\n"
                       "new     status_inconsistent  0 -> 1, +8 sat\n"
                       "gone    orphaned_token       1 -> 0\n"
                       "grown   missing_source       2 -> 4, +16 sat\n"
                       "shrunk  melted_unspent       2 -> 1, -8 sat\n");
}

/* What one narrowing had says nothing about another; fewer checks compare with more. */
static void diff__compares_what_looked_at_the_same(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *whole = AUDIT(f);
    tf_program *p = AUDIT(f, "--diff", "--user", "npub1bert");
    assert_false(tf_program_has(p, "data.diff.since.audit"));
    p = AUDIT(f, "--diff", "--check", "missing_source");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.diff.since.audit"), tf_program_text(whole, "data.audit"));
    assert_int_equal(tf_program_number(p, "data.diff.unchanged"), 1);
    token(f, 7, "npub1bert", NO_SOURCE);
    p = AUDIT(f, "--diff"); /* past the one of a single check, back to the whole */
    assert_string_equal(tf_program_text(p, "data.diff.since.audit"), tf_program_text(whole, "data.audit"));
    assert_one(p, "grown", "missing_source", 2, 3);
    p = AUDIT(f, "--diff", "--user", "npub1bert");
    assert_one(p, "grown", "missing_source", 1, 2);
    p = AUDIT(f, "--diff", "--user", "npub1bert", "--mint", "https://mint");
    assert_false(tf_program_has(p, "data.diff.since.audit"));
}

static void diff__does_not_change_the_exit_status(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_least(f, "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    tf_fixture_insert(f, "cashu_wallets", "{\"_id\": 1, \"npub\": \"npub1anna\", \"mint_url\": \"https://mint\"}");
    token(f, 1, "npub1anna", NULL);
    assert_exit(AUDIT(f, "--diff"), 0);
    token(f, 2, "npub1anna", NO_SOURCE);
    tf_program *p = AUDIT(f, "--diff");
    assert_exit(p, 0);
    assert_one(p, "new", "missing_source", 0, 1);
    assert_exit(AUDIT(f, "--diff", "--fail-on", "low"), 3);
    tf_tokens_delete(f, "{\"_id\": 2}");
    p = AUDIT(f, "--diff", "--fail-on", "low");
    assert_exit(p, 0);
    assert_one(p, "gone", "missing_source", 1, 0);
}

static void diff__leaves_lines_for_other_programs_as_they_are(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *plain = tf_program_run(f, "audit", "--format", "csv", NULL), *compared = tf_program_run(f, "audit", "--format", "csv", "--diff", NULL);
    assert_exit(compared, 3);
    assert_string_equal(plain->out, compared->out);
    compared = tf_program_run(f, "audit", "--format", "junit", "--diff", NULL);
    assert_exit(compared, 3);
    assert_has_not(compared->out, "earlier audit");
    assert_has(compared->out, "</testsuites>\n");
}

/* ---- what is kept ---- */

static void audit__keeps_what_it_found_without_a_secret(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_tokens_update(f, "{\"_id\": 1}", "{\"$set\": {\"proofs.0.secret\": \"s3cr3t2\"}}");
    tf_program *p = AUDIT(f);
    assert_exit(p, 3);
    char json[512];
    snprintf(json, sizeof json,
             "{\"_id\": \"%s\", \"db\": \"%s\", \"migration\": \"004_fix_melted_token_status\", \"checks\": {\"$size\": 9}, \"findings\": {\"$elemMatch\": {\"check\":"
             " \"duplicate_secret\", \"severity\": \"high\", \"count\": 1}}, \"skipped.check\": \"balance_discrepancy\", \"tool_version\": {\"$exists\": true}}",
             tf_program_text(p, "data.audit"), f->db);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", json), 1);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"findings.examples.0\": {\"$exists\": true}}"), 1);
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *audits = mongoc_client_get_collection(f->client, f->state_db, "audits");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(audits, &all, NULL, NULL);
    const bson_t *doc = NULL;
    assert_true(mongoc_cursor_next(cursor, &doc));
    char *text = bson_as_canonical_extended_json(doc, NULL);
    assert_has_not(text, "s3cr3t");
    bson_free(text);
}

/* An _id can be as large as a document: sixteen such examples would not fit into one. */
static void audit__keeps_no_example_that_is_huge(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    enum { LENGTH = 900000 };
    for (int i = 0; i < 10; i++) {
        char *huge = malloc(LENGTH + 1);
        memset(huge, 'a' + i, LENGTH);
        huge[LENGTH] = '\0';
        bson_error_t error;
        _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *tokens = mongoc_client_get_collection(f->client, f->db, "cashu_tokens");
        _cleanup_(bson_destroyp) bson_t *doc = BCON_NEW("_id", BCON_UTF8(huge), "npub", "npub1huge", "status", "unspent", "transaction_type", "melted");
        assert_true(mongoc_collection_insert_one(tokens, doc, NULL, NULL, &error));
        free(huge);
    }
    tf_program *p = AUDIT(f);
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "data.kept"));
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{\"$expr\": {\"$gt\": [{\"$bsonSize\": \"$$ROOT\"}, 300000]}}"), 0);
}

static void audit__keeps_nothing_where_it_is_told_so(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *p = AUDIT(f, "--no-keep");
    assert_exit(p, 3);
    assert_false(tf_program_flag(p, "data.kept"));
    assert_string_equal(p->err, "");
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 0);
    assert_exit(AUDIT(f), 3);
    token(f, 7, "npub1anna", NO_SOURCE);
    p = AUDIT(f, "--no-keep", "--diff");
    assert_one(p, "grown", "missing_source", 2, 3);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 1);
}

/* Every write is refused to him: the audit is as good, and says that nothing was kept. */
static void audit__of_who_only_reads_says_that_nothing_was_kept(void **state)
{
    tf_fixture *f = *state;
    char uri[1024];
    fill(f);
    tf_program *p = AS(f, f->uri, "audit", "--json");
    assert_exit(p, 3);
    create_printed_role(f, "audit", uri, sizeof uri);
    _cleanup_free_ char *data = hash_of(f->client, f->db), *records = hash_of(f->client, f->state_db);
    p = AS(f, uri, "audit", "--json", "--diff");
    assert_exit(p, 3);
    assert_false(tf_program_flag(p, "data.kept"));
    assert_int_equal(tf_program_number(p, "data.issues.0.count"), DEFECTS);
    assert_true(tf_program_has(p, "data.diff.since.audit"));
    assert_has(p->err, "nothing was kept of this audit");
    assert_has(p->err, "--print-role=auditor");
    assert_string_equal(AS(f, uri, "audit", "--quiet")->err, "");
    char name[80]; /* who does not even see the state database */
    snprintf(name, sizeof name, "%s_purge", f->db);
    as_admin(f, BCON_NEW("createUser", BCON_UTF8(name), "pwd", "printed", "roles", "[", "{", "role", "read", "db", BCON_UTF8(f->db), "}", "]"));
    snprintf(uri, sizeof uri, "mongodb://%s:printed%s", name, strchr(f->uri, '@'));
    p = AS(f, uri, "audit", "--json", "--diff");
    assert_exit(p, 3);
    assert_has(p->err, "not compared with the audit before");
    assert_false(tf_program_has(p, "data.diff.since"));
    _cleanup_free_ char *data_after = hash_of(f->client, f->db), *records_after = hash_of(f->client, f->state_db);
    assert_string_equal(data, data_after);
    assert_string_equal(records, records_after);
}

static void audit__of_an_auditor_is_kept(void **state)
{
    tf_fixture *f = *state;
    char uri[1024];
    fill(f);
    create_printed_role(f, "auditor", uri, sizeof uri);
    tf_program *p = AS(f, uri, "audit", "--json");
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "data.kept"));
    assert_string_equal(p->err, "");
    p = AS(f, uri, "audit", "--json", "--diff");
    assert_true(tf_program_has(p, "data.diff.since.audit"));
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 2);
}

/* Somebody wrote there what is no audit: that is named, and the audit is told. */
static void diff__with_a_damaged_audit_names_it(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    assert_exit(AUDIT(f), 3);
    _cleanup_(bson_destroyp) bson_t *command =
        bson_new_from_json((const uint8_t *)"{\"update\": \"audits\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"findings\": 7}}}]}", -1, NULL);
    assert_true(mongoc_client_command_simple(f->client, f->state_db, command, NULL, NULL, NULL));
    tf_program *p = AUDIT(f, "--diff");
    assert_exit(p, 3);
    assert_has(p->err, "'findings' is not");
    assert_false(tf_program_has(p, "data.diff.since"));
}

/* Only who may remove removes; who may not is told, and what was found is kept all the same. */
static void keep__removes_what_is_old_where_it_may(void **state)
{
    tf_fixture *f = *state;
    const char *auditor = tf_fixture_login(f, "auditor", "cashu_tokens", (const char *const[]){"cashu_wallets", NULL});
    sample(f);
    assert_exit(AS(f, auditor, "audit", "--json"), 3);
    char json[300];
    bson_error_t error;
    snprintf(json, sizeof json, "{\"update\": \"audits\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"at\": {\"$date\": \"2020-01-01T00:00:00Z\"}}}}]}");
    _cleanup_(bson_destroyp) bson_t *age = bson_new_from_json((const uint8_t *)json, -1, NULL);
    if (!mongoc_client_command_simple(f->client, f->state_db, age, NULL, NULL, &error))
        fail_msg("%s", error.message);
    tf_program *p = AS(f, auditor, "audit", "--json", "--keep", "90d");
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "data.kept"));
    assert_has(p->err, "what was kept and is old is not removed: Permission denied");
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 2);
    p = AS(f, f->uri, "audit", "--json", "--keep", "20y");
    assert_int_equal(tf_program_number(p, "data.removedAudits"), 0);
    p = AS(f, f->uri, "audit", "--json", "--keep", "90d");
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.removedAudits"), 1);
    assert_int_equal(tf_fixture_count(f, f->state_db, "audits", "{}"), 3);
    p = AS(f, auditor, "audit", "--keep", "90d", "--fail-on", "never"); /* findings are no failure, and nothing old is left */
    assert_exit(p, 0);
    assert_has_not(p->err, "not removed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(diff__of_a_first_audit_says_that_there_is_none_before),
        TF_FIXTURE_TEST(diff__names_what_is_new_gone_grown_and_shrunk),
        TF_FIXTURE_TEST(diff__is_printed_for_people),
        TF_FIXTURE_TEST(diff__compares_what_looked_at_the_same),
        TF_FIXTURE_TEST(diff__does_not_change_the_exit_status),
        TF_FIXTURE_TEST(diff__leaves_lines_for_other_programs_as_they_are),
        TF_FIXTURE_TEST(diff__with_a_damaged_audit_names_it),
        TF_FIXTURE_TEST(audit__keeps_what_it_found_without_a_secret),
        TF_FIXTURE_TEST(audit__keeps_no_example_that_is_huge),
        TF_FIXTURE_TEST(audit__keeps_nothing_where_it_is_told_so),
        ROLE_TEST(audit__of_who_only_reads_says_that_nothing_was_kept),
        ROLE_TEST(audit__of_an_auditor_is_kept),
        TF_FIXTURE_TEST(keep__removes_what_is_old_where_it_may),
    };
    return cmocka_run_group_tests_name("audit_diff", tests, NULL, NULL);
}
