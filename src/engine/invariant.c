#include "engine/invariant.h"

static const char *field_name(size_t i, char name[static 32])
{
    snprintf(name, 32, "tokenfix_%zu", i);
    return name;
}

void tf_invariant_project(const tf_lineage *lineage, bson_t *projection)
{
    char name[32];
    for (size_t i = 0; i < lineage->repair->invariants_count; i++)
        tf_repair_bind_invariant(lineage->repair, i, lineage->run_started, field_name(i, name), projection);
}

bool tf_invariant_holds(const tf_repair *repair, const bson_t *image, tf_error *err)
{
    char name[32];
    bson_iter_t iter;
    for (size_t i = 0; i < repair->invariants_count; i++)
        if (!bson_iter_init_find(&iter, image, field_name(i, name)) || !bson_iter_as_bool(&iter))
            return tf_error_set(err, TF_ERR_INVARIANT, "invariant '%s' failed on a repaired %s", repair->invariants[i].name,
                                repair->noun);
    return true;
}
