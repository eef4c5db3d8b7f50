#include "store/trail_line.h"

#include "base/docs.h"
#include "base/hash.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

static bool same(const bson_t *a, const bson_t *b)
{
    return a && b && a->len == b->len && memcmp(bson_get_data(a), bson_get_data(b), a->len) == 0;
}

char *tf_trail_line(const bson_t *event, size_t *length)
{
    size_t size = 0;
    if (!tf_doc_is_sound(event))
        return NULL;
    char *json = bson_as_canonical_extended_json(event, &size);
    if (!json)
        return NULL;
    _cleanup_(bson_destroyp) bson_t *back = bson_new_from_json((const uint8_t *)json, (ssize_t)size, NULL);
    if (!same(back, event) || memchr(json, '\n', size)) {
        bson_free(json);
        return NULL;
    }
    json = bson_realloc(json, size + 2);
    json[size] = '\n';
    json[size + 1] = '\0';
    *length = size + 1;
    return json;
}

bson_t *tf_trail_line_parse(const char *line, size_t length)
{
    if (length == 0 || !bson_utf8_validate(line, length, false)) /* an empty one would be measured, as a string */
        return NULL;
    return bson_new_from_json((const uint8_t *)line, (ssize_t)length, NULL);
}

char *tf_trail_closing(const tf_chain *chain, const uint8_t content[32], const uint8_t *fingerprint, const uint8_t *signature)
{
    char previous[70] = "null", before[65], head[65], sum[65], sealed[2 * TF_FINGERPRINT_SIZE + 2 * TF_SIGNATURE_SIZE + 64] = "";
    char key[2 * TF_FINGERPRINT_SIZE + 1], sign[2 * TF_SIGNATURE_SIZE + 1];
    if (chain->before.seq > 0) {
        tf_hex(chain->before.hash, 32, before);
        snprintf(previous, sizeof previous, "\"%s\"", before);
    }
    tf_hex(chain->last.hash, 32, head);
    tf_hex(content, 32, sum);
    if (fingerprint && signature) {
        tf_hex(fingerprint, TF_FINGERPRINT_SIZE, key);
        tf_hex(signature, TF_SIGNATURE_SIZE, sign);
        snprintf(sealed, sizeof sealed, ",\"key\":\"%s\",\"signature\":\"%s\"", key, sign);
    }
    char *line = bson_strdup_printf(TF_TRAIL_CLOSING "\"audit trail\",\"format\":1,\"count\":%" PRId64 ",\"first\":%" PRId64 ",\"last\":%" PRId64
                                    ",\"previous\":%s,\"head\":\"%s\",\"sha256\":\"%s\"%s",
                                    chain->count, chain->first, chain->last.seq, previous, head, sum, sealed);
    uint8_t own[32];
    char check[65];
    tf_sha256_of(line, strlen(line), own);
    tf_hex(own, sizeof own, check);
    char *closing = bson_strdup_printf("%s,\"line\":\"%s\"}\n", line, check);
    bson_free(line);
    return closing;
}
