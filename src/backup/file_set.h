/*
 * An exported backup: the folder <run>/ with manifest.json, <db>/<collection>.bson[.gz][.enc] and <collection>.metadata.json. Or the
 * file of a backup collection that mongodump wrote, without a manifest. Opening reads the manifest, checking reads it all; neither
 * needs a server, and neither believes what it reads.
 */
#ifndef TF_BACKUP_FILE_SET_H
#define TF_BACKUP_FILE_SET_H

#include "backup/file_reader.h"
#include "backup/manifest.h"

enum { TF_FILE_PATH = 4096 };

typedef struct tf_file_set {
    int root;                 /* the folder; owned */
    char path[TF_FILE_PATH];  /* as it was named */
    bool dump;                /* no manifest: of mongodump */
    tf_manifest manifest;     /* else */
    char data[TF_FILE_PATH];  /* the data file, relative to the folder */
    char run[TF_RUN_ID_SIZE]; /* as the manifest, or the dump's name, says */
    bool gzip, encrypted;
} tf_file_set;

/* Opens a folder with a manifest; `run` (may be NULL) names one in it: PATH/RUN. NOT_FOUND where there is none, DAMAGED, USAGE (a
 * symbolic link). *out (close with tf_file_set_close) is untouched on failure. */
bool tf_file_set_open(const char *path, const char *run, tf_file_set *out, tf_error *err);

/* The same of a dump: a file "backup_<run>.bson" or ".bson.gz", or a folder with exactly one of these, at most two levels down. */
bool tf_file_set_open_dump(const char *path, tf_file_set *out, tf_error *err);

void tf_file_set_close(tf_file_set *set);

/* Whether there is a manifest only: what `purge` leaves, or writes. */
bool tf_file_set_is_purged(const tf_file_set *set);

/* Opens the data file as it is, for who reads it in another order. -1 with *err. */
int tf_file_set_open_data(const tf_file_set *set, tf_error *err);

/* What was found while it was read. */
typedef struct tf_file_sum {
    int64_t documents, bytes; /* of the documents, unpacked */
    bool in_order; /* the batches that were given stand in the file one behind the other, and are what they shall be */
    size_t batch;  /* else the first that is not */
} tf_file_sum;

/* Called with each document in its order, a view. */
typedef bool (*tf_file_see)(void *arg, const bson_t *doc, tf_error *err);

/* Reads the data file to its end: every document must be one (structure, depth, an _id), and where the set has a manifest, file and
 * batches must be what that says. `secret` (may be NULL) opens it where it is encrypted. `batches` (NULL: the manifest's) are
 * compared; with a dump a difference is no failure, but told in *out. False with DAMAGED, USAGE (no or the wrong secret), SYSTEM. */
bool tf_file_set_read(const tf_file_set *set, const tf_cipher_secret *secret, const tf_manifest_batch *batches,
                      size_t count, tf_file_see see, void *arg, tf_file_sum *out, tf_error *err);

/* The other files against the manifest, and that there is no second data file. */
bool tf_file_set_check_rest(const tf_file_set *set, tf_error *err);

/* Whether others than its owner can read the data file. */
bool tf_file_set_is_open_to_others(const tf_file_set *set);

#endif
