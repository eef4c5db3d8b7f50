/*
 * An import of a backup at work: what is compared before anything is written (backup_examine.c), the mark that keeps `down` away
 * meanwhile (backup_mark.c), and what is written (backup_import.c).
 */
#ifndef TF_ENGINE_BACKUP_IMPORT_H
#define TF_ENGINE_BACKUP_IMPORT_H

#include "backup/dump_order.h"
#include "base/docs.h"
#include "engine/backup_common.h"

enum { TF_IMPORT_DOCUMENTS = 1000, TF_IMPORT_BYTES = 8 << 20 }; /* looked for, or inserted, at a time */

typedef struct tf_importing {
    const tf_engine *engine;
    const tf_file_set *set;
    const tf_cipher_secret *secret;
    tf_import *out;
    tf_run run;
    tf_inventory inventory;
    bson_t collation;
    bool there;    /* the collection is */
    int64_t held;  /* documents in it at the beginning */
    int64_t found; /* of these, those that are the file's */
    char mark[40]; /* ours in the run's document */
    bool in_order; /* the file's documents are: each batch is compared again before it is inserted */
    size_t batch;  /* that is being read */
    tf_docs whole, chunk, present, rest;
    tf_dump_order *order; /* of a dump, while it is examined */
    int64_t seen;
} tf_importing;

/* ---- examine ---- */

/* The run in the database that the file is of. USAGE: of another database; NOT_FOUND. */
bool tf_importing_find_run(tf_importing *x, tf_error *err);

/* Compares manifest, file, each document, and what is in the collection already: DAMAGED where anything is not as recorded. */
bool tf_importing_examine(tf_importing *x, tf_error *err);

/* Whether the backup is there already, and as recorded: 1, 0, -1. */
int tf_importing_is_complete(tf_importing *x, tf_error *err);

/* Puts into x->rest what of x->chunk is not there yet; DAMAGED where another document stands under one's _id. */
bool tf_importing_leave_out_present(tf_importing *x, tf_error *err);
bool tf_importing_other_document(const tf_importing *x, tf_error *err);

/* Whether a stop was asked for: INTERRUPTED. Tells the observer. */
bool tf_importing_stopped(tf_error *err);
void tf_importing_tell(const tf_importing *x, const char *phase, int64_t done);

/* ---- the mark ---- */

/* Sets the mark by compare-and-set on {state, fence}. LEASE_HELD where the run was changed since it was read. */
bool tf_importing_mark(tf_importing *x, tf_error *err);

/* Removes it, if it is ours still; `expected`: else LEASE_HELD. */
bool tf_importing_unmark(const tf_importing *x, bool expected, tf_error *err);

/* LEASE_HELD while a run is under way. */
bool tf_importing_is_alone(const tf_importing *x, tf_error *err);

#endif
