#include "sandbox/sandbox.h"

#include "base/hash.h"
#include "sandbox/mongod.h"
#include "sandbox/nodes.h"
#include "sandbox/place.h"
#include "sandbox/replica.h"
#include "sandbox/state.h"
#include "sandbox/tls.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void unlockp(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Binds to port 0 for every node before closing any, so that the ports differ. */
static bool choose_ports(tf_sandbox *sandbox, tf_error *err)
{
    int sockets[TF_SANDBOX_NODES];
    unsigned opened = 0;
    bool ok = true;
    while (ok && opened < sandbox->nodes) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &length) == 0;
        if (!ok)
            tf_error_errno(err, errno, "cannot find a free port");
        if (fd >= 0) {
            sandbox->node[opened].port = ntohs(address.sin_port);
            sockets[opened++] = fd;
        }
    }
    while (opened > 0)
        close(sockets[--opened]);
    return ok;
}

static bool secret(char *out, size_t bytes, tf_error *err)
{
    uint8_t random[64];
    if (getrandom(random, bytes, 0) != (ssize_t)bytes)
        return tf_error_errno(err, errno, "cannot get random bytes");
    tf_hex(random, bytes, out);
    return true;
}

static bool make_logins(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    if (!sandbox->auth)
        return true;
    if (options->users_count >= TF_SANDBOX_LOGINS)
        return tf_error_set(err, TF_ERR_INTERNAL, "more than %d users for a sandbox", TF_SANDBOX_LOGINS - 1);
    for (size_t i = 0; i <= options->users_count; i++) {
        tf_sandbox_login *login = &sandbox->login[sandbox->logins++];
        snprintf(login->name, sizeof login->name, "%s", i == 0 ? "admin" : options->users[i - 1].name);
        login->certificate = i > 0 && options->users[i - 1].certificate;
        if (!login->certificate && !secret(login->password, 16, err))
            return false;
    }
    char path[PATH_MAX], key[129];
    return secret(key, 64, err) && tf_place_join(sandbox->folder, "keyfile", path, sizeof path, err) &&
           tf_place_write(path, key, strlen(key), err);
}

static bool take_parameters(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    sandbox->parameters = 0;
    for (const char *const *at = options->parameters; at && *at; at++) {
        const char *equals = strchr(*at, '=');
        if (!equals || equals == *at) {
            tf_error_set(err, TF_ERR_USAGE, "'%.100s' is not of the form name=value", *at);
            return tf_error_hint(err, "Write it like --set-parameter transactionLifetimeLimitSeconds=30.");
        }
        if (sandbox->parameters == TF_SANDBOX_PARAMETERS || strlen(*at) >= sizeof sandbox->parameter[0])
            return tf_error_set(err, TF_ERR_USAGE, "too many or too long server parameters");
        snprintf(sandbox->parameter[sandbox->parameters++], sizeof sandbox->parameter[0], "%s", *at);
    }
    return true;
}

static bool contradicts(const tf_sandbox_options *options, const tf_sandbox *sandbox)
{
    return (options->nodes && options->nodes != sandbox->nodes) || (options->standalone && !sandbox->standalone) ||
           (options->auth && !sandbox->auth) || (options->tls && !sandbox->tls) ||
           (options->database && strcmp(options->database, sandbox->database) != 0);
}

/* A running server keeps the parameters it was started with. */
static bool lacks_parameters(const tf_sandbox_options *options, const tf_sandbox *sandbox)
{
    for (const char *const *at = options->parameters; at && *at; at++) {
        unsigned i = 0;
        while (i < sandbox->parameters && strcmp(sandbox->parameter[i], *at) != 0)
            i++;
        if (i == sandbox->parameters)
            return true;
    }
    return options->cache_mb && options->cache_mb != sandbox->cache_mb;
}

static bool check_options(const tf_sandbox_options *options, tf_error *err)
{
    for (size_t i = 0; i < options->users_count; i++)
        if (options->users[i].certificate && !options->tls)
            return tf_error_set(err, TF_ERR_INTERNAL, "a user with a certificate, and no TLS");
    if (options->nodes != 0 && options->nodes != 1 && options->nodes != TF_SANDBOX_NODES)
        return tf_error_set(err, TF_ERR_USAGE, "a sandbox has 1 or 3 nodes, not %u", options->nodes);
    if (options->standalone && options->nodes > 1)
        return tf_error_set(err, TF_ERR_USAGE, "a standalone server has one node");
    if (options->cache_mb && options->cache_mb < 256)
        return tf_error_set(err, TF_ERR_USAGE, "mongod needs a cache of at least 256 MB");
    if (options->database && (strlen(options->database) > 63 || !options->database[0]))
        return tf_error_set(err, TF_ERR_USAGE, "a database's name has 1 to 63 bytes");
    return true;
}

static bool design(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    sandbox->nodes = options->nodes ? options->nodes : 1;
    sandbox->standalone = options->standalone;
    sandbox->auth = options->auth;
    sandbox->tls = options->tls;
    snprintf(sandbox->database, sizeof sandbox->database, "%s", options->database ? options->database : "wallet");
    sandbox->cache_mb = options->cache_mb ? options->cache_mb : sandbox->nodes == 1 ? 1024 : 256;
    return choose_ports(sandbox, err) && make_logins(options, sandbox, err) &&
           (!sandbox->tls || tf_tls_make(sandbox, err));
}

