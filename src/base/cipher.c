#include "base/cipher.h"

#include <sodium.h>
#include <string.h>

static const char magic[8] = {'T', 'F', 'X', 'S', 'E', 'A', 'L', '1'};

enum { KIND = 8, OPERATIONS = 9, MEMORY = 17, SALT = 25, STREAM = 41, SALT_SIZE = 16, PASSPHRASE = 1, KEY_FILE = 2 };

_Static_assert(STREAM + crypto_secretstream_xchacha20poly1305_HEADERBYTES == TF_CIPHER_HEAD, "the head");
_Static_assert(TF_CIPHER_PIECE + crypto_secretstream_xchacha20poly1305_ABYTES == TF_CIPHER_SEALED, "a piece");
_Static_assert(SALT_SIZE == crypto_pwhash_SALTBYTES, "the salt");

/* A head that asks for more is not ours: it would only keep us busy. */
#define OPERATIONS_MAX 16u
#define MEMORY_MAX ((uint64_t)1 << 30)

struct tf_cipher_secret {
    bool passphrase;
    size_t length;
    uint8_t data[];
};

struct tf_cipher {
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t bound[crypto_generichash_BYTES]; /* of head and context: authenticated with every piece */
};

tf_cipher_secret *tf_cipher_secret_new(bool passphrase, const void *data, size_t length, tf_error *err)
{
    if (passphrase && length == 0) {
        tf_error_set(err, TF_ERR_USAGE, "the passphrase is empty");
        return NULL;
    }
    if (!passphrase && length < TF_CIPHER_KEY_MIN) {
        tf_error_set(err, TF_ERR_USAGE, "the key file holds fewer than %d bytes", TF_CIPHER_KEY_MIN);
        tf_error_hint(err, "Make one: (umask 077; head -c 32 /dev/urandom > FILE).");
        return NULL;
    }
    tf_cipher_secret *secret = bson_malloc0(sizeof *secret + length);
    secret->passphrase = passphrase;
    secret->length = length;
    memcpy(secret->data, data, length);
    return secret;
}

void tf_cipher_secret_free(tf_cipher_secret *secret)
{
    if (!secret)
        return;
    sodium_memzero(secret, sizeof *secret + secret->length);
    bson_free(secret);
}

static void put64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

static bool derive(const tf_cipher_secret *secret, const uint8_t *head,
                   uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES], tf_error *err)
{
    const size_t size = crypto_secretstream_xchacha20poly1305_KEYBYTES;
    if (!secret->passphrase) {
        crypto_generichash_state state;
        crypto_generichash_init(&state, NULL, 0, size);
        crypto_generichash_update(&state, head, STREAM);
        crypto_generichash_update(&state, secret->data, secret->length);
        crypto_generichash_final(&state, key, size);
        sodium_memzero(&state, sizeof state);
        return true;
    }
    if (crypto_pwhash(key, size, (const char *)secret->data, secret->length, head + SALT, get64(head + OPERATIONS),
                      (size_t)get64(head + MEMORY), crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    tf_error_set(err, TF_ERR_MEMORY, "not enough memory for the passphrase");
    return tf_error_hint(err, "Argon2id needs %llu MiB here; a key file (--key-file) needs none.",
                         (unsigned long long)(get64(head + MEMORY) >> 20));
}

static void bind_to(tf_cipher *cipher, const uint8_t *head, const char *context)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof cipher->bound);
    crypto_generichash_update(&state, head, STREAM);
    crypto_generichash_update(&state, (const uint8_t *)context, strlen(context));
    crypto_generichash_final(&state, cipher->bound, sizeof cipher->bound);
}

static bool ready(tf_error *err)
{
    return sodium_init() >= 0 || tf_error_set(err, TF_ERR_INTERNAL, "libsodium cannot be used");
}

