/* Writing a trail into a file: see store/trail_file.h. */
#include "store/trail_file.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/text.h"
#include "store/trail_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

struct tf_trail_writer {
    char *path, *temporary;
    FILE *out;
    tf_sha256 *content, *whole;
};

static bool taken(const char *path, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "'%s' is there already", TF_WORD(path));
    return tf_error_hint(err, "What was exported is never written over: name another file.");
}

static bool cannot(const char *what, const char *path, int reason, tf_error *err)
{
    return tf_error_errno(err, reason, "cannot %s '%s'", what, TF_WORD(path));
}

tf_trail_writer *tf_trail_writer_new(const char *path, tf_error *err)
{
    struct stat about;
    if (lstat(path, &about) == 0) {
        taken(path, err);
        return NULL;
    }
    char *temporary = bson_strdup_printf("%s.part-%" PRIx64, path, tf_clock_random(UINT64_MAX));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        cannot("create", temporary, errno, err);
        tf_error_hint(err, "Check that the folder exists, and that you may write to it.");
        if (fd >= 0)
            close(fd);
        bson_free(temporary);
        return NULL;
    }
    tf_trail_writer *writer = bson_malloc0(sizeof *writer);
    *writer = (tf_trail_writer){.path = bson_strdup(path), .temporary = temporary, .out = out, .content = tf_sha256_new(), .whole = tf_sha256_new()};
    return writer;
}

static bool put(tf_trail_writer *writer, const char *line, size_t length, tf_error *err)
{
    tf_sha256_add(writer->whole, line, length);
    return fwrite(line, 1, length, writer->out) == length || cannot("write", writer->temporary, errno, err);
}

bool tf_trail_writer_add(tf_trail_writer *writer, const bson_t *event, tf_error *err)
{
    size_t length = 0;
    char *line = tf_trail_line(event, &length);
    if (!line) {
        tf_error_set(err, TF_ERR_DAMAGED, "event %" PRId64 " holds what JSON cannot give back as it was", tf_field_number(event, "_id"));
        return tf_error_hint(err, "tokenfix writes no such event; docs/audit-trail.md, 'A break'.");
    }
    tf_sha256_add(writer->content, line, length);
    bool ok = put(writer, line, length, err);
    bson_free(line);
    return ok;
}

static bool close_line(tf_trail_writer *writer, const tf_chain *chain, const tf_key *signer, tf_error *err)
{
    uint8_t content[32], signature[TF_SIGNATURE_SIZE];
    tf_sha256_finish(writer->content, content);
    if (signer)
        tf_key_sign(signer, content, signature);
    char *line = tf_trail_closing(chain, content, signer ? tf_key_fingerprint(signer) : NULL, signer ? signature : NULL);
    bool ok = put(writer, line, strlen(line), err);
    bson_free(line);
    return ok;
}

/* Not over another file, nor through a link: link() refuses a name that is taken, and so does the rename where there are no links. */
static bool give_name(tf_trail_writer *writer, tf_error *err)
{
    int failed = renameat2(AT_FDCWD, writer->temporary, AT_FDCWD, writer->path, RENAME_NOREPLACE) == 0 ? 0 : errno;
    if (failed == EINVAL || failed == ENOSYS) { /* a file system that cannot */
        failed = link(writer->temporary, writer->path) == 0 ? 0 : errno;
        if (!failed)
            unlink(writer->temporary);
    }
    if (failed == EEXIST)
        return taken(writer->path, err);
    return !failed || cannot("name", writer->path, failed, err);
}

static bool sync_folder(const char *path, tf_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = !slash ? bson_strdup(".") : slash == path ? bson_strdup("/") : bson_strdup_printf("%.*s", (int)(slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        cannot("write out the folder", folder, errno, err);
    if (fd >= 0)
        close(fd);
    bson_free(folder);
    return ok;
}

bool tf_trail_writer_finish(tf_trail_writer *writer, const tf_chain *chain, const tf_key *signer, char sha256[65], tf_error *err)
{
    uint8_t whole[32];
    if (!close_line(writer, chain, signer, err))
        return false;
    bool ok = fflush(writer->out) == 0 && fsync(fileno(writer->out)) == 0;
    int reason = errno;
    if (fclose(writer->out) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    writer->out = NULL;
    if (!ok)
        return cannot("write", writer->temporary, reason, err);
    tf_sha256_finish(writer->whole, whole);
    tf_hex(whole, sizeof whole, sha256);
    TF_FAILPOINT("export.before_name");
    if (!give_name(writer, err))
        return false;
    bson_free(writer->temporary);
    writer->temporary = NULL;
    TF_FAILPOINT("export.after_name");
    return sync_folder(writer->path, err);
}

void tf_trail_writer_free(tf_trail_writer *writer)
{
    if (!writer)
        return;
    if (writer->out)
        fclose(writer->out);
    if (writer->temporary)
        unlink(writer->temporary);
    bson_free(writer->temporary);
    bson_free(writer->path);
    tf_sha256_free(writer->content);
    tf_sha256_free(writer->whole);
    free(writer);
}
