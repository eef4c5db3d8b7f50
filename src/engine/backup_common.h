/* What export, import and purge of backups share. */
#ifndef TF_ENGINE_BACKUP_COMMON_H
#define TF_ENGINE_BACKUP_COMMON_H

#include "engine/backup.h"

/* The run of settings.run, or the newest `up`. NOT_FOUND, NOTHING_TO_DO. */
bool tf_backup_find_run(const tf_engine *engine, tf_run *run, tf_error *err);

/* LEASE_HELD where somebody works on the run. `what`: "exported". */
bool tf_backup_is_idle(const tf_run *run, const char *what, tf_error *err);

/* The collation of the run's backup collection, or of the repaired one where that is gone; appended to the empty *out. */
bool tf_backup_collation(const tf_store *store, const tf_run *run, bson_t *out, bool *there, tf_error *err);

/* The manifest of a run into the new file fd: `files` is what the set holds (array of {name, bytes, sha256}, may be empty). */
typedef struct tf_manifest_parts {
    const tf_run *run;
    const tf_inventory *inventory;
    const bson_t *collation, *files;
    int64_t bytes, now;
    bool gzip;
    const char *encryption;
} tf_manifest_parts;
bool tf_backup_write_manifest(const tf_engine *engine, const tf_manifest_parts *parts, int fd, char sha256[65],
                              tf_error *err);

#endif
