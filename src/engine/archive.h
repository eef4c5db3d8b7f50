/*
 * Retention of the audit trail: its oldest part goes into a file, its head stays in the chain, then it is removed.
 *
 *   file exported, on disk, with its name → event `archived` {first, upto, hash, file, sha256} → removal, oldest first
 *
 * Nothing is removed before the event stands, and the event stands for a file that is complete. Died anywhere: the same command
 * again takes up what is there (a file that fits the trail, an event that names the file), and goes on.
 */
#ifndef TF_ENGINE_ARCHIVE_H
#define TF_ENGINE_ARCHIVE_H

#include "engine/engine.h"
#include "store/trail.h"

typedef struct tf_archive_wanted {
    const char *path;
    int64_t older_ms; /* events that are older than this, by the server's clock */
} tf_archive_wanted;

typedef struct tf_archive {
    int64_t first, count; /* what goes into the file; count 0: nothing is old enough */
    tf_head upto;
    bool have_file;       /* the file is there, and complete: of an archive that died */
    bool have_event;      /* and the event, too: what is left is to remove */
    int64_t left_over;    /* events of earlier archives that are still to be removed */
    int64_t kept;         /* the first event that stays; 0: none is there */
    char kept_for[TF_RUN_ID_SIZE]; /* it stays for this run, which is unfinished; empty: it is not old enough */
    char sha256[65];      /* of the file, once there is one */
    int64_t event;        /* number of the event, once there is one */
    int64_t removed;
} tf_archive;

/* Looks, writes nothing. DAMAGED where the trail is broken; USAGE where the file is there and is not of this trail. */
bool tf_archive_plan(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *out, tf_error *err);

/* Does what was planned, from where it stands. PERMISSION before anything is written where events may not be removed. */
bool tf_archive_run(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *archive, tf_error *err);

#endif
