#include "cmd/round.h"

#include "base/clock.h"
#include "db/client.h"

#include <tokenfix/cleanup.h>

static void copy_run(const tf_run *run, int64_t ms, tf_round_run *out)
{
    *out = (tf_round_run){.down = run->down, .ms = ms};
    snprintf(out->id, sizeof out->id, "%s", run->id);
    snprintf(out->state, sizeof out->state, "%s", tf_state_name(run->state));
}

/* Who may not see the runs watches the rest. */
static void look_at_runs(const tf_engine *engine, int64_t since, tf_round *round)
{
    _cleanup_(bson_destroyp) bson_t *query =
        BCON_NEW("$or", "[", "{", "active", BCON_BOOL(true), "}", "{", "ended_at", "{", "$gt", BCON_DATE_TIME(since), "}", "state",
                 BCON_UTF8(tf_state_name(TF_STATE_COMPLETED)), "}", "]");
    tf_run *runs = NULL;
    size_t count = 0;
    tf_error ignored = {0};
    round->runs_seen = tf_run_list(&engine->store, query, 2 * TF_ROUND_RUNS, &runs, &count, &ignored);
    for (size_t i = 0; round->runs_seen && i < count; i++) {
        if (runs[i].active && !tf_run_is_abandoned(&runs[i]) && round->active_count < TF_ROUND_RUNS)
            copy_run(&runs[i], round->at - runs[i].started_at, &round->active[round->active_count++]);
        else if (runs[i].state == TF_STATE_COMPLETED && runs[i].ended_at > since && round->completed_count < TF_ROUND_RUNS)
            copy_run(&runs[i], runs[i].ended_at - runs[i].started_at, &round->completed[round->completed_count++]);
    }
    if (round->runs_seen)
        tf_runs_free(runs, count);
}

void tf_round_make(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_health_limits *limits, int64_t since,
                   tf_round *out)
{
    tf_error ignored = {0};
    int64_t begun = tf_clock_ms();
    *out = (tf_round){.at = tf_clock_wall_ms()};
    tf_client_now(engine->store.client, &out->at, &ignored);
    tf_health_read(engine->store.client, engine->store.repaired, engine->migration->indexes, limits, &out->health);
    if (!out->health.parts[TF_HEALTH_CONNECTION].degraded) {
        look_at_runs(engine, since, out);
        int64_t audit_begun = tf_clock_ms();
        out->audited = tf_audit_run(engine, wanted, &out->audit, &out->err);
        out->elapsed_ms = tf_clock_ms() - audit_begun;
    } else {
        tf_error_set(&out->err, TF_ERR_CONNECT, "%s", out->health.parts[TF_HEALTH_CONNECTION].text);
        out->elapsed_ms = tf_clock_ms() - begun;
    }
}

void tf_round_lost(const tf_error *why, tf_round *out)
{
    *out = (tf_round){.at = tf_clock_wall_ms(), .err = *why};
    tf_health_lost(why, &out->health);
}

void tf_round_done(tf_round *round)
{
    tf_audit_done(&round->audit);
    *round = (tf_round){0};
}
