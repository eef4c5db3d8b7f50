/*
 * What the commands write for people, at 80 columns, compared with tests/golden/out-NAME.txt: the command, its exit status, what
 * came on stderr and on stdout. What differs from run to run (names of runs, databases and users, times, durations, rates) is
 * written as '#' there. TF_GOLDEN=write writes the files anew; look at the difference.
 */
#include "support/alerts.h"
#include "support/audits.h"
#include "support/golden.h"
#include "support/tokens.h"

#include <ctype.h>
#include <regex.h>

static const char *const changing[] = {
    "[0-9]{8}t[0-9]{6}-[0-9]{3}-[0-9a-f]{6}",                 /* a run */
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z?", /* a time */
    "[0-9.,]+ (ms|s|min|h|MiB|MB|KB|GB|GiB|KiB|B)([^a-z]|$)", /* a duration, a size */
    "[0-9.,]+/s",                                             /* a rate */
    "[0-9]+:[0-9a-f]{64}",                                    /* an event's place */
    "events [0-9]+ to [0-9]+|BROKEN at event [0-9]+|ends with [0-9]+", /* progress may be left out */
    "127\\.0\\.0\\.1:[0-9]+",
    "time=\"[0-9.]+\"",
    "detail: [^\n]*", /* the driver's words */
};

/* Every match becomes "#"; widths differ, and with them the blanks of a table. */
static char *masked(const char *text, const char *pattern)
{
    regex_t regex;
    regmatch_t match;
    char *out = NULL;
    size_t size = 0;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
    FILE *to = open_memstream(&out, &size);
    while (*text && regexec(&regex, text, 1, &match, 0) == 0 && match.rm_eo > 0) {
        fwrite(text, 1, (size_t)match.rm_so, to);
        fputc('#', to);
        text += match.rm_eo;
        if (!isalnum((unsigned char)text[-1]))
            fputc(text[-1], to); /* what was only looked at, behind a unit */
    }
    fputs(text, to);
    fclose(to);
    regfree(&regex);
    return out;
}

static void replace(char **text, const char *pattern)
{
    char *old = *text;
    *text = masked(old, pattern);
    free(old);
}

/* Runs of one character, `most` of them at most. */
static void squeeze(char *text, char what, size_t most)
{
    char *to = text;
    size_t run = 0;
    for (; *text; text++) {
        run = *text == what ? run + 1 : 0;
        if (run <= most)
            *to++ = *text;
    }
    *to = '\0';
}

/* A slow machine reports progress, every five seconds. */
static char *without_progress(const char *text)
{
    static const char *const words[] = {"counting: ", "adding up: ", "repairing: ", "restoring: ", "verifying: "};
    char *out = strdup(text), *to = out;
    while (*text) {
        size_t length = strcspn(text, "\n");
        bool progress = false;
        length += text[length] == '\n';
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            progress = progress || strncmp(text, words[i], strlen(words[i])) == 0;
        if (!progress) {
            memcpy(to, text, length);
            to += length;
        }
        text += length;
    }
    *to = '\0';
    return out;
}

static char *stable(const tf_fixture *f, const char *text)
{
    char *out = without_progress(text);
    replace(&out, f->state_db);
    replace(&out, f->db);
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        replace(&out, changing[i]);
    squeeze(out, ' ', 2);
    squeeze(out, '-', 3);
    return out;
}

static void print_section(FILE *to, const char *name, const tf_fixture *f, const char *text)
{
    if (!text || !*text)
        return;
    char *out = stable(f, text);
    fprintf(to, "--- %s\n%s", name, out);
    free(out);
}

/* Runs a command line, and compares with out-NAME.txt, or writes it. */
static void compare(tf_fixture *f, const char *name, const char *command, int columns, bool wrapped)
{
    const tf_program *p = tf_golden_run_at(f, command, NULL, columns);
    char path[512], *got = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/tests/golden/out-%s.txt", TF_SOURCE_DIR, name);
    FILE *to = open_memstream(&got, &size);
    fprintf(to, "$ tokenfix %s\n--- exit %d\n", command, p->status);
    print_section(to, "stderr", f, p->err);
    print_section(to, "stdout", f, p->out);
    fclose(to);
    if (wrapped)
        tf_golden_width_at(p->out, command, columns);
    tf_golden_width_at(p->err, command, columns);
    const char *mode = getenv("TF_GOLDEN");
    if (mode && strcmp(mode, "write") == 0) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(got, out);
        fclose(out);
    } else {
        char *expected = tf_golden_read(path);
        if (!expected || strcmp(got, expected) != 0)
            fail_msg("%s differs\n=== expected\n%s\n=== found\n%s", path, expected ? expected : "no such file", got);
        free(expected);
    }
    free(got);
}

