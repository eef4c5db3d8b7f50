#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/create_name.h"
#include "cmd/create_template.h"
#include "report/output.h"

#include <tokenfix/bson.h>
#include <tokenfix/cleanup.h>

enum { NUMBER_MAX = 999, PATH = 192 };

typedef struct {
    const char *dir;
} create_args;

static const tf_option options[] = {
    TF_OPTION_STRING(create_args, dir, "dir", "The project's folder; it holds migrations and tests/integration.",
                     .metavar = "DIR", .fallback = "."),
    TF_OPTION_END,
};

/* The two folders; the lock on the first keeps a second `create` from taking the same number. */
typedef struct {
    int migrations, tests;
} folders;

static void close_folders(folders *open)
{
    if (open->migrations >= 0)
        close(open->migrations);
    if (open->tests >= 0)
        close(open->tests);
}

static bool no_project(const char *dir, const char *folder, tf_error *err)
{
    int reason = errno;
    tf_error_set(err, TF_ERR_MISSING, "no folder '%s' in '%s'", folder, TF_WORD(dir));
    tf_error_detail(err, "%s", strerror(reason));
    return tf_error_hint(err, "Run this in the project's folder, or name it with --dir.");
}

static bool open_folders(const char *dir, folders *out, tf_error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), tests = -1;
    if (root < 0)
        return no_project(dir, "migrations", err);
    bool good = (out->migrations = openat(root, "migrations", flags)) >= 0 || no_project(dir, "migrations", err);
    if (good && (tests = openat(root, "tests", flags)) >= 0)
        out->tests = openat(tests, "integration", flags);
    if (good && out->tests < 0)
        good = no_project(dir, "tests/integration", err);
    if (good && flock(out->migrations, LOCK_EX) != 0)
        good = tf_error_errno(err, errno, "the folder 'migrations' cannot be locked");
    if (tests >= 0)
        close(tests);
    close(root);
    return good;
}

/* The highest number so far; no two migrations shall share a name. */
static bool next_number(int folder, const char *name, int *number, tf_error *err)
{
    int copy = fcntl(folder, F_DUPFD_CLOEXEC, 3), highest = 0, found = 0;
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    char taken[TF_CREATE_NAME_MAX];
    bool good = true;
    if (!list) {
        tf_error_errno(err, errno, "the folder 'migrations' cannot be read");
        if (copy >= 0)
            close(copy);
        return false;
    }
    for (struct dirent *entry; good && (entry = readdir(list));) {
        if (!tf_create_parse(entry->d_name, &found, taken))
            continue;
        highest = found > highest ? found : highest;
        if (strcmp(taken, name) == 0) {
            tf_error_set(err, TF_ERR_INVALID, "a migration of that name exists: migrations/%s", TF_WORD(entry->d_name));
            good = tf_error_hint(err, "Give another name.");
        }
    }
    closedir(list);
    if (good && highest >= NUMBER_MAX)
        good = tf_error_set(err, TF_ERR_INVALID, "there is no number left: the highest is %d", highest);
    *number = highest + 1;
    return good;
}

static bool write_text(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t wrote = write(fd, text, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        text += wrote;
        left -= (size_t)wrote;
    }
    return fsync(fd) == 0;
}

/* Whole or not at all: a file without a name is filled, and then given one that must be free. */
static bool write_file(int folder, const char *shown, const char *name, const char *text, tf_error *err)
{
    char temporary[PATH], what[2 * PATH];
    snprintf(temporary, sizeof temporary, ".%.150s.%d", name, (int)getpid());
    snprintf(what, sizeof what, "%s/%s cannot be written", shown, name);
    int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return tf_error_errno(err, errno, "%s", what);
    bool good = write_text(fd, text);
    int reason = errno;
    good = close(fd) == 0 && good;
    if (good && linkat(folder, temporary, folder, name, 0) != 0) {
        reason = errno;
        good = false;
    }
    unlinkat(folder, temporary, 0);
    if (!good && reason == EEXIST) {
        tf_error_set(err, TF_ERR_INVALID, "%s/%s exists already", shown, name);
        return tf_error_hint(err, "Remove it, or give another name.");
    }
    return good || tf_error_errno(err, reason, "%s", what);
}

/* Both files or none. */
static bool write_both(const folders *open, const char *id, const char *summary, tf_error *err)
{
    char file[PATH], test[PATH];
    snprintf(file, sizeof file, "%s.c", id);
    snprintf(test, sizeof test, "test_migration_%s.c", id);
    _cleanup_free_ char *migration_text = tf_template_migration(id, summary);
    _cleanup_free_ char *test_text = tf_template_test(id, summary);
    if (!migration_text || !test_text)
        return tf_error_set(err, TF_ERR_MEMORY, "no memory for the files");
    if (!write_file(open->migrations, "migrations", file, migration_text, err))
        return false;
    if (write_file(open->tests, "tests/integration", test, test_text, err))
        return true;
    unlinkat(open->migrations, file, 0);
    return false;
}

static void report(const char *id, bool json)
{
    char file[PATH], test[PATH];
    snprintf(file, sizeof file, "migrations/%s.c", id);
    snprintf(test, sizeof test, "tests/integration/test_migration_%s.c", id);
    if (!json) {
        printf(
            "%s\n%s\n\nEdit them, then build: 'cmake -B build && cmake --build build'. No other file needs a change.\n"
            "'tokenfix preview %s' shows what the migration would repair.\n",
            file, test, id);
        return;
    }
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&data, "migration_name", id);
    BSON_APPEND_UTF8(&data, "file", file);
    BSON_APPEND_UTF8(&data, "test", test);
    tf_output_success(&data);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const create_args *wanted = args;
    (void)argc;
    tf_error err = {0};
    char name[TF_CREATE_NAME_MAX], summary[TF_CREATE_NAME_MAX], id[TF_CREATE_NAME_MAX + 8];
    int number = 0;
    _cleanup_(close_folders) folders open = {-1, -1};
    bool good = tf_create_name(argv[0], name, &err) && open_folders(wanted->dir, &open, &err) &&
                next_number(open.migrations, name, &number, &err);
    if (good) {
        snprintf(id, sizeof id, "%03d_%s", number, name);
        good = write_both(&open, id, tf_create_summary(name, summary), &err);
    }
    if (!good)
        return tf_output_error(&err, NULL, NULL, globals->json);
    report(id, globals->json);
    return 0;
}

const tf_command tf_cmd_create = {
    .name = "create",
    .synopsis = "NAME",
    .summary = "Write a new migration and its test, as a starting point that works",
    .description =
        "Writes migrations/NNN_name.c, with the next number, and tests/integration/test_migration_NNN_name.c. "
        "Both compile and pass as they are. No file that exists is touched, and the build finds the new ones "
        "by itself.",
    .flags = TF_CMD_NO_DATABASE,
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .args_size = sizeof(create_args),
    .exits = "012",
    .run = run,
};
