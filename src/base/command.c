#include "base/command.h"

#include <tokenfix/bson.h>

#include "base/nearest.h"
#include "base/text.h"

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

#define GLOBAL(kind, field, ...) TF_OPTION_##kind(tf_globals, field, __VA_ARGS__)

const tf_option tf_global_options[] = {
    GLOBAL(STRING, config_file, "config",
           "Configuration file; otherwise tokenfix/tokenfix.conf in $XDG_CONFIG_HOME (~/.config), or "
           "/etc/tokenfix/tokenfix.conf.",
           .metavar = "FILE", .env = "TOKENFIX_CONFIG", .by_hand = true),
    GLOBAL(STRING, profile, "profile", "Use this profile of the configuration file: the keys of its section [NAME] take the place of those above.",
           .metavar = "NAME", .env = "TOKENFIX_PROFILE", .by_hand = true),
    GLOBAL(STRING, uri, "uri",
           "Connection string. With a password in it, --uri-file or TOKENFIX_URI keep it out of sight.",
           .metavar = "URI", .env = "TOKENFIX_URI", .secret = true),
    GLOBAL(STRING, uri_file, "uri-file", "File whose first line is the connection string; only its owner may read it.",
           .metavar = "FILE", .env = "TOKENFIX_URI_FILE"),
    GLOBAL(LIST, dbs, "db",
           "Database to work on; otherwise the one the connection string names. May be repeated: the command runs on one after the other.",
           .letter = 'd', .metavar = "NAME", .env = "TOKENFIX_DB"),
    GLOBAL(STRING, state_db, "state-db",
           "Database for runs and backups; otherwise the --db with '_tokenfix' behind it.", .metavar = "NAME",
           .env = "TOKENFIX_STATE_DB"),
    GLOBAL(STRING, host, "host", "Server, or SET/HOST:PORT,HOST:PORT for a replica set (localhost).", .metavar = "HOST",
           .env = "TOKENFIX_HOST"),
    GLOBAL(INT, port, "port", 1, 65535, "Port of the server (27017).", .metavar = "PORT", .env = "TOKENFIX_PORT"),
    GLOBAL(STRING, username, "username", "User to authenticate as.", .letter = 'u', .metavar = "NAME",
           .env = "TOKENFIX_USERNAME"),
    GLOBAL(STRING, password, "password", "Password; asked for on a terminal when left out.", .letter = 'p',
           .metavar = "TEXT", .env = "TOKENFIX_PASSWORD", .secret = true),
    GLOBAL(STRING, auth_source, "authenticationDatabase", "Database that holds the user.", .metavar = "NAME",
           .env = "TOKENFIX_AUTHENTICATION_DATABASE"),
    GLOBAL(STRING, auth_mechanism, "authenticationMechanism", "How to authenticate, e.g. SCRAM-SHA-256, MONGODB-X509.",
           .metavar = "NAME", .env = "TOKENFIX_AUTHENTICATION_MECHANISM"),
    GLOBAL(FLAG, tls, "tls", "Connect with TLS.", .env = "TOKENFIX_TLS"),
    GLOBAL(STRING, tls_ca_file, "tlsCAFile", "File with the authorities to trust; implies --tls.", .metavar = "FILE",
           .env = "TOKENFIX_TLS_CA_FILE"),
    GLOBAL(STRING, tls_certificate_key_file, "tlsCertificateKeyFile",
           "File with the client's certificate and key; implies --tls.", .metavar = "FILE",
           .env = "TOKENFIX_TLS_CERTIFICATE_KEY_FILE"),
    GLOBAL(STRING, tls_certificate_key_file_password, "tlsCertificateKeyFilePassword", "Password of the client's key.",
           .metavar = "TEXT", .env = "TOKENFIX_TLS_CERTIFICATE_KEY_FILE_PASSWORD", .secret = true),
    GLOBAL(FLAG, tls_insecure, "tlsInsecure", "Check nothing of the server's certificate. Needs --allow-insecure-tls."),
    GLOBAL(FLAG, tls_allow_invalid_certificates, "tlsAllowInvalidCertificates",
           "Take a certificate from anybody. Needs --allow-insecure-tls."),
    GLOBAL(FLAG, tls_allow_invalid_hostnames, "tlsAllowInvalidHostnames",
           "Take a certificate of another host. Needs --allow-insecure-tls."),
    GLOBAL(FLAG, allow_insecure_tls, "allow-insecure-tls",
           "Accept a connection on which anybody may pose as the server.", .env = "TOKENFIX_ALLOW_INSECURE_TLS"),
    GLOBAL(FLAG, allow_plaintext, "allow-plaintext",
           "Connect without TLS to other machines too, on a network that is trusted entirely.",
           .env = "TOKENFIX_ALLOW_PLAINTEXT"),
    GLOBAL(DOUBLE, timeout, "timeout", 0.1, 86400, "How long to look for a server.", .metavar = "SECONDS",
           .fallback = "5", .env = "TOKENFIX_TIMEOUT"),
    GLOBAL(FLAG, sign, "sign", "Write nothing to the audit trail that is not signed. Needs --sign-key.", .env = "TOKENFIX_SIGN"),
    GLOBAL(STRING, sign_key, "sign-key",
           "File with the Ed25519 private key that signs what is written to the audit trail; only its owner may read it.",
           .metavar = "FILE", .env = "TOKENFIX_SIGN_KEY"),
    GLOBAL(FLAG, json, "json", "Print one JSON object on standard output.", .env = "TOKENFIX_JSON"),
    GLOBAL(CHOICE, log_format, "log-format", log_formats,
           "How messages are written on standard error and into --log-file: for people, or a JSON object on each line. Under systemd the "
           "journal gets them, unless this is given.",
           .fallback = "text", .env = "TOKENFIX_LOG_FORMAT"),
    GLOBAL(STRING, log_file, "log-file", "Append messages to this file too, each with its time and level.", .metavar = "FILE",
           .env = "TOKENFIX_LOG_FILE"),
    GLOBAL(CHOICE, log_level, "log-level", log_levels, "Leave out of the log what is less grave.", .fallback = "info",
           .env = "TOKENFIX_LOG_LEVEL"),
    GLOBAL(CHOICE, color, "color", colors, "When to use colours. NO_COLOR is honoured.", .fallback = "auto",
           .env = "TOKENFIX_COLOR"),
    GLOBAL(FLAG, no_color, "no-color", "The same as --color never."),
    GLOBAL(FLAG, quiet, "quiet", "No progress and no notes, only results and errors.", .letter = 'q',
           .env = "TOKENFIX_QUIET"),
    GLOBAL(FLAG, verbose, "verbose", "Say more on standard error.", .letter = 'v', .env = "TOKENFIX_VERBOSE"),
    GLOBAL(FLAG, help, "help", "Show help and exit.", .letter = 'h', .by_hand = true),
    GLOBAL(FLAG, version, "version", "Show the versions and exit.", .by_hand = true),
    TF_OPTION_END,
};