static bool wipe(tf_sandbox *sandbox, tf_error *err)
{
    tf_sandbox_stopped ignored = {0};
    if (!tf_nodes_end(sandbox, &ignored, err))
        return false;
    for (unsigned i = 0; i < TF_SANDBOX_NODES; i++) {
        char path[PATH_MAX];
        if ((size_t)snprintf(path, sizeof path, "%s/node%u", sandbox->folder, i) >= sizeof path)
            return tf_error_set(err, TF_ERR_SYSTEM, "the path %s is too long", sandbox->folder);
        if (!tf_place_remove(path, err))
            return false;
    }
    return tf_state_place(sandbox->name, sandbox, err);
}

/* Everything between "there is a folder" and "it takes writes". */
static bool bring_up(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    if (!tf_nodes_launch(sandbox, err))
        return false;
    if (!sandbox->ready && !sandbox->standalone && !tf_replica_initiate(sandbox, err))
        return false;
    if (!tf_replica_elect(sandbox, err))
        return false;
    if (!sandbox->ready && sandbox->auth && !tf_replica_users(sandbox, options->users, options->users_count, err))
        return false;
    sandbox->ready = true;
    return tf_state_save(sandbox, err);
}

static bool prepare(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    if (tf_state_exists(sandbox)) {
        if (!tf_state_load(sandbox, err))
            return false;
        if (sandbox->ready && contradicts(options, sandbox)) {
            tf_error_set(err, TF_ERR_USAGE, "sandbox '%s' exists and is of another form", sandbox->name);
            return tf_error_hint(err,
                                 "Remove it first with 'tokenfix sandbox stop --remove --name %s', or choose "
                                 "another name.",
                                 sandbox->name);
        }
        if (!sandbox->ready && !wipe(sandbox, err))
            return false;
    }
    if (tf_sandbox_running(sandbox)) {
        if (!lacks_parameters(options, sandbox))
            return true;
        tf_error_set(err, TF_ERR_USAGE, "sandbox '%s' runs with other parameters or another cache", sandbox->name);
        return tf_error_hint(err, "Stop it first with 'tokenfix sandbox stop --name %s'.", sandbox->name);
    }
    if (!sandbox->ready && !design(options, sandbox, err))
        return false;
    if (options->parameters && !take_parameters(options, sandbox, err))
        return false;
    if (options->cache_mb)
        sandbox->cache_mb = options->cache_mb;
    return true;
}

bool tf_sandbox_start(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err)
{
    _cleanup_free_ tf_sandbox *work = bson_malloc0(sizeof *work);
    if (!work)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!check_options(options, err) || !tf_state_place(options->name, work, err))
        return false;
    _cleanup_(unlockp) int lock = tf_state_lock(work, err);
    if (lock < 0 || !prepare(options, work, err))
        return false;
    if (!tf_sandbox_running(work)) {
        if (!tf_mongod_find(options->mongod, options->say, work->mongod, sizeof work->mongod, err))
            return false;
        if (!bring_up(options, work, err)) {
            tf_sandbox_stopped ignored = {0};
            if (tf_nodes_end(work, &ignored, NULL))
                tf_state_save(work, NULL);
            return false;
        }
    }
    *sandbox = *work;
    return true;
}

bool tf_sandbox_stop(const char *name, bool remove, tf_sandbox_stopped *stopped, tf_error *err)
{
    _cleanup_free_ tf_sandbox *work = bson_malloc0(sizeof *work);
    if (!work)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!tf_sandbox_status(name, work, err))
        return false;
    _cleanup_(unlockp) int lock = tf_state_lock(work, err);
    tf_sandbox_stopped found = {0};
    if (lock < 0 || !tf_state_load(work, err) || !tf_nodes_end(work, &found, err) || !tf_state_save(work, err))
        return false;
    if (remove && !tf_place_remove(work->folder, err))
        return false;
    *stopped = found;
    return true;
}

bool tf_sandbox_status(const char *name, tf_sandbox *sandbox, tf_error *err)
{
    _cleanup_free_ tf_sandbox *work = bson_malloc0(sizeof *work);
    if (!work)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!tf_state_place(name, work, err) || !tf_state_load(work, err))
        return false;
    *sandbox = *work;
    return true;
}

bool tf_sandbox_reset(const char *name, tf_error *err)
{
    _cleanup_free_ tf_sandbox *work = bson_malloc0(sizeof *work);
    if (!work)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!tf_sandbox_status(name, work, err))
        return false;
    _cleanup_(unlockp) int lock = tf_state_lock(work, err);
    if (lock < 0 || !tf_state_load(work, err))
        return false;
    if (!tf_sandbox_running(work) || !work->ready) {
        tf_error_set(err, TF_ERR_CONNECT, "sandbox '%s' is not running", work->name);
        return tf_error_hint(err, "Start it with 'tokenfix sandbox start --name %s'.", work->name);
    }
    return tf_replica_empty(work, err);
}

bool tf_sandbox_list(tf_sandbox **sandboxes, size_t *count, tf_error *err)
{
    char home[PATH_MAX];
    if (!tf_place_state(NULL, home, sizeof home, err))
        return false;
    struct dirent **names = NULL;
    int found = scandir(home, &names, NULL, alphasort);
    if (found < 0 && errno != ENOENT)
        return tf_error_errno(err, errno, "cannot read the folder %s", home);
    size_t kept = 0;
    tf_sandbox *list = bson_malloc0((found > 0 ? (size_t)found : 1) * sizeof *list);
    for (int i = 0; i < found; i++) {
        if (list && tf_sandbox_status(names[i]->d_name, &list[kept], NULL))
            kept++;
        free(names[i]);
    }
    free(names);
    if (!list)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    *sandboxes = list;
    *count = kept;
    return true;
}

bool tf_sandbox_running(const tf_sandbox *sandbox)
{
    for (unsigned i = 0; i < sandbox->nodes; i++)
        if (!sandbox->node[i].running)
            return false;
    return sandbox->nodes > 0;
}
