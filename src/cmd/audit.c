#include <inttypes.h>

#include "base/text.h"
#include "cmd/audit_report.h"
#include "cmd/audit_trend.h"
#include "cmd/commands.h"
#include "cmd/single.h"
#include "cmd/session.h"
#include "cmd/schedule.h"
#include "engine/audit_keep.h"
#include "report/output.h"

static const char *const formats[] = {"table", "json", "junit", "csv", NULL};
static const char *const severities[] = {"low", "medium", "high", "never", NULL};

static const tf_option options[] = {
    TF_OPTION_LIST(tf_audit_args, checks, "check", "Only this check, or this group of checks (balance, integrity); may be repeated.",
                   .metavar = "NAME"),
    TF_OPTION_STRING(tf_audit_args, user, "user", "Only what belongs to this user.", .metavar = "NPUB"),
    TF_OPTION_STRING(tf_audit_args, mint, "mint", "Only what this mint issued.", .metavar = "URL"),
    TF_OPTION_STRING(tf_audit_args, since, "since",
                     "Only documents created or changed since this run began, by their own times. A migration means its newest run.",
                     .metavar = "RUN"),
    TF_OPTION_INT(tf_audit_args, limit, "limit", 0, 10000, "Show so many issues.", .fallback = "100", .letter = 'n'),
    TF_OPTION_INT(tf_audit_args, offset, "offset", 0, INT64_MAX, "Leave out so many issues before the first shown.", .fallback = "0"),
    TF_OPTION_CHOICE(tf_audit_args, format, "format", formats, "How the result is written; --json means json."),
    TF_OPTION_CHOICE(tf_audit_args, fail_on, "fail-on", severities, "The exit status is 3 where a finding is this grave.",
                     .fallback = "medium", .env = "TOKENFIX_FAIL_ON"),
    TF_OPTION_DOUBLE(tf_audit_args, max_time, "max-time", 0, 86400, "Let the server work on one check so long at most; 0: without end.",
                     .fallback = "3600", .metavar = "SECONDS", .env = "TOKENFIX_MAX_TIME"),
    TF_OPTION_FLAG(tf_audit_args, diff, "diff",
                   "Tell what is new, gone, grown and shrunk since the audit before that looked at the same."),
    TF_OPTION_STRING(tf_audit_args, keep, "keep",
                     "Remove what was kept and is older than this (90d, 1y), where the user may; the newest stays. Otherwise all is kept.",
                     .metavar = "AGE", .env = "TOKENFIX_KEEP"),
    TF_OPTION_FLAG(tf_audit_args, no_keep, "no-keep", "Do not keep what was found in the state database."),
    TF_SCHEDULE_OPTIONS,
    TF_ALERT_OPTIONS(tf_audit_args),
    TF_OPTION_END,
};

static const char *format_of(const tf_globals *globals, const tf_audit_args *wanted)
{
    return wanted->format ? wanted->format : globals->json ? "json" : "table";
}

/* What became of keeping it, and of the audit before. */
typedef struct {
    bool compare, found, keep, kept;
    int64_t removed;
    tf_error not_compared, not_kept, not_forgotten;
    tf_audit_kept before;
    tf_trend trend;
} memory;

static void memory_done(memory *m)
{
    tf_audit_kept_done(&m->before);
    tf_trend_done(&m->trend);
}

/* Neither failure of the two spoils the audit: what was found is told. */
static void compare(const tf_session *session, const tf_audit_args *given, const tf_audit *audit, memory *out)
{
    _cleanup_(tf_audit_kept_done) tf_audit_kept now = {0};
    out->compare = given->diff;
    out->keep = !given->no_keep;
    out->found = out->compare && tf_audit_before(&session->engine, audit, &out->before, &out->not_compared) == 1;
    if (!out->found)
        return;
    tf_audit_document(&session->engine, audit, NULL, &now);
    tf_trend_make(out->before.doc, now.doc, &out->trend);
}

/* Alerts first: what is kept says which of them are open, and told. */
static void keep(tf_single *single, const tf_session *session, const tf_audit_args *given, const tf_audit_view *view, memory *out)
{
    _cleanup_(tf_audit_kept_done) tf_audit_kept now = {0};
    _cleanup_bson_ bson_t alerts = BSON_INITIALIZER;
    bool told = tf_single_tell(single, given, &session->engine, view->audit, &view->terms, &alerts);
    tf_audit_document(&session->engine, view->audit, told ? &alerts : NULL, &now);
    out->kept = out->keep && tf_audit_keep(&session->engine, &now, &out->not_kept);
    if (out->kept && given->keep)
        tf_audit_forget(&session->engine, tf_schedule_keep_ms(given), &out->removed, &out->not_forgotten);
}

static void append_memory(const memory *m, bson_t *data)
{
    BSON_APPEND_BOOL(data, "kept", m->kept);
    BSON_APPEND_INT64(data, "removedAudits", m->removed);
    if (m->compare && m->not_compared.code == TF_ERR_OK)
        tf_audit_trend_append(&m->trend, m->found ? &m->before : NULL, data);
    else if (m->compare)
        BSON_APPEND_NULL(data, "diff");
}

