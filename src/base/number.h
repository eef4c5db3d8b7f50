/* Numbers read strictly and written shortly, whatever the locale says. */
#ifndef TF_BASE_NUMBER_H
#define TF_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { TF_NUMBER_OK, TF_NUMBER_MALFORMED, TF_NUMBER_RANGE } tf_number_result;

/* The whole of `text` as a decimal integer: a sign and digits, nothing around them. *out untouched on failure. */
tf_number_result tf_number_int64(const char *text, int64_t *out);

/* The whole of `text` as a finite decimal number with a point. *out untouched on failure. */
tf_number_result tf_number_double(const char *text, double *out);

/* The whole of `text` as a number of bytes: digits, then nothing or one of B, k, M, G, T (powers of 1024; "KiB", "MB"
 * and the like are the same). */
tf_number_result tf_number_size(const char *text, int64_t *out);

/* The whole of `text` as a length of time: digits, then ms, s, m, h, d, w (weeks) or y (365 days); without a unit they are
 * seconds. *out is milliseconds. */
tf_number_result tf_number_duration(const char *text, int64_t *out);

/* a + b, or the end of the range that it would go beyond. */
int64_t tf_number_sum(int64_t a, int64_t b);

/* The shortest text that reads back as `value`, which must be finite. Returns `out`; 32 bytes are enough. */
const char *tf_number_shortest(double value, char *out, size_t size);

#endif
