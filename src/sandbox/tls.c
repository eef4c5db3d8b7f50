#include "sandbox/tls.h"

#include "sandbox/certificate.h"
#include "sandbox/place.h"
#include "sandbox/uri.h"

static const char *const hosts[] = {"127.0.0.1", "localhost", "::1", NULL};

enum { DAY_S = 24 * 3600 };

static const tf_certificate server = {
    .name = "server", .unit = "server", .hosts = hosts, .from_s = -DAY_S, .until_s = 3650LL * DAY_S};
static const tf_certificate client = {.name = "client", .unit = "client", .from_s = -DAY_S, .until_s = 3650LL * DAY_S};

static bool issue(const tf_authority *authority, const tf_certificate *wish, const char *folder, const char *name,
                  tf_error *err)
{
    char path[PATH_MAX];
    return tf_place_join(folder, name, path, sizeof path, err) && tf_authority_issue(authority, wish, path, err);
}

bool tf_tls_make(const tf_sandbox *sandbox, tf_error *err)
{
    char path[PATH_MAX];
    _cleanup_(tf_authority_freep) tf_authority *authority = tf_authority_new(sandbox->name, err);
    return authority && tf_place_join(sandbox->folder, TF_TLS_CA, path, sizeof path, err) &&
           tf_authority_write(authority, path, err) && issue(authority, &server, sandbox->folder, TF_TLS_SERVER, err) &&
           issue(authority, &client, sandbox->folder, TF_TLS_CLIENT, err);
}

void tf_tls_subject(char *out, size_t size)
{
    tf_certificate_subject(&client, out, size);
}

bool tf_tls_options(const tf_sandbox *sandbox, char *out, size_t size)
{
    char folder[TF_SANDBOX_URI];
    out[0] = '\0';
    if (!sandbox->tls)
        return true;
    if (!tf_uri_encode(sandbox->folder, "/", folder, sizeof folder))
        return false;
    return (size_t)snprintf(out, size, "&tls=true&tlsCAFile=%s/" TF_TLS_CA "&tlsCertificateKeyFile=%s/" TF_TLS_CLIENT,
                            folder, folder) < size;
}
