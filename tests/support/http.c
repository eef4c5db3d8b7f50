#include "support/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <tokenfix/bson.h>
#include <unistd.h>

enum { REQUESTS = 512, HELD = 64, REQUEST_MAX = 1 << 20 };

struct http_server {
    int listening, held[HELD];
    SSL *held_tls[HELD];
    size_t held_count;
    char url[96];
    SSL_CTX *tls;
    pthread_t thread;
    pthread_mutex_t mutex;
    const int *script;
    http_request *requests[REQUESTS];
    size_t count;
    atomic_bool ended;
};

typedef struct {
    int fd;
    SSL *tls;
} peer;

static ssize_t peer_read(const peer *p, char *data, size_t size)
{
    return p->tls ? SSL_read(p->tls, data, (int)size) : read(p->fd, data, size);
}

static bool peer_write(const peer *p, const char *data, size_t size)
{
    while (size) {
        ssize_t done = p->tls ? SSL_write(p->tls, data, (int)size) : send(p->fd, data, size, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        data += done;
        size -= (size_t)done;
    }
    return true;
}

static bool say(const peer *p, const char *text)
{
    return peer_write(p, text, strlen(text));
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static char *read_request(const peer *p)
{
    char *text = bson_malloc0(REQUEST_MAX + 1);
    size_t used = 0, whole = REQUEST_MAX;
    ssize_t got;
    while (used < whole && (got = peer_read(p, text + used, REQUEST_MAX - used)) > 0) {
        used += (size_t)got;
        char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length: ");
        if (end)
            whole = (size_t)(end + 4 - text) + (length && length < end ? (size_t)atol(length + 18) : 0);
    }
    return text;
}

static void keep(http_server *server, char *text)
{
    http_request *request = bson_malloc0(sizeof *request);
    char *end = strstr(text, "\r\n\r\n"), *space = strchr(text, ' ');
    if (space)
        snprintf(request->path, sizeof request->path, "%.*s", (int)strcspn(space + 1, " \r"), space + 1);
    request->body = bson_strdup(end ? end + 4 : "");
    if (end)
        *end = '\0';
    request->head = bson_strdup(text);
    pthread_mutex_lock(&server->mutex);
    if (server->count < REQUESTS)
        server->requests[server->count++] = request;
    pthread_mutex_unlock(&server->mutex);
    bson_free(text);
}

static void stream_without_end(http_server *server, const peer *p, const char *part, size_t size, long ms)
{
    while (!atomic_load(&server->ended) && peer_write(p, part, size))
        if (ms)
            pause_ms(ms);
}

static const char head_200[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

/* Whether the connection is to be closed. */
static bool answer(http_server *server, const peer *p, int how)
{
    char block[4096], text[256];
    memset(block, 'x', sizeof block);
    switch (how) {
    case HTTP_OK:
        say(p, head_200);
        return say(p, "Content-Length: 2\r\n\r\nok") || true;
    case HTTP_FAIL:
        return say(p, "HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") || true;
    case HTTP_BUSY:
        return say(p, "HTTP/1.1 429 Slowly\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") || true;
    case HTTP_MISSING:
        return say(p, "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") || true;
    case HTTP_REDIRECT:
        snprintf(text, sizeof text, "HTTP/1.1 302 There\r\nLocation: %.*s/elsewhere\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                 (int)(strlen(server->url) - strlen("/hook")), server->url);
        return say(p, text) || true;
    case HTTP_DRIP:
        say(p, head_200);
        stream_without_end(server, p, "X-More: 1\r\n", 11, 20);
        return true;
    case HTTP_GARBAGE:
        say(p, head_200);
        return say(p, "Content-Length: 8\r\n\r\n\xff\xfe\x01{\"x\":") || true;
    case HTTP_ENDLESS:
        say(p, head_200);
        say(p, "\r\n");
        stream_without_end(server, p, block, sizeof block, 0);
        return true;
    case HTTP_SHORT:
        say(p, head_200);
        return say(p, "Content-Length: 1000\r\n\r\nshort") || true;
    case HTTP_NONSENSE:
        return say(p, "220 mail.example.com ESMTP\r\n") || true;
    default:
        return how != HTTP_SILENT;
    }
}

static void close_peer(peer p)
{
    if (p.tls) {
        SSL_shutdown(p.tls);
        SSL_free(p.tls);
    }
    close(p.fd);
}

static void serve(http_server *server, int fd)
{
    peer p = {.fd = fd};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval));
    if (server->tls) {
        p.tls = SSL_new(server->tls);
        SSL_set_fd(p.tls, fd);
        if (SSL_accept(p.tls) != 1) {
            SSL_free(p.tls);
            close(fd);
            return;
        }
    }
    char *text = read_request(&p);
    if (!*text) { /* who does not trust our certificate says nothing more; of another host's it notices that after the handshake */
        bson_free(text);
        close_peer(p);
        return;
    }
    pthread_mutex_lock(&server->mutex);
    int how = *server->script;
    if (server->script[1] != -1)
        server->script++;
    pthread_mutex_unlock(&server->mutex);
    keep(server, text);
    if (answer(server, &p, how) || server->held_count == HELD) {
        shutdown(fd, SHUT_WR);
        close_peer(p);
        return;
    }
    server->held_tls[server->held_count] = p.tls;
    server->held[server->held_count++] = fd;
}

static void *work(void *arg)
{
    http_server *server = arg;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    int fd;
    while ((fd = accept4(server->listening, NULL, NULL, SOCK_CLOEXEC)) != -1 || errno == EINTR || errno == ECONNABORTED)
        if (fd != -1)
            serve(server, fd);
    return NULL;
}

static void fail(const char *what)
{
    perror(what);
    abort();
}

http_server *http_start(const int *script, const char *certificate)
{
    http_server *server = bson_malloc0(sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->script = script;
    pthread_mutex_init(&server->mutex, NULL);
    server->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listening == -1 || bind(server->listening, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listening, 64) != 0 || getsockname(server->listening, (struct sockaddr *)&address, &length) != 0)
        fail("http server");
    if (certificate) {
        server->tls = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(server->tls, certificate) != 1 ||
            SSL_CTX_use_PrivateKey_file(server->tls, certificate, SSL_FILETYPE_PEM) != 1)
            fail("certificate");
    }
    snprintf(server->url, sizeof server->url, "http%s://127.0.0.1:%d/hook", certificate ? "s" : "", ntohs(address.sin_port));
    if (pthread_create(&server->thread, NULL, work, server) != 0)
        fail("thread");
    return server;
}

void http_stop(http_server *server)
{
    if (!server)
        return;
    atomic_store(&server->ended, true);
    shutdown(server->listening, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listening);
    for (size_t i = 0; i < server->held_count; i++)
        close_peer((peer){.fd = server->held[i], .tls = server->held_tls[i]});
    for (size_t i = 0; i < server->count; i++) {
        bson_free(server->requests[i]->head);
        bson_free(server->requests[i]->body);
        bson_free(server->requests[i]);
    }
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->mutex);
    bson_free(server);
}

const char *http_url(const http_server *server)
{
    return server->url;
}

size_t http_count(http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t count = server->count;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

size_t http_wait(http_server *server, size_t count)
{
    for (int n = 0; n < 3000 && http_count(server) < count; n++)
        pause_ms(20);
    return http_count(server);
}

const http_request *http_request_at(http_server *server, size_t n)
{
    if (n >= http_count(server))
        fail("no such request");
    return server->requests[n];
}

const char *http_header(const http_request *request, const char *name)
{
    static char value[512];
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strstr(request->head, wanted);
    value[0] = '\0';
    if (at)
        snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(wanted), "\r"), at + strlen(wanted));
    return value;
}

void http_switch(http_server *server, const int *script)
{
    pthread_mutex_lock(&server->mutex);
    server->script = script;
    pthread_mutex_unlock(&server->mutex);
}
