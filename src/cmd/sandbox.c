#include "cmd/sandbox.h"

#include "cmd/commands.h"
#include "db/role.h"
#include "report/output.h"

#define NAME_HELP "The sandbox; several can run side by side."

typedef struct start_args {
    const char *name, *mongod;
    int64_t nodes, cache_mb;
    bool standalone, auth;
    tf_strings parameters;
} start_args;

typedef struct stop_args {
    const char *name;
    bool remove;
} stop_args;

typedef struct name_args {
    const char *name;
} name_args;

static const tf_option start_options[] = {
    TF_OPTION_STRING(start_args, name, "name", NAME_HELP, .fallback = "default", .metavar = "NAME"),
    TF_OPTION_INT(start_args, nodes, "nodes", 1, 3, "Members of the replica set, 1 or 3; 1 if not given.",
                  .metavar = "N"),
    TF_OPTION_FLAG(start_args, standalone, "standalone", "A single server without a replica set."),
    TF_OPTION_FLAG(start_args, auth, "auth",
                   "With access control: users admin, run and monitor with the least-privilege roles, and reader."),
    TF_OPTION_STRING(start_args, mongod, "mongod",
                     "The mongod to start; else the one in PATH, in the cache, or downloaded into it.",
                     .metavar = "PATH", .env = "TOKENFIX_MONGOD"),
    TF_OPTION_INT(start_args, cache_mb, "cache-mb", 256, 1048576,
                  "Cache of each member in MB; 1024, or 256 where there are three, if not given.", .metavar = "MB"),
    TF_OPTION_LIST(start_args, parameters, "set-parameter", "A parameter of the server; may be repeated.",
                   .metavar = "NAME=VALUE"),
    TF_OPTION_END,
};

static const tf_option stop_options[] = {
    TF_OPTION_STRING(stop_args, name, "name", NAME_HELP, .fallback = "default", .metavar = "NAME"),
    TF_OPTION_FLAG(stop_args, remove, "remove", "Delete its data too."),
    TF_OPTION_END,
};

static const tf_option status_options[] = {
    TF_OPTION_STRING(name_args, name, "name", "Only this sandbox.", .metavar = "NAME"),
    TF_OPTION_END,
};

static const tf_option reset_options[] = {
    TF_OPTION_STRING(name_args, name, "name", NAME_HELP, .fallback = "default", .metavar = "NAME"),
    TF_OPTION_END,
};

static void say(const char *text)
{
    tf_output_note("%s", text);
}

static const char *form(const tf_sandbox *sandbox)
{
    if (sandbox->standalone)
        return "a standalone server";
    return sandbox->nodes == 1 ? "a replica set of one node" : "a replica set of three nodes";
}

static void append_sandbox(bson_t *to, const tf_sandbox *sandbox)
{
    char uri[TF_SANDBOX_URI], key[16];
    bson_t list, item;
    BSON_APPEND_UTF8(to, "name", sandbox->name);
    BSON_APPEND_BOOL(to, "running", tf_sandbox_running(sandbox));
    if (tf_sandbox_uri(sandbox, NULL, NULL, uri, sizeof uri))
        BSON_APPEND_UTF8(to, "uri", uri);
    BSON_APPEND_UTF8(to, "database", sandbox->database);
    BSON_APPEND_BOOL(to, "standalone", sandbox->standalone);
    BSON_APPEND_BOOL(to, "auth", sandbox->auth);
    BSON_APPEND_BOOL(to, "tls", sandbox->tls);
    BSON_APPEND_UTF8(to, "folder", sandbox->folder);
    BSON_APPEND_UTF8(to, "mongod", sandbox->mongod);
    BSON_APPEND_ARRAY_BEGIN(to, "nodes", &list);
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        snprintf(key, sizeof key, "%u", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &item);
        BSON_APPEND_INT32(&item, "port", sandbox->node[i].port);
        BSON_APPEND_INT32(&item, "pid", sandbox->node[i].running ? sandbox->node[i].process.pid : 0);
        BSON_APPEND_BOOL(&item, "running", sandbox->node[i].running);
        bson_append_document_end(&list, &item);
    }
    bson_append_array_end(to, &list);
    BSON_APPEND_ARRAY_BEGIN(to, "logins", &list);
    for (unsigned i = 0; i < sandbox->logins; i++) {
        snprintf(key, sizeof key, "%u", i);
        BSON_APPEND_DOCUMENT_BEGIN(&list, key, &item);
        BSON_APPEND_UTF8(&item, "name", sandbox->login[i].name);
        if (tf_sandbox_uri(sandbox, sandbox->login[i].name, NULL, uri, sizeof uri))
            BSON_APPEND_UTF8(&item, "uri", uri);
        bson_append_document_end(&list, &item);
    }
    bson_append_array_end(to, &list);
}

