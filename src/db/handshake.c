#include "db/handshake.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

TF_CLEANUP(SSL_CTX *, SSL_CTX_free)
TF_CLEANUP(SSL *, SSL_free)
TF_CLEANUP(BIO *, BIO_free_all)

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

typedef struct dialogue {
    tf_handshake *out;
    int64_t deadline_ms;
    int fd;
    bool asked; /* the server asked for a certificate of the client's */
} dialogue;

static bool wait_for(const dialogue *d, short events)
{
    struct pollfd ready = {.fd = d->fd, .events = events};
    int64_t left = d->deadline_ms - tf_clock_ms();
    return left > 0 && poll(&ready, 1, (int)left) == 1;
}

/* ---- the network ---- */

static int connect_to(dialogue *d, const struct sockaddr *address, socklen_t length)
{
    d->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = 0;
    socklen_t size = sizeof failed;
    bool good = d->fd >= 0 && (connect(d->fd, address, length) == 0 ||
                               (errno == EINPROGRESS && wait_for(d, POLLOUT) &&
                                getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0));
    if (!good)
        closep(&d->fd);
    return good ? d->fd : -1;
}

static int reach(dialogue *d, const mongoc_host_list_t *host)
{
    if (host->family == AF_UNIX) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        snprintf(path.sun_path, sizeof path.sun_path, "%s", host->host);
        return connect_to(d, (const struct sockaddr *)&path, sizeof path);
    }
    char port[8];
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    snprintf(port, sizeof port, "%u", host->port);
    if (getaddrinfo(host->host, port, &hints, &found) != 0)
        return -1;
    int fd = -1;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = connect_to(d, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

/* ---- what certificates say ---- */

static void write_time(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) == 1)
        strftime(out, size, "%Y-%m-%d %H:%M UTC", &parts);
}

static void write_name(const X509_NAME *name, char *out, size_t size)
{
    _cleanup_(BIO_free_allp) BIO *memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!memory || X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return;
    long length = BIO_get_mem_data(memory, &text);
    snprintf(out, size, "%.*s", (int)length, text);
}

static void add_name(const GENERAL_NAME *name, char *out, size_t size)
{
    size_t used = strlen(out);
    char address[INET6_ADDRSTRLEN] = "";
    int kind = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
    if (kind == GEN_IPADD)
        inet_ntop(ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), address,
                  sizeof address);
    else if (kind != GEN_DNS)
        return;
    snprintf(out + used, size - used, "%s%.*s", used ? ", " : "", address[0] ? 64 : ASN1_STRING_length(value),
             address[0] ? address : (const char *)ASN1_STRING_get0_data(value));
}

static void describe(X509 *certificate, tf_handshake *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    out->names[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_name(sk_GENERAL_NAME_value(names, i), out->names, sizeof out->names);
    GENERAL_NAMES_free(names);
    write_name(X509_get_subject_name(certificate), out->subject, sizeof out->subject);
    write_name(X509_get_issuer_name(certificate), out->issuer, sizeof out->issuer);
    write_time(X509_get0_notBefore(certificate), out->from, sizeof out->from);
    write_time(X509_get0_notAfter(certificate), out->until, sizeof out->until);
}

/* The first complaint is kept, and the handshake goes on as if there were none. */
static int look(int good, X509_STORE_CTX *context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    dialogue *d = SSL_get_app_data(ssl);
    if (good || d->out->code != X509_V_OK)
        return 1;
    d->out->code = X509_STORE_CTX_get_error(context);
    d->out->authority = X509_STORE_CTX_get_error_depth(context) > 0;
    describe(X509_STORE_CTX_get_current_cert(context), d->out);
    return 1;
}

static int note_demand(SSL *ssl, void *arg)
{
    (void)ssl;
    ((dialogue *)arg)->asked = true;
    return 1;
}

/* ---- our files ---- */

static int give_password(char *buffer, int size, int writing, void *password)
{
    (void)writing;
    return password ? snprintf(buffer, (size_t)size, "%s", (const char *)password) : 0;
}

static bool refuse_file(tf_handshake *out, const char *what, const char *path)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    out->outcome = TF_HANDSHAKE_OWN_FILE;
    snprintf(out->reason, sizeof out->reason, "%s '%s' cannot be used%s%s", what, path, reason ? ": " : "",
             reason ? reason : "");
    return false;
}

static bool text_option(const mongoc_uri_t *uri, const char *name, const char **out)
{
    *out = mongoc_uri_get_option_as_utf8(uri, name, NULL);
    return *out != NULL;
}

static bool load_files(SSL_CTX *context, const mongoc_uri_t *uri, tf_handshake *out)
{
    const char *path, *password;
    if (!text_option(uri, MONGOC_URI_TLSCAFILE, &path))
        SSL_CTX_set_default_verify_paths(context);
    else if (SSL_CTX_load_verify_locations(context, path, NULL) != 1)
        return refuse_file(out, "the authorities' file", path);
    if (!text_option(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, &path))
        return true;
    text_option(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD, &password);
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *)(uintptr_t)password);
    if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
        return refuse_file(out, "the client's certificate in", path);
    if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1)
        return refuse_file(out, "the client's key in", path);
    return true;
}

