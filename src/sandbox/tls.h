/* The certificates of a sandbox with TLS: ca.pem, server.pem (both with its nodes) and client.pem in its folder. */
#ifndef TF_SANDBOX_TLS_H
#define TF_SANDBOX_TLS_H

#include "sandbox/sandbox.h"

#define TF_TLS_CA "ca.pem"
#define TF_TLS_SERVER "server.pem"
#define TF_TLS_CLIENT "client.pem"

/* Makes the three, of an authority whose key is then forgotten. */
bool tf_tls_make(const tf_sandbox *sandbox, tf_error *err);

/* The name in $external of the user who presents client.pem. */
void tf_tls_subject(char *out, size_t size);

/* Writes "&tls=true&tlsCAFile=…&tlsCertificateKeyFile=…", or nothing where the sandbox has no TLS. False: does not fit. */
bool tf_tls_options(const tf_sandbox *sandbox, char *out, size_t size);

#endif
