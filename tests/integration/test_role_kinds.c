/* The roles besides the one that repairs: each does what it is for, and is denied everything else. */
#include "support/role.h"

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* A user's data, a run of "run", and a user of `kind`. */
static void prepare(tf_fixture *f, const char *kind, char *uri, size_t size, char *backup, size_t backup_size)
{
    char run[1024];
    fill(f);
    create_printed_role(f, "run", run, sizeof run);
    make_backup(f, run, backup, backup_size);
    create_printed_role(f, kind, uri, size);
}

#define REFUSED(f, who, ...)                                                                                           \
    do {                                                                                                               \
        tf_program *p_ = AS(f, who, __VA_ARGS__);                                                                      \
        if (p_->status != 8 || !strstr(p_->err, "Permission denied"))                                                  \
            fail_msg("exit %d: %s %s", p_->status, p_->out, p_->err);                                                  \
    } while (0)

/* ---- audit ---- */

static void role__of_an_audit_lets_everything_be_looked_at(void **state)
{
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "audit", uri, sizeof uri, backup, sizeof backup);
    _cleanup_free_ char *before = hash_of_all(f->client);
    SUCCEEDS(f, uri, "status");
    SUCCEEDS(f, uri, "preview", "--sample", "2");
    SUCCEEDS(f, uri, "balance", "npub1a");
    SUCCEEDS(f, uri, "verify");
    SUCCEEDS(f, uri, "history");
    SUCCEEDS(f, uri, "history", backup + strlen("backup_"));
    SUCCEEDS(f, uri, "ledger", "004");
    SUCCEEDS(f, uri, "plan");
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
}

