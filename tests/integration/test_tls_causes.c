/* A connection that TLS prevents says why. A mongod refuses to start with a bad certificate, so one of our own is put in
 * front of it: it presents any certificate, and passes on what comes. */
#include "support/fixture.h"

#include "sandbox/certificate.h"
#include "sandbox/place.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600 };

static const char *const here[] = {"127.0.0.1", NULL}, *const elsewhere[] = {"db.example", "10.1.2.3", NULL};
static char *folder;
static tf_authority *ours, *theirs;

static const char *path_of(const char *name)
{
    static char paths[4][600];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int group_setup(void **state)
{
    (void)state;
    tf_error err = {0};
    folder = tf_folder_make();
    ours = tf_authority_new("ours", &err);
    theirs = tf_authority_new("theirs", &err);
    return ours && theirs && tf_authority_write(ours, path_of("ours.pem"), &err) &&
                   tf_authority_write(theirs, path_of("theirs.pem"), &err)
               ? 0
               : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    tf_authority_free(ours);
    tf_authority_free(theirs);
    tf_folder_remove(folder);
    return 0;
}

/* ---- in front of a mongod ---- */

static int local_socket(int *port, bool listening)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(listening ? 0 : *port))};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!listening)
        return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
    assert_true(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void relay(SSL *ssl, int server)
{
    char block[16384];
    struct pollfd ends[] = {{.fd = SSL_get_fd(ssl), .events = POLLIN}, {.fd = server, .events = POLLIN}};
    while (SSL_pending(ssl) > 0 || poll(ends, 2, -1) > 0) {
        if (SSL_pending(ssl) > 0 || ends[0].revents) {
            int got = SSL_read(ssl, block, sizeof block);
            if (got <= 0 || write(server, block, (size_t)got) != got)
                return;
        } else if (ends[1].revents) {
            ssize_t got = read(server, block, sizeof block);
            if (got <= 0 || SSL_write(ssl, block, (int)got) <= 0)
                return;
        }
    }
}

/* certificate NULL: speaks no TLS, and greets as no database does. */
static _Noreturn void serve(int listener, const char *certificate, int mongod)
{
    SSL_CTX *context = certificate ? SSL_CTX_new(TLS_server_method()) : NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    if (context && (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
                    SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1))
        _exit(1);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork() > 0) {
            close(fd);
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        SSL *ssl = context ? SSL_new(context) : NULL;
        if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1)
            relay(ssl, local_socket(&mongod, false));
        else if (!ssl && write(fd, "220 this is no database\r\n", 25) < 0)
            _exit(1);
        _exit(0);
    }
}

static pid_t start_server(const char *certificate, int mongod, int *port)
{
    int listener = local_socket(port, true);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, certificate, mongod);
    close(listener);
    return pid;
}

static void end_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- what the tool says ---- */

static tf_program *try(const char *uri, const char *timeout, const char *more, const char *and_more)
{
    const char *const argv[] = {"history", "--json", "--timeout", timeout, more, and_more, NULL};
    return tf_program_exec(NULL, &(tf_program_options){.argv = argv, .uri = uri});
}

/* Fails unless it ends with 8 and these words are in what it says. */
static void expect(const char *name, const char *uri, const char *message, const char *hint)
{
    tf_program *p = try(uri, "2", NULL, NULL);
    if (p->status != 8 || !strstr(tf_program_text(p, "error.message"), message) ||
        !strstr(tf_program_text(p, "error.hint"), hint) || strcmp(tf_program_text(p, "error.code"), "CONNECT") != 0)
        fail_msg("%s: exit %d: %s", name, p->status, p->out);
    tf_program_free(p);
}

static void expect_good(const char *name, const char *uri, const char *more, const char *and_more)
{
    tf_program *p = try(uri, "20", more, and_more);
    if (p->status != 0)
        fail_msg("%s: exit %d: %s %s", name, p->status, p->out, p->err);
    tf_program_free(p);
}

