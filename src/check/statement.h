/*
 * A statement of accounts: a run's ledger, entry by entry in the order of the owners, what all of them add up to, and whether
 * that agrees with what the batches and the run say. It reads the ledger only, a page at a time: memory does not grow with
 * the number of accounts.
 */
#ifndef TF_CHECK_STATEMENT_H
#define TF_CHECK_STATEMENT_H

#include "check/sums.h"
#include "store/run.h"

#include <tokenfix/repair.h>

/* One account, or all of one owner. Amounts are those of the statuses that make a balance. */
typedef struct tf_entry {
    const bson_t *owner;   /* {npub: …, mint_url: …}; of all of one owner the first field alone */
    const tf_sums *sums;   /* of one account; NULL of all of one owner */
    int64_t before, after; /* the balance; `after` is 0 where it is not known */
    int64_t change;        /* what the run made of it: after, but for what others wrote meanwhile, is before + change */
    int64_t others;        /* after - before - change, where `after` is known */
    int64_t documents, moved; /* of the run, whatever from and to */
    bool differs;          /* in any status from what the run should have made of it, */
    bool covered;          /* by no more than what was written since the run began */
} tf_entry;

typedef struct tf_statement {
    int64_t accounts, owners; /* owners: by the first field */
    int64_t before, change, after, others, documents, moved;
    int64_t explained, unexplained; /* accounts that differ */
    int64_t unexplained_amount;     /* of each its largest difference in any status, added up; INT64_MAX beyond */
    int64_t lacking;                /* accounts that had documents and have no balance after */
} tf_statement;

typedef struct tf_statement_wanted {
    const tf_store *store;
    const tf_repair *repair; /* it has a ledger */
    const char *run;
    const char *owner;    /* the text of the first owner field; NULL: all */
    bool by_owner;        /* an entry for each owner instead of each account */
    bool known;           /* the balances after were recorded */
    /* Called for each entry, which lives as long as the call; false ends the reading. May be NULL. */
    bool (*visit)(void *arg, const tf_entry *entry, tf_error *err);
    void *arg;
} tf_statement_wanted;

/* OVERFLOW where a sum leaves 64 bits; INTERRUPTED after a second Ctrl-C. */
bool tf_statement_read(const tf_statement_wanted *wanted, tf_statement *out, tf_error *err);

typedef enum {
    TF_STATEMENT_OPEN,   /* the run has not ended: its ledger is not complete */
    TF_STATEMENT_AGREES,
    TF_STATEMENT_DIFFERS
} tf_statement_verdict;

typedef struct tf_statement_proof {
    tf_statement_verdict verdict;
    int64_t batches, documents, amount; /* what the batches moved */
    int64_t run_amount;                 /* what the run says that it moved */
    bool posted;                        /* the accounts say the same as the batches and the run */
    bool balanced;                      /* before and what was moved make after, but for what was written since */
} tf_statement_proof;

/* Whether the run's balances after were recorded: only where it was completed once. 1, 0, -1. */
int tf_statement_known(const tf_store *store, const tf_run *run, tf_error *err);

/* Adds up the run's batches and compares. `whole`: a statement of all accounts. */
bool tf_statement_prove(const tf_store *store, const tf_run *run, const tf_statement *whole, bool known, tf_statement_proof *out,
                        tf_error *err);

#endif
