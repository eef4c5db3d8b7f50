#include "db/txn.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "db/failure.h"

#include <tokenfix/cleanup.h>

enum { DEADLINE_MS = 20000, BUDGET_MS = 60000 };

int64_t tf_txn_backoff_ms(int n)
{
    double limit = 5.0;
    for (int i = 1; i < n && limit < 500.0; i++)
        limit *= 1.5;
    if (limit > 500.0)
        limit = 500.0;
    return 1 + (int64_t)tf_clock_random((uint64_t)limit);
}

/* The default budget; the tests of what never succeeds make it shorter. */
int64_t tf_txn_budget_ms(void)
{
#ifdef TF_FAILPOINTS
    const char *text = getenv("TOKENFIX_TXN_BUDGET_MS");
    if (text)
        return atoll(text);
#endif
    return BUDGET_MS;
}

static bool start(tf_txn *txn, tf_error *err)
{
    mongoc_transaction_opt_t *opts = mongoc_transaction_opts_new();
    mongoc_read_concern_t *read = mongoc_read_concern_new();
    mongoc_write_concern_t *write = mongoc_write_concern_new();
    mongoc_read_concern_set_level(read, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_write_concern_set_wmajority(write, 0);
    mongoc_write_concern_set_journal(write, true);
    mongoc_transaction_opts_set_read_concern(opts, read);
    mongoc_transaction_opts_set_write_concern(opts, write);
    mongoc_transaction_opts_set_max_commit_time_ms(opts, txn->deadline_ms);
    bson_error_t error;
    bool ok = mongoc_client_session_start_transaction(txn->session, opts, &error);
    mongoc_write_concern_destroy(write);
    mongoc_read_concern_destroy(read);
    mongoc_transaction_opts_destroy(opts);
    return ok || tf_failure(err, &error, NULL, "start a transaction", NULL, NULL);
}

/* A write concern error of the commit is not a failure to the driver; it means that majority is not known yet. */
static bool commit_once(tf_txn *txn, tf_error *err)
{
    bson_t reply;
    bson_error_t error = {0};
    bool ok = mongoc_client_session_commit_transaction(txn->session, &reply, &error);
    bson_iter_t iter;
    if (ok && bson_iter_init_find(&iter, &reply, "writeConcernError")) {
        tf_error_set(err, TF_ERR_SERVER, "the commit is not known to have reached a majority");
        err->labels = TF_LABEL_UNKNOWN_COMMIT;
        err->server_code = TF_CODE_WRITE_CONCERN_FAILED;
        ok = false;
    } else if (!ok)
        tf_failure(err, &error, &reply, "commit the transaction", NULL, NULL);
    bson_destroy(&reply);
    return ok;
}

static bool commit(tf_txn *txn, int64_t deadline, tf_error *err)
{
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (commit_once(txn, &one))
            return true;
        bool unknown = (one.labels & TF_LABEL_UNKNOWN_COMMIT) != 0;
        if (!unknown || tf_clock_ms() >= deadline || tf_stop_level() >= 2) {
            if (err->code == TF_ERR_OK)
                *err = one;
            return false;
        }
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
}

static bool attempt(tf_txn *txn, tf_error *err)
{
    int64_t deadline = tf_clock_ms() + txn->deadline_ms;
    if (!start(txn, err))
        return false;
    if (txn->body(txn->arg, err)) {
        TF_FAILPOINT("txn.before_commit");
        if (commit(txn, deadline, err)) {
            TF_FAILPOINT("txn.after_commit");
            return true;
        }
    }
    if (mongoc_client_session_in_transaction(txn->session))
        mongoc_client_session_abort_transaction(txn->session, NULL);
    return false;
}

static tf_txn_verdict judge(tf_txn *txn, tf_error *error)
{
    if (txn->after)
        return txn->after(txn->arg, error, txn->attempts);
    return tf_failure_is_transient(error) ? TF_TXN_AGAIN : TF_TXN_STOP;
}

bool tf_txn_run(tf_txn *txn, tf_error *err)
{
    int64_t budget = txn->budget_ms ? txn->budget_ms : tf_txn_budget_ms();
    if (txn->deadline_ms == 0)
        txn->deadline_ms = budget < DEADLINE_MS ? budget : DEADLINE_MS;
    int64_t give_up = tf_clock_ms() + budget;
    for (txn->attempts = 1;; txn->attempts++) {
        tf_error error = {0};
        if (attempt(txn, &error))
            return true;
        if (error.server_code == TF_CODE_WRITE_CONFLICT)
            txn->conflicts++;
        tf_txn_verdict verdict = judge(txn, &error);
        if (verdict == TF_TXN_DONE)
            return true;
        bool late = tf_clock_ms() >= give_up;
        if (verdict == TF_TXN_STOP || late || tf_stop_level() >= 2) {
            if (late && verdict == TF_TXN_AGAIN && error.code != TF_ERR_TOO_LARGE)
                error.code = TF_ERR_TRANSIENT;
            if (err && err->code == TF_ERR_OK)
                *err = error;
            return false;
        }
        tf_clock_sleep_ms(tf_txn_backoff_ms(txn->attempts));
    }
}
