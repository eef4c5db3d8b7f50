/*
 * The transaction loop. The driver's own (mongoc_client_session_with_transaction) retries without a pause for 120 s;
 * this one backs off, bounds every attempt, and lets its caller look at the truth before it tries again.
 *
 *   attempt: start → body → commit          snapshot, majority, j:true
 *   body or commit fails → abort → after(): what does the caller want?
 *     TF_TXN_AGAIN  back off (jitter · min(5 ms · 1.5^n, 500 ms)), next attempt
 *     TF_TXN_DONE   the caller found that the attempt had been committed after all
 *     TF_TXN_STOP   give up with the error of the attempt
 *
 * UnknownTransactionCommitResult: the commit is sent again, majority, until the attempt's deadline; then after() decides.
 */
#ifndef TF_DB_TXN_H
#define TF_DB_TXN_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <tokenfix/error.h>

typedef enum { TF_TXN_AGAIN, TF_TXN_DONE, TF_TXN_STOP } tf_txn_verdict;

typedef struct tf_txn {
    mongoc_client_session_t *session;
    int64_t deadline_ms; /* for one attempt, well below the server's 60 s; 0: 20 s */
    int64_t budget_ms;   /* for all attempts together; 0: 60 s */
    void *arg;
    bool (*body)(void *arg, tf_error *err);
    /* After a failed attempt (aborted already). `error` may be replaced. NULL: AGAIN while the error is transient. Must
     * be given where the body is not idempotent, since the commit may have been applied. */
    tf_txn_verdict (*after)(void *arg, tf_error *error, int attempt);
    int attempts;  /* out */
    int conflicts; /* out: attempts that failed with 112 */
} tf_txn;

/* True once an attempt is known to be committed by a majority. False with the last attempt's error (TRANSIENT where the
 * budget ended, or the stop level is 2); what it had begun is aborted. Must not be called inside a transaction. */
bool tf_txn_run(tf_txn *txn, tf_error *err);

/* How long anything is tried again that may pass: 60 s. */
int64_t tf_txn_budget_ms(void);

/* Milliseconds to wait before attempt n (1 is the first repetition): full jitter. */
int64_t tf_txn_backoff_ms(int n);

#endif
