/*
 * manifest.json of an exported backup: what the files hold, and the run's record and ledger beside them. One JSON document, of lines:
 *
 *   {
 *   "tokenfix":"backup",                  each field of the head on a line of its own; the record is canonical Extended JSON
 *   "format":1,
 *   …
 *   "batches":[
 *   {"partition":0,"seq":1,"documents":1000,"sha256":"…"},     in the order in which their documents stand in the data file
 *   …
 *   ],
 *   "ledger":[
 *   {…},                                  a row as it is stored
 *   …
 *   ],
 *   "sha256":"…"}                         of all bytes before this line
 *
 * Written and read line by line: a million accounts fill no memory. What JSON cannot give back as it was (invalid UTF-8) is
 * {"$bson": base64 of the document}.
 */
#ifndef TF_BACKUP_MANIFEST_H
#define TF_BACKUP_MANIFEST_H

#include <tokenfix/cleanup.h>

#include "store/store.h"

#define TF_MANIFEST "manifest.json"

/* A batch whose documents are in the file. */
typedef struct tf_manifest_batch {
    int32_t partition;
    int64_t seq, documents;
    uint8_t sha256[32]; /* of its documents' bytes in their order */
} tf_manifest_batch;

typedef struct tf_manifest_file {
    char name[256]; /* relative to the folder: "wallet/cashu_tokens.bson" */
    int64_t bytes;
    char sha256[65];
} tf_manifest_file;

enum { TF_MANIFEST_FILES = 4 };

typedef struct tf_manifest {
    bson_t *head;   /* all but batches and ledger; owned */
    bson_t *record; /* the run's document; owned */
    char run[TF_RUN_ID_SIZE], database[64], collection[128], migration[128], tool[64];
    int64_t documents, bytes, exported_at; /* bytes: of the documents */
    bool gzip;
    char encryption[16];                       /* "none", "passphrase", "key file" */
    tf_manifest_file files[TF_MANIFEST_FILES]; /* the first is the data file */
    size_t files_count;                        /* 0: kept of a backup that was purged, and never exported */
    tf_manifest_batch *batches;                /* owned */
    size_t batches_count;
    int64_t ledger_rows;
    char sha256[65]; /* of the whole manifest */
} tf_manifest;

/* ---- writing ---- */

typedef struct tf_manifest_writer tf_manifest_writer;

/* Takes over fd, an empty file, and writes the head's fields. NULL with *err. */
tf_manifest_writer *tf_manifest_writer_new(int fd, const bson_t *head, tf_error *err);

/* First all batches, then all rows of the ledger. */
bool tf_manifest_writer_batch(tf_manifest_writer *writer, const tf_manifest_batch *batch, tf_error *err);
bool tf_manifest_writer_row(tf_manifest_writer *writer, const bson_t *row, tf_error *err);

/* Waits until it is on disk; sha256 is that of the whole file. */
bool tf_manifest_writer_finish(tf_manifest_writer *writer, char sha256[65], tf_error *err);
void tf_manifest_writer_free(tf_manifest_writer *writer);
TF_CLEANUP(tf_manifest_writer *, tf_manifest_writer_free)

/* Appends a document under `key` as the manifest holds it: as it is, or {"$bson": …} where JSON could not give it back. */
void tf_manifest_append(bson_t *to, const char *key, const bson_t *doc);

/* ---- reading ---- */

/* Takes over fd. DAMAGED where one byte is not as it was written, *out untouched; free it with tf_manifest_done. */
bool tf_manifest_read(int fd, tf_manifest *out, tf_error *err);
void tf_manifest_done(tf_manifest *manifest);

#endif
