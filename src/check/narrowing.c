#include "check/narrowing.h"

#include "check/amount.h"
#include "check/since.h"
#include "db/id.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { OWNERS = 2, DEEPEST = 100 };

bool tf_narrowing_is_narrow(const tf_narrowing *narrowing)
{
    return narrowing->owner[0] || narrowing->owner[1] || narrowing->since_run;
}

const char *tf_narrowing_text(const tf_narrowing *narrowing, char *out, size_t size)
{
    const char *const parts[] = {narrowing->owner[0], narrowing->owner[1], narrowing->since_run};
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        int n = snprintf(out + length, size - length, "%zu:%s;", parts[i] ? strlen(parts[i]) : 0, parts[i] ? parts[i] : "");
        length += n > 0 && (size_t)n < size - length ? (size_t)n : 0;
    }
    return out;
}

/* ---- as a query ---- */

static void append_times(const char *const *fields, const char *comparison, int64_t since, bson_t *any, uint32_t *n)
{
    for (; *fields; fields++) {
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW(*fields, "{", comparison, BCON_DATE_TIME(since), "}");
        tf_array_append_document(any, n, one);
    }
}

/* As tf_since_expression has it. */
static void append_since(const tf_narrowing *narrowing, bson_t *query)
{
    _cleanup_bson_ bson_t any = BSON_INITIALIZER;
    uint32_t n = 0, seconds = BSON_UINT32_TO_BE((uint32_t)(narrowing->since / 1000));
    uint8_t bytes[12] = {0};
    bson_oid_t oid;
    memcpy(bytes, &seconds, sizeof seconds);
    bson_oid_init_from_data(&oid, bytes);
    append_times(narrowing->repair->created, "$gte", narrowing->since, &any, &n);
    append_times(narrowing->repair->updated, "$gt", narrowing->since, &any, &n);
    _cleanup_(bson_destroyp) bson_t *made = BCON_NEW("_id", "{", "$gte", BCON_OID(&oid), "}");
    tf_array_append_document(&any, &n, made);
    BSON_APPEND_ARRAY(query, "$or", &any);
}

void tf_narrowing_query(const tf_narrowing *narrowing, bson_t *query)
{
    for (size_t i = 0; i < OWNERS; i++)
        if (narrowing->owner[i])
            BCON_APPEND(query, narrowing->repair->ledger.owner[i], "{", "$eq", BCON_UTF8(narrowing->owner[i]), "}");
    if (narrowing->since_run)
        append_since(narrowing, query);
}

/* ---- as expressions ---- */

static void append_owners(const tf_narrowing *narrowing, bson_t *all, uint32_t *n)
{
    for (size_t i = 0; i < OWNERS; i++) {
        char field[300];
        if (!narrowing->owner[i])
            continue;
        snprintf(field, sizeof field, "$%s", narrowing->repair->ledger.owner[i]);
        _cleanup_(bson_destroyp) bson_t *one =
            BCON_NEW("$eq", "[", BCON_UTF8(field), "{", "$literal", BCON_UTF8(narrowing->owner[i]), "}", "]");
        tf_array_append_document(all, n, one);
    }
}

/* $and of nothing is true. */
static void append_condition(const tf_narrowing *narrowing, bool whose, bool since, const char *key, bson_t *out)
{
    _cleanup_bson_ bson_t all = BSON_INITIALIZER, times = BSON_INITIALIZER;
    uint32_t n = 0;
    bson_iter_t iter;
    if (whose)
        append_owners(narrowing, &all, &n);
    if (since && narrowing->since_run) {
        tf_since_expression(narrowing->repair, narrowing->since, &times, "since");
        if (bson_iter_init_find(&iter, &times, "since"))
            tf_array_append_value(&all, &n, bson_iter_value(&iter));
    }
    BCON_APPEND(out, key, "{", "$and", BCON_ARRAY(&all), "}");
}

/* As a literal: a text that begins with "$" would be taken for a field. */
static void append_candidates(const tf_narrowing *narrowing, const char *key, bson_t *out)
{
    _cleanup_bson_ bson_t none = BSON_INITIALIZER;
    BCON_APPEND(out, key, "{", "$literal", BCON_ARRAY(narrowing->candidates ? narrowing->candidates : &none), "}");
}

static bool append_word(const tf_narrowing *narrowing, const char *word, const char *key, bson_t *out)
{
    if (strcmp(word, "$$NARROWED") == 0)
        append_condition(narrowing, true, true, key, out);
    else if (strcmp(word, "$$WHOSE") == 0)
        append_condition(narrowing, true, false, key, out);
    else if (strcmp(word, "$$SINCE") == 0)
        append_condition(narrowing, false, true, key, out);
    else if (strcmp(word, "$$AMOUNT") == 0 && narrowing->repair->ledger.present)
        tf_amount_expression(out, key, narrowing->repair->ledger.amount, narrowing->repair->ledger.scale);
    else if (strcmp(word, "$$CANDIDATES") == 0)
        append_candidates(narrowing, key, out);
    else if (strcmp(word, "$$EVERY") == 0)
        BSON_APPEND_BOOL(out, key, narrowing->candidates == NULL);
    else
        return false;
    return true;
}

static void bind_all(const tf_narrowing *narrowing, bson_iter_t *iter, int depth, bson_t *out)
{
    while (bson_iter_next(iter)) {
        const char *key = bson_iter_key(iter);
        bson_iter_t inner;
        bson_t child;
        bool array = BSON_ITER_HOLDS_ARRAY(iter);
        if (BSON_ITER_HOLDS_UTF8(iter) && append_word(narrowing, bson_iter_utf8(iter, NULL), key, out))
            continue;
        if ((!array && !BSON_ITER_HOLDS_DOCUMENT(iter)) || depth == DEEPEST || !bson_iter_recurse(iter, &inner)) {
            bson_append_iter(out, key, -1, iter);
            continue;
        }
        if (array)
            bson_append_array_begin(out, key, -1, &child);
        else
            bson_append_document_begin(out, key, -1, &child);
        bind_all(narrowing, &inner, depth + 1, &child);
        if (array)
            bson_append_array_end(out, &child);
        else
            bson_append_document_end(out, &child);
    }
}

void tf_narrowing_bind(const tf_narrowing *narrowing, const bson_t *from, bson_t *out)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, from))
        bind_all(narrowing, &iter, 0, out);
}
