/* The steps of a proof and what they share; verify.c puts them together. Findings are collected, never the first only. */
#ifndef TF_ENGINE_PROVER_H
#define TF_ENGINE_PROVER_H

#include "base/docs.h"
#include "check/tally.h"
#include "engine/verify.h"

typedef struct tf_prover {
    const tf_engine *engine;
    const tf_store *store; /* a worker's */
    const tf_run *run;
    const tf_lineage *lineage;
    tf_proof *proof; /* owned */
    int64_t told;    /* documents, for the observer */
    tf_docs before, predicted, now;
    tf_tally *moves;
    /* the chain */
    int32_t partition; /* a part's */
    int64_t seq;
    uint8_t last[32];
    int64_t held;    /* documents in the backup */
    int64_t backed_up, moved, moved_amount;
    int64_t handled; /* a down: documents given back, found original, created again, or listed */
    bson_t ends; /* array of {n, seq, hash}: as the seal has it */
    uint32_t ends_count;
} tf_prover;

/* Adds a finding; beyond 100 they are dropped. */
void tf_prover_find(tf_prover *p, const char *check, const char *format, ...) __attribute__((__format__(__printf__, 3, 4)));

/* Adds the document's _id to a list of at most 100. */
void tf_prover_list(bson_t *list, const bson_t *doc);

/* Begins a part of a proof, or its whole, with empty results. Release with tf_prover_end (a zeroed one may be). */
void tf_prover_begin(tf_prover *p, const tf_prover *like, const tf_store *store);
void tf_prover_end(tf_prover *p);

/* Releases what is needed to prove, and keeps the results: memory is the workers', not the partitions'. */
void tf_prover_relax(tf_prover *p);

/* Every batch of partition n: its place in the chain, its backup's count and hash, its moves, and each document against its
 * prediction. `whole` is told how far it is; the results stay in p. */
bool tf_prover_partition(tf_prover *p, int32_t n, tf_prover *whole, tf_error *err);

/* Adds a part's results to the whole's: in the order of the partitions. */
void tf_prover_add(tf_prover *whole, const tf_prover *part);

/* The backup's count against the batches' (`finished`: a batch that is being written has a backup before it has a record), and
 * (`sealed`) the chains' ends against the closing event. */
bool tf_prover_counts(tf_prover *p, bool finished, bool sealed, tf_error *err);

/* A down deals with every document of the run that it takes back, if only to list it. */
bool tf_prover_coverage(tf_prover *p, tf_error *err);

/* What the ledger says was moved against what the batches moved. */
bool tf_prover_posting(tf_prover *p, tf_error *err);

#endif
