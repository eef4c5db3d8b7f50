/*
 * The benchmark: the tool beside what a hurried operator would type and beside its own transactions without bookkeeping,
 * all against one private server. Not a test: scripts/bench runs it. Failures end the program with a message.
 */
#ifndef TF_BENCH_H
#define TF_BENCH_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

#include "sandbox/sandbox.h"

#define BENCH_DB "wallet"
#define BENCH_STATE "wallet_tokenfix"
#define BENCH_TOKENS "cashu_tokens"

enum { BENCH_ROUNDS_MAX = 15 };

typedef struct bench {
    int64_t tokens, defects; /* defects: as seeded */
    int indexes, rounds, cache_mb;
    double percent;
    const char *tokenfix, *name, *json;
    bool sparse;
    tf_sandbox sandbox;
    char uri[TF_SANDBOX_URI];
    char version[32]; /* of the server */
    mongoc_client_t *client;
    char hash[64]; /* dbHash of the tokens as seeded: every reset must lead back to it */
    int64_t document_bytes, largest_bytes;
    int64_t estimate_ms[2]; /* of the first preview: transaction, journal */
} bench;

/* What one program or one hand-written loop took. Times in milliseconds, -1 where it has none. */
typedef struct bench_times {
    int64_t total, plan, repair, proof;
    int64_t rss_kb;
    int64_t scanned; /* documents that the server's plans looked at meanwhile */
} bench_times;

_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- server.c ---- */
void bench_start(bench *b);    /* sandbox, seed, hash, a copy of the defective documents */
void bench_stop(bench *b);     /* removes the sandbox */
void bench_reset(bench *b);    /* data as seeded (proven by dbHash), no state database, no copies, a checkpoint */
void bench_settle(bench *b);   /* checkpoint only */
int64_t bench_scanned(bench *b);
bool bench_command(bench *b, const char *db, const bson_t *command, bson_t *reply);

/* ---- plain.c: by hand, with the driver ---- */
void bench_floor(bench *b, bench_times *out);
void bench_bare_loop(bench *b, bench_times *out);
void bench_bare_group(bench *b, bench_times *out);

/* ---- program.c ---- */

/* Runs the binary with --json; fails unless it ends with 0. *data (may be NULL) gets the object "data". */
void bench_program(bench *b, const char *const *arguments, bench_times *out, bson_t *data);

/* One `up` in this process, so that the server's counters can be read between the phases. */
typedef struct bench_phases {
    int64_t plan, repair, proof; /* documents looked at */
} bench_phases;
void bench_up_phases(bench *b, const char *strategy, bench_phases *out);

/* ---- report.c ---- */
typedef enum {
    BENCH_FLOOR, BENCH_BARE, BENCH_UP_T, BENCH_VERIFY_T, BENCH_DOWN_T, BENCH_UP_J, BENCH_VERIFY_J, BENCH_DOWN_J, BENCH_PREVIEW,
    BENCH_GROUP, BENCH_KINDS
} bench_kind;

typedef struct bench_results {
    bench_times times[BENCH_KINDS][BENCH_ROUNDS_MAX];
    int rounds;
} bench_results;

/* Prints the table and the targets, writes b->json where it is set. True when every target was reached. */
bool bench_report(const bench *b, const bench_results *results);
bool bench_report_sparse(const bench *b, const bench_times runs[2], const bench_phases phases[2]);

#endif
