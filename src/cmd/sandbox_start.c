#include "cmd/sandbox.h"
#include "db/role.h"
#include "report/output.h"

typedef struct start_args {
    const char *name, *mongod;
    int64_t nodes, cache_mb;
    bool standalone, auth;
    tf_strings parameters;
} start_args;

static const tf_option start_options[] = {
    TF_OPTION_STRING(start_args, name, "name", TF_SANDBOX_NAME_HELP, .fallback = "default", .metavar = "NAME"),
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

static void say(const char *text)
{
    tf_output_note("%s", text);
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
    _cleanup_free_ const char **parameters = bson_malloc0((args->parameters.count + 1) * sizeof *parameters);
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
    _cleanup_free_ tf_sandbox *sandbox = bson_malloc0(sizeof *sandbox);
    if (!sandbox)
        tf_error_set(&err, TF_ERR_MEMORY, "out of memory");
    if (!sandbox || !start(globals, args, sandbox, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_cmd_sandbox_append(sandbox, &data);
        tf_output_success(&data);
        return 0;
    }
    tf_cmd_sandbox_print_uris(sandbox, "");
    if (!globals->quiet)
        tf_output_note("sandbox '%s' is running, %s; 'tokenfix sandbox stop --name %s' ends it", sandbox->name,
                       tf_cmd_sandbox_form(sandbox), sandbox->name);
    return 0;
}

const tf_command tf_cmd_sandbox_start = {
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
