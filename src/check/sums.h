/*
 * The sums of one account by status: as a run found them, what it moved, what it should have made of them, and as they were
 * found afterwards. Zero-initialise; nothing to free. The statuses are borrowed from the documents that were added.
 */
#ifndef TF_CHECK_SUMS_H
#define TF_CHECK_SUMS_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <tokenfix/error.h>

enum { TF_SUMS_STATUSES = 32 };

typedef struct tf_sums {
    bson_value_t status[TF_SUMS_STATUSES]; /* what is beyond any sensible number of them is gathered in the last */
    int64_t before[TF_SUMS_STATUSES], expected[TF_SUMS_STATUSES], found[TF_SUMS_STATUSES];
    size_t count;
    int64_t documents, moved; /* what was moved, whatever from and to */
    int64_t since;            /* how much of what was found was written after the run began */
} tf_sums;

/* Adds the field `name` of a document (NULL: none), an array of {status, amount, since}; of {from, to, created, n, amount}.
 * OVERFLOW where a sum leaves 64 bits. */
bool tf_sums_add_before(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err);
bool tf_sums_add_moves(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err);
bool tf_sums_add_found(tf_sums *sums, const bson_t *doc, const char *name, tf_error *err);

/* What was found beyond what was expected of the i-th status; the end of the range where that leaves 64 bits. */
int64_t tf_sums_difference(const tf_sums *sums, size_t i);

/* Whether a difference is no larger than what was written since. */
bool tf_sums_covers(const tf_sums *sums, int64_t difference);

/* Without its sign; INT64_MAX where there is no such number. */
int64_t tf_sums_magnitude(int64_t difference);

#endif
