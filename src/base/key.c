#include "base/key.h"

#include "base/hash.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct tf_key {
    EVP_PKEY *pkey;
    uint8_t fingerprint[TF_FINGERPRINT_SIZE];
};

/* A signature that silently failed would make the trail worthless. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Nobody is asked for a passphrase: an encrypted key is refused. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static EVP_PKEY *read_pem(const char *pem, size_t size, bool secret)
{
    BIO *in = BIO_new_mem_buf(pem, (int)size);
    must(in != NULL);
    EVP_PKEY *found = secret ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL);
    BIO_free(in);
    return found;
}

static tf_key *own(EVP_PKEY *pkey)
{
    tf_key *key = bson_malloc0(sizeof *key);
    uint8_t *der = NULL;
    int length = i2d_PUBKEY(pkey, &der);
    must(length > 0);
    tf_sha256_of(der, (size_t)length, key->fingerprint);
    OPENSSL_free(der);
    key->pkey = pkey;
    return key;
}

tf_key *tf_key_parse(const char *pem, size_t size, bool secret, const char *source, tf_error *err)
{
    EVP_PKEY *pkey = size > 0 && size <= 65536 ? read_pem(pem, size, secret) : NULL;
    if (!pkey && !secret && size <= 65536)
        pkey = read_pem(pem, size, true); /* who has the secret half has the public one */
    if (pkey && EVP_PKEY_id(pkey) == EVP_PKEY_ED25519)
        return own(pkey);
    tf_error_set(err, TF_ERR_USAGE, "'%s' holds no Ed25519 %s key%s", TF_WORD(source), secret ? "private" : "public",
                 pkey ? ", but another kind" : "");
    tf_error_hint(err, secret ? "'tokenfix history --make-key FILE' makes one; it must not be encrypted."
                              : "'tokenfix history --make-key FILE' writes it to FILE.pub.");
    EVP_PKEY_free(pkey);
    return NULL;
}

tf_key *tf_key_make(tf_error *err)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, NULL);
    bool ok = context && EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &pkey) == 1;
    EVP_PKEY_CTX_free(context);
    if (ok)
        return own(pkey);
    tf_error_set(err, TF_ERR_INTERNAL, "libcrypto cannot make an Ed25519 key");
    return NULL;
}

void tf_key_free(tf_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

char *tf_key_pem(const tf_key *key, bool secret)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    must(out != NULL);
    must((secret ? PEM_write_bio_PrivateKey(out, key->pkey, NULL, NULL, 0, NULL, NULL) : PEM_write_bio_PUBKEY(out, key->pkey)) == 1);
    long length = BIO_get_mem_data(out, &data);
    char *pem = bson_malloc0((size_t)length + 1);
    memcpy(pem, data, (size_t)length);
    if (secret)
        OPENSSL_cleanse(data, (size_t)length);
    BIO_free(out);
    return pem;
}

const uint8_t *tf_key_fingerprint(const tf_key *key)
{
    return key->fingerprint;
}

void tf_key_sign(const tf_key *key, const uint8_t hash[32], uint8_t signature[TF_SIGNATURE_SIZE])
{
    size_t length = TF_SIGNATURE_SIZE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1);
    must(EVP_DigestSign(context, signature, &length, hash, 32) == 1 && length == TF_SIGNATURE_SIZE);
    EVP_MD_CTX_free(context);
}

bool tf_key_fits(const tf_key *key, const uint8_t hash[32], const uint8_t signature[TF_SIGNATURE_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1);
    bool fits = EVP_DigestVerify(context, signature, TF_SIGNATURE_SIZE, hash, 32) == 1;
    EVP_MD_CTX_free(context);
    return fits;
}
