/* Reading a trail back from a file: see store/trail_file.h. */
#include "store/trail_file.h"

#include "base/field.h"
#include "base/hash.h"
#include "base/text.h"
#include "store/trail_line.h"

#include <errno.h>
#include <inttypes.h>
#include <tokenfix/cleanup.h>

enum { LINE_MAX_BYTES = 64 << 20 };

typedef struct reader {
    FILE *in;
    char *line; /* without its end */
    size_t length, capacity;
    bool ended; /* the line has its end */
} reader;

/* 1: a line (of at most LINE_MAX_BYTES, else it has no end), 0: no more, -1 */
static int read_line(reader *r)
{
    int c = EOF;
    r->length = 0;
    r->ended = false;
    while (r->length < LINE_MAX_BYTES && (c = getc_unlocked(r->in)) != EOF && c != '\n') {
        if (r->length == r->capacity) {
            r->capacity = r->capacity ? 2 * r->capacity : 4096;
            r->line = bson_realloc(r->line, r->capacity);
        }
        r->line[r->length++] = (char)c;
    }
    r->ended = c == '\n';
    if (ferror(r->in))
        return -1;
    return r->ended || r->length > 0;
}

__attribute__((format(printf, 3, 4))) static void broken(tf_trail_file *out, tf_break kind, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tf_chain_break(&out->chain, kind, out->chain.last.seq + 1, text);
}

/* ---- the closing line ---- */

static bool read_hex(const bson_t *doc, const char *key, uint8_t *bytes, size_t size)
{
    char text[2 * TF_SIGNATURE_SIZE + 2], again[2 * TF_SIGNATURE_SIZE + 2];
    if (!tf_field_text(doc, key, text, sizeof text) || strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned value = 0;
        if (sscanf(text + 2 * i, "%2x", &value) != 1)
            return false;
        bytes[i] = (uint8_t)value;
    }
    tf_hex(bytes, size, again);
    return strcmp(text, again) == 0;
}

static void check_closing_signature(tf_trail_file *out, const uint8_t content[32], const uint8_t *fingerprint, const uint8_t *signature)
{
    const tf_chain *chain = &out->chain;
    for (size_t i = 0; i < chain->keys_count; i++)
        if (memcmp(tf_key_fingerprint(chain->keys[i]), fingerprint, TF_FINGERPRINT_SIZE) == 0) {
            out->closed_signed = tf_key_fits(chain->keys[i], content, signature);
            if (!out->closed_signed)
                broken(out, TF_BREAK_SIGNATURE, "the signature of the closing line is not that of its key");
            return;
        }
    out->closed_signed = chain->keys_count == 0;
    if (chain->keys_count)
        broken(out, TF_BREAK_KEY, "the closing line is signed with a key that was not given");
}

static void check_closing(tf_trail_file *out, const reader *r, const uint8_t content[32])
{
    uint8_t fingerprint[TF_FINGERPRINT_SIZE], signature[TF_SIGNATURE_SIZE];
    _cleanup_(bson_destroyp) bson_t *said = bson_utf8_validate(r->line, r->length, false) ? bson_new_from_json((const uint8_t *)r->line, (ssize_t)r->length, NULL) : NULL;
    bool sealed = said && read_hex(said, "key", fingerprint, sizeof fingerprint) && read_hex(said, "signature", signature, sizeof signature);
    char *expected = tf_trail_closing(&out->chain, content, sealed ? fingerprint : NULL, sealed ? signature : NULL);
    bool same = r->ended && strlen(expected) == r->length + 1 && memcmp(expected, r->line, r->length) == 0;
    bson_free(expected);
    if (!same && said && tf_field_number(said, "count") != out->chain.count)
        broken(out, TF_BREAK_END, "the closing line counts %" PRId64 " events, and %" PRId64 " stand before it", tf_field_number(said, "count"),
               out->chain.count);
    else if (!same)
        broken(out, TF_BREAK_CONTENT, "the closing line is not that of the events before it");
    else if (sealed)
        check_closing_signature(out, content, fingerprint, signature);
}

/* ---- the lines ---- */

static void take(tf_trail_file *out, const reader *r, const tf_head *head)
{
    _cleanup_(bson_destroyp) bson_t *event = r->ended ? tf_trail_line_parse(r->line, r->length) : NULL;
    if (!r->ended)
        broken(out, TF_BREAK_END, "the file ends in the middle of line %" PRId64, out->line);
    else if (!event)
        broken(out, TF_BREAK_FORM, "line %" PRId64 " is not as it was written: it is no event", out->line);
    else if (tf_chain_add(&out->chain, event) && head)
        tf_chain_compare(&out->chain, head, "the head that was kept", false);
}

static bool is_closing(const reader *r)
{
    return r->length >= strlen(TF_TRAIL_CLOSING) && memcmp(r->line, TF_TRAIL_CLOSING, strlen(TF_TRAIL_CLOSING)) == 0;
}

static bool check_lines(reader *r, const tf_head *head, tf_trail_file *out, tf_sha256 *content, tf_sha256 *whole, tf_error *err)
{
    uint8_t sum[32];
    bool closed = false;
    int got;
    while ((got = read_line(r)) == 1) {
        out->line++;
        tf_sha256_add(whole, r->line, r->length);
        tf_sha256_add(whole, "\n", r->ended);
        if (closed)
            broken(out, TF_BREAK_FORM, "line %" PRId64 " stands behind the closing line", out->line);
        else if (is_closing(r)) {
            closed = true;
            tf_sha256_finish(content, sum);
            check_closing(out, r, sum);
        } else {
            tf_sha256_add(content, r->line, r->length);
            tf_sha256_add(content, "\n", 1);
            take(out, r, head);
        }
        if (out->chain.broken != TF_BREAK_NONE)
            return true;
    }
    if (got < 0)
        return tf_error_errno(err, errno, "the file cannot be read");
    if (!closed)
        broken(out, TF_BREAK_END, "the file ends behind event %" PRId64 " without its closing line: it was cut off", out->chain.last.seq);
    else if (!head || (tf_chain_compare(&out->chain, head, "the head that was kept", true) &&
                       tf_chain_compare_before(&out->chain, head, "the head that was kept", "an earlier file")))
        tf_chain_end(&out->chain);
    return true;
}

bool tf_trail_file_check(FILE *in, const tf_key *const *keys, size_t keys_count, const tf_head *head, tf_trail_file *out, tf_error *err)
{
    reader r = {.in = in};
    uint8_t sum[32];
    _cleanup_(tf_sha256_freep) tf_sha256 *content = tf_sha256_new(), *whole = tf_sha256_new();
    *out = (tf_trail_file){0};
    tf_chain_init(&out->chain, keys, keys_count);
    out->chain.any_start = true;
    bool ok = check_lines(&r, head, out, content, whole, err);
    tf_sha256_finish(whole, sum);
    tf_hex(sum, sizeof sum, out->sha256);
    bson_free(r.line);
    return ok;
}

bool tf_trail_file_check_path(const char *path, const tf_key *const *keys, size_t keys_count, const tf_head *head,
                              tf_trail_file *out, tf_error *err)
{
    FILE *in = fopen(path, "re");
    if (!in) {
        int reason = errno;
        tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be read", TF_WORD(path));
        tf_error_detail(err, "%s", strerror(reason));
        return tf_error_hint(err, "Check the name, and that you may read the file.");
    }
    bool ok = tf_trail_file_check(in, keys, keys_count, head, out, err);
    fclose(in);
    return ok;
}
