/*
 * A migration: a file migrations/NNN_name.c that exports `const tf_migration tf_migration_NNN_name`. CMake finds it.
 * It includes <tokenfix/...> and nothing else of this project.
 */
#ifndef TOKENFIX_MIGRATION_H
#define TOKENFIX_MIGRATION_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>
#include <tokenfix/repair.h>

/* What the engine hands to a migration's functions. Lives as long as the call. */
typedef struct tf_context tf_context;

/* A check that audits run: a name, its group and severity, and an aggregation (Extended JSON, an array). */
typedef struct tf_check {
    const char *name;        /* "melted_unspent" */
    const char *group;       /* "balance", "integrity" */
    const char *severity;    /* "high", "medium", "low" */
    const char *aggregation; /* Extended JSON array; yields one document {count: n, …} */
    const char *advice;      /* what to do about a finding, a sentence */
} tf_check;

/* An index that the application counts on: where it is missing, what watches the system's health says so. */
typedef struct tf_index {
    const char *collection; /* NULL ends the list */
    const char *keys;       /* Extended JSON; one that begins with the same fields serves as well */
} tf_index;

typedef struct tf_migration {
    const char *id;                 /* "004_fix_melted_token_status": the file's name */
    const char *summary;            /* one line, no full stop */
    const char *version;            /* of the migration, stored in its runs */
    const char *const *depends_on;  /* ids, NULL-terminated; NULL for none */
    const char *const *requires;    /* collections that must exist, NULL-terminated; NULL for none */
    const char *const *reads;       /* collections read where they exist (by checks), NULL-terminated; NULL for none */
    const char *repair;             /* Extended JSON of a tf_repair */
    const tf_check *checks;         /* ends with a row whose name is NULL; NULL for none */
    const tf_index *indexes;        /* that should be there; NULL for none */
    bool is_default;                /* what a command without MIGRATION means; exactly one in a registry */
    /* Each returns false with *err filled to stop: INVARIANT and REFUSED_WRITE take the run back, all else interrupts it. */
    bool (*preflight)(tf_context *context, tf_error *err); /* before a run exists, looks only; NULL: nothing to check */
    bool (*up)(tf_context *context, tf_error *err);
    bool (*down)(tf_context *context, tf_error *err);
    bool (*verify)(tf_context *context, tf_error *err); /* after the engine's own proof; NULL: nothing to add */
} tf_migration;

/* The registry, generated from the folder: NULL-terminated, ordered by id. */
extern const tf_migration *const tf_migrations[];
extern const size_t tf_migrations_count;

/* The session of the run (borrowed): operations that shall belong to the engine's transactions must name it. NULL in a
 * preflight and with the journal strategy: there are no transactions. */
mongoc_client_session_t *tf_context_session(tf_context *context);

/* The repaired database (borrowed), with write concern majority and journaled. It does not pass the engine's write gate:
 * only `up` and `down` may write to it, a preflight and a verify never. Its name (borrowed). */
mongoc_database_t *tf_context_database(tf_context *context);
const char *tf_context_database_name(const tf_context *context);

/* The repair this run applies: the one stored in the run (borrowed). Not to be asked for in a preflight. */
const tf_repair *tf_context_repair(const tf_context *context);

/* The common `up`: walks the partitions and repairs batch by batch by the run's strategy, every document snapshotted
 * first. `repair` must be the context's. True when all is done. On failure what was committed stays, and the error's code
 * says what becomes of it: INVARIANT, REFUSED_WRITE, PERMISSION take the run back, all else leaves it to be resumed. */
bool tf_repair_apply(tf_context *context, const tf_repair *repair, tf_error *err);

/* The common `down`: gives back what the run being rolled back had changed, newest batch first, conflicts left alone
 * (no failure: they are counted and listed). On failure the rollback can be resumed. */
bool tf_repair_restore(tf_context *context, tf_error *err);

#endif
