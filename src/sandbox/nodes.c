#include "sandbox/nodes.h"

#include "sandbox/place.h"
#include "sandbox/replica.h"
#include "sandbox/state.h"
#include "sandbox/tls.h"

#include <unistd.h>

enum { END_PATIENCE_MS = 30000, ARGUMENTS = 64 };

static bool spawn_node(tf_sandbox *sandbox, unsigned index, tf_error *err)
{
    char data[PATH_MAX], log[PATH_MAX], key[PATH_MAX], server[PATH_MAX], ca[PATH_MAX], port[16], cache[16];
    const char *folder = sandbox->folder;
    if ((size_t)snprintf(data, sizeof data, "%s/node%u", folder, index) >= sizeof data ||
        (size_t)snprintf(log, sizeof log, "%s/node%u.log", folder, index) >= sizeof log ||
        !tf_place_join(folder, "keyfile", key, sizeof key, err) ||
        !tf_place_join(folder, TF_TLS_SERVER, server, sizeof server, err) ||
        !tf_place_join(folder, TF_TLS_CA, ca, sizeof ca, err) || !tf_place_make(data, err))
        return tf_error_set(err, TF_ERR_SYSTEM, "the path %s is too long", folder);
    snprintf(port, sizeof port, "%d", sandbox->node[index].port);
    snprintf(cache, sizeof cache, "%u.%03u", sandbox->cache_mb / 1024, sandbox->cache_mb % 1024 * 1000 / 1024);
    const char *argv[ARGUMENTS] = {sandbox->mongod,
                                   "--dbpath",
                                   data,
                                   "--port",
                                   port,
                                   "--bind_ip",
                                   "127.0.0.1",
                                   "--nounixsocket",
                                   "--wiredTigerCacheSizeGB",
                                   cache,
                                   "--setParameter",
                                   "enableTestCommands=1",
                                   "--setParameter",
                                   "diagnosticDataCollectionEnabled=false",
                                   "--setParameter",
                                   "shutdownTimeoutMillisForSignaledShutdown=100"};
    size_t n = 16;
    if (!sandbox->standalone) {
        argv[n++] = "--replSet";
        argv[n++] = "tokenfix";
        argv[n++] = "--oplogSize";
        argv[n++] = "1024";
    }
    if (sandbox->auth) {
        argv[n++] = "--auth";
        if (!sandbox->standalone) {
            argv[n++] = "--keyFile";
            argv[n++] = key;
        }
    }
    if (sandbox->tls) {
        const char *const tls[] = {"--tlsMode", "requireTLS", "--tlsCertificateKeyFile", server, "--tlsCAFile", ca};
        memcpy(&argv[n], tls, sizeof tls);
        n += sizeof tls / sizeof *tls;
    }
    for (unsigned i = 0; i < sandbox->parameters; i++) {
        argv[n++] = "--setParameter";
        argv[n++] = sandbox->parameter[i];
    }
    return tf_process_spawn(log, folder, (char *const *)(uintptr_t)argv, &sandbox->node[index].process, err);
}

/* The state is on disk before the process may run: whoever dies here leaves a waiter that ends by itself, or a record. */
bool tf_nodes_launch(tf_sandbox *sandbox, tf_error *err)
{
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        if (sandbox->node[i].running)
            continue;
        tf_process *process = &sandbox->node[i].process;
        if (!spawn_node(sandbox, i, err))
            return false;
        if (!tf_state_save(sandbox, err)) {
            close(process->gate);
            close(process->report);
            return false;
        }
        if (!tf_process_release(process, err))
            return false;
        sandbox->node[i].running = true;
    }
    return tf_replica_await(sandbox, err);
}

bool tf_nodes_end(tf_sandbox *sandbox, tf_sandbox_stopped *stopped, tf_error *err)
{
    bool ok = true;
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        tf_sandbox_node *node = &sandbox->node[i];
        if (node->process.pid <= 0)
            continue;
        if (!tf_process_alive(&node->process)) {
            stopped->stale++;
        } else if (tf_process_end(&node->process, END_PATIENCE_MS, err)) {
            stopped->ended++;
        } else {
            ok = false;
            continue;
        }
        node->process = (tf_process){.gate = -1, .report = -1};
        node->running = false;
    }
    return ok;
}
