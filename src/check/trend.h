/* How two audits of the same differ: what is new, gone, grown and shrunk. Of documents as store/audit.h has them; asks no server. */
#ifndef TF_CHECK_TREND_H
#define TF_CHECK_TREND_H

#include <tokenfix/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { TF_TREND_NEW, TF_TREND_GONE, TF_TREND_GROWN, TF_TREND_SHRUNK, TF_TREND_SAME, TF_TRENDS } tf_trend_kind;

/* "new", "gone", "grown", "shrunk", "same" */
extern const char *const tf_trend_names[TF_TRENDS];

typedef struct tf_trend_row {
    tf_trend_kind kind;
    char id[64], check[64];
    char severity[16]; /* now; of what is gone: before */
    int64_t before, now; /* what it counts; 0 where it is not there */
    bool has_amount;
    int64_t amount_before, amount;
} tf_trend_row;

typedef struct tf_trend {
    tf_trend_row *rows; /* in the order of the kinds, within them in that of the audits */
    size_t count;
    size_t of[TF_TRENDS]; /* how many of each kind */
} tf_trend;

/* Compares the findings of the checks that both have run, by id. A count that is the same with another amount has grown or
 * shrunk by it. What is no finding of our form counts as none. Free with tf_trend_done. */
void tf_trend_make(const bson_t *before, const bson_t *now, tf_trend *out);
void tf_trend_done(tf_trend *trend);

#endif
