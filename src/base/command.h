/*
 * Commands. One row says all about a command; main.c holds the table of rows.
 *
 *   typedef struct { int64_t limit; } preview_args;
 *   static const tf_option options[] = { TF_OPTION_INT(preview_args, limit, "limit", 1, 1000, "…"), TF_OPTION_END };
 *   static int run(const tf_globals *globals, void *args, int argc, char *const *argv) { … return exit status; }
 *   const tf_command tf_cmd_preview = {
 *       .name = "preview", .synopsis = "[MIGRATION]", .summary = "Show what 'up' would change",
 *       .max_words = 1, .options = options, .args_size = sizeof(preview_args), .exits = "01238", .run = run };
 */
#ifndef TF_BASE_COMMAND_H
#define TF_BASE_COMMAND_H

#include <tokenfix/error.h>

#include "base/config.h"
#include "base/option.h"

typedef struct tf_command tf_command;

/* The values of the global options. Strings are borrowed and live as long as the invocation; but the secret ones are empty
 * once somebody connected with them (tf_options_forget). */
typedef struct tf_globals {
    const char *config_file; /* as it was named; NULL: where it is looked for */
    const char *profile;     /* of the configuration; NULL: none */
    const char *uri, *uri_file, *state_db;
    tf_strings dbs; /* as they were named, none of them twice */
    const char *db; /* the one to work on now; NULL: none was named */
    bool more;      /* others come after it: what is secret is needed again */
    const char *host; /* "name", "name:port", "set/name:port,name:port" */
    int64_t port;     /* 0: none given */
    const char *username, *password, *auth_source, *auth_mechanism;
    bool tls;
    const char *tls_ca_file, *tls_certificate_key_file, *tls_certificate_key_file_password;
    bool tls_insecure, tls_allow_invalid_certificates, tls_allow_invalid_hostnames;
    bool allow_plaintext, allow_insecure_tls;
    double timeout; /* seconds */
    bool sign;            /* nothing is written to the audit trail without a signature */
    const char *sign_key; /* file; NULL: events are not signed */
    bool json;
    const char *log_format, *log_file, *log_level; /* "text", "json"; NULL: none; report/log.h */
    const char *color; /* "auto", "always", "never" */
    bool no_color, quiet, verbose, help, version;

    const tf_options *options;         /* to ask where a value came from */
    const tf_options *command_options; /* the same of the command's own */
    const tf_command *const *commands; /* the table, for `help` */
    tf_config *config;                 /* the configuration that was read; its path is NULL where there is none */
} tf_globals;

enum {
    TF_CMD_WRITES = 1,        /* changes the repaired database */
    TF_CMD_NEEDS_CONFIRM = 2, /* has --confirm and --yes */
    TF_CMD_NEEDS_LEASE = 4,   /* runs one at a time */
    TF_CMD_NO_DATABASE = 8,   /* connects to nothing, and reads no configuration */
    TF_CMD_ONCE = 16          /* runs once, however many databases are named */
};

struct tf_command {
    const char *name;
    const char *synopsis;    /* the words it takes: "[MIGRATION]", "NAME", "" */
    const char *summary;     /* one line, no full stop */
    const char *description; /* paragraphs of sentences, may be NULL */
    unsigned flags;          /* TF_CMD_* */
    int min_words, max_words;
    const tf_option *options;             /* may be NULL */
    size_t args_size;                     /* of the struct the options fill */
    const char *exits;                    /* one digit for each status it can end with: "0138" */
    const tf_command *const *subcommands; /* NULL-terminated; then run is NULL */
    /* Returns the exit status. argv: the words behind the command, argv[argc] is NULL. */
    int (*run)(const tf_globals *globals, void *args, int argc, char *const *argv);
};

/* A command line, read. Zero-initialise, free with tf_invocation_done, do not move. */
typedef struct tf_invocation {
    tf_globals globals;
    tf_options global_options, command_options;
    tf_config config;
    const tf_command *group;   /* the command a subcommand belongs to, or NULL */
    const tf_command *command; /* NULL: none was named; a group: --help was given behind it */
    void *args;
    char **words; /* NULL-terminated */
    int words_count;
} tf_invocation;

extern const tf_option tf_global_options[];

/* Reads a command line against the NULL-terminated table. With --help or --version, or without a command, values and
 * number of words are not checked. Also on failure `out` holds what was read so far, and is to be freed. */
bool tf_command_parse(const tf_command *const *commands, int argc, char **argv, tf_invocation *out, tf_error *err);
void tf_invocation_done(tf_invocation *invocation);

/* The row of that name; on failure NULL and TF_ERR_NOT_FOUND with the nearest name as hint. `group`: NULL, or the
 * command whose subcommands these are. */
const tf_command *tf_command_find(const tf_command *const *commands, const char *name, const tf_command *group,
                                  tf_error *err);

/* Reads the configuration again: fills `options`, a binding of the command's own table to zeroed arguments, with what flags and
 * environment said at the start and what the file, read into *config, says now. The global options stay as they are;
 * *connection says whether the file changed one of them. On failure nothing of *config is to be freed. */
bool tf_command_reload(const tf_globals *globals, tf_options *options, tf_config *config, bool *connection, tf_error *err);

/* Fills `options`, a binding of any command's table to zeroed arguments, from environment, configuration and defaults, as if the
 * command had been called without an option. */
bool tf_command_preset(const tf_globals *globals, tf_options *options, tf_error *err);

/* Whether all rows, and all option tables in them, are sound. TF_ERR_INTERNAL says what is not. */
bool tf_command_check(const tf_command *const *commands, tf_error *err);

#endif
