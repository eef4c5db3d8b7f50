/* What seed_wallet.c and seed_document.c share; nobody else's business. */
#ifndef TOKENFIX_SANDBOX_SEED_PARTS_H
#define TOKENFIX_SANDBOX_SEED_PARTS_H

#include "sandbox/seed_document.h"

/* Independent sources of randomness, all from one seed. */
typedef enum {
    TF_SEED_STREAM_DEFECT = 1,
    TF_SEED_STREAM_ORDER,
    TF_SEED_STREAM_USER,
    TF_SEED_STREAM_WALLET,
    TF_SEED_STREAM_KEYS,
    TF_SEED_STREAM_TOKEN,
    TF_SEED_STREAM_TRANSACTION,
    TF_SEED_STREAM_SECRET,
    TF_SEED_STREAM_KEYSET,
    TF_SEED_STREAM_FINDING
} tf_seed_stream;

/* Seconds since 1970. Fixed, so that the documents are the same on every day: wallets from 2024-08-01, tokens from
 * 2024-09-01 for 350 days. */
#define TF_SEED_TIME_WALLETS INT64_C(1722470400)
#define TF_SEED_TIME_TOKENS INT64_C(1725148800)
#define TF_SEED_TIME_SPAN (INT64_C(350) * 86400)

typedef struct tf_seed_wallet_ref {
    bson_oid_t id;
    int mint;       /* < TF_SEED_MINTS */
    bool millisats; /* its unit is msat */
} tf_seed_wallet_ref;

/* A token that is told whose and what it is; the rest is drawn. It has two proofs at least. */
typedef struct tf_seed_shape {
    int64_t user;
    const char *type, *status; /* of their lists */
} tf_seed_shape;

/* tf_seed_token with a shape. */
void tf_seed_token_shaped(const tf_seed_plan *plan, int64_t index, const tf_seed_shape *shape, bson_t *out);

uint64_t tf_seed_key(uint64_t seed, tf_seed_stream stream);
const char *tf_seed_mint_url(int mint);
tf_seed_wallet_ref tf_seed_wallet_at(const tf_seed_plan *plan, int64_t user, int which);

/* An ObjectId that rises with seconds, then ordinal (< 2^40), and is unique within a key. */
void tf_seed_oid(uint64_t key, int64_t seconds, int64_t ordinal, bson_oid_t *oid);

#endif
