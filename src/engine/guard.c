#include "engine/guard.h"

#include "backup/snapshot.h"
#include "base/failpoint.h"
#include "engine/invariant.h"

#include <tokenfix/cleanup.h>

enum { COMMAND_BYTES = 8 << 20, WRITE_MS = 10000 };

bool tf_statements_flush(tf_statements *statements, tf_batch *b, const tf_op *op, tf_error *err)
{
    int64_t matched = 0;
    if (statements->count == 0)
        return true;
    tf_op limited = *op;
    limited.max_time_ms = op->session ? 20000 : WRITE_MS;
    if (!op->session) { /* the journal: a write must end before the lease can */
        if (!tf_heartbeat_ok(b->context->heartbeat, err))
            return false;
        if (tf_heartbeat_left_ms(b->context->heartbeat) <= WRITE_MS)
            return tf_error_set(err, TF_ERR_LEASE_LOST, "the lease could not be renewed in time");
    }
    bool ok = tf_gate_update(&b->context->gate, &limited, b->context->lineage->repair->collection, &statements->array, false,
                             &matched, err);
    b->matched += matched;
    bson_reinit(&statements->array);
    statements->count = 0;
    return ok;
}

bool tf_statements_add(tf_statements *statements, tf_batch *b, const tf_op *op, const bson_t *statement, tf_error *err)
{
    if (statements->array.len + statement->len > COMMAND_BYTES && !tf_statements_flush(statements, b, op, err))
        return false;
    tf_array_append_document(&statements->array, &statements->count, statement);
    return true;
}

/* ---- up: a group of documents per statement ----
 * {$expr: {$in: [[_id, value, type, value, type …] of the document, [the same of each pre-image]]}}. An absent field is
 * null of type "missing". Linear in the group, hence small groups. */

static void append_probe(const tf_repair *repair, bson_t *array)
{
    uint32_t n = 0;
    bson_value_t path = {.value_type = BSON_TYPE_UTF8};
    char text[300];
    path.value.v_utf8.str = text;
    snprintf(text, sizeof text, "$_id");
    path.value.v_utf8.len = (uint32_t)strlen(text);
    tf_array_append_value(array, &n, &path);
    for (size_t i = 0; repair->touched[i]; i++) {
        snprintf(text, sizeof text, "$%s", repair->touched[i]);
        path.value.v_utf8.len = (uint32_t)strlen(text);
        _cleanup_(bson_destroyp) bson_t *value = BCON_NEW("$ifNull", "[", BCON_UTF8(text), BCON_NULL, "]");
        _cleanup_(bson_destroyp) bson_t *type = BCON_NEW("$type", BCON_UTF8(text));
        tf_array_append_document(array, &n, value);
        tf_array_append_document(array, &n, type);
    }
}

/* The server's name for a type, as $type says it. */
static const char *type_name(bson_type_t type)
{
    switch (type) {
    case BSON_TYPE_DOUBLE:
        return "double";
    case BSON_TYPE_UTF8:
        return "string";
    case BSON_TYPE_DOCUMENT:
        return "object";
    case BSON_TYPE_ARRAY:
        return "array";
    case BSON_TYPE_BINARY:
        return "binData";
    case BSON_TYPE_UNDEFINED:
        return "undefined";
    case BSON_TYPE_OID:
        return "objectId";
    case BSON_TYPE_BOOL:
        return "bool";
    case BSON_TYPE_DATE_TIME:
        return "date";
    case BSON_TYPE_NULL:
        return "null";
    case BSON_TYPE_REGEX:
        return "regex";
    case BSON_TYPE_DBPOINTER:
        return "dbPointer";
    case BSON_TYPE_CODE:
        return "javascript";
    case BSON_TYPE_SYMBOL:
        return "symbol";
    case BSON_TYPE_CODEWSCOPE:
        return "javascriptWithScope";
    case BSON_TYPE_INT32:
        return "int";
    case BSON_TYPE_TIMESTAMP:
        return "timestamp";
    case BSON_TYPE_INT64:
        return "long";
    case BSON_TYPE_DECIMAL128:
        return "decimal";
    case BSON_TYPE_MINKEY:
        return "minKey";
    case BSON_TYPE_MAXKEY:
        return "maxKey";
    default:
        return "missing";
    }
}

