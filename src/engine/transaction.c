/* The transaction strategy: a batch is one multi-document transaction. See docs/protocol.md. */
#include "backup/snapshot.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/stop.h"
#include "db/failure.h"
#include "db/txn.h"
#include "engine/batch.h"

#include <inttypes.h>

enum { ATTEMPT_MS = 30000 }; /* half of the 60 s after which the server would end the transaction */

/* A point of the table of kill points: "up.before_backup", "down.after_write", … */
#ifdef TF_FAILPOINTS
static void point(const tf_batch *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", b->kind->name, name);
    TF_FAILPOINT(full);
}
#else
#define point(b, name) ((void)0)
#endif

static int64_t attempt_ms(void)
{
#ifdef TF_FAILPOINTS
    const char *text = getenv("TOKENFIX_TXN_ATTEMPT_MS");
    if (text)
        return atoi(text);
#endif
    return ATTEMPT_MS;
}

static bool body(void *arg, tf_error *err)
{
    tf_batch *b = arg;
    tf_context *context = b->context;
    mongoc_client_session_t *session = context->session;
    tf_batch_reset(b);
    b->until = tf_clock_ms() + attempt_ms();
    tf_batch_lap(b, &b->timings.wait); /* with what an attempt before this one took */
    point(b, "before_advance");
    if (!tf_partition_advance(&context->store, b->partition, &b->next, session, err))
        return false;
    tf_batch_lap(b, &b->timings.commit);
    point(b, "after_advance");
    if (!tf_batch_may_go_on(b, err) || !b->kind->gather(b, session, err))
        return false;
    tf_batch_lap(b, &b->timings.find);
    point(b, "before_backup");
    if (!tf_snapshot_insert(&context->store, session, context->run.id, &b->before, err))
        return false;
    tf_batch_lap(b, &b->timings.backup);
    point(b, "after_backup");
    if (!tf_batch_may_go_on(b, err) || !b->kind->write(b, session, err))
        return false;
    tf_batch_lap(b, &b->timings.update);
    point(b, "after_write");
    if (!tf_batch_may_go_on(b, err) || !b->kind->check(b, session, err))
        return false;
    tf_batch_lap(b, &b->timings.check);
    point(b, "after_check");
    if (!tf_batch_write_record(b, session, err))
        return false;
    point(b, "after_record");
    return tf_batch_may_go_on(b, err);
}

/* Whether the attempt was committed after all: the partition says. Patient while the server is away. */
static bool read_partition(tf_batch *b, tf_partition *fresh, tf_error *err)
{
    int64_t give_up = tf_clock_ms() + tf_txn_budget_ms();
    for (int n = 1;; n++) {
        tf_error one = {0};
        if (tf_partition_read(&b->context->store, fresh, &one))
            return true;
        bool again = tf_failure_is_transient(&one) || one.server_code == TF_CODE_MAX_TIME_EXPIRED;
        if (!again || tf_clock_ms() > give_up || tf_stop_level() >= 2) {
            *err = one;
            return false;
        }
        tf_clock_sleep_ms(tf_txn_backoff_ms(n));
    }
}

static bool is_too_large(tf_batch *b, const tf_error *error)
{
    if (error->code == TF_ERR_TOO_LARGE || error->server_code == TF_CODE_MAX_TIME_EXPIRED)
        return true;
    b->conflicts_in_row = error->server_code == TF_CODE_WRITE_CONFLICT ? b->conflicts_in_row + 1 : 0;
    return b->conflicts_in_row >= 3 && b->conflicts_in_row % 3 == 0;
}

static tf_txn_verdict after(void *arg, tf_error *error, int attempt)
{
    tf_batch *b = arg;
    (void)attempt;
    if ((error->labels & TF_LABEL_NETWORK) && !(error->labels & TF_LABEL_SELECTION))
        b->vanished++;
    tf_partition fresh = {0};
    snprintf(fresh.id, sizeof fresh.id, "%s", b->partition->id);
    tf_error one = {0};
    if (!read_partition(b, &fresh, &one)) {
        *error = one;
        tf_partition_done(&fresh);
        return TF_TXN_STOP;
    }
    bool committed = fresh.seq == b->partition->seq + 1 && fresh.fence == b->partition->fence;
    bool moved = fresh.seq != b->partition->seq || fresh.fence != b->partition->fence;
    tf_partition_done(&fresh);
    if (committed)
        return TF_TXN_DONE;
    if (moved) {
        *error = (tf_error){0};
        tf_error_set(error, TF_ERR_LEASE_LOST, "run %s was taken over by another process", b->context->run.id);
        return TF_TXN_STOP;
    }
    if (b->vanished >= 2) {
        error->code = TF_ERR_TRANSIENT;
        error->hint[0] = '\0';
        tf_batch_hint_vanished(b, error);
        return TF_TXN_STOP;
    }
    if (is_too_large(b, error) && b->candidates > 1) {
        b->context->pace.limit = (size_t)(b->candidates + 1) / 2;
        error->code = TF_ERR_TOO_LARGE;
        return TF_TXN_STOP; /* the caller cuts a smaller batch and comes again */
    }
    return tf_failure_is_transient(error) ? TF_TXN_AGAIN : TF_TXN_STOP;
}

bool tf_transaction_run(tf_batch *b, tf_error *err)
{
    tf_txn txn = {.session = b->context->session, .arg = b, .body = body, .after = after};
    bool ok = tf_txn_run(&txn, err);
    b->attempts = txn.attempts;
    b->conflicts_met = txn.conflicts;
    return ok;
}
