#include "cmd/find_run.h"

#include "base/nearest.h"
#include "base/text.h"

enum { CANDIDATES = 1000 };

static bool newest_of(const tf_engine *engine, const tf_migration *migration, tf_run *out, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW("migration", BCON_UTF8(migration->id));
    tf_run *runs = NULL;
    size_t count = 0;
    if (!tf_run_list(&engine->store, query, 1, &runs, &count, err))
        return false;
    if (count)
        *out = runs[0];
    free(runs);
    if (count)
        return true;
    tf_error_set(err, TF_ERR_NOTHING_TO_DO, "migration %s has no run", migration->id);
    return tf_error_hint(err, "'tokenfix history' lists the runs.");
}

static bool unknown(const tf_engine *engine, const char *name, tf_error *err)
{
    tf_run *runs = NULL;
    size_t count = 0;
    if (!tf_run_list(&engine->store, NULL, CANDIDATES, &runs, &count, err))
        return false;
    const char **ids = calloc(count + 1, sizeof *ids);
    for (size_t i = 0; ids && i < count; i++)
        ids[i] = runs[i].id;
    const char *nearest = ids ? tf_nearest(name, ids) : NULL;
    tf_error_set(err, TF_ERR_NOT_FOUND, "no run or migration '%s'", TF_WORD(name));
    if (nearest)
        tf_error_hint(err, "Did you mean '%s'?", nearest);
    else
        tf_error_hint(err, "'tokenfix history' lists the runs, 'tokenfix plan' the migrations.");
    free(ids);
    tf_runs_free(runs, count);
    return false;
}

bool tf_find_run(const tf_engine *engine, const char *name, tf_run *out, tf_error *err)
{
    tf_error ignored = {0};
    int got = tf_run_load(&engine->store, name, out, err);
    if (got != 0)
        return got == 1;
    const tf_migration *migration = tf_migration_find(name, &ignored);
    return migration ? newest_of(engine, migration, out, err) : unknown(engine, name, err);
}
