/* SHA-256 and hexadecimal. */
#ifndef TF_BASE_HASH_H
#define TF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <tokenfix/cleanup.h>

#define TF_SHA256_SIZE 32

typedef struct tf_sha256 tf_sha256;

/* A running hash, owned by the caller. Never NULL: without memory or without SHA-256 in libcrypto the process aborts. */
tf_sha256 *tf_sha256_new(void);
void tf_sha256_add(tf_sha256 *hash, const void *data, size_t size);

/* Writes the hash of everything added since the last finish, and starts anew. */
void tf_sha256_finish(tf_sha256 *hash, uint8_t out[TF_SHA256_SIZE]);
void tf_sha256_free(tf_sha256 *hash);
TF_CLEANUP(tf_sha256 *, tf_sha256_free)

/* The hash of one piece of memory. */
void tf_sha256_of(const void *data, size_t size, uint8_t out[TF_SHA256_SIZE]);

/* HMAC-SHA256 of a text in two parts, as if they were one. */
void tf_hmac_sha256(const char *key, const char *head, const char *tail, uint8_t out[TF_SHA256_SIZE]);

/* Writes 2 * size lower-case digits and a terminating zero to out. */
void tf_hex(const uint8_t *data, size_t size, char *out);

#endif
