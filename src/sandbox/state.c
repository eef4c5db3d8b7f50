#include "sandbox/state.h"

#include "sandbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "sandbox.json"

bool tf_state_place(const char *name, tf_sandbox *sandbox, tf_error *err)
{
    tf_sandbox fresh = {0};
    const char *chosen = name ? name : "default";
    size_t length = strlen(chosen);
    if (length == 0 || length >= sizeof fresh.name || chosen[0] == '.' || chosen[0] == '-' ||
        strspn(chosen, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != length) {
        tf_error_set(err, TF_ERR_USAGE, "'%.80s' cannot be the name of a sandbox", chosen);
        return tf_error_hint(err, "Use up to 63 letters, digits, dashes, dots and underscores.");
    }
    memcpy(fresh.name, chosen, length + 1);
    if (!tf_place_state(fresh.name, fresh.folder, sizeof fresh.folder, err))
        return false;
    *sandbox = fresh;
    return true;
}

static bool file_path(const tf_sandbox *sandbox, char *out, size_t size, tf_error *err)
{
    return tf_place_join(sandbox->folder, FILE_NAME, out, size, err);
}

bool tf_state_exists(const tf_sandbox *sandbox)
{
    char path[PATH_MAX];
    return file_path(sandbox, path, sizeof path, NULL) && access(path, F_OK) == 0;
}

int tf_state_lock(const tf_sandbox *sandbox, tf_error *err)
{
    char path[PATH_MAX];
    for (;;) {
        if (!tf_place_make(sandbox->folder, err) || !tf_place_join(sandbox->folder, "lock", path, sizeof path, err))
            return -1;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) != 0) {
            int failed = errno;
            if (fd >= 0)
                close(fd);
            if (failed == ENOENT || failed == EINTR)
                continue;
            tf_error_errno(err, failed, "cannot lock %s", path);
            return -1;
        }
        struct stat held, now;
        if (fstat(fd, &held) == 0 && stat(path, &now) == 0 && held.st_ino == now.st_ino)
            return fd;
        close(fd); /* removed with its sandbox while we waited */
    }
}

static void append_nodes(const tf_sandbox *sandbox, bson_t *doc)
{
    bson_t array, node;
    BSON_APPEND_ARRAY_BEGIN(doc, "nodes", &array);
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        BSON_APPEND_DOCUMENT_BEGIN(&array, key, &node);
        BSON_APPEND_INT32(&node, "port", sandbox->node[i].port);
        BSON_APPEND_INT32(&node, "pid", sandbox->node[i].process.pid);
        BSON_APPEND_INT64(&node, "started", (int64_t)sandbox->node[i].process.started);
        BSON_APPEND_UTF8(&node, "boot", sandbox->node[i].process.boot);
        bson_append_document_end(&array, &node);
    }
    bson_append_array_end(doc, &array);
}

static void append_lists(const tf_sandbox *sandbox, bson_t *doc)
{
    bson_t list;
    BSON_APPEND_DOCUMENT_BEGIN(doc, "logins", &list);
    for (unsigned i = 0; i < sandbox->logins; i++)
        BSON_APPEND_UTF8(&list, sandbox->login[i].name, sandbox->login[i].password);
    bson_append_document_end(doc, &list);
    BSON_APPEND_ARRAY_BEGIN(doc, "parameters", &list);
    for (unsigned i = 0; i < sandbox->parameters; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        BSON_APPEND_UTF8(&list, key, sandbox->parameter[i]);
    }
    bson_append_array_end(doc, &list);
}

bool tf_state_save(const tf_sandbox *sandbox, tf_error *err)
{
    char path[PATH_MAX];
    if (!file_path(sandbox, path, sizeof path, err))
        return false;
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&doc, "mongod", sandbox->mongod);
    BSON_APPEND_UTF8(&doc, "database", sandbox->database);
    BSON_APPEND_BOOL(&doc, "standalone", sandbox->standalone);
    BSON_APPEND_BOOL(&doc, "auth", sandbox->auth);
    BSON_APPEND_BOOL(&doc, "tls", sandbox->tls);
    BSON_APPEND_BOOL(&doc, "ready", sandbox->ready);
    BSON_APPEND_INT32(&doc, "cacheMb", (int32_t)sandbox->cache_mb);
    append_nodes(sandbox, &doc);
    append_lists(sandbox, &doc);
    size_t length = 0;
    _cleanup_(tf_bson_freep) char *json = bson_as_canonical_extended_json(&doc, &length);
    if (!json)
        return tf_error_set(err, TF_ERR_INTERNAL, "the state of sandbox '%s' has no JSON form", sandbox->name);
    return tf_place_write(path, json, length, err);
}

