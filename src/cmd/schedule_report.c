#include "cmd/schedule_report.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

#include "base/redact.h"
#include "base/text.h"
#include "db/id.h"
#include "report/format.h"
#include "report/json.h"

enum { TEXT = 1400 };

const char *tf_schedule_state(const tf_schedule_line *line)
{
    const tf_round *round = line->round;
    return tf_health_is_degraded(&round->health)         ? "degraded"
           : !round->audited                             ? "failed"
           : round->audit.worst >= line->fail_on ? "findings"
                                                         : "healthy";
}

/* ---- text ---- */

__attribute__((format(printf, 3, 4))) static void put(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    if (used + 1 < size)
        vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

static void put_findings(const tf_audit *audit, char *out, size_t size)
{
    put(out, size, "%zu of %zu checks passed", audit->passed, audit->total);
    if (audit->skipped)
        put(out, size, " (%zu skipped)", audit->skipped);
    if (audit->empty)
        put(out, size, ", and there is no document at all");
    for (size_t i = 0; i < audit->findings_count; i++) {
        const tf_finding *finding = &audit->findings[i];
        put(out, size, "%s%s %" PRId64 " (%s)", i ? ", " : "; ", finding->check->name, finding->count, tf_severity_name(finding->severity));
    }
}

static void put_system(const tf_round *round, char *out, size_t size)
{
    for (size_t i = 0; i < TF_HEALTH_PARTS; i++)
        if (round->health.parts[i].degraded)
            put(out, size, "%s: %s; ", tf_health_name((tf_health_part)i), round->health.parts[i].text);
}

static void put_alerts(const tf_schedule_line *line, char *out, size_t size)
{
    const struct {
        size_t n;
        const char *word;
    } parts[] = {{line->alerts.raised, "raised"}, {line->alerts.repeated, "repeated"}, {line->alerts.resolved, "resolved"}};
    bool any = false;
    for (size_t i = 0; i < 3; i++) {
        if (!parts[i].n)
            continue;
        put(out, size, "%s%zu %s", any ? ", " : "; alerts: ", parts[i].n, parts[i].word);
        any = true;
    }
    if (line->skipped)
        put(out, size, "; %" PRId64 " round%s skipped", line->skipped, line->skipped == 1 ? "" : "s");
}

static void put_all(const tf_schedule_line *line, char *out, size_t size)
{
    const tf_round *round = line->round;
    put(out, size, "%s: ", tf_schedule_state(line));
    put_system(round, out, size);
    if (round->audited)
        put_findings(&round->audit, out, size);
    else
        put(out, size, "not audited%s%s", tf_health_is_degraded(&round->health) ? "" : ": ",
            tf_health_is_degraded(&round->health) ? "" : round->err.message);
    put(out, size, "; %s", TF_DURATION(round->elapsed_ms));
    put_alerts(line, out, size);
}

/* A server's messages may hold line ends: neither the log nor systemd shall take what follows them for a line of ours. */
void tf_schedule_status(const tf_schedule_line *line, char *out, size_t size)
{
    char text[TEXT] = "", redacted[TEXT];
    put_all(line, text, sizeof text);
    tf_text_clean(tf_redact_text(text, redacted, sizeof redacted), out, size);
}

/* ---- data ---- */

static void append_issues(const tf_audit *audit, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "issues", &array);
    for (size_t i = 0; i < audit->findings_count; i++) {
        const tf_finding *finding = &audit->findings[i];
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("type", BCON_UTF8(finding->check->name), "severity",
                                                        BCON_UTF8(tf_severity_name(finding->severity)), "count", BCON_INT64(finding->count));
        if (finding->has_amount)
            BSON_APPEND_INT64(one, "amount", finding->amount);
        tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append_system(const tf_round *round, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "system", &array);
    for (size_t i = 0; i < TF_HEALTH_PARTS; i++) {
        if (!round->health.parts[i].degraded)
            continue;
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("part", BCON_UTF8(tf_health_name((tf_health_part)i)), "message",
                                                        BCON_UTF8(round->health.parts[i].text));
        tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append_runs(const tf_round *round, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "runs", &array);
    for (size_t i = 0; i < round->active_count + round->completed_count; i++) {
        const tf_round_run *run = i < round->active_count ? &round->active[i] : &round->completed[i - round->active_count];
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("run", BCON_UTF8(run->id), "state", BCON_UTF8(run->state), "direction",
                                                        BCON_UTF8(run->down ? "down" : "up"), "elapsedMs", BCON_INT64(run->ms));
        tf_array_append_document(&array, &n, one);
    }
    bson_append_array_end(out, &array);
}

static void append(const tf_schedule_line *line, bson_t *out)
{
    const tf_round *round = line->round;
    BSON_APPEND_DATE_TIME(out, "timestamp", round->at);
    BSON_APPEND_INT64(out, "round", line->number);
    BSON_APPEND_UTF8(out, "state", tf_schedule_state(line));
    BSON_APPEND_BOOL(out, "isHealthy", strcmp(tf_schedule_state(line), "healthy") == 0);
    BSON_APPEND_INT64(out, "elapsedMs", round->elapsed_ms);
    BSON_APPEND_INT64(out, "roundTripMs", round->health.round_trip_ms);
    BSON_APPEND_INT64(out, "skippedRounds", line->skipped);
    BSON_APPEND_BOOL(out, "audited", round->audited);
    if (round->audited) {
        BSON_APPEND_UTF8(out, "audit", round->audit.id);
        BSON_APPEND_INT64(out, "totalChecks", (int64_t)round->audit.total);
        BSON_APPEND_INT64(out, "passedChecks", (int64_t)round->audit.passed);
        BSON_APPEND_INT64(out, "skippedChecks", (int64_t)round->audit.skipped);
        BSON_APPEND_BOOL(out, "isEmpty", round->audit.empty);
        append_issues(&round->audit, out);
    } else {
        _cleanup_(bson_destroyp) bson_t *error = BCON_NEW("code", BCON_UTF8(tf_error_name(round->err.code)), "message",
                                                          BCON_UTF8(round->err.message));
        BSON_APPEND_DOCUMENT(out, "error", error);
    }
    append_system(round, out);
    append_runs(round, out);
    _cleanup_(bson_destroyp) bson_t *alerts =
        BCON_NEW("raised", BCON_INT64((int64_t)line->alerts.raised), "repeated", BCON_INT64((int64_t)line->alerts.repeated), "resolved",
                 BCON_INT64((int64_t)line->alerts.resolved), "open", BCON_INT64((int64_t)line->open));
    BSON_APPEND_DOCUMENT(out, "alerts", alerts);
}

void tf_schedule_print(const tf_schedule_line *line, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t wrapper = BSON_INITIALIZER;
        bson_t doc;
        bson_iter_t iter;
        BSON_APPEND_DOCUMENT_BEGIN(&wrapper, "x", &doc);
        append(line, &doc);
        bson_append_document_end(&wrapper, &doc);
        if (bson_iter_init_find(&iter, &wrapper, "x"))
            tf_json_print_value(stdout, &iter);
        putchar('\n');
    } else {
        char text[TEXT];
        tf_schedule_status(line, text, sizeof text);
        printf("%s  %s\n", TF_TIME(line->round->at), text);
    }
    fflush(stdout);
}
