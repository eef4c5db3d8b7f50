#include "base/dir.h"

#include "base/clock.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { DEPTH = 3 };

void tf_dir_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool cannot(const char *what, const char *path, int reason, tf_error *err)
{
    return tf_error_errno(err, reason, "cannot %s '%s'", what, TF_WORD(path));
}

/* ---- opening ---- */

static bool is_link(int dir, const char *name)
{
    struct stat about;
    return fstatat(dir, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode);
}

/* Why `name` in `dir` could not be opened. */
static int refuse(int dir, const char *name, const char *path, int reason, tf_error *err)
{
    if ((reason == ENOTDIR || reason == ELOOP) && is_link(dir, name)) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is a symbolic link, in '%s'", TF_WORD(name), TF_WORD(path));
        tf_error_hint(err, "Links are not followed: name the folder itself ('realpath' tells it).");
    } else if (reason == ENOTDIR) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is no folder, in '%s'", TF_WORD(name), TF_WORD(path));
    } else if (reason == ENOENT) {
        tf_error_set(err, TF_ERR_NOT_FOUND, "there is no '%s'", TF_WORD(path));
        tf_error_hint(err, "Check the name, and from which folder it is looked for.");
    } else
        cannot("open", path, reason, err);
    return -1;
}

/* The next component of *path into `name`; false at the end. */
static bool component(const char **path, char *name, size_t size)
{
    do {
        *path += strspn(*path, "/");
        size_t length = strcspn(*path, "/");
        if (length == 0)
            return false;
        snprintf(name, size, "%.*s", (int)length, *path);
        *path += length;
    } while (strcmp(name, ".") == 0);
    return true;
}

/* The last one is opened to be read, those before it only to be passed through. */
static int step(int dir, const char *name, bool last, bool make, const char *path, tf_error *err)
{
    int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY : O_PATH);
    int fd = openat(dir, name, flags);
    if (fd < 0 && errno == ENOENT && last && make) {
        if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST) {
            cannot("create the folder", path, errno, err);
            return -1;
        }
        fd = openat(dir, name, flags);
    }
    return fd >= 0 ? fd : refuse(dir, name, path, errno, err);
}

int tf_dir_open(const char *path, bool make, tf_error *err)
{
    char name[256], next[256];
    const char *rest = path;
    int fd = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (strlen(path) >= 4096 || !*path) {
        tf_dir_closep(&fd);
        tf_error_set(err, TF_ERR_USAGE, "'%s' is not the name of a folder", TF_WORD(path));
        return -1;
    }
    bool more = component(&rest, name, sizeof name);
    if (!more) { /* "/" or "." */
        tf_dir_closep(&fd);
        fd = open(*path == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    while (fd >= 0 && more) {
        more = component(&rest, next, sizeof next);
        int inner = step(fd, name, !more, make, path, err);
        close(fd);
        fd = inner;
        memcpy(name, next, sizeof name);
    }
    if (fd < 0)
        cannot("open", path, errno, err);
    return fd;
}

bool tf_dir_is_safe(int dir, const char *path, tf_error *err)
{
    struct stat about;
    if (fstat(dir, &about) != 0)
        return cannot("examine", path, errno, err);
    if (about.st_uid != geteuid() && about.st_uid != 0) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' belongs to another user", TF_WORD(path));
        return tf_error_hint(err, "A backup holds what can be spent: name a folder of your own.");
    }
    if (about.st_mode & (S_IWGRP | S_IWOTH)) {
        tf_error_set(err, TF_ERR_USAGE, "others can write in '%s'", TF_WORD(path));
        return tf_error_hint(err, "A backup holds what can be spent: run chmod 700 '%s', or name another folder.",
                             TF_WORD(path));
    }
    return true;
}

int tf_dir_open_in(int dir, const char *name, const char *path, tf_error *err)
{
    return step(dir, name, true, false, path, err);
}

int tf_dir_open_file(int dir, const char *name, const char *path, tf_error *err)
{
    struct stat about;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        tf_error_set(err, TF_ERR_NOT_FOUND, "there is no '%s' in '%s'", TF_WORD(name), TF_WORD(path));
        return -1;
    }
    if (fd < 0)
        return refuse(dir, name, path, errno, err);
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        tf_error_set(err, TF_ERR_USAGE, "'%s' in '%s' is no file", TF_WORD(name), TF_WORD(path));
        return -1;
    }
    return fd;
}

