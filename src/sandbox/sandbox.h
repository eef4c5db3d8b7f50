/*
 * A sandbox: a private mongod, or a replica set of three, on 127.0.0.1 with free ports, that outlives the terminal.
 *
 * Its folder ${XDG_STATE_HOME:-~/.local/state}/tokenfix/<name> (0700) holds sandbox.json (the state: written before a
 * process runs and replaced atomically), the key file, the certificates, and a data folder and log per node. A tf_sandbox is a copy of the
 * state: a plain value, nothing to free. Every call but list takes the sandbox's lock for as long as it lasts.
 */
#ifndef TF_SANDBOX_SANDBOX_H
#define TF_SANDBOX_SANDBOX_H

#include "sandbox/process.h"

#include <limits.h>
#include <stddef.h>
#include <tokenfix/cleanup.h>

enum { TF_SANDBOX_NODES = 3, TF_SANDBOX_LOGINS = 8, TF_SANDBOX_PARAMETERS = 16, TF_SANDBOX_URI = 1024 };

/* A user to create besides admin. privileges: an array of privilege documents, made a role "tokenfix_<name>"; roles: an
 * array of built-in roles. Either may be NULL. */
typedef struct tf_sandbox_user {
    const char *name;
    const bson_t *privileges;
    const bson_t *roles;
    bool
        certificate; /* logs in with the client's certificate of a sandbox with TLS, not with a password; one at most */
} tf_sandbox_user;

typedef struct tf_sandbox_options {
    const char *name;              /* NULL: "default"; letters, digits, dash, underscore, dot; at most 63 */
    const char *mongod;            /* a path; NULL: looked for as tf_mongod_find says */
    const char *database;          /* the one the URIs name; NULL: "wallet" */
    unsigned nodes;                /* 1 or 3; 0: 1, or what an existing sandbox has */
    bool standalone;               /* no replica set */
    bool auth;                     /* access control: the users admin (root) and those of `users` */
    bool tls;                      /* TLS is required, and a certificate of the client; the URIs name the files */
    unsigned cache_mb;             /* of each node, at least 256; 0: 1024, of three nodes 256 */
    const char *const *parameters; /* "name=value" for --setParameter, NULL-terminated; NULL: none */
    const tf_sandbox_user *users;
    size_t users_count;
    void (*say)(const char *text); /* told before a download; NULL: nobody */
} tf_sandbox_options;

typedef struct tf_sandbox_login {
    char name[32];
    char password[40];
    bool certificate; /* by X.509: no password */
} tf_sandbox_login;

typedef struct tf_sandbox_node {
    int port;
    tf_process process;
    bool running; /* as of the call that filled it */
} tf_sandbox_node;

typedef struct tf_sandbox {
    char name[64];
    char folder[PATH_MAX];
    char mongod[PATH_MAX];
    char database[64];
    bool standalone, auth, tls;
    bool ready; /* its start came to its end once */
    unsigned cache_mb;
    unsigned nodes;
    tf_sandbox_node node[TF_SANDBOX_NODES];
    unsigned logins; /* 0 without auth; the first is admin */
    tf_sandbox_login login[TF_SANDBOX_LOGINS];
    unsigned parameters;
    char parameter[TF_SANDBOX_PARAMETERS][192];
} tf_sandbox;

/* What a stop found. */
typedef struct tf_sandbox_stopped {
    unsigned ended; /* processes ended */
    unsigned stale; /* recorded processes that were gone before, or whose pid belongs to another process now */
} tf_sandbox_stopped;

/* Starts it, or what of it is not running, and waits until it takes writes. An existing sandbox keeps its data and its
 * form: options that contradict it are TF_ERR_USAGE. On failure nothing that it started goes on running. */
bool tf_sandbox_start(const tf_sandbox_options *options, tf_sandbox *sandbox, tf_error *err);

/* Ends exactly the processes of the sandbox (name: NULL is "default"); with remove deletes its folder too. */
bool tf_sandbox_stop(const char *name, bool remove, tf_sandbox_stopped *stopped, tf_error *err);

/* Reads the state and looks which nodes run. TF_ERR_NOT_FOUND where there is no such sandbox. */
bool tf_sandbox_status(const char *name, tf_sandbox *sandbox, tf_error *err);

/* Drops every database but admin, config and local of a running sandbox; users stay. */
bool tf_sandbox_reset(const char *name, tf_error *err);

/* All sandboxes by name; the caller frees the array. Folders without a readable state are left out. */
bool tf_sandbox_list(tf_sandbox **sandboxes, size_t *count, tf_error *err);

/* True when all its nodes run. */
bool tf_sandbox_running(const tf_sandbox *sandbox);

/* The connection string for a login's name (NULL: the first, or none without auth) and a database (NULL: its own);
 * false when there is no such login or it does not fit. It holds the password, and names the files of TLS. */
bool tf_sandbox_uri(const tf_sandbox *sandbox, const char *login, const char *database, char *out, size_t size);

#endif
