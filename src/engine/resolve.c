#include "engine/resolve.h"

#include "base/nearest.h"

#include <tokenfix/cleanup.h>

int tf_resolve_newest(const tf_engine *engine, const bson_t *query, bool (*accept)(const tf_run *), tf_run *out, tf_error *err)
{
    _cleanup_bson_ bson_t full = BSON_INITIALIZER;
    tf_run *runs = NULL;
    size_t count = 0;
    int found = 0;
    if (engine->migration)
        BSON_APPEND_UTF8(&full, "migration", engine->migration->id);
    if (query)
        bson_concat(&full, query);
    if (!tf_run_list(&engine->store, &full, 0, &runs, &count, err))
        return -1;
    for (size_t i = 0; i < count && !found; i++)
        if (!accept || accept(&runs[i])) {
            *out = runs[i];
            runs[i].doc = NULL;
            found = 1;
        }
    tf_runs_free(runs, count);
    return found;
}

static void offer_nearest(const tf_engine *engine, const char *text, tf_error *err)
{
    tf_run *runs = NULL;
    size_t count = 0;
    tf_error ignored = {0};
    tf_error_set(err, TF_ERR_NOT_FOUND, "there is no run or migration '%.100s'", text);
    if (!tf_run_list(&engine->store, NULL, 200, &runs, &count, &ignored))
        return;
    const char **ids = bson_malloc0((count + tf_migrations_count + 1) * sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = runs[i].id;
    for (size_t i = 0; i < tf_migrations_count; i++)
        ids[count + i] = tf_migrations[i]->id;
    const char *near = tf_nearest(text, ids);
    if (near)
        tf_error_hint(err, "Did you mean '%s'?", near);
    else
        tf_error_hint(err, "'tokenfix history' lists the runs.");
    free(ids);
    tf_runs_free(runs, count);
}

bool tf_resolve_run(const tf_engine *engine, const char *text, tf_run *out, tf_error *err)
{
    tf_error ignored = {0};
    int got = tf_run_load(&engine->store, text, out, err);
    if (got != 0)
        return got == 1;
    const tf_migration *migration = tf_migration_find(text, &ignored);
    if (migration) {
        tf_engine other = *engine;
        other.migration = migration;
        got = tf_resolve_newest(&other, NULL, NULL, out, err);
        if (got == 0) {
            tf_error_set(err, TF_ERR_NOTHING_TO_DO, "migration %s has no run yet", migration->id);
            tf_error_hint(err, "'tokenfix status' shows what is there.");
        }
        return got == 1;
    }
    offer_nearest(engine, text, err);
    return false;
}

static bool lives(const tf_run *run)
{
    return run->active && run->state != TF_STATE_INTERRUPTED;
}

int tf_resolve_live(const tf_engine *engine, tf_run *out, tf_error *err)
{
    tf_engine any = *engine;
    any.migration = NULL;
    _cleanup_(bson_destroyp) bson_t *active = BCON_NEW("active", BCON_BOOL(true));
    return tf_resolve_newest(&any, active, lives, out, err);
}

bool tf_resolve_applied(const tf_engine *engine, const char *migration, bool *applied, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("migration", BCON_UTF8(migration), "direction", BCON_UTF8("up"));
    tf_run *runs = NULL;
    size_t count = 0;
    if (!tf_run_list(&engine->store, query, 1, &runs, &count, err))
        return false;
    *applied = count > 0 && runs[0].state == TF_STATE_COMPLETED;
    tf_runs_free(runs, count);
    return true;
}
