/*
 * A repair: the declarative heart of a data migration. It is one BSON document and nothing else: it is stored in the
 * run that applies it, and `--resume` and `down` use the stored one, never the binary's.
 *
 *   {
 *     collection: "cashu_tokens",
 *     filter:   {…},                    a query: which documents are wrong
 *     population: {…},                  optional: a query for all that can go wrong in this way; health is relative to it
 *     update:   [{$set: {…}}, …],       a pipeline of $set, $unset, $replaceWith; "$$RUN_STARTED" is the run's time
 *     touched:  ["status", …],          every top-level field the update may change, the update times included
 *     created:  ["createdAt", …],       optional: fields that tell when a document was created
 *     updated:  ["updatedAt", …],       optional: fields that tell when it was last changed
 *     ledger: {                         optional: what the balances are made of
 *       owner:  ["npub", "mint_url"],   1 to 4 fields (dotted paths allowed); one account per distinct combination
 *       amount: "total_amount",         a field (dotted path allowed)
 *       scale:  0,                      digits after the point that count; amounts are integers of 10^-scale
 *       unit:   "sat",                  printed behind amounts
 *       status: "status",               sums are kept per value of this field
 *       statuses:  ["unspent", …],      optional: the texts that `status` may have, in the order they are told
 *       balance:   ["unspent", …],      optional: those that add up to a balance (all but the uncounted)
 *       uncounted: ["failed", …]        optional: those whose amounts count nowhere
 *     },
 *     invariants: [{name: "…", holds: <aggregation expression over the repaired document>}, …],
 *     masked:   ["proofs", "metadata.encoded_token"],   optional: paths never shown, logged or printed
 *     noun:     "token"                 optional: what a document is called in messages ("document")
 *   }
 */
#ifndef TOKENFIX_REPAIR_H
#define TOKENFIX_REPAIR_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <tokenfix/api.h>
#include <tokenfix/error.h>

#define TF_LEDGER_OWNERS_MAX 4
#define TF_LEDGER_STATUSES_MAX 16
#define TF_TOUCHED_MAX 64

TF_API_BEGIN

typedef struct tf_invariant {
    const char *name;
    bson_value_t holds; /* owned */
} tf_invariant;

/* A parsed repair. Every string and view points into `doc`, which the repair owns. Immutable once parsed. */
typedef struct tf_repair {
    bson_t *doc;
    const char *collection;
    bson_t filter;          /* view */
    bson_t population;      /* view; empty: every document */
    bson_t update;          /* view: an array */
    const char **touched;   /* NULL-terminated */
    const char **created;   /* NULL-terminated, may be empty */
    const char **updated;   /* NULL-terminated, may be empty */
    const char **masked;    /* NULL-terminated, may be empty */
    const char *noun;
    struct {
        bool present;
        const char *owner[TF_LEDGER_OWNERS_MAX + 1];
        size_t owners;
        const char *amount;
        const char *status;
        const char *unit;
        int scale;
        const char **statuses;  /* these three NULL-terminated, may be empty; the second and third are parts of the first */
        const char **balance;
        const char **uncounted;
    } ledger;
    tf_invariant *invariants;
    size_t invariants_count;
} tf_repair;

/* Parses Extended JSON. Every key is checked, unknown ones are errors (TF_ERR_INVALID), and the update's $set and $unset
 * may name touched fields only. NULL on failure; free with tf_repair_free. Extended JSON takes {"$type": "date"} for an
 * old form of binary data: write {"$type": {"$numberInt": "9"}}. */
tf_repair *tf_repair_parse(const char *json, tf_error *err);

/* The same from BSON; the document is copied. */
tf_repair *tf_repair_from_bson(const bson_t *doc, tf_error *err);

void tf_repair_free(tf_repair *repair);
void tf_repair_freep(tf_repair **repair);

/* Whether a status adds up to a balance; whether its amounts count at all. Where the ledger names no statuses, every one does. */
bool tf_repair_is_balance(const tf_repair *repair, const char *status);
bool tf_repair_is_counted(const tf_repair *repair, const char *status);

/* Whether the repair may change the top-level field `name`. */
bool tf_repair_touches(const tf_repair *repair, const char *name);

/* Whether `name` is one of the fields that only tell when a document was last changed. */
bool tf_repair_is_update_time(const tf_repair *repair, const char *name);

/* Appends to `out` (an initialised, empty document) the update pipeline with "$$RUN_STARTED" replaced by
 * `run_started` (milliseconds since the epoch). What stands below $literal is left as it is. */
void tf_repair_bind_update(const tf_repair *repair, int64_t run_started, bson_t *out);

/* The same for the i-th invariant's expression, appended to `out` under `key`. */
void tf_repair_bind_invariant(const tf_repair *repair, size_t i, int64_t run_started, const char *key, bson_t *out);

TF_API_END

#endif
