#include "sandbox/replica.h"

#include "base/text.h"
#include "sandbox/tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 90000, PAUSE_MS = 25 };

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000 * 1000}, NULL);
}

static bool server_error(tf_error *err, const bson_error_t *error, const char *what)
{
    tf_error_set(err, TF_ERR_SERVER, "the sandbox's mongod refused: %s", what);
    return tf_error_detail(err, "%s", error->message);
}

static mongoc_client_t *connect_node(const tf_sandbox *sandbox, unsigned node, tf_error *err)
{
    int port = sandbox->node[node].port;
    char text[TF_SANDBOX_URI + 160], tls[TF_SANDBOX_URI];
    if (!tf_tls_options(sandbox, tls, sizeof tls)) {
        tf_error_set(err, TF_ERR_SYSTEM, "the path %s is too long", sandbox->folder);
        return NULL;
    }
    snprintf(text, sizeof text,
             "mongodb://127.0.0.1:%d/?directConnection=true&serverSelectionTimeoutMS=5000&connectTimeoutMS=5000%s",
             port, tls);
    mongoc_client_t *client = mongoc_client_new(text);
    if (client)
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    else
        tf_error_set(err, TF_ERR_INTERNAL, "cannot make a client for port %d", port);
    return client;
}

static bool listens(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* The reason stands in one of the last lines of the log: the last one that speaks of an error, else the last. */
static void log_reason(const tf_sandbox *sandbox, unsigned node, tf_error *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/node%u.log", sandbox->folder, node) >= sizeof path)
        return;
    _cleanup_(fclosep) FILE *log = fopen(path, "re");
    if (!log)
        return;
    char reason[400] = "", line[4096];
    bool telling = false;
    while (fgets(line, sizeof line, log)) {
        line[strcspn(line, "\n")] = '\0';
        bool tells = strstr(line, "\"s\":\"E\"") || strstr(line, "\"s\":\"F\"") || tf_text_begins(line, "error");
        if (line[0] && (tells || !telling))
            snprintf(reason, sizeof reason, "%.399s", line);
        telling |= tells;
    }
    tf_error_detail(err, "%s", reason);
}

bool tf_replica_await(const tf_sandbox *sandbox, tf_error *err)
{
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        int waited = 0;
        while (!listens(sandbox->node[i].port)) {
            if (!tf_process_alive(&sandbox->node[i].process)) {
                tf_error_set(err, TF_ERR_SYSTEM, "mongod ended while it was starting");
                log_reason(sandbox, i, err);
                return tf_error_hint(err, "Its log is %s/node%u.log.", sandbox->folder, i);
            }
            if ((waited += PAUSE_MS) > PATIENCE_MS)
                return tf_error_set(err, TF_ERR_SYSTEM, "mongod does not answer on port %d", sandbox->node[i].port);
            rest();
        }
        /* another process may have taken the port: ours would have ended then */
        if (!tf_process_alive(&sandbox->node[i].process)) {
            tf_error_set(err, TF_ERR_SYSTEM, "mongod ended while it was starting");
            log_reason(sandbox, i, err);
            return false;
        }
    }
    return true;
}

bool tf_replica_initiate(const tf_sandbox *sandbox, tf_error *err)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_node(sandbox, 0, err);
    if (!client)
        return false;
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    bson_t config, members, member, settings;
    BSON_APPEND_DOCUMENT_BEGIN(&command, "replSetInitiate", &config);
    BSON_APPEND_UTF8(&config, "_id", "tokenfix");
    BSON_APPEND_ARRAY_BEGIN(&config, "members", &members);
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        char key[16], host[32];
        snprintf(key, sizeof key, "%u", i);
        snprintf(host, sizeof host, "127.0.0.1:%d", sandbox->node[i].port);
        BSON_APPEND_DOCUMENT_BEGIN(&members, key, &member);
        BSON_APPEND_INT32(&member, "_id", (int32_t)i);
        BSON_APPEND_UTF8(&member, "host", host);
        bson_append_document_end(&members, &member);
    }
    bson_append_array_end(&config, &members);
    BSON_APPEND_DOCUMENT_BEGIN(&config, "settings", &settings);
    BSON_APPEND_INT32(&settings, "electionTimeoutMillis", 2000);
    BSON_APPEND_INT32(&settings, "heartbeatIntervalMillis", 500);
    bson_append_document_end(&config, &settings);
    bson_append_document_end(&command, &config);
    bson_error_t error;
    if (!mongoc_client_command_simple(client, "admin", &command, NULL, NULL, &error))
        return server_error(err, &error, "replSetInitiate");
    return true;
}

