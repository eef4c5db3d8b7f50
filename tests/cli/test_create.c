/* tokenfix create: a migration and its test, whole or not at all. That they compile and pass: CMake, cli.created. */
#include "support/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
    char *root = tf_folder_make(), path[512];
    const char *const parts[] = {"migrations", "tests", "tests/integration"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", root, parts[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    *state = root;
    return 0;
}

static int teardown(void **state)
{
    tf_folder_remove(*state);
    return 0;
}

static const char *in(const char *root, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static bool exists(const char *root, const char *name)
{
    struct stat about;
    return lstat(in(root, name), &about) == 0;
}

static void touch(const char *root, const char *name)
{
    int fd = open(in(root, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "mine", 4), 4);
    close(fd);
}

static tf_program *create(const char *root, const char *name)
{
    return tf_program_run(NULL, "create", name, "--dir", root, "--json", NULL);
}

static void create__writes_both_files_with_the_next_number(void **state)
{
    const char *root = *state;
    touch(root, "migrations/004_fix_melted_token_status.c");
    touch(root, "migrations/README.md");
    tf_program *p = create(root, "Fix spent-at!");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.migration_name"), "005_fix_spent_at");
    assert_string_equal(tf_program_text(p, "data.file"), "migrations/005_fix_spent_at.c");
    assert_string_equal(tf_program_text(p, "data.test"), "tests/integration/test_migration_005_fix_spent_at.c");
    assert_true(exists(root, "migrations/005_fix_spent_at.c"));
    assert_true(exists(root, "tests/integration/test_migration_005_fix_spent_at.c"));
    tf_program_free(p);
    p = tf_program_run(NULL, "create", "second", "--dir", root, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "migrations/006_second.c\n");
    tf_program_free(p);
}

static void create__refuses_a_name_that_exists(void **state)
{
    const char *root = *state;
    touch(root, "migrations/004_fix_it.c");
    tf_program *p = create(root, "fix_it");
    assert_exit(p, 1);
    assert_has(tf_program_text(p, "error.message"), "migrations/004_fix_it.c");
    assert_false(exists(root, "migrations/005_fix_it.c"));
    tf_program_free(p);
}

static void create__writes_both_or_none(void **state)
{
    const char *root = *state;
    touch(root, "tests/integration/test_migration_001_fix_it.c");
    tf_program *p = create(root, "fix_it");
    assert_exit(p, 1);
    assert_has(tf_program_text(p, "error.message"), "exists already");
    assert_false(exists(root, "migrations/001_fix_it.c"));
    struct stat about;
    assert_int_equal(stat(in(root, "tests/integration/test_migration_001_fix_it.c"), &about), 0);
    assert_int_equal(about.st_size, 4);
    tf_program_free(p);
}

static void create__follows_no_symbolic_link(void **state)
{
    const char *root = *state;
    char target[512];
    snprintf(target, sizeof target, "%s/elsewhere", root);
    assert_int_equal(symlink(target, in(root, "tests/integration/test_migration_001_fix_it.c")), 0);
    tf_program *p = create(root, "fix_it");
    assert_exit(p, 1);
    assert_false(exists(root, "elsewhere"));
    tf_program_free(p);
    assert_int_equal(rmdir(in(root, "migrations")), 0);
    assert_int_equal(mkdir(target, 0777), 0);
    assert_int_equal(symlink(target, in(root, "migrations")), 0);
    p = create(root, "other");
    assert_exit(p, 1);
    assert_false(exists(root, "elsewhere/001_other.c"));
    tf_program_free(p);
}

static void create__needs_a_projects_folder(void **state)
{
    const char *root = *state;
    assert_int_equal(rmdir(in(root, "migrations")), 0);
    tf_program *p = create(root, "fix_it");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "MISSING");
    assert_has(tf_program_text(p, "error.hint"), "--dir");
    tf_program_free(p);
    p = create("/nowhere/at/all", "fix_it");
    assert_exit(p, 1);
    tf_program_free(p);
}

static void create__needs_a_name(void **state)
{
    const char *root = *state;
    tf_program *p = create(root, "123");
    assert_exit(p, 2);
    tf_program_free(p);
    p = tf_program_run(NULL, "create", NULL);
    assert_exit(p, 2);
    tf_program_free(p);
}

static void create__at_once_gives_every_one_its_number(void **state)
{
    const char *root = *state;
    enum { COUNT = 8 };
    tf_program *p[COUNT];
    char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "name_%d", i);
        p[i] = tf_program_start(
            NULL, &(tf_program_options){.argv = (const char *[]){"create", names[i], "--dir", root, "--json", NULL}});
    }
    bool taken[COUNT + 1] = {false};
    for (int i = 0; i < COUNT; i++) {
        tf_program_wait(p[i], 0);
        assert_exit(p[i], 0);
        int number = atoi(tf_program_text(p[i], "data.migration_name"));
        assert_true(number >= 1 && number <= COUNT && !taken[number]);
        taken[number] = true;
        tf_program_free(p[i]);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create__writes_both_files_with_the_next_number),
        TEST(create__refuses_a_name_that_exists),
        TEST(create__writes_both_or_none),
        TEST(create__follows_no_symbolic_link),
        TEST(create__needs_a_projects_folder),
        TEST(create__needs_a_name),
        TEST(create__at_once_gives_every_one_its_number),
    };
    return cmocka_run_group_tests_name("create", tests, NULL, NULL);
}
