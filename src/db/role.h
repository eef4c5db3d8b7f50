/* The least-privilege roles: one place for what is printed, what the sandbox creates and what the tests run under. */
#ifndef TF_DB_ROLE_H
#define TF_DB_ROLE_H

#include <tokenfix/cleanup.h>

/* The kinds, NULL-terminated:
 *   run      preview, up, verify, down of a repair of db.collection, with its records in state_db; pause and cancel
 *   monitor  what the server says about itself and its set; no data
 *   audit    verify, status, history, preview: reads what `run` reads, writes nothing
 *   auditor  the same, and keeps what audits found: inserts into state_db.audits
 *   purge    deletes in state_db, and sees there what, and says so in the audit trail; the user's documents it does not even read */
extern const char *const tf_role_kinds[];

/* Appends to privileges (an empty array) those of a kind. other_read_collections are those of db it may read besides,
 * NULL-terminated; NULL: none. But for "monitor", db and state_db must differ: else the role would be too wide. */
void tf_role_document(const char *kind, const char *db, const char *state_db, const char *collection,
                      const char *const *other_read_collections, bson_t *privileges);

#endif
