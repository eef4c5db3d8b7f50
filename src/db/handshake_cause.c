/* The outcome of a handshake in words. */
#include "db/handshake.h"

#include "base/clock.h"
#include "base/text.h"

#include <openssl/x509_vfy.h>
#include <tokenfix/cleanup.h>

enum {
    PATIENCE_MS = 3000, /* for all hosts together: the driver has waited already */
    REACH_MS = 500,     /* of it for those that take no connection */
    LEAST_MS = 20       /* for each, also where another took all of that: enough for one that is near */
};

typedef struct cause {
    char message[512], hint[512];
} cause;

#define SAY(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)

static bool is_unknown_authority(long code)
{
    return code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT || code == X509_V_ERR_CERT_SIGNATURE_FAILURE;
}

static void tell_distrust(const tf_handshake *h, cause *out)
{
    char whose[400];
    if (h->authority)
        SAY(whose, "the certificate of '%s', an authority of %s,", h->subject, h->host);
    else
        SAY(whose, "the certificate of %s", h->host);
    if (h->code == X509_V_ERR_CERT_HAS_EXPIRED) {
        SAY(out->message, "%s has expired on %s", whose, h->until);
        SAY(out->hint, "It has to be renewed on the server. If it is younger than that, look at this machine's clock.");
    } else if (h->code == X509_V_ERR_CERT_NOT_YET_VALID) {
        SAY(out->message, "%s is not valid before %s", whose, h->from);
        SAY(out->hint, "Look at the clocks of this machine and of the one that issued it.");
    } else if (h->code == X509_V_ERR_HOSTNAME_MISMATCH || h->code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        SAY(out->message, "the certificate of %s is for another host: %s", h->host,
            h->names[0] ? h->names : h->subject);
        SAY(out->hint,
            "Name the server as its certificate does. If that is what you did, somebody else answers for it.");
    } else if (is_unknown_authority(h->code)) {
        SAY(out->message, "the certificate of %s was issued by an authority that is not trusted: %s", h->host,
            h->issuer);
        SAY(out->hint,
            "Name a file with that authority's certificate with --tlsCAFile, after you made sure that it is the "
            "right one.");
    } else {
        SAY(out->message, "%s is not valid: %s", whose, X509_verify_cert_error_string(h->code));
    }
}

static void tell_rejection(const tf_handshake *h, cause *out)
{
    SAY(out->hint, "Name another with --tlsCertificateKeyFile: one that an authority issued whom the server trusts.");
    if (h->code == X509_V_ERR_CERT_HAS_EXPIRED)
        SAY(out->message, "the client's certificate '%s' has expired on %s", h->subject, h->until);
    else if (h->code == X509_V_ERR_CERT_NOT_YET_VALID)
        SAY(out->message, "the client's certificate '%s' is not valid before %s", h->subject, h->from);
    else
        SAY(out->message, "%s does not accept the client's certificate '%s', issued by '%s'", h->host, h->subject,
            h->issuer);
}

static void tell(const tf_handshake *h, cause *out)
{
    switch (h->outcome) {
    case TF_HANDSHAKE_UNREACHED:
    case TF_HANDSHAKE_GOOD:
        break;
    case TF_HANDSHAKE_OWN_FILE:
        SAY(out->message, "%s", h->reason);
        SAY(out->hint, "It has to hold certificates in PEM form, and for the client the key beside its certificate.");
        break;
    case TF_HANDSHAKE_NOT_TLS:
        SAY(out->message, "%s does not speak TLS", h->host);
        SAY(out->hint, "Check host and port. If this server has no TLS, leave out --tls.");
        break;
    case TF_HANDSHAKE_ONLY_TLS:
        SAY(out->message, "%s takes connections with TLS only", h->host);
        SAY(out->hint, "Give --tls, and --tlsCAFile where the authority is one of your own.");
        break;
    case TF_HANDSHAKE_DISTRUST:
        tell_distrust(h, out);
        break;
    case TF_HANDSHAKE_DEMAND:
        SAY(out->message, "%s demands a certificate of the client's, and none was given", h->host);
        SAY(out->hint, "Name it with --tlsCertificateKeyFile.");
        break;
    case TF_HANDSHAKE_REJECTED:
        tell_rejection(h, out);
        break;
    case TF_HANDSHAKE_FAILED:
        SAY(out->message, "TLS with %s failed: %s", h->host, h->reason);
        SAY(out->hint, "Look into the server's log, which says what it did not accept.");
        break;
    }
}

/* The driver's own words move down into the detail, where they stand already. */
static void put(const cause *why, tf_error *err)
{
    char clean[sizeof why->message];
    snprintf(err->message, sizeof err->message, "Database connection not ready: %s",
             tf_text_clean(why->message, clean, sizeof clean));
    snprintf(err->hint, sizeof err->hint, "%s", why->hint);
}

/* An X.509 user who is not there looks like a wrong password otherwise. */
static void explain_login(const mongoc_uri_t *uri, tf_error *err)
{
    const char *mechanism = mongoc_uri_get_auth_mechanism(uri);
    if (!mechanism || !tf_text_same(mechanism, "MONGODB-X509"))
        return;
    snprintf(err->message, sizeof err->message, "authentication failed: the server knows no user by this certificate");
    snprintf(err->hint, sizeof err->hint,
             "The user's name in $external is the certificate's subject: openssl x509 -noout -subject -nameopt RFC2253 "
             "-in FILE shows it.");
}

static void tell_stranger(tf_roster *roster, const mongoc_uri_t *uri, cause *out)
{
    const char *wanted = mongoc_uri_get_replica_set(uri);
    mongoc_host_list_t host;
    char own[TF_ROSTER_SET_MAX];
    if (!wanted || !tf_roster_find_stranger(roster, wanted, &host, own))
        return;
    if (own[0])
        SAY(out->message, "%s is a member of the replica set '%s', not of '%s'", host.host_and_port, own, wanted);
    else
        SAY(out->message, "%s is a member of no replica set, and '%s' is asked for", host.host_and_port, wanted);
    SAY(out->hint, "Correct or leave out replicaSet in the connection string, if this is the server that is meant.");
}

int64_t tf_handshake_reserve(int64_t timeout_ms)
{
    return timeout_ms / 4 < REACH_MS ? timeout_ms / 4 : REACH_MS;
}

void tf_handshake_explain(tf_roster *roster, const mongoc_uri_t *uri, int64_t timeout_ms, tf_error *err)
{
    if (err->code == TF_ERR_AUTH)
        explain_login(uri, err);
    if (err->code != TF_ERR_CONNECT)
        return;
    int64_t begun = tf_clock_ms(), reach_by = begun + tf_handshake_reserve(timeout_ms),
            deadline_ms = begun + (timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS);
    mongoc_host_list_t hosts[TF_ROSTER_MAX];
    size_t count = tf_roster_read(roster, hosts, TF_ROSTER_MAX);
    cause why = {.message = ""};
    tell_stranger(roster, uri, &why);
    for (size_t i = 0; i < count && !why.message[0]; i++) {
        tf_handshake found;
        int64_t now = tf_clock_ms(), left = reach_by - now;
        tf_handshake_try(uri, &hosts[i], left > LEAST_MS ? left : LEAST_MS, deadline_ms - now, &found);
        tell(&found, &why);
    }
    if (why.message[0])
        put(&why, err);
}
