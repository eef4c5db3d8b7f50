/* Ed25519 keys in PEM, and signatures over a SHA-256: who has the key wrote it, whatever becomes of the place it is kept in. */
#ifndef TF_BASE_KEY_H
#define TF_BASE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>

enum { TF_SIGNATURE_SIZE = 64, TF_FINGERPRINT_SIZE = 32 };

typedef struct tf_key tf_key;

/* Reads a key as openssl writes it: PKCS #8 ("PRIVATE KEY", not encrypted) where `secret`, else that or "PUBLIC KEY". NULL and
 * USAGE, which names `source`, where the text holds none, or one of another kind. Free with tf_key_free. */
tf_key *tf_key_parse(const char *pem, size_t size, bool secret, const char *source, tf_error *err);

/* A new key; NULL and INTERNAL where libcrypto has no Ed25519. */
tf_key *tf_key_make(tf_error *err);

/* NULL is allowed. */
void tf_key_free(tf_key *key);
TF_CLEANUP(tf_key *, tf_key_free)

/* The key in PEM, with its secret half or without. The caller wipes and frees. */
char *tf_key_pem(const tf_key *key, bool secret);

/* SHA-256 of the public key in DER: what `openssl pkey -pubin -in FILE -outform DER | sha256sum` prints. 32 bytes. */
const uint8_t *tf_key_fingerprint(const tf_key *key);

/* Signs 32 bytes. The key must have its secret half. From any thread. */
void tf_key_sign(const tf_key *key, const uint8_t hash[32], uint8_t signature[TF_SIGNATURE_SIZE]);

bool tf_key_fits(const tf_key *key, const uint8_t hash[32], const uint8_t signature[TF_SIGNATURE_SIZE]);

#endif
