#include "backup/file_writer.h"

#include "base/hash.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 20, BUFFERS = 4, START_EARLY = 8 << 20 };

typedef struct buffer {
    uint8_t *data;
    size_t length;
} buffer;

struct tf_file_writer {
    int fd;
    char name[256];
    /* the ring: full ones are [taken, given); the caller fills the one behind them */
    buffer ring[BUFFERS];
    uint64_t given, taken;
    bool ended; /* no more will be given */
    bool threaded, joined;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* the thread's */
    bool gzip;
    z_stream zip;
    uint8_t *zipped;
    tf_cipher *cipher;
    uint8_t *piece, *sealed;
    size_t pieced;
    tf_sha256 *hash;
    int64_t bytes, started; /* written; of these, how many the kernel was told to begin with */
    int failed;             /* errno of the first write that failed; 0: none. Under the lock */
};

/* ---- to the disk ---- */

static void fail(tf_file_writer *w, int reason)
{
    pthread_mutex_lock(&w->lock);
    if (!w->failed)
        w->failed = reason ? reason : EIO;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

static bool write_out(tf_file_writer *w, const uint8_t *data, size_t length)
{
    tf_sha256_add(w->hash, data, length);
    w->bytes += (int64_t)length;
    while (length > 0) {
        ssize_t done = write(w->fd, data, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            fail(w, errno);
            return false;
        }
        data += done;
        length -= (size_t)done;
    }
    if (w->bytes - w->started >= START_EARLY) { /* else the end waits for all of it */
        sync_file_range(w->fd, w->started, w->bytes - w->started, SYNC_FILE_RANGE_WRITE);
        w->started = w->bytes;
    }
    return true;
}

static bool seal(tf_file_writer *w, bool last)
{
    tf_cipher_push(w->cipher, w->piece, w->pieced, last, w->sealed);
    size_t length = w->pieced + (TF_CIPHER_SEALED - TF_CIPHER_PIECE);
    w->pieced = 0;
    return write_out(w, w->sealed, length);
}

/* A full piece waits for more: only then it is known not to be the last. */
static bool encrypt(tf_file_writer *w, const uint8_t *data, size_t length)
{
    if (!w->cipher)
        return length == 0 || write_out(w, data, length);
    while (length > 0) {
        if (w->pieced == TF_CIPHER_PIECE && !seal(w, false))
            return false;
        size_t part = TF_CIPHER_PIECE - w->pieced < length ? TF_CIPHER_PIECE - w->pieced : length;
        memcpy(w->piece + w->pieced, data, part);
        w->pieced += part;
        data += part;
        length -= part;
    }
    return true;
}

static bool compress_some(tf_file_writer *w, const uint8_t *data, size_t length, bool end)
{
    if (!w->gzip)
        return encrypt(w, data, length);
    w->zip.next_in = (Bytef *)(uintptr_t)data;
    w->zip.avail_in = (uInt)length;
    for (;;) {
        w->zip.next_out = w->zipped;
        w->zip.avail_out = BUFFER;
        int result = deflate(&w->zip, end ? Z_FINISH : Z_NO_FLUSH);
        if (!encrypt(w, w->zipped, BUFFER - w->zip.avail_out))
            return false;
        if (end ? result == Z_STREAM_END : w->zip.avail_in == 0 && w->zip.avail_out > 0)
            return true;
        if (result != Z_OK && result != Z_BUF_ERROR) {
            fail(w, EIO);
            return false;
        }
    }
}

static bool end_all(tf_file_writer *w)
{
    if (!compress_some(w, NULL, 0, true) || (w->cipher && !seal(w, true)))
        return false;
    if (fsync(w->fd) == 0)
        return true;
    fail(w, errno);
    return false;
}

/* ---- the thread ---- */

/* The next full buffer; NULL at the end, or where something failed. */
static buffer *take(tf_file_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->taken == w->given && !w->ended && !w->failed)
        pthread_cond_wait(&w->moved, &w->lock);
    buffer *full = w->taken < w->given && !w->failed ? &w->ring[w->taken % BUFFERS] : NULL;
    pthread_mutex_unlock(&w->lock);
    return full;
}

