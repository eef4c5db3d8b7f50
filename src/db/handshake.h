/*
 * Why a connection did not come about. The driver says "TLS handshake failed" or "connection closed" for most reasons; so
 * where it failed we try once ourselves, and look at what the other side presents and how it takes what we present.
 */
#ifndef TF_DB_HANDSHAKE_H
#define TF_DB_HANDSHAKE_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

#include "db/roster.h"

typedef enum tf_handshake_outcome {
    TF_HANDSHAKE_UNREACHED, /* no connection at all: nothing to say about TLS */
    TF_HANDSHAKE_GOOD,      /* nothing wrong was found */
    TF_HANDSHAKE_OWN_FILE,  /* a file of ours cannot be used: `reason` */
    TF_HANDSHAKE_NOT_TLS,   /* the server does not speak TLS */
    TF_HANDSHAKE_ONLY_TLS,  /* we do not speak TLS, the server does */
    TF_HANDSHAKE_DISTRUST,  /* we do not trust the server's certificate: `code` (X509_V_ERR_…), subject, dates */
    TF_HANDSHAKE_DEMAND,    /* the server demands a certificate of the client's and got none */
    TF_HANDSHAKE_REJECTED,  /* the server rejects the client's certificate; `code`, subject, dates are about that */
    TF_HANDSHAKE_FAILED     /* something else about TLS: `reason` */
} tf_handshake_outcome;

typedef struct tf_handshake {
    tf_handshake_outcome outcome;
    long code; /* X509_V_OK where none */
    char host[300];
    char subject[256], issuer[256]; /* of the certificate in question */
    char names[256];                /* what it is made out to */
    char from[24], until[24];       /* when it is valid: "2026-11-20 18:00 UTC" */
    bool authority;                 /* not the certificate itself is in question, but one of those above it */
    char reason[256];
} tf_handshake;

/* Tries one host as the connection string has it. Connects, within reach_ms, and says hello; logs in nowhere. */
void tf_handshake_try(const mongoc_uri_t *uri, const mongoc_host_list_t *host, int64_t reach_ms, int64_t timeout_ms, tf_handshake *out);

/* What of a timeout the driver leaves for this: so long all hosts together are tried that take no connection, and no longer. */
int64_t tf_handshake_reserve(int64_t timeout_ms);

/* To be called with the error of a connection that failed. Where TLS or the replica set's name is the reason, message and hint say so. */
void tf_handshake_explain(tf_roster *roster, const mongoc_uri_t *uri, int64_t timeout_ms, tf_error *err);

#endif
