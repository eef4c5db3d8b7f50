#include "check/prerequisite.h"

#include "store/run.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static const tf_run *find_run(const tf_run *runs, size_t count, bool (*is)(const tf_run *))
{
    for (size_t i = 0; i < count; i++)
        if (is(&runs[i]))
            return &runs[i];
    return NULL;
}

static bool is_live(const tf_run *run)
{
    return run->active && !tf_run_is_abandoned(run);
}

static bool is_interrupted(const tf_run *run)
{
    return run->state == TF_STATE_INTERRUPTED;
}

static void judge_interrupted(const tf_run *run, tf_prerequisite_list *list)
{
    char hint[256];
    if (!run) {
        tf_prerequisite_ok(list, "interrupted_runs", "none");
        return;
    }
    snprintf(hint, sizeof hint, "'tokenfix %s --resume=%s --confirm' goes on with it%s.", run->down ? "down" : "up",
             run->id, run->down ? "" : "; 'tokenfix down' takes it back");
    tf_prerequisite_warn(list, "interrupted_runs", hint, "%s %s was interrupted: a plain 'up' will not begin",
                         run->down ? "down" : "up", run->id);
}

static void judge_lease(const tf_run *run, tf_prerequisite_list *list)
{
    if (!run)
        tf_prerequisite_ok(list, "lease", "nobody holds it");
    else
        tf_prerequisite_fail(list, "lease", TF_ERR_NOT_READY,
                             "Only one run may write at a time; 'tokenfix status' shows how it goes on.",
                             "held by %s (%s, %s@%s pid %" PRId64 "), for %" PRId64 " s if it is not renewed", run->id,
                             tf_state_name(run->state), run->owner.user, run->owner.host, run->owner.pid,
                             run->lease_left_ms / 1000);
}

bool tf_prerequisite_runs(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("$or", "[", "{", "active", BCON_BOOL(true), "}", "{", "state",
                                                      BCON_UTF8(tf_state_name(TF_STATE_INTERRUPTED)), "}", "]");
    tf_run *runs = NULL;
    size_t count = 0;
    tf_error one = {0};
    if (!tf_run_list(input->store, query, 0, &runs, &count, &one))
        return tf_prerequisite_unseen(list, "interrupted_runs", &one, err) &&
               tf_prerequisite_unseen(list, "lease", &one, err);
    judge_interrupted(find_run(runs, count, is_interrupted), list);
    judge_lease(find_run(runs, count, is_live), list);
    tf_runs_free(runs, count);
    return true;
}
