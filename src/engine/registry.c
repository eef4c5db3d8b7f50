/* The migrations of this binary: by name, and in the order of their dependencies. */
#include "base/nearest.h"
#include "engine/engine.h"

#include <tokenfix/cleanup.h>

static bool ambiguous(const char *name, const tf_migration *a, const tf_migration *b, tf_error *err)
{
    tf_error_set(err, TF_ERR_NOT_FOUND, "'%s' fits more than one migration: %s and %s", name, a->id, b->id);
    return tf_error_hint(err, "Type more of the name.");
}

static const tf_migration *default_migration(tf_error *err)
{
    for (size_t i = 0; i < tf_migrations_count; i++)
        if (tf_migrations[i]->is_default)
            return tf_migrations[i];
    tf_error_set(err, TF_ERR_USAGE, "name a migration: this program has no default one");
    tf_error_hint(err, "'tokenfix plan' lists them.");
    return NULL;
}

const tf_migration *tf_migration_find(const char *name, tf_error *err)
{
    const tf_migration *found = NULL;
    if (!name)
        return default_migration(err);
    for (size_t i = 0; i < tf_migrations_count; i++) {
        const tf_migration *m = tf_migrations[i];
        if (strcmp(m->id, name) == 0)
            return m;
        if (!*name || strncmp(m->id, name, strlen(name)) != 0)
            continue;
        if (found) {
            ambiguous(name, found, m, err);
            return NULL;
        }
        found = m;
    }
    if (found)
        return found;
    const char **ids = bson_malloc0((tf_migrations_count + 1) * sizeof *ids);
    for (size_t i = 0; i < tf_migrations_count; i++)
        ids[i] = tf_migrations[i]->id;
    const char *near = tf_nearest(name, ids);
    tf_error_set(err, TF_ERR_NOT_FOUND, "there is no migration '%.100s'", name);
    if (near)
        tf_error_hint(err, "Did you mean '%s'?", near);
    else
        tf_error_hint(err, "'tokenfix plan' lists the migrations.");
    free(ids);
    return NULL;
}

/* ---- order ---- */

enum { NEW, OPEN, DONE };

static long index_of(const char *id)
{
    for (size_t i = 0; i < tf_migrations_count; i++)
        if (strcmp(tf_migrations[i]->id, id) == 0)
            return (long)i;
    return -1;
}

static bool place(size_t i, char *marks, const tf_migration **order, size_t *placed, tf_error *err)
{
    const tf_migration *m = tf_migrations[i];
    if (marks[i] == DONE)
        return true;
    if (marks[i] == OPEN) {
        tf_error_set(err, TF_ERR_DEPENDENCY, "migration %s depends on itself, directly or through others", m->id);
        return tf_error_hint(err, "Break the cycle in 'depends_on'.");
    }
    marks[i] = OPEN;
    for (const char *const *name = m->depends_on; name && *name; name++) {
        long k = index_of(*name);
        if (k < 0) {
            tf_error_set(err, TF_ERR_DEPENDENCY, "migration %s depends on %s, which does not exist", m->id, *name);
            return tf_error_hint(err, "Add that migration or correct 'depends_on'.");
        }
        if (!place((size_t)k, marks, order, placed, err))
            return false;
    }
    marks[i] = DONE;
    order[(*placed)++] = m;
    return true;
}

bool tf_migration_order(const tf_migration **order, tf_error *err)
{
    _cleanup_free_ char *marks = bson_malloc0(tf_migrations_count + 1);
    size_t placed = 0;
    for (size_t i = 0; i < tf_migrations_count; i++)
        if (!place(i, marks, order, &placed, err))
            return false;
    return true;
}
