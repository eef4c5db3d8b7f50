/*
 * Certificates for a sandbox and for tests: an authority of one's own, and what it issues, made with OpenSSL's libcrypto.
 * Keys are elliptic (P-256). The authority's key never leaves the process: what it did not issue by then, it never will.
 */
#ifndef TF_SANDBOX_CERTIFICATE_H
#define TF_SANDBOX_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>

typedef struct tf_authority tf_authority;

/* What a certificate shall say. Times are seconds from now, negative ones in the past. */
typedef struct tf_certificate {
    const char *name;         /* its subject is CN=name,OU=unit,O=tokenfix sandbox */
    const char *unit;         /* a client's differs from a server's: mongod takes equals for members of the set */
    const char *const *hosts; /* addresses and names of a server, NULL-terminated; NULL: none */
    int64_t from_s, until_s;
} tf_certificate;

/* Makes a key and a certificate, signed by itself, that is valid for ten years. NULL on failure. */
tf_authority *tf_authority_new(const char *name, tf_error *err);
void tf_authority_free(tf_authority *authority);
TF_CLEANUP(tf_authority *, tf_authority_free)

/* Writes the authority's certificate (PEM), for tlsCAFile. */
bool tf_authority_write(const tf_authority *authority, const char *path, tf_error *err);

/* Makes a key and a certificate as wished, and writes both into one file (PEM, mode 0600), for tlsCertificateKeyFile. */
bool tf_authority_issue(const tf_authority *authority, const tf_certificate *wish, const char *path, tf_error *err);

/* The name that MongoDB knows the holder of such a certificate by, in $external. */
void tf_certificate_subject(const tf_certificate *certificate, char *out, size_t size);

#endif
