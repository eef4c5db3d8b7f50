/* Reading a manifest: see backup/manifest.h. Nothing of it is believed before its last line was compared. */
#include "backup/manifest.h"

#include "base/docs.h"
#include "base/field.h"
#include "base/hash.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 20 };

typedef struct reading {
    FILE *in;
    char *line;
    size_t room;
    ssize_t length;
    int64_t number; /* of the line */
    tf_sha256 *content, *whole;
    char *head; /* its text so far */
    size_t head_length;
    tf_manifest *out;
} reading;

static bool damaged(const reading *r, const char *how, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "'%s', line %" PRId64 ": %s", TF_MANIFEST, r->number, how);
    return tf_error_hint(err, "The manifest is not as it was written; what the files hold cannot be told from it.");
}

/* The next line, with its end. A line is hashed once it is known not to be the last. */
static bool next(reading *r, tf_error *err)
{
    errno = 0;
    r->number++;
    r->length = getline(&r->line, &r->room, r->in);
    if (r->length < 0 && errno)
        return tf_error_errno(err, errno, "cannot read '%s'", TF_MANIFEST);
    if (r->length < 0)
        return damaged(r, "it was cut off", err);
    if (r->length > LINE_MAX_BYTES || r->line[r->length - 1] != '\n' || memchr(r->line, '\0', (size_t)r->length))
        return damaged(r, "that is not what tokenfix writes", err);
    return true;
}

static bool is(const reading *r, const char *text)
{
    return (size_t)r->length == strlen(text) && memcmp(r->line, text, (size_t)r->length) == 0;
}

static void hash_line(reading *r)
{
    tf_sha256_add(r->content, r->line, (size_t)r->length);
    tf_sha256_add(r->whole, r->line, (size_t)r->length);
}

/* ---- the head ---- */

static bool read_head(reading *r, tf_error *err)
{
    while (next(r, err)) {
        hash_line(r);
        if (is(r, "\"batches\":[\n"))
            return true;
        if (r->head_length + (size_t)r->length > LINE_MAX_BYTES)
            return damaged(r, "the head is too long", err);
        r->head = bson_realloc(r->head, r->head_length + (size_t)r->length + 16);
        memcpy(r->head + r->head_length, r->line, (size_t)r->length);
        r->head_length += (size_t)r->length;
    }
    return false;
}

static bson_t *parse(const char *text, size_t length)
{
    if (length == 0 || !bson_utf8_validate(text, length, false))
        return NULL;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)text, (ssize_t)length, NULL);
    return doc && tf_doc_is_sound(doc) ? TAKE_PTR(doc) : NULL;
}

/* ---- batches and ledger ---- */

static bool hex_to(const char *hex, uint8_t out[32])
{
    size_t length = 0;
    return strlen(hex) == 64 && sodium_hex2bin(out, 32, hex, 64, NULL, &length, NULL) == 0 && length == 32;
}

static bool add_batch(reading *r, const bson_t *doc)
{
    tf_manifest *m = r->out;
    char hash[80];
    tf_manifest_batch batch = {.partition = (int32_t)tf_field_number(doc, "partition"),
                               .seq = tf_field_number(doc, "seq"),
                               .documents = tf_field_number(doc, "documents")};
    if (!tf_field_text(doc, "sha256", hash, sizeof hash) || !hex_to(hash, batch.sha256) || batch.documents <= 0 ||
        batch.seq <= 0)
        return false;
    if ((m->batches_count & (m->batches_count + 1)) == 0) /* doubled: at 0, 1, 3, 7, … */
        m->batches = bson_realloc(m->batches, (2 * m->batches_count + 1) * sizeof *m->batches);
    m->batches[m->batches_count++] = batch;
    return true;
}

static bool add_row(reading *r, const bson_t *doc)
{
    (void)doc;
    r->out->ledger_rows++;
    return true;
}

/* Lines of one document each, a comma behind all but the last, up to "],". */
static bool read_list(reading *r, bool (*add)(reading *, const bson_t *), tf_error *err)
{
    bool expected = false; /* a comma says that another follows */
    while (next(r, err)) {
        hash_line(r);
        if (is(r, "],\n"))
            return !expected || damaged(r, "a line is missing", err);
        bool comma = r->length >= 2 && r->line[r->length - 2] == ',';
        _cleanup_(bson_destroyp) bson_t *doc = parse(r->line, (size_t)r->length - (comma ? 2 : 1));
        if (!doc || !add(r, doc))
            return damaged(r, "that is not what tokenfix writes", err);
        expected = comma;
        if (!comma)
            break;
    }
    if (!next(r, err))
        return false;
    hash_line(r);
    return is(r, "],\n") || damaged(r, "that is not what tokenfix writes", err);
}

/* ---- the whole ---- */

static bool read_end(reading *r, tf_error *err)
{
    uint8_t hash[32];
    char hex[65], line[96];
    if (!next(r, err))
        return false;
    tf_sha256_add(r->whole, r->line, (size_t)r->length);
    tf_sha256_finish(r->content, hash);
    tf_hex(hash, sizeof hash, hex);
    snprintf(line, sizeof line, "\"sha256\":\"%s\"}\n", hex);
    if (!is(r, line))
        return damaged(r, "the SHA-256 is not that of the lines before it", err);
    if (getc(r->in) != EOF)
        return damaged(r, "something follows behind its end", err);
    tf_sha256_finish(r->whole, hash);
    tf_hex(hash, sizeof hash, r->out->sha256);
    return true;
}

