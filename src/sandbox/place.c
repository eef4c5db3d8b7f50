#include "sandbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20 };

static const char *home(void)
{
    const char *path = getenv("HOME");
    if (path && path[0] == '/')
        return path;
    const struct passwd *user = getpwuid(getuid());
    return user ? user->pw_dir : NULL;
}

static bool fits(int written, size_t size, tf_error *err)
{
    if (written >= 0 && (size_t)written < size)
        return true;
    return tf_error_set(err, TF_ERR_SYSTEM, "a path is longer than %zu bytes", size - 1);
}

/* The XDG rule: a variable that is not an absolute path is ignored. */
static bool xdg(const char *variable, const char *otherwise, const char *name, char *out, size_t size, tf_error *err)
{
    const char *base = getenv(variable);
    const char *tail = name ? name : "";
    const char *slash = name ? "/" : "";
    if (base && base[0] == '/')
        return fits(snprintf(out, size, "%s/tokenfix%s%s", base, slash, tail), size, err);
    const char *user = home();
    if (!user) {
        tf_error_set(err, TF_ERR_SYSTEM, "no home folder");
        return tf_error_hint(err, "Set HOME or %s.", variable);
    }
    return fits(snprintf(out, size, "%s/%s/tokenfix%s%s", user, otherwise, slash, tail), size, err);
}

bool tf_place_state(const char *name, char *out, size_t size, tf_error *err)
{
    return xdg("XDG_STATE_HOME", ".local/state", name, out, size, err);
}

bool tf_place_cache(const char *name, char *out, size_t size, tf_error *err)
{
    return xdg("XDG_CACHE_HOME", ".cache", name, out, size, err);
}

bool tf_place_join(const char *folder, const char *name, char *out, size_t size, tf_error *err)
{
    return fits(snprintf(out, size, "%s/%s", folder, name), size, err);
}

bool tf_place_make(const char *path, tf_error *err)
{
    _cleanup_free_ char *part = bson_strdup(path);
    if (!part)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    for (char *at = strchr(part + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return tf_error_errno(err, errno, "cannot make the folder %s", part);
        *at = '/';
    }
    if (mkdir(part, 0700) != 0 && errno != EEXIST)
        return tf_error_errno(err, errno, "cannot make the folder %s", part);
    return true;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

bool tf_place_remove(const char *path, tf_error *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return true;
    return tf_error_errno(err, errno, "cannot remove %s", path);
}

static bool write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

bool tf_place_write(const char *path, const char *text, size_t size, tf_error *err)
{
    _cleanup_free_ char *temporary = NULL;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return tf_error_errno(err, errno, "cannot write %s", path);
    bool ok = write_all(fd, text, size);
    int failed = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        failed = errno;
    }
    if (ok && rename(temporary, path) == 0)
        return true;
    if (ok)
        failed = errno;
    unlink(temporary);
    return tf_error_errno(err, failed, "cannot write %s", path);
}

char *tf_place_read(const char *path, size_t *size, tf_error *err)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    if (!file) {
        tf_error_errno(err, errno, "cannot read %s", path);
        return NULL;
    }
    _cleanup_free_ char *text = bson_malloc(READ_MAX + 1);
    if (!text) {
        tf_error_set(err, TF_ERR_MEMORY, "out of memory");
        return NULL;
    }
    size_t n = fread(text, 1, READ_MAX, file);
    if (ferror(file) || !feof(file)) {
        tf_error_set(err, TF_ERR_SYSTEM, "cannot read all of %s", path);
        return NULL;
    }
    text[n] = '\0';
    *size = n;
    return TAKE_PTR(text);
}