/* By the handshake alone: a command would open a session, which nobody may close before there are users. */
static bool hello_says(mongoc_client_t *client, bool *writable, bool *secondary)
{
    mongoc_server_description_t *server = mongoc_client_select_server(client, false, NULL, NULL);
    const char *type = server ? mongoc_server_description_type(server) : "";
    *writable = strcmp(type, "RSPrimary") == 0 || strcmp(type, "Standalone") == 0;
    *secondary = strcmp(type, "RSSecondary") == 0;
    mongoc_server_description_destroy(server);
    return server != NULL;
}

static bool in_place(const tf_sandbox *sandbox)
{
    unsigned writable = 0, secondary = 0;
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        bool w, s;
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_node(sandbox, i, NULL);
        if (!client || !hello_says(client, &w, &s))
            return false;
        writable += w;
        secondary += s;
    }
    return writable == 1 && writable + secondary == sandbox->nodes;
}

bool tf_replica_elect(const tf_sandbox *sandbox, tf_error *err)
{
    for (int waited = 0; !in_place(sandbox); waited += PAUSE_MS) {
        for (unsigned i = 0; i < sandbox->nodes; i++)
            if (!tf_process_alive(&sandbox->node[i].process)) {
                tf_error_set(err, TF_ERR_SYSTEM, "mongod ended while it was starting");
                log_reason(sandbox, i, err);
                return false;
            }
        if (waited > PATIENCE_MS)
            return tf_error_set(err, TF_ERR_SYSTEM, "the sandbox's replica set elects no primary");
        rest();
    }
    return true;
}

static mongoc_client_t *connect_as_admin(const tf_sandbox *sandbox, tf_error *err)
{
    char uri[TF_SANDBOX_URI];
    if (!tf_sandbox_uri(sandbox, NULL, NULL, uri, sizeof uri)) {
        tf_error_set(err, TF_ERR_INTERNAL, "the sandbox has no connection string");
        return NULL;
    }
    mongoc_client_t *client = mongoc_client_new(uri);
    if (client)
        mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    else
        tf_error_set(err, TF_ERR_INTERNAL, "cannot make a client for the sandbox");
    return client;
}

static bool command_on(mongoc_client_t *client, const char *db, const bson_t *command, const char *what, tf_error *err)
{
    bson_error_t error;
    if (mongoc_client_command_simple(client, db, command, NULL, NULL, &error))
        return true;
    return server_error(err, &error, what);
}