static void append_image(const tf_repair *repair, const bson_t *doc, bson_t *images, uint32_t *n)
{
    bson_t image;
    bson_iter_t iter;
    char buffer[16];
    const char *key;
    uint32_t i = 0;
    size_t length = bson_uint32_to_string((*n)++, &key, buffer, sizeof buffer);
    bson_append_array_begin(images, key, (int)length, &image);
    if (bson_iter_init_find(&iter, doc, "_id"))
        tf_array_append_value(&image, &i, bson_iter_value(&iter));
    bson_value_t null = {.value_type = BSON_TYPE_NULL}, type = {.value_type = BSON_TYPE_UTF8};
    for (size_t k = 0; repair->touched[k]; k++) {
        bool found = bson_iter_init_find(&iter, doc, repair->touched[k]);
        bool null_like = !found || BSON_ITER_HOLDS_NULL(&iter) || BSON_ITER_HOLDS_UNDEFINED(&iter);
        const char *name = type_name(found ? bson_iter_type(&iter) : BSON_TYPE_EOD);
        type.value.v_utf8.str = bson_strdup(name);
        type.value.v_utf8.len = (uint32_t)strlen(name);
        tf_array_append_value(&image, &i, null_like ? &null : bson_iter_value(&iter));
        tf_array_append_value(&image, &i, &type);
        bson_free(type.value.v_utf8.str);
    }
    bson_append_array_end(images, &image);
}

void tf_guard_append(const tf_batch *b, const size_t *members, size_t count, const char *key, bson_t *out)
{
    const tf_repair *repair = b->context->lineage->repair;
    _cleanup_bson_ bson_t probe = BSON_INITIALIZER, images = BSON_INITIALIZER;
    uint32_t n = 0;
    append_probe(repair, &probe);
    for (size_t i = 0; i < count; i++) {
        bson_t before;
        tf_docs_view(&b->before, members[i], &before);
        append_image(repair, &before, &images, &n);
    }
    BCON_APPEND(out, key, "{", "$in", "[", BCON_ARRAY(&probe), "{", "$literal", BCON_ARRAY(&images), "}", "]", "}");
}

static bool apply_group(tf_batch *b, const tf_op *op, size_t from, size_t to, const bson_t *update, tf_statements *statements,
                        tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER, ids = BSON_INITIALIZER, probe = BSON_INITIALIZER, images = BSON_INITIALIZER;
    uint32_t n = 0, ids_count = 0, images_count = 0;
    bson_iter_t iter;
    for (size_t i = from; i < to; i++) {
        bson_t doc;
        tf_docs_view(&b->before, i, &doc);
        if (bson_iter_init_find(&iter, &doc, "_id"))
            tf_array_append_value(&ids, &ids_count, bson_iter_value(&iter));
        append_image(repair, &doc, &images, &images_count);
    }
    append_probe(repair, &probe);
    tf_id_append_in(&conditions, &n, &ids);
    tf_array_append_document(&conditions, &n, &repair->filter);
    _cleanup_(bson_destroyp) bson_t *guard = BCON_NEW("$expr", "{", "$in", "[", BCON_ARRAY(&probe), "{", "$literal", BCON_ARRAY(&images),
                                                      "}", "]", "}");
    tf_array_append_document(&conditions, &n, guard);
    _cleanup_(bson_destroyp) bson_t *statement = BCON_NEW("q", "{", "$and", BCON_ARRAY(&conditions), "}", "u", BCON_ARRAY(update), "multi",
                                                          BCON_BOOL(true), "hint", "{", "_id", BCON_INT32(1), "}");
    return tf_statements_add(statements, b, op, statement, err);
}

bool tf_guard_apply(tf_batch *b, tf_error *err)
{
    tf_op op = tf_batch_op(b, NULL, "repair the documents");
    _cleanup_bson_ bson_t update = BSON_INITIALIZER;
    tf_repair_bind_update(b->context->lineage->repair, b->context->lineage->run_started, &update);
    tf_statements statements = {.array = BSON_INITIALIZER};
    bool ok = true;
    for (size_t i = 0; ok && i < b->before.count; i += GUARD_GROUP) {
        size_t end = i + GUARD_GROUP < b->before.count ? i + GUARD_GROUP : b->before.count;
        ok = apply_group(b, &op, i, end, &update, &statements, err);
    }
    ok = ok && tf_statements_flush(&statements, b, &op, err);
    bson_destroy(&statements.array);
    return ok;
}

/* ---- what came of it ---- */