int tf_dir_create_file(int dir, const char *name, const char *path, tf_error *err)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        tf_error_errno(err, errno, "cannot create '%s' in '%s'", TF_WORD(name), TF_WORD(path));
    return fd;
}

/* ---- parts ---- */

/* Whether it is ours: somebody who cleared up may have taken it for stale before it was locked. Where the file system has no locks
 * nothing is ever taken for stale. */
static bool lock_part(int fd)
{
    struct stat about;
    return (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(fd, &about) == 0 && about.st_nlink > 0;
}

int tf_dir_make_part(int dir, const char *name, char out[128], const char *path, tf_error *err)
{
    int reason = 0;
    for (int n = 0; n < 5; n++) {
        snprintf(out, 128, ".%.64s.part-%016" PRIx64, name, tf_clock_random(UINT64_MAX));
        if (mkdirat(dir, out, 0700) != 0) {
            cannot("create a folder in", path, errno, err);
            return -1;
        }
        int fd = openat(dir, out, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        reason = errno;
        if (fd >= 0 && lock_part(fd))
            return fd;
        tf_dir_closep(&fd);
    }
    cannot("create a folder in", path, reason, err);
    return -1;
}

size_t tf_dir_remove_stale(int dir, const char *name)
{
    char begins[96];
    size_t removed = 0, length = (size_t)snprintf(begins, sizeof begins, ".%.64s.part-", name);
    tf_error ignored = {0};
    char **names = tf_dir_names(dir, "", &ignored);
    for (char **at = names; at && *at; at++) {
        struct stat about;
        if (strncmp(*at, begins, length) != 0)
            continue;
        _cleanup_(tf_dir_closep) int fd = openat(dir, *at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &about) == 0 && about.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
            removed += tf_dir_remove(dir, *at);
    }
    tf_dir_names_free(names);
    return removed;
}

bool tf_dir_sync(int dir, const char *path, tf_error *err)
{
    return fsync(dir) == 0 || cannot("write out the folder", path, errno, err);
}

bool tf_dir_give_name(int dir, const char *part, const char *name, const char *path, tf_error *err)
{
    int failed = renameat2(dir, part, dir, name, RENAME_NOREPLACE) == 0 ? 0 : errno;
    if (failed == EINVAL ||
        failed == ENOSYS) /* a file system that cannot; a folder never replaces one that holds anything */
        failed = renameat(dir, part, dir, name) == 0 ? 0 : errno;
    if (failed == EEXIST || failed == ENOTEMPTY || failed == ENOTDIR) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is there already, in '%s'", TF_WORD(name), TF_WORD(path));
        return tf_error_hint(err, "What was exported is never written over: name another folder.");
    }
    if (failed)
        return cannot("name a folder in", path, failed, err);
    return tf_dir_sync(dir, path, err);
}

/* ---- removing, listing ---- */

static bool remove_deep(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    _cleanup_(tf_dir_closep) int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    tf_error ignored = {0};
    char **names = fd >= 0 && depth > 0 ? tf_dir_names(fd, name, &ignored) : NULL;
    for (char **at = names; at && *at; at++)
        remove_deep(fd, *at, depth - 1);
    tf_dir_names_free(names);
    return unlinkat(dir, name, AT_REMOVEDIR) == 0;
}

bool tf_dir_remove(int dir, const char *name)
{
    return remove_deep(dir, name, DEPTH);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **tf_dir_names(int dir, const char *path, tf_error *err)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        cannot("read the folder", path, errno, err);
        tf_dir_closep(&fd);
        return NULL;
    }
    size_t count = 0, room = 16;
    char **names = bson_malloc0(room * sizeof *names);
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count + 1 == room)
            names = bson_realloc(names, (room *= 2) * sizeof *names);
        names[count++] = bson_strdup(entry->d_name);
        names[count] = NULL;
    }
    closedir(stream);
    qsort(names, count, sizeof *names, by_name);
    return names;
}

void tf_dir_names_free(char **names)
{
    for (char **at = names; at && *at; at++)
        bson_free(*at);
    bson_free(names);
}
