#include "support/fixture.h"

#include "db/privilege.h"

/* {resource, actions} as Extended JSON, asked about, held? NULL as db: the cluster. */
static const struct row {
    const char *resource, *actions, *db, *collection, *action;
    bool held;
} rows[] = {
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\", \"update\"]", "d", "c", "update", true},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\", \"update\"]", "d", "c", "insert", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\"]", "d", "other", "find", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\"]", "other", "c", "find", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\"]", "d", "", "find", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[\"find\"]", NULL, "", "find", false},
    {"{\"db\": \"d\", \"collection\": \"\"}", "[\"find\"]", "d", "anything", "find", true},
    {"{\"db\": \"d\", \"collection\": \"\"}", "[\"dbStats\"]", "d", "", "dbStats", true},
    {"{\"db\": \"d\", \"collection\": \"\"}", "[\"find\"]", "d", "system.users", "find", false},
    {"{\"db\": \"d\", \"collection\": \"\"}", "[\"find\"]", "d", "system", "find", true},
    {"{\"db\": \"d\", \"collection\": \"system.users\"}", "[\"find\"]", "d", "system.users", "find", true},
    {"{\"db\": \"d\", \"collection\": \"\"}", "[\"find\"]", "D", "c", "find", false},
    {"{\"db\": \"\", \"collection\": \"c\"}", "[\"find\"]", "d", "c", "find", true},
    {"{\"db\": \"\", \"collection\": \"c\"}", "[\"find\"]", "d", "other", "find", false},
    {"{\"db\": \"\", \"collection\": \"\"}", "[\"find\"]", "d", "c", "find", true},
    {"{\"db\": \"\", \"collection\": \"\"}", "[\"listCollections\"]", "d", "", "listCollections", true},
    {"{\"db\": \"\", \"collection\": \"\"}", "[\"find\"]", "d", "system.js", "find", false},
    {"{\"db\": \"\", \"collection\": \"\"}", "[\"replSetGetStatus\"]", NULL, "", "replSetGetStatus", false},
    {"{\"cluster\": true}", "[\"replSetGetStatus\"]", NULL, "", "replSetGetStatus", true},
    {"{\"cluster\": true}", "[\"replSetGetStatus\"]", NULL, "", "serverStatus", false},
    {"{\"cluster\": true}", "[\"find\"]", "d", "c", "find", false},
    {"{\"cluster\": false}", "[\"serverStatus\"]", NULL, "", "serverStatus", false},
    {"{\"anyResource\": true}", "[\"anyAction\"]", "d", "system.users", "find", true},
    {"{\"anyResource\": true}", "[\"find\"]", NULL, "", "find", true},
    {"{\"anyResource\": true}", "[\"find\"]", "d", "c", "update", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "[]", "d", "c", "find", false},
    {"{\"db\": 1, \"collection\": \"c\"}", "[\"find\"]", "d", "c", "find", false},
    {"{}", "[\"find\"]", "d", "c", "find", false},
    {"7", "[\"find\"]", "d", "c", "find", false},
    {"{\"db\": \"d\", \"collection\": \"c\"}", "\"find\"", "d", "c", "find", false},
};

static bson_t *status_with(const char *users, const char *privileges)
{
    char json[2048];
    bson_error_t error;
    snprintf(json, sizeof json,
             "{\"authInfo\": {\"authenticatedUsers\": %s, \"authenticatedUserPrivileges\": %s}, \"ok\": 1}", users,
             privileges);
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc)
        fail_msg("%s: %s", error.message, json);
    return doc;
}

static void privilege__covers_what_its_resource_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char privileges[512];
        snprintf(privileges, sizeof privileges, "[{\"resource\": %s, \"actions\": %s}]", rows[i].resource,
                 rows[i].actions);
        _cleanup_(bson_destroyp) bson_t *status = status_with("[{\"user\": \"u\", \"db\": \"admin\"}]", privileges);
        _cleanup_(tf_privileges_done) tf_privileges held = {0};
        tf_privileges_from(status, false, &held);
        if (tf_privilege_held(&held, rows[i].db, rows[i].collection, rows[i].action) != rows[i].held)
            fail_msg("row %zu: %s %s", i, rows[i].resource, rows[i].actions);
    }
}

static void privileges__add_up(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *status =
        status_with("[{\"user\": \"u\", \"db\": \"admin\"}]",
                    "[{\"resource\": {\"db\": \"d\", \"collection\": \"\"}, \"actions\": [\"find\", \"insert\"]},"
                    " {\"resource\": {\"db\": \"d\", \"collection\": \"runs\"}, \"actions\": [\"update\"]}]");
    _cleanup_(tf_privileges_done) tf_privileges held = {0};
    tf_privileges_from(status, false, &held);
    assert_true(tf_privilege_held(&held, "d", "runs", "insert"));
    assert_true(tf_privilege_held(&held, "d", "runs", "update"));
    assert_false(tf_privilege_held(&held, "d", "batches", "update"));
    assert_true(tf_privilege_held(&held, "d", NULL, "find"));
    assert_string_equal(tf_privileges_user(&held), "u@admin");
}

static void privileges__without_access_control_are_all_held(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *status = status_with("[]", "[]");
    tf_privileges held = {0};
    tf_privileges_from(status, true, &held);
    assert_true(tf_privilege_held(&held, "d", "c", "update"));
    assert_true(tf_privilege_held(&held, NULL, "", "replSetGetStatus"));
    assert_null(tf_privileges_user(&held));
    tf_privileges_done(&held);
    tf_privileges_done(&held);
}

static void privileges__of_nobody_are_none(void **state)
{
    (void)state;
    _cleanup_(bson_destroyp) bson_t *status = status_with("[]", "[]");
    _cleanup_(tf_privileges_done) tf_privileges held = {0};
    tf_privileges_from(status, false, &held);
    assert_false(tf_privilege_held(&held, "d", "c", "find"));
    _cleanup_bson_ bson_t empty = BSON_INITIALIZER;
    _cleanup_(tf_privileges_done) tf_privileges none = {0};
    tf_privileges_from(&empty, false, &none);
    assert_false(tf_privilege_held(&none, "d", "c", "find"));
    assert_null(tf_privileges_user(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(privilege__covers_what_its_resource_names),
        cmocka_unit_test(privileges__add_up),
        cmocka_unit_test(privileges__without_access_control_are_all_held),
        cmocka_unit_test(privileges__of_nobody_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