/* ---- the dialogue ---- */

/* Repeats a step until it is done, failed, or the time is over. */
#define STEP(d, ssl, call)                                                                                             \
    ({                                                                                                                 \
        int result_, why_ = SSL_ERROR_NONE;                                                                            \
        while ((result_ = (call)) <= 0 &&                                                                              \
               ((why_ = SSL_get_error((ssl), result_)) == SSL_ERROR_WANT_READ || why_ == SSL_ERROR_WANT_WRITE) &&      \
               wait_for((d), why_ == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT))                                          \
            ;                                                                                                          \
        result_ > 0;                                                                                                   \
    })

/* The last byte of a message to the server, {hello: 1}: a certificate it rejects shows only now. */
static size_t make_hello(uint8_t *out)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("hello", BCON_INT32(1), "$db", "admin");
    const uint32_t head[] = {BSON_UINT32_TO_LE(21 + command->len), BSON_UINT32_TO_LE(1), 0, BSON_UINT32_TO_LE(2013), 0};
    memcpy(out, head, sizeof head);
    out[sizeof head] = 0;
    memcpy(out + sizeof head + 1, bson_get_data(command), command->len);
    return sizeof head + 1 + command->len;
}

static bool is_answered(dialogue *d, SSL *ssl)
{
    uint8_t message[256], answer[16];
    size_t size = make_hello(message);
    return STEP(d, ssl, SSL_write(ssl, message, (int)size)) && STEP(d, ssl, SSL_read(ssl, answer, sizeof answer));
}

/* What the server does not like about our certificate, as far as we can see it ourselves. */
static void blame_own(SSL *ssl, dialogue *d)
{
    X509 *own = SSL_get_certificate(ssl);
    d->out->outcome = own ? TF_HANDSHAKE_REJECTED : TF_HANDSHAKE_DEMAND;
    if (!own)
        return;
    describe(own, d->out);
    if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0)
        d->out->code = X509_V_ERR_CERT_HAS_EXPIRED;
    else if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
        d->out->code = X509_V_ERR_CERT_NOT_YET_VALID;
}

static void judge(SSL *ssl, dialogue *d, bool shaken, bool answered)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (d->out->code != X509_V_OK)
        d->out->outcome = TF_HANDSHAKE_DISTRUST;
    else if (answered)
        d->out->outcome = TF_HANDSHAKE_GOOD;
    else if (d->asked)
        blame_own(ssl, d);
    else if (!shaken && (!code || ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ||
                         ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)) /* so a mongod without TLS */
        d->out->outcome = TF_HANDSHAKE_NOT_TLS;
    else
        d->out->outcome = TF_HANDSHAKE_FAILED;
    snprintf(d->out->reason, sizeof d->out->reason, "%s", reason ? reason : "the connection was closed");
}

static bool flag(const mongoc_uri_t *uri, const char *name)
{
    return mongoc_uri_get_option_as_bool(uri, name, false);
}

static void expect_name(SSL *ssl, const mongoc_uri_t *uri, const char *host)
{
    uint8_t address[16];
    bool ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (!ip)
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
    if (flag(uri, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES) || flag(uri, MONGOC_URI_TLSINSECURE))
        return;
    if (ip)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    else
        SSL_set1_host(ssl, host);
}

static void talk(dialogue *d, const mongoc_uri_t *uri, const mongoc_host_list_t *host)
{
    bool check = mongoc_uri_get_tls(uri) && !flag(uri, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES) &&
                 !flag(uri, MONGOC_URI_TLSINSECURE);
    _cleanup_(SSL_CTX_freep) SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context || !load_files(context, uri, d->out))
        return;
    _cleanup_(SSL_freep) SSL *ssl = SSL_new(context);
    if (!ssl)
        return;
    SSL_set_app_data(ssl, d);
    SSL_set_verify(ssl, check ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, look);
    SSL_set_cert_cb(ssl, note_demand, d);
    if (check)
        expect_name(ssl, uri, host->host);
    SSL_set_fd(ssl, d->fd);
    bool shaken = STEP(d, ssl, SSL_connect(ssl));
    if (mongoc_uri_get_tls(uri))
        judge(ssl, d, shaken, shaken && is_answered(d, ssl));
    else if (shaken || d->asked)
        d->out->outcome = TF_HANDSHAKE_ONLY_TLS;
}

void tf_handshake_try(const mongoc_uri_t *uri, const mongoc_host_list_t *host, int64_t reach_ms, int64_t timeout_ms, tf_handshake *out)
{
    int64_t begun = tf_clock_ms();
    *out = (tf_handshake){.outcome = TF_HANDSHAKE_UNREACHED};
    dialogue d = {.out = out, .deadline_ms = begun + (reach_ms < timeout_ms ? reach_ms : timeout_ms), .fd = -1};
    snprintf(out->host, sizeof out->host, "%s", host->host_and_port);
    _cleanup_(closep) int fd = reach(&d, host);
    d.deadline_ms = begun + timeout_ms;
    ERR_clear_error();
    if (fd >= 0)
        talk(&d, uri, host);
    ERR_clear_error();
}