static const struct row {
    const char *name;
    bool known;               /* the authority is the one that is trusted */
    const char *const *hosts; /* the certificate is for */
    int64_t from_s, until_s;
    const char *message, *hint; /* NULL: the intact case */
    const char *lax;            /* with this, and permission, it connects all the same */
} rows[] = {
    {"good", true, here, -DAY_S, DAY_S, NULL, NULL, NULL},
    {"expired", true, here, -2 * DAY_S, -DAY_S, "the certificate of 127.0.0.1:", "renewed on the server",
     "--tlsAllowInvalidCertificates"},
    {"expired a second ago", true, here, -2 * DAY_S, -1, "has expired on 20", "renewed on the server", "--tlsInsecure"},
    {"not yet valid", true, here, DAY_S, 2 * DAY_S, "is not valid before 20", "clocks", "--tlsInsecure"},
    {"unknown authority", false, here, -DAY_S, DAY_S,
     "was issued by an authority that is not trusted: CN=theirs,O=tokenfix sandbox", "--tlsCAFile",
     "--tlsAllowInvalidCertificates"},
    {"unknown authority, and expired", false, here, -2 * DAY_S, -DAY_S, "not trusted: CN=theirs", "--tlsCAFile",
     "--tlsInsecure"},
    {"another host", true, elsewhere, -DAY_S, DAY_S, "is for another host: db.example, 10.1.2.3",
     "as its certificate does", "--tlsAllowInvalidHostnames"},
};

/* The administrator of the shared server, by way of another port. */
static void uri_by(const tf_fixture *f, int port, char *out, size_t size)
{
    const char *at = strchr(f->uri, '@');
    assert_non_null(at);
    snprintf(out, size, "%.*s127.0.0.1:%d/%s?directConnection=true&authSource=admin&tls=true&tlsCAFile=%s",
             (int)(at + 1 - f->uri), f->uri, port, f->db, path_of("ours.pem"));
}

static int port_of(const tf_fixture *f)
{
    const mongoc_uri_t *uri = mongoc_client_get_uri(f->client);
    return mongoc_uri_get_hosts(uri)->port;
}

static void cause__of_a_bad_certificate_is_named(void **state)
{
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        tf_error err = {0};
        char uri[1024];
        int port;
        const tf_certificate wish = {"server", "server", row->hosts, row->from_s, row->until_s};
        assert_true(tf_authority_issue(row->known ? ours : theirs, &wish, path_of("server.pem"), &err));
        pid_t pid = start_server(path_of("server.pem"), port_of(f), &port);
        uri_by(f, port, uri, sizeof uri);
        if (row->message)
            expect(row->name, uri, row->message, row->hint);
        expect_good(row->name, uri, row->lax, row->lax ? "--allow-insecure-tls" : NULL);
        end_server(pid);
    }
}

static void cause__of_a_server_without_tls_is_named(void **state)
{
    tf_fixture *f = *state;
    char uri[1024];
    int port;
    pid_t pid = start_server(NULL, 0, &port);
    uri_by(f, port, uri, sizeof uri);
    expect("no TLS", uri, "does not speak TLS", "leave out --tls");
    end_server(pid);
    expect("nobody there", uri, "Database connection not ready", "server runs");
    uri_by(f, port_of(f), uri, sizeof uri);
    expect("a mongod without TLS", uri, "does not speak TLS", "leave out --tls");
}

/* ---- a real mongod, with certificates of ours ---- */

static void issue(const char *sandbox_folder, const char *name, const tf_certificate *wish)
{
    tf_error err = {0};
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", sandbox_folder, name);
    if (!tf_authority_issue(ours, wish, path, &err))
        fail_msg("%s: %s", err.message, err.detail);
}

