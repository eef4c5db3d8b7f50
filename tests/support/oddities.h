/* Random documents of the kind that a real database holds and nobody expects. */
#ifndef TF_TESTS_ODDITIES_H
#define TF_TESTS_ODDITIES_H

#include "sandbox/random.h"

#include <bson/bson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TF_BELOW(r, n) ((int)tf_random_below((r), (n)))

static inline void tf_odd_value(tf_random *r, bson_t *doc, const char *key, int length, int depth);

static inline void tf_odd_text(tf_random *r, char *out, size_t size)
{
    static const char *const texts[] = {"", "x", "unspent", "spent", "$x", "a.b", "\xff\xfe", "caf\xc3\xa9", "\xed\xa0\x80", "0"};
    snprintf(out, size, "%s", texts[TF_BELOW(r, 10)]);
}

static inline void tf_odd_name(tf_random *r, char *out, size_t size)
{
    static const char *const names[] = {"", ".", "a.b", "$odd", "$set", "..", "\xff", "x", "y", "status.", "0", "note", "a.$b", "__proto__"};
    snprintf(out, size, "%s", names[TF_BELOW(r, 14)]);
}

static inline void tf_odd_decimal(tf_random *r, bson_t *doc, const char *key, int length)
{
    static const char *const texts[] = {"NaN", "Infinity", "-Infinity", "0", "-0", "1.50", "12E+3", "9223372036854775807", "1E-6176",
                                        "9.999999999999999999999999999999999E+6144", "-7", "3.00"};
    bson_decimal128_t value;
    bson_decimal128_from_string(texts[TF_BELOW(r, 12)], &value);
    bson_append_decimal128(doc, key, length, &value);
}

static inline void tf_odd_nested(tf_random *r, bson_t *doc, const char *key, int length, int depth, bool array)
{
    bson_t child;
    char name[32];
    int count = TF_BELOW(r, 4);
    if (array)
        bson_append_array_begin(doc, key, length, &child);
    else
        bson_append_document_begin(doc, key, length, &child);
    for (int i = 0; i < count; i++) {
        if (array)
            snprintf(name, sizeof name, "%d", i);
        else
            tf_odd_name(r, name, sizeof name);
        tf_odd_value(r, &child, name, (int)strlen(name), depth + 1);
    }
    if (array)
        bson_append_array_end(doc, &child);
    else
        bson_append_document_end(doc, &child);
}

/* {a: {a: {a: … }}} */
static inline void tf_odd_deep(bson_t *doc, const char *key, int length, int levels)
{
    bson_t child;
    bson_append_document_begin(doc, key, length, &child);
    if (levels > 1)
        tf_odd_deep(&child, "a", 1, levels - 1);
    else
        bson_append_int32(&child, "bottom", 6, 1);
    bson_append_document_end(doc, &child);
}

/* A value of any type; `kind` 0 … 22. */
static inline void tf_odd_value_of(tf_random *r, bson_t *doc, const char *key, int length, int depth, int kind)
{
    static const double doubles[] = {0.0, -0.0, 1.5, 1e300, -3.0, 4503599627370497.5};
    char text[32];
    uint8_t bytes[12];
    bson_oid_t oid;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)tf_random_next(r);
    bson_oid_init_from_data(&oid, bytes);
    tf_odd_text(r, text, sizeof text);
    switch (kind) {
    case 0: bson_append_double(doc, key, length, doubles[TF_BELOW(r, 6)]); break;
    case 1: bson_append_double(doc, key, length, (double)NAN); break;
    case 2: bson_append_utf8(doc, key, length, text, (int)strlen(text)); break;
    case 3: bson_append_utf8(doc, key, length, "a\0b", 3); break;
    case 4: tf_odd_nested(r, doc, key, length, depth, false); break;
    case 5: tf_odd_nested(r, doc, key, length, depth, true); break;
    case 6: bson_append_binary(doc, key, length, BSON_SUBTYPE_BINARY, bytes, (uint32_t)TF_BELOW(r, 12)); break;
    case 7: bson_append_binary(doc, key, length, (bson_subtype_t)(0x80 + TF_BELOW(r, 100)), bytes, 5); break;
    case 8: bson_append_undefined(doc, key, length); break;
    case 9: bson_append_oid(doc, key, length, &oid); break;
    case 10: bson_append_bool(doc, key, length, TF_BELOW(r, 2)); break;
    case 11: bson_append_date_time(doc, key, length, (int64_t)tf_random_next(r) >> TF_BELOW(r, 40)); break;
    case 12: bson_append_null(doc, key, length); break;
    case 13: bson_append_regex(doc, key, length, "^a.*", "i"); break;
    case 14: bson_append_dbpointer(doc, key, length, "db.c", &oid); break;
    case 15: bson_append_code(doc, key, length, "return 1"); break;
    case 16: bson_append_symbol(doc, key, length, text, (int)strlen(text)); break;
    case 17: {
        bson_t scope = BSON_INITIALIZER;
        BSON_APPEND_INT32(&scope, "x", 1);
        bson_append_code_with_scope(doc, key, length, "return x", &scope);
        bson_destroy(&scope);
        break;
    }
    case 18: bson_append_int32(doc, key, length, (int32_t)tf_random_next(r)); break;
    case 19: bson_append_timestamp(doc, key, length, 1 + (uint32_t)TF_BELOW(r, 100), (uint32_t)TF_BELOW(r, 3)); break;
    case 20: bson_append_int64(doc, key, length, (int64_t)tf_random_next(r)); break;
    case 21: tf_odd_decimal(r, doc, key, length); break;
    default:
        if (TF_BELOW(r, 2))
            bson_append_minkey(doc, key, length);
        else
            bson_append_maxkey(doc, key, length);
    }
}

static inline void tf_odd_value(tf_random *r, bson_t *doc, const char *key, int length, int depth)
{
    int kind = TF_BELOW(r, 23);
    if (depth > 5 && (kind == 4 || kind == 5))
        kind = 12;
    tf_odd_value_of(r, doc, key, length, depth, kind);
}

/* An _id of any type that an _id can have; `n` keeps most of them apart. */
static inline void tf_odd_id(tf_random *r, bson_t *doc, int n)
{
    static const int kinds[] = {0, 2, 4, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22};
    char text[32];
    bson_t nested;
    switch (TF_BELOW(r, 8)) {
    case 0:
    case 1:
        bson_append_int32(doc, "_id", 3, n);
        break;
    case 2:
        snprintf(text, sizeof text, "id%d", n);
        bson_append_utf8(doc, "_id", 3, text, -1);
        break;
    case 3:
        bson_append_double(doc, "_id", 3, n + 0.5);
        break;
    case 4:
        bson_append_document_begin(doc, "_id", 3, &nested);
        bson_append_int32(&nested, n % 2 ? "" : "a.b", -1, n);
        bson_append_document_end(doc, &nested);
        break;
    default:
        tf_odd_value_of(r, doc, "_id", 3, 9, kinds[TF_BELOW(r, 18)]);
    }
}

#endif
