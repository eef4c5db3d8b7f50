#include "support/fixture.h"

#include "db/denial.h"
#include "db/failure.h"

typedef struct row {
    const char *message, *action, *ns;
} row;

static const row rows[] = {
    {"not authorized on shop to execute command { find: \"things\", filter: { a: 1 }, $db: \"shop\" }", "find",
     "shop.things"},
    {"not authorized on shop to execute command { aggregate: \"things\", pipeline: [], cursor: {} }", "find",
     "shop.things"},
    {"not authorized on shop to execute command { explain: { find: \"things\", filter: {} } }", "find", "shop.things"},
    {"not authorized on shop to execute command { delete: \"things\", ordered: true }", "remove", "shop.things"},
    {"not authorized on shop to execute command { create: \"things\" }", "createCollection", "shop.things"},
    {"not authorized on shop to execute command { createIndexes: \"things\" }", "createIndex", "shop.things"},
    {"not authorized on shop to execute command { dbStats: 1, $db: \"shop\" }", "dbStats", "shop"},
    {"not authorized on admin to execute command { replSetGetStatus: 1 }", "replSetGetStatus", "admin"},
    {"not authorized on shop to execute command { find: \"never closed", "find", "shop"},
    {"not authorized on shop to execute command ", "", ""},
    {"not authorized on shop", "", ""},
    {"not authorized on ", "", ""},
    {"Command find requires authentication", "", ""},
    {"", "", ""},
};

static void denial__is_read_from_the_servers_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_denial denial = tf_denial_read(rows[i].message);
        assert_string_equal(denial.action, rows[i].action);
        assert_string_equal(denial.ns, rows[i].ns);
    }
    assert_true(tf_denial_read("Command find requires authentication").anonymous);
    assert_false(tf_denial_read(rows[0].message).anonymous);
}

static tf_error failure(const char *message)
{
    tf_error err = {0};
    bson_error_t error = {.domain = MONGOC_ERROR_SERVER, .code = 13};
    snprintf(error.message, sizeof error.message, "%s", message);
    tf_failure(&err, &error, NULL, "read the backup", "find", "shop");
    assert_int_equal(err.code, TF_ERR_PERMISSION);
    return err;
}

static void failure__names_the_privilege_that_is_missing(void **state)
{
    (void)state;
    tf_error err = failure(rows[0].message);
    assert_string_equal(err.message, "Permission denied: the privilege 'find' on shop.things is missing");
    assert_null(strstr(err.detail, "a: 1"));
    assert_string_equal(failure("no").message, "Permission denied: the privilege 'find' on shop is missing");
}

static void failure__without_a_user_says_so(void **state)
{
    (void)state;
    tf_error err = failure("Command find requires authentication");
    assert_string_equal(err.message, "Permission denied: nobody is logged in, and the server asks for it");
    assert_non_null(strstr(err.hint, "--username"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denial__is_read_from_the_servers_message),
        cmocka_unit_test(failure__names_the_privilege_that_is_missing),
        cmocka_unit_test(failure__without_a_user_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
