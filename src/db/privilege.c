#include "db/privilege.h"

#include "db/failure.h"
#include "db/operation.h"

#include <tokenfix/cleanup.h>

static bool has_text(const bson_iter_t *value, const char *text)
{
    return BSON_ITER_HOLDS_UTF8(value) && strcmp(bson_iter_utf8(value, NULL), text) == 0;
}

static bool has_action(const bson_t *privilege, const char *action)
{
    bson_iter_t iter, at;
    if (!bson_iter_init_find(&iter, privilege, "actions") || !bson_iter_recurse(&iter, &at))
        return false;
    while (bson_iter_next(&at))
        if (has_text(&at, action) || has_text(&at, "anyAction"))
            return true;
    return false;
}

static bool is_true(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) && bson_iter_as_bool(&iter);
}

static const char *text_of(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_UTF8(&iter) ? bson_iter_utf8(&iter, NULL) : NULL;
}

/* An empty name in a resource stands for every name; for collections, for all but the system's own. */
static bool covers(const bson_t *resource, const char *db, const char *collection)
{
    if (is_true(resource, "anyResource"))
        return true;
    if (!db)
        return is_true(resource, "cluster");
    const char *of_db = text_of(resource, "db"), *of_collection = text_of(resource, "collection");
    if (!of_db || !of_collection || (*of_db && strcmp(of_db, db) != 0))
        return false;
    if (*of_collection)
        return strcmp(of_collection, collection) == 0;
    return strncmp(collection, "system.", strlen("system.")) != 0;
}

static bool view(const bson_iter_t *value, bson_t *out)
{
    const uint8_t *data = NULL;
    uint32_t length = 0;
    if (!BSON_ITER_HOLDS_DOCUMENT(value))
        return false;
    bson_iter_document(value, &length, &data);
    return bson_init_static(out, data, length);
}

static bool grants(const bson_t *privilege, const char *db, const char *collection, const char *action)
{
    bson_iter_t iter;
    bson_t resource;
    return bson_iter_init_find(&iter, privilege, "resource") && view(&iter, &resource) &&
           covers(&resource, db, collection) && has_action(privilege, action);
}

bool tf_privilege_held(const tf_privileges *privileges, const char *db, const char *collection, const char *action)
{
    bson_iter_t iter;
    bson_t privilege;
    if (privileges->everything)
        return true;
    if (!privileges->held || !bson_iter_init(&iter, privileges->held))
        return false;
    while (bson_iter_next(&iter))
        if (view(&iter, &privilege) && grants(&privilege, db, collection ? collection : "", action))
            return true;
    return false;
}

const char *tf_privileges_user(const tf_privileges *privileges)
{
    return privileges->user[0] ? privileges->user : NULL;
}

void tf_privileges_done(tf_privileges *privileges)
{
    if (privileges->held)
        bson_destroy(privileges->held);
    *privileges = (tf_privileges){0};
}

static void read_user(const bson_t *status, char *into, size_t size)
{
    bson_iter_t iter, name, db;
    if (bson_iter_init(&iter, status) &&
        bson_iter_find_descendant(&iter, "authInfo.authenticatedUsers.0.user", &name) && BSON_ITER_HOLDS_UTF8(&name) &&
        bson_iter_init(&iter, status) && bson_iter_find_descendant(&iter, "authInfo.authenticatedUsers.0.db", &db) &&
        BSON_ITER_HOLDS_UTF8(&db))
        snprintf(into, size, "%s@%s", bson_iter_utf8(&name, NULL), bson_iter_utf8(&db, NULL));
}

void tf_privileges_from(const bson_t *status, bool open, tf_privileges *out)
{
    bson_iter_t iter, at;
    const uint8_t *data = NULL;
    uint32_t length = 0;
    *out = (tf_privileges){.everything = open};
    read_user(status, out->user, sizeof out->user);
    if (bson_iter_init(&iter, status) &&
        bson_iter_find_descendant(&iter, "authInfo.authenticatedUserPrivileges", &at) && BSON_ITER_HOLDS_ARRAY(&at)) {
        bson_iter_array(&at, &length, &data);
        out->held = bson_new_from_data(data, length);
    }
}

/* Without a user both a server without access control and one that nobody has logged in to answer alike. Only the
 * former lets the databases be listed. */
static bool is_open(mongoc_client_t *client, bool *open, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "find out whether access control is on"};
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("listDatabases", BCON_INT32(1), "nameOnly", BCON_BOOL(true), "filter", "{", "name", "admin", "}");
    tf_error one = {0};
    if (tf_op_command(&op, command, NULL, &one)) {
        *open = true;
        return true;
    }
    if (one.server_code == TF_CODE_UNAUTHORIZED) {
        *open = false;
        return true;
    }
    if (err && err->code == TF_ERR_OK)
        *err = one;
    return false;
}

bool tf_privileges_name(mongoc_client_t *client, char *into, size_t size, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask who is logged in"};
    _cleanup_bson_ bson_t status = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("connectionStatus", BCON_INT32(1));
    if (!tf_op_command(&op, command, &status, err))
        return false;
    into[0] = '\0';
    read_user(&status, into, size);
    return true;
}

bool tf_privileges_read(mongoc_client_t *client, tf_privileges *out, tf_error *err)
{
    tf_op op = {.client = client, .db = "admin", .what = "ask which privileges are held"};
    _cleanup_bson_ bson_t status = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("connectionStatus", BCON_INT32(1), "showPrivileges", BCON_BOOL(true));
    char user[256] = "";
    bool open = false;
    if (!tf_op_command(&op, command, &status, err))
        return false;
    read_user(&status, user, sizeof user);
    if (!user[0] && !is_open(client, &open, err))
        return false;
    tf_privileges_from(&status, open, out);
    return true;
}
