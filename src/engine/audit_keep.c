#include "engine/audit_keep.h"

#include "check/narrowing.h"
#include "db/client.h"
#include "db/id.h"

#include <tokenfix/cleanup.h>

/* An example that is larger (an _id can be) is left out: what is kept round by round shall stay small. */
enum { EXAMPLE_MAX = 16 << 10 };

/* Those that were run to their end, NULL-terminated; the caller frees the list. */
static const char **names_of(const tf_audit *audit)
{
    const char **names = bson_malloc0((audit->total + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < audit->total; i++)
        if (audit->rows[i].state != TF_AUDIT_SKIPPED)
            names[n++] = audit->rows[i].check->name;
    return names;
}

static void append_examples(const tf_finding *finding, bson_t *out)
{
    bson_t examples;
    bson_iter_t iter;
    uint32_t n = 0, length = 0;
    const uint8_t *data = NULL;
    BSON_APPEND_ARRAY_BEGIN(out, "examples", &examples);
    for (bool more = finding->examples && bson_iter_init(&iter, finding->examples); more && bson_iter_next(&iter);) {
        bson_t example;
        if (!BSON_ITER_HOLDS_DOCUMENT(&iter))
            continue;
        bson_iter_document(&iter, &length, &data);
        if (length <= EXAMPLE_MAX && bson_init_static(&example, data, length))
            tf_array_append_document(&examples, &n, &example);
    }
    bson_append_array_end(out, &examples);
}

static void append_findings(const tf_audit *audit, bson_t *out)
{
    bson_t findings;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "findings", &findings);
    for (size_t i = 0; i < audit->findings_count; i++) {
        const tf_finding *finding = &audit->findings[i];
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&one, "id", finding->id);
        BSON_APPEND_UTF8(&one, "check", finding->check->name);
        BSON_APPEND_UTF8(&one, "group", finding->check->group);
        BSON_APPEND_UTF8(&one, "severity", tf_severity_name(finding->severity));
        BSON_APPEND_INT64(&one, "count", finding->count);
        if (finding->has_amount)
            BSON_APPEND_INT64(&one, "amount", finding->amount);
        append_examples(finding, &one);
        tf_array_append_document(&findings, &n, &one);
    }
    bson_append_array_end(out, &findings);
}

static void append_skipped(const tf_audit *audit, bson_t *out)
{
    bson_t skipped;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "skipped", &skipped);
    for (size_t i = 0; i < audit->total; i++) {
        const tf_audit_row *row = &audit->rows[i];
        if (row->state != TF_AUDIT_SKIPPED)
            continue;
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("check", BCON_UTF8(row->check->name), "reason", BCON_UTF8(row->reason));
        tf_array_append_document(&skipped, &n, one);
    }
    bson_append_array_end(out, &skipped);
}

void tf_audit_document(const tf_engine *engine, const tf_audit *audit, const bson_t *alerts, tf_audit_kept *out)
{
    _cleanup_free_ const char **names = names_of(audit);
    tf_audits_begin(&engine->store, audit->id, audit->at, audit->migration->id, audit->narrowing, names, out);
    append_findings(audit, out->doc);
    append_skipped(audit, out->doc);
    BSON_APPEND_INT64(out->doc, "elapsed_ms", audit->elapsed_ms);
    if (engine->settings.tool_version)
        BSON_APPEND_UTF8(out->doc, "tool_version", engine->settings.tool_version);
    if (alerts)
        BSON_APPEND_ARRAY(out->doc, "alerts", alerts);
}

static const char *whole(char *out, size_t size)
{
    return tf_narrowing_text(&(tf_narrowing){0}, out, size);
}

void tf_audit_document_failed(const tf_engine *engine, int64_t at, const tf_error *why, tf_audit_kept *out)
{
    _cleanup_bson_ bson_t none = BSON_INITIALIZER;
    char id[TF_RUN_ID_SIZE], everything[64];
    const char *const *no_checks = NULL;
    tf_run_new_id(id, at, engine->migration->id);
    tf_audits_begin(&engine->store, id, at, engine->migration->id, whole(everything, sizeof everything), no_checks, out);
    BSON_APPEND_ARRAY(out->doc, "findings", &none);
    BCON_APPEND(out->doc, "failed", "{", "code", BCON_UTF8(tf_error_name(why->code)), "message", BCON_UTF8(why->message), "}");
    if (engine->settings.tool_version)
        BSON_APPEND_UTF8(out->doc, "tool_version", engine->settings.tool_version);
}

bool tf_audit_forget(const tf_engine *engine, int64_t older_ms, int64_t *removed, tf_error *err)
{
    char everything[64];
    int64_t now = 0;
    return tf_client_now(engine->store.client, &now, err) &&
           tf_audits_forget(&engine->store, engine->migration->id, whole(everything, sizeof everything), now - older_ms, removed, err);
}

bool tf_audit_keep(const tf_engine *engine, const tf_audit_kept *kept, tf_error *err)
{
    return tf_audits_insert(&engine->store, kept, err);
}

int tf_audit_before(const tf_engine *engine, const tf_audit *audit, tf_audit_kept *out, tf_error *err)
{
    _cleanup_free_ const char **names = names_of(audit);
    return tf_audits_newest(&engine->store, audit->migration->id, audit->narrowing, names, audit->at, out, err);
}