static bool invariants_hold_as_predicted(tf_batch *b, const bson_t *ids, tf_error *err)
{
    const tf_lineage *lineage = b->context->lineage;
    const tf_repair *repair = lineage->repair;
    if (repair->invariants_count == 0)
        return true;
    tf_op op = tf_batch_op(b, NULL, "check the invariants");
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    for (size_t i = 0; i < repair->invariants_count; i++) {
        char index[16];
        snprintf(index, sizeof index, "%zu", i);
        tf_repair_bind_invariant(repair, i, lineage->run_started, index, &all);
    }
    _cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", "{", "$in", BCON_ARRAY(ids), "}", "$expr", "{", "$not", "[", "{", "$and",
                                                       BCON_ARRAY(&all), "}", "]", "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_bson_ bson_t failing = BSON_INITIALIZER;
    int got = tf_cursor_one(tf_op_find(&op, repair->collection, filter, opts), &op, &failing, err);
    if (got == 0)
        return true;
    if (got == 1)
        tf_error_set(err, TF_ERR_INVARIANT, "an invariant failed on a repaired %s", repair->noun);
    return false;
}

/* Reads the current images into scratch and sorts them: as wanted → applied, anything else → overtaken. */
static bool classify(tf_batch *b, const char *overtaken, bson_t *applied_ids, tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    _cleanup_bson_ bson_t ids = BSON_INITIALIZER;
    uint32_t n = 0;
    size_t at = 0;
    tf_docs_append_ids(&b->before, &ids);
    if (!tf_snapshot_read_current(&b->context->store, NULL, repair->collection, &ids, NULL, &b->scratch, err))
        return false;
    for (size_t i = 0; i < b->before.count; i++) {
        bson_t before, wanted;
        tf_docs_view(&b->before, i, &before);
        tf_docs_view(&b->wanted, i, &wanted);
        long k = tf_docs_find_id(&b->scratch, &before, at);
        if (k >= 0 && tf_docs_same(&b->scratch, (size_t)k, &b->wanted, i)) {
            at = (size_t)k + 1;
            bson_iter_t iter;
            if (bson_iter_init_find(&iter, &before, "_id"))
                tf_array_append_value(applied_ids, &n, bson_iter_value(&iter));
            b->applied++;
            if (!tf_tally_add(b->moves, &before, &wanted, err))
                return false;
        } else
            tf_left_add(&b->overtaken, &before, k < 0 ? "deleted by another writer meanwhile" : overtaken);
    }
    return true;
}

static bool tally_all(tf_batch *b, tf_error *err)
{
    for (size_t i = 0; i < b->before.count; i++) {
        bson_t before, wanted;
        tf_docs_view(&b->before, i, &before);
        tf_docs_view(&b->wanted, i, &wanted);
        if (!tf_tally_add(b->moves, &before, &wanted, err))
            return false;
    }
    b->applied = (int64_t)b->before.count;
    return true;
}

/* The usual case at a fraction of the cost: every document is, byte for byte, its pre-image with the touched fields as
 * the server makes them. The invariants are evaluated on just that. Says 0 when it is not so: then each one counts. */
static int all_applied(tf_batch *b, tf_error *err)
{
    const tf_lineage *lineage = b->context->lineage;
    _cleanup_bson_ bson_t also = BSON_INITIALIZER, ids = BSON_INITIALIZER;
    tf_docs changes = {0};
    bson_t before, change;
    tf_invariant_project(lineage, &also);
    tf_docs_append_ids(&b->before, &ids);
    int got = -1;
    if (tf_lineage_changes(&b->context->store, lineage, &b->before, &also, &changes, err) &&
        tf_snapshot_read_current(&b->context->store, NULL, lineage->repair->collection, &ids, NULL, &b->scratch, err))
        got = b->scratch.count == b->before.count;
    for (size_t i = 0; got == 1 && i < b->before.count; i++) {
        _cleanup_bson_ bson_t composed = BSON_INITIALIZER;
        tf_docs_view(&b->before, i, &before);
        tf_docs_view(&changes, i, &change);
        tf_lineage_compose(lineage->repair, &before, &change, &composed);
        tf_docs_add(&b->wanted, &composed);
        got = tf_docs_same(&b->scratch, i, &b->wanted, i);
    }
    for (size_t i = 0; got == 1 && i < changes.count; i++) {
        tf_docs_view(&changes, i, &change);
        if (!tf_invariant_holds(lineage->repair, &change, err))
            got = -1;
    }
    tf_docs_done(&changes);
    return got;
}

bool tf_guard_check_applied(tf_batch *b, tf_error *err)
{
    _cleanup_bson_ bson_t applied = BSON_INITIALIZER;
    if (b->before.count == 0)
        return true;
    int all = all_applied(b, err);
    if (all != 0)
        return all == 1 && tally_all(b, err);
    return tf_lineage_predict(&b->context->store, b->context->lineage, &b->before, &b->wanted, err) &&
           classify(b, "changed by another writer meanwhile", &applied, err) &&
           invariants_hold_as_predicted(b, &applied, err);
}

bool tf_guard_check_settled(tf_batch *b, tf_error *err)
{
    _cleanup_bson_ bson_t applied = BSON_INITIALIZER;
    if (b->before.count == 0)
        return true;
    return tf_lineage_predict(&b->context->store, b->context->lineage, &b->before, &b->wanted, err) &&
           classify(b, "not reached, or changed by another writer, before the run was taken back", &applied, err);
}

bool tf_guard_check_restored(tf_batch *b, tf_error *err)
{
    _cleanup_bson_ bson_t applied = BSON_INITIALIZER;
    return b->before.count == 0 || classify(b, "changed by another writer meanwhile", &applied, err);
}
