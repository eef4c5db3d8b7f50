/* Removing a run's backup: see engine/backup.h. */
#include "engine/backup_common.h"

#include "backup/snapshot.h"
#include "base/dir.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "db/client.h"
#include "db/failure.h"
#include "db/privilege.h"
#include "store/event.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

/* ---- whether it can still be needed ---- */

/* What of a run can still be given back, or gone on with. A run that was taken back stands as before; a rollback that came to its
 * end can be undone by repairing anew. */
static const char *use_of(const tf_run *run)
{
    switch (run->state) {
    case TF_STATE_COMPLETED:
        return run->down ? NULL : "it can still be taken back";
    case TF_STATE_ROLLED_BACK:
        return NULL;
    case TF_STATE_ROLLED_BACK_WITH_CONFLICTS:
        return "what its rollback left alone can still be given back";
    case TF_STATE_CANCELLED:
        return "what it did can still be taken back";
    case TF_STATE_ROLLING_BACK:
        return "it is being taken back, and that has not come to its end";
    default:
        return "it is not finished: it can be resumed, or taken back";
    }
}

/* The runs that took this one back, and took that back: each needs the backups below it until it is finished. */
static bool look_above(const tf_store *store, const tf_run *run, tf_purge *out, tf_error *err)
{
    char next[TF_RUN_ID_SIZE];
    snprintf(next, sizeof next, "%s", run->restored_by);
    for (int depth = 0; next[0] && depth < DEPTH_MAX; depth++) {
        tf_run above = {0};
        int got = tf_run_load(store, next, &above, err);
        if (got < 0)
            return false;
        bool ok = got == 0 || tf_backup_is_idle(&above, "purged", err), done = got == 0 || !above.active;
        done = done && (got == 0 || (above.state != TF_STATE_INTERRUPTED && above.state != TF_STATE_ROLLING_BACK));
        if (!done && !out->needed[0])
            snprintf(out->needed, sizeof out->needed, "run %s, which goes back to it, is not finished", above.id);
        snprintf(next, sizeof next, "%s", got == 1 ? above.restored_by : "");
        tf_run_done(&above);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- what is there ---- */

static void look_for_files(const char *dir, const tf_run *run, tf_purge *out)
{
    tf_error ignored = {0};
    struct stat about;
    _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
    snprintf(out->manifest, sizeof out->manifest, "%s/%s/%s", dir, run->id, TF_MANIFEST);
    if (!tf_file_set_open(dir, run->id, &set, &ignored) || strcmp(set.run, run->id) != 0)
        return;
    out->has_file = true;
    out->has_data = set.data[0] && fstatat(set.root, set.data, &about, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_something(const tf_purge *purge, const char *dir, bool files, tf_error *err)
{
    if (purge->in_database || (files && purge->has_data))
        return true;
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "the backup of run %s is not in the database%s", purge->run,
                 files ? ", nor in a file" : "");
    return tf_error_hint(err,
                         purge->has_data ? "--files removes the exported one in '%s', too."
                                         : "'tokenfix backup list --dir %s' shows what is there.",
                         TF_WORD(dir));
}

static bool plan(const tf_engine *engine, const char *dir, bool files, const tf_run *run, tf_purge *out, tf_error *err)
{
    const tf_store *store = &engine->store;
    _cleanup_bson_ bson_t collation = BSON_INITIALIZER;
    const char *use = use_of(run);
    snprintf(out->run, sizeof out->run, "%s", run->id);
    snprintf(out->state, sizeof out->state, "%s", tf_state_name(run->state));
    if (!tf_backup_is_idle(run, "purged", err) || !tf_backup_collation(store, run, &collation, &out->in_database, err))
        return false;
    snprintf(out->needed, sizeof out->needed, "%s", use ? use : "");
    look_for_files(dir, run, out);
    if (!look_above(store, run, out, err) ||
        (out->in_database && !tf_snapshot_count(store, run->id, &out->documents, err)))
        return false;
    if (out->in_database && out->documents == 0 && !out->has_data)
        out->needed[0] = '\0'; /* it holds nothing */
    return is_something(out, dir, files, err);
}

bool tf_purge_plan(const tf_engine *engine, const char *dir, bool files, tf_purge *out, tf_error *err)
{
    tf_run run = {0};
    *out = (tf_purge){0};
    bool ok = tf_backup_find_run(engine, &run, err) && plan(engine, dir, files, &run, out, err);
    tf_run_done(&run);
    return ok;
}

/* ---- doing it ---- */

static bool may_drop(const tf_engine *engine, const char *name, tf_error *err)
{
    const tf_store *store = &engine->store;
    tf_privileges privileges;
    if (!tf_privileges_read(store->client, &privileges, err))
        return false;
    bool may = tf_privilege_held(&privileges, store->db, name, "dropCollection");
    tf_privileges_done(&privileges);
    if (may)
        return true;
    tf_error_set(err, TF_ERR_PERMISSION, "Permission denied: the privilege 'dropCollection' on %s.%s is missing",
                 store->db, name);
    return tf_error_hint(err,
                         "'tokenfix validate --print-role purge' prints the role that has it; who repairs should not.");
}

/* A folder with the manifest alone, complete or not at all. */
static bool write_folder(const tf_engine *engine, const char *dir, const tf_manifest_parts *parts, char sha256[65],
                         tf_error *err)
{
    char part_name[128];
    _cleanup_(tf_dir_closep) int root = tf_dir_open(dir, true, err);
    if (root < 0 || !tf_dir_is_safe(root, dir, err))
        return false;
    tf_dir_remove_stale(root, parts->run->id);
    _cleanup_(tf_dir_closep) int part = tf_dir_make_part(root, parts->run->id, part_name, dir, err);
    int fd = part < 0 ? -1 : tf_dir_create_file(part, TF_MANIFEST, dir, err);
    if (fd >= 0 && tf_backup_write_manifest(engine, parts, fd, sha256, err) && tf_dir_sync(part, dir, err) &&
        tf_dir_give_name(root, part_name, parts->run->id, dir, err))
        return true;
    if (part >= 0)
        tf_dir_remove(root, part_name);
    return false;
}

static bool write_kept(const tf_engine *engine, const char *dir, const tf_run *run, char sha256[65], tf_error *err)
{
    const tf_store *store = &engine->store;
    _cleanup_bson_ bson_t collation = BSON_INITIALIZER, none = BSON_INITIALIZER;
    _cleanup_(tf_inventory_done) tf_inventory inventory = {0};
    tf_manifest_parts parts = {
        .run = run, .inventory = &inventory, .collation = &collation, .files = &none, .encryption = "none"};
    bool there = false;
    return tf_backup_collation(store, run, &collation, &there, err) &&
           tf_inventory_read(store, run->id, &collation, &inventory, err) &&
           tf_client_now(store->client, &parts.now, err) && write_folder(engine, dir, &parts, sha256, err);
}

/* The manifest that stays: the one that is there, if it is this run's, or else a new one. */
static bool keep_manifest(const tf_engine *engine, const char *dir, const tf_run *run, const tf_purge *purge,
                          char sha256[65], tf_error *err)
{
    _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
    if (!purge->has_file)
        return write_kept(engine, dir, run, sha256, err);
    if (!tf_file_set_open(dir, run->id, &set, err))
        return false;
    snprintf(sha256, 65, "%s", set.manifest.sha256);
    return true;
}

static bool note(const tf_engine *engine, const char *name, bool files, const char *sha256, tf_purge *purge,
                 tf_error *err)
{
    tf_head head = {0};
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("documents", BCON_INT64(purge->documents), "collection", BCON_UTF8(purge->in_database ? name : ""),
                 "file", BCON_BOOL(files && purge->has_data), "manifest", BCON_UTF8(sha256), "forced",
                 BCON_BOOL(purge->needed[0] != '\0'));
    tf_event event = {.type = TF_EVENT_PURGED, .run = purge->run, .data = data};
    if (!tf_event_append(&engine->store, &event, &head, err))
        return false;
    purge->event = head.seq;
    return true;
}

static bool drop(const tf_engine *engine, const char *name, tf_error *err)
{
    tf_op op = tf_store_op(&engine->store, NULL, "drop the backup");
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("drop", BCON_UTF8(name));
    tf_error one = {0};
    if (tf_store_write_patiently(&op, command, &one) || one.server_code == TF_CODE_NAMESPACE_NOT_FOUND)
        return true;
    *err = one;
    return false;
}

/* All that the manifest names, the data first. */
static bool remove_files(const char *dir, const char *run, tf_error *err)
{
    char folder[256];
    _cleanup_(tf_file_set_close) tf_file_set set = {.root = -1};
    if (!tf_file_set_open(dir, run, &set, err) || !tf_dir_is_safe(set.root, set.path, err))
        return false;
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(set.data, "/"), set.data);
    _cleanup_(tf_dir_closep) int inner = tf_dir_open_in(set.root, folder, set.path, err);
    for (size_t i = 0; inner >= 0 && i < set.manifest.files_count; i++) {
        const char *name = strchr(set.manifest.files[i].name, '/') + 1;
        if (unlinkat(inner, name, 0) != 0 && errno != ENOENT)
            return tf_error_errno(err, errno, "cannot remove '%s' in '%s'", TF_WORD(name), TF_WORD(set.path));
    }
    if (inner < 0)
        return false;
    unlinkat(set.root, folder, AT_REMOVEDIR); /* unless somebody put something else there */
    return tf_dir_sync(set.root, set.path, err);
}

bool tf_purge_run(const tf_engine *engine, const char *dir, bool files, tf_purge *purge, tf_error *err)
{
    char sha256[65] = "";
    tf_run run = {0};
    tf_name name = tf_store_backup_name(&engine->store, purge->run);
    if (purge->in_database && !may_drop(engine, name.text, err))
        return false;
    TF_FAILPOINT("backup.before_kept");
    bool ok =
        tf_run_load(&engine->store, purge->run, &run, err) == 1 && keep_manifest(engine, dir, &run, purge, sha256, err);
    tf_run_done(&run);
    if (!ok || !note(engine, name.text, files, sha256, purge, err))
        return false;
    TF_FAILPOINT("backup.after_purged");
    if (purge->in_database && !drop(engine, name.text, err))
        return tf_error_hint(err, "The manifest is kept: the same command again removes the rest.");
    purge->dropped = purge->in_database;
    TF_FAILPOINT("backup.after_drop");
    if (files && purge->has_data && !remove_files(dir, purge->run, err))
        return tf_error_hint(err, "The same command again removes the rest.");
    purge->removed = files && purge->has_data;
    return true;
}
