#include "check/amount.h"

#include <math.h>
#include <string.h>

/* 2^63 as a double is exact; everything below it in magnitude fits. */
#define LIMIT 9223372036854775808.0

static int64_t power_of_ten(int scale)
{
    int64_t p = 1;
    while (scale-- > 0)
        p *= 10;
    return p;
}

static bool from_integer(int64_t value, int scale, int64_t *out)
{
    return !__builtin_mul_overflow(value, power_of_ten(scale), out);
}

/* A double counts when it is the double nearest to a number with `scale` decimals: 12.34 at scale 2 does. */
static bool from_double(double value, int scale, int64_t *out)
{
    double p = (double)power_of_ten(scale), units = rint(value * p);
    if (!isfinite(value) || fabs(units) >= LIMIT || units / p != value)
        return false;
    *out = (int64_t)units;
    return true;
}

/* From its decimal text: exact, whatever the exponent. "-12.50E+3" */
static bool from_decimal(const bson_decimal128_t *decimal, int scale, int64_t *out)
{
    char text[BSON_DECIMAL128_STRING];
    bson_decimal128_to_string(decimal, text);
    const char *p = text;
    bool negative = *p == '-', point = false;
    char digits[64];
    int count = 0, exponent = 0;
    if (negative || *p == '+')
        p++;
    for (; (*p >= '0' && *p <= '9') || *p == '.'; p++) {
        if (*p == '.')
            point = true;
        else if (count < (int)sizeof digits) {
            digits[count++] = *p;
            exponent -= point;
        }
    }
    if (count == 0)
        return false; /* NaN, Infinity */
    if (*p == 'E' || *p == 'e')
        exponent += atoi(p + 1);
    exponent += scale;
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (exponent < 0 && i >= count + exponent) {
            if (digits[i] != '0')
                return false; /* a fraction below the scale */
            continue;
        }
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digits[i] - '0', &value))
            return false;
    }
    for (int i = 0; i < exponent && value != 0; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *out = negative ? -value : value;
    return true;
}

bool tf_amount_read(const bson_iter_t *value, int scale, int64_t *out)
{
    int64_t amount = 0;
    bool ok = false;
    bson_decimal128_t decimal;
    switch (bson_iter_type(value)) {
    case BSON_TYPE_INT32:
        ok = from_integer(bson_iter_int32(value), scale, &amount);
        break;
    case BSON_TYPE_INT64:
        ok = from_integer(bson_iter_int64(value), scale, &amount);
        break;
    case BSON_TYPE_DOUBLE:
        ok = from_double(bson_iter_double(value), scale, &amount);
        break;
    case BSON_TYPE_DECIMAL128:
        ok = bson_iter_decimal128(value, &decimal) && from_decimal(&decimal, scale, &amount);
        break;
    default:
        break;
    }
    *out = ok ? amount : 0;
    return ok;
}

bool tf_amount_add(int64_t *sum, int64_t amount, tf_error *err)
{
    if (!__builtin_add_overflow(*sum, amount, sum))
        return true;
    tf_error_set(err, TF_ERR_OVERFLOW, "a sum of amounts does not fit into 64 bits");
    return tf_error_hint(err, "Amounts this large are not real; find them with a query before repairing anything.");
}

bool tf_amount_read_sum(const bson_iter_t *value, int64_t *out, tf_error *err)
{
    if (BSON_ITER_HOLDS_INT(value)) {
        *out = bson_iter_as_int64(value);
        return true;
    }
    tf_error_set(err, TF_ERR_OVERFLOW, "a sum of amounts does not fit into 64 bits");
    return tf_error_hint(err, "Amounts this large are not real; find them with a query before repairing anything.");
}

/* ---- the same on the server ---- */

