/*
 * The table of kill points. Every named failpoint of the protocol, in every scenario in which it is passed: the real
 * program dies there by SIGKILL, an operator goes on as he would, and the result is what it would have been: 0 lost,
 * 0 twice, byte for byte. A failpoint of the sources without a row here fails the suite.
 *
 * TF_FAULT_ROTATION=0…2 runs a third of the table, "all" runs it all (scripts/fault); the day decides otherwise.
 */
#include "fault/fault.h"

#include <ctype.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

enum scenario { UP, RESUMED_UP, DOWN, RESUMED_DOWN, SETTLING, TAKEN_BACK, SCENARIOS };
enum strategy { TRANSACTION, JOURNAL, STRATEGIES };

static const char *const scenario_names[] = {"up", "resumed_up", "down", "resumed_down", "settling", "taken_back"};
static const char *const strategy_names[] = {"transaction", "journal"};

/* At which passage the program dies: by strategy, in up, resumed up, down, resumed down, and in a down that takes back
 * an up that was killed in a batch. 0: this point is never passed there, and the test asserts that (in the last column
 * 0 means no test). An `up` that was killed and is then taken back instead of resumed dies as `up`. */
typedef struct kill_row {
    const char *point;
    int at[STRATEGIES][TAKEN_BACK];
} kill_row;

