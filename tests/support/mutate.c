#include "support/mutate.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NEST = 120 };

/* ---- the ways ---- */

typedef void (*damage)(bson_t *out, const char *key, int length, const bson_iter_t *was);

static void leave_out(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)out, (void)key, (void)length, (void)was;
}

static void twice(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    bson_append_iter(out, key, length, was);
    bson_append_iter(out, key, length, was);
}

static void rename_it(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)key, (void)length;
    bson_append_iter(out, "renamed", -1, was);
}

static void as_null(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_null(out, key, length);
}

static void as_true(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_bool(out, key, length, true);
}

static void as_zero(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_int32(out, key, length, 0);
}

static void as_minus_one(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_int32(out, key, length, -1);
}

static void as_least(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_int64(out, key, length, INT64_MIN);
}

static void as_most(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_int64(out, key, length, INT64_MAX);
}

static void as_nan(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_double(out, key, length, NAN);
}

static void as_huge(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_double(out, key, length, DBL_MAX);
}

static void as_empty_text(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_utf8(out, key, length, "", 0);
}

static void as_long_text(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    char text[3000];
    memset(text, '%', sizeof text);
    memcpy(text, "%s%n\x1b[31m$../", 14);
    bson_append_utf8(out, key, length, text, sizeof text);
}

static void as_text_with_nul(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_utf8(out, key, length, "a\0b", 3);
}

static void as_short_binary(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_binary(out, key, length, BSON_SUBTYPE_BINARY, (const uint8_t *)"abc", 3);
}

static void as_other_hash(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    static const uint8_t hash[32] = {1};
    bson_append_binary(out, key, length, BSON_SUBTYPE_BINARY, hash, sizeof hash);
}

static void as_object_id(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_oid_t id;
    memset(&id, 0xff, sizeof id);
    bson_append_oid(out, key, length, &id);
}

static void as_last_day(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_date_time(out, key, length, INT64_MAX);
}

static void as_max_key(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_append_maxkey(out, key, length);
}

static void as_code(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_t scope = BSON_INITIALIZER;
    bson_append_utf8(&scope, "x", 1, "y", 1);
    bson_append_code_with_scope(out, key, length, "z", &scope);
    bson_destroy(&scope);
}

static void as_empty_document(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_t child;
    bson_append_document_begin(out, key, length, &child);
    bson_append_document_end(out, &child);
}

static void as_empty_array(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    bson_t child;
    bson_append_array_begin(out, key, length, &child);
    bson_append_array_end(out, &child);
}

static void as_mixed_array(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    bson_t child, inner;
    bson_append_array_begin(out, key, length, &child);
    bson_append_iter(&child, "0", 1, was);
    bson_append_utf8(&child, "1", 1, "text", 4);
    bson_append_document_begin(&child, "2", 1, &inner);
    bson_append_iter(&inner, "_id", 3, was);
    bson_append_document_end(&child, &inner);
    bson_append_int32(&child, "3", 1, 7);
    bson_append_array_end(out, &child);
}

static void nest(bson_t *out, const char *key, int length, int depth)
{
    bson_t child;
    if (depth == 0) {
        bson_append_int32(out, key, length, 1);
        return;
    }
    bson_append_document_begin(out, key, length, &child);
    nest(&child, "a", 1, depth - 1);
    bson_append_document_end(out, &child);
}

static void as_deep(bson_t *out, const char *key, int length, const bson_iter_t *was)
{
    (void)was;
    nest(out, key, length, NEST);
}

static const struct {
    const char *name;
    damage apply;
} ways[] = {
    {"left out", leave_out},        {"twice", twice},
    {"renamed", rename_it},         {"null", as_null},
    {"true", as_true},              {"0", as_zero},
    {"-1", as_minus_one},           {"the least number", as_least},
    {"the largest number", as_most},{"NaN", as_nan},
    {"a huge double", as_huge},     {"empty text", as_empty_text},
    {"long text", as_long_text},    {"text with NUL", as_text_with_nul},
    {"short binary", as_short_binary}, {"another hash", as_other_hash},
    {"an ObjectId", as_object_id},  {"the last day", as_last_day},
    {"MaxKey", as_max_key},         {"code", as_code},
    {"{}", as_empty_document},      {"[]", as_empty_array},
    {"a mixed array", as_mixed_array}, {"nested deeply", as_deep},
};

size_t tf_mutate_ways(void)
{
    return sizeof ways / sizeof *ways;
}

const char *tf_mutate_way(size_t way)
{
    return ways[way].name;
}

/* ---- the document ---- */

static size_t count(bson_iter_t *iter)
{
    size_t n = 0;
    while (bson_iter_next(iter)) {
        bson_iter_t child;
        n++;
        if ((BSON_ITER_HOLDS_DOCUMENT(iter) || BSON_ITER_HOLDS_ARRAY(iter)) && bson_iter_recurse(iter, &child))
            n += count(&child);
    }
    return n;
}

size_t tf_mutate_fields(const bson_t *doc)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, doc) ? count(&iter) : 0;
}

typedef struct walk {
    size_t left, way; /* fields still to pass over */
    bool done;
    char *path;
} walk;

static void note_path(walk *w, const char *key)
{
    char *longer = bson_strdup_printf("%s%s%s", key, w->path ? "." : "", w->path ? w->path : "");
    bson_free(w->path);
    w->path = longer;
}

static void copy(walk *w, bson_iter_t *iter, bson_t *out)
{
    bson_iter_t inner;
    bson_t child;
    while (bson_iter_next(iter)) {
        const char *key = bson_iter_key(iter);
        int length = (int)bson_iter_key_len(iter);
        bool array = BSON_ITER_HOLDS_ARRAY(iter);
        if (w->done || w->left == 0) {
            if (w->done)
                bson_append_iter(out, key, length, iter);
            else {
                ways[w->way].apply(out, key, length, iter);
                note_path(w, key);
            }
            w->done = true;
            continue;
        }
        w->left--;
        if ((!array && !BSON_ITER_HOLDS_DOCUMENT(iter)) || !bson_iter_recurse(iter, &inner)) {
            bson_append_iter(out, key, length, iter);
            continue;
        }
        if (array)
            bson_append_array_begin(out, key, length, &child);
        else
            bson_append_document_begin(out, key, length, &child);
        copy(w, &inner, &child);
        if (array)
            bson_append_array_end(out, &child);
        else
            bson_append_document_end(out, &child);
        if (w->done)
            note_path(w, key);
    }
}

void tf_mutate(const bson_t *doc, size_t field, size_t way, bson_t *out, char **path)
{
    walk w = {.left = field, .way = way};
    bson_iter_t iter;
    if (bson_iter_init(&iter, doc))
        copy(&w, &iter, out);
    *path = w.path ? w.path : bson_strdup("");
}
