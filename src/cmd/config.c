#include <inttypes.h>

#include "base/redact.h"
#include "cmd/commands.h"
#include "cmd/connection.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/output.h"

typedef struct {
    bool all;
} config_args;

static const tf_option options[] = {
    TF_OPTION_FLAG(config_args, all, "all", "Show the options that have no value too."),
    TF_OPTION_END,
};

enum { VALUE = 1024 };

/* What there is to tell: the global options, and those of the command that was named. */
typedef struct {
    const tf_globals *globals;
    const tf_command *command; /* NULL: none was */
    tf_options bound;          /* of its table */
    void *args;
    tf_connection connection;
    tf_error unconnected; /* why the connection is not known */
    bool connected;
} view;

static void view_done(view *v)
{
    tf_options_done(&v->bound);
    bson_free(v->args);
    tf_connection_done(&v->connection);
}

static bool find_command(view *v, int argc, char *const *argv, tf_error *err)
{
    const tf_command *const *table = v->globals->commands;
    const tf_command *group = NULL;
    for (int i = 0; i < argc; i++) {
        if (!table)
            return tf_error_set(err, TF_ERR_USAGE, "too many words: '%.60s'", argv[i]);
        if (!(v->command = tf_command_find(table, argv[i], group, err)))
            return false;
        table = v->command->subcommands;
        group = v->command;
    }
    return true;
}

/* ---- a value, and where it came from ---- */

/* Where it is secret, no part of it is shown but what a connection string has besides its password. */
static const char *shown(const tf_option *row, const char *value, char out[static VALUE])
{
    if (row->secret && strncmp(value, "mongodb", 7) == 0)
        return tf_redact_uri(value, out, VALUE);
    snprintf(out, VALUE, "%s", "<hidden>");
    return row->secret ? out : tf_redact_text(value, out, VALUE);
}

/* "line 3 [prod]", where the file stands above; otherwise "/etc/tokenfix/tokenfix.conf:3 [prod]". */
static void append_line(const tf_config *config, const tf_config_entry *entry, bool brief, char *out, size_t size)
{
    size_t used = strlen(out);
    if (used < size && brief)
        used += (size_t)snprintf(out + used, size - used, "%s %d", used ? "," : "line", entry->line);
    else if (used < size)
        used += (size_t)snprintf(out + used, size - used, "%s%s:%d", used ? ", " : "", config->path, entry->line);
    if (used < size && entry->profile >= 0 && !(brief && tf_config_find(config, entry->name, entry)))
        snprintf(out + used, size - used, " [%s]", config->profiles[entry->profile].name);
}

static void origin(const view *v, const tf_options *of, const tf_option *row, bool brief, char *out, size_t size)
{
    const tf_config_entry *entry = NULL;
    out[0] = '\0';
    switch (tf_options_source(of, row->name)) {
    case TF_SOURCE_FLAG:
        snprintf(out, size, "--%s", row->name);
        break;
    case TF_SOURCE_ENVIRONMENT:
        snprintf(out, size, "%s", row->env);
        break;
    case TF_SOURCE_CONFIG:
        while ((entry = tf_config_find(v->globals->config, row->name, entry)))
            append_line(v->globals->config, entry, brief, out, size);
        break;
    case TF_SOURCE_DEFAULT:
        snprintf(out, size, "default");
        break;
    case TF_SOURCE_NONE:
        break;
    }
}

static const char *source_name(tf_source source)
{
    static const char *const names[] = {[TF_SOURCE_DEFAULT] = "default", [TF_SOURCE_CONFIG] = "config", [TF_SOURCE_ENVIRONMENT] = "environment", [TF_SOURCE_FLAG] = "flag"};
    return names[source];
}

static bool is_of_interest(const tf_option *row)
{
    static const char *const actions[] = {"help", "version"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i], row->name) == 0)
            return false;
    return true;
}

/* ---- text ---- */

static int64_t add_rows(const view *v, const tf_options *of, bool all, tf_table *table)
{
    int64_t unset = 0;
    for (const tf_option *row = of->table; row && row->name; row++) {
        char value[VALUE], from[512];
        const char *given = tf_options_value(of, row, 0);
        if (!is_of_interest(row))
            continue;
        unset += !given;
        origin(v, of, row, true, from, sizeof from);
        if (!given && all)
            tf_table_add(table, TF_CELL_TEXT(row->name), TF_CELL_TEXT("-"), TF_CELL_TEXT(""));
        for (size_t i = 0; (given = tf_options_value(of, row, i)); i++)
            tf_table_add(table, TF_CELL_TEXT(i ? "" : row->name), TF_CELL_TEXT(shown(row, given, value)), TF_CELL_TEXT(i ? "" : from));
    }
    return unset;
}

