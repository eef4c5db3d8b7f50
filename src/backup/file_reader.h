/*
 * One file of an exported backup, or of a dump, being read: decrypted, unpacked, hashed. What comes out was there in the file in that
 * order; that it is all of it is known at its end only, by a last piece or a checksum.
 */
#ifndef TF_BACKUP_FILE_READER_H
#define TF_BACKUP_FILE_READER_H

#include "backup/file_writer.h"

typedef struct tf_file_reader tf_file_reader;

/* Takes over fd; `name` is how messages call it. NULL with *err: DAMAGED, USAGE (encrypted with something else), SYSTEM. */
tf_file_reader *tf_file_reader_new(int fd, const char *name, const tf_file_form *form, tf_error *err);

/* Up to `size` bytes; 0 at the proper end; -1 with *err: DAMAGED, SYSTEM. */
ssize_t tf_file_reader_read(tf_file_reader *reader, void *out, size_t size, tf_error *err);

/* The same, all of them. False with *err at an end before that; *ended where it was at the proper end, and nothing was read. */
bool tf_file_reader_fill(tf_file_reader *reader, void *out, size_t size, bool *ended, tf_error *err);

/* Reads what is left of the file, whatever it means, and says what all of it hashes to, and how long it is. */
bool tf_file_reader_sum(tf_file_reader *reader, char sha256[65], int64_t *bytes, tf_error *err);

/* Whether nothing could be decrypted, not even the beginning: with the right content that means a wrong secret. */
bool tf_file_reader_is_locked(const tf_file_reader *reader);

void tf_file_reader_free(tf_file_reader *reader);
TF_CLEANUP(tf_file_reader *, tf_file_reader_free)

#endif
