#include "backup/file_reader.h"

#include "base/hash.h"
#include "base/text.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 18 };

struct tf_file_reader {
    int fd;
    char name[256];
    tf_sha256 *hash;
    int64_t bytes;
    bool at_end; /* of the file */
    /* decryption: a piece, and what of it has not been taken yet */
    tf_cipher *cipher;
    uint8_t *sealed, *piece;
    size_t held, used;
    bool opened, last;
    /* unpacking */
    bool gzip, between; /* members of the archive */
    z_stream zip;
    uint8_t *packed;
};

static ssize_t damaged(const tf_file_reader *r, const char *how, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "'%s' %s", TF_WORD(r->name), how);
    return -1;
}

/* ---- from the disk ---- */

static ssize_t read_raw(tf_file_reader *r, uint8_t *out, size_t size, tf_error *err)
{
    size_t done = 0;
    while (done < size && !r->at_end) {
        ssize_t got = read(r->fd, out + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            tf_error_errno(err, errno, "cannot read '%s'", TF_WORD(r->name));
            return -1;
        }
        r->at_end = got == 0;
        done += (size_t)got;
    }
    tf_sha256_add(r->hash, out, done);
    r->bytes += (int64_t)done;
    return (ssize_t)done;
}

/* The next piece. False at the end behind the last one, or with *err. */
static bool open_piece(tf_file_reader *r, tf_error *err)
{
    if (r->last) {
        uint8_t more;
        if (read_raw(r, &more, 1, err) > 0)
            damaged(r, "goes on behind its end", err);
        return false;
    }
    ssize_t got = read_raw(r, r->sealed, TF_CIPHER_SEALED, err);
    if (got < 0)
        return false;
    if (got == 0) {
        damaged(r, "was cut off", err);
        return false;
    }
    if (!tf_cipher_pull(r->cipher, r->sealed, (size_t)got, &r->last, r->piece)) {
        damaged(r,
                r->opened ? "was altered, or cut off"
                          : "cannot be decrypted: it was altered, or the passphrase or key is another",
                err);
        return false;
    }
    r->opened = true;
    r->held = (size_t)got - (TF_CIPHER_SEALED - TF_CIPHER_PIECE);
    r->used = 0;
    return true;
}

static ssize_t decrypt(tf_file_reader *r, uint8_t *out, size_t size, tf_error *err)
{
    if (!r->cipher)
        return read_raw(r, out, size, err);
    tf_error one = {0};
    while (r->used == r->held)
        if (!open_piece(r, &one)) {
            if (one.code != TF_ERR_OK && err->code == TF_ERR_OK)
                *err = one;
            return one.code == TF_ERR_OK ? 0 : -1;
        }
    size_t part = r->held - r->used < size ? r->held - r->used : size;
    memcpy(out, r->piece + r->used, part);
    r->used += part;
    return (ssize_t)part;
}

/* 1 where there is something to unpack, 0 at the end, -1 */
static int more_packed(tf_file_reader *r, tf_error *err)
{
    if (r->zip.avail_in > 0)
        return 1;
    ssize_t got = decrypt(r, r->packed, BUFFER, err);
    r->zip.next_in = r->packed;
    r->zip.avail_in = got > 0 ? (uInt)got : 0;
    return got < 0 ? -1 : got > 0;
}

static ssize_t unpack(tf_file_reader *r, uint8_t *out, size_t size, tf_error *err)
{
    r->zip.next_out = out;
    r->zip.avail_out = (uInt)size;
    while (r->zip.avail_out == size) {
        int more = more_packed(r, err);
        if (more < 0)
            return -1;
        if (more == 0)
            return r->between ? 0 : damaged(r, "was cut off", err);
        if (r->between && inflateReset(&r->zip) != Z_OK)
            return damaged(r, "cannot be unpacked", err);
        r->between = false;
        int result = inflate(&r->zip, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END)
            return damaged(r, "cannot be unpacked: it was altered, or is no gzip file", err);
        r->between = result == Z_STREAM_END;
    }
    return (ssize_t)(size - r->zip.avail_out);
}

/* ---- the caller's side ---- */

static bool begin(tf_file_reader *r, const tf_file_form *form, tf_error *err)
{
    uint8_t head[TF_CIPHER_HEAD];
    if (form->gzip) {
        if (inflateInit2(&r->zip, 15 + 16) != Z_OK)
            return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
        r->gzip = true;
        r->packed = bson_malloc(BUFFER);
    }
    if (!form->secret)
        return true;
    ssize_t got = read_raw(r, head, sizeof head, err);
    if (got >= 0 && got < (ssize_t)sizeof head)
        damaged(r, "was cut off", err);
    if (got < (ssize_t)sizeof head || !(r->cipher = tf_cipher_open(form->secret, form->context, head, err)))
        return false;
    r->sealed = bson_malloc(TF_CIPHER_SEALED);
    r->piece = bson_malloc(TF_CIPHER_PIECE);
    return true;
}

tf_file_reader *tf_file_reader_new(int fd, const char *name, const tf_file_form *form, tf_error *err)
{
    tf_file_reader *r = bson_malloc0(sizeof *r);
    r->fd = fd;
    r->hash = tf_sha256_new();
    snprintf(r->name, sizeof r->name, "%s", name);
    if (begin(r, form, err))
        return r;
    tf_file_reader_free(r);
    return NULL;
}

ssize_t tf_file_reader_read(tf_file_reader *r, void *out, size_t size, tf_error *err)
{
    return size == 0 ? 0 : r->gzip ? unpack(r, out, size < BUFFER ? size : BUFFER, err) : decrypt(r, out, size, err);
}

bool tf_file_reader_fill(tf_file_reader *r, void *out, size_t size, bool *ended, tf_error *err)
{
    size_t done = 0;
    *ended = false;
    while (done < size) {
        ssize_t got = tf_file_reader_read(r, (uint8_t *)out + done, size - done, err);
        if (got < 0)
            return false;
        if (got == 0 && done == 0) {
            *ended = true;
            return false;
        }
        if (got == 0)
            return damaged(r, "was cut off", err) > 0;
        done += (size_t)got;
    }
    return true;
}

bool tf_file_reader_sum(tf_file_reader *r, char sha256[65], int64_t *bytes, tf_error *err)
{
    uint8_t hash[32], *rest = bson_malloc(BUFFER);
    ssize_t got;
    while ((got = read_raw(r, rest, BUFFER, err)) > 0)
        ;
    bson_free(rest);
    if (got < 0)
        return false;
    tf_sha256_finish(r->hash, hash);
    tf_hex(hash, sizeof hash, sha256);
    *bytes = r->bytes;
    return true;
}

bool tf_file_reader_is_locked(const tf_file_reader *r)
{
    return r->cipher && !r->opened;
}

void tf_file_reader_free(tf_file_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    if (r->gzip)
        inflateEnd(&r->zip);
    if (r->piece)
        memset(r->piece, 0, TF_CIPHER_PIECE);
    bson_free(r->packed);
    bson_free(r->sealed);
    bson_free(r->piece);
    tf_cipher_free(r->cipher);
    tf_sha256_free(r->hash);
    bson_free(r);
}
