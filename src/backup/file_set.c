#include "backup/file_set.h"

#include "base/dir.h"
#include "base/text.h"

#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <fcntl.h>
#include <unistd.h>

void tf_file_set_close(tf_file_set *set)
{
    if (set->path[0]) {
        tf_dir_closep(&set->root);
        tf_manifest_done(&set->manifest);
    }
    *set = (tf_file_set){.root = -1};
}

/* ---- with a manifest ---- */

/* What the manifest names lies within the folder: one level down, without "..". */
static bool is_inside(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash && slash != name && slash[1] && !strchr(slash + 1, '/') && strncmp(name, ".", 1) != 0 &&
           slash[1] != '.';
}

static bool names_are_sound(const tf_manifest *m, tf_error *err)
{
    for (size_t i = 0; i < m->files_count; i++)
        if (!is_inside(m->files[i].name))
            return tf_error_set(err, TF_ERR_DAMAGED, "the manifest names the file '%s'", TF_WORD(m->files[i].name));
    return true;
}

bool tf_file_set_open(const char *path, const char *run, tf_file_set *out, tf_error *err)
{
    tf_file_set set = {.root = -1};
    if ((size_t)snprintf(set.path, sizeof set.path, "%s%s%s", path, run ? "/" : "", run ? run : "") >= sizeof set.path)
        return tf_error_set(err, TF_ERR_USAGE, "the name of the folder is too long");
    set.root = tf_dir_open(set.path, false, err);
    int fd = set.root < 0 ? -1 : tf_dir_open_file(set.root, TF_MANIFEST, set.path, err);
    bool ok = fd >= 0 && tf_manifest_read(fd, &set.manifest, err) && names_are_sound(&set.manifest, err);
    if (!ok) {
        tf_error_hint(err, "Name the folder of an exported backup, the one that holds %s.", TF_MANIFEST);
        tf_file_set_close(&set);
        return false;
    }
    snprintf(set.run, sizeof set.run, "%s", set.manifest.run);
    if (set.manifest.files_count)
        snprintf(set.data, sizeof set.data, "%s", set.manifest.files[0].name);
    set.gzip = set.manifest.gzip;
    set.encrypted = strcmp(set.manifest.encryption, "none") != 0;
    *out = set;
    return true;
}

/* ---- of mongodump ---- */

#define PREFIX "backup_"

static bool ends(const char *name, const char *with)
{
    size_t a = strlen(name), b = strlen(with);
    return a > b && strcmp(name + a - b, with) == 0;
}

/* Whether a file is a dump of a backup collection; of which run. */
static bool is_dump(const char *name, char run[TF_RUN_ID_SIZE], bool *gzip)
{
    const char *at = strstr(name, PREFIX);
    *gzip = ends(name, ".bson.gz");
    if (!at || (at != name && strncmp(name, "tokenfix_" PREFIX, strlen("tokenfix_" PREFIX)) != 0) ||
        (!*gzip && !ends(name, ".bson")))
        return false;
    at += strlen(PREFIX);
    size_t length = strspn(at, "0123456789abcdefghijklmnopqrstuvwxyz-");
    if (length == 0 || length >= TF_RUN_ID_SIZE || at[length] != '.')
        return false;
    snprintf(run, TF_RUN_ID_SIZE, "%.*s", (int)length, at);
    return true;
}

/* Counts the dumps in a folder and those below it; the last found is put into *set. */
static int look_for_dumps(tf_file_set *set, int dir, const char *below, int depth, tf_error *err)
{
    int found = 0;
    char **names = tf_dir_names(dir, set->path, err), run[TF_RUN_ID_SIZE];
    bool gzip;
    if (!names)
        return -1;
    for (char **at = names; *at; at++) {
        struct stat about;
        if (fstatat(dir, *at, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(about.st_mode) && is_dump(*at, run, &gzip)) {
            found++;
            set->gzip = gzip;
            memcpy(set->run, run, sizeof set->run);
            snprintf(set->data, sizeof set->data, "%s%s", below, *at);
        } else if (S_ISDIR(about.st_mode) && depth > 0) {
            char name[TF_FILE_PATH];
            tf_error ignored = {0};
            _cleanup_(tf_dir_closep) int inner = tf_dir_open_in(dir, *at, set->path, &ignored);
            snprintf(name, sizeof name, "%s%s/", below, *at);
            int more = inner >= 0 ? look_for_dumps(set, inner, name, depth - 1, &ignored) : 0;
            found += more > 0 ? more : 0;
        }
    }
    tf_dir_names_free(names);
    return found;
}

static bool open_dump_file(const char *path, tf_file_set *set, tf_error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!is_dump(name, set->run, &set->gzip))
        return false;
    _cleanup_(tf_bson_freep) char *folder = !slash          ? bson_strdup(".")
                                            : slash == path ? bson_strdup("/")
                                                            : bson_strdup_printf("%.*s", (int)(slash - path), path);
    snprintf(set->data, sizeof set->data, "%s", name);
    set->root = tf_dir_open(folder, false, err);
    return set->root >= 0;
}

bool tf_file_set_open_dump(const char *path, tf_file_set *out, tf_error *err)
{
    tf_file_set set = {.root = -1, .dump = true};
    struct stat about;
    snprintf(set.path, sizeof set.path, "%s", path);
    bool file = lstat(path, &about) == 0 && !S_ISDIR(about.st_mode), ok = false;
    if (file)
        ok = open_dump_file(path, &set, err);
    else if ((set.root = tf_dir_open(path, false, err)) >= 0) {
        int found = look_for_dumps(&set, set.root, "", 2, err);
        ok = found == 1;
        if (found > 1)
            tf_error_set(err, TF_ERR_USAGE, "'%s' holds %d dumps of backups", TF_WORD(path), found);
    }
    if (ok) {
        *out = set;
        return true;
    }
    tf_file_set_close(&set);
    tf_error_set(err, TF_ERR_NOT_FOUND, "'%s' holds no backup", TF_WORD(path));
    return tf_error_hint(
        err, "Name a folder that 'tokenfix backup export' wrote, or a file backup_RUN.bson that mongodump wrote.");
}
