#include "backup/metadata.h"

#include "base/field.h"
#include "base/hash.h"
#include "db/failure.h"
#include "db/id.h"

#include <string.h>
#include <tokenfix/cleanup.h>

/* What listCollections says of it; *found false where there is none. */
static bool read_info(const tf_op *op, const char *name, bson_t *reply, bson_t *info, bool *found, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}");
    if (!tf_op_command(op, command, reply, err))
        return false;
    *found = tf_field_view(reply, "cursor.firstBatch.0", info);
    return true;
}

/* 32 digits, as mongodump has them. */
static void uuid_text(const bson_t *info, char out[40])
{
    bson_iter_t iter, at;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    out[0] = '\0';
    if (bson_iter_init(&iter, info) && bson_iter_find_descendant(&iter, "info.uuid", &at) &&
        BSON_ITER_HOLDS_BINARY(&at))
        bson_iter_binary(&at, NULL, &length, &data);
    if (length == 16)
        tf_hex(data, 16, out);
}

static void append_indexes(const bson_t *reply, bson_t *out)
{
    bson_t list, view;
    bson_iter_t iter;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(out, "indexes", &list);
    if (tf_field_view(reply, "cursor.firstBatch", &view) && bson_iter_init(&iter, &view))
        while (bson_iter_next(&iter))
            tf_array_append_value(&list, &n, bson_iter_value(&iter));
    if (n == 0) {
        _cleanup_(bson_destroyp) bson_t *id =
            BCON_NEW("v", BCON_INT32(2), "key", "{", "_id", BCON_INT32(1), "}", "name", BCON_UTF8("_id_"));
        tf_array_append_document(&list, &n, id);
    }
    bson_append_array_end(out, &list);
}

bool tf_metadata_read(const tf_op *op, const char *collection, const bson_t *collation, bson_t *out, tf_error *err)
{
    _cleanup_bson_ bson_t reply = BSON_INITIALIZER, indexes = BSON_INITIALIZER, options = BSON_INITIALIZER;
    bson_t info = BSON_INITIALIZER, view;
    bool found = false;
    char uuid[40] = "", type[32] = "collection";
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("listIndexes", BCON_UTF8(collection), "cursor", "{", "batchSize", BCON_INT32(1000), "}");
    if (!read_info(op, collection, &reply, &info, &found, err) || (found && !tf_op_command(op, command, &indexes, err)))
        return false;
    if (found && tf_field_view(&info, "options", &view))
        bson_concat(&options, &view);
    if (!found && !bson_empty(collation))
        BSON_APPEND_DOCUMENT(&options, "collation", collation);
    if (found) {
        uuid_text(&info, uuid);
        tf_field_text(&info, "type", type, sizeof type);
    }
    BSON_APPEND_DOCUMENT(out, "options", &options);
    append_indexes(&indexes, out);
    BSON_APPEND_UTF8(out, "uuid", uuid);
    BSON_APPEND_UTF8(out, "collectionName", collection);
    BSON_APPEND_UTF8(out, "type", type);
    return true;
}

void tf_metadata_file_name(const char *collection, char *out, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    size_t used = 0;
    for (const char *at = collection; *at && used + 4 < size; at++) {
        bool keep = strchr(plain, *at) && !(at == collection && *at == '.'); /* no hidden file */
        used += (size_t)snprintf(out + used, size - used, keep ? "%c" : "%%%02X", keep ? *at : (unsigned char)*at);
    }
    out[used] = '\0';
}