const tf_command *tf_command_find(const tf_command *const *commands, const char *name, const tf_command *group,
                                  tf_error *err)
{
    const char *names[64] = {NULL};
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        if (i < sizeof names / sizeof *names - 1)
            names[i] = commands[i]->name;
    }
    const char *nearest = tf_nearest(name, names), *prefix = group ? group->name : "", *gap = group ? " " : "";
    tf_error_set(err, TF_ERR_NOT_FOUND, "unknown command '%s%s%s'", prefix, gap, TF_WORD(name));
    if (nearest)
        tf_error_hint(err, "Did you mean '%s%s%s'?", prefix, gap, nearest);
    else
        tf_error_hint(err, "'tokenfix help%s%s' lists the commands.", gap, prefix);
    return NULL;
}

/* An option unknown before COMMAND may be one of a command's own. */
static bool explain_place(const tf_command *const *commands, const char *text, tf_error *err)
{
    size_t length = strcspn(text, "=");
    for (; strncmp(text, "--", 2) == 0 && length > 2 && *commands; commands++) {
        for (const tf_option *row = (*commands)->options; row && row->name; row++) {
            if (strlen(row->name) == length - 2 && memcmp(row->name, text + 2, length - 2) == 0) {
                err->hint[0] = '\0';
                return tf_error_hint(err, "'--%s' is an option of '%s': write it behind the command.", row->name,
                                     (*commands)->name);
            }
        }
    }
    return false;
}

