/* The files of an exported backup, or of a dump, as anybody may hand them over: manifest, documents, packed and encrypted ones. */
#include "fuzz/fuzz.h"

#include "backup/file_set.h"
#include "base/dir.h"
#include "base/docs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN "20261120t173012-004-3fa9c1"

static int in_memory(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void check_error(const tf_error *err)
{
    FUZZ_CHECK(err->code != TF_ERR_OK && err->message[0]);
}

static void read_manifest(const uint8_t *data, size_t size)
{
    tf_error err = {0};
    tf_manifest manifest;
    if (!tf_manifest_read(in_memory(data, size), &manifest, &err)) {
        check_error(&err);
        return;
    }
    FUZZ_CHECK(tf_doc_is_sound(manifest.head) && strlen(manifest.sha256) == 64 &&
               manifest.files_count <= TF_MANIFEST_FILES);
    tf_manifest_done(&manifest);
}

/* What comes out of a file that is read to its end, in all four forms; at most so much. */
static void read_file(const uint8_t *data, size_t size, bool gzip, const tf_cipher_secret *secret)
{
    enum { MOST = 4 << 20 };
    uint8_t out[4096];
    char sha256[65];
    int64_t bytes = 0, total = 0;
    ssize_t got = 0;
    tf_error err = {0};
    tf_file_form form = {.gzip = gzip, .secret = secret, .context = RUN "/wallet/cashu_tokens.bson"};
    tf_file_reader *reader = tf_file_reader_new(in_memory(data, size), "input", &form, &err);
    if (!reader) {
        check_error(&err);
        return;
    }
    while (total < MOST && (got = tf_file_reader_read(reader, out, sizeof out, &err)) > 0)
        total += got;
    if (got < 0)
        check_error(&err);
    err = (tf_error){0};
    FUZZ_CHECK(tf_file_reader_sum(reader, sha256, &bytes, &err) && bytes == (int64_t)size && strlen(sha256) == 64);
    tf_file_reader_free(reader);
}

static bool see(void *arg, const bson_t *doc, tf_error *err)
{
    (void)err;
    FUZZ_CHECK(tf_doc_is_sound(doc) && bson_has_field(doc, "_id"));
    ++*(int64_t *)arg;
    return true;
}

/* As a dump: every document that is handed on is one. */
static void read_dump(const uint8_t *data, size_t size)
{
    static char folder[64], path[128];
    tf_error err = {0};
    tf_file_set set;
    tf_file_sum sum = {0};
    int64_t seen = 0;
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/tokenfix-fuzz-%d", (int)getpid());
        FUZZ_CHECK(mkdir(folder, 0700) == 0);
        snprintf(path, sizeof path, "%s/backup_" RUN ".bson", folder);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    FUZZ_CHECK(tf_file_set_open_dump(folder, &set, &err));
    if (tf_file_set_read(&set, NULL, NULL, 0, see, &seen, &sum, &err))
        FUZZ_CHECK(sum.documents == seen && sum.bytes == (int64_t)size);
    else
        check_error(&err);
    tf_file_set_close(&set);
}

static void remove_folder(void)
{
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/tokenfix-fuzz-%d", (int)getpid());
    tf_dir_remove(AT_FDCWD, folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tf_cipher_secret *secret;
    uint8_t key[32];
    tf_error err = {0};
    if (!secret) {
        memset(key, 7, sizeof key);
        secret = tf_cipher_secret_new(false, key, sizeof key, &err);
        atexit(remove_folder);
    }
    read_manifest(data, size);
    for (int form = 0; form < 4; form++)
        read_file(data, size, form & 1, form & 2 ? secret : NULL);
    read_dump(data, size);
    return 0;
}