static void cause__of_a_rejected_client_is_named(void **state)
{
    tf_fixture *f = *state;
    tf_error err = {0};
    tf_sandbox sandbox;
    tf_sandbox_stopped stopped;
    char ca[PATH_MAX + 64], uri[2048], client[600];
    tf_fixture_own_server(f, (tf_sandbox_options){.standalone = true, .tls = true}, &sandbox);
    /* begin anew with an authority whose key we have */
    assert_true(tf_sandbox_stop("own", false, &stopped, &err));
    snprintf(ca, sizeof ca, "%s/ca.pem", sandbox.folder);
    assert_true(tf_authority_write(ours, ca, &err));
    issue(sandbox.folder, "server.pem", &(tf_certificate){"server", "server", here, -DAY_S, DAY_S});
    issue(sandbox.folder, "client.pem", &(tf_certificate){"client", "client", NULL, -DAY_S, DAY_S});
    if (!tf_sandbox_start(&(tf_sandbox_options){.name = "own"}, &sandbox, &err))
        fail_msg("%s: %s", err.message, err.detail);

    assert_true(tf_sandbox_uri(&sandbox, NULL, NULL, uri, sizeof uri));
    expect_good("a good certificate", uri, NULL, NULL);

    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet", sandbox.node[0].port);
    expect("plaintext", uri, "takes connections with TLS only", "--tls");
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?tls=true&tlsCAFile=%s", sandbox.node[0].port, ca);
    expect("no certificate", uri, "demands a certificate of the client's", "--tlsCertificateKeyFile");

    static const struct {
        const char *name;
        bool known;
        int64_t from_s, until_s;
        const char *message;
    } clients[] = {
        {"expired", true, -2 * DAY_S, -DAY_S,
         "the client's certificate 'CN=me,OU=client,O=tokenfix sandbox' has expired"},
        {"early", true, DAY_S, 2 * DAY_S, "is not valid before 20"},
        {"unknown", false, -DAY_S, DAY_S, "does not accept the client's certificate"},
    };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
        const tf_certificate wish = {"me", "client", NULL, clients[i].from_s, clients[i].until_s};
        snprintf(client, sizeof client, "%s/me.pem", folder);
        assert_true(tf_authority_issue(clients[i].known ? ours : theirs, &wish, client, &err));
        snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/wallet?tls=true&tlsCAFile=%s&tlsCertificateKeyFile=%s",
                 sandbox.node[0].port, ca, client);
        expect(clients[i].name, uri, clients[i].message, "--tlsCertificateKeyFile");
    }
}

static void cause__of_an_unusable_file_is_named(void **state)
{
    tf_fixture *f = *state;
    tf_error err = {0};
    char uri[2048];
    const tf_certificate wish = {"server", "server", here, -DAY_S, DAY_S};
    int port;
    assert_true(tf_authority_issue(ours, &wish, path_of("server.pem"), &err));
    assert_true(tf_place_write(path_of("empty.pem"), "nothing\n", 8, &err));
    pid_t pid = start_server(path_of("server.pem"), port_of(f), &port);
    uri_by(f, port, uri, sizeof uri);
    size_t end = strlen(uri);
    snprintf(uri + end, sizeof uri - end, "&tlsCertificateKeyFile=%s", path_of("server.pem"));
    expect_good("our own certificate", uri, NULL, NULL);
    snprintf(uri + end, sizeof uri - end, "&tlsCertificateKeyFile=%s", path_of("ours.pem"));
    expect("no key", uri, "the client's key in", "the key beside its certificate");
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/shop?tls=true&tlsCAFile=%s", port, path_of("empty.pem"));
    expect("no authority", uri, "empty.pem' cannot be used", "PEM");
    end_server(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(cause__of_a_bad_certificate_is_named),
        TF_FIXTURE_TEST(cause__of_a_server_without_tls_is_named),
        TF_FIXTURE_OWN_TEST(cause__of_a_rejected_client_is_named),
        TF_FIXTURE_TEST(cause__of_an_unusable_file_is_named),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
