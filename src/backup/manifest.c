/* A manifest being written; manifest_reader.c reads it. */
#include "backup/manifest.h"

#include "base/docs.h"
#include "base/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

struct tf_manifest_writer {
    FILE *out;
    tf_sha256 *content, *whole;
    enum { HEAD, BATCHES, LEDGER } part;
    bool any; /* in this part */
    bool failed;
    int reason;
};

static void put(tf_manifest_writer *w, const char *text, size_t length)
{
    tf_sha256_add(w->content, text, length);
    tf_sha256_add(w->whole, text, length);
    if (!w->failed && fwrite(text, 1, length, w->out) != length) {
        w->failed = true;
        w->reason = errno;
    }
}

static void say(tf_manifest_writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static bool check(const tf_manifest_writer *w, tf_error *err)
{
    return !w->failed || tf_error_errno(err, w->reason, "cannot write '%s'", TF_MANIFEST);
}

/* ---- what JSON can give back ---- */

static bool is_exact(const bson_t *doc)
{
    size_t size = 0;
    _cleanup_(tf_bson_freep) char *json = tf_doc_is_sound(doc) ? bson_as_canonical_extended_json(doc, &size) : NULL;
    if (!json)
        return false;
    _cleanup_(bson_destroyp) bson_t *back = bson_new_from_json((const uint8_t *)json, (ssize_t)size, NULL);
    return back && back->len == doc->len && memcmp(bson_get_data(back), bson_get_data(doc), doc->len) == 0;
}

/* The document itself, or {"$bson": base64}: appended to the empty *out. */
static void make_exact(const bson_t *doc, bson_t *out)
{
    if (is_exact(doc)) {
        bson_concat(out, doc);
        return;
    }
    size_t size = sodium_base64_encoded_len(doc->len, sodium_base64_VARIANT_ORIGINAL);
    char *text = bson_malloc(size);
    sodium_bin2base64(text, size, bson_get_data(doc), doc->len, sodium_base64_VARIANT_ORIGINAL);
    BSON_APPEND_UTF8(out, "$bson", text);
    bson_free(text);
}

void tf_manifest_append(bson_t *to, const char *key, const bson_t *doc)
{
    _cleanup_bson_ bson_t exact = BSON_INITIALIZER;
    make_exact(doc, &exact);
    BSON_APPEND_DOCUMENT(to, key, &exact);
}

/* ---- the head ---- */

/* `"name":value` of one field: numbers as people read them, but the record with all its types. */
static void put_field(tf_manifest_writer *w, const bson_t *head, const bson_iter_t *at)
{
    _cleanup_bson_ bson_t one = BSON_INITIALIZER;
    size_t size = 0;
    tf_doc_append_field(head, at, &one);
    _cleanup_(tf_bson_freep) char *json = strcmp(bson_iter_key(at), "record") == 0
                                              ? bson_as_canonical_extended_json(&one, &size)
                                              : bson_as_relaxed_extended_json(&one, &size);
    char *begin = json + 1, *end = json + size - 1; /* without its braces */
    while (*begin == ' ')
        begin++;
    while (end > begin && end[-1] == ' ')
        end--;
    put(w, begin, (size_t)(end - begin));
    say(w, ",\n");
}

tf_manifest_writer *tf_manifest_writer_new(int fd, const bson_t *head, tf_error *err)
{
    FILE *out = fdopen(fd, "w");
    bson_iter_t iter;
    if (!out) {
        tf_error_errno(err, errno, "cannot write '%s'", TF_MANIFEST);
        close(fd);
        return NULL;
    }
    tf_manifest_writer *w = bson_malloc0(sizeof *w);
    *w = (tf_manifest_writer){.out = out, .content = tf_sha256_new(), .whole = tf_sha256_new()};
    say(w, "{\n");
    if (bson_iter_init(&iter, head))
        while (bson_iter_next(&iter))
            put_field(w, head, &iter);
    return w;
}

/* ---- batches and ledger ---- */

/* On to a part: what is before it ends. */
static void enter(tf_manifest_writer *w, int part)
{
    for (; (int)w->part < part; w->any = false) {
        if (w->part != HEAD)
            say(w, w->any ? "\n],\n" : "],\n");
        w->part++;
        say(w, w->part == BATCHES ? "\"batches\":[\n" : "\"ledger\":[\n");
    }
}

static void begin_line(tf_manifest_writer *w, int part)
{
    enter(w, part);
    if (w->any)
        say(w, ",\n");
    w->any = true;
}

bool tf_manifest_writer_batch(tf_manifest_writer *w, const tf_manifest_batch *batch, tf_error *err)
{
    char hash[65], line[200];
    tf_hex(batch->sha256, 32, hash);
    snprintf(line, sizeof line, "{\"partition\":%d,\"seq\":%" PRId64 ",\"documents\":%" PRId64 ",\"sha256\":\"%s\"}",
             batch->partition, batch->seq, batch->documents, hash);
    begin_line(w, BATCHES);
    say(w, line);
    return check(w, err);
}

bool tf_manifest_writer_row(tf_manifest_writer *w, const bson_t *row, tf_error *err)
{
    _cleanup_bson_ bson_t exact = BSON_INITIALIZER;
    size_t size = 0;
    make_exact(row, &exact);
    _cleanup_(tf_bson_freep) char *json = bson_as_canonical_extended_json(&exact, &size);
    begin_line(w, LEDGER);
    put(w, json, size);
    return check(w, err);
}

bool tf_manifest_writer_finish(tf_manifest_writer *w, char sha256[65], tf_error *err)
{
    uint8_t hash[32];
    char hex[65], line[96];
    enter(w, LEDGER);
    say(w, w->any ? "\n],\n" : "],\n");
    tf_sha256_finish(w->content, hash);
    tf_hex(hash, sizeof hash, hex);
    snprintf(line, sizeof line, "\"sha256\":\"%s\"}\n", hex);
    say(w, line);
    if (!w->failed && (fflush(w->out) != 0 || fsync(fileno(w->out)) != 0)) {
        w->failed = true;
        w->reason = errno;
    }
    if (fclose(w->out) != 0 && !w->failed) {
        w->failed = true;
        w->reason = errno;
    }
    w->out = NULL;
    tf_sha256_finish(w->whole, hash);
    tf_hex(hash, sizeof hash, sha256);
    return check(w, err);
}

void tf_manifest_writer_free(tf_manifest_writer *w)
{
    if (!w)
        return;
    if (w->out)
        fclose(w->out);
    tf_sha256_free(w->content);
    tf_sha256_free(w->whole);
    bson_free(w);
}
