#include "db/transport.h"

#include "base/text.h"
#include "db/failure.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <tokenfix/cleanup.h>

bool tf_transport_is_local(const mongoc_host_list_t *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (host->family == AF_UNIX)
        return true;
    if (inet_pton(AF_INET, host->host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host->host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return tf_text_same(host->host, "localhost");
}

static bool check_options(const mongoc_uri_t *uri, unsigned allowed, tf_error *err)
{
    static const char *const lax[] = {MONGOC_URI_TLSINSECURE, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES,
                                      MONGOC_URI_TLSALLOWINVALIDHOSTNAMES};
    for (size_t i = 0; i < sizeof lax / sizeof *lax; i++) {
        if (!mongoc_uri_get_option_as_bool(uri, lax[i], false) || allowed & TF_TRANSPORT_INSECURE_TLS)
            continue;
        tf_error_set(err, TF_ERR_USAGE, "with '%s' anybody could pose as the server", lax[i]);
        return tf_error_hint(err,
                             "Name the authority that issued the server's certificate with --tlsCAFile; or accept the "
                             "risk with --allow-insecure-tls.");
    }
    return true;
}

static bool refuse(const char *what, const char *name, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "%s '%s' would not be encrypted", what, TF_WORD(name));
    return tf_error_hint(err,
                         "Use TLS: --tls, with --tlsCAFile where the authority is one of your own. On a network that "
                         "you trust entirely, --allow-plaintext.");
}

bool tf_transport_check(const mongoc_uri_t *uri, unsigned allowed, tf_error *err)
{
    const mongoc_host_list_t *hosts = mongoc_uri_get_hosts(uri);
    if (!check_options(uri, allowed, err))
        return false;
    if (mongoc_uri_get_tls(uri) || allowed & TF_TRANSPORT_PLAINTEXT)
        return true;
    if (!hosts)
        return refuse("the connection to the servers of", "mongodb+srv", err);
    for (; hosts; hosts = hosts->next)
        if (!tf_transport_is_local(hosts))
            return refuse("the connection to", hosts->host_and_port, err);
    return true;
}

bool tf_transport_check_members(mongoc_client_t *client, tf_roster *roster, const mongoc_uri_t *uri, unsigned allowed,
                                tf_error *err)
{
    if (mongoc_uri_get_tls(uri) || allowed & TF_TRANSPORT_PLAINTEXT)
        return true;
    bson_error_t error;
    mongoc_host_list_t hosts[TF_ROSTER_MAX];
    _cleanup_(mongoc_read_prefs_destroyp) mongoc_read_prefs_t *any = mongoc_read_prefs_new(MONGOC_READ_NEAREST);
    mongoc_server_description_t *server = mongoc_client_select_server(client, false, any, &error);
    if (!server)
        return tf_failure(err, &error, NULL, "find the server", NULL, NULL);
    mongoc_server_description_destroy(server);
    size_t count = tf_roster_read(roster, hosts, TF_ROSTER_MAX);
    for (size_t i = 0; i < count; i++)
        if (!tf_transport_is_local(&hosts[i]))
            return refuse("the connection to the member", hosts[i].host_and_port, err);
    return true;
}
