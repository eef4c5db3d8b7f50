#include "base/text.h"
#include "check/prerequisite.h"
#include "cmd/commands.h"
#include "cmd/role_report.h"
#include "cmd/session.h"
#include "db/role.h"
#include "report/output.h"
#include "report/table.h"
#include "report/terminal.h"

typedef struct {
    const char *strategy, *print_role;
} validate_args;

static const char *const strategies[] = {"transaction", "journal", NULL};

static const tf_option options[] = {
    TF_OPTION_CHOICE(validate_args, strategy, "strategy", strategies,
                     "The strategy that 'up' will be given: a standalone server passes with journal only.",
                     .fallback = "transaction"),
    TF_OPTION_CHOICE(
        validate_args, print_role, "print-role", tf_role_kinds,
        "Print the command that creates a least role for this database instead, and connect to nothing: run (the "
        "default: preview, up, verify, down, pause, cancel), monitor (sees load and lag of the replica set), audit (status, "
        "preview, audit, verify, history: reads only), auditor (the same, and keeps what audits found) or purge (deletes old backups and records, and cannot read the repaired "
        "database).",
        .optional = true),
    TF_OPTION_END,
};

typedef struct result {
    tf_prerequisite_list list;
    tf_plan plan;
    bool planned;
    bool may_begin;      /* a plain `up`, as far as the history goes */
    char unplanned[512]; /* why there is no plan */
} result;

/* ---- looking ---- */

static bool is_about_the_server(const tf_error *err)
{
    return err->code == TF_ERR_CONNECT || err->code == TF_ERR_AUTH || err->code == TF_ERR_UNSUPPORTED ||
           err->code == TF_ERR_PERMISSION;
}

/* A connection that does not come about is a row like the others, and the only one. */
static void refuse_server(const tf_error *why, tf_prerequisite_list *list)
{
    tf_prerequisite_fail(list, why->code == TF_ERR_UNSUPPORTED ? "server_version" : "connection", why->code, why->hint,
                         "%s", why->message);
}

static bool has_failed(const tf_prerequisite_list *list)
{
    return !tf_prerequisites_hold(list, NULL);
}

/* Whether the history lets `up` begin; the lease and interrupted runs have rows of their own. */
static bool check_history(const tf_engine *engine, result *out, tf_error *lost)
{
    tf_error why = {0};
    tf_prerequisite_list *list = &out->list;
    bool allowed = out->may_begin = tf_up_allowed(engine, &why);
    if (!allowed && (why.code == TF_ERR_LEASE_HELD || why.code == TF_ERR_INTERRUPTED))
        return true;
    if (allowed)
        tf_prerequisite_ok(list, "migration", "nothing in the history stands against it");
    else if (why.code == TF_ERR_DEPENDENCY)
        tf_prerequisite_fail(list, "migration", why.code, why.hint, "%s", why.message);
    else
        return tf_prerequisite_unseen(list, "migration", &why, lost);
    return true;
}

static void look(tf_session *session, const validate_args *wanted, result *out)
{
    const tf_migration *migration = session->engine.migration;
    tf_error why = {0}, lost = {0};
    tf_repair *own = NULL;
    session->engine.settings.strategy = wanted->strategy;
    out->planned = tf_plan_make(&session->engine, 0, 0, 0, &out->plan, &why);
    if (!out->planned) {
        snprintf(out->unplanned, sizeof out->unplanned, "%s", why.message);
        own = tf_repair_parse(migration->repair, &lost);
    }
    tf_session_settle(session);
    const tf_prerequisite_input input = {
        .client = &session->client,
        .store = &session->engine.store,
        .repair = out->planned ? out->plan.repair : own,
        .requires = migration->requires,
        .reads = migration->reads,
        .strategy = wanted->strategy,
        .documents = out->planned ? out->plan.documents : -1,
        .bytes = out->planned ? out->plan.bytes : -1,
    };
    if (!input.repair || !tf_prerequisites_check(&input, &out->list, &lost) ||
        !check_history(&session->engine, out, &lost)) {
        out->list.count = 0; /* what was seen before the connection was lost says nothing now */
        refuse_server(&lost, &out->list);
    }
    if (!out->planned && !has_failed(&out->list))
        tf_prerequisite_fail(&out->list, "plan", tf_error_exit(why.code) == 8 ? why.code : TF_ERR_NOT_READY, why.hint,
                             "%s", why.message);
    tf_repair_free(own);
}

/* ---- telling ---- */

static void append_checks(const tf_prerequisite_list *list, bson_t *data)
{
    static const tf_column columns[] = {
        {.name = "name"}, {.name = "state"}, {.name = "message"}, {.name = "hint"}, {.name = NULL}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < list->count; i++) {
        const tf_prerequisite *row = &list->rows[i];
        tf_table_add(table, TF_CELL_TEXT(row->name), TF_CELL_TEXT(tf_prerequisite_state_name(row->state)),
                     TF_CELL_TEXT(row->message), TF_CELL_TEXT(row->hint));
    }
    tf_table_append(table, data, "checks");
}