/* Without access control the URI alone, so that a shell can take it; with it, a line for each user. */
static void print_uris(const tf_sandbox *sandbox, const char *indent)
{
    char uri[TF_SANDBOX_URI];
    if (!sandbox->logins && tf_sandbox_uri(sandbox, NULL, NULL, uri, sizeof uri))
        printf("%s%s\n", indent, uri);
    for (unsigned i = 0; i < sandbox->logins; i++)
        if (tf_sandbox_uri(sandbox, sandbox->login[i].name, NULL, uri, sizeof uri))
            printf("%s%-8s %s\n", indent, sandbox->login[i].name, uri);
}

static bool start(const tf_globals *globals, const start_args *args, tf_sandbox *sandbox, tf_error *err)
{
    static const char *const read[] = {"cashu_wallets", NULL};
    const char *db = globals->db ? globals->db : "wallet";
    /* TOKENFIX_TLS is about another server */
    bool tls = globals->tls && tf_options_source(globals->options, "tls") == TF_SOURCE_FLAG;
    char state_db[80];
    snprintf(state_db, sizeof state_db, "%s_tokenfix", db);
    const char *records = globals->state_db ? globals->state_db : state_db;
    if (args->auth && strcmp(records, db) == 0) {
        tf_error_set(err, TF_ERR_USAGE, "the role for a state database that is the repaired one would be too wide");
        return tf_error_hint(err, "Leave out --state-db, or name another.");
    }
    _cleanup_bson_ bson_t run = BSON_INITIALIZER;
    _cleanup_bson_ bson_t monitor = BSON_INITIALIZER;
    _cleanup_bson_ bson_t reader = BSON_INITIALIZER;
    tf_role_document("run", db, records, "cashu_tokens", read, &run);
    tf_role_document("monitor", db, records, NULL, NULL, &monitor);
    BCON_APPEND(&reader, "0", "{", "role", "read", "db", BCON_UTF8(db), "}", "1", "{", "role", "read", "db",
                BCON_UTF8(records), "}");
    const tf_sandbox_user users[] = {{.name = "run", .privileges = &run},
                                     {.name = "monitor", .privileges = &monitor},
                                     {.name = "reader", .roles = &reader},
                                     {.name = "x509", .privileges = &run, .certificate = true}};
    _cleanup_free_ const char **parameters = calloc(args->parameters.count + 1, sizeof *parameters);
    if (!parameters)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < args->parameters.count; i++)
        parameters[i] = args->parameters.items[i];
    const tf_sandbox_options options = {
        .name = args->name,
        .mongod = args->mongod,
        .database = globals->db,
        .nodes = (unsigned)args->nodes,
        .standalone = args->standalone,
        .auth = args->auth,
        .tls = tls,
        .cache_mb = (unsigned)args->cache_mb,
        .parameters = args->parameters.count ? parameters : NULL,
        .users = users,
        .users_count = sizeof users / sizeof users[0] - (tls ? 0 : 1),
        .say = globals->quiet ? NULL : say,
    };
    return tf_sandbox_start(&options, sandbox, err);
}

static int run_start(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    mongoc_log_set_handler(NULL, NULL);
    tf_error err = {0};
    _cleanup_free_ tf_sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        tf_error_set(&err, TF_ERR_MEMORY, "out of memory");
    if (!sandbox || !start(globals, args, sandbox, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append_sandbox(&data, sandbox);
        tf_output_success(&data);
        return 0;
    }
    print_uris(sandbox, "");
    if (!globals->quiet)
        tf_output_note("sandbox '%s' is running, %s; 'tokenfix sandbox stop --name %s' ends it", sandbox->name,
                       form(sandbox), sandbox->name);
    return 0;
}

static int run_stop(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    const stop_args *stop = args;
    tf_error err = {0};
    tf_sandbox_stopped stopped = {0};
    if (!tf_sandbox_stop(stop->name, stop->remove, &stopped, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&data, "name", stop->name);
        BSON_APPEND_INT32(&data, "ended", (int32_t)stopped.ended);
        BSON_APPEND_INT32(&data, "stale", (int32_t)stopped.stale);
        BSON_APPEND_BOOL(&data, "removed", stop->remove);
        tf_output_success(&data);
        return 0;
    }
    if (stopped.stale)
        tf_output_warning("%u of its processes had ended before; no other process was touched", stopped.stale);
    if (!globals->quiet)
        tf_output_note("sandbox '%s' %s%s", stop->name, stopped.ended ? "is stopped" : "was not running",
                       stop->remove ? ", and its data are deleted" : "");
    return 0;
}

static bool gather(const char *name, tf_sandbox **list, size_t *count, tf_error *err)
{
    if (!name)
        return tf_sandbox_list(list, count, err);
    _cleanup_free_ tf_sandbox *one = calloc(1, sizeof *one);
    if (!one)
        return tf_error_set(err, TF_ERR_MEMORY, "out of memory");
    if (!tf_sandbox_status(name, one, err))
        return false;
    *list = TAKE_PTR(one);
    *count = 1;
    return true;
}

static void print_sandbox(const tf_sandbox *sandbox)
{
    printf("%s: %s, %s\n", sandbox->name, tf_sandbox_running(sandbox) ? "running" : "stopped", form(sandbox));
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        const tf_sandbox_node *node = &sandbox->node[i];
        if (node->running)
            printf("  port %d, pid %d\n", node->port, (int)node->process.pid);
        else
            printf("  port %d, not running\n", node->port);
    }
    if (tf_sandbox_running(sandbox))
        print_uris(sandbox, "  ");
}

