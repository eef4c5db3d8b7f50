#include "base/hash.h"

#include <openssl/evp.h>

struct tf_sha256 {
    EVP_MD_CTX *context;
};

/* A hash that silently failed would make a proof worthless: libcrypto without SHA-256 is not survivable. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

tf_sha256 *tf_sha256_new(void)
{
    tf_sha256 *hash = bson_malloc0(sizeof *hash);
    hash->context = EVP_MD_CTX_new();
    must(hash->context != NULL);
    must(EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) == 1);
    return hash;
}

void tf_sha256_add(tf_sha256 *hash, const void *data, size_t size)
{
    must(EVP_DigestUpdate(hash->context, data, size) == 1);
}

void tf_sha256_finish(tf_sha256 *hash, uint8_t out[TF_SHA256_SIZE])
{
    must(EVP_DigestFinal_ex(hash->context, out, NULL) == 1);
    must(EVP_DigestInit_ex(hash->context, NULL, NULL) == 1);
}

void tf_sha256_free(tf_sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void tf_sha256_of(const void *data, size_t size, uint8_t out[TF_SHA256_SIZE])
{
    must(EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) == 1);
}

/* RFC 2104; libcrypto's own HMAC would want the text in one piece, or an interface that changed with version 3. */
void tf_hmac_sha256(const char *key, const char *head, const char *tail, uint8_t out[TF_SHA256_SIZE])
{
    enum { BLOCK = 64 };
    uint8_t block[BLOCK] = {0}, inner[TF_SHA256_SIZE];
    tf_sha256 *hash = tf_sha256_new();
    if (strlen(key) > BLOCK)
        tf_sha256_of(key, strlen(key), block);
    else
        memcpy(block, key, strlen(key));
    for (size_t i = 0; i < BLOCK; i++)
        block[i] ^= 0x36;
    tf_sha256_add(hash, block, BLOCK);
    tf_sha256_add(hash, head, strlen(head));
    tf_sha256_add(hash, tail, strlen(tail));
    tf_sha256_finish(hash, inner);
    for (size_t i = 0; i < BLOCK; i++)
        block[i] ^= 0x36 ^ 0x5c;
    tf_sha256_add(hash, block, BLOCK);
    tf_sha256_add(hash, inner, sizeof inner);
    tf_sha256_finish(hash, out);
    tf_sha256_free(hash);
    explicit_bzero(block, sizeof block);
}

void tf_hex(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}
