/*
 * Backups as files: out of the state database into a folder, back from there, and gone.
 *
 *   export   part folder, locked → data, metadata, manifest, all on disk → event `exported` → the folder gets its name
 *   import   mark in the run (fence + 1) → documents → proof against the batch records → event `imported` → mark removed
 *   purge    manifest kept → event `purged` → the collection is dropped, the data file removed
 *
 * Died anywhere: the same command again does the rest. What an export leaves unfinished has no name and is removed by the next one;
 * while the mark of an import stands neither `down` nor `--resume` touches the run; a purge that died is one still.
 */
#ifndef TF_ENGINE_BACKUP_H
#define TF_ENGINE_BACKUP_H

#include "backup/file_set.h"
#include "backup/inventory.h"
#include "engine/engine.h"

#define TF_BACKUP_DIR "backups" /* where nothing else is named */

/* ---- export ---- */

typedef struct tf_export_wanted {
    const char *dir; /* is created where it is not there; the folder above it is not */
    bool gzip;
    const tf_cipher_secret *secret; /* NULL: not encrypted */
    const char *encryption;         /* "none", "passphrase", "key file" */
} tf_export_wanted;

typedef struct tf_export {
    char run[TF_RUN_ID_SIZE];
    char folder[TF_FILE_PATH];
    char data[300]; /* relative to it */
    int64_t documents, bytes, file_bytes;
    char sha256[65]; /* of the manifest */
    int64_t event;   /* its number in the audit trail */
    int64_t elapsed_ms;
} tf_export;

/* Whether there could be exported into `dir`: USAGE where others can write there, it is a link, or `run` (may be NULL) is there. */
bool tf_export_ready(const char *dir, const char *run, tf_error *err);

/* Exports the run of settings.run (a migration or NULL: its newest). Every batch is compared with its record on the way: DAMAGED where
 * the backup is not as recorded. LEASE_HELD while the run is under way, NO_BACKUP, USAGE, SYSTEM; nothing is left then. */
bool tf_backup_export(const tf_engine *engine, const tf_export_wanted *wanted, tf_export *out, tf_error *err);

/* ---- import ---- */

typedef struct tf_import {
    char run[TF_RUN_ID_SIZE];
    int64_t documents; /* in the backup now */
    int64_t inserted;  /* of these, by this process */
    bool nothing;      /* the backup was there, as recorded */
    int64_t event, elapsed_ms;
} tf_import;

/* Brings a run's backup back from a file. Everything is compared before anything is written: the manifest with the run's records, the
 * file with the manifest, every document; and what stands in the backup collection at the end with the records again. `check`: only
 * compare. NOT_FOUND: the database does not know the run; USAGE: of another database; DAMAGED; LEASE_HELD while a run is under way. */
bool tf_backup_import(const tf_engine *engine, const tf_file_set *set, const tf_cipher_secret *secret, bool check,
                      tf_import *out, tf_error *err);

/* Whether an import of the backup of this run, or of one in its lineage, has begun and not ended: INTERRUPTED says which. */
bool tf_import_is_over(const tf_store *store, const tf_run *run, tf_error *err);

/* ---- purge ---- */

typedef struct tf_purge {
    char run[TF_RUN_ID_SIZE];
    char state[32];
    char needed[256]; /* why the run can still be needed; empty: it cannot */
    bool in_database; /* the collection is there */
    bool has_file;    /* DIR/<run> has a manifest */
    bool has_data;    /* and the data file */
    int64_t documents;
    char manifest[TF_FILE_PATH]; /* that is kept */
    bool dropped, removed;       /* what was done */
    int64_t event;
} tf_purge;

/* Looks: whether there is something to purge, and whether it can still be needed. NOT_FOUND, LEASE_HELD, NOTHING_TO_DO. `files`: the
 * data file of DIR/<run> goes, too. */
bool tf_purge_plan(const tf_engine *engine, const char *dir, bool files, tf_purge *out, tf_error *err);

/* Does it. Where no manifest is kept in `dir` yet one is written there first. PERMISSION before anything is written where the
 * collection may not be dropped. */
bool tf_purge_run(const tf_engine *engine, const char *dir, bool files, tf_purge *purge, tf_error *err);

/* ---- list ---- */

typedef struct tf_backup {
    char run[TF_RUN_ID_SIZE], migration[128], state[32];
    bool down;
    int64_t started_at;
    int64_t recorded; /* documents, by the batch records */
    int64_t held;     /* in the collection, by its metadata; -1: the collection is not there */
    bool importing;
    int64_t exported_at, imported_at, purged_at; /* the newest event of each; 0: none */
} tf_backup;

/* The backups of the database's runs, newest first, of at most `limit` runs. Free with bson_free. */
bool tf_backup_list(const tf_engine *engine, const char *run, int64_t limit, tf_backup **out, size_t *count,
                    tf_error *err);

/* "complete", "incomplete", "lost", "purged", "importing", "empty". Static. */
const char *tf_backup_state(const tf_backup *backup);

#endif
