/* Documents of one insert, one after the other in a buffer that the next batch reuses. */
#ifndef TOKENFIX_SANDBOX_SEED_BATCH_H
#define TOKENFIX_SANDBOX_SEED_BATCH_H

#include "sandbox/seed_document.h"
#include "sandbox/seed_finding.h"

typedef struct tf_seed_batch {
    size_t capacity; /* documents */
    uint8_t *bytes;
    size_t bytes_size;
    size_t *ends;             /* where each document ends in bytes */
    bson_t *views;            /* read-only, into bytes */
    const bson_t **documents; /* to the views: what an insert takes */
    size_t count;             /* documents held now, as the fields below */
    int64_t defects, defect_amount;
    int64_t size; /* bytes */
} tf_seed_batch;

/* A batch of up to capacity documents; the caller frees it with tf_seed_batch_free. */
tf_seed_batch *tf_seed_batch_new(size_t capacity);
void tf_seed_batch_free(tf_seed_batch *batch);

/* Fills the batch with the tokens from first on: as many as it takes, or as the plan has. */
void tf_seed_batch_tokens(tf_seed_batch *batch, const tf_seed_plan *plan, int64_t first);

/* The same with the planted tokens. */
void tf_seed_batch_planted(tf_seed_batch *batch, const tf_seed_findings *findings, int64_t first);

/* Fills the batch with all wallets of the users from first on, and returns the first user whose wallets it lacks. */
int64_t tf_seed_batch_wallets(tf_seed_batch *batch, const tf_seed_plan *plan, int64_t first);

#endif
