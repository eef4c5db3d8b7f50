/* Reading what an exported backup holds: see backup/file_set.h. */
#include "backup/file_set.h"

#include "base/dir.h"
#include "base/docs.h"
#include "base/hash.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <fcntl.h>
#include <unistd.h>

enum { DOCUMENT_MAX = (16 << 20) + (16 << 10) }; /* what a server stores */

/* Opens a file one or more levels down; no component may be a link. */
static int open_below(const tf_file_set *set, const char *name, tf_error *err)
{
    char part[256];
    int dir = dup(set->root);
    const char *at = name;
    for (const char *slash; dir >= 0 && (slash = strchr(at, '/')); at = slash + 1) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - at), at);
        int inner = tf_dir_open_in(dir, part, set->path, err);
        close(dir);
        dir = inner;
    }
    int fd = dir >= 0 ? tf_dir_open_file(dir, at, set->path, err) : -1;
    tf_dir_closep(&dir);
    return fd;
}

int tf_file_set_open_data(const tf_file_set *set, tf_error *err)
{
    return open_below(set, set->data, err);
}

/* ---- documents ---- */

typedef struct walk {
    tf_file_reader *reader;
    const char *name;
    const tf_manifest_batch *batches;
    size_t count;
    int64_t in_batch;
    tf_sha256 *hash;
    uint8_t *buffer;
    size_t room;
    tf_file_sum sum;
} walk;

static bool damaged(const walk *w, tf_error *err, const char *how)
{
    return tf_error_set(err, TF_ERR_DAMAGED, "'%s', document %" PRId64 ": %s", TF_WORD(w->name), w->sum.documents + 1,
                        how);
}

/* 1 and a view of the next document, 0 at the end, -1 */
static int next(walk *w, bson_t *view, tf_error *err)
{
    uint8_t size[4];
    bool ended;
    bson_iter_t id;
    if (!tf_file_reader_fill(w->reader, size, sizeof size, &ended, err))
        return ended ? 0 : -1;
    uint32_t length = (uint32_t)size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
    if (length < 5 || length > DOCUMENT_MAX)
        return damaged(w, err, "its length is none that a document can have") - 1;
    if (length > w->room)
        w->buffer = bson_realloc(w->buffer, w->room = length < 65536 ? 65536 : length);
    memcpy(w->buffer, size, sizeof size);
    if (!tf_file_reader_fill(w->reader, w->buffer + sizeof size, length - sizeof size, &ended, err)) {
        if (ended)
            damaged(w, err, "it was cut off");
        return -1;
    }
    /* not bson_validate: even without flags it refuses names that are no UTF-8, and a server takes such documents */
    if (!bson_init_static(view, w->buffer, length) || !tf_doc_is_sound(view))
        return damaged(w, err, "it is not BSON") - 1;
    if (!bson_iter_init_find(&id, view, "_id"))
        return damaged(w, err, "it has no _id") - 1;
    return 1;
}

/* The batches stand one behind the other: where one ends its hash must be as recorded. */
static void follow_batches(walk *w, const bson_t *doc)
{
    uint8_t hash[32];
    if (!w->sum.in_order)
        return;
    if (w->sum.batch == w->count) { /* more documents than batches */
        w->sum.in_order = false;
        return;
    }
    tf_sha256_add(w->hash, bson_get_data(doc), doc->len);
    if (++w->in_batch < w->batches[w->sum.batch].documents)
        return;
    tf_sha256_finish(w->hash, hash);
    w->sum.in_order = memcmp(hash, w->batches[w->sum.batch].sha256, sizeof hash) == 0;
    w->in_batch = 0;
    if (w->sum.in_order)
        w->sum.batch++;
}

static bool walk_documents(walk *w, tf_file_see see, void *arg, tf_error *err)
{
    bson_t doc;
    int got;
    w->sum.in_order = true;
    while ((got = next(w, &doc, err)) == 1) {
        follow_batches(w, &doc);
        w->sum.documents++;
        w->sum.bytes += doc.len;
        if (see && !see(arg, &doc, err))
            return false;
    }
    w->sum.in_order = w->sum.in_order && w->sum.batch == w->count && w->in_batch == 0;
    return got == 0;
}

/* ---- the data file ---- */

static bool compare_file(const tf_file_set *set, tf_file_reader *reader, bool *same, tf_error *err)
{
    const tf_manifest_file *wanted = &set->manifest.files[0];
    char sha256[65];
    int64_t bytes = 0;
    if (!tf_file_reader_sum(reader, sha256, &bytes, err))
        return false;
    *same = bytes == wanted->bytes && strcmp(sha256, wanted->sha256) == 0;
    return true;
}

static bool altered(const char *name, const tf_error *how, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "'%s' is not as it was written: its SHA-256 or length is another", TF_WORD(name));
    if (how && how->message[0])
        tf_error_detail(err, "%s", how->message);
    return tf_error_hint(err, "Use another copy of it; what was altered is not taken over.");
}

static bool wrong_secret(const char *name, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be decrypted: this is not the passphrase or key it was encrypted with",
                 TF_WORD(name));
    return tf_error_hint(err, "The file itself is as it was written.");
}

static bool compare_sum(const tf_file_set *set, const walk *w, tf_error *err)
{
    const tf_manifest *m = &set->manifest;
    if (w->sum.documents != m->documents || w->sum.bytes != m->bytes)
        return tf_error_set(err, TF_ERR_DAMAGED,
                            "'%s' holds %" PRId64 " documents of %" PRId64 " bytes, the manifest says %" PRId64
                            " of %" PRId64,
                            TF_WORD(set->data), w->sum.documents, w->sum.bytes, m->documents, m->bytes);
    if (w->sum.in_order)
        return true;
    if (w->sum.batch >= w->count)
        return tf_error_set(err, TF_ERR_DAMAGED, "'%s' does not hold the batches that the manifest names",
                            TF_WORD(set->data));
    return tf_error_set(err, TF_ERR_DAMAGED, "'%s': batch %" PRId64 " of partition %d is not as the run recorded it",
                        TF_WORD(set->data), w->batches[w->sum.batch].seq, w->batches[w->sum.batch].partition);
}