static void role__of_an_audit_changes_nothing(void **state)
{
    static const tf_demand denials[] = {
        {"change a token", ON_REPAIRED,
         "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"insert a token", ON_REPAIRED, "{\"insert\": \"cashu_tokens\", \"documents\": [{}]}"},
        {"delete a token", ON_REPAIRED, "{\"delete\": \"cashu_tokens\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
        {"read another collection", ON_REPAIRED, "{\"find\": \"users\"}"},
        {"create a collection", ON_REPAIRED, "{\"create\": \"mine\"}"},
        {"write by aggregation", ON_REPAIRED,
         "{\"aggregate\": \"cashu_tokens\", \"pipeline\": [{\"$out\": \"copy\"}], \"cursor\": {}}"},
        {"insert into a backup", ON_STATE, "{\"insert\": \"%s\", \"documents\": [{}]}"},
        {"change a backup", ON_STATE,
         "{\"update\": \"%s\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"delete from a backup", ON_STATE, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
        {"drop a backup", ON_STATE, "{\"drop\": \"%s\"}"},
        {"ask a run to pause", ON_STATE,
         "{\"update\": \"runs\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"control.pause\": true}}}]}"},
        {"add an event", ON_STATE, "{\"insert\": \"events\", \"documents\": [{}]}"},
        {"index the runs", ON_STATE,
         "{\"createIndexes\": \"runs\", \"indexes\": [{\"key\": {\"a\": 1}, \"name\": \"a\"}]}"},
        {"drop the state", ON_STATE, "{\"dropDatabase\": 1}"},
        {"read another database", ON_OTHER, "{\"find\": \"cashu_tokens\"}"},
        {"look at the replica set", ON_ADMIN, "{\"replSetGetStatus\": 1}"},
        {"read the users", ON_ADMIN, "{\"find\": \"system.users\"}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "audit", uri, sizeof uri, backup, sizeof backup);
    tf_fixture_insert(f, "cashu_tokens", "{\"_id\": 99, \"transaction_type\": \"melted\", \"status\": \"unspent\"}");
    _cleanup_free_ char *before = hash_of_all(f->client);
    expect_denied(f, uri, backup, denials, COUNT(denials));
    REFUSED(f, uri, "down", "--confirm", "--yes");
    REFUSED(f, uri, "up", "--again", "--confirm", "--yes");
    assert_int_equal(AS(f, uri, "cancel")->status, 1); /* there is nobody to ask */
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
}

/* ---- auditor ---- */

static void role__of_an_auditor_adds_audits_and_changes_none(void **state)
{
    static const tf_demand allowed[] = {
        {"index the audits", ON_STATE, "{\"createIndexes\": \"audits\", \"indexes\": [{\"key\": {\"db\": 1, \"at\": -1}, \"name\": \"newest\"}]}"},
        {"add an audit", ON_STATE, "{\"insert\": \"audits\", \"documents\": [{\"_id\": 1}]}"},
        {"read the audits", ON_STATE, "{\"find\": \"audits\"}"},
    };
    static const tf_demand denials[] = {
        {"change a token", ON_REPAIRED, "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"change an audit", ON_STATE, "{\"update\": \"audits\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"delete an audit", ON_STATE, "{\"delete\": \"audits\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
        {"drop the audits", ON_STATE, "{\"drop\": \"audits\"}"},
        {"insert into a backup", ON_STATE, "{\"insert\": \"%s\", \"documents\": [{}]}"},
        {"add an event", ON_STATE, "{\"insert\": \"events\", \"documents\": [{}]}"},
        {"begin a run", ON_STATE, "{\"insert\": \"runs\", \"documents\": [{}]}"},
        {"read another database", ON_OTHER, "{\"find\": \"cashu_tokens\"}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "auditor", uri, sizeof uri, backup, sizeof backup);
    expect_allowed(f, uri, backup, allowed, COUNT(allowed));
    expect_denied(f, uri, backup, denials, COUNT(denials));
    SUCCEEDS(f, uri, "balance", "npub1a");
    SUCCEEDS(f, uri, "verify");
}

/* ---- purge ---- */

static void role__of_a_purge_deletes_backups_and_records(void **state)
{
    static const tf_demand allowed[] = {
        {"list what is there", ON_STATE, "{\"listCollections\": 1}"},
        {"see how large it is", ON_STATE, "{\"collStats\": \"%s\"}"},
        {"delete from a backup", ON_STATE, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {\"_id\": 0}, \"limit\": 1}]}"},
        {"drop a backup", ON_STATE, "{\"drop\": \"%s\"}"},
        {"delete a batch", ON_STATE, "{\"delete\": \"batches\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}"},
        {"say so in the audit trail", ON_STATE, "{\"insert\": \"events\", \"documents\": [{}]}"},
        {"delete an event", ON_STATE, "{\"delete\": \"events\", \"deletes\": [{\"q\": {\"_id\": 1}, \"limit\": 1}]}"},
        {"delete a partition", ON_STATE, "{\"delete\": \"partitions\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "purge", uri, sizeof uri, backup, sizeof backup);
    SUCCEEDS(f, uri, "history");
    SUCCEEDS(f, uri, "history", backup + strlen("backup_"));
    expect_allowed(f, uri, backup, allowed, COUNT(allowed));
    assert_int_equal(tf_fixture_count(f, f->state_db, backup, "{}"), 0);
    assert_int_equal(tf_fixture_count(f, f->state_db, "batches", "{}"), 0);
    SUCCEEDS(f, uri, "history");
}

static void role__of_a_purge_neither_changes_records_nor_touches_the_users_data(void **state)
{
    static const tf_demand denials[] = {
        {"read a token", ON_REPAIRED, "{\"find\": \"cashu_tokens\"}"},
        {"list the user's collections", ON_REPAIRED, "{\"listCollections\": 1}"},
        {"delete a token", ON_REPAIRED, "{\"delete\": \"cashu_tokens\", \"deletes\": [{\"q\": {}, \"limit\": 1}]}"},
        {"drop the tokens", ON_REPAIRED, "{\"drop\": \"cashu_tokens\"}"},
        {"drop the user's database", ON_REPAIRED, "{\"dropDatabase\": 1}"},
        {"change a backup", ON_STATE,
         "{\"update\": \"%s\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"insert into a backup", ON_STATE, "{\"insert\": \"%s\", \"documents\": [{}]}"},
        {"change a run", ON_STATE,
         "{\"update\": \"runs\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"state\": \"completed\"}}}]}"},
        {"change an event", ON_STATE, "{\"update\": \"events\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"add a batch", ON_STATE, "{\"insert\": \"batches\", \"documents\": [{}]}"},
        {"drop the index of the lease", ON_STATE, "{\"dropIndexes\": \"runs\", \"index\": \"one_writing_run\"}"},
        {"drop the whole state", ON_STATE, "{\"dropDatabase\": 1}"},
        {"read another database", ON_OTHER, "{\"find\": \"things\"}"},
        {"drop elsewhere", ON_OTHER, "{\"drop\": \"things\"}"},
        {"delete users", ON_ADMIN, "{\"delete\": \"system.users\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "purge", uri, sizeof uri, backup, sizeof backup);
    _cleanup_free_ char *before = hash_of_all(f->client);
    expect_denied(f, uri, backup, denials, COUNT(denials));
    REFUSED(f, uri, "status");
    REFUSED(f, uri, "verify");
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
    REFUSED(f, uri, "down", "--confirm", "--yes"); /* and that goes into the trail */
    assert_true(tf_fixture_count(f, f->state_db, "events", "{\"type\": \"refused\", \"data.command\": \"down\"}") > 0);
}

/* ---- monitor ---- */

static void role__of_a_monitor_sees_the_server(void **state)
{
    static const tf_demand allowed[] = {
        {"look at the replica set", ON_ADMIN, "{\"replSetGetStatus\": 1}"},
        {"read its configuration", ON_ADMIN, "{\"replSetGetConfig\": 1}"},
        {"look at the load", ON_ADMIN, "{\"serverStatus\": 1}"},
        {"read a parameter", ON_ADMIN, "{\"getParameter\": 1, \"transactionLifetimeLimitSeconds\": 1}"},
    };
    tf_fixture *f = *state;
    char uri[1024], run[128], backup[128];
    prepare(f, "monitor", uri, sizeof uri, backup, sizeof backup);
    expect_allowed(f, uri, backup, allowed, COUNT(allowed));
    /* a user who holds both roles repairs, and sees the members */
    snprintf(run, sizeof run, "tokenfix_run_%s", f->db);
    char name[128];
    snprintf(name, sizeof name, "%s_monitor", f->db);
    as_admin(f, BCON_NEW("grantRolesToUser", BCON_UTF8(name), "roles", "[", BCON_UTF8(run), "]"));
    tf_program *p = AS(f, uri, "validate");
    assert_non_null(strstr(p->out, "lag "));
    assert_null(strstr(p->out, "not visible"));
    SUCCEEDS(f, uri, "down", "--confirm", "--yes");
}

static void role__of_a_monitor_sees_no_data(void **state)
{
    static const tf_demand denials[] = {
        {"read a token", ON_REPAIRED, "{\"find\": \"cashu_tokens\"}"},
        {"count the tokens", ON_REPAIRED, "{\"count\": \"cashu_tokens\"}"},
        {"change a token", ON_REPAIRED,
         "{\"update\": \"cashu_tokens\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}"},
        {"read a backup", ON_STATE, "{\"find\": \"%s\"}"},
        {"read the runs", ON_STATE, "{\"find\": \"runs\"}"},
        {"ask a run to pause", ON_STATE,
         "{\"update\": \"runs\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"control.pause\": true}}}]}"},
        {"list databases' collections", ON_REPAIRED, "{\"listCollections\": 1}"},
        {"set a parameter", ON_ADMIN, "{\"setParameter\": 1, \"transactionLifetimeLimitSeconds\": 60}"},
        {"reconfigure the set", ON_ADMIN, "{\"replSetStepDown\": 1}"},
        {"kill an operation", ON_ADMIN, "{\"killOp\": 1, \"op\": 1}"},
        {"read the users", ON_ADMIN, "{\"find\": \"system.users\"}"},
    };
    tf_fixture *f = *state;
    char uri[1024], backup[128];
    prepare(f, "monitor", uri, sizeof uri, backup, sizeof backup);
    _cleanup_free_ char *before = hash_of_all(f->client);
    expect_denied(f, uri, backup, denials, COUNT(denials));
    REFUSED(f, uri, "status");
    REFUSED(f, uri, "history");
    _cleanup_free_ char *after = hash_of_all(f->client);
    assert_string_equal(before, after);
}

/* ---- none of them in one database ---- */

static void role__but_of_a_monitor_is_refused_in_the_repaired_database(void **state)
{
    tf_fixture *f = *state;
    for (const char *const *kind = tf_role_kinds; *kind; kind++) {
        tf_program *p = tf_program_run(f, "validate", "--print-role", *kind, "--state-db", f->db, NULL);
        assert_int_equal(p->status, strcmp(*kind, "monitor") == 0 ? 0 : 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROLE_TEST(role__of_an_audit_lets_everything_be_looked_at),
        ROLE_TEST(role__of_an_audit_changes_nothing),
        ROLE_TEST(role__of_an_auditor_adds_audits_and_changes_none),
        ROLE_TEST(role__of_a_purge_deletes_backups_and_records),
        ROLE_TEST(role__of_a_purge_neither_changes_records_nor_touches_the_users_data),
        ROLE_TEST(role__of_a_monitor_sees_the_server),
        ROLE_TEST(role__of_a_monitor_sees_no_data),
        TF_FIXTURE_TEST(role__but_of_a_monitor_is_refused_in_the_repaired_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
