#include "cmd/terms.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

#include "base/text.h"
#include "report/format.h"

enum { SCALE_MAX = 18 };

static void put(char *to, size_t size, const char *text)
{
    tf_text_clean(text ? text : "", to, size);
}

static void clear(tf_terms *terms)
{
    *terms = (tf_terms){.noun = "document", .owner = "owner"};
}

void tf_terms_of_repair(const tf_repair *repair, tf_terms *out)
{
    clear(out);
    if (repair->noun && *repair->noun)
        put(out->noun, sizeof out->noun, repair->noun);
    if (!repair->ledger.present)
        return;
    out->amounts = true;
    out->scale = repair->ledger.scale;
    put(out->unit, sizeof out->unit, repair->ledger.unit);
    if (repair->ledger.owners)
        put(out->owner, sizeof out->owner, repair->ledger.owner[0]);
}

void tf_terms_of_json(const char *repair, tf_terms *out)
{
    tf_error ignored = {0};
    _cleanup_(tf_repair_freep) tf_repair *parsed = repair ? tf_repair_parse(repair, &ignored) : NULL;
    if (parsed)
        tf_terms_of_repair(parsed, out);
    else
        clear(out);
}

void tf_terms_of_run(const bson_t *run, tf_terms *out)
{
    bson_iter_t iter;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    bson_t stored;
    tf_error ignored = {0};
    clear(out);
    if (!run || !bson_iter_init_find(&iter, run, "repair") || !BSON_ITER_HOLDS_DOCUMENT(&iter))
        return;
    bson_iter_document(&iter, &length, &data);
    if (!bson_init_static(&stored, data, length))
        return;
    _cleanup_(tf_repair_freep) tf_repair *parsed = tf_repair_from_bson(&stored, &ignored);
    if (parsed)
        tf_terms_of_repair(parsed, out);
}

void tf_terms_of_run_id(const tf_store *store, const char *run, tf_terms *out)
{
    tf_run loaded = {0};
    tf_error ignored = {0};
    clear(out);
    if (!*run || tf_run_load(store, run, &loaded, &ignored) != 1)
        return;
    tf_terms_of_run(loaded.doc, out);
    tf_run_done(&loaded);
}

const char *tf_terms_count(const tf_terms *terms, int64_t n, char out[static TF_TERMS_TEXT])
{
    snprintf(out, TF_TERMS_TEXT, "%s %s%s", TF_COUNT(n), terms->noun, n == 1 ? "" : "s");
    return out;
}

const char *tf_terms_number(const tf_terms *terms, int64_t amount, char out[static TF_TERMS_TEXT])
{
    if (!terms->amounts) {
        snprintf(out, TF_TERMS_TEXT, "-");
        return out;
    }
    if (terms->scale <= 0 || terms->scale > SCALE_MAX) {
        snprintf(out, TF_TERMS_TEXT, "%s", TF_COUNT(amount));
        return out;
    }
    uint64_t size = amount < 0 ? -(uint64_t)amount : (uint64_t)amount, unit = 1;
    for (int i = 0; i < terms->scale; i++)
        unit *= 10;
    snprintf(out, TF_TERMS_TEXT, "%s%s.%0*" PRIu64, amount < 0 ? "-" : "", TF_COUNT((int64_t)(size / unit)),
             terms->scale, size % unit);
    return out;
}

const char *tf_terms_amount(const tf_terms *terms, int64_t amount, char out[static TF_TERMS_TEXT])
{
    tf_terms_number(terms, amount, out);
    if (terms->amounts && terms->unit[0]) {
        size_t used = strlen(out);
        snprintf(out + used, TF_TERMS_TEXT - used, " %s", terms->unit);
    }
    return out;
}

void tf_terms_append_amount(const tf_terms *terms, bson_t *to, const char *key, int64_t amount)
{
    if (terms->amounts)
        BSON_APPEND_INT64(to, key, amount);
    else
        BSON_APPEND_NULL(to, key);
}

void tf_terms_append(const tf_terms *terms, bson_t *to)
{
    if (!terms->amounts)
        return;
    if (terms->unit[0])
        BSON_APPEND_UTF8(to, "unit", terms->unit);
    else
        BSON_APPEND_NULL(to, "unit");
    BSON_APPEND_INT32(to, "scale", terms->scale);
}