static void golden(tf_fixture *f, const char *name, const char *command)
{
    compare(f, name, command, 80, true);
}

/* A round is one line, however long: for a log, not for a window. */
static void golden_log(tf_fixture *f, const char *name, const char *command)
{
    compare(f, name, command, 80, false);
}

/* At 40, 80 and 200 columns. */
static void golden_widths(tf_fixture *f, const char *name, const char *command)
{
    static const int widths[] = {40, 80, 200};
    for (size_t i = 0; i < 3; i++) {
        char wide[96];
        snprintf(wide, sizeof wide, "%s-%d", name, widths[i]);
        compare(f, wide, command, widths[i], true);
    }
}

static void golden__a_repair_from_status_to_rollback(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 7);
    tf_tokens_insert(f, 50, 3, "npub1carl", "unspent");
    golden(f, "status-before", "status");
    golden(f, "preview", "preview --sample 1");
    golden(f, "up-unconfirmed", "up");
    golden(f, "up", "up --confirm --yes --workers 1 --max-lag 0");
    golden(f, "up-again", "up --confirm --yes --max-lag 0");
    golden(f, "status-after", "status");
    golden(f, "verify", "verify --workers 1");
    golden(f, "history", "history");
    golden_widths(f, "history-verify", "history --verify");
    golden_widths(f, "history-verify-head", "history --verify --head 9999:0000000000000000000000000000000000000000000000000000000000000000");
    golden_widths(f, "ledger", "ledger 004");
    golden(f, "ledger-user", "ledger 004 --user");
    golden(f, "down", "down --confirm --yes --workers 1 --max-lag 0");
    golden(f, "verify-down", "verify --workers 1");
    golden(f, "plan", "plan");
}

static void golden__what_changed_in_between(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    golden(f, "up-canary", "up --confirm --yes --canary 2 --workers 1 --max-lag 0");
    golden(f, "up-interrupted", "up --confirm --yes --max-lag 0");
    golden(f, "status-interrupted", "status");
    golden(f, "ledger-interrupted", "ledger 004");
    golden(f, "up-resume", "up --confirm --yes --resume --workers 1 --max-lag 0");
    tf_tokens_update(f, "{\"_id\": 3}", "{\"$set\": {\"spent_at\": \"never\"}}");
    tf_tokens_delete(f, "{\"_id\": 4}");
    golden(f, "verify-missing", "verify --workers 1");
    golden(f, "down-conflicts", "down --confirm --yes --workers 1 --max-lag 0");
}

static void golden__balances(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    tf_fixture_insert(f, "cashu_tokens", "[{\"npub\": \"npub1anna\", \"status\": \"pending\", \"total_amount\": \"ten\"}, {\"npub\": \"npub1anna\"}]");
    golden_widths(f, "balance", "balance npub1anna");
    golden(f, "balance-mint", "balance npub1anna --mint https://mint");
    golden(f, "balance-unknown", "balance npub1nobody");
}

/* The one before has some that are gone, and some that are fewer. */
static void golden__audits(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 12);
    tf_fixture_insert(f, "cashu_tokens", "[{\"_id\": 200, \"npub\": \"npub1anna\", \"status\": \"pending\", \"total_amount\": -7000000, \"proofs\": []}]");
    golden(f, "audit-first", "audit --diff");
    tf_tokens_delete(f, "{\"_id\": {\"$in\": [1, 200]}}");
    tf_tokens_insert(f, 300, 1, "npub1bert", "stolen");
    tf_tokens_insert(f, 301, 2, "npub1bert", "pending");
    golden_widths(f, "audit-diff", "audit --diff --no-keep");
}

