#include "engine/split.h"

#include "base/docs.h"
#include "db/collection.h"
#include "db/id.h"

#include <tokenfix/cleanup.h>

enum { SAMPLE_EACH = 100, SEARCHED = 50000 };

bool tf_split_bounds(const tf_engine *engine, const tf_repair *repair, int64_t documents, int64_t batch, int workers, bson_t *bounds,
                     tf_error *err)
{
    if (documents <= batch)
        return true;
    int64_t most = documents / (4 * batch); /* each with several full batches: a partition's last one is a fraction */
    tf_op op = tf_store_op(&engine->store, NULL, "cut the collection into partitions");
    op.db = engine->store.repaired;
    if (most < (int64_t)TF_PARTITIONS_A_WORKER * workers) { /* few among many: to find them is the work */
        int64_t all = 0;
        if (!tf_collection_count(&op, repair->collection, &all, err))
            return false;
        most = all / SEARCHED > most ? all / SEARCHED : most;
    }
    size_t parts = most < (int64_t)TF_PARTITIONS_A_WORKER * workers ? (size_t)most : (size_t)TF_PARTITIONS_A_WORKER * (size_t)workers;
    if (parts < 2)
        return true;
    op.local = true; /* any sample will do */
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$sample", "{", "size", BCON_INT64((int64_t)(SAMPLE_EACH * parts)), "}", "}", "1", "{", "$project", "{", "_id", BCON_INT32(1), "}", "}",
                 "2", "{", "$sort", "{", "_id", BCON_INT32(1), "}", "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_aggregate(&op, repair->collection, pipeline, NULL);
    tf_docs sample = {0};
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        tf_docs_add(&sample, doc);
    uint32_t n = 0;
    size_t last = 0;
    for (size_t k = 1; got == 0 && k < parts; k++) {
        size_t i = sample.count * k / parts;
        bson_iter_t iter;
        if (i <= last || i >= sample.count || tf_docs_same(&sample, i, &sample, last)) /* a sample may repeat a document */
            continue;
        bson_t at;
        tf_docs_view(&sample, i, &at);
        _cleanup_bson_ bson_t bound = BSON_INITIALIZER;
        if (bson_iter_init_find(&iter, &at, "_id"))
            bson_append_iter(&bound, "v", 1, &iter);
        tf_array_append_document(bounds, &n, &bound);
        last = i;
    }
    tf_docs_done(&sample);
    return got == 0;
}
