#include "cmd/round.h"

#include "cmd/audit_report.h"
#include "report/format.h"

#include <stdarg.h>
#include <tokenfix/cleanup.h>

void tf_conditions_done(tf_conditions *conditions)
{
    for (size_t i = 0; i < conditions->count; i++)
        if (conditions->data[i])
            bson_destroy(conditions->data[i]);
    *conditions = (tf_conditions){0};
}

static void looked(tf_conditions *to, const char *id)
{
    if (to->looked_count == TF_CONDITIONS)
        return;
    size_t i = to->looked_count++;
    snprintf(to->seen[i], sizeof to->seen[i], "%s", id);
    to->looked[i] = to->seen[i];
}

__attribute__((format(printf, 5, 6))) static tf_condition *add(tf_conditions *to, const char *id, const char *name, tf_level level,
                                                               const char *format, ...)
{
    va_list args;
    if (to->count == TF_CONDITIONS)
        return NULL;
    size_t i = to->count++;
    snprintf(to->ids[i], sizeof to->ids[i], "%s", id);
    va_start(args, format);
    vsnprintf(to->texts[i], sizeof to->texts[i], format, args);
    va_end(args);
    to->data[i] = bson_new();
    to->items[i] = (tf_condition){.id = to->ids[i], .name = name, .level = level, .text = to->texts[i], .data = to->data[i]};
    return &to->items[i];
}

/* ---- findings ---- */

static tf_level level_of(const tf_finding *finding, const tf_alerting *alerting)
{
    const tf_threshold *threshold = tf_alerting_threshold(alerting, finding->check->name);
    if (!threshold)
        return (tf_level)finding->severity;
    int64_t amount = finding->amount < 0 ? -finding->amount : finding->amount;
    bool high = (finding->check->high_above_amount > 0 ? amount : finding->count) > threshold->above;
    return high ? TF_LEVEL_HIGH : (tf_level)tf_severity_of(finding->check->severity);
}

static void add_finding(tf_conditions *to, const tf_finding *finding, const tf_terms *terms, const tf_alerting *alerting)
{
    char amount[TF_TERMS_TEXT + 8] = "";
    if (finding->has_amount)
        snprintf(amount, sizeof amount, ", %s", TF_AMOUNT(terms, finding->amount));
    const tf_condition *made =
        add(to, finding->id, finding->check->name, level_of(finding, alerting), "%s%s",
            tf_audit_report_count(terms, finding->check, finding->count, (char[TF_TERMS_TEXT]){0}), amount);
    if (!made)
        return;
    bson_t *data = to->data[to->count - 1];
    BSON_APPEND_INT64(data, "count", finding->count);
    if (finding->has_amount)
        BSON_APPEND_INT64(data, "amount", finding->amount);
    BSON_APPEND_UTF8(data, "advice", finding->check->advice ? finding->check->advice : "");
    if (finding->examples)
        BSON_APPEND_ARRAY(data, "examples", finding->examples);
}

void tf_conditions_add_audit(tf_conditions *to, const tf_audit *audit, const tf_terms *terms, const tf_alerting *alerting)
{
    for (size_t i = 0; i < audit->total; i++) {
        char id[TF_FINDING_ID_SIZE];
        tf_finding_name(audit->migration->id, audit->rows[i].check->name, audit->narrowing, id);
        if (audit->rows[i].state != TF_AUDIT_SKIPPED)
            looked(to, id);
    }
    for (size_t i = 0; i < audit->findings_count; i++)
        add_finding(to, &audit->findings[i], terms, alerting);
}

/* ---- time ---- */

void tf_conditions_add_time(tf_conditions *to, const char *id, const char *what, int64_t ms, int64_t slow_ms, int64_t stuck_ms)
{
    bool stuck = stuck_ms > 0 && ms > stuck_ms, slow = slow_ms > 0 && ms > slow_ms;
    looked(to, id);
    if (!stuck && !slow)
        return;
    if (add(to, id, "execution_slow", stuck ? TF_LEVEL_HIGH : TF_LEVEL_MEDIUM, "%s %s, the limit is %s", what, TF_DURATION(ms),
            TF_DURATION(stuck ? stuck_ms : slow_ms)))
        BSON_APPEND_INT64(to->data[to->count - 1], "elapsedMs", ms);
}

/* ---- the system ---- */

static void add_health(tf_conditions *to, const tf_health *health)
{
    for (size_t i = 0; i < TF_HEALTH_PARTS; i++) {
        const char *name = tf_health_name((tf_health_part)i);
        char id[64];
        snprintf(id, sizeof id, "system/%s", name);
        if (health->parts[i].looked)
            looked(to, id);
        if (health->parts[i].degraded && add(to, id, "system_degraded", TF_LEVEL_HIGH, "%s: %s", name, health->parts[i].text))
            BSON_APPEND_UTF8(to->data[to->count - 1], "part", name);
    }
}

/* An audit that could not be made, though the server answers, must not go unnoticed. */
static void add_failure(tf_conditions *to, const tf_round *round)
{
    if (round->health.parts[TF_HEALTH_CONNECTION].degraded || round->err.code == TF_ERR_INTERRUPTED)
        return;
    looked(to, "system/audit");
    if (!round->audited && add(to, "system/audit", "system_degraded", TF_LEVEL_HIGH, "audit: %s", round->err.message))
        BSON_APPEND_UTF8(to->data[to->count - 1], "part", "audit");
}

static void add_runs(tf_conditions *to, const tf_round *round, const tf_alert_args *args)
{
    char id[96], what[128];
    if (!round->runs_seen)
        return;
    looked(to, "slow/run/*");
    looked(to, "run/*");
    for (size_t i = 0; i < round->active_count; i++) {
        const tf_round_run *run = &round->active[i];
        snprintf(id, sizeof id, "slow/run/%s", run->id);
        snprintf(what, sizeof what, "%s %s (%s) has been under way for", run->down ? "down" : "up", run->id, run->state);
        tf_conditions_add_time(to, id, what, run->ms, args->slow_ms, args->stuck_ms);
    }
    for (size_t i = 0; i < round->completed_count; i++) {
        const tf_round_run *run = &round->completed[i];
        snprintf(id, sizeof id, "run/%s", run->id);
        tf_condition *made = add(to, id, "run_completed", TF_LEVEL_LOW, "%s %s is completed, after %s", run->down ? "down" : "up",
                                 run->id, TF_DURATION(run->ms));
        if (!made)
            continue;
        made->once = true;
        BSON_APPEND_UTF8(to->data[to->count - 1], "run", run->id);
    }
}

void tf_conditions_add_system(tf_conditions *to, const tf_round *round, const tf_alert_args *args, tf_severity fail_on)
{
    bool grave = tf_health_is_degraded(&round->health) || !round->audited || round->audit.worst >= fail_on;
    add_health(to, &round->health);
    add_failure(to, round);
    add_runs(to, round, args);
    if (round->err.code == TF_ERR_INTERRUPTED)
        return;
    looked(to, "healthy");
    for (size_t i = 0; i < to->count; i++)
        grave = grave || to->items[i].level > TF_LEVEL_LOW;
    tf_condition *made = grave ? NULL : add(to, "healthy", "healthy", TF_LEVEL_LOW, "all is well: %zu of %zu checks passed",
                                            round->audit.passed, round->audit.total);
    if (made)
        made->once = true;
}