tf_cipher *tf_cipher_seal(const tf_cipher_secret *secret, const char *context, uint8_t head[TF_CIPHER_HEAD],
                          tf_error *err)
{
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    if (!ready(err))
        return NULL;
    memcpy(head, magic, sizeof magic);
    head[KIND] = secret->passphrase ? PASSPHRASE : KEY_FILE;
    put64(head + OPERATIONS, secret->passphrase ? crypto_pwhash_OPSLIMIT_MODERATE : 0);
    put64(head + MEMORY, secret->passphrase ? crypto_pwhash_MEMLIMIT_MODERATE : 0);
    randombytes_buf(head + SALT, SALT_SIZE);
    if (!derive(secret, head, key, err))
        return NULL;
    tf_cipher *cipher = bson_malloc0(sizeof *cipher);
    bind_to(cipher, head, context);
    crypto_secretstream_xchacha20poly1305_init_push(&cipher->state, head + STREAM, key);
    sodium_memzero(key, sizeof key);
    return cipher;
}

void tf_cipher_push(tf_cipher *cipher, const uint8_t *in, size_t length, bool last, uint8_t *out)
{
    crypto_secretstream_xchacha20poly1305_push(&cipher->state, out, NULL, in, length, cipher->bound,
                                               sizeof cipher->bound,
                                               last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
}

int tf_cipher_kind(const uint8_t *head, size_t length)
{
    bool known = length >= TF_CIPHER_HEAD && memcmp(head, magic, sizeof magic) == 0;
    return known && (head[KIND] == PASSPHRASE || head[KIND] == KEY_FILE) ? head[KIND] : 0;
}

/* Only what we write: a head is not to be believed before a piece was opened with it. */
static bool is_sound(const uint8_t *head)
{
    uint64_t operations = get64(head + OPERATIONS), memory = get64(head + MEMORY);
    switch (tf_cipher_kind(head, TF_CIPHER_HEAD)) {
    case PASSPHRASE:
        return operations >= crypto_pwhash_OPSLIMIT_MIN && operations <= OPERATIONS_MAX &&
               memory >= crypto_pwhash_MEMLIMIT_MIN && memory <= MEMORY_MAX;
    case KEY_FILE:
        return operations == 0 && memory == 0;
    default:
        return false;
    }
}

tf_cipher *tf_cipher_open(const tf_cipher_secret *secret, const char *context, const uint8_t head[TF_CIPHER_HEAD],
                          tf_error *err)
{
    uint8_t key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
    if (!ready(err))
        return NULL;
    if (!is_sound(head)) {
        tf_error_set(err, TF_ERR_DAMAGED, "the encrypted file does not begin as tokenfix writes them");
        return NULL;
    }
    if (secret->passphrase != (head[KIND] == PASSPHRASE)) {
        tf_error_set(err, TF_ERR_USAGE, "the backup is encrypted with a %s",
                     secret->passphrase ? "key file" : "passphrase");
        tf_error_hint(err, secret->passphrase
                               ? "Name it by --key-file."
                               : "Leave --key-file out; it is asked for, or read from --passphrase-file.");
        return NULL;
    }
    if (!derive(secret, head, key, err))
        return NULL;
    tf_cipher *cipher = bson_malloc0(sizeof *cipher);
    bind_to(cipher, head, context);
    crypto_secretstream_xchacha20poly1305_init_pull(&cipher->state, head + STREAM, key);
    sodium_memzero(key, sizeof key);
    return cipher;
}

bool tf_cipher_pull(tf_cipher *cipher, const uint8_t *in, size_t length, bool *last, uint8_t *out)
{
    unsigned char tag = 0;
    if (length < crypto_secretstream_xchacha20poly1305_ABYTES || length > TF_CIPHER_SEALED ||
        crypto_secretstream_xchacha20poly1305_pull(&cipher->state, out, NULL, &tag, in, length, cipher->bound,
                                                   sizeof cipher->bound) != 0)
        return false;
    *last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return true;
}

void tf_cipher_free(tf_cipher *cipher)
{
    if (!cipher)
        return;
    sodium_memzero(cipher, sizeof *cipher);
    bson_free(cipher);
}
