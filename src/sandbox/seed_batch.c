#include "sandbox/seed_batch.h"

#include <stdlib.h>

tf_seed_batch *tf_seed_batch_new(size_t capacity)
{
    tf_seed_batch *batch = bson_malloc0(sizeof *batch);

    batch->capacity = capacity;
    batch->ends = bson_malloc(capacity * sizeof *batch->ends);
    batch->views = aligned_alloc(_Alignof(bson_t), capacity * sizeof *batch->views); /* more than malloc aligns to */
    if (!batch->views)
        abort(); /* as bson_malloc does */
    batch->documents = bson_malloc(capacity * sizeof *batch->documents);
    for (size_t i = 0; i < capacity; i++)
        batch->documents[i] = &batch->views[i];
    return batch;
}

void tf_seed_batch_free(tf_seed_batch *batch)
{
    if (!batch)
        return;
    bson_free(batch->bytes);
    bson_free(batch->ends);
    free(batch->views);
    bson_free(batch->documents);
    bson_free(batch);
}

static bson_writer_t *begin(tf_seed_batch *batch)
{
    batch->count = 0;
    batch->defects = batch->defect_amount = batch->size = 0;
    return bson_writer_new(&batch->bytes, &batch->bytes_size, 0, bson_realloc_ctx, NULL);
}

static void end_document(tf_seed_batch *batch, bson_writer_t *writer)
{
    bson_writer_end(writer);
    batch->ends[batch->count++] = bson_writer_get_length(writer);
}

/* The buffer may have moved while it was filled, hence the views only now. */
static void finish(tf_seed_batch *batch, bson_writer_t *writer)
{
    size_t start = 0;

    bson_writer_destroy(writer);
    for (size_t i = 0; i < batch->count; start = batch->ends[i++])
        bson_init_static(&batch->views[i], batch->bytes + start, batch->ends[i] - start);
    batch->size = (int64_t)start;
}

static void fill(tf_seed_batch *batch, const tf_seed_plan *plan, const tf_seed_findings *findings, int64_t first)
{
    bson_writer_t *writer = begin(batch);

    for (int64_t i = first; i < plan->tokens && batch->count < batch->capacity; i++) {
        tf_seed_facts facts = {0};
        bson_t *document;

        bson_writer_begin(writer, &document);
        if (findings)
            tf_seed_planted_token(findings, i, document, &facts);
        else
            tf_seed_token(plan, i, document, &facts);
        end_document(batch, writer);
        batch->defects += facts.defect;
        batch->defect_amount += facts.defect ? facts.amount : 0;
    }
    finish(batch, writer);
}

void tf_seed_batch_tokens(tf_seed_batch *batch, const tf_seed_plan *plan, int64_t first)
{
    fill(batch, plan, NULL, first);
}

void tf_seed_batch_planted(tf_seed_batch *batch, const tf_seed_findings *findings, int64_t first)
{
    fill(batch, &findings->plan, findings, first);
}

int64_t tf_seed_batch_wallets(tf_seed_batch *batch, const tf_seed_plan *plan, int64_t first)
{
    bson_writer_t *writer = begin(batch);
    int64_t user = first;

    for (; user < plan->users; user++) {
        int wallets = tf_seed_wallet_count(plan->seed, user);

        if (batch->count + (size_t)wallets > batch->capacity)
            break;
        for (int which = 0; which < wallets; which++) {
            bson_t *document;

            bson_writer_begin(writer, &document);
            tf_seed_wallet(plan, user, which, document);
            end_document(batch, writer);
        }
    }
    finish(batch, writer);
    return user;
}
