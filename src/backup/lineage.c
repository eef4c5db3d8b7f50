#include "backup/lineage.h"

#include "backup/restoration.h"
#include "backup/snapshot.h"
#include "base/field.h"

#include <tokenfix/cleanup.h>

enum { DEPTH_MAX = 64 };

void tf_lineage_free(tf_lineage *lineage)
{
    if (!lineage)
        return;
    tf_lineage_free(lineage->target);
    tf_repair_free(lineage->repair);
    free(lineage);
}

void tf_lineage_freep(tf_lineage **lineage)
{
    tf_lineage_free(*lineage);
}

tf_repair *tf_lineage_repair(const tf_run *run, tf_error *err)
{
    bson_t view;
    if (!tf_field_view(run->doc, "repair", &view)) {
        tf_error_set(err, TF_ERR_DAMAGED, "run %s does not hold its repair any more", run->id);
        tf_error_hint(err, "docs/runbook.md, 'A damaged state database'.");
        return NULL;
    }
    return tf_repair_from_bson(&view, err);
}

static tf_lineage *load(const tf_store *store, const tf_run *run, int depth, tf_error *err)
{
    _cleanup_(tf_lineage_freep) tf_lineage *lineage = bson_malloc0(sizeof *lineage);
    snprintf(lineage->run, sizeof lineage->run, "%s", run->id);
    lineage->down = run->down;
    lineage->run_started = run->started_at;
    lineage->fields_policy = strcmp(run->conflict_policy, "fields") == 0;
    lineage->repair = tf_lineage_repair(run, err);
    if (!lineage->repair)
        return NULL;
    if (!run->down)
        return TAKE_PTR(lineage);
    tf_run target = {0};
    int got = depth < DEPTH_MAX ? tf_run_load(store, run->restores, &target, err) : 0;
    if (got == 0) {
        tf_error_set(err, TF_ERR_DAMAGED, "run %s takes back run %s, which is missing", run->id, run->restores);
        tf_error_hint(err, "docs/runbook.md, 'A damaged state database'.");
    }
    if (got != 1)
        return NULL;
    lineage->target = load(store, &target, depth + 1, err);
    tf_run_done(&target);
    return lineage->target ? TAKE_PTR(lineage) : NULL;
}

tf_lineage *tf_lineage_load(const tf_store *store, const tf_run *run, tf_error *err)
{
    return load(store, run, 0, err);
}

static bool incomplete(const tf_lineage *lineage, tf_error *err)
{
    tf_error_set(err, TF_ERR_DAMAGED, "the backup of run %s lacks documents", lineage->run);
    return tf_error_hint(err, "docs/runbook.md, 'A lost backup'.");
}

static void append_stages(bson_t *pipeline, uint32_t *n, const bson_t *stages)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, stages))
        while (bson_iter_next(&iter))
            tf_array_append_value(pipeline, n, bson_iter_value(&iter));
}

static void append_stage(bson_t *pipeline, uint32_t *n, const char *name, const bson_t *of)
{
    _cleanup_bson_ bson_t stage = BSON_INITIALIZER;
    BSON_APPEND_DOCUMENT(&stage, name, of);
    tf_array_append_document(pipeline, n, &stage);
}

/* [{$match: {_id: {$in}}}, {$sort: {_id: 1}}, …the stored pipeline, {$project}] over the backup */
static bool evaluate(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, const bson_t *projection, tf_docs *out,
                     tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "predict what the repair made of the backup");
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER, update = BSON_INITIALIZER, pipeline = BSON_INITIALIZER;
    tf_docs_append_ids(before, &ids);
    _cleanup_(bson_destroyp) bson_t *match = BCON_NEW("$match", "{", "_id", "{", "$in", BCON_ARRAY(&ids), "}", "}");
    _cleanup_(bson_destroyp) bson_t *sort = BCON_NEW("$sort", "{", "_id", BCON_INT32(1), "}");
    uint32_t n = 0;
    tf_array_append_document(&pipeline, &n, match);
    tf_array_append_document(&pipeline, &n, sort);
    tf_repair_bind_update(lineage->repair, lineage->run_started, &update);
    append_stages(&pipeline, &n, &update);
    if (projection)
        append_stage(&pipeline, &n, "$project", projection);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("batchSize", BCON_INT32(INT32_MAX));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_backup_name(store, lineage->run).text, &pipeline, opts);
    const bson_t *doc = NULL;
    int got;
    tf_docs_clear(out);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        tf_docs_add(out, doc);
    if (got < 0)
        return false;
    return out->count == before->count || incomplete(lineage, err);
}

