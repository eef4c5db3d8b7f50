/*
 * One file of an exported backup, being written: compressed and encrypted where asked for, hashed as it goes to disk. The bytes are
 * handed to a thread of its own, so that the server is not kept waiting while they are hashed and written.
 */
#ifndef TF_BACKUP_FILE_WRITER_H
#define TF_BACKUP_FILE_WRITER_H

#include "base/cipher.h"

typedef struct tf_file_writer tf_file_writer;

typedef struct tf_file_form {
    bool gzip;
    const tf_cipher_secret *secret; /* NULL: not encrypted. Borrowed */
    const char *context;            /* of the encryption: base/cipher.h. Copied where it is needed */
} tf_file_form;

/* Takes over fd, an empty file; `name` is how messages call it. NULL with *err. */
tf_file_writer *tf_file_writer_new(int fd, const char *name, const tf_file_form *form, tf_error *err);

/* False once anything could not be written (SYSTEM), at the latest by the finish. */
bool tf_file_writer_add(tf_file_writer *writer, const void *data, size_t length, tf_error *err);

/* Waits until all is on disk. SHA-256 (hexadecimal) and length are those of the file. */
bool tf_file_writer_finish(tf_file_writer *writer, char sha256[65], int64_t *bytes, tf_error *err);

/* Closes it, finished or not; what was written stays for others to remove. NULL is allowed. */
void tf_file_writer_free(tf_file_writer *writer);
TF_CLEANUP(tf_file_writer *, tf_file_writer_free)

#endif
