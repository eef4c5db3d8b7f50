/*
 * A file that is sealed with a passphrase or a key file: libsodium's secretstream (XChaCha20-Poly1305) over pieces of 64 KiB. Nothing
 * of it can be altered, cut off, exchanged or moved without being noticed, nor put under another name: `context` (run and file) is
 * part of what is authenticated.
 *
 *   head (65 bytes): "TFXSEAL1", kind (1 passphrase, 2 key file), Argon2id's operations and memory (8 bytes each, little
 *   endian; 0 for a key file), salt (16), secretstream's header (24); then pieces of up to 64 KiB + 17, the last one marked as such
 */
#ifndef TF_BASE_CIPHER_H
#define TF_BASE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>

enum { TF_CIPHER_HEAD = 65, TF_CIPHER_PIECE = 65536, TF_CIPHER_SEALED = TF_CIPHER_PIECE + 17, TF_CIPHER_KEY_MIN = 32 };

/* What opens and closes it: a passphrase, or the content of a key file. Owned, wiped when it is freed. */
typedef struct tf_cipher_secret tf_cipher_secret;

/* Copies. USAGE where a passphrase is empty, or a key shorter than 32 bytes. */
tf_cipher_secret *tf_cipher_secret_new(bool passphrase, const void *data, size_t length, tf_error *err);
void tf_cipher_secret_free(tf_cipher_secret *secret);
TF_CLEANUP(tf_cipher_secret *, tf_cipher_secret_free)

typedef struct tf_cipher tf_cipher;

/* Begins to seal: `head` is what the file begins with. NULL with *err (MEMORY: Argon2id needs 256 MiB). */
tf_cipher *tf_cipher_seal(const tf_cipher_secret *secret, const char *context, uint8_t head[TF_CIPHER_HEAD],
                          tf_error *err);

/* Seals a piece of at most 64 KiB; `out` gets 17 bytes more. Behind `last` comes nothing. */
void tf_cipher_push(tf_cipher *cipher, const uint8_t *in, size_t length, bool last, uint8_t *out);

/* Begins to open. NULL with *err: DAMAGED where that is no such head, USAGE where it was sealed with the other kind of secret. */
tf_cipher *tf_cipher_open(const tf_cipher_secret *secret, const char *context, const uint8_t head[TF_CIPHER_HEAD],
                          tf_error *err);

/* Opens a piece; `out` gets 17 bytes less. False where it is not what was sealed, or the secret is not the one. */
bool tf_cipher_pull(tf_cipher *cipher, const uint8_t *in, size_t length, bool *last, uint8_t *out);

/* What a file was sealed with, from its head: 1 a passphrase, 2 a key file, 0: it is no such head. */
int tf_cipher_kind(const uint8_t *head, size_t length);

/* Wipes. */
void tf_cipher_free(tf_cipher *cipher);
TF_CLEANUP(tf_cipher *, tf_cipher_free)

#endif