static void append_risk(const result *found, bson_t *data)
{
    bson_t risk, reasons;
    BSON_APPEND_DOCUMENT_BEGIN(data, "risk", &risk);
    BSON_APPEND_UTF8(&risk, "level", found->planned ? found->plan.risk : "unknown");
    BSON_APPEND_ARRAY_BEGIN(&risk, "reasons", &reasons);
    for (size_t i = 0; found->planned && i < found->plan.reasons_count; i++) {
        char buffer[16];
        const char *key = NULL;
        bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&reasons, key, found->plan.reasons[i]);
    }
    if (!found->planned && found->unplanned[0])
        BSON_APPEND_UTF8(&reasons, "0", found->unplanned);
    bson_append_array_end(&risk, &reasons);
    bson_append_document_end(data, &risk);
}

static void print_checks(const tf_prerequisite_list *list)
{
    static const tf_column columns[] = {{"name", "check", TF_COLUMN_TEXT, 0},
                                        {"state", "state", TF_COLUMN_STATE, 0},
                                        {"message", "result", TF_COLUMN_TEXT, TF_COLUMN_WRAP},
                                        {.name = NULL}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < list->count; i++)
        tf_table_add(table, TF_CELL_TEXT(list->rows[i].name),
                     TF_CELL_TEXT(tf_prerequisite_state_name(list->rows[i].state)),
                     TF_CELL_TEXT(list->rows[i].message));
    tf_table_print(table, stdout);
}

static bool said_before(const tf_prerequisite_list *list, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(list->rows[k].hint, list->rows[i].hint) == 0)
            return true;
    return false;
}

/* One hint for all the checks it belongs to. */
static void print_hints(const tf_prerequisite_list *list)
{
    size_t width = tf_terminal_of(stdout).width;
    bool any = false;
    for (size_t i = 0; i < list->count; i++) {
        const char *hint = list->rows[i].hint;
        char names[512] = "", line[1024], clean[1024];
        if (!*hint || said_before(list, i))
            continue;
        for (size_t k = i; k < list->count; k++)
            if (strcmp(list->rows[k].hint, hint) == 0)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", k > i ? ", " : "",
                         list->rows[k].name);
        snprintf(line, sizeof line, "%s: %s", names, hint);
        printf("%s  ", any ? "" : "\nWhat to do:\n");
        tf_text_wrap(stdout, tf_text_clean(line, clean, sizeof clean), 2, 2, width);
        any = true;
    }
}

static void print_risk(const result *found)
{
    printf("\nRisk: %s", found->planned ? found->plan.risk : "unknown");
    for (size_t i = 0; found->planned && i < found->plan.reasons_count; i++)
        printf("%s%s", i ? "; " : " - ", found->plan.reasons[i]);
    putchar('\n');
}

static int tell(const result *found, const tf_migration *migration, bool json)
{
    tf_error err = {0};
    bool valid = tf_prerequisites_hold(&found->list, &err);
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        BSON_APPEND_BOOL(&data, "isValid", valid);
        append_checks(&found->list, &data);
        append_risk(found, &data);
        if (!valid)
            return tf_output_failure(&err, NULL, &data, true);
        tf_output_success(&data);
        return 0;
    }
    print_checks(&found->list);
    print_hints(&found->list);
    print_risk(found);
    if (!valid)
        return tf_output_error(&err, NULL, NULL, false);
    if (found->may_begin)
        printf("\nReady: 'tokenfix up %s --confirm' may begin.\n", migration->id);
    else
        printf("\nNothing failed, but a plain 'tokenfix up' will not begin: see above.\n");
    return 0;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    const validate_args *wanted = args;
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_free_ result *found = bson_malloc0(sizeof *found);
    const tf_migration *migration = tf_migration_find(argc ? argv[0] : NULL, &err);
    if (!migration)
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (wanted->print_role)
        return tf_role_report(globals, migration, wanted->print_role);
    if (tf_session_open(&session, globals, migration, &err))
        look(&session, wanted, found);
    else if (is_about_the_server(&err))
        refuse_server(&err, &found->list);
    else
        return tf_output_error(&err, NULL, NULL, globals->json);
    int status = tell(found, migration, globals->json);
    tf_plan_done(&found->plan);
    return status;
}

const tf_command tf_cmd_validate = {
    .name = "validate",
    .synopsis = "[MIGRATION]",
    .summary = "Check every prerequisite of 'up', and say what to do",
    .description =
        "Looks at the connection, the server, the privileges, the collections, the indexes, the disk, the members, the "
        "runs and the clocks, and writes nothing. Each is ok, a warning with its cost, or failed. Warnings do not "
        "count: "
        "the exit status is 0 when nothing failed, 8 when the connection or the privileges did, 1 when anything else "
        "did.",
    .max_words = 1,
    .options = options,
    .args_size = sizeof(validate_args),
    .exits = "0128",
    .run = run,
};
