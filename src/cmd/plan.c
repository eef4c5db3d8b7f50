#include "cmd/commands.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "db/id.h"
#include "report/output.h"

typedef struct {
    bool check;
} plan_args;

static const tf_option options[] = {
    TF_OPTION_FLAG(plan_args, check, "check", "Exit with 3 when some are pending."),
    TF_OPTION_END,
};

/* What is known about one migration. `newest`: its newest `up`, NULL when there is none. */
typedef struct {
    const tf_migration *migration;
    const tf_run *newest;
    bool applied;
} row;

static const char *state_of(const row *r)
{
    return r->applied ? "applied" : r->newest ? tf_state_name(r->newest->state) : "pending";
}

static const tf_run *newest_up(const tf_run *runs, size_t count, const char *migration)
{
    for (size_t i = 0; i < count; i++)
        if (!runs[i].down && strcmp(runs[i].migration, migration) == 0)
            return &runs[i];
    return NULL;
}

/* Newest first, so that the first `up` of a migration says whether it is applied. */
static size_t fill(const tf_migration *const *order, const tf_run *runs, size_t runs_count, row *rows)
{
    size_t pending = 0;
    for (size_t i = 0; i < tf_migrations_count; i++) {
        rows[i].migration = order[i];
        rows[i].newest = newest_up(runs, runs_count, order[i]->id);
        rows[i].applied = rows[i].newest && rows[i].newest->state == TF_STATE_COMPLETED;
        pending += !rows[i].applied;
    }
    return pending;
}

static const char *depends_text(const tf_migration *migration, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *const *id = migration->depends_on; id && *id && used < size; id++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", *id);
    return out;
}

static void append_depends(const tf_migration *migration, bson_t *to)
{
    bson_t array;
    char index[16];
    int n = 0;
    BSON_APPEND_ARRAY_BEGIN(to, "dependsOn", &array);
    for (const char *const *id = migration->depends_on; id && *id; id++) {
        snprintf(index, sizeof index, "%d", n++);
        BSON_APPEND_UTF8(&array, index, *id);
    }
    bson_append_array_end(to, &array);
}

static void append_rows(const row *rows, size_t pending, bson_t *out)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_INT64(out, "pending", (int64_t)pending);
    BSON_APPEND_ARRAY_BEGIN(out, "migrations", &array);
    for (size_t i = 0; i < tf_migrations_count; i++) {
        const row *r = &rows[i];
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&one, "name", r->migration->id);
        BSON_APPEND_UTF8(&one, "summary", r->migration->summary);
        BSON_APPEND_UTF8(&one, "version", r->migration->version);
        BSON_APPEND_BOOL(&one, "isDefault", r->migration->is_default);
        append_depends(r->migration, &one);
        BSON_APPEND_UTF8(&one, "state", state_of(r));
        BSON_APPEND_BOOL(&one, "applied", r->applied);
        tf_append_text(&one, "run", r->newest ? r->newest->id : NULL);
        tf_append_time(&one, "endedAt", r->newest ? r->newest->ended_at : 0);
        tf_array_append_document(&array, &n, &one);
    }
    bson_append_array_end(out, &array);
}

static void print_rows(const row *rows, size_t pending)
{
    static const tf_column columns[] = {{"name", "migration", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {"state", "state", TF_COLUMN_STATE, 0},
                                        {"run", "run", TF_COLUMN_TEXT, 0},
                                        {"depends", "needs", TF_COLUMN_TEXT, TF_COLUMN_SHRINK},
                                        {NULL, NULL, TF_COLUMN_TEXT, 0}};
    _cleanup_(tf_table_freep) tf_table *table = tf_table_new(columns, 0);
    for (size_t i = 0; i < tf_migrations_count; i++) {
        char depends[512];
        tf_table_add(table, TF_CELL_TEXT(rows[i].migration->id), TF_CELL_TEXT(state_of(&rows[i])),
                     TF_CELL_TEXT(rows[i].newest ? rows[i].newest->id : NULL),
                     TF_CELL_TEXT(depends_text(rows[i].migration, depends, sizeof depends)));
    }
    tf_table_print(table, stdout);
    if (pending)
        printf("\n%zu of %zu pending\n", pending, tf_migrations_count);
    else
        printf("\nAll applied\n");
}

static int report(const row *rows, size_t pending, const plan_args *wanted, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        append_rows(rows, pending, &data);
        tf_output_success(&data);
    } else {
        print_rows(rows, pending);
    }
    return wanted->check && pending ? 3 : 0;
}

static int run(const tf_globals *globals, void *args, int argc, char *const *argv)
{
    (void)argc, (void)argv;
    tf_error err = {0};
    tf_run *runs = NULL;
    size_t count = 0;
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_free_ const tf_migration **order = bson_malloc0((tf_migrations_count + 1) * sizeof *order);
    _cleanup_free_ row *rows = bson_malloc0((tf_migrations_count + 1) * sizeof *rows);
    if (!order || !rows)
        tf_error_set(&err, TF_ERR_MEMORY, "no memory for the list of migrations");
    if (!order || !rows || !tf_migration_order(order, &err) || !tf_session_open(&session, globals, NULL, &err) ||
        !tf_run_list(&session.engine.store, NULL, 0, &runs, &count, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    size_t pending = fill(order, runs, count, rows);
    int status = report(rows, pending, args, globals->json);
    tf_runs_free(runs, count);
    return status;
}

const tf_command tf_cmd_plan = {
    .name = "plan",
    .synopsis = "",
    .summary = "Show the migrations in the order of their dependencies, with what is applied",
    .description = "A migration is applied when its newest 'up' was completed and not taken back. A cycle, or a "
                   "dependency that is not there, is an error.",
    .options = options,
    .args_size = sizeof(plan_args),
    .exits = "01238",
    .run = run,
};