static bool check_words(const tf_invocation *in, tf_error *err)
{
    const tf_command *command = in->command;
    if (in->words_count > command->max_words)
        tf_error_set(err, TF_ERR_USAGE, "too many words: '%s'", TF_WORD(in->words[command->max_words]));
    else if (in->words_count < command->min_words)
        tf_error_set(err, TF_ERR_USAGE, "command '%s' needs %s", command->name, command->synopsis);
    else
        return true;
    return tf_error_hint(err, "Usage: tokenfix %s%s%s%s%s [options]", in->group ? in->group->name : "",
                         in->group ? " " : "", command->name, *command->synopsis ? " " : "", command->synopsis);
}

/* Reads global options up to the next word and returns it; NULL when there is none or on failure. */
static char *next_word(tf_invocation *in, int argc, char **argv, int *next, tf_error *err)
{
    tf_options *const scopes[] = {&in->global_options, NULL};
    char *word[1] = {NULL};
    int count = 0;
    if (!tf_options_parse(scopes, argc, argv, true, next, word, &count, err))
        return NULL;
    return count ? word[0] : NULL;
}

static bool read_command(const tf_command *const *commands, int argc, char **argv, int *next, tf_invocation *in,
                         tf_error *err)
{
    char *word = next_word(in, argc, argv, next, err);
    if (!word)
        return err->code == TF_ERR_OK || explain_place(commands, argv[*next - 1], err);
    in->command = tf_command_find(commands, word, NULL, err);
    while (in->command && in->command->subcommands) {
        const tf_command *group = in->command;
        if (!(word = next_word(in, argc, argv, next, err))) {
            if (err->code != TF_ERR_OK)
                return explain_place(group->subcommands, argv[*next - 1], err);
            if (in->globals.help || in->globals.version)
                return true;
            tf_error_set(err, TF_ERR_USAGE, "command '%s' needs one of its subcommands", group->name);
            return tf_error_hint(err, "'tokenfix help %s' lists them.", group->name);
        }
        in->group = group;
        in->command = tf_command_find(group->subcommands, word, group, err);
    }
    return in->command != NULL;
}

/* ---- the configuration file ---- */

/* All tables of options that there are, the global one first; how many. */
static size_t tables_of(const tf_command *const *commands, const tf_option **tables, size_t count, size_t room)
{
    for (; *commands; commands++) {
        if ((*commands)->options && count < room)
            tables[count++] = (*commands)->options;
        if ((*commands)->subcommands)
            count = tables_of((*commands)->subcommands, tables, count, room);
    }
    return count;
}

static bool read_config(const tf_globals *globals, tf_config *config, tf_error *err)
{
    enum { TABLES = 128 };
    const tf_option *tables[TABLES] = {tf_global_options};
    size_t count = tables_of(globals->commands, tables, 1, TABLES);
    return tf_config_read(globals->config_file, globals->profile, config, err) && tf_config_check(config, tables, count, err);
}

static bool configure(tf_invocation *in, tf_error *err)
{
    bool changed = false;
    return read_config(&in->globals, &in->config, err) &&
           tf_config_apply(&in->config, &in->global_options, &changed, err) &&
           tf_config_apply(&in->config, &in->command_options, &changed, err);
}

bool tf_command_preset(const tf_globals *globals, tf_options *options, tf_error *err)
{
    bool changed = false;
    return tf_options_fill(options, err) && tf_config_apply(globals->config, options, &changed, err);
}

bool tf_command_reload(const tf_globals *globals, tf_options *options, tf_config *config, bool *connection, tf_error *err)
{
    tf_config fresh = {0};
    bool changed = false;
    tf_options_repeat(globals->command_options, options);
    if (!read_config(globals, &fresh, err) || !tf_options_fill(options, err) ||
        !tf_config_apply(&fresh, options, &changed, err)) {
        tf_config_done(&fresh);
        return false;
    }
    *connection = !tf_config_same(globals->config, &fresh, globals->options);
    *config = fresh;
    return true;
}

/* A database that is named twice is one. */
static void take_databases(tf_globals *globals)
{
    tf_strings *dbs = &globals->dbs;
    size_t kept = 0;
    for (size_t i = 0; i < dbs->count; i++) {
        bool known = false;
        for (size_t j = 0; j < kept; j++)
            known = known || strcmp(dbs->items[i], dbs->items[j]) == 0;
        if (!known)
            dbs->items[kept++] = dbs->items[i];
    }
    dbs->count = kept;
    globals->db = kept ? dbs->items[0] : NULL;
}

