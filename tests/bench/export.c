/* `backup export` beside a bare cursor over the same collection, whose documents are written to a file. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dir.h"

typedef enum { BARE, PLAIN, ENCRYPTED, GZIP, FORMS } form;

static const char *const names[FORMS] = {"bare cursor to a file", "backup export", "backup export --encrypt",
                                         "backup export --gzip"};

typedef struct place {
    char folder[64], key[96], out[96], file[96];
} place;

static void make_place(place *at)
{
    snprintf(at->folder, sizeof at->folder, "/var/tmp/tokenfix-bench-XXXXXX");
    if (!mkdtemp(at->folder))
        bench_fail("cannot make a folder in /var/tmp");
    snprintf(at->key, sizeof at->key, "%s/key", at->folder);
    snprintf(at->out, sizeof at->out, "%s/out", at->folder);
    snprintf(at->file, sizeof at->file, "%s/bare.bson", at->folder);
    int fd = open(at->key, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "0123456789abcdef0123456789abcdef", 32) != 32)
        bench_fail("cannot write the key");
    close(fd);
}

/* What a hurried operator's script would do: no order, no comparison, no fsync. */
static int64_t bare(bench *b, const char *run, const char *path)
{
    char name[BENCH_RUN_SIZE + 8];
    snprintf(name, sizeof name, "backup_%s", run);
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *backup =
        mongoc_client_get_collection(b->client, BENCH_STATE, name);
    _cleanup_bson_ bson_t all = BSON_INITIALIZER;
    const bson_t *doc;
    bson_error_t error;
    int64_t begin = tf_clock_ms(), n = 0;
    FILE *out = fopen(path, "we");
    if (!out)
        bench_fail("cannot write %s", path);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(backup, &all, NULL, NULL);
    while (mongoc_cursor_next(cursor, &doc)) {
        fwrite(bson_get_data(doc), 1, doc->len, out);
        n++;
    }
    if (mongoc_cursor_error(cursor, &error) || fclose(out) != 0 || n != b->defects)
        bench_fail("the bare cursor: %lld documents", (long long)n);
    mongoc_cursor_destroy(cursor);
    int64_t took = tf_clock_ms() - begin;
    unlink(path);
    return took;
}

static int64_t one(bench *b, form f, const char *run, const place *at, int64_t *rss_kb)
{
    bench_times times;
    if (f == BARE)
        return bare(b, run, at->file);
    if (f == PLAIN)
        BENCH_RUN(b, &times, NULL, "backup", "export", run, "--out", at->out);
    else if (f == ENCRYPTED)
        BENCH_RUN(b, &times, NULL, "backup", "export", run, "--out", at->out, "--encrypt", "--key-file", at->key);
    else
        BENCH_RUN(b, &times, NULL, "backup", "export", run, "--out", at->out, "--gzip");
    if (times.rss_kb > *rss_kb)
        *rss_kb = times.rss_kb;
    tf_dir_remove(AT_FDCWD, at->out);
    return times.total;
}

bool bench_export(bench *b)
{
    place at;
    char run[BENCH_RUN_SIZE], machine[256];
    bench_times up;
    int64_t took[FORMS][BENCH_ROUNDS_MAX], median[FORMS], rss_kb = 0;
    _cleanup_bson_ bson_t results = BSON_INITIALIZER, targets = BSON_INITIALIZER;
    bench_seed(b);
    make_place(&at);
    bench_up(b, bench_strategies[0], &up, run);
    bench_settle(b);
    one(b, BARE, run, &at, &rss_kb); /* warms the server's cache for whoever is first */
    for (int round = 0; round < b->rounds; round++) {
        int order[FORMS] = {BARE, PLAIN, ENCRYPTED, GZIP};
        bench_shuffle(order, FORMS);
        for (int i = 0; i < FORMS; i++)
            took[order[i]][round] = one(b, (form)order[i], run, &at, &rss_kb);
        bench_say("round %d of %d", round + 1, b->rounds);
    }
    tf_dir_remove(AT_FDCWD, at.folder);
    bench_describe(b, machine, sizeof machine);
    printf("%s\n%lld documents of %lld B in the backup, medians of %d\n\n", machine, (long long)b->defects,
           (long long)b->document_bytes, b->rounds);
    for (int f = 0; f < FORMS; f++) {
        median[f] = bench_median(took[f], b->rounds);
        BSON_APPEND_INT64(&results, names[f], median[f]);
        printf("%-26s %7lld ms  %9.0f documents/s\n", names[f], (long long)median[f],
               (double)b->defects * 1000 / (double)median[f]);
    }
    printf("%-26s %7.1f MiB\n\n", "peak RSS of an export", (double)rss_kb / 1024);
    bool ok = bench_target("export / bare cursor to a file (0.7 of its speed)",
                           bench_ratio(median[PLAIN], median[BARE]), 1 / 0.7, "", &targets);
    bench_write_json(b, &results, &targets);
    return ok;
}
