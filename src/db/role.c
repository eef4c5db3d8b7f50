#include "db/role.h"

static void append_actions(bson_t *privilege, const char *const *actions)
{
    bson_t array;
    BSON_APPEND_ARRAY_BEGIN(privilege, "actions", &array);
    for (uint32_t i = 0; actions[i]; i++) {
        char buffer[16];
        const char *key;
        bson_uint32_to_string(i, &key, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&array, key, actions[i]);
    }
    bson_append_array_end(privilege, &array);
}

/* db NULL: the cluster. */
static void grant(bson_t *privileges, const char *db, const char *collection, const char *const *actions)
{
    char buffer[16];
    const char *key;
    bson_t privilege, resource;
    bson_uint32_to_string(bson_count_keys(privileges), &key, buffer, sizeof buffer);
    BSON_APPEND_DOCUMENT_BEGIN(privileges, key, &privilege);
    BSON_APPEND_DOCUMENT_BEGIN(&privilege, "resource", &resource);
    if (db) {
        BSON_APPEND_UTF8(&resource, "db", db);
        BSON_APPEND_UTF8(&resource, "collection", collection);
    } else {
        BSON_APPEND_BOOL(&resource, "cluster", true);
    }
    bson_append_document_end(&privilege, &resource);
    append_actions(&privilege, actions);
    bson_append_document_end(privileges, &privilege);
}

const char *const tf_role_kinds[] = {"run", "monitor", "audit", "auditor", "purge", NULL};

static void grant_repaired(bson_t *privileges, const char *db, const char *collection, const char *const *others,
                           const char *const *actions)
{
    static const char *const read[] = {"find", NULL};
    static const char *const facts[] = {"listIndexes", "listCollections", "collStats", "dbStats", NULL};
    grant(privileges, db, collection, actions);
    for (const char *const *at = others; at && *at; at++)
        grant(privileges, db, *at, read);
    grant(privileges, db, "", facts);
}

void tf_role_document(const char *kind, const char *db, const char *state_db, const char *collection,
                      const char *const *other_read_collections, bson_t *privileges)
{
    static const char *const watch[] = {"replSetGetStatus", "replSetGetConfig", "serverStatus", "getParameter", NULL};
    static const char *const repair[] = {"find", "update", NULL}, *const look[] = {"find", NULL};
    static const char *const keep[] = {
        "find", "insert", "createCollection", "listCollections", "listIndexes", "dbStats", NULL};
    static const char *const read[] = {"find", "listCollections", "listIndexes", "dbStats", NULL};
    static const char *const add[] = {"insert", "createCollection", "createIndex", NULL};
    static const char *const delete[] = {"find",        "remove",  "dropCollection", "listCollections",
                                         "listIndexes", "dbStats", "collStats",      NULL};
    static const char *const append[] = {"insert", NULL}; /* who removes leaves that in the audit trail */
    static const char *const update[] = {"update", "createIndex", NULL}, *const changing[] = {"runs", "partitions", "ledger", NULL};
    /* not everywhere: an index of a date may let documents expire, and so remove events and backups */
    static const char *const index[] = {"createIndex", NULL}, *const indexed[] = {"batches", NULL};
    if (strcmp(kind, "monitor") == 0) {
        grant(privileges, NULL, NULL, watch);
    } else if (strcmp(kind, "audit") == 0 || strcmp(kind, "auditor") == 0) {
        grant_repaired(privileges, db, collection, other_read_collections, look);
        grant(privileges, state_db, "", read);
        if (strcmp(kind, "auditor") == 0)
            grant(privileges, state_db, "audits", add);
    } else if (strcmp(kind, "purge") == 0) {
        grant(privileges, state_db, "", delete);
        grant(privileges, state_db, "events", append);
    } else {
        grant_repaired(privileges, db, collection, other_read_collections, repair);
        grant(privileges, state_db, "", keep);
        for (const char *const *at = changing; *at; at++)
            grant(privileges, state_db, *at, update);
        for (const char *const *at = indexed; *at; at++)
            grant(privileges, state_db, *at, index);
    }
}
