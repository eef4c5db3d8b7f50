#include "cmd/sandbox.h"

#include "cmd/commands.h"
#include "report/output.h"

typedef struct stop_args {
    const char *name;
    bool remove;
} stop_args;

typedef struct name_args {
    const char *name;
} name_args;

static const tf_option stop_options[] = {
    TF_OPTION_STRING(stop_args, name, "name", TF_SANDBOX_NAME_HELP, .fallback = "default", .metavar = "NAME"),
    TF_OPTION_FLAG(stop_args, remove, "remove", "Delete its data too."),
    TF_OPTION_END,
};

static const tf_option status_options[] = {
    TF_OPTION_STRING(name_args, name, "name", "Only this sandbox.", .metavar = "NAME"),
    TF_OPTION_END,
};

static const tf_option reset_options[] = {
    TF_OPTION_STRING(name_args, name, "name", TF_SANDBOX_NAME_HELP, .fallback = "default", .metavar = "NAME"),
    TF_OPTION_END,
};

const char *tf_cmd_sandbox_form(const tf_sandbox *sandbox)
{
    if (sandbox->standalone)
        return "a standalone server";
    return sandbox->nodes == 1 ? "a replica set of one node" : "a replica set of three nodes";
}

void tf_cmd_sandbox_append(const tf_sandbox *sandbox, bson_t *to)
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

void tf_cmd_sandbox_print_uris(const tf_sandbox *sandbox, const char *indent)
{
    char uri[TF_SANDBOX_URI];
    if (!sandbox->logins && tf_sandbox_uri(sandbox, NULL, NULL, uri, sizeof uri))
        printf("%s%s\n", indent, uri);
    for (unsigned i = 0; i < sandbox->logins; i++)
        if (tf_sandbox_uri(sandbox, sandbox->login[i].name, NULL, uri, sizeof uri))
            printf("%s%-8s %s\n", indent, sandbox->login[i].name, uri);
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
    _cleanup_free_ tf_sandbox *one = bson_malloc0(sizeof *one);
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
    printf("%s: %s, %s\n", sandbox->name, tf_sandbox_running(sandbox) ? "running" : "stopped",
           tf_cmd_sandbox_form(sandbox));
    for (unsigned i = 0; i < sandbox->nodes; i++) {
        const tf_sandbox_node *node = &sandbox->node[i];
        if (node->running)
            printf("  port %d, pid %d\n", node->port, (int)node->process.pid);
        else
            printf("  port %d, not running\n", node->port);
    }
    if (tf_sandbox_running(sandbox))
        tf_cmd_sandbox_print_uris(sandbox, "  ");
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
            tf_cmd_sandbox_append(&list[i], &item);
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
    &tf_cmd_sandbox_start, &stop_command, &status_command, &tf_cmd_sandbox_seed, &reset_command, NULL,
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