static const kill_row rows[] = {
    {"begin.before_run", {{1, 0, 1, 0}, {1, 0, 1, 0}}},
    {"begin.after_run", {{1, 0, 1, 0}, {1, 0, 1, 0}}},
    {"begin.between_handover", {{0, 0, 1, 0, 1}, {0, 0, 1, 0, 1}}},
    {"plan.before_ledger", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"plan.after_ledger", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"plan.after_backup_collection", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"plan.between_partitions", {{3, 5, 3, 5, 3}, {3, 5, 3, 5, 3}}},
    {"plan.before_running", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"plan.after_running", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"resume.before_take_over", {{0, 1, 0, 1}, {0, 1, 0, 1}}},
    {"resume.after_take_over", {{0, 1, 0, 1}, {0, 1, 0, 1}}},
    {"fence.between_partitions", {{0, 3, 0, 3, 3}, {0, 3, 0, 3, 3}}},
    {"resume.after_fence", {{0, 1, 0, 1}, {0, 1, 0, 1}}},
    {"up.before_advance", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.after_advance", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.before_backup", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.after_backup", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.after_write", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.after_check", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"up.after_record", {{4, 3, 0, 0}, {0, 0, 0, 0}}},
    {"txn.before_commit", {{4, 3, 4, 3}, {1, 1, 2, 1}}},
    {"txn.after_commit", {{4, 3, 4, 3}, {1, 1, 2, 1}}},
    {"up.journal.before_intent", {{0, 0, 0, 0}, {4, 3, 0, 0}}},
    {"up.journal.after_intent", {{0, 0, 0, 0}, {4, 3, 0, 0}}},
    {"up.journal.before_gather", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.before_backup", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.after_backup", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.after_write", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.before_record", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.after_record", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"up.journal.after_advance", {{0, 0, 0, 0}, {4, 1, 0, 0}}},
    {"settle.journal.before_gather", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.before_backup", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.after_backup", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.after_write", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.before_record", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.after_record", {{0}, {0, 0, 0, 0, 1}}},
    {"settle.journal.after_advance", {{0}, {0, 0, 0, 0, 1}}},
    {"down.before_advance", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.after_advance", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.before_backup", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.after_backup", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.after_write", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.after_check", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.after_record", {{0, 0, 4, 3}, {0, 0, 0, 0}}},
    {"down.journal.before_intent", {{0, 0, 0, 0}, {0, 0, 4, 3}}},
    {"down.journal.after_intent", {{0, 0, 0, 0}, {0, 0, 4, 3}}},
    {"down.journal.before_gather", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.before_backup", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.after_backup", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.after_write", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.before_record", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.after_record", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    {"down.journal.after_advance", {{0, 0, 0, 0}, {0, 0, 4, 1}}},
    /* only where somebody cancels */
    {"cancel.before_event", {{0}, {0}}},
    {"cancel.before_cancelled", {{0}, {0}}},
    /* only where the audit trail is exported or archived: tests/fault/test_trail.c */
    {"trail.after_anchor", {{0}, {0}}},
    {"archive.before_file", {{0}, {0}}},
    {"export.before_name", {{0}, {0}}},
    {"export.after_name", {{0}, {0}}},
    {"archive.before_event", {{0}, {0}}},
    {"archive.after_event", {{0}, {0}}},
    {"archive.between_removals", {{0}, {0}}},
    /* only where a backup is exported, brought back or purged: tests/fault/test_backup.c */
    {"backup.before_export", {{0}, {0}}},
    {"backup.after_data", {{0}, {0}}},
    {"backup.after_manifest", {{0}, {0}}},
    {"backup.after_exported", {{0}, {0}}},
    {"backup.after_name", {{0}, {0}}},
    {"backup.after_mark", {{0}, {0}}},
    {"backup.between_inserts", {{0}, {0}}},
    {"backup.before_proof", {{0}, {0}}},
    {"backup.before_imported", {{0}, {0}}},
    {"backup.after_imported", {{0}, {0}}},
    {"backup.before_kept", {{0}, {0}}},
    {"backup.after_purged", {{0}, {0}}},
    {"backup.after_drop", {{0}, {0}}},
    /* the first event is the confirmation; of a run that goes on, the second says from whom it was taken */
    {"event.before_insert", {{2, 3, 2, 3}, {2, 3, 2, 3}}},
    {"event.after_insert", {{2, 3, 2, 3}, {2, 3, 2, 3}}},
    {"finish.before_verifying", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"finish.before_event", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"finish.before_completed", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"finish.in_transaction", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
    {"finish.after_completed", {{1, 1, 1, 1}, {1, 1, 1, 1}}},
};

enum { ROTATIONS = 3, ROWS = sizeof rows / sizeof *rows, KILLED = 128 + SIGKILL };

/* One test: where the program dies. No row: at none of the points that are not passed here. */
typedef struct cell {
    const kill_row *row;
    enum scenario scenario;
    enum strategy strategy;
    char name[96];
    tf_fixture *fixture;
} cell;

static int passage(const kill_row *row, enum scenario scenario, enum strategy strategy)
{
    return row->at[strategy][scenario == TAKEN_BACK ? UP : scenario];
}

/* ---- scenarios ---- */

static const char *const *first_words(enum strategy strategy)
{
    static const char *const words[STRATEGIES][5] = {{"--batch-size", "2", "--strategy", "transaction"},
                                                     {"--batch-size", "2", "--strategy", "journal"}};
    return words[strategy];
}

/* The points of a cell: one that kills, or all those that are never passed. */
static void points_of(const cell *c, char *out, size_t size)
{
    out[0] = '\0';
    if (c->row) {
        snprintf(out, size, "%s=kill@%d", c->row->point, passage(c->row, c->scenario, c->strategy));
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        size_t length = strlen(out);
        if (passage(&rows[i], c->scenario, c->strategy) == 0)
            snprintf(out + length, size - length, "%s%s=kill", length ? "," : "", rows[i].point);
    }
}

/* Interrupts a run for the first time: in its planning where the second death shall be there, else in a batch. */
static void die_first(cell *c, const char *direction)
{
    char points[96];
    if (c->row && c->scenario != SETTLING && strncmp(c->row->point, "plan.", 5) == 0)
        snprintf(points, sizeof points, "begin.after_run=kill");
    else
        snprintf(points, sizeof points, "%s.%safter_write=kill@7", direction, c->strategy == JOURNAL ? "journal." : "");
    assert_exit(fault_exec(c->fixture, direction, points, first_words(c->strategy)), KILLED);
}

static void run_scenario(cell *c, const fault_data *data)
{
    tf_fixture *f = c->fixture;
    char points[4096];
    bool down = c->scenario == DOWN || c->scenario == RESUMED_DOWN || c->scenario == SETTLING, again = c->scenario == RESUMED_UP || c->scenario == RESUMED_DOWN;
    const char *direction = down ? "down" : "up";
    points_of(c, points, sizeof points);
    if (c->scenario == SETTLING) {
        die_first(c, "up");
    } else if (down) {
        assert_exit(fault_exec(f, "up", NULL, first_words(c->strategy)), 0);
        fault_assert_repaired(f, data);
    }
    if (again)
        die_first(c, direction);
    tf_program *p = fault_exec(f, direction, points, again ? fault_words("--resume") : first_words(c->strategy));
    assert_exit(p, c->row ? KILLED : 0);
    if (c->scenario == TAKEN_BACK) {
        _cleanup_(bson_destroyp) bson_t *run = fault_newest(f, "up");
        if (!bson_empty(run))
            fault_go_on(f, "down", first_words(c->strategy));
    } else {
        fault_go_on(f, direction, first_words(c->strategy));
    }
}

static void check(cell *c, const fault_data *data)
{
    tf_fixture *f = c->fixture;
    if (c->scenario == UP || c->scenario == RESUMED_UP) {
        fault_assert_repaired(f, data);
        fault_assert_proven(f);
        return;
    }
    fault_assert_untouched(f, data);
    fault_assert_balances(f, data, false);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"active\": true}"), 0);
    _cleanup_(bson_destroyp) bson_t *up = fault_newest(f, "up"), *down = fault_newest(f, "down");
    if (bson_empty(up))
        return; /* killed before there was a run */
    assert_string_equal(fault_text(up, "state"), "rolled_back");
    assert_string_equal(fault_text(up, "restored_by"), fault_text(down, "_id"));
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"down\"}"), 1);
    fault_assert_proven(f);
}

static void test_cell(void **state)
{
    cell *c = *state;
    FAULT_DATA_CLEANUP fault_data data;
    fault_seed(c->fixture, &data);
    run_scenario(c, &data);
    check(c, &data);
}

static cell cells[(ROWS + 1) * SCENARIOS * STRATEGIES];
static size_t cells_count;

/* scripts/fault --full: all of them, and at the next go those that are left. */
static void kill__at_every_point(void **state)
{
    tf_fixture *f = *state;
    tf_series s = tf_series_begin("every_point", "kill -9 at every named point of up, resume, down and take-back, both strategies", 0,
                                  (int)cells_count);
    while (tf_series_next(&s)) {
        FAULT_DATA_CLEANUP fault_data data;
        cell *c = &cells[(size_t)s.at % cells_count];
        print_message("%s\n", c->name);
        fault_clear(f);
        c->fixture = f;
        fault_workers = s.workers;
        fault_seed(f, &data);
        run_scenario(c, &data);
        check(c, &data);
    }
}

static int setup_cell(void **state)
{
    cell *c = *state;
    void *made = NULL;
    int failed = tf_fixture_setup(&made);
    c->fixture = made;
    return failed;
}

static int teardown_cell(void **state)
{
    cell *c = *state;
    void *made = c->fixture;
    return tf_fixture_teardown(&made);
}

/* ---- the table is complete ---- */

static bool known(const char *point)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].point, point) == 0)
            return true;
    return false;
}