static bool predict_down(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, tf_docs *out, tf_error *err)
{
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    tf_docs_append_ids(before, &ids);
    tf_docs original = {0}, predicted = {0};
    bool ok = tf_snapshot_read_ids(store, NULL, lineage->target->run, &ids, &original, err) &&
              (original.count == before->count || incomplete(lineage->target, err)) &&
              tf_lineage_predict(store, lineage->target, &original, &predicted, err);
    tf_docs_clear(out);
    for (size_t i = 0; ok && i < before->count; i++) {
        if (tf_docs_same(before, i, &predicted, i)) {
            bson_t doc;
            tf_docs_view(&original, i, &doc);
            tf_docs_add(out, &doc);
            continue;
        }
        bson_t now, was, should;
        tf_docs_view(before, i, &now);
        tf_docs_view(&original, i, &was);
        tf_docs_view(&predicted, i, &should);
        _cleanup_bson_ bson_t merged = BSON_INITIALIZER;
        tf_restoration_merge(lineage->repair, &now, &was, &should, &merged);
        tf_docs_add(out, &merged);
    }
    tf_docs_done(&original);
    tf_docs_done(&predicted);
    return ok;
}

bool tf_lineage_changes(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, const bson_t *also, tf_docs *out,
                        tf_error *err)
{
    _cleanup_bson_ bson_t projection = BSON_INITIALIZER;
    for (const char **name = lineage->repair->touched; *name; name++)
        BSON_APPEND_INT32(&projection, *name, 1);
    bson_concat(&projection, also);
    return evaluate(store, lineage, before, &projection, out, err);
}

static size_t touched_in(const tf_repair *repair, const bson_t *change)
{
    bson_iter_t iter;
    size_t n = 0;
    if (bson_iter_init(&iter, change))
        while (bson_iter_next(&iter))
            n += tf_repair_touches(repair, bson_iter_key(&iter));
    return n;
}

/* What is not touched is copied as it lies there, in stretches between the touched fields. */
void tf_lineage_compose(const tf_repair *repair, const bson_t *before, const bson_t *change, bson_t *out)
{
    const uint8_t *data = bson_get_data(before);
    uint32_t done = 4, length; /* behind the document's own length */
    bson_iter_t iter, changed;
    size_t placed = 0;
    if (bson_iter_init(&iter, before))
        while (bson_iter_next(&iter)) {
            const char *name = bson_iter_key(&iter);
            if (!tf_repair_touches(repair, name))
                continue;
            const uint8_t *element = tf_doc_element(before, &iter, &length);
            tf_doc_append_bytes(out, data + done, (uint32_t)(element - data) - done);
            done = (uint32_t)(element - data) + length;
            if (bson_iter_init_find(&changed, change, name)) {
                tf_doc_append_field(change, &changed, out);
                placed++;
            }
        }
    tf_doc_append_bytes(out, data + done, before->len - 1 - done);
    if (placed == touched_in(repair, change))
        return;
    if (bson_iter_init(&changed, change))
        while (bson_iter_next(&changed)) {
            const char *name = bson_iter_key(&changed);
            if (tf_repair_touches(repair, name) && !bson_has_field(before, name))
                tf_doc_append_field(change, &changed, out);
        }
}

/* $set leaves a field where it is and puts a new one at the end: then what it makes of a document can be put together from
 * the touched fields alone, and the server need not send the rest. */
static bool only_sets(const tf_repair *repair)
{
    bson_iter_t stages, stage;
    bool only = bson_iter_init(&stages, &repair->update);
    while (only && bson_iter_next(&stages))
        only = bson_iter_recurse(&stages, &stage) && bson_iter_find(&stage, "$set");
    return only;
}

