/* The steps of a proof and what they share; verify.c puts them together. Findings are collected, never the first only. */
#ifndef TF_ENGINE_PROVER_H
#define TF_ENGINE_PROVER_H

#include "base/docs.h"
#include "check/tally.h"
#include "engine/verify.h"

typedef struct tf_prover {
    const tf_engine *engine;
    const tf_store *store;
    const tf_run *run;
    const tf_lineage *lineage;
    tf_proof *proof;
    tf_docs before, predicted, now;
    tf_tally *moves;
    /* the chain */
    int32_t partition;
    int64_t seq;
    uint8_t last[32];
    int64_t backed_up, moved, moved_amount;
    int64_t handled; /* a down: documents given back, found original, created again, or listed */
    bson_t ends; /* array of {n, seq, hash}: as the seal has it */
    uint32_t ends_count;
} tf_prover;

/* Adds a finding; beyond 100 they are dropped. */
void tf_prover_find(tf_prover *p, const char *check, const char *format, ...) __attribute__((__format__(__printf__, 3, 4)));

/* Adds the document's _id to a list of at most 100. */
void tf_prover_list(bson_t *list, const bson_t *doc);

/* Every batch: its place in the chain, its backup's count and hash, its moves, and each document against its prediction. */
bool tf_prover_batches(tf_prover *p, tf_error *err);

/* The backup's count against the batches', and (`sealed`) the chains' ends against the closing event. */
bool tf_prover_counts(tf_prover *p, bool sealed, tf_error *err);

/* A down deals with every document of the run that it takes back, if only to list it. */
bool tf_prover_coverage(tf_prover *p, tf_error *err);

/* What the ledger says was moved against what the batches moved. */
bool tf_prover_posting(tf_prover *p, tf_error *err);

#endif