static void warn_of_memory(const memory *m, bool quiet)
{
    if (m->not_compared.code != TF_ERR_OK)
        tf_output_warning("not compared with the audit before: %s", m->not_compared.message);
    if (m->not_forgotten.code != TF_ERR_OK)
        tf_output_warning("what was kept and is old is not removed: %s", m->not_forgotten.message);
    if (m->removed && !quiet)
        tf_output_note("removed what was kept of %" PRId64 " audit%s", m->removed, m->removed == 1 ? "" : "s");
    if (m->not_kept.code == TF_ERR_PERMISSION && quiet)
        return;
    if (m->not_kept.code == TF_ERR_PERMISSION)
        tf_output_note("nothing was kept of this audit: %s. The role of 'validate --print-role=auditor' may keep it; --no-keep says that "
                       "it need not be.",
                       m->not_kept.message);
    else if (m->not_kept.code != TF_ERR_OK)
        tf_output_warning("nothing was kept of this audit: %s", m->not_kept.message);
}

static void tell(const tf_audit_view *view, const memory *m, const char *format)
{
    if (strcmp(format, "junit") == 0) {
        tf_audit_report_junit(view);
    } else if (strcmp(format, "csv") == 0) {
        tf_audit_report_csv(view);
    } else if (strcmp(format, "json") == 0) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_audit_report_append(view, &data);
        append_memory(m, &data);
        tf_output_success(&data);
    } else {
        tf_audit_report_print(view);
        if (m->compare && m->not_compared.code == TF_ERR_OK)
            tf_audit_trend_print(&m->trend, m->found ? &m->before : NULL, &view->terms);
    }
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const tf_audit_args *given = args;
    const char *format = format_of(globals, given);
    bool json = strcmp(format, "json") == 0;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {.patience_ms = tf_schedule_patience_ms(given)};
    _cleanup_(tf_audit_done) tf_audit audit = {0};
    _cleanup_(tf_check_words_done) tf_check_words checks = {0};
    tf_check_words_split(&given->checks, &checks);
    const tf_migration *migration = tf_migration_find(argc ? argv[0] : NULL, &err);
    bool by_owner = migration && tf_audit_report_by_owner(migration, checks.items);
    const tf_audit_wanted wanted = {.checks = checks.items,
                                    .by_owner = by_owner,
                                    .user = given->user,
                                    .mint = given->mint,
                                    .since = given->since,
                                    .max_time_ms = (int64_t)(given->max_time * 1000)};
    if (migration && given->every_ms && tf_schedule_check(given, &err))
        return tf_schedule_run(globals, given, migration);
    _cleanup_(tf_single_done) tf_single single = {0};
    bool good = migration && tf_schedule_check(given, &err) && tf_single_open(&single, given, globals, migration, &err) &&
                tf_session_open(&session, globals, migration, &err) &&
                tf_audit_run(&session.engine, &wanted, &audit, &err);
    _cleanup_(memory_done) memory remembered = {0};
    _cleanup_(tf_audit_owners_done) tf_audit_owners owners = {0};
    if (good && by_owner)
        good = tf_audit_owners_read(&session.engine, &wanted, &audit, given->limit, given->offset, &owners, &err);
    if (good)
        compare(&session, given, &audit, &remembered);
    tf_session_settle(&session);
    if (!good)
        return tf_output_error(&err, NULL, NULL, json);
    tf_audit_view view = {.audit = &audit,
                          .db = session.client.db,
                          .user = given->user,
                          .mint = given->mint,
                          .limit = given->limit,
                          .offset = given->offset,
                          .fail_on = tf_schedule_fail_on(given),
                          .owners = by_owner ? &owners : NULL};
    tf_terms_of_json(migration->repair, &view.terms);
    if (!json) { /* who reads it does not wait for a webhook */
        tell(&view, &remembered, format);
        fflush(stdout);
    }
    keep(&single, &session, given, &view, &remembered);
    if (json)
        tell(&view, &remembered, format);
    warn_of_memory(&remembered, globals->quiet);
    if (audit.empty)
        tf_output_warning("%s holds no document at all: check --db", session.client.db);
    if (audit.nobody)
        tf_output_warning("no %s belongs to what was asked for: check %s", view.terms.noun,
                          given->user && given->mint ? "--user and --mint" : given->user ? "--user" : "--mint");
    return audit.worst != TF_SEVERITY_NONE && audit.worst >= view.fail_on ? 3 : 0;
}

const tf_command tf_cmd_audit = {
    .name = "audit",
    .synopsis = "[MIGRATION]",
    .summary = "Look for everything that is wrong with the data, and change nothing",
    .description =
        "Runs every check of the migration over every document, on the server, and says what was found, how grave it is, "
        "and what to do. Examples never show a secret. It needs no more than the right to read, and asks a secondary where "
        "there is one. What it found is kept in the state database where the user may write there: --diff compares with it. What the user may not see is skipped and said to be so.",
    .max_words = 1,
    .options = options,
    .args_size = sizeof(tf_audit_args),
    .exits = "012378",
    .run = run,
};
