/*
 * What the user of a connection may do, as the server itself says (`connectionStatus`). Where access control is off
 * everything is held; where it is on and nobody has logged in, nothing is.
 */
#ifndef TF_DB_PRIVILEGE_H
#define TF_DB_PRIVILEGE_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

typedef struct tf_privileges {
    bool everything; /* access control is off */
    char user[256];  /* "name@database", empty where nobody has logged in */
    bson_t *held;    /* array of {resource, actions}, all roles resolved; owned */
} tf_privileges;

/* Asks the server. *out (free with tf_privileges_done) is untouched on failure. */
bool tf_privileges_read(mongoc_client_t *client, tf_privileges *out, tf_error *err);
void tf_privileges_done(tf_privileges *privileges);

/* The same from the answer to `connectionStatus` with showPrivileges. `open`: access control is off. */
void tf_privileges_from(const bson_t *status, bool open, tf_privileges *out);

/* Whether `action` is held on a collection, on a database (collection ""), or on the cluster (db NULL). A privilege on a
 * whole database, or on all of them, does not reach its system collections. */
bool tf_privilege_held(const tf_privileges *privileges, const char *db, const char *collection, const char *action);

/* Only who is logged in: "name@database", empty where nobody is. */
bool tf_privileges_name(mongoc_client_t *client, char *into, size_t size, tf_error *err);

/* Who is logged in, for the audit trail: "name@database"; NULL: nobody. Borrowed. */
const char *tf_privileges_user(const tf_privileges *privileges);

#endif