static bool compose_all(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, tf_docs *out, tf_error *err)
{
    _cleanup_bson_ bson_t nothing = BSON_INITIALIZER;
    tf_docs changes = {0};
    bool ok = tf_lineage_changes(store, lineage, before, &nothing, &changes, err);
    tf_docs_clear(out);
    for (size_t i = 0; ok && i < before->count; i++) {
        bson_t doc, change;
        _cleanup_bson_ bson_t composed = BSON_INITIALIZER;
        tf_docs_view(before, i, &doc);
        tf_docs_view(&changes, i, &change);
        tf_lineage_compose(lineage->repair, &doc, &change, &composed);
        tf_docs_add(out, &composed);
    }
    tf_docs_done(&changes);
    return ok;
}

bool tf_lineage_predict(const tf_store *store, const tf_lineage *lineage, const tf_docs *before, tf_docs *out, tf_error *err)
{
    if (before->count == 0) {
        tf_docs_clear(out);
        return true;
    }
    if (lineage->down)
        return predict_down(store, lineage, before, out, err);
    return only_sets(lineage->repair) ? compose_all(store, lineage, before, out, err) : evaluate(store, lineage, before, NULL, out, err);
}

/* ---- a range of the backup and its predictions in one reading ---- */

#define BEFORE "tokenfix_before" /* beside the touched fields: the document as it was */

/* A pipeline that looks at the whole document would see BEFORE. */
static bool sees_all(const tf_repair *repair)
{
    const uint8_t *data = bson_get_data(&repair->update);
    return memmem(data, repair->update.len, "$$ROOT", 6) || memmem(data, repair->update.len, "$$CURRENT", 9) ||
           memmem(data, repair->update.len, BEFORE, strlen(BEFORE));
}

/* [{$match: range}, {$sort: {_id: 1}}, {$set: {BEFORE: "$$ROOT"}}, …the stored pipeline, {$project}] */
static void range_pipeline(const tf_lineage *lineage, const tf_range *range, bson_t *pipeline)
{
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER, update = BSON_INITIALIZER, projection = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *sort = BCON_NEW("_id", BCON_INT32(1)), *keep = BCON_NEW(BEFORE, BCON_UTF8("$$ROOT"));
    uint32_t n = 0, stages = 0;
    tf_range_append(&conditions, &n, &range->after, &range->upto);
    _cleanup_bson_ bson_t match = BSON_INITIALIZER;
    if (n)
        BSON_APPEND_ARRAY(&match, "$and", &conditions);
    append_stage(pipeline, &stages, "$match", &match);
    append_stage(pipeline, &stages, "$sort", sort);
    append_stage(pipeline, &stages, "$set", keep);
    tf_repair_bind_update(lineage->repair, lineage->run_started, &update);
    append_stages(pipeline, &stages, &update);
    BSON_APPEND_INT32(&projection, "_id", 0);
    BSON_APPEND_INT32(&projection, BEFORE, 1);
    for (const char **name = lineage->repair->touched; *name; name++)
        BSON_APPEND_INT32(&projection, *name, 1);
    append_stage(pipeline, &stages, "$project", &projection);
}

bool tf_lineage_read_range(const tf_store *store, const tf_lineage *lineage, const tf_range *range, tf_docs *before, tf_docs *predicted)
{
    tf_docs_clear(before);
    tf_docs_clear(predicted);
    if (lineage->down || !only_sets(lineage->repair) || sees_all(lineage->repair))
        return false;
    tf_op op = tf_store_op(store, NULL, "read the backup");
    tf_error ignored = {0};
    _cleanup_bson_ bson_t pipeline = BSON_INITIALIZER;
    range_pipeline(lineage, range, &pipeline);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("batchSize", BCON_INT32(INT32_MAX));
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
        tf_op_aggregate(&op, tf_store_backup_name(store, lineage->run).text, &pipeline, opts);
    const bson_t *doc = NULL;
    bson_t was;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, &ignored)) == 1) {
        _cleanup_bson_ bson_t composed = BSON_INITIALIZER;
        if (!tf_field_view(doc, BEFORE, &was))
            return false;
        tf_lineage_compose(lineage->repair, &was, doc, &composed);
        tf_docs_add(before, &was);
        tf_docs_add(predicted, &composed);
    }
    return got == 0;
}
