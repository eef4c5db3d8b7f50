/*
 * Amounts: exact integers in units of 10^-scale, from whatever number type a document holds. What cannot be counted
 * exactly (missing, not a number, NaN, a fraction below the scale, beyond 64 bits) is "odd": it counts 0 and is listed.
 */
#ifndef TF_CHECK_AMOUNT_H
#define TF_CHECK_AMOUNT_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tokenfix/error.h>

/* False when the value is odd; *out is then 0. */
bool tf_amount_read(const bson_iter_t *value, int scale, int64_t *out);

/* Appends to `out` under `key` the aggregation expression that says the same of the field `path` on the server: a whole
 * number, or null for an odd amount. */
void tf_amount_expression(bson_t *out, const char *key, const char *path, int scale);

/* Adds into *sum; OVERFLOW when the sum leaves 64 bits. */
bool tf_amount_add(int64_t *sum, int64_t amount, tf_error *err);

/* Reads a $sum of such expressions: the server turns to double when 64 bits do not hold it, which is OVERFLOW here. */
bool tf_amount_read_sum(const bson_iter_t *value, int64_t *out, tf_error *err);

#endif
