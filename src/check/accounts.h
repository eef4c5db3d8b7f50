/* The accounts of a repair's ledger, each with its sums by status, computed by the server in one pass over the collection. */
#ifndef TF_CHECK_ACCOUNTS_H
#define TF_CHECK_ACCOUNTS_H

#include "base/docs.h"
#include "store/store.h"

#include <tokenfix/repair.h>

/* Some documents of a cursor. */
typedef bool (*tf_accounts_visit)(void *arg, tf_docs *some, tf_error *err);

/* Hands over every account once: {owner, sums: [{status, n, amount, since?}]}. Odd amounts count 0 (check/amount.h). `since`:
 * how much of the amount was created or changed after `started`; that takes the server as long again, so with 0 there is none.
 * OVERFLOW where a sum leaves 64 bits. */
bool tf_accounts_read(const tf_store *store, const tf_repair *repair, int64_t started, tf_accounts_visit visit, void *arg, tf_error *err);

/* The same in a third of the time where every amount is a whole number: what is none falsifies the sums. Where one may have left what
 * a double holds exactly, *exact is false, and the accounts that follow are not handed over. */
bool tf_accounts_read_plain(const tf_store *store, const tf_repair *repair, bool *exact, tf_accounts_visit visit, void *arg, tf_error *err);

/* Hands over the documents of any cursor, which is destroyed. */
bool tf_accounts_walk(mongoc_cursor_t *owned, const tf_op *op, tf_accounts_visit visit, void *arg, tf_error *err);

#endif
