/*
 * A network that one can break: forwards TCP connections to servers on this machine, message by message as MongoDB frames
 * them, and loses what it is told to lose.
 *
 *   test-proxy TARGET_PORT…        prints the ports it listens on, one a line, in that order; ends with its standard input
 *
 * Commands, a line each on standard input; each is answered by a line with a number (0, but for `swallowed`):
 *   isolate N      nothing passes to or from the N-th server, nor between it and the others; connections stay, silent
 *   deafen N       nothing passes to it nor back; what it asks others still does
 *   cut N          its connections are closed, new ones too, until `heal`
 *   heal           everything passes again, what was held back too
 *   delay MS       every reply comes so much later
 *   swallow COMMAND COLLECTION SKIP COUNT close|hang
 *                  of the requests COMMAND (on COLLECTION, `*`: any), after SKIP of them, COUNT are carried out and their replies
 *                  lost; the connection is closed, or stays silent
 *   swallowed      how many replies were lost so
 *
 * Who asks is known where it is a mongod with test commands: its hello carries `hostInfo`, which ends with its port.
 */
#include <bson/bson.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS = 8, CONNECTIONS = 4096, HEADER = 16, BODY = HEADER + 5, MESSAGE_MAX = 64 << 20, OP_MSG = 2013 };

typedef enum { OPEN, DEAF, ISOLATED, CUT } state;

typedef struct connection {
    int client, server; /* sockets */
    int to, from;       /* server asked; server that asks, -1: another program */
    bool swallow, hang; /* the reply to what was asked last */
    bool used;
    atomic_int ends; /* directions still going */
} connection;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
    int target, listener;
    state state;
} servers[SERVERS];
static int servers_count;
static connection connections[CONNECTIONS];
static struct {
    char command[64], collection[128];
    int skip, count;
    bool hang;
} swallowing;
static int swallowed, delay_ms;

/* ---- sockets ---- */

static bool read_all(int fd, uint8_t *into, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = recv(fd, into + done, size - done, 0);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, from + done, size - done, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* A whole message in *buffer, which grows; 0 at the end of the connection. */
static size_t read_message(int fd, uint8_t **buffer, size_t *room)
{
    uint8_t head[HEADER];
    uint32_t length;
    if (!read_all(fd, head, sizeof head))
        return 0;
    memcpy(&length, head, sizeof length);
    length = BSON_UINT32_FROM_LE(length);
    if (length < HEADER || length > MESSAGE_MAX)
        return 0;
    if (length > *room) {
        *room = length;
        *buffer = realloc(*buffer, *room);
        if (!*buffer)
            abort();
    }
    memcpy(*buffer, head, sizeof head);
    return read_all(fd, *buffer + HEADER, length - HEADER) ? length : 0;
}

static void close_both(connection *c)
{
    shutdown(c->client, SHUT_RDWR);
    shutdown(c->server, SHUT_RDWR);
}

/* ---- what a message says ---- */

/* The command of an OP_MSG whose body comes first. */
static bool body_of(const uint8_t *message, size_t length, bson_t *body)
{
    uint32_t opcode, size;
    if (length < BODY + 5)
        return false;
    memcpy(&opcode, message + 12, sizeof opcode);
    memcpy(&size, message + BODY, sizeof size);
    size = BSON_UINT32_FROM_LE(size);
    return BSON_UINT32_FROM_LE(opcode) == OP_MSG && message[HEADER + 4] == 0 && size <= length - BODY &&
           bson_init_static(body, message + BODY, size);
}

static void learn_who_asks(connection *c, const bson_t *body)
{
    bson_iter_t iter;
    if (c->from >= 0 || !bson_iter_init_find(&iter, body, "hostInfo") || !BSON_ITER_HOLDS_UTF8(&iter))
        return;
    const char *colon = strrchr(bson_iter_utf8(&iter, NULL), ':');
    for (int i = 0; colon && i < servers_count; i++)
        if (servers[i].target == atoi(colon + 1))
            c->from = i;
}

static void mark_if_swallowed(connection *c, const bson_t *body)
{
    bson_iter_t iter;
    c->swallow = false;
    if (swallowing.count == 0 || !bson_iter_init(&iter, body) || !bson_iter_next(&iter) ||
        strcmp(bson_iter_key(&iter), swallowing.command) != 0)
        return;
    bool any = strcmp(swallowing.collection, "*") == 0;
    if (!any && (!BSON_ITER_HOLDS_UTF8(&iter) || strcmp(bson_iter_utf8(&iter, NULL), swallowing.collection) != 0))
        return;
    if (swallowing.skip > 0) {
        swallowing.skip--;
        return;
    }
    swallowing.count--;
    c->swallow = true;
    c->hang = swallowing.hang;
}

/* ---- forwarding ---- */

static bool held(const connection *c)
{
    return servers[c->to].state == ISOLATED || servers[c->to].state == DEAF || (c->from >= 0 && servers[c->from].state == ISOLATED);
}

/* Waits while nothing passes; false when the message is lost or the connection cut. */
static bool may_pass(connection *c, bool reply, const uint8_t *message, size_t length)
{
    bson_t body;
    bool pass = true;
    pthread_mutex_lock(&lock);
    if (!reply && body_of(message, length, &body)) {
        learn_who_asks(c, &body);
        mark_if_swallowed(c, &body);
    }
    if (reply && c->swallow) {
        swallowed++;
        while (c->hang && c->used)
            pthread_cond_wait(&changed, &lock);
        pass = false;
    }
    while (pass && held(c))
        pthread_cond_wait(&changed, &lock);
    pass = pass && servers[c->to].state != CUT;
    int wait = reply ? delay_ms : 0;
    pthread_mutex_unlock(&lock);
    if (pass && wait)
        nanosleep(&(struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000}, NULL);
    return pass;
}

static void leave(connection *c)
{
    close_both(c);
    pthread_mutex_lock(&lock);
    if (atomic_fetch_sub(&c->ends, 1) == 1) {
        close(c->client);
        close(c->server);
        c->used = false;
    } else if (c->hang) {
        c->hang = false; /* the client is gone: nobody waits for the reply */
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
}

static void forward(connection *c, bool reply)
{
    uint8_t *buffer = NULL;
    size_t room = 0, length;
    int from = reply ? c->server : c->client, to = reply ? c->client : c->server;
    while ((length = read_message(from, &buffer, &room)) > 0)
        if (!may_pass(c, reply, buffer, length) || !write_all(to, buffer, length))
            break;
    free(buffer);
    leave(c);
}

static void *forward_requests(void *arg)
{
    forward(arg, false);
    return NULL;
}

static void *forward_replies(void *arg)
{
    forward(arg, true);
    return NULL;
}

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, arg) != 0)
        abort();
    pthread_detach(thread);
}

