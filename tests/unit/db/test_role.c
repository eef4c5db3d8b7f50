#include "support/fixture.h"

#include "db/role.h"

static void expect(const char *kind, const char *json)
{
    static const char *const others[] = {"owners", NULL};
    _cleanup_bson_ bson_t privileges = BSON_INITIALIZER;
    tf_role_document(kind, "d", "s", "things", others, &privileges);
    _cleanup_bson_ bson_t role = BSON_INITIALIZER;
    BSON_APPEND_ARRAY(&role, "privileges", &privileges);
    _cleanup_(tf_bson_freep) char *text = bson_as_canonical_extended_json(&role, NULL);
    _cleanup_(tf_bson_freep) char *expected = bson_strdup_printf("{ \"privileges\" : %s }", json);
    assert_string_equal(text, expected);
}

static void role__of_a_run_is_the_documented_one(void **state)
{
    (void)state;
    expect(
        "run",
        "[ { \"resource\" : { \"db\" : \"d\", \"collection\" : \"things\" }, \"actions\" : [ \"find\", \"update\" ] }, "
        "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"owners\" }, \"actions\" : [ \"find\" ] }, "
        "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"\" }, \"actions\" : [ \"listIndexes\", "
        "\"listCollections\", \"collStats\", \"dbStats\" ] }, "
        "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"\" }, \"actions\" : [ \"find\", \"insert\", "
        "\"createCollection\", \"listCollections\", \"listIndexes\", \"dbStats\" ] }, "
        "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"runs\" }, \"actions\" : [ \"update\", \"createIndex\" ] }, "
        "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"partitions\" }, \"actions\" : [ \"update\", \"createIndex\" ] }, "
        "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"ledger\" }, \"actions\" : [ \"update\", \"createIndex\" ] }, "
        "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"batches\" }, \"actions\" : [ \"createIndex\" ] } ]");
}

static void role__of_a_monitor_sees_the_cluster_and_no_data(void **state)
{
    (void)state;
    expect("monitor", "[ { \"resource\" : { \"cluster\" : true }, \"actions\" : [ \"replSetGetStatus\", \"replSetGetConfig\", "
                      "\"serverStatus\", \"getParameter\" ] } ]");
}

static void role__of_an_audit_holds_no_action_that_writes(void **state)
{
    (void)state;
    expect("audit",
           "[ { \"resource\" : { \"db\" : \"d\", \"collection\" : \"things\" }, \"actions\" : [ \"find\" ] }, "
           "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"owners\" }, \"actions\" : [ \"find\" ] }, "
           "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"\" }, \"actions\" : [ \"listIndexes\", "
           "\"listCollections\", \"collStats\", \"dbStats\" ] }, "
           "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"\" }, \"actions\" : [ \"find\", "
           "\"listCollections\", \"listIndexes\", \"dbStats\" ] } ]");
}

static void role__of_an_auditor_adds_audits_and_nothing_else(void **state)
{
    (void)state;
    expect("auditor",
           "[ { \"resource\" : { \"db\" : \"d\", \"collection\" : \"things\" }, \"actions\" : [ \"find\" ] }, "
           "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"owners\" }, \"actions\" : [ \"find\" ] }, "
           "{ \"resource\" : { \"db\" : \"d\", \"collection\" : \"\" }, \"actions\" : [ \"listIndexes\", "
           "\"listCollections\", \"collStats\", \"dbStats\" ] }, "
           "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"\" }, \"actions\" : [ \"find\", "
           "\"listCollections\", \"listIndexes\", \"dbStats\" ] }, "
           "{ \"resource\" : { \"db\" : \"s\", \"collection\" : \"audits\" }, \"actions\" : [ \"insert\", "
           "\"createCollection\", \"createIndex\" ] } ]");
}

static void role__of_a_purge_reaches_the_state_database_only(void **state)
{
    (void)state;
    expect("purge", "[ { \"resource\" : { \"db\" : \"s\", \"collection\" : \"\" }, \"actions\" : [ \"find\", \"remove\", "
                    "\"dropCollection\", \"listCollections\", \"listIndexes\", \"dbStats\", \"collStats\" ] },"
                    " { \"resource\" : { \"db\" : \"s\", \"collection\" : \"events\" }, \"actions\" : [ \"insert\" ] } ]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(role__of_a_run_is_the_documented_one),
        cmocka_unit_test(role__of_a_monitor_sees_the_cluster_and_no_data),
        cmocka_unit_test(role__of_an_audit_holds_no_action_that_writes),
        cmocka_unit_test(role__of_an_auditor_adds_audits_and_nothing_else),
        cmocka_unit_test(role__of_a_purge_reaches_the_state_database_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
