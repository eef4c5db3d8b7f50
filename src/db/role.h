/* The least-privilege roles: one place for what is printed, what the sandbox creates and what the tests run under. */
#ifndef TF_DB_ROLE_H
#define TF_DB_ROLE_H

#include <tokenfix/cleanup.h>

/* Appends to privileges (an empty array) those of a kind of role: "run" (preview, up, verify, down of a repair of
 * db.collection, its records in state_db) or "monitor" (server facts, cluster-wide). other_read_collections are those of
 * db it may read besides, NULL-terminated; NULL: none. db and state_db must differ: else the role would be too wide. */
void tf_role_document(const char *kind, const char *db, const char *state_db, const char *collection,
                      const char *const *other_read_collections, bson_t *privileges);

#endif
