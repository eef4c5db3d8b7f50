#include "cmd/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static bool check_file(int fd, const char *path, tf_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !(S_ISREG(about.st_mode) || S_ISFIFO(about.st_mode))) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is neither a file nor a pipe", TF_WORD(path));
        return false;
    }
    bool group_is_meant = about.st_uid == 0 && geteuid() != 0 && !(about.st_mode & (S_IWGRP | S_IXGRP));
    if (about.st_mode & (S_IRWXO | (group_is_meant ? 0 : S_IRWXG))) {
        tf_error_set(err, TF_ERR_USAGE, "others than its owner have access to '%s'", TF_WORD(path));
        return tf_error_hint(err, "Run: chmod 600 '%s'.", TF_WORD(path));
    }
    if (about.st_uid != geteuid() && about.st_uid != 0) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' belongs to another user", TF_WORD(path));
        return tf_error_hint(err, "Use a file of your own: who owns it decides what stands in it.");
    }
    return true;
}

static int open_file(const char *path, tf_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int reason = errno;
    if (fd == -1) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be read", TF_WORD(path));
        tf_error_detail(err, "%s", strerror(reason));
        tf_error_hint(err, "Check the name, and that you may read the file.");
    }
    return fd;
}

static bool read_line(int fd, char *out, size_t size)
{
    size_t used = 0;
    ssize_t got = 0;
    while (used < size && (got = read(fd, out + used, size - used)) > 0 && !memchr(out + used, '\n', (size_t)got))
        used += (size_t)got;
    used += got > 0 ? (size_t)got : 0;
    if (got < 0 || used >= size)
        return false;
    out[used] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return true;
}

bool tf_secret_file_read(const char *path, const char *what, char *out, size_t size, tf_error *err)
{
    int fd = open_file(path, err);
    if (fd == -1)
        return false;
    bool good = check_file(fd, path, err);
    if (good && !read_line(fd, out, size))
        good = tf_error_set(err, TF_ERR_USAGE, "the first line of '%s' cannot be read or is too long", TF_WORD(path));
    close(fd);
    if (!good)
        return tf_error_hint(err, "Put %s into the first line of a file of your own, mode 600.", what);
    size_t blanks = strspn(out, " \t"), length = strlen(out);
    while (length > blanks && strchr(" \t", out[length - 1]))
        length--;
    memmove(out, out + blanks, length - blanks);
    out[length - blanks] = '\0';
    if (*out)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "the first line of '%s' is empty", TF_WORD(path));
    return tf_error_hint(err, "Put %s into it.", what);
}

bool tf_secret_file_read_all(const char *path, char *out, size_t size, size_t *length, tf_error *err)
{
    int fd = open_file(path, err);
    if (fd == -1)
        return false;
    bool good = check_file(fd, path, err);
    size_t used = 0;
    ssize_t got = 0;
    while (good && used < size && (got = read(fd, out + used, size - used)) > 0)
        used += (size_t)got;
    if (good && (got < 0 || used == size))
        good = tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be read or is too long", TF_WORD(path));
    close(fd);
    *length = used;
    return good;
}
