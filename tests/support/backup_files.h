/* An exported backup made without a server: documents, batches of ten, a ledger; and its files as bytes, to be damaged. */
#ifndef TF_TESTS_BACKUP_FILES_H
#define TF_TESTS_BACKUP_FILES_H

#include "backup/file_set.h"
#include "base/dir.h"
#include "base/docs.h"
#include "base/hash.h"
#include "support/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_RUN "20261120t173012-004-3fa9c1"

enum { FILES_BATCH = 10 };

typedef struct files_form {
    const char *name;
    bool gzip, encrypted;
} files_form;

static const files_form files_forms[] = {
    {"plain", false, false}, {"gzip", true, false}, {"encrypted", false, true}, {"gzip and encrypted", true, true}};

enum { FILES_FORMS = sizeof files_forms / sizeof *files_forms };

static inline tf_cipher_secret *files_secret(void)
{
    tf_error err = {0};
    uint8_t key[32];
    memset(key, 7, sizeof key);
    tf_cipher_secret *secret = tf_cipher_secret_new(false, key, sizeof key, &err);
    assert_non_null(secret);
    return secret;
}

/* Documents of several types, one with a text that is no UTF-8. */
static inline void files_documents(int count, tf_docs *docs)
{
    for (int i = 0; i < count; i++) {
        _cleanup_(bson_destroyp) bson_t *doc =
            BCON_NEW("_id", BCON_INT32(i), "npub", BCON_UTF8("npub1anna"), "total_amount", BCON_INT64(10 * i), "proofs",
                     "[", "{", "secret", BCON_UTF8("0123456789abcdef0123456789abcdef"), "amount", BCON_INT32(8), "}",
                     "]", "spent_at", BCON_NULL, "at", BCON_DATE_TIME(1700000000000 + i));
        if (i == 3)
            bson_append_utf8(doc, "odd", -1, "\xff\xfe", 2);
        tf_docs_add(docs, doc);
    }
}

/* What `files_write` shall say other than the truth: what somebody says who writes the manifest anew. */
typedef struct files_lie {
    const uint8_t *data; /* the documents' bytes; NULL: as they are */
    size_t length;
} files_lie;

static inline void files_batches(const tf_docs *docs, tf_manifest_writer *writer)
{
    tf_error err = {0};
    for (size_t i = 0; i < docs->count; i += FILES_BATCH) {
        size_t end = i + FILES_BATCH < docs->count ? i + FILES_BATCH : docs->count;
        size_t from = docs->offsets[i], to = end < docs->count ? docs->offsets[end] : docs->length;
        tf_manifest_batch batch = {
            .partition = 0, .seq = (int64_t)(i / FILES_BATCH) + 1, .documents = (int64_t)(end - i)};
        tf_sha256_of(docs->data + from, to - from, batch.sha256);
        assert_true(tf_manifest_writer_batch(writer, &batch, &err));
    }
}

static inline void files_put(int dir, const char *name, const files_form *form, const tf_cipher_secret *secret,
                             const void *data, size_t length, bson_t *files)
{
    char path[128], context[256], sha256[65], key[16];
    int64_t bytes = 0;
    tf_error err = {0};
    snprintf(path, sizeof path, "wallet/%s", name);
    snprintf(context, sizeof context, "%s/%s", FILES_RUN, path);
    tf_file_form how = {.gzip = form->gzip, .secret = form->encrypted ? secret : NULL, .context = context};
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tf_file_writer *writer = tf_file_writer_new(fd, path, &how, &err);
    assert_non_null(writer);
    assert_true(tf_file_writer_add(writer, data, length, &err));
    assert_true(tf_file_writer_finish(writer, sha256, &bytes, &err));
    tf_file_writer_free(writer);
    snprintf(key, sizeof key, "%u", bson_count_keys(files));
    BCON_APPEND(files, key, "{", "name", BCON_UTF8(path), "bytes", BCON_INT64(bytes), "sha256", BCON_UTF8(sha256), "}");
}