/* The first option that was given and is for one database. */
static const char *find_single(const tf_options *options)
{
    for (const tf_option *row = options->table; row && row->name; row++)
        if (row->single && tf_options_source(options, row->name) > TF_SOURCE_DEFAULT)
            return row->name;
    return NULL;
}

static bool check_databases(const tf_invocation *in, tf_error *err)
{
    const char *single = NULL;
    if (in->globals.dbs.count < 2 || in->command->flags & TF_CMD_ONCE)
        return true;
    if (in->command->flags & TF_CMD_NO_DATABASE)
        tf_error_set(err, TF_ERR_USAGE, "command '%s' takes one '--db' at most", in->command->name);
    else if ((single = find_single(&in->command_options)))
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' is for one database, and %zu are named", single, in->globals.dbs.count);
    else
        return true;
    return tf_error_hint(err, "Call it once for each database.");
}

bool tf_command_parse(const tf_command *const *commands, int argc, char **argv, tf_invocation *in, tf_error *err)
{
    tf_error local = {0};
    err = err ? err : &local;
    int next = 1;
    in->globals =
        (tf_globals){.options = &in->global_options, .command_options = &in->command_options, .commands = commands, .config = &in->config};
    in->words = bson_malloc0(((size_t)argc + 2) * sizeof *in->words);
    tf_options_init(&in->global_options, tf_global_options, &in->globals);

    if (!read_command(commands, argc, argv, &next, in, err))
        return false;
    if (in->command && !in->command->subcommands) {
        in->args = bson_malloc0(in->command->args_size + 1);
        tf_options_init(&in->command_options, in->command->options, in->args);
        tf_options *const scopes[] = {&in->command_options, &in->global_options, NULL};
        if (!tf_options_parse(scopes, argc, argv, false, &next, in->words, &in->words_count, err))
            return false;
    }
    if (in->globals.help || in->globals.version || !in->command)
        return true;
    if (!tf_options_fill(&in->global_options, err) || !tf_options_fill(&in->command_options, err) ||
        (!(in->command->flags & TF_CMD_NO_DATABASE) && !configure(in, err)))
        return false;
    take_databases(&in->globals);
    return check_words(in, err) && check_databases(in, err);
}

void tf_invocation_done(tf_invocation *in)
{
    tf_options_done(&in->command_options);
    tf_options_done(&in->global_options);
    tf_config_done(&in->config);
    bson_free(in->args);
    bson_free(in->words);
    *in = (tf_invocation){0};
}

static bool has_option(const tf_command *command, const char *name)
{
    for (const tf_option *row = command->options; row && row->name; row++)
        if (strcmp(row->name, name) == 0)
            return true;
    return false;
}

static bool check_one(const tf_command *command, tf_error *err)
{
    const char *wrong =
        !command->name || !*command->name         ? "has no name"
        : !command->summary || !*command->summary ? "has no summary"
        : !command->synopsis                      ? "has no synopsis"
        : !command->run == !command->subcommands  ? "needs either a function or subcommands"
        : command->run && (!command->exits || strspn(command->exits, "012345678") != strlen(command->exits))
            ? "does not list its exit statuses"
        : command->min_words > command->max_words ? "takes no number of words"
        : command->flags & TF_CMD_NEEDS_CONFIRM && !(has_option(command, "confirm") && has_option(command, "yes"))
            ? "needs the options --confirm and --yes"
            : NULL;
    if (wrong)
        return tf_error_set(err, TF_ERR_INTERNAL, "command '%s' %s", command->name ? command->name : "", wrong);
    if (!tf_option_check(command->options, tf_global_options, err))
        return tf_error_detail(err, "in the options of command '%s'", command->name);
    return !command->subcommands || tf_command_check(command->subcommands, err);
}

bool tf_command_check(const tf_command *const *commands, tf_error *err)
{
    if (!tf_option_check(tf_global_options, NULL, err))
        return false;
    for (size_t i = 0; commands[i]; i++) {
        if (!check_one(commands[i], err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(commands[i]->name, commands[j]->name) == 0)
                return tf_error_set(err, TF_ERR_INTERNAL, "command '%s' is there twice", commands[i]->name);
    }
    return true;
}
