/*
 * Events in a file: each a line of canonical Extended JSON, whole, with hash, previous and signature; then a closing line
 *
 *   {"tokenfix":"audit trail","format":1,"count":N,"first":N,"last":N,"previous":…,"head":…,"sha256":…[,"key":…,"signature":…],"line":…}
 *
 * with the SHA-256 of all bytes before it, signed where there is a signer, and of itself up to `line`. Every byte of it follows from
 * what is before it, so that no byte of the file can be other than it was. Reading needs no server.
 */
#ifndef TF_STORE_TRAIL_FILE_H
#define TF_STORE_TRAIL_FILE_H

#include <stdio.h>

#include "store/chain.h"

/* ---- writing ---- */

typedef struct tf_trail_writer tf_trail_writer;

/* Begins a file of that name, under another name beside it, mode 600. USAGE where there is one of that name already; SYSTEM. */
tf_trail_writer *tf_trail_writer_new(const char *path, tf_error *err);

/* Adds an event. DAMAGED where what is read back of it would not be the same, byte for byte. */
bool tf_trail_writer_add(tf_trail_writer *writer, const bson_t *event, tf_error *err);

/* Writes the closing line, waits until all is on disk and gives the file its name, unless that has been taken meanwhile.
 * `signer` may be NULL; sha256 (65 bytes) is that of the whole file. */
bool tf_trail_writer_finish(tf_trail_writer *writer, const tf_chain *chain, const tf_key *signer, char sha256[65], tf_error *err);

/* Removes what was begun and not finished. NULL is allowed. */
void tf_trail_writer_free(tf_trail_writer *writer);
TF_CLEANUP(tf_trail_writer *, tf_trail_writer_free)

/* ---- reading ---- */

typedef struct tf_trail_file {
    tf_chain chain; /* as of a trail; `at` 0 where a line is broken whose event is not known */
    int64_t line;   /* the line where it is broken */
    bool closed_signed; /* the closing line is signed, with one of the keys where any were given */
    char sha256[65];    /* of the whole file */
} tf_trail_file;

/* Examines a file to its first break, in memory for one line (at most 64 MiB). `head` (may be NULL) is what somebody wrote down.
 * False only where the file cannot be read. */
bool tf_trail_file_check(FILE *in, const tf_key *const *keys, size_t keys_count, const tf_head *head, tf_trail_file *out, tf_error *err);

/* The same of a file by its name. USAGE where there is none. */
bool tf_trail_file_check_path(const char *path, const tf_key *const *keys, size_t keys_count, const tf_head *head,
                              tf_trail_file *out, tf_error *err);

#endif
