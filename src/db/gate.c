#include "db/gate.h"

#include <tokenfix/cleanup.h>

static bool refuse(tf_error *err)
{
    return tf_error_set(err, TF_ERR_INTERNAL, "a write was attempted while only looking");
}

bool tf_gate_update(const tf_gate *gate, const tf_op *op, const char *collection, const bson_t *statements, bool ordered,
                    int64_t *matched, tf_error *err)
{
    if (!gate->open)
        return refuse(err);
    _cleanup_bson_ bson_t command = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&command, "update", collection);
    BSON_APPEND_ARRAY(&command, "updates", statements);
    BSON_APPEND_BOOL(&command, "ordered", ordered);
    return tf_op_write(op, &command, matched, NULL, err);
}

bool tf_gate_insert(const tf_gate *gate, const tf_op *op, const char *collection, const bson_t **docs, size_t count,
                    tf_error *err)
{
    if (!gate->open)
        return refuse(err);
    return tf_op_insert(op, collection, docs, count, err);
}