static bson_t *expression(const char *path, int scale)
{
    char field[300];
    snprintf(field, sizeof field, "$%s", path);
    int64_t p = power_of_ten(scale);
    int64_t whole_limit = INT64_MAX / p;
    bson_decimal128_t most, least, factor;
    char text[40];
    snprintf(text, sizeof text, "%lldE-%d", (long long)INT64_MAX, scale);
    bson_decimal128_from_string(text, &most);
    snprintf(text, sizeof text, "-%lldE-%d", (long long)INT64_MAX, scale);
    bson_decimal128_from_string(text, &least);
    snprintf(text, sizeof text, "%lld", (long long)p);
    bson_decimal128_from_string(text, &factor);
    bson_t *integer =
        scale == 0 ? BCON_NEW("case", "{", "$in", "[", "{", "$type", BCON_UTF8(field), "}", "[", BCON_UTF8("int"), BCON_UTF8("long"), "]",
                              "]", "}", "then", BCON_UTF8(field))
                   : BCON_NEW("case", "{", "$and", "[", "{", "$in", "[", "{", "$type", BCON_UTF8(field), "}", "[", BCON_UTF8("int"),
                              BCON_UTF8("long"), "]", "]", "}", "{", "$lte", "[", "{", "$abs", "{", "$toDecimal", BCON_UTF8(field), "}", "}", BCON_INT64(whole_limit), "]", "}",
                              "]", "}", "then", "{", "$multiply", "[", BCON_UTF8(field), BCON_INT64(p), "]", "}");
    bson_t *real = BCON_NEW(
        "case", "{", "$and", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8(field), "}", BCON_UTF8("double"), "]", "}", "{", "$gt", "[",
        "{", "$multiply", "[", BCON_UTF8(field), BCON_DOUBLE((double)p), "]", "}", BCON_DOUBLE(-LIMIT), "]", "}", "{", "$lt", "[", "{", "$multiply",
        "[", BCON_UTF8(field), BCON_DOUBLE((double)p), "]", "}", BCON_DOUBLE(LIMIT), "]", "}", "{", "$eq", "[", "{", "$divide", "[", "{",
        "$round", "[", "{", "$multiply", "[", BCON_UTF8(field), BCON_DOUBLE((double)p), "]", "}", BCON_INT32(0), "]", "}", BCON_DOUBLE((double)p), "]", "}",
        BCON_UTF8(field), "]", "}", "]", "}", "then", "{", "$toLong", "{", "$round", "[", "{", "$multiply", "[", BCON_UTF8(field),
        BCON_DOUBLE((double)p), "]", "}", BCON_INT32(0), "]", "}", "}");
    bson_t *decimal = BCON_NEW(
        "case", "{", "$and", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8(field), "}", BCON_UTF8("decimal"), "]", "}", "{", "$gte", "[",
        BCON_UTF8(field), BCON_DECIMAL128(&least), "]", "}", "{", "$lte", "[", BCON_UTF8(field), BCON_DECIMAL128(&most), "]", "}", "{",
        "$eq", "[", "{", "$trunc", "{", "$multiply", "[", BCON_UTF8(field), BCON_DECIMAL128(&factor), "]", "}", "}", "{", "$multiply", "[",
        BCON_UTF8(field), BCON_DECIMAL128(&factor), "]", "}", "]", "}", "]", "}", "then", "{", "$toLong", "{", "$multiply", "[",
        BCON_UTF8(field), BCON_DECIMAL128(&factor), "]", "}", "}");
    bson_t *all = BCON_NEW("$switch", "{", "branches", "[", BCON_DOCUMENT(integer), BCON_DOCUMENT(real), BCON_DOCUMENT(decimal), "]",
                           "default", BCON_NULL, "}");
    bson_destroy(integer);
    bson_destroy(real);
    bson_destroy(decimal);
    return all;
}

void tf_amount_expression(bson_t *out, const char *key, const char *path, int scale)
{
    bson_t *all = expression(path, scale);
    bson_append_document(out, key, -1, all);
    bson_destroy(all);
}