static bool get_text(const bson_t *doc, const char *field, char *out, size_t size)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, doc, field) || !BSON_ITER_HOLDS_UTF8(&at))
        return false;
    return (size_t)snprintf(out, size, "%s", bson_iter_utf8(&at, NULL)) < size;
}

static bool get_bool(const bson_t *doc, const char *field, bool *out)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, doc, field) || !BSON_ITER_HOLDS_BOOL(&at))
        return false;
    *out = bson_iter_bool(&at);
    return true;
}

static bool get_integer(const bson_t *doc, const char *field, int64_t *out)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, doc, field) || !BSON_ITER_HOLDS_INT(&at))
        return false;
    *out = bson_iter_as_int64(&at);
    return true;
}

static bool read_node(bson_iter_t *at, tf_sandbox_node *node)
{
    const uint8_t *data;
    uint32_t length;
    bson_t doc;
    int64_t port, pid, started;
    if (!BSON_ITER_HOLDS_DOCUMENT(at))
        return false;
    bson_iter_document(at, &length, &data);
    if (!bson_init_static(&doc, data, length) || !get_integer(&doc, "port", &port) || !get_integer(&doc, "pid", &pid) ||
        !get_integer(&doc, "started", &started) ||
        !get_text(&doc, "boot", node->process.boot, sizeof node->process.boot) || port < 1 || port > 65535)
        return false;
    node->port = (int)port;
    node->process.pid = (pid_t)pid;
    node->process.started = (uint64_t)started;
    node->process.gate = node->process.report = -1;
    node->running = tf_process_alive(&node->process);
    return true;
}

static bool read_lists(const bson_t *doc, tf_sandbox *into)
{
    bson_iter_t at, item;
    if (!bson_iter_init_find(&at, doc, "nodes") || !bson_iter_recurse(&at, &item))
        return false;
    while (bson_iter_next(&item))
        if (into->nodes == TF_SANDBOX_NODES || !read_node(&item, &into->node[into->nodes++]))
            return false;
    if (!bson_iter_init_find(&at, doc, "logins") || !bson_iter_recurse(&at, &item))
        return false;
    while (bson_iter_next(&item)) {
        if (into->logins == TF_SANDBOX_LOGINS || !BSON_ITER_HOLDS_UTF8(&item))
            return false;
        tf_sandbox_login *login = &into->login[into->logins++];
        snprintf(login->name, sizeof login->name, "%s", bson_iter_key(&item));
        snprintf(login->password, sizeof login->password, "%s", bson_iter_utf8(&item, NULL));
        login->certificate = !login->password[0];
    }
    if (!bson_iter_init_find(&at, doc, "parameters") || !bson_iter_recurse(&at, &item))
        return false;
    while (bson_iter_next(&item)) {
        if (into->parameters == TF_SANDBOX_PARAMETERS || !BSON_ITER_HOLDS_UTF8(&item))
            return false;
        char *parameter = into->parameter[into->parameters++];
        snprintf(parameter, sizeof into->parameter[0], "%s", bson_iter_utf8(&item, NULL));
    }
    return into->nodes > 0;
}

static bool read_state(const bson_t *doc, tf_sandbox *into)
{
    int64_t cache;
    if (!get_text(doc, "mongod", into->mongod, sizeof into->mongod) ||
        !get_text(doc, "database", into->database, sizeof into->database) ||
        !get_bool(doc, "standalone", &into->standalone) || !get_bool(doc, "auth", &into->auth) ||
        !get_bool(doc, "ready", &into->ready) || !get_integer(doc, "cacheMb", &cache))
        return false;
    into->cache_mb = (unsigned)cache;
    get_bool(doc, "tls", &into->tls); /* sandboxes made before there was TLS say nothing of it */
    return read_lists(doc, into);
}

bool tf_state_load(tf_sandbox *sandbox, tf_error *err)
{
    char path[PATH_MAX];
    if (!file_path(sandbox, path, sizeof path, err))
        return false;
    if (access(path, F_OK) != 0) {
        tf_error_set(err, TF_ERR_NOT_FOUND, "there is no sandbox '%s'", sandbox->name);
        return tf_error_hint(err, "'tokenfix sandbox status' lists them, 'tokenfix sandbox start' makes one.");
    }
    size_t size = 0;
    _cleanup_free_ char *text = tf_place_read(path, &size, err);
    if (!text)
        return false;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)text, (ssize_t)size, NULL);
    _cleanup_free_ tf_sandbox *read = bson_malloc0(sizeof *read);
    if (!read)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    memcpy(read->name, sandbox->name, sizeof read->name);
    memcpy(read->folder, sandbox->folder, sizeof read->folder);
    if (!doc || !read_state(doc, read)) {
        tf_error_set(err, TF_ERR_DAMAGED, "the state file %s is not of its form", path);
        return tf_error_hint(err, "End its mongod by hand if one runs, and remove the folder.");
    }
    *sandbox = *read;
    return true;
}