static inline void files_head(const tf_docs *docs, const files_form *form, const bson_t *files, bson_t *head)
{
    _cleanup_(bson_destroyp) bson_t *record =
        BCON_NEW("_id", BCON_UTF8(FILES_RUN), "migration", BCON_UTF8("004_fix"), "started_at",
                 BCON_DATE_TIME(1700000000000), "number", BCON_INT64(1));
    BCON_APPEND(head, "tokenfix", BCON_UTF8("backup"), "format", BCON_INT32(1), "tool", BCON_UTF8("0.1.0"), "run",
                BCON_UTF8(FILES_RUN), "database", BCON_UTF8("wallet"), "collection", BCON_UTF8("cashu_tokens"),
                "migration", BCON_UTF8("004_fix"), "exportedAt", BCON_DATE_TIME(1700000000001), "documents",
                BCON_INT64((int64_t)docs->count), "bytes", BCON_INT64((int64_t)docs->length), "gzip",
                BCON_BOOL(form->gzip), "encryption", BCON_UTF8(form->encrypted ? "key file" : "none"), "files",
                BCON_ARRAY(files));
    tf_manifest_append(head, "record", record);
}

/* Writes the folder `path` (made where it is not there). */
static inline void files_write(const char *path, const files_form *form, const tf_cipher_secret *secret,
                               const tf_docs *docs, const files_lie *lie)
{
    char name[64], sha256[65];
    tf_error err = {0};
    _cleanup_bson_ bson_t files = BSON_INITIALIZER, head = BSON_INITIALIZER;
    static const char metadata[] =
        "{\"options\":{},\"indexes\":[],\"uuid\":\"\",\"collectionName\":\"cashu_tokens\",\"type\":\"collection\"}";
    mkdir(path, 0700);
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdirat(root, "wallet", 0700);
    int dir = openat(root, "wallet", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    snprintf(name, sizeof name, "cashu_tokens.bson%s%s", form->gzip ? ".gz" : "", form->encrypted ? ".enc" : "");
    files_put(dir, name, form, secret, lie && lie->data ? lie->data : docs->data,
              lie && lie->data ? lie->length : docs->length, &files);
    files_put(dir, "cashu_tokens.metadata.json", &(files_form){.name = "plain"}, NULL, metadata, sizeof metadata - 1,
              &files);
    files_head(docs, form, &files, &head);
    int fd = openat(root, TF_MANIFEST, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tf_manifest_writer *writer = tf_manifest_writer_new(fd, &head, &err);
    assert_non_null(writer);
    files_batches(docs, writer);
    for (int i = 0; i < 3; i++) {
        _cleanup_(bson_destroyp) bson_t *row = BCON_NEW("_id", BCON_INT32(i), "before", "[", "{", "status",
                                                        BCON_UTF8("unspent"), "n", BCON_INT64(i), "}", "]");
        if (i == 1)
            bson_append_utf8(row, "owner", -1, "\xc3\x28", 2);
        assert_true(tf_manifest_writer_row(writer, row, &err));
    }
    assert_true(tf_manifest_writer_finish(writer, sha256, &err));
    tf_manifest_writer_free(writer);
    close(dir);
    close(root);
}

/* Reads all of it: what `backup verify` does. */
static inline bool files_are_whole(const char *path, const tf_cipher_secret *secret, tf_file_sum *sum, tf_error *err)
{
    tf_file_set set = {.root = -1};
    bool ok = tf_file_set_open(path, NULL, &set, err) &&
              tf_file_set_read(&set, secret, NULL, 0, NULL, NULL, sum, err) && tf_file_set_check_rest(&set, err);
    tf_file_set_close(&set);
    return ok;
}

typedef struct files_bytes {
    char path[256];
    uint8_t *data;
    size_t length;
} files_bytes;

static inline void files_load(const char *folder, const char *name, files_bytes *out)
{
    struct stat about;
    snprintf(out->path, sizeof out->path, "%s/%s", folder, name);
    int fd = open(out->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &about) == 0);
    out->length = (size_t)about.st_size;
    out->data = bson_malloc(out->length + 1);
    assert_int_equal(read(fd, out->data, out->length), (ssize_t)out->length);
    close(fd);
}

static inline void files_store(const files_bytes *to, const uint8_t *data, size_t length)
{
    int fd = open(to->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0 && write(fd, data, length) == (ssize_t)length);
    close(fd);
}

#endif