static void take(int server, int client)
{
    int one = 1, onward = -1;
    connection *c = NULL;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CONNECTIONS && !c; i++)
        c = connections[i].used ? NULL : &connections[i];
    if (c && servers[server].state != CUT && (onward = connect_to(servers[server].target)) >= 0) {
        *c = (connection){.client = client, .server = onward, .to = server, .from = -1, .used = true};
        atomic_store(&c->ends, 2);
    }
    pthread_mutex_unlock(&lock);
    if (onward < 0) {
        close(client);
        return;
    }
    start_thread(forward_requests, c);
    start_thread(forward_replies, c);
}

static void *accept_all(void *arg)
{
    int server = (int)(intptr_t)arg, client;
    while ((client = accept4(servers[server].listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        take(server, client);
    return NULL;
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 256) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        exit(1);
    *port = ntohs(address.sin_port);
    return fd;
}

/* ---- commands ---- */

static void set_state(int server, state new)
{
    if (server < 0 || server >= servers_count)
        exit(2);
    servers[server].state = new;
    for (int i = 0; new == CUT && i < CONNECTIONS; i++)
        if (connections[i].used && connections[i].to == server)
            close_both(&connections[i]);
}

static void heal(void)
{
    for (int i = 0; i < servers_count; i++)
        servers[i].state = OPEN;
    swallowing.count = 0;
    delay_ms = 0;
}

static int obey(const char *line)
{
    int n;
    char how[8];
    if (sscanf(line, "isolate %d", &n) == 1)
        set_state(n, ISOLATED);
    else if (sscanf(line, "deafen %d", &n) == 1)
        set_state(n, DEAF);
    else if (sscanf(line, "cut %d", &n) == 1)
        set_state(n, CUT);
    else if (strncmp(line, "heal", 4) == 0)
        heal();
    else if (sscanf(line, "delay %d", &n) == 1)
        delay_ms = n;
    else if (strncmp(line, "swallowed", 9) == 0) /* sscanf would read it as the next */
        return swallowed;
    else if (sscanf(line, "swallow %63s %127s %d %d %7s", swallowing.command, swallowing.collection, &swallowing.skip,
                    &swallowing.count, how) == 5) {
        swallowing.hang = strcmp(how, "hang") == 0;
        swallowed = 0;
    } else
        exit(2);
    return 0;
}

int main(int argc, char **argv)
{
    char line[512];
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc && servers_count < SERVERS; i++, servers_count++) {
        int port;
        servers[servers_count].target = atoi(argv[i]);
        servers[servers_count].listener = listen_somewhere(&port);
        printf("%d\n", port);
    }
    fflush(stdout);
    for (intptr_t i = 0; i < servers_count; i++)
        start_thread(accept_all, (void *)i);
    while (fgets(line, sizeof line, stdin)) {
        pthread_mutex_lock(&lock);
        int answer = obey(line);
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        printf("%d\n", answer);
        fflush(stdout);
    }
    _exit(0); /* threads are still at work */
}
