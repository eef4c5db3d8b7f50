/*
 * One wallet or token of the sample data, computed from the plan and a number alone: nothing is remembered from one
 * document to the next, so memory stays bounded and the documents are the same whatever the batches or threads.
 */
#ifndef TOKENFIX_SANDBOX_SEED_DOCUMENT_H
#define TOKENFIX_SANDBOX_SEED_DOCUMENT_H

#include <tokenfix/bson.h>

#include "sandbox/random.h"

enum {
    TF_SEED_MINTS = 4,      /* mints overall */
    TF_SEED_USER_MINTS = 3, /* at most so many wallets of one user */
    TF_SEED_NPUB_SIZE = 5 + 63 + 1,
    TF_SEED_PROOFS_MAX = 64
};

/* What the documents follow from. A plain value. */
typedef struct tf_seed_plan {
    uint64_t seed;
    int64_t tokens, users;
    int64_t defects; /* exactly so many tokens are melted and unspent */
    tf_permutation defect_order, user_order;
} tf_seed_plan;

/* What the caller wants to know of a token without parsing it. */
typedef struct tf_seed_facts {
    int64_t user;
    int64_t amount; /* total_amount */
    bool defect;
} tf_seed_facts;

/* tokens, users ≥ 0, below 2^38; users ≥ 1 where tokens ≥ 1; percent 0–100. */
tf_seed_plan tf_seed_plan_make(uint64_t seed, int64_t tokens, int64_t users, double percent);

/* The owner's name, NUL-terminated; distinct for distinct users. */
void tf_seed_npub(uint64_t seed, int64_t user, char out[TF_SEED_NPUB_SIZE]);

/* The number of wallets of a user, 1–3; each is at another mint. */
int tf_seed_wallet_count(uint64_t seed, int64_t user);

/* Appends wallet `which` < tf_seed_wallet_count of a user to *out. */
void tf_seed_wallet(const tf_seed_plan *plan, int64_t user, int which, bson_t *out);

/* Appends token `index` < plan->tokens to *out. facts may be NULL. */
void tf_seed_token(const tf_seed_plan *plan, int64_t index, bson_t *out, tf_seed_facts *facts);

#endif
