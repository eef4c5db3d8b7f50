/* The mark of an import in the run's document: see engine/backup.h. */
#include "base/clock.h"
#include "base/owner.h"
#include "engine/backup_import.h"
#include "engine/resolve.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

enum { DEPTH_MAX = 64 };

/* ---- an import that has not ended ---- */

static bool pending(const char *run, tf_error *err)
{
    tf_error_set(err, TF_ERR_INTERRUPTED,
                 "the backup of run %s is being brought back from a file, or that was interrupted", run);
    return tf_error_hint(
        err, "Bring it to its end with the same 'tokenfix backup import'; until then nothing is given back from it.");
}

bool tf_import_is_over(const tf_store *store, const tf_run *run, tf_error *err)
{
    char next[TF_RUN_ID_SIZE];
    if (bson_has_field(run->doc, "import"))
        return pending(run->id, err);
    snprintf(next, sizeof next, "%s", run->down ? run->restores : "");
    for (int depth = 0; next[0] && depth < DEPTH_MAX; depth++) {
        tf_run target = {0};
        int got = tf_run_load(store, next, &target, err);
        bool over = got == 0 || (got == 1 && (!bson_has_field(target.doc, "import") || pending(target.id, err)));
        snprintf(next, sizeof next, "%s", got == 1 && target.down ? target.restores : "");
        tf_run_done(&target);
        if (!over)
            return false;
    }
    return true;
}

/* ---- the mark ---- */

/* Whoever decided on what stood in the run before finds another fence. */
bool tf_importing_mark(tf_importing *x, tf_error *err)
{
    tf_owner self;
    int64_t matched = 0;
    tf_owner_self(&self);
    snprintf(x->mark, sizeof x->mark, "%016" PRIx64 "%016" PRIx64, tf_clock_random(UINT64_MAX),
             tf_clock_random(UINT64_MAX));
    _cleanup_(bson_destroyp) bson_t *query =
        BCON_NEW("_id", BCON_UTF8(x->run.id), "state", BCON_UTF8(tf_state_name(x->run.stored)), "lease.fence",
                 BCON_INT64(x->run.fence));
    _cleanup_(bson_destroyp) bson_t *again = BCON_NEW("_id", BCON_UTF8(x->run.id), "import.id", BCON_UTF8(x->mark));
    _cleanup_(bson_destroyp) bson_t *either = BCON_NEW("$or", "[", BCON_DOCUMENT(query), BCON_DOCUMENT(again), "]");
    _cleanup_(bson_destroyp) bson_t *update =
        BCON_NEW("$set", "{", "lease.fence", BCON_INT64(x->run.fence + 1), "import", "{", "id", BCON_UTF8(x->mark),
                 "host", BCON_UTF8(self.host), "pid", BCON_INT64(self.pid), "}", "}");
    if (!tf_store_update_patiently(&x->engine->store, TF_RUNS, query, either, update, &matched,
                                   "note the import in the run", err))
        return false;
    if (matched == 1) {
        x->run.fence++;
        return true;
    }
    tf_error_set(err, TF_ERR_LEASE_HELD, "run %s was changed by another process at this moment", x->run.id);
    return tf_error_hint(err, "'tokenfix status' shows who works on it; then begin again.");
}

bool tf_importing_unmark(const tf_importing *x, bool expected, tf_error *err)
{
    int64_t matched = 0;
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("_id", BCON_UTF8(x->run.id), "import.id", BCON_UTF8(x->mark));
    _cleanup_(bson_destroyp) bson_t *again =
        BCON_NEW("_id", BCON_UTF8(x->run.id), "$or", "[", "{", "import.id", BCON_UTF8(x->mark), "}", "{", "import", "{",
                 "$exists", BCON_BOOL(false), "}", "}", "]");
    _cleanup_(bson_destroyp) bson_t *update = BCON_NEW("$unset", "{", "import", BCON_INT32(1), "}");
    if (!tf_store_update_patiently(&x->engine->store, TF_RUNS, query, again, update, &matched,
                                   "note the end of the import", err))
        return false;
    if (matched == 1 || !expected)
        return true;
    tf_error_set(err, TF_ERR_LEASE_HELD, "another process began to import the backup of run %s meanwhile", x->run.id);
    return tf_error_hint(err, "What both wrote is the same; the other one ends it.");
}

/* Who looked before the mark stood there may have begun: then it is taken away again. */
bool tf_importing_is_alone(const tf_importing *x, tf_error *err)
{
    tf_run live = {0};
    int got = tf_resolve_live(x->engine, &live, err);
    if (got == 1) {
        tf_error_set(err, TF_ERR_LEASE_HELD, "run %s is under way: no backup can be brought back meanwhile", live.id);
        tf_error_hint(err, "Wait for it to end, or stop it; 'tokenfix status' shows how far it is.");
    }
    tf_run_done(&live);
    return got == 0;
}