static void majority(bson_t *command)
{
    bson_t concern;
    BSON_APPEND_DOCUMENT_BEGIN(command, "writeConcern", &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    BSON_APPEND_BOOL(&concern, "j", true);
    bson_append_document_end(command, &concern);
}

/* Two mechanisms would leave which is used to the client. */
static void sha256_only(bson_t *create_user)
{
    bson_t mechanisms;
    BSON_APPEND_ARRAY_BEGIN(create_user, "mechanisms", &mechanisms);
    BSON_APPEND_UTF8(&mechanisms, "0", "SCRAM-SHA-256");
    bson_append_array_end(create_user, &mechanisms);
}

static bool create_admin(const tf_sandbox *sandbox, tf_error *err)
{
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        bool writable, secondary;
        _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_node(sandbox, i, err);
        if (!client)
            return false;
        if (!hello_says(client, &writable, &secondary) || !writable)
            continue;
        _cleanup_bson_ bson_t command = BSON_INITIALIZER;
        bson_t roles;
        BSON_APPEND_UTF8(&command, "createUser", sandbox->login[0].name);
        BSON_APPEND_UTF8(&command, "pwd", sandbox->login[0].password);
        sha256_only(&command);
        BSON_APPEND_ARRAY_BEGIN(&command, "roles", &roles);
        BSON_APPEND_UTF8(&roles, "0", "root");
        bson_append_array_end(&command, &roles);
        majority(&command);
        return command_on(client, "admin", &command, "createUser", err);
    }
    return tf_error_set(err, TF_ERR_SYSTEM, "the sandbox lost its primary while it was starting");
}

static bool create_user(mongoc_client_t *client, const tf_sandbox_login *login, const tf_sandbox_user *user,
                        tf_error *err)
{
    char role[64];
    snprintf(role, sizeof role, "tokenfix_%s", user->name);
    if (user->privileges) {
        _cleanup_bson_ bson_t create = BSON_INITIALIZER;
        bson_t none;
        BSON_APPEND_UTF8(&create, "createRole", role);
        BSON_APPEND_ARRAY(&create, "privileges", user->privileges);
        BSON_APPEND_ARRAY_BEGIN(&create, "roles", &none);
        bson_append_array_end(&create, &none);
        majority(&create);
        if (!command_on(client, "admin", &create, "createRole", err))
            return false;
    }
    _cleanup_bson_ bson_t roles = BSON_INITIALIZER;
    unsigned count = 0;
    if (user->roles) {
        bson_concat(&roles, user->roles);
        count = bson_count_keys(&roles);
    }
    if (user->privileges) {
        char key[16];
        snprintf(key, sizeof key, "%u", count);
        BCON_APPEND(&roles, key, "{", "role", BCON_UTF8(role), "db", "admin", "}");
    }
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    char subject[128];
    tf_tls_subject(subject, sizeof subject);
    BSON_APPEND_UTF8(&command, "createUser", login->certificate ? subject : login->name);
    if (!login->certificate) {
        BSON_APPEND_UTF8(&command, "pwd", login->password);
        sha256_only(&command);
    }
    BSON_APPEND_ARRAY(&command, "roles", &roles);
    majority(&command);
    return command_on(client, login->certificate ? "$external" : "admin", &command, "createUser", err);
}

bool tf_replica_users(const tf_sandbox *sandbox, const tf_sandbox_user *users, size_t count, tf_error *err)
{
    if (!create_admin(sandbox, err))
        return false;
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_as_admin(sandbox, err);
    if (!client)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!create_user(client, &sandbox->login[i + 1], &users[i], err))
            return false;
    return true;
}

bool tf_replica_empty(const tf_sandbox *sandbox, tf_error *err)
{
    _cleanup_(mongoc_client_destroyp) mongoc_client_t *client = connect_as_admin(sandbox, err);
    if (!client)
        return false;
    bson_error_t error;
    char **names = mongoc_client_get_database_names_with_opts(client, NULL, &error);
    if (!names)
        return server_error(err, &error, "listDatabases");
    bool ok = true;
    for (char **name = names; ok && *name; name++) {
        if (strcmp(*name, "admin") == 0 || strcmp(*name, "config") == 0 || strcmp(*name, "local") == 0)
            continue;
        _cleanup_bson_ bson_t drop = BSON_INITIALIZER;
        BSON_APPEND_INT32(&drop, "dropDatabase", 1);
        if (!sandbox->standalone)
            majority(&drop);
        if (!mongoc_client_command_simple(client, *name, &drop, NULL, NULL, &error))
            ok = server_error(err, &error, "dropDatabase");
    }
    bson_strfreev(names);
    return ok;
}
