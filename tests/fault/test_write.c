/*
 * The n-th write or fsync of the program fails, for every n: on standard output, standard error and the files it writes. What was to
 * be said may be lost, never what was done: the exit status tells, a file is whole or absent, and the run is there.
 */
#include "fault/fault.h"

#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS = 8, EVERY = 5, STEP = 101, MOST_WRITES = 100, OUTPUT_FAILED = 1 };

static const char *const kinds[] = {"enospc", "eio", "eintr", "short", "full", "broken"};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct scene {
    const char *name;
    const char *argv[9];
    bool up_before; /* a completed `up` is there already */
} scene;

static const scene scenes[] = {
    {"up", {"up", "--confirm", "--yes"}, false},
    {"up --json", {"up", "--confirm", "--yes", "--json", "--strategy", "journal"}, false},
    {"down", {"down", "--confirm", "--yes", "--strategy", "journal"}, true},
    {"down --json", {"down", "--confirm", "--yes", "--json"}, true},
    {"verify", {"verify"}, true},
    {"status --json", {"status", "--json"}, true},
    {"create", {"create", "Fix negative totals", "--dir", "."}, false},
};
enum { SCENES = sizeof scenes / sizeof *scenes, CREATE = SCENES - 1 };

typedef struct stage {
    tf_fixture *f;
    char *folder; /* where `create` writes */
    fault_data data;
} stage;

/* The scene's program, its n-th write failing; `count`: how many there were. */
static tf_program *run(stage *at, const scene *s, const char *kind, long n, long *count)
{
    char number[24], file[600], path[700];
    const char *argv[24] = {kind, number, tf_program_path(false)};
    size_t k = 3;
    snprintf(number, sizeof number, "%ld", n);
    snprintf(path, sizeof path, "%s/count", at->folder);
    snprintf(file, sizeof file, "TF_FAULTY_COUNT=%s/count", at->folder);
    for (size_t i = 0; s->argv[i]; i++)
        argv[k++] = strcmp(s->argv[i], ".") == 0 ? at->folder : s->argv[i];
    const char *const env[] = {file, NULL};
    _cleanup_free_ char *real = strdup(argv[2]);
    argv[2] = real;
    setenv("TOKENFIX", TF_FAULTY_WRITE, 1);
    tf_program *p = tf_program_exec(at->f, &(tf_program_options){.argv = argv, .env = count ? env : NULL});
    setenv("TOKENFIX", real, 1);
    if (count) {
        FILE *in = fopen(path, "re");
        if (!in || fscanf(in, "%ld", count) != 1)
            fail_msg("the writes were not counted: %s\n%s", p->out, p->err);
        fclose(in);
        unlink(path);
    }
    return p;
}

static void prepare(stage *at, const scene *s)
{
    fault_clear(at->f);
    fault_data_done(&at->data);
    fault_seed_some(at->f, &at->data, TOKENS);
    if (s->up_before)
        assert_exit(fault_exec(at->f, "up", NULL, NULL), 0);
}

static char *path_in(const stage *at, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", at->folder, name) > 0);
    return path;
}

static const char *const created[] = {"migrations/001_fix_negative_totals.c",
                                      "tests/integration/test_migration_001_fix_negative_totals.c"};
static off_t sizes[2];

static off_t size_of(const stage *at, const char *name)
{
    struct stat about;
    _cleanup_free_ char *path = path_in(at, name);
    return stat(path, &about) == 0 ? about.st_size : -1;
}

static void make_folders(stage *at)
{
    static const char *const names[] = {"migrations", "tests", "tests/integration"};
    tf_folder_remove(at->folder);
    at->folder = tf_folder_make();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        _cleanup_free_ char *path = path_in(at, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

/* Each file is whole or absent, and both or none are there. */
static void check_created(const stage *at, const tf_program *p)
{
    off_t found[2];
    for (size_t i = 0; i < 2; i++) {
        found[i] = size_of(at, created[i]);
        if (found[i] != sizes[i] && found[i] != -1)
            fail_msg("%s has %lld bytes instead of %lld: %s%s", created[i], (long long)found[i], (long long)sizes[i],
                     p->out, p->err);
    }
    assert_int_equal(found[0] == -1, found[1] == -1);
    assert_false(p->status == 0 && found[0] == -1);
}

/* What the scene was to do was done: output is the last thing that can fail. */
static void check_data(stage *at, const scene *s)
{
    bool down = strcmp(s->argv[0], "down") == 0;
    fault_go_on(at->f, down ? "down" : "up", NULL);
    if (down) {
        fault_assert_untouched(at->f, &at->data);
        fault_assert_balances(at->f, &at->data, false);
    } else
        fault_assert_repaired(at->f, &at->data);
    fault_assert_proven(at->f);
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* Success is said only where all of standard output was written; and a short write is no failure. */
static void check_status(const scene *s, const char *kind, long n, const tf_program *p, int lines)
{
    bool complete = lines_of(p->out) == lines;
    if (p->timed_out || (p->status != 0 && p->status != OUTPUT_FAILED) || (p->status == 0 && !complete) ||
        (p->status != 0 && strcmp(kind, "short") == 0))
        fail_msg("%s, %s at write %ld: exit %d, %d lines of %d: %s\n%s", s->name, kind, n, p->status, lines_of(p->out),
                 lines, p->out, p->err);
}

/* A row of the table: a scene, a write of it, what happens to that. */
typedef struct row {
    const scene *scene;
    const char *kind;
    long n;
} row;

typedef struct table {
    row rows[SCENES * KINDS * MOST_WRITES];
    int count, lines[SCENES];
} table;

static void build(stage *at, table *t)
{
    for (int i = 0; i < SCENES; i++) {
        long writes = 0;
        if (i == CREATE)
            make_folders(at);
        else
            prepare(at, &scenes[i]);
        tf_program *p = run(at, &scenes[i], "none", 0, &writes);
        assert_exit(p, 0);
        assert_true(writes > 0 && writes <= MOST_WRITES);
        t->lines[i] = lines_of(p->out);
        for (long n = 1; n <= writes; n++)
            for (int k = 0; k < KINDS; k++)
                t->rows[t->count++] = (row){&scenes[i], kinds[k], n};
    }
    for (size_t i = 0; i < 2; i++)
        assert_true((sizes[i] = size_of(at, created[i])) > 100);
}

static void try_row(stage *at, const row *r, int lines)
{
    bool creates = r->scene == &scenes[CREATE];
    if (creates)
        make_folders(at);
    else
        prepare(at, r->scene);
    tf_program *p = run(at, r->scene, r->kind, r->n, NULL);
    check_status(r->scene, r->kind, r->n, p, lines);
    if (creates)
        check_created(at, p);
    else
        check_data(at, r->scene);
}

static void write__may_fail_anywhere(void **state)
{
    static table t;
    stage at = {.f = *state, .folder = tf_folder_make()};
    build(&at, &t);
    t.count += t.count % STEP == 0 ? -1 : 0; /* so that the steps come to every row */
    tf_series s = tf_series_begin("nth_write", "nth write or fsync fails: ENOSPC, EIO, EINTR, short, once and for ever",
                                  t.count / EVERY, t.count);
    while (tf_series_next(&s)) {
        const row *r = &t.rows[(long)s.at * STEP % t.count];
        fault_workers = s.workers;
        try_row(&at, r, t.lines[r->scene - scenes]);
    }
    fault_data_done(&at.data);
    tf_folder_remove(at.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(write__may_fail_anywhere)};
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
