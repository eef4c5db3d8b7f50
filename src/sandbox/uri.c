#include "sandbox/uri.h"

#include "sandbox/sandbox.h"
#include "sandbox/tls.h"

static const tf_sandbox_login *find_login(const tf_sandbox *sandbox, const char *name)
{
    for (unsigned i = 0; i < sandbox->logins; i++)
        if (!name || strcmp(sandbox->login[i].name, name) == 0)
            return &sandbox->login[i];
    return NULL;
}

bool tf_uri_encode(const char *text, const char *keep, char *out, size_t size)
{
    size_t used = 0;
    for (; *text; text++) {
        bool plain =
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *text) || strchr(keep, *text);
        if (used + 4 > size)
            return false;
        used += (size_t)snprintf(out + used, size - used, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
    out[used] = '\0';
    return true;
}

bool tf_sandbox_uri(const tf_sandbox *sandbox, const char *login, const char *database, char *out, size_t size)
{
    const tf_sandbox_login *user = find_login(sandbox, login);
    if (!user && (login || sandbox->auth))
        return false;
    char hosts[128], path[256] = "";
    if (!tf_uri_encode(database ? database : sandbox->database, "", path, sizeof path))
        return false;
    size_t used = 0;
    for (unsigned i = 0; i < sandbox->nodes; i++)
        used +=
            (size_t)snprintf(hosts + used, sizeof hosts - used, "%s127.0.0.1:%d", i ? "," : "", sandbox->node[i].port);
    char who[128] = "", tls[TF_SANDBOX_URI];
    if (user && !user->certificate)
        snprintf(who, sizeof who, "%s:%s@", user->name, user->password);
    if (!tf_tls_options(sandbox, tls, sizeof tls))
        return false;
    int written = snprintf(out, size, "mongodb://%s%s/%s?%s%s%s", who, hosts, path,
                           sandbox->standalone ? "directConnection=true" : "replicaSet=tokenfix",
                           !user               ? ""
                           : user->certificate ? "&authMechanism=MONGODB-X509&authSource=%24external"
                                               : "&authSource=admin",
                           tls);
    return written > 0 && (size_t)written < size;
}