static void describe_file(const tf_config *config, char *out, size_t size)
{
    char place[512];
    size_t used = 0;
    if (config->path) {
        snprintf(out, size, "%s", config->path);
        return;
    }
    used += (size_t)snprintf(out, size, "none; looked for");
    for (size_t n = 0; tf_config_place(n, place, sizeof place); n++)
        if (*place && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s %s", n ? "," : "", place);
}

static void print_head(const view *v)
{
    const tf_config *config = v->globals->config;
    char file[1200];
    _cleanup_(tf_table_freep) tf_table *sheet = tf_sheet_new();
    describe_file(config, file, sizeof file);
    tf_sheet_add(sheet, "file", "%s", file);
    if (config->chosen >= 0)
        tf_sheet_add(sheet, "profile", "%s", config->profiles[config->chosen].name);
    for (size_t i = 0; i < config->profiles_count; i++)
        tf_sheet_add(sheet, i ? "" : "profiles", "%s", config->profiles[i].name);
    if (v->connected) {
        size_t more = v->globals->dbs.count > 1 ? v->globals->dbs.count - 1 : 0;
        char server[VALUE], others[40] = "";
        tf_sheet_add(sheet, "server", "%s", tf_redact_uri(mongoc_uri_get_string(v->connection.uri), server, sizeof server));
        snprintf(others, sizeof others, " and %zu more", more);
        tf_sheet_add(sheet, "database", "%s%s, runs and backups in %s%s", v->connection.db, more ? others : "", v->connection.state_db,
                     more && !v->globals->state_db ? " and so on" : "");
    } else {
        tf_sheet_add(sheet, "database", "not known: %s", v->unconnected.message);
    }
    tf_sheet_print(sheet);
}

static void print(const view *v, bool all)
{
    static const tf_column columns[] = {{"name", "option", TF_COLUMN_TEXT, 0},
                                        {"value", "value", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {"from", "from", TF_COLUMN_TEXT, 0},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    print_head(v);
    int64_t unset = add_rows(v, v->globals->options, all, table);
    if (v->command)
        unset += add_rows(v, &v->bound, all, table);
    if (tf_table_rows(table))
        putchar('\n');
    tf_table_print(table, stdout);
    if (unset && !all)
        printf("\n%" PRId64 " more have no value: --all shows them.\n", unset);
}

/* ---- data ---- */

static void append_value(const view *v, const tf_options *of, const tf_option *row, bson_t *one)
{
    char value[VALUE], from[512], buffer[16];
    const char *given = tf_options_value(of, row, 0), *key;
    bson_t list;
    if (!given)
        BSON_APPEND_NULL(one, "value");
    else if (row->kind != TF_OPT_LIST)
        BSON_APPEND_UTF8(one, "value", shown(row, given, value));
    else {
        BSON_APPEND_ARRAY_BEGIN(one, "value", &list);
        for (size_t i = 0; (given = tf_options_value(of, row, i)); i++) {
            bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
            BSON_APPEND_UTF8(&list, key, shown(row, given, value));
        }
        bson_append_array_end(one, &list);
    }
    origin(v, of, row, false, from, sizeof from);
    tf_append_text(one, "source", source_name(tf_options_source(of, row->name)));
    tf_append_text(one, "from", from);
}

static void append_rows(const view *v, const tf_options *of, const char *command, bson_t *array, uint32_t *n)
{
    for (const tf_option *row = of->table; row && row->name; row++) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        if (!is_of_interest(row))
            continue;
        BSON_APPEND_UTF8(&one, "name", row->name);
        tf_append_text(&one, "command", command);
        append_value(v, of, row, &one);
        tf_array_append_document(array, n, &one);
    }
}

static void append_profiles(const tf_config *config, bson_t *data)
{
    bson_t array;
    BSON_APPEND_ARRAY_BEGIN(data, "profiles", &array);
    for (size_t i = 0; i < config->profiles_count; i++) {
        char buffer[16];
        const char *key;
        bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&array, key, config->profiles[i].name);
    }
    bson_append_array_end(data, &array);
}

static void append(const view *v, bson_t *data)
{
    const tf_config *config = v->globals->config;
    char server[VALUE] = "";
    bson_t array;
    uint32_t n = 0;
    tf_append_text(data, "file", config->path);
    tf_append_text(data, "profile", config->chosen >= 0 ? config->profiles[config->chosen].name : NULL);
    append_profiles(config, data);
    if (v->connected)
        tf_redact_uri(mongoc_uri_get_string(v->connection.uri), server, sizeof server);
    tf_append_text(data, "server", server);
    tf_append_text(data, "database", v->connection.db);
    tf_append_text(data, "stateDatabase", v->connection.state_db);
    BSON_APPEND_ARRAY_BEGIN(data, "options", &array);
    append_rows(v, v->globals->options, NULL, &array, &n);
    if (v->command)
        append_rows(v, &v->bound, v->command->name, &array, &n);
    bson_append_array_end(data, &array);
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const config_args *wanted = args;
    tf_error err = {0};
    _cleanup_(view_done) view v = {.globals = globals};
    if (!find_command(&v, argc, argv, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (v.command) {
        v.args = bson_malloc0(v.command->args_size + 1);
        tf_options_init(&v.bound, v.command->options, v.args);
        if (!tf_command_preset(globals, &v.bound, &err))
            return tf_output_error(&err, NULL, NULL, globals->json);
    }
    v.connected = tf_connection_names(globals, &v.connection, &v.unconnected);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append(&v, &data);
        tf_output_success(&data);
    } else {
        print(&v, wanted->all);
    }
    return 0;
}

const tf_command tf_cmd_config = {
    .name = "config",
    .synopsis = "[COMMAND]",
    .summary = "Show the values that options have, and where each came from",
    .description =
        "The configuration file that was read and its profile, then every option that has a value: from the command line, the environment, "
        "a line of the file, or by default. With COMMAND its options too, as it would be called without any. Secrets are hidden. It "
        "connects to nothing.",
    .flags = TF_CMD_ONCE,
    .max_words = 2,
    .options = options,
    .args_size = sizeof(config_args),
    .exits = "012",
    .run = run,
};
