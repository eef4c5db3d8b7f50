/*
 * A migration: a file migrations/NNN_name.c that exports `const tf_migration tf_migration_NNN_name`. CMake finds it.
 * It includes <tokenfix/...> and nothing else of this project.
 */
#ifndef TOKENFIX_MIGRATION_H
#define TOKENFIX_MIGRATION_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/api.h>
#include <tokenfix/cleanup.h>
#include <tokenfix/error.h>
#include <tokenfix/repair.h>

TF_API_BEGIN

/* What the engine hands to a migration's functions. Lives as long as the call. */
typedef struct tf_context tf_context;

/*
 * A check that audits run: data, like a repair. What comes out of `source` and matches `where` is wrong. All Extended JSON
 * ({"$type": {"$numberInt": "9"}}, never {"$type": "date"}); NULL where nothing is said. The strings "$$NARROWED", "$$WHOSE" and
 * "$$SINCE" stand for aggregation expressions: whether a document is within what the audit was narrowed to, whether it belongs to
 * the user and mint asked for, whether it is as new as was asked for. "$$AMOUNT" is the ledger's amount, a whole number, or null for
 * an odd one; "$$CANDIDATES" is the array (an expression) of the _ids that the probe led to, where they are few; "$$EVERY" is true
 * where they are not.
 */
typedef struct tf_check {
    const char *name;       /* "melted_unspent" */
    const char *group;      /* "balance", "integrity" */
    const char *severity;   /* "high", "medium", "low" */
    const char *collection; /* that is looked at; NULL: the repair's */
    const char *needs;      /* a collection besides: where it is not there the check is skipped */
    /* An array of stages, applied to the documents asked for; NULL: these documents themselves. What comes out may carry `count`
     * (how much it counts, else 1), `amount`, and `owner`. Checks with the same text share one pass over the data. */
    const char *source;
    const char *narrowed; /* the same where the audit is narrowed: applied to all documents */
    int pass;             /* of the documents themselves: those with the same number share a pass, passes run side by side */
    /* Cheap questions before `source` is applied. Premise, a query, is asked in a pass over the documents; where none matches there
     * is nothing to find. Probe, stages, is applied to those that match (or to all): where nothing comes out of it there is nothing to
     * find. Else its _ids are values of the field `among` (NULL: none): where they are few only these documents are looked at. A probe
     * that the server refuses leads to looking at everything. */
    const char *premise;
    const char *probe;
    const char *among;
    const char *where;    /* a query; NULL: all that comes out */
    const char *shows;    /* a projection: what examples of documents show besides _id and the ledger's fields */
    const char *key;      /* what the _id of what comes out is called in examples; NULL: _id */
    bool secret;          /* this _id is a secret: examples show a short hash of it */
    const char *detail;   /* stages that tell more about the few examples; the _id stays */
    const char *owners;   /* stages that make {owner, count} of what comes out; NULL: it carries them, or is a document */
    const char *noun;     /* what is counted: "secret"; NULL: the repair's noun */
    const char *advice;   /* what to do about a finding, a sentence */
    int64_t high_above;   /* the severity is high where it counts more; 0: never */
    int64_t high_above_amount; /* likewise of the amount */
    const char *user_key; /* its name in the report by user; NULL: it is not in it */
    bool user_flag;       /* there it is true or false, not a number */
    bool ledger; /* no aggregation: the ledger of the newest finished run against the balances of today. Premise: amounts that are no
                  * whole numbers; where none matches, plain sums will do */
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
#ifdef __cplusplus
    const char *const *requires_;   /* `requires` is a word of C++20's */
#else
    const char *const *requires;    /* collections that must exist, NULL-terminated; NULL for none */
#endif
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

TF_API_END

#endif
