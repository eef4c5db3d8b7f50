/* How a `down` writes: documents that are restored in place in groups, by their touched fields alone; the others whole. */
#include "backup/restoration.h"
#include "engine/guard.h"

#include <tokenfix/cleanup.h>

enum { WHOLE_MAX = 4 << 20, GROUPED_MAX = 1 << 20 };

/* The field's value of the group's document with this _id; of one that has none it is missing, and $set takes it away. */
static void append_value_of(const tf_batch *b, const size_t *members, size_t count, const bson_t *ids, const char *name, bson_t *set)
{
    _cleanup_bson_ bson_t values = BSON_INITIALIZER;
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++) {
        bson_t wanted;
        bson_iter_t iter;
        _cleanup_bson_ bson_t holder = BSON_INITIALIZER;
        tf_docs_view(&b->wanted, members[i], &wanted);
        if (bson_iter_init_find(&iter, &wanted, name))
            BSON_APPEND_VALUE(&holder, "v", bson_iter_value(&iter));
        tf_array_append_document(&values, &n, &holder);
    }
    BCON_APPEND(set, name, "{", "$let", "{", "vars", "{", "held", "{", "$arrayElemAt", "[", "{", "$literal", BCON_ARRAY(&values), "}", "{",
                "$indexOfArray", "[", "{", "$literal", BCON_ARRAY(ids), "}", BCON_UTF8("$_id"), "]", "}", "]", "}", "}", "in",
                BCON_UTF8("$$held.v"), "}", "}");
}

/* One statement for documents that are restored in place: what is planned and parsed for each would cost more than the
 * writing. */
static bool restore_group(tf_batch *b, const tf_op *op, const size_t *members, size_t count, tf_statements *statements, tf_error *err)
{
    const tf_repair *repair = b->context->lineage->repair;
    _cleanup_bson_ bson_t conditions = BSON_INITIALIZER, ids = BSON_INITIALIZER, guard = BSON_INITIALIZER, set = BSON_INITIALIZER;
    uint32_t n = 0, ids_count = 0;
    bson_iter_t iter;
    if (count == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        bson_t doc;
        tf_docs_view(&b->before, members[i], &doc);
        if (bson_iter_init_find(&iter, &doc, "_id"))
            tf_array_append_value(&ids, &ids_count, bson_iter_value(&iter));
    }
    tf_id_append_in(&conditions, &n, &ids);
    tf_guard_append(b, members, count, "$expr", &guard);
    if (!op->session)
        tf_array_append_document(&conditions, &n, &guard);
    for (const char **name = repair->touched; *name; name++)
        append_value_of(b, members, count, &ids, *name, &set);
    _cleanup_(bson_destroyp) bson_t *statement =
        BCON_NEW("q", "{", "$and", BCON_ARRAY(&conditions), "}", "u", "[", "{", "$set", BCON_DOCUMENT(&set), "}", "]", "multi",
                 BCON_BOOL(true), "hint", "{", "_id", BCON_INT32(1), "}");
    return tf_statements_add(statements, b, op, statement, err);
}

static void append_whole_guard(const tf_batch *b, size_t i, const bson_t *before, bson_t *query)
{
    if (before->len <= WHOLE_MAX) {
        BCON_APPEND(query, "$expr", "{", "$eq", "[", BCON_UTF8("$$ROOT"), "{", "$literal", BCON_DOCUMENT(before), "}", "]", "}");
        return;
    }
    _cleanup_bson_ bson_t all = BSON_INITIALIZER, size = BSON_INITIALIZER;
    BCON_APPEND(&size, "$eq", "[", "{", "$bsonSize", BCON_UTF8("$$ROOT"), "}", BCON_INT64(before->len), "]");
    BSON_APPEND_DOCUMENT(&all, "0", &size);
    tf_guard_append(b, &i, 1, "1", &all);
    BCON_APPEND(query, "$expr", "{", "$and", BCON_ARRAY(&all), "}");
}

static bool restore_whole(tf_batch *b, const tf_op *op, size_t i, tf_statements *statements, tf_error *err)
{
    bson_t before, wanted;
    tf_docs_view(&b->before, i, &before);
    tf_docs_view(&b->wanted, i, &wanted);
    _cleanup_bson_ bson_t query = BSON_INITIALIZER;
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, &before, "_id"))
        bson_append_iter(&query, "_id", 3, &iter);
    if (!op->session)
        append_whole_guard(b, i, &before, &query);
    _cleanup_(bson_destroyp) bson_t *statement =
        BCON_NEW("q", BCON_DOCUMENT(&query), "u", "[", "{", "$replaceWith", "{", "$literal", BCON_DOCUMENT(&wanted), "}", "}", "]");
    return tf_statements_add(statements, b, op, statement, err);
}

/* A group's statement looks at _id, and what the server has looked at it writes as it understood it: only where there is
 * one way to understand it. An _id that is a document may hold a name twice. */
static bool has_plain_id(const bson_t *doc)
{
    bson_iter_t iter;
    if (!bson_iter_init_find(&iter, doc, "_id"))
        return false;
    switch (bson_iter_type(&iter)) {
    case BSON_TYPE_OID:
    case BSON_TYPE_UTF8:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DATE_TIME:
        return true;
    case BSON_TYPE_BINARY: {
        bson_subtype_t subtype;
        uint32_t length;
        const uint8_t *data;
        bson_iter_binary(&iter, &subtype, &length, &data);
        return subtype != BSON_SUBTYPE_BINARY_DEPRECATED; /* which holds its length twice */
    }
    default:
        return false;
    }
}

bool tf_guard_restore(tf_batch *b, mongoc_client_session_t *session, tf_error *err)
{
    tf_op op = tf_batch_op(b, session, "give the documents back");
    tf_statements statements = {.array = BSON_INITIALIZER};
    size_t group[GUARD_GROUP], count = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < b->before.count; i++) {
        bson_t before, wanted;
        tf_docs_view(&b->before, i, &before);
        tf_docs_view(&b->wanted, i, &wanted);
        if (before.len <= GROUPED_MAX && has_plain_id(&before) && tf_restoration_in_place(b->context->lineage->repair, &before, &wanted))
            group[count++] = i;
        else
            ok = restore_whole(b, &op, i, &statements, err);
        if (ok && (count == GUARD_GROUP || i + 1 == b->before.count)) {
            ok = restore_group(b, &op, group, count, &statements, err);
            count = 0;
        }
    }
    ok = ok && tf_statements_flush(&statements, b, &op, err);
    bson_destroy(&statements.array);
    return ok;
}
