#include "check/since.h"

#include "db/id.h"

#include <tokenfix/cleanup.h>

static void append_time(bson_t *any, uint32_t *n, const char *field, const char *comparison, int64_t started)
{
    char path[300];
    snprintf(path, sizeof path, "$%s", field);
    _cleanup_(bson_destroyp) bson_t *condition =
        BCON_NEW("$and", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8(path), "}", BCON_UTF8("date"), "]", "}", "{", comparison, "[",
                 BCON_UTF8(path), BCON_DATE_TIME(started), "]", "}", "]");
    tf_array_append_document(any, n, condition);
}

void tf_since_expression(const tf_repair *repair, int64_t started, bson_t *out, const char *key)
{
    bson_t expression, any;
    uint32_t n = 0;
    uint8_t bytes[12] = {0};
    uint32_t seconds = BSON_UINT32_TO_BE((uint32_t)(started / 1000));
    memcpy(bytes, &seconds, sizeof seconds);
    bson_oid_t oid;
    bson_oid_init_from_data(&oid, bytes);
    bson_append_document_begin(out, key, -1, &expression);
    bson_append_array_begin(&expression, "$or", 3, &any);
    for (const char **field = repair->created; *field; field++)
        append_time(&any, &n, *field, "$gte", started);
    for (const char **field = repair->updated; *field; field++)
        append_time(&any, &n, *field, "$gt", started);
    _cleanup_(bson_destroyp) bson_t *made =
        BCON_NEW("$and", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8("$_id"), "}", BCON_UTF8("objectId"), "]", "}", "{", "$gte", "[",
                 BCON_UTF8("$_id"), BCON_OID(&oid), "]", "}", "]");
    tf_array_append_document(&any, &n, made);
    bson_append_array_end(&expression, &any);
    bson_append_document_end(out, &expression);
}
