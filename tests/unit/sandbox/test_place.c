#include "support/fixture.h"

#include "sandbox/place.h"
#include "sandbox/state.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = tf_folder_make();
    setenv("XDG_STATE_HOME", *state, 1);
    return 0;
}

static int teardown(void **state)
{
    tf_folder_remove(*state);
    return 0;
}

static void place__follows_xdg_and_else_home(void **state)
{
    (void)state;
    char path[PATH_MAX];
    tf_error err = {0};
    setenv("HOME", "/home/x", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    assert_true(tf_place_state("one", path, sizeof path, &err));
    assert_string_equal(path, "/state/tokenfix/one");
    setenv("XDG_STATE_HOME", "not/absolute", 1);
    assert_true(tf_place_state(NULL, path, sizeof path, &err));
    assert_string_equal(path, "/home/x/.local/state/tokenfix");
    unsetenv("XDG_CACHE_HOME");
    assert_true(tf_place_cache("a/b", path, sizeof path, &err));
    assert_string_equal(path, "/home/x/.cache/tokenfix/a/b");
    setenv("XDG_CACHE_HOME", "/cache", 1);
    assert_true(tf_place_cache(NULL, path, sizeof path, &err));
    assert_string_equal(path, "/cache/tokenfix");
    assert_false(tf_place_cache(NULL, path, 5, &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
    unsetenv("XDG_CACHE_HOME");
}

static void place__files_are_private_and_replaced_whole(void **state)
{
    char path[PATH_MAX];
    tf_error err = {0};
    struct stat file;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/a/b", (const char *)*state);
    assert_true(tf_place_make(path, &err));
    assert_true(tf_place_make(path, &err));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/a/b/c", (const char *)*state);
    assert_true(tf_place_write(path, "one", 3, &err));
    assert_true(tf_place_write(path, "seven\0!", 7, &err));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    _cleanup_free_ char *text = tf_place_read(path, &size, &err);
    assert_int_equal(size, 7);
    assert_memory_equal(text, "seven\0!", 8);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/a/b", (const char *)*state);
    assert_int_equal(rmdir(path), 0); /* no temporary file is left */
}

static void place__write_into_nowhere_is_an_error(void **state)
{
    (void)state;
    tf_error err = {0};
    size_t size = 7;
    assert_false(tf_place_write("/nowhere/file", "x", 1, &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
    assert_null(tf_place_read("/nowhere/file", &size, NULL));
    assert_int_equal(size, 7);
}

static void place__remove_follows_no_link(void **state)
{
    char folder[PATH_MAX], link[PATH_MAX], outside[PATH_MAX];
    tf_error err = {0};
    snprintf(folder, sizeof folder, "%s/in/deep", (const char *)*state);
    snprintf(link, sizeof link, "%s/in/link", (const char *)*state);
    snprintf(outside, sizeof outside, "%s/outside", (const char *)*state);
    assert_true(tf_place_make(folder, &err));
    assert_true(tf_place_make(outside, &err));
    assert_int_equal(symlink(outside, link), 0);
    snprintf(folder, sizeof folder, "%s/in", (const char *)*state);
    assert_true(tf_place_remove(folder, &err));
    assert_int_not_equal(access(folder, F_OK), 0);
    assert_int_equal(access(outside, F_OK), 0);
    assert_true(tf_place_remove(folder, &err));
}

static void state__names_that_leave_the_folder_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",    "..", ".", ".x",  "a/b",
        "a b", "-x", "ä", "a\n", "0123456789012345678901234567890123456789012345678901234567890123"};
    tf_sandbox sandbox = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tf_error err = {0};
        assert_false(tf_state_place(bad[i], &sandbox, &err));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_string_equal(sandbox.name, "");
    }
    assert_true(tf_state_place("A-b_c.9", &sandbox, NULL));
    assert_string_equal(sandbox.name, "A-b_c.9");
    assert_true(tf_state_place(NULL, &sandbox, NULL));
    assert_string_equal(sandbox.name, "default");
}

static void state__comes_back_as_it_was_saved(void **state)
{
    (void)state;
    tf_error err = {0};
    tf_sandbox saved, loaded;
    assert_true(tf_state_place("one", &saved, &err));
    int lock = tf_state_lock(&saved, &err);
    assert_true(lock >= 0);
    close(lock);
    assert_false(tf_state_exists(&saved));
    assert_false(tf_sandbox_status("one", &loaded, &err));
    assert_int_equal(err.code, TF_ERR_NOT_FOUND);
    tf_error_clear(&err);
    saved.nodes = 3;
    saved.auth = saved.ready = true;
    saved.cache_mb = 300;
    saved.logins = 1;
    saved.parameters = 1;
    snprintf(saved.mongod, sizeof saved.mongod, "/bin/mongod");
    snprintf(saved.database, sizeof saved.database, "odd\"name");
    snprintf(saved.login[0].name, sizeof saved.login[0].name, "admin");
    snprintf(saved.login[0].password, sizeof saved.login[0].password, "p");
    snprintf(saved.parameter[0], sizeof saved.parameter[0], "a=b");
    for (int i = 0; i < 3; i++)
        saved.node[i].port = 1000 + i;
    assert_true(tf_process_identify(getpid(), &saved.node[1].process));
    assert_true(tf_state_save(&saved, &err));
    assert_true(tf_sandbox_status("one", &loaded, &err));
    assert_int_equal(loaded.nodes, 3);
    assert_true(loaded.auth && loaded.ready && !loaded.standalone);
    assert_int_equal(loaded.cache_mb, 300);
    assert_string_equal(loaded.mongod, saved.mongod);
    assert_string_equal(loaded.database, saved.database);
    assert_string_equal(loaded.login[0].password, "p");
    assert_string_equal(loaded.parameter[0], "a=b");
    assert_int_equal(loaded.node[2].port, 1002);
    assert_true(loaded.node[1].running);
    assert_false(loaded.node[0].running);
    assert_false(tf_sandbox_running(&loaded));
    char uri[TF_SANDBOX_URI];
    assert_true(tf_sandbox_uri(&loaded, "admin", "x", uri, sizeof uri));
    assert_string_equal(uri, "mongodb://admin:p@127.0.0.1:1000,127.0.0.1:1001,127.0.0.1:1002/"
                             "x?replicaSet=tokenfix&authSource=admin");
    assert_true(tf_sandbox_uri(&loaded, NULL, NULL, uri, sizeof uri));
    assert_non_null(strstr(uri, "1002/odd%22name?"));
    assert_true(tf_sandbox_uri(&loaded, NULL, "\xc3\xa4 b/?", uri, sizeof uri));
    assert_non_null(strstr(uri, "1002/%C3%A4%20b%2F%3F?"));
    assert_false(tf_sandbox_uri(&loaded, "nobody", "x", uri, sizeof uri));
    assert_false(tf_sandbox_uri(&loaded, "admin", "x", uri, 20));
}

static const char intact[] =
    "{\"mongod\":\"/m\",\"database\":\"d\",\"standalone\":false,\"auth\":false,\"ready\":true,\"cacheMb\":256,"
    "\"nodes\":[{\"port\":1,\"pid\":2,\"started\":3,\"boot\":\"b\"}],\"logins\":{},\"parameters\":[]}";

/* what stands in the intact file, what replaces it */
static const struct {
    const char *name, *from, *to;
} damages[] = {
    {"not JSON", "{\"mongod", "{mongod\""},
    {"no mongod", "\"mongod\"", "\"mongo\""},
    {"a database that is a number", "\"d\"", "7"},
    {"ready is no boolean", "true", "1"},
    {"no nodes", "[{\"port\":1,\"pid\":2,\"started\":3,\"boot\":\"b\"}]", "[]"},
    {"a node that is a number", "[{\"port\":1,\"pid\":2,\"started\":3,\"boot\":\"b\"}]", "[7]"},
    {"nodes are a string", "[{\"port\":1,\"pid\":2,\"started\":3,\"boot\":\"b\"}]", "\"\""},
    {"port 0", "\"port\":1", "\"port\":0"},
    {"a pid that is text", "\"pid\":2", "\"pid\":\"2\""},
    {"no time of start", "\"started\":3,", ""},
    {"no logins", "\"logins\"", "\"login\""},
    {"a login without a password", "\"logins\":{}", "\"logins\":{\"admin\":7}"},
    {"a parameter that is a number", "\"parameters\":[]", "\"parameters\":[7]"},
    {"cut off", "\"parameters\":[]}", ""},
};

static void load_text(const char *text, bool expected, const char *name)
{
    tf_error err = {0};
    tf_sandbox sandbox;
    char path[PATH_MAX + 20];
    assert_true(tf_state_place("one", &sandbox, &err));
    assert_true(tf_place_make(sandbox.folder, &err));
    snprintf(path, sizeof path, "%s/sandbox.json", sandbox.folder);
    assert_true(tf_place_write(path, text, strlen(text), &err));
    if (tf_state_load(&sandbox, &err) != expected)
        fail_msg("%s: %s", name, err.message);
    if (!expected)
        assert_int_equal(err.code, TF_ERR_DAMAGED);
    assert_int_equal(sandbox.nodes, expected ? 1 : 0);
}

static void state__damaged_files_are_refused(void **state)
{
    (void)state;
    load_text(intact, true, "intact");
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const char *at = strstr(intact, damages[i].from);
        assert_non_null(at);
        char text[sizeof intact + 64];
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - intact), intact, damages[i].to,
                 at + strlen(damages[i].from));
        load_text(text, false, damages[i].name);
    }
}

static void list__of_nothing_is_empty(void **state)
{
    (void)state;
    _cleanup_free_ tf_sandbox *list = NULL;
    size_t count = 7;
    tf_error err = {0};
    assert_true(tf_sandbox_list(&list, &count, &err));
    assert_int_equal(count, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(place__follows_xdg_and_else_home),
        TEST(place__files_are_private_and_replaced_whole),
        TEST(place__write_into_nowhere_is_an_error),
        TEST(place__remove_follows_no_link),
        TEST(state__names_that_leave_the_folder_are_refused),
        TEST(state__comes_back_as_it_was_saved),
        TEST(state__damaged_files_are_refused),
        TEST(list__of_nothing_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