static void *work(void *arg)
{
    tf_file_writer *w = arg;
    buffer *full;
    while ((full = take(w)) && compress_some(w, full->data, full->length, false)) {
        pthread_mutex_lock(&w->lock);
        full->length = 0;
        w->taken++;
        pthread_cond_broadcast(&w->moved);
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_lock(&w->lock);
    bool complete = w->ended && w->taken == w->given && !w->failed;
    pthread_mutex_unlock(&w->lock);
    if (complete)
        end_all(w);
    return NULL;
}

/* Hands the buffer that is being filled over, and waits for a free one. */
static bool give(tf_file_writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->given++;
    pthread_cond_broadcast(&w->moved);
    while (w->given - w->taken == BUFFERS && !w->failed)
        pthread_cond_wait(&w->moved, &w->lock);
    bool ok = !w->failed;
    pthread_mutex_unlock(&w->lock);
    return ok;
}

static void join(tf_file_writer *w, bool complete)
{
    if (!w->threaded || w->joined)
        return;
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    if (!complete && !w->failed)
        w->failed = ECANCELED;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->joined = true;
}

/* ---- the caller's side ---- */

static bool cannot(const tf_file_writer *w, tf_error *err)
{
    tf_error_errno(err, w->failed, "cannot write '%s'", TF_WORD(w->name));
    return tf_error_hint(err, "Nothing of it is left but what was there before. Make room, or name another folder.");
}

static bool begin(tf_file_writer *w, const tf_file_form *form, tf_error *err)
{
    uint8_t head[TF_CIPHER_HEAD];
    if (form->gzip) {
        if (deflateInit2(&w->zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
        w->gzip = true;
        w->zipped = bson_malloc(BUFFER);
    }
    if (form->secret) {
        if (!(w->cipher = tf_cipher_seal(form->secret, form->context, head, err)))
            return false;
        w->piece = bson_malloc(TF_CIPHER_PIECE);
        w->sealed = bson_malloc(TF_CIPHER_SEALED);
        if (!write_out(w, head, sizeof head))
            return cannot(w, err);
    }
    int failed = pthread_create(&w->thread, NULL, work, w);
    w->threaded = failed == 0;
    return w->threaded || tf_error_errno(err, failed, "cannot start a thread");
}

tf_file_writer *tf_file_writer_new(int fd, const char *name, const tf_file_form *form, tf_error *err)
{
    tf_file_writer *w = bson_malloc0(sizeof *w);
    w->fd = fd;
    w->hash = tf_sha256_new();
    snprintf(w->name, sizeof w->name, "%s", name);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    for (size_t i = 0; i < BUFFERS; i++)
        w->ring[i].data = bson_malloc(BUFFER);
    if (begin(w, form, err))
        return w;
    tf_file_writer_free(w);
    return NULL;
}

bool tf_file_writer_add(tf_file_writer *w, const void *data, size_t length, tf_error *err)
{
    const uint8_t *from = data;
    while (length > 0) {
        buffer *filling = &w->ring[w->given % BUFFERS];
        size_t part = BUFFER - filling->length < length ? BUFFER - filling->length : length;
        memcpy(filling->data + filling->length, from, part);
        filling->length += part;
        from += part;
        length -= part;
        if (filling->length == BUFFER && !give(w))
            return cannot(w, err);
    }
    return true;
}

bool tf_file_writer_finish(tf_file_writer *w, char sha256[65], int64_t *bytes, tf_error *err)
{
    uint8_t hash[32];
    if (w->ring[w->given % BUFFERS].length > 0)
        give(w);
    join(w, true);
    int closed = w->failed ? 0 : close(w->fd);
    if (!w->failed)
        w->fd = -1;
    if (closed != 0)
        w->failed = errno;
    if (w->failed)
        return cannot(w, err);
    tf_sha256_finish(w->hash, hash);
    tf_hex(hash, sizeof hash, sha256);
    *bytes = w->bytes;
    return true;
}

void tf_file_writer_free(tf_file_writer *w)
{
    if (!w)
        return;
    join(w, false);
    if (w->fd >= 0)
        close(w->fd);
    if (w->gzip)
        deflateEnd(&w->zip);
    for (size_t i = 0; i < BUFFERS; i++)
        bson_free(w->ring[i].data);
    bson_free(w->zipped);
    bson_free(w->piece);
    bson_free(w->sealed);
    tf_cipher_free(w->cipher);
    tf_sha256_free(w->hash);
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
    bson_free(w);
}
