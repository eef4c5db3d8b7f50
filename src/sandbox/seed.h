/* Fills a sandbox with sample data: wallets and tokens as docs/data.md describes them, with a known number of defects. */
#ifndef TOKENFIX_SANDBOX_SEED_H
#define TOKENFIX_SANDBOX_SEED_H

#include <mongoc/mongoc.h>
#include <tokenfix/error.h>

#include "sandbox/seed_finding.h"

typedef enum { TF_SEED_WALLETS, TF_SEED_TOKENS, TF_SEED_INDEXES } tf_seed_phase;

typedef struct tf_seed_options {
    int64_t tokens, users; /* 0 ≤ both < 2^38; at least one user where there are tokens */
    double defects;        /* percent of the tokens that are melted and unspent, 0–100; rounded to whole tokens */
    uint64_t seed;         /* the same seed and sizes give the same documents, byte for byte */
    int indexes;           /* 12, 8 (both count _id's), or 0: none */
    bool findings;         /* besides, what an audit finds (sandbox/seed_finding.h); the ordinary documents stay the same */
    int batch;             /* documents in one insert, 0 for 2,000; does not change the documents */
    void (*progress)(void *context, tf_seed_phase phase, int64_t done, int64_t total); /* may be NULL */
    void *context;
} tf_seed_options;

typedef struct tf_seed_result {
    int64_t tokens, wallets;
    int64_t defects;       /* tokens that are melted and unspent */
    int64_t defect_amount; /* their total_amount, exact */
    int64_t findings[TF_SEED_CHECKS]; /* what an audit reports, by check; zeros but for the defects where none are planted */
    int64_t bytes;         /* BSON of the tokens */
    double insert_seconds; /* wallets and tokens */
    double index_seconds;
} tf_seed_result;

/*
 * Writes the data into cashu_wallets and cashu_tokens of db, then creates the indexes. Refuses with TF_ERR_INVALID
 * where either holds a document; the caller checks that the server is a sandbox. On failure part of the data may
 * stand, *result is untouched.
 */
bool tf_seed_run(mongoc_client_t *client, const char *db, const tf_seed_options *options, tf_seed_result *result,
                 tf_error *err);

#endif
