/*
 * Balances: the sums by status of every account of a collection, computed by the server, and their comparison with what a
 * run should have made of them. One pass over the collection each.
 */
#ifndef TF_CHECK_BALANCE_H
#define TF_CHECK_BALANCE_H

#include "check/narrowing.h"
#include "store/run.h"

#include <tokenfix/repair.h>

/* Writes the balances of now into the run's ledger as "before". *accounts counts them. OVERFLOW where a sum leaves 64
 * bits. Without a ledger nothing is done. */
bool tf_balance_record(const tf_store *store, const tf_repair *repair, const char *run, int64_t *accounts, tf_error *err);

/* Posts what the run's batches moved to its ledger, account by account. */
bool tf_balance_post(const tf_store *store, const char *run, tf_error *err);

typedef struct tf_balance_result {
    int64_t rows;      /* accounts compared */
    int64_t explained; /* accounts that differ by no more than what was created or updated since the start */
    int64_t unexplained;
    int64_t owners; /* of these, told apart by the ledger's first owner field */
    int64_t amount; /* of each of these its largest difference in any status, without its sign, added up; INT64_MAX beyond */
    bson_t *examples;  /* array of at most 100 {owner, status, expected, found} of unexplained accounts, the largest differences first; owned */
} tf_balance_result;

void tf_balance_result_done(tf_balance_result *result);

/* Compares the collection as it is now with the run's ledger: before + moved. With `record` the balances of now become the
 * ledger's "after". *out (free with tf_balance_result_done) is empty on failure. */
bool tf_balance_compare(const tf_store *store, const tf_repair *repair, const tf_run *run, bool record,
                        tf_balance_result *out, tf_error *err);

/* The same of the accounts of `narrowing` only, whose times do not count here; nothing is recorded. `plain`: in a third of the time
 * where nothing differs; then it is true only if the caller knows that every amount is a whole number, and *sure is false. */
bool tf_balance_look(const tf_store *store, const tf_narrowing *narrowing, const tf_run *run, bool plain, bool *sure,
                     tf_balance_result *out, tf_error *err);

#endif
