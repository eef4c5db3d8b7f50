/*
 * Whether a connection is protected on its way: encrypted wherever it leaves this machine, and with certificates that are
 * checked, unless somebody said otherwise in so many words.
 */
#ifndef TF_DB_TRANSPORT_H
#define TF_DB_TRANSPORT_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

#include "db/roster.h"

/* What was allowed. */
enum { TF_TRANSPORT_PLAINTEXT = 1, TF_TRANSPORT_INSECURE_TLS = 2 };

/* TF_ERR_USAGE: without TLS a host of the string is not this machine, or an option of the string has TLS check less than
 * everything. mongodb+srv implies TLS. */
bool tf_transport_check(const mongoc_uri_t *uri, unsigned allowed, tf_error *err);

/* The same for the members that a server of this machine named: they would be connected to as it was. To be called before
 * anybody logs in; waits for a server as long as the client does. (Members added later are not looked at.) */
bool tf_transport_check_members(mongoc_client_t *client, tf_roster *roster, const mongoc_uri_t *uri, unsigned allowed,
                                tf_error *err);

/* 127.0.0.0/8, ::1, localhost, or the path of a socket. */
bool tf_transport_is_local(const mongoc_host_list_t *host);

#endif