static bool found[ROWS];
static int passes;

static char *read_source(const char *path)
{
    char *text = NULL;
    size_t size = 0, n;
    char block[4096];
    FILE *file = fopen(path, "re"), *out = open_memstream(&text, &size);
    if (!file)
        fail_msg("%s cannot be read", path);
    while ((n = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, n, out);
    fclose(file);
    fclose(out);
    return text;
}

/* Marks the rows that a source passes: every string right behind `call`, with the prefixes that the source gives it. */
static void scan(const char *path, const char *call, const char *const *prefixes)
{
    _cleanup_free_ char *text = read_source(path);
    for (const char *at = text; (at = strstr(at, call));) {
        at += strlen(call);
        const char *end = strchr(at, '"');
        assert_non_null(end);
        for (const char *const *prefix = prefixes; *prefix; prefix++, passes++) {
            char point[96];
            snprintf(point, sizeof point, "%s%.*s", *prefix, (int)(end - at), at);
            if (strncmp(point, "settle.", 7) == 0 && strstr(point, "_intent"))
                continue; /* a batch that is settled has its intent already */
            if (!known(point))
                fail_msg("%s: failpoint %s has no row in the table of kill points", path, point);
            for (size_t i = 0; i < ROWS; i++)
                found[i] = found[i] || strcmp(rows[i].point, point) == 0;
        }
    }
}

static int scan_source(const char *path, const struct stat *file, int type, struct FTW *where)
{
    static const char *const plain[] = {"", NULL}, *const batch[] = {"up.", "down.", NULL},
                      *const journal[] = {"up.journal.", "down.journal.", "settle.journal.", NULL};
    (void)file;
    size_t length = strlen(path);
    if (type != FTW_F || length < 2 || strcmp(path + length - 2, ".c") != 0)
        return 0;
    scan(path, "TF_FAILPOINT(\"", plain);
    if (strcmp(path + where->base, "transaction.c") == 0)
        scan(path, "point(b, \"", batch);
    else
        scan(path, "point(b, \"", journal);
    return 0;
}

static void every_failpoint_of_the_sources_has_its_row(void **state)
{
    (void)state;
    assert_int_equal(nftw(TF_SOURCE_DIR "/src", scan_source, 8, FTW_PHYS), 0);
    assert_true(passes > 40);
    for (size_t i = 0; i < ROWS; i++)
        if (!found[i])
            fail_msg("no source passes the failpoint %s", rows[i].point);
}

/* ---- the tests ---- */

static int rotation(void)
{
    const char *given = getenv("TF_FAULT_ROTATION");
    if (given && strcmp(given, "all") == 0)
        return -1;
    return given && isdigit((unsigned char)*given) ? atoi(given) % ROTATIONS : (int)(time(NULL) / 86400 % ROTATIONS);
}

int main(void)
{
    static struct CMUnitTest tests[2 + sizeof cells / sizeof *cells];
    const char *only = getenv("TF_FAULT_ONLY"); /* a part of a test's name */
    size_t count = 0;
    int part = rotation();
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_failpoint_of_the_sources_has_its_row);
    for (size_t r = 0; r <= ROWS; r++)
        for (int strategy = 0; strategy < STRATEGIES; strategy++)
            for (int scenario = 0; scenario < SCENARIOS; scenario++) {
                cell *c = &cells[cells_count];
                *c = (cell){.row = r < ROWS ? &rows[r] : NULL, .scenario = (enum scenario)scenario, .strategy = (enum strategy)strategy};
                if (c->row ? passage(c->row, c->scenario, c->strategy) == 0 : scenario >= SETTLING)
                    continue;
                snprintf(c->name, sizeof c->name, "kill__%s_%s__%s", scenario_names[scenario], strategy_names[strategy],
                         c->row ? c->row->point : "what_is_never_passed");
                bool chosen = part < 0 || (int)(cells_count % ROTATIONS) == part;
                cells_count++;
                if (tf_series_is_full() || (only ? !strstr(c->name, only) : !chosen))
                    continue;
                tests[count++] = (struct CMUnitTest){c->name, test_cell, setup_cell, teardown_cell, c};
            }
    if (tf_series_is_full())
        tests[count++] = (struct CMUnitTest)TF_FIXTURE_TEST(kill__at_every_point);
    else
        print_message("rotation %d of %d: %zu of %zu cells of the table\n", part, ROTATIONS, count - 1, cells_count);
    return _cmocka_run_group_tests("kill points", tests, count, NULL, NULL);
}
