#include "sandbox/certificate.h"

#include "sandbox/place.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define ORGANISATION "tokenfix sandbox"

enum { YEAR_S = 365 * 24 * 3600, DAY_S = 24 * 3600 };

struct tf_authority {
    EVP_PKEY *key;
    X509 *certificate;
};

TF_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
TF_CLEANUP(X509 *, X509_free)
TF_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)
TF_CLEANUP(BIO *, BIO_free_all)

static bool failed(tf_error *err, const char *what)
{
    char reason[256] = "";
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    ERR_clear_error();
    tf_error_set(err, TF_ERR_SYSTEM, "cannot %s", what);
    return tf_error_detail(err, "%s", reason);
}

static bool add_name(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool name_subject(X509 *certificate, const char *name, const char *unit)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return add_name(subject, "O", ORGANISATION) && (!unit || add_name(subject, "OU", unit)) &&
           add_name(subject, "CN", name);
}

static bool number(X509 *certificate)
{
    uint64_t serial = 0;
    return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1;
}

static bool extend(X509 *certificate, const X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, (X509 *)(uintptr_t)issuer, certificate, NULL, NULL, 0);
    _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    return extension && X509_add_ext(certificate, extension, -1) == 1;
}

/* A certificate without extensions, not signed yet; NULL on failure. */
static X509 *draft(EVP_PKEY *key, const char *name, const char *unit, int64_t from_s, int64_t until_s)
{
    _cleanup_(X509_freep) X509 *made = X509_new();
    if (!made || X509_set_version(made, X509_VERSION_3) != 1 || !number(made) || !name_subject(made, name, unit) ||
        X509_set_pubkey(made, key) != 1 || !X509_gmtime_adj(X509_getm_notBefore(made), (long)from_s) ||
        !X509_gmtime_adj(X509_getm_notAfter(made), (long)until_s))
        return NULL;
    return TAKE_PTR(made);
}

tf_authority *tf_authority_new(const char *name, tf_error *err)
{
    _cleanup_(tf_authority_freep) tf_authority *made = bson_malloc0(sizeof *made);
    if (!made) {
        tf_error_set(err, TF_ERR_MEMORY, "out of memory");
        return NULL;
    }
    made->key = EVP_EC_gen("P-256");
    made->certificate = made->key ? draft(made->key, name, NULL, -DAY_S, 10LL * YEAR_S) : NULL;
    X509 *own = made->certificate;
    if (!own || X509_set_issuer_name(own, X509_get_subject_name(own)) != 1 ||
        !extend(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !extend(own, own, NID_subject_key_identifier, "hash") || X509_sign(own, made->key, EVP_sha256()) <= 0) {
        failed(err, "make an authority for certificates");
        return NULL;
    }
    return TAKE_PTR(made);
}

void tf_authority_free(tf_authority *authority)
{
    if (!authority)
        return;
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
    free(authority);
}

static bool write_out(BIO *memory, const char *path, tf_error *err)
{
    char *text = NULL;
    long size = BIO_get_mem_data(memory, &text);
    return tf_place_write(path, text, size > 0 ? (size_t)size : 0, err);
}

bool tf_authority_write(const tf_authority *authority, const char *path, tf_error *err)
{
    _cleanup_(BIO_free_allp) BIO *memory = BIO_new(BIO_s_mem());
    if (!memory || PEM_write_bio_X509(memory, authority->certificate) != 1)
        return failed(err, "write an authority's certificate");
    return write_out(memory, path, err);
}

/* "IP:127.0.0.1,DNS:localhost" */
static bool name_hosts(X509 *certificate, const X509 *issuer, const char *const *hosts)
{
    char value[512] = "";
    for (const char *const *at = hosts; at && *at; at++) {
        uint8_t address[16];
        bool ip = inet_pton(AF_INET, *at, address) == 1 || inet_pton(AF_INET6, *at, address) == 1;
        size_t used = strlen(value);
        snprintf(value + used, sizeof value - used, "%s%s:%s", used ? "," : "", ip ? "IP" : "DNS", *at);
    }
    return !value[0] || extend(certificate, issuer, NID_subject_alt_name, value);
}

/* mongod presents its certificate to the other members too, so a server's is one for clients as well. */
static X509 *issue(const tf_authority *by, EVP_PKEY *key, const tf_certificate *wish)
{
    const X509 *issuer = by->certificate;
    _cleanup_(X509_freep) X509 *made = draft(key, wish->name, wish->unit, wish->from_s, wish->until_s);
    if (!made || X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 ||
        !extend(made, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !extend(made, issuer, NID_key_usage, "critical,digitalSignature") ||
        !extend(made, issuer, NID_ext_key_usage, wish->hosts ? "serverAuth,clientAuth" : "clientAuth") ||
        !extend(made, issuer, NID_authority_key_identifier, "keyid") || !name_hosts(made, issuer, wish->hosts) ||
        X509_sign(made, by->key, EVP_sha256()) <= 0)
        return NULL;
    return TAKE_PTR(made);
}

bool tf_authority_issue(const tf_authority *authority, const tf_certificate *wish, const char *path, tf_error *err)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(X509_freep) X509 *made = key ? issue(authority, key, wish) : NULL;
    _cleanup_(BIO_free_allp) BIO *memory = BIO_new(BIO_s_secmem());
    if (!made || !memory || PEM_write_bio_X509(memory, made) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) != 1)
        return failed(err, "make a certificate");
    return write_out(memory, path, err);
}

void tf_certificate_subject(const tf_certificate *certificate, char *out, size_t size)
{
    snprintf(out, size, "CN=%s,OU=%s,O=" ORGANISATION, certificate->name, certificate->unit);
}
