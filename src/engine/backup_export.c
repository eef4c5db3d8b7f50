/* A run's backup into files: see engine/backup.h. */
#include "engine/backup_common.h"

#include "backup/metadata.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "base/text.h"
#include "db/client.h"
#include "store/event.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

enum { TELL_EVERY = 4096 };

typedef struct exporting {
    const tf_engine *engine;
    const tf_export_wanted *wanted;
    tf_export *out;
    tf_run run;
    tf_inventory inventory;
    bson_t collation, files; /* files: array */
    uint32_t files_count;
    int dir, part, inner; /* DIR; the part in it; <db> in that */
    char part_name[128], base[512];
    tf_file_writer *writer;
    int64_t documents, bytes, now;
} exporting;

/* ---- the folder ---- */

static bool is_free(int dir, const char *run, const char *path, tf_error *err)
{
    struct stat about;
    if (fstatat(dir, run, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return true;
    tf_error_set(err, TF_ERR_USAGE, "'%s' is there already, in '%s'", TF_WORD(run), TF_WORD(path));
    return tf_error_hint(
        err,
        "What was exported is never written over: 'tokenfix backup verify %s' examines it; --out names another folder.",
        run);
}

bool tf_export_ready(const char *dir, const char *run, tf_error *err)
{
    _cleanup_(tf_dir_closep) int fd = tf_dir_open(dir, true, err);
    return fd >= 0 && tf_dir_is_safe(fd, dir, err) && (!run || is_free(fd, run, dir, err));
}

static bool make_folder(exporting *x, tf_error *err)
{
    const char *path = x->wanted->dir;
    x->dir = tf_dir_open(path, true, err);
    if (x->dir < 0 || !tf_dir_is_safe(x->dir, path, err) || !is_free(x->dir, x->run.id, path, err))
        return false;
    tf_dir_remove_stale(x->dir, x->run.id);
    x->part = tf_dir_make_part(x->dir, x->run.id, x->part_name, path, err);
    if (x->part < 0)
        return false;
    if (mkdirat(x->part, x->engine->store.repaired, 0700) != 0)
        return tf_error_errno(err, errno, "cannot create a folder in '%s'", TF_WORD(path));
    x->inner = tf_dir_open_in(x->part, x->engine->store.repaired, path, err);
    return x->inner >= 0;
}

/* ---- the data file ---- */

static void tell(exporting *x)
{
    const tf_observer *observer = &x->engine->observer;
    if (observer->progress)
        observer->progress(observer->arg, "export", x->documents, x->inventory.documents);
}

static bool add_document(void *arg, const bson_t *doc, tf_error *err)
{
    exporting *x = arg;
    x->bytes += doc->len;
    if (++x->documents % TELL_EVERY == 0) {
        tell(x);
        if (tf_stop_level() > 0) {
            tf_error_set(err, TF_ERR_INTERRUPTED, "the export was stopped");
            return tf_error_hint(err, "Nothing of it is left; begin it again.");
        }
    }
    return tf_file_writer_add(x->writer, bson_get_data(doc), doc->len, err);
}

static void list_file(exporting *x, const char *name, int64_t bytes, const char *sha256)
{
    char key[16];
    snprintf(key, sizeof key, "%u", x->files_count++);
    BCON_APPEND(&x->files, key, "{", "name", BCON_UTF8(name), "bytes", BCON_INT64(bytes), "sha256", BCON_UTF8(sha256),
                "}");
}

/* A file of <db>: opened, and its name as the manifest has it. */
static tf_file_writer *begin_file(exporting *x, const char *end, bool encrypt, bool gzip, char name[300], tf_error *err)
{
    char file[600], context[TF_RUN_ID_SIZE + 300];
    snprintf(file, sizeof file, "%s%s", x->base, end);
    snprintf(name, 300, "%s/%s", x->engine->store.repaired, file);
    snprintf(context, sizeof context, "%s/%s", x->run.id, name);
    int fd = tf_dir_create_file(x->inner, file, x->wanted->dir, err);
    tf_file_form form = {.gzip = gzip, .secret = encrypt ? x->wanted->secret : NULL, .context = context};
    return fd < 0 ? NULL : tf_file_writer_new(fd, name, &form, err);
}

static bool write_data(exporting *x, tf_error *err)
{
    const tf_export_wanted *wanted = x->wanted;
    char end[32], sha256[65];
    snprintf(end, sizeof end, ".bson%s%s", wanted->gzip ? ".gz" : "", wanted->secret ? ".enc" : "");
    x->writer = begin_file(x, end, true, wanted->gzip, x->out->data, err);
    tell(x);
    bool ok = x->writer && tf_inventory_walk(&x->engine->store, x->run.id, &x->inventory, add_document, x, err) &&
              tf_file_writer_finish(x->writer, sha256, &x->out->file_bytes, err);
    tf_file_writer_free(x->writer);
    x->writer = NULL;
    if (!ok)
        return false;
    tell(x);
    list_file(x, x->out->data, x->out->file_bytes, sha256);
    return true;
}

/* ---- metadata, manifest ---- */

static bool write_text(exporting *x, const char *end, bool gzip, const char *text, size_t length, tf_error *err)
{
    char name[300], sha256[65];
    int64_t bytes = 0;
    _cleanup_(tf_file_writer_freep) tf_file_writer *writer = begin_file(x, end, false, gzip, name, err);
    if (!writer || !tf_file_writer_add(writer, text, length, err) ||
        !tf_file_writer_finish(writer, sha256, &bytes, err))
        return false;
    list_file(x, name, bytes, sha256);
    return true;
}

/* `mongorestore --gzip` looks for a packed one only; the plain one is for everybody else. */
static bool write_metadata(exporting *x, tf_error *err)
{
    tf_op op = tf_store_op(&x->engine->store, NULL, "read the options and indexes of the collection");
    _cleanup_bson_ bson_t metadata = BSON_INITIALIZER;
    size_t length = 0;
    op.db = x->engine->store.repaired;
    if (!tf_metadata_read(&op, x->run.collection, &x->collation, &metadata, err))
        return false;
    _cleanup_(tf_bson_freep) char *json = bson_as_canonical_extended_json(&metadata, &length);
    if (!json)
        return tf_error_set(err, TF_ERR_INVALID, "the options of %s.%s have no form in JSON", op.db, x->run.collection);
    return write_text(x, ".metadata.json", false, json, length, err) &&
           (!x->wanted->gzip || write_text(x, ".metadata.json.gz", true, json, length, err));
}

static bool write_manifest(exporting *x, tf_error *err)
{
    tf_manifest_parts parts = {.run = &x->run,
                               .inventory = &x->inventory,
                               .collation = &x->collation,
                               .files = &x->files,
                               .bytes = x->bytes,
                               .now = x->now,
                               .gzip = x->wanted->gzip,
                               .encryption = x->wanted->encryption};
    int fd = tf_dir_create_file(x->part, TF_MANIFEST, x->wanted->dir, err);
    return fd >= 0 && tf_backup_write_manifest(x->engine, &parts, fd, x->out->sha256, err) &&
           tf_dir_sync(x->inner, x->wanted->dir, err) && tf_dir_sync(x->part, x->wanted->dir, err);
}

/* ---- the whole ---- */

static bool note(exporting *x, tf_error *err)
{
    tf_head head = {0};
    _cleanup_free_ char *dir = realpath(x->wanted->dir, NULL); /* it is there; `host` says where */
    _cleanup_(tf_bson_freep) char *folder = bson_strdup_printf("%s/%s", dir ? dir : x->wanted->dir, x->run.id);
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW(
        "folder", BCON_UTF8(folder), "data", BCON_UTF8(x->out->data), "documents", BCON_INT64(x->documents), "bytes",
        BCON_INT64(x->bytes), "encryption", BCON_UTF8(x->wanted->encryption), "manifest", BCON_UTF8(x->out->sha256));
    tf_event event = {.type = TF_EVENT_EXPORTED, .run = x->run.id, .data = data};
    if (!tf_event_append(&x->engine->store, &event, &head, err))
        return false;
    x->out->event = head.seq;
    return true;
}

static bool prepare(exporting *x, tf_error *err)
{
    const tf_store *store = &x->engine->store;
    bool there = false;
    if (!tf_backup_find_run(x->engine, &x->run, err) || !tf_backup_is_idle(&x->run, "exported", err) ||
        !tf_import_is_over(store, &x->run, err) || !tf_backup_collation(store, &x->run, &x->collation, &there, err) ||
        !tf_inventory_read(store, x->run.id, &x->collation, &x->inventory, err) ||
        !tf_client_now(store->client, &x->now, err))
        return false;
    snprintf(x->out->run, sizeof x->out->run, "%s", x->run.id);
    snprintf(x->out->folder, sizeof x->out->folder, "%s/%s", x->wanted->dir, x->run.id);
    tf_metadata_file_name(x->run.collection, x->base, sizeof x->base);
    if (there || x->inventory.documents == 0)
        return true;
    tf_error_set(err, TF_ERR_NO_BACKUP, "the backup of run %s is not in %s any more", x->run.id, store->db);
    return tf_error_hint(err, "'tokenfix backup list' shows where it is; docs/runbook.md, 'A lost backup'.");
}

static bool export(exporting *x, tf_error *err)
{
    TF_FAILPOINT("backup.before_export");
    if (!prepare(x, err) || !make_folder(x, err) || !write_data(x, err))
        return false;
    TF_FAILPOINT("backup.after_data");
    if (!write_metadata(x, err) || !write_manifest(x, err))
        return false;
    TF_FAILPOINT("backup.after_manifest");
    if (!note(x, err))
        return false;
    TF_FAILPOINT("backup.after_exported");
    if (!tf_dir_give_name(x->dir, x->part_name, x->run.id, x->wanted->dir, err))
        return false;
    x->part_name[0] = '\0';
    TF_FAILPOINT("backup.after_name");
    x->out->documents = x->documents;
    x->out->bytes = x->bytes;
    return true;
}

/* The journal saves a batch before it records it. */
static void hint_unrecorded(const exporting *x, tf_error *err)
{
    if (err->code != TF_ERR_DAMAGED || x->run.state != TF_STATE_INTERRUPTED || strcmp(x->run.strategy, "journal") != 0)
        return;
    err->hint[0] = '\0';
    tf_error_hint(err, "The run was interrupted in the middle of a batch that is saved and not recorded: resume it, or "
                       "take it back, and export then.");
}

bool tf_backup_export(const tf_engine *engine, const tf_export_wanted *wanted, tf_export *out, tf_error *err)
{
    exporting x = {.engine = engine, .wanted = wanted, .out = out, .dir = -1, .part = -1, .inner = -1};
    int64_t begin = tf_clock_ms();
    *out = (tf_export){0};
    bson_init(&x.collation);
    bson_init(&x.files);
    bool ok = export(&x, err);
    hint_unrecorded(&x, err);
    tf_dir_closep(&x.inner);
    if (x.dir >= 0 && x.part_name[0])
        tf_dir_remove(x.dir, x.part_name);
    tf_dir_closep(&x.part);
    tf_dir_closep(&x.dir);
    tf_run_done(&x.run);
    tf_inventory_done(&x.inventory);
    bson_destroy(&x.collation);
    bson_destroy(&x.files);
    out->elapsed_ms = tf_clock_ms() - begin;
    return ok;
}
