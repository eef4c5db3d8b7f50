/* The tool itself: as a program, timed from outside and by its own report; and as a library, phase by phase. */
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/engine.h"

enum { ARGUMENTS = 48 };

typedef struct command_line {
    char *argv[ARGUMENTS + 1];
    size_t n;
} command_line;

static void add(command_line *to, const char *text)
{
    if (to->n == ARGUMENTS)
        bench_fail("too many arguments");
    to->argv[to->n++] = bson_strdup(text);
}

/* For what writes: the number of workers (other commands have it from the environment), and what stands behind "--". */
static void add_options(const bench *b, const char *command, command_line *to)
{
    char workers[16];
    if (strcmp(command, "up") != 0 && strcmp(command, "down") != 0)
        return;
    snprintf(workers, sizeof workers, "%d", b->workers);
    if (b->workers > 0) {
        add(to, "--workers");
        add(to, workers);
    }
    for (char *const *extra = b->extra; extra && *extra; extra++)
        add(to, *extra);
}

static pid_t start(const bench *b, const char *const *words, int out)
{
    command_line all = {.n = 0};
    add(&all, b->tokenfix);
    for (const char *const *word = words; *word; word++)
        add(&all, *word);
    add_options(b, words[0], &all);
    add(&all, "--json");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out, STDOUT_FILENO);
        execv(all.argv[0], all.argv);
        _exit(127);
    }
    for (size_t i = 0; i < all.n; i++)
        bson_free(all.argv[i]);
    if (pid < 0)
        bench_fail("cannot start %s", b->tokenfix);
    return pid;
}

static bson_t *read_json(int from)
{
    size_t size = (size_t)lseek(from, 0, SEEK_END);
    _cleanup_free_ char *text = calloc(size + 1, 1);
    bson_error_t error;
    if (pread(from, text, size, 0) != (ssize_t)size)
        bench_fail("cannot read the program's output");
    bson_t *doc = bson_new_from_json((const uint8_t *)text, (ssize_t)size, &error);
    if (!doc)
        bench_fail("the program's output is not JSON: %s", text);
    return doc;
}

static int64_t number(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &at) ? bson_iter_as_int64(&at) : -1;
}

void bench_program(bench *b, const char *const *arguments, bench_times *out, bson_t *data)
{
    int file = memfd_create("out", MFD_CLOEXEC), status = 0;
    struct rusage usage;
    int64_t scanned = bench_scanned(b), begin = tf_clock_ms();
    pid_t pid = start(b, arguments, file);
    if (wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status))
        bench_fail("'%s %s' did not end by itself", b->tokenfix, arguments[0]);
    int64_t end = tf_clock_ms();
    _cleanup_(bson_destroyp) bson_t *json = read_json(file);
    close(file);
    bool expected = WEXITSTATUS(status) == 0 || ((b->mode == BENCH_APPLICATION || b->mode == BENCH_AUDIT) && WEXITSTATUS(status) == 3);
    if (!expected) {
        _cleanup_(tf_bson_freep) char *text = bson_as_relaxed_extended_json(json, NULL);
        bench_fail("'%s' ended with %d: %s", arguments[0], WEXITSTATUS(status), text);
    }
    *out = (bench_times){.total = end - begin,
                         .plan = number(json, "data.planMs"),
                         .repair = number(json, "data.repairMs"),
                         .proof = number(json, "data.proofMs"),
                         .rss_kb = usage.ru_maxrss,
                         .scanned = bench_scanned(b) - scanned};
    bson_iter_t iter;
    uint32_t length;
    const uint8_t *bytes;
    bson_t view;
    if (data && bson_iter_init_find(&iter, json, "data") && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        bson_iter_document(&iter, &length, &bytes);
        if (bson_init_static(&view, bytes, length))
            bson_concat(data, &view);
    }
}

void bench_up(bench *b, const char *strategy, bench_times *out, char run[BENCH_RUN_SIZE])
{
    _cleanup_bson_ bson_t data = BSON_INITIALIZER;
    bson_iter_t iter;
    BENCH_RUN(b, out, &data, "up", "--confirm", "--yes", "--strategy", strategy);
    if (b->mode != BENCH_APPLICATION && number(&data, "affectedTokens") != b->defects)
        bench_fail("up did not repair what was seeded");
    snprintf(run, BENCH_RUN_SIZE, "%s", bson_iter_init_find(&iter, &data, "run") ? bson_iter_utf8(&iter, NULL) : "");
}

void bench_down(bench *b, const char *strategy, bench_times *out)
{
    BENCH_RUN(b, out, NULL, "down", "--confirm", "--yes", "--strategy", strategy);
}

/* ---- in this process ---- */

typedef struct watch {
    bench *b;
    bool repairing, proving;
    int64_t at_repair, at_proof;
} watch;

static void on_progress(void *arg, const char *phase, int64_t done, int64_t total)
{
    watch *w = arg;
    (void)done, (void)total;
    if (strcmp(phase, "repair") == 0 && !w->repairing) {
        w->repairing = true;
        w->at_repair = bench_scanned(w->b);
    }
    if (strcmp(phase, "verify") == 0 && !w->proving) {
        w->proving = true;
        w->at_proof = bench_scanned(w->b);
    }
}

void bench_up_phases(bench *b, const char *strategy, bench_phases *out)
{
    tf_error err = {0};
    tf_client client = {0};
    tf_engine engine;
    tf_outcome outcome = {0};
    watch w = {.b = b};
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *uri = mongoc_uri_new(b->uri);
    if (!tf_client_open(uri, BENCH_DB, BENCH_STATE, 5000, 0, &client, &err))
        bench_fail("%s", err.message);
    const tf_migration *migration = tf_migration_find(NULL, &err);
    tf_engine_init(&engine, &client, migration);
    engine.settings.strategy = strategy;
    engine.observer = (tf_observer){.arg = &w, .progress = on_progress};
    int64_t begin = bench_scanned(b);
    if (!tf_up(&engine, &outcome, &err))
        bench_fail("%s: %s", err.message, err.detail);
    int64_t end = bench_scanned(b);
    if (!w.repairing || !w.proving || outcome.documents != b->defects)
        bench_fail("the phases of an up were not seen");
    *out = (bench_phases){.plan = w.at_repair - begin, .repair = w.at_proof - w.at_repair, .proof = end - w.at_proof};
    tf_outcome_done(&outcome);
    tf_client_close(&client);
}
