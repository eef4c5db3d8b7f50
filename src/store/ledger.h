/*
 * The ledger of a run: one document per account with its sums by status before the first batch, what the batches moved,
 * and its sums after the last.
 *
 *   {_id: {run, owner: {…}}, run, before: [{status, n, amount}], moved: [{from, to, created, n, amount}], after:
 *    [{status, n, amount, since}]}      since: the part of `amount` that was created or updated after the run's start
 */
#ifndef TF_STORE_LEDGER_H
#define TF_STORE_LEDGER_H

#include "store/store.h"

#include "base/docs.h"

/* The key of an account, appended to the empty *key. An owner with names that the server takes in no _id ("$x") is kept in
 * it as binary. tf_ledger_owner makes *owner a view of it again; false where the row has none. */
void tf_ledger_key(const char *run, const bson_t *owner, bson_t *key);
bool tf_ledger_owner(const bson_t *row, bson_t *owner);

/* Writes accounts: each item is {owner: {…}, sums: [{status, n, amount}]}; `phase` is "before", "moved" or "after".
 * Writing the same again is harmless. */
bool tf_ledger_write(const tf_store *store, const char *run, const char *phase, const tf_docs *accounts, tf_error *err);

/* Reads the accounts of these owners (array of {run, owner} keys), in any order. The caller destroys the cursor. */
mongoc_cursor_t *tf_ledger_find(const tf_store *store, const bson_t *keys);

/* All accounts of a run, in any order. The caller destroys the cursor. */
mongoc_cursor_t *tf_ledger_all(const tf_store *store, const char *run);

/*
 * All accounts of a run in the order of their owners, a page at a time: however many there are, and however long the caller
 * takes over one (a cursor would be ended by the server after ten minutes), memory is a page's. Zero-initialise with store and
 * run, and with `name` and `value` where only the accounts whose first owner field is of that name and text are wanted. Free
 * with tf_ledger_reader_done. Owners with names that the server takes in no _id come last.
 */
typedef struct tf_ledger_reader {
    const tf_store *store;
    const char *run, *name, *value; /* borrowed */
    tf_docs page;
    size_t next;
    bson_t *last;  /* the _id of the last row that was read; NULL: none yet */
    bool binaries; /* the owners that are kept as binary are read now */
    bool ended;
} tf_ledger_reader;

/* 1 and *row a view that lives until the next call, 0 at the end, -1 with *err. */
int tf_ledger_reader_next(tf_ledger_reader *reader, bson_t *row, tf_error *err);
void tf_ledger_reader_done(tf_ledger_reader *reader);

/* Whether an account of the run has this phase ("after"): 1, 0, -1. */
int tf_ledger_has(const tf_store *store, const char *run, const char *phase, tf_error *err);

#endif