static bool read_files(tf_manifest *m)
{
    bson_iter_t list, item, at;
    if (!bson_iter_init_find(&list, m->head, "files") || !BSON_ITER_HOLDS_ARRAY(&list) ||
        !bson_iter_recurse(&list, &item))
        return false;
    while (bson_iter_next(&item)) {
        bson_t view;
        uint32_t length;
        const uint8_t *data;
        if (m->files_count == TF_MANIFEST_FILES || !BSON_ITER_HOLDS_DOCUMENT(&item))
            return false;
        tf_manifest_file *file = &m->files[m->files_count++];
        bson_iter_document(&item, &length, &data);
        if (!bson_init_static(&view, data, length) || !tf_field_text(&view, "name", file->name, sizeof file->name) ||
            !tf_field_text(&view, "sha256", file->sha256, sizeof file->sha256) ||
            !bson_iter_init_find(&at, &view, "bytes"))
            return false;
        file->bytes = tf_field_number(&view, "bytes");
    }
    return true;
}

static bson_t *read_record(const bson_t *head)
{
    bson_t view;
    bson_iter_t iter;
    if (!tf_field_view(head, "record", &view))
        return NULL;
    if (!bson_iter_init_find(&iter, &view, "$bson") || !BSON_ITER_HOLDS_UTF8(&iter))
        return bson_copy(&view);
    uint32_t length = 0;
    const char *text = bson_iter_utf8(&iter, &length);
    size_t size = 0;
    uint8_t *bytes = bson_malloc0(length + 1);
    bool good = sodium_base642bin(bytes, length, text, length, NULL, &size, NULL, sodium_base64_VARIANT_ORIGINAL) == 0;
    bson_t *doc = good ? bson_new_from_data(bytes, size) : NULL;
    bson_free(bytes);
    return doc;
}

/* The fields that everybody needs. */
static bool digest(tf_manifest *m)
{
    char kind[16] = "";
    const bson_t *head = m->head;
    bool ok = tf_field_text(head, "tokenfix", kind, sizeof kind) && strcmp(kind, "backup") == 0 &&
              tf_field_text(head, "run", m->run, sizeof m->run) &&
              tf_field_text(head, "database", m->database, sizeof m->database) &&
              tf_field_text(head, "collection", m->collection, sizeof m->collection) &&
              tf_field_text(head, "migration", m->migration, sizeof m->migration) &&
              tf_field_text(head, "encryption", m->encryption, sizeof m->encryption) && read_files(m);
    tf_field_text(head, "tool", m->tool, sizeof m->tool);
    m->gzip = tf_field_number(head, "gzip") != 0;
    m->documents = tf_field_number(head, "documents");
    m->bytes = tf_field_number(head, "bytes");
    m->exported_at = tf_field_number(head, "exportedAt");
    return ok && (m->record = read_record(head)) != NULL;
}

static bool read_all(reading *r, tf_error *err)
{
    static const char end[] = "\"end\":0}";
    if (!read_head(r, err) || !read_list(r, add_batch, err) || !next(r, err))
        return false;
    hash_line(r);
    if (!is(r, "\"ledger\":[\n"))
        return damaged(r, "that is not what tokenfix writes", err);
    if (!read_list(r, add_row, err) || !read_end(r, err))
        return false;
    r->head = bson_realloc(r->head, r->head_length + sizeof end);
    memcpy(r->head + r->head_length, end, sizeof end - 1);
    r->out->head = parse(r->head, r->head_length + sizeof end - 1);
    if (!r->out->head || !digest(r->out))
        return damaged(r, "the head is not of the form it must have", err);
    if (tf_field_number(r->out->head, "format") == 1)
        return true;
    tf_error_set(err, TF_ERR_UNSUPPORTED, "the manifest is of format %" PRId64 ", which this version does not know",
                 tf_field_number(r->out->head, "format"));
    return tf_error_hint(err, "It was written by tokenfix %s: use that version.", r->out->tool);
}

bool tf_manifest_read(int fd, tf_manifest *out, tf_error *err)
{
    tf_manifest manifest = {0};
    reading r = {.in = fdopen(fd, "r"), .out = &manifest};
    if (!r.in) {
        close(fd);
        return tf_error_errno(err, errno, "cannot read '%s'", TF_MANIFEST);
    }
    r.content = tf_sha256_new();
    r.whole = tf_sha256_new();
    bool ok = read_all(&r, err);
    tf_sha256_free(r.content);
    tf_sha256_free(r.whole);
    fclose(r.in);
    free(r.line);
    bson_free(r.head);
    if (ok)
        *out = manifest;
    else
        tf_manifest_done(&manifest);
    return ok;
}

void tf_manifest_done(tf_manifest *manifest)
{
    if (manifest->head)
        bson_destroy(manifest->head);
    if (manifest->record)
        bson_destroy(manifest->record);
    bson_free(manifest->batches);
    *manifest = (tf_manifest){0};
}