/* What programs read is the same whatever the terminal: one file for all widths. */
static void golden_any_width(tf_fixture *f, const char *name, const char *command)
{
    static const int widths[] = {40, 80, 200};
    for (size_t i = 0; i < 3; i++)
        compare(f, name, command, widths[i], false);
}

static void golden__audits_of_clean_data(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6);
    golden_widths(f, "audit-clean", "audit --no-keep");
    golden_widths(f, "audit-users-clean", "audit --check balance --no-keep");
    golden_any_width(f, "audit-clean-csv", "audit --format csv --no-keep");
    golden_any_width(f, "audit-clean-junit", "audit --format junit --no-keep");
    golden(f, "audit-diff-same", "audit --diff");
}

/* A token repaired by a run, whose ledger the audit compares with; then a token for each check. */
static void plant_every_finding(tf_fixture *f)
{
    static const char *const plants[][2] = {
        {"{\"_id\": {\"$in\": [3, 4]}}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]"},
        {"{\"_id\": 6}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t5\"}]}}]"},
        {"{\"_id\": 8}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t7\"}], \"status\": \"spent\", \"spent_at\": \"$createdAt\"}}]"},
        {"{\"_id\": 9}", "[{\"$set\": {\"wallet_id\": 99}}]"},
        {"{\"_id\": 10}", "[{\"$set\": {\"total_amount\": 7000}}]"},
        {"{\"_id\": 11}", "[{\"$set\": {\"total_amount\": \"ten\"}}]"},
        {"{\"_id\": 12}", "[{\"$unset\": \"metadata\"}]"},
        {"{\"_id\": 13}", "[{\"$set\": {\"status\": \"stolen\"}}]"},
        {"{\"_id\": 14}", "[{\"$set\": {\"npub\": \"npub1carl\", \"total_amount\": -5}}]"},
    };
    tf_audits_sound(f, 16);
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    assert_exit(tf_up(f), 0);
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++)
        tf_audits_update(f, plants[i][0], plants[i][1]);
}

static void golden__audits_with_every_finding(void **state)
{
    tf_fixture *f = *state;
    plant_every_finding(f);
    golden_widths(f, "audit-all", "audit --no-keep");
    golden_any_width(f, "audit-all-csv", "audit --format csv --no-keep");
    golden_any_width(f, "audit-all-junit", "audit --format junit --no-keep");
    golden(f, "audit-limit", "audit --no-keep --limit 2 --offset 1");
    golden(f, "audit-user", "audit --no-keep --user npub1b --mint https://mint --fail-on high");
    golden_widths(f, "audit-users", "audit --check balance --no-keep");
    golden(f, "audit-users-limit", "audit --check balance --no-keep --limit 1 --offset 1");
    golden(f, "audit-users-beyond", "audit --check balance --no-keep --offset 7");
}

static void golden__a_round_of_a_scheduled_audit(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 3);
    golden_log(f, "audit-every", "audit --every 1h --rounds 1 --no-keep --check melted_unspent");
    alerts_make_indexes(f);
    golden_log(f, "audit-every-healthy", "audit --every 1h --rounds 1 --no-keep --check negative_balance");
}

static void golden__errors(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 1);
    golden(f, "error-command", "statsu");
    golden(f, "error-option", "up --cofirm");
    golden(f, "error-migration", "status 005");
    golden(f, "error-ledger", "ledger 005");
    golden(f, "error-run", "verify 20260101t000000-004-000000");
    golden(f, "error-down", "down --confirm --yes");
    golden(f, "error-resume", "up --confirm --yes --resume --max-lag 0");
    golden(f, "error-uri", "status --uri mongo://nowhere");
    golden(f, "error-batch-size", "up --confirm --yes --batch-size 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(golden__a_repair_from_status_to_rollback),
        TF_FIXTURE_TEST(golden__what_changed_in_between),
        TF_FIXTURE_TEST(golden__balances),
        TF_FIXTURE_TEST(golden__audits),
        TF_FIXTURE_TEST(golden__audits_of_clean_data),
        TF_FIXTURE_TEST(golden__audits_with_every_finding),
        TF_FIXTURE_TEST(golden__a_round_of_a_scheduled_audit),
        TF_FIXTURE_TEST(golden__errors),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