/* What failed, or not, weighed against the file's hash: an altered file is called so, whatever it looks like inside. */
static bool judge(const tf_file_set *set, walk *w, bool walked, const tf_error *failure, tf_error *err)
{
    bool same = true, locked = tf_file_reader_is_locked(w->reader);
    if (!walked && failure->code != TF_ERR_DAMAGED) {
        *err = *failure;
        return false;
    }
    if (!set->dump && !compare_file(set, w->reader, &same, err))
        return false;
    if (!same)
        return altered(set->data, walked ? NULL : failure, err);
    if (!walked && locked)
        return wrong_secret(set->data, err);
    if (!walked) {
        *err = *failure;
        return false;
    }
    return set->dump || compare_sum(set, w, err);
}

/* Neither the data nor the folder they were in. */
bool tf_file_set_is_purged(const tf_file_set *set)
{
    char folder[256];
    struct stat about;
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(set->data, "/"), set->data);
    return !set->data[0] ||
           (!set->dump && fstatat(set->root, folder, &about, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT);
}

static bool needs_secret(const tf_file_set *set, const tf_cipher_secret *secret, tf_error *err)
{
    if (!set->encrypted || secret)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "'%s' is encrypted with a %s", TF_WORD(set->path), set->manifest.encryption);
    return tf_error_hint(err, strcmp(set->manifest.encryption, "passphrase") == 0
                                  ? "Type it on a terminal, or name a file that holds it: --passphrase-file FILE."
                                  : "Name it: --key-file FILE.");
}

bool tf_file_set_read(const tf_file_set *set, const tf_cipher_secret *secret, const tf_manifest_batch *batches,
                      size_t count, tf_file_see see, void *arg, tf_file_sum *out, tf_error *err)
{
    char context[TF_RUN_ID_SIZE + 300];
    tf_error failure = {0};
    if (tf_file_set_is_purged(set)) {
        tf_error_set(err, TF_ERR_NO_BACKUP, "'%s' holds a manifest only: its data were purged, or never exported",
                     TF_WORD(set->path));
        return false;
    }
    if (!needs_secret(set, secret, err))
        return false;
    snprintf(context, sizeof context, "%s/%s", set->run, set->data);
    tf_file_form form = {.gzip = set->gzip, .secret = set->encrypted ? secret : NULL, .context = context};
    int fd = open_below(set, set->data, err);
    _cleanup_(tf_file_reader_freep) tf_file_reader *reader =
        fd < 0 ? NULL : tf_file_reader_new(fd, set->data, &form, err);
    if (!reader)
        return false;
    walk w = {.reader = reader,
              .name = set->data,
              .batches = batches ? batches : set->manifest.batches,
              .count = batches ? count : set->manifest.batches_count,
              .hash = tf_sha256_new()};
    bool walked = walk_documents(&w, see, arg, &failure);
    bool ok = judge(set, &w, walked, &failure, err);
    if (ok)
        *out = w.sum;
    tf_sha256_free(w.hash);
    bson_free(w.buffer);
    return ok;
}

/* ---- the rest ---- */

static bool check_file(const tf_file_set *set, const tf_manifest_file *wanted, tf_error *err)
{
    char sha256[65];
    int64_t bytes = 0;
    int fd = open_below(set, wanted->name, err);
    _cleanup_(tf_file_reader_freep) tf_file_reader *reader =
        fd < 0 ? NULL : tf_file_reader_new(fd, wanted->name, &(tf_file_form){.gzip = false}, err);
    if (!reader || !tf_file_reader_sum(reader, sha256, &bytes, err))
        return false;
    return (bytes == wanted->bytes && strcmp(sha256, wanted->sha256) == 0) || altered(wanted->name, NULL, err);
}

static bool is_known(const tf_manifest *m, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (size_t i = 0; i < m->files_count; i++)
        if (strcmp(m->files[i].name, path) == 0)
            return true;
    return false;
}

/* A second file with documents would be restored with the first. */
static bool check_alone(const tf_file_set *set, tf_error *err)
{
    char folder[256];
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(set->data, "/"), set->data);
    _cleanup_(tf_dir_closep) int dir = tf_dir_open_in(set->root, folder, set->path, err);
    char **names = dir < 0 ? NULL : tf_dir_names(dir, set->path, err);
    bool ok = names != NULL;
    for (char **at = names; ok && *at; at++)
        if (strstr(*at, ".bson") && !is_known(&set->manifest, folder, *at))
            ok = tf_error_set(err, TF_ERR_DAMAGED, "'%s' holds '%s', which the manifest does not know",
                              TF_WORD(set->path), TF_WORD(*at));
    tf_dir_names_free(names);
    return ok;
}

bool tf_file_set_check_rest(const tf_file_set *set, tf_error *err)
{
    if (set->dump || set->manifest.files_count == 0)
        return true;
    for (size_t i = 1; i < set->manifest.files_count; i++)
        if (!check_file(set, &set->manifest.files[i], err))
            return false;
    return check_alone(set, err);
}

bool tf_file_set_is_open_to_others(const tf_file_set *set)
{
    struct stat about;
    return set->data[0] && fstatat(set->root, set->data, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           (about.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}