static int run_status(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    const name_args *status = args;
    tf_error err = {0};
    _cleanup_free_ tf_sandbox *list = NULL;
    size_t count = 0;
    if (!gather(status->name, &list, &count, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        bson_t array, item;
        BSON_APPEND_ARRAY_BEGIN(&data, "sandboxes", &array);
        for (size_t i = 0; i < count; i++) {
            char key[24];
            snprintf(key, sizeof key, "%zu", i);
            BSON_APPEND_DOCUMENT_BEGIN(&array, key, &item);
            append_sandbox(&item, &list[i]);
            bson_append_document_end(&array, &item);
        }
        bson_append_array_end(&data, &array);
        tf_output_success(&data);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        print_sandbox(&list[i]);
    if (count == 0 && !globals->quiet)
        tf_output_note("there is no sandbox; 'tokenfix sandbox start' makes one");
    return 0;
}

static int run_reset(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    const name_args *reset = args;
    mongoc_log_set_handler(NULL, NULL);
    tf_error err = {0};
    if (!tf_sandbox_reset(reset->name, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&data, "name", reset->name);
        tf_output_success(&data);
    } else if (!globals->quiet) {
        tf_output_note("sandbox '%s' is empty", reset->name);
    }
    return 0;
}

bool tf_cmd_sandbox_open(const char *name, const char *db, tf_sandbox *sandbox, char *uri, size_t size, tf_error *err)
{
    if (!tf_sandbox_status(name, sandbox, err))
        return false;
    if (!tf_sandbox_running(sandbox)) {
        tf_error_set(err, TF_ERR_CONNECT, "sandbox '%s' is not running", sandbox->name);
        return tf_error_hint(err, "Start it with 'tokenfix sandbox start --name %s'.", sandbox->name);
    }
    if (tf_sandbox_uri(sandbox, NULL, db, uri, size))
        return true;
    return tf_error_set(err, TF_ERR_INTERNAL, "the sandbox has no connection string");
}

static const tf_command start_command = {
    .name = "start",
    .synopsis = "",
    .summary = "Start a sandbox and print its connection string",
    .description = "A sandbox that was stopped goes on with its data. One that runs is left as it is.\n\n"
                   "With --tls it takes connections with TLS and a client's certificate only. It has an authority of "
                   "its own, and its "
                   "connection string names the files. With --auth and --tls there is a user x509 too, who logs in "
                   "with the client's "
                   "certificate and has the role of run.",
    .flags = TF_CMD_NO_DATABASE,
    .options = start_options,
    .args_size = sizeof(start_args),
    .exits = "012",
    .run = run_start,
};

static const tf_command stop_command = {
    .name = "stop",
    .synopsis = "",
    .summary = "End exactly the processes that were started for a sandbox",
    .flags = TF_CMD_NO_DATABASE,
    .options = stop_options,
    .args_size = sizeof(stop_args),
    .exits = "012",
    .run = run_stop,
};

static const tf_command status_command = {
    .name = "status",
    .synopsis = "",
    .summary = "List the sandboxes, their processes and connection strings",
    .flags = TF_CMD_NO_DATABASE,
    .options = status_options,
    .args_size = sizeof(name_args),
    .exits = "012",
    .run = run_status,
};

static const tf_command reset_command = {
    .name = "reset",
    .synopsis = "",
    .summary = "Empty a sandbox: drop all its databases",
    .flags = TF_CMD_NO_DATABASE,
    .options = reset_options,
    .args_size = sizeof(name_args),
    .exits = "0128",
    .run = run_reset,
};

static const tf_command *const subcommands[] = {
    &start_command, &stop_command, &status_command, &tf_cmd_sandbox_seed, &reset_command, NULL,
};

const tf_command tf_cmd_sandbox = {
    .name = "sandbox",
    .synopsis = "",
    .summary = "A private mongod to try things on",
    .description = "A mongod on 127.0.0.1 with a free port, kept until it is stopped. Its data lie below "
                   "$XDG_STATE_HOME/tokenfix, by default ~/.local/state/tokenfix.",
    .flags = TF_CMD_NO_DATABASE,
    .exits = "0128",
    .subcommands = subcommands,
};
