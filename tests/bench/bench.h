/*
 * The benchmark: the tool beside what a hurried operator would type and beside its own steps without bookkeeping, all
 * against one private server. Not a test: scripts/bench runs it. Failures end the program with a message.
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

enum { BENCH_ROUNDS_MAX = 15, BENCH_RUN_SIZE = 64 };

typedef enum { BENCH_DENSE, BENCH_SPARSE, BENCH_SCALE, BENCH_APPLICATION, BENCH_EXPORT, BENCH_AUDIT } bench_mode;

typedef struct bench {
    bench_mode mode;
    int64_t tokens, defects; /* defects: as seeded */
    int64_t affected;        /* BENCH_SCALE: the largest size */
    int indexes, rounds, cache_mb;
    int targets; /* of issue 3 (one worker) or 4 */
    int workers; /* 0: not said, the tool's own default */
    int rate;    /* BENCH_APPLICATION: writes in a second */
    double percent;
    const char *tokenfix, *name, *json, *docs;
    char *const *extra; /* options for each up and down, NULL-terminated */
    tf_sandbox sandbox;
    char uri[TF_SANDBOX_URI];
    char version[32]; /* of the server */
    mongoc_client_t *client;
    char hash[64]; /* dbHash of the tokens as seeded: every reset must lead back to it */
    int64_t document_bytes, largest_bytes;
    int64_t estimate_ms[2]; /* of the first preview: transaction, journal */
    int64_t overhead_ms;    /* what resets and checkpoints took */
} bench;

/* What one program or one hand-written loop took. Times in milliseconds, -1 where it has none. */
typedef struct bench_times {
    int64_t total, plan, repair, proof;
    int64_t rss_kb;
    int64_t scanned; /* documents that the server's plans looked at meanwhile */
} bench_times;

extern const char *const bench_strategies[2]; /* transaction, journal */

_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_shuffle(int *order, int count);

/* ---- server.c ---- */
void bench_start(bench *b);  /* the sandbox */
void bench_seed(bench *b);   /* tokens in place of those there, their hash, a copy of the defective ones */
void bench_stop(bench *b);   /* removes the sandbox */
void bench_reset(bench *b);  /* data as seeded (proven by dbHash), no state database, no copies, a checkpoint */
void bench_forget(bench *b); /* the data as it stands, no state database, no copies, a checkpoint */
void bench_settle(bench *b); /* checkpoint only */
int64_t bench_scanned(bench *b);
bool bench_command(bench *b, const char *db, const bson_t *command, bson_t *reply);
mongoc_cursor_t *bench_aggregate(bench *b, const char *db, const char *collection, const bson_t *pipeline);

/* ---- plain.c: by hand, with the driver ---- */
void bench_floor(bench *b, bench_times *out);
void bench_bare_replace(bench *b, bench_times *out);               /* gives back what the floor changed */
void bench_bare_read(bench *b, const char *run, bench_times *out); /* the run's backup, and the same tokens */
void bench_bare_loop(bench *b, bench_times *out);                  /* transactions, one worker */
void bench_bare_group(bench *b, bench_times *out);

/* ---- program.c ---- */

/* Runs the binary with --json; fails unless it ends with 0 (or with 3, beside an application). *data (may be NULL) gets
 * the object "data". */
void bench_program(bench *b, const char *const *arguments, bench_times *out, bson_t *data);
#define BENCH_RUN(b, out, data, ...) bench_program(b, (const char *const[]){__VA_ARGS__, NULL}, out, data)

/* up: fails unless it repaired what was seeded (beside an application it may be less). `run` gets its id. */
void bench_up(bench *b, const char *strategy, bench_times *out, char run[BENCH_RUN_SIZE]);
void bench_down(bench *b, const char *strategy, bench_times *out);

/* One `up` in this process, so that the server's counters can be read between the phases. */
typedef struct bench_phases {
    int64_t plan, repair, proof; /* documents looked at */
} bench_phases;
void bench_up_phases(bench *b, const char *strategy, bench_phases *out);

/* ---- rounds.c, scale.c, application.c, export.c, audit.c: true when every target was reached ---- */
bool bench_dense(bench *b);
bool bench_sparse(bench *b);
bool bench_scale(bench *b);
bool bench_application(bench *b);
bool bench_export(bench *b);
bool bench_audit(bench *b);

/* ---- report.c ---- */
typedef enum {
    BENCH_FLOOR,
    BENCH_REPLACE,
    BENCH_BARE,
    BENCH_UP_T,
    BENCH_VERIFY_T,
    BENCH_READ_T,
    BENCH_DOWN_T,
    BENCH_UP_J,
    BENCH_VERIFY_J,
    BENCH_READ_J,
    BENCH_DOWN_J,
    BENCH_PREVIEW,
    BENCH_GROUP,
    BENCH_KINDS
} bench_kind;

typedef struct bench_results {
    bench_times times[BENCH_KINDS][BENCH_ROUNDS_MAX];
    int rounds;
} bench_results;

/* Prints the table and the targets, writes b->json where it is set. */
bool bench_report(const bench *b, const bench_results *results);
bool bench_report_sparse(const bench *b, const bench_times runs[2], const bench_phases phases[2]);

int64_t bench_median(int64_t *values, int count); /* sorts them */
double bench_ratio(int64_t a, int64_t b);
bool bench_target(const char *what, double value, double limit, const char *unit,
                  bson_t *json); /* prints, and appends */
bool bench_target_memory(const bench *b, int64_t rss_kb, bson_t *json);
void bench_write_json(const bench *b, const bson_t *results, const bson_t *targets);
void bench_describe(const bench *b, char *out, size_t size); /* workers, indexes, versions */

/* ---- scale_report.c ---- */
enum { BENCH_SIZES = 3 };

/* Medians of one size and strategy. */
typedef struct bench_point {
    int64_t affected, tokens;
    int rounds;
    bench_times up, down;
} bench_point;

/* Table and curve into the folder b->docs: performance.md between its marks, and scale.svg. */
void bench_scale_write(const bench *b, const bench_point points[BENCH_SIZES][2], const char *summary);

#endif
