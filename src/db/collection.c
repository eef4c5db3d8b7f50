#include "db/collection.h"

#include <tokenfix/cleanup.h>

void tf_collection_done(tf_collection *collection)
{
    bson_destroy(&collection->collation);
}

bool tf_collection_read(const tf_op *op, const char *name, tf_collection *out, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}");
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter, at;
    uint32_t length;
    const uint8_t *data;
    bson_t view;
    *out = (tf_collection){.capped = false};
    bson_init(&out->collation);
    if (!tf_op_command(op, command, &reply, err))
        return false;
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.type", &at) && BSON_ITER_HOLDS_UTF8(&at))
        snprintf(out->type, sizeof out->type, "%s", bson_iter_utf8(&at, NULL));
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.options.capped", &at))
        out->capped = bson_iter_as_bool(&at);
    if (bson_iter_init(&iter, &reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.options.collation", &at) &&
        BSON_ITER_HOLDS_DOCUMENT(&at)) {
        bson_iter_document(&at, &length, &data);
        if (bson_init_static(&view, data, length))
            bson_concat(&out->collation, &view);
    }
    return true;
}

bool tf_collection_count(const tf_op *op, const char *name, int64_t *count, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *command = BCON_NEW("count", BCON_UTF8(name));
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
    bson_iter_t iter;
    if (!tf_op_command(op, command, &reply, err))
        return false;
    *count = bson_iter_init_find(&iter, &reply, "n") ? bson_iter_as_int64(&iter) : 0;
    return true;
}
