/* tokenfix ledger: what stood there before a run, what it moved, what stood there after, and that the sums agree. */
#include "support/tokens.h"

#include "store/store.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define LEDGER(f, ...) tf_program_run((f), "ledger", ##__VA_ARGS__, NULL)

static void token(tf_fixture *f, const char *npub, const char *mint, const char *type, const char *status, int amount)
{
    char json[512];
    snprintf(json, sizeof json,
             "{\"npub\": \"%s\", \"mint_url\": \"%s\", \"transaction_type\": \"%s\", \"status\": \"%s\", \"total_amount\": %d, \"spent_at\": "
             "null, \"createdAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}",
             npub, mint, type, status, amount);
    tf_fixture_insert(f, "cashu_tokens", json);
}

/* Two users, two mints; of 230 unspent and 7 pending 130 are to be repaired. */
static void sample(tf_fixture *f)
{
    tf_fixture_least(f, "cashu_tokens", NULL);
    token(f, "npub1anna", "https://a", "melted", "unspent", 100);
    token(f, "npub1anna", "https://a", "minted", "unspent", 80);
    token(f, "npub1anna", "https://a", "minted", "spent", 400);
    token(f, "npub1anna", "https://b", "melted", "unspent", 30);
    token(f, "npub1anna", "https://b", "minted", "pending", 7);
    token(f, "npub1bert", "https://a", "minted", "unspent", 20);
    token(f, "npub1bert", "https://a", "minted", "failed", 9999);
}

static void repaired(tf_fixture *f)
{
    sample(f);
    assert_exit(tf_up(f), 0);
}

static void assert_account(const tf_program *p, int i, const char *npub, const char *mint, int before, int moved, int after)
{
    char path[64];
    const struct {
        const char *name;
        int value;
    } numbers[] = {{"before", before}, {"repaired", moved}, {"after", after}, {"others", 0}};
    snprintf(path, sizeof path, "data.accounts.%d.npub", i);
    assert_string_equal(tf_program_text(p, path), npub);
    snprintf(path, sizeof path, "data.accounts.%d.mint_url", i);
    if (mint)
        assert_string_equal(tf_program_text(p, path), mint);
    else
        assert_false(tf_program_has(p, path));
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        snprintf(path, sizeof path, "data.accounts.%d.%s", i, numbers[n].name);
        assert_int_equal(tf_program_number(p, path), numbers[n].value);
    }
}

static void ledger__has_every_account_before_and_after(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_string_equal(tf_program_text(p, "data.migration_name"), "004_fix_melted_token_status");
    assert_string_equal(tf_program_text(p, "data.direction"), "up");
    assert_string_equal(tf_program_text(p, "data.unit"), "sat");
    assert_account(p, 0, "npub1anna", "https://a", 180, 100, 80);
    assert_account(p, 1, "npub1anna", "https://b", 37, 30, 7);
    assert_account(p, 2, "npub1bert", "https://a", 20, 0, 20);
    assert_false(tf_program_has(p, "data.accounts.3"));
    assert_string_equal(tf_program_text(p, "data.accounts.0.statuses.0.status"), "unspent");
    assert_int_equal(tf_program_number(p, "data.accounts.0.statuses.0.before"), 180);
    assert_string_equal(tf_program_text(p, "data.accounts.0.statuses.1.status"), "spent");
    assert_int_equal(tf_program_number(p, "data.accounts.0.statuses.1.before"), 400);
    assert_int_equal(tf_program_number(p, "data.accounts.0.statuses.1.expected"), 500);
    assert_int_equal(tf_program_number(p, "data.accounts.0.statuses.1.after"), 500);
}

static void ledger__totals_and_proof_agree(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total.accounts"), 3);
    assert_int_equal(tf_program_number(p, "data.total.owners"), 2);
    assert_int_equal(tf_program_number(p, "data.total.before"), 237);
    assert_int_equal(tf_program_number(p, "data.total.repaired"), 130);
    assert_int_equal(tf_program_number(p, "data.total.documents"), 2);
    assert_int_equal(tf_program_number(p, "data.total.after"), 107);
    assert_true(tf_program_flag(p, "data.proof.ok"));
    assert_string_equal(tf_program_text(p, "data.proof.verdict"), "agrees");
    assert_int_equal(tf_program_number(p, "data.proof.accountsAmount"), 130);
    assert_int_equal(tf_program_number(p, "data.proof.batchesAmount"), 130);
    assert_int_equal(tf_program_number(p, "data.proof.runAmount"), 130);
    assert_string_equal(tf_program_text(p, "data.proof.lines.0"), "Proof: 237 before - 130 repaired = 107 after, in every account and status.");
    p = LEDGER(f, "004");
    assert_exit(p, 0);
    assert_has(p->out, "237 before - 130 repaired = 107 after");
    assert_has(p->out, "3 accounts of 2 users; 2 tokens repaired.");
}

static void ledger__by_user_adds_up_the_mints(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = LEDGER(f, "004", "--json", "--user");
    assert_exit(p, 0);
    assert_account(p, 0, "npub1anna", NULL, 217, 130, 87);
    assert_account(p, 1, "npub1bert", NULL, 20, 0, 20);
    assert_false(tf_program_has(p, "data.accounts.2"));
    assert_int_equal(tf_program_number(p, "data.total.accounts"), 3);
}

static void ledger__of_one_user_is_proven_as_a_whole(void **state)
{
    tf_fixture *f = *state;
    static const char *const ways[][4] = {{"004", "--user=npub1anna"}, {"004", "--user", "npub1anna"}, {"--user", "npub1anna", "004"}};
    for (size_t i = 0; i < 3; i++) {
        tf_program *p = tf_program_run(f, "ledger", "--json", ways[i][0], ways[i][1], ways[i][2], NULL);
        assert_exit(p, 0);
        assert_account(p, 0, "npub1anna", "https://a", 180, 100, 80);
        assert_account(p, 1, "npub1anna", "https://b", 37, 30, 7);
        assert_false(tf_program_has(p, "data.accounts.2"));
        assert_int_equal(tf_program_number(p, "data.total.before"), 217);
        assert_int_equal(tf_program_number(p, "data.proof.before"), 237);
    }
    tf_program *p = LEDGER(f, "004", "--user=npub1ann");
    assert_exit(p, 0);
    assert_has(p->out, "0 accounts of 0 users");
    assert_has(p->out, "237 before");
}

static void ledger__of_a_rollback_gives_back(void **state)
{
    tf_fixture *f = *state;
    repaired(f);
    assert_exit(tf_down(f), 0);
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.direction"), "down");
    assert_int_equal(tf_program_number(p, "data.total.before"), 107);
    assert_int_equal(tf_program_number(p, "data.total.restored"), 130);
    assert_int_equal(tf_program_number(p, "data.total.after"), 237);
    assert_has(LEDGER(f, "004")->out, "107 before + 130 restored = 237 after");
    char up[TF_RUN_ID_SIZE];
    tf_program *history = tf_program_run(f, "history", "--json", NULL);
    snprintf(up, sizeof up, "%s", tf_program_text(history, "data.runs.1.run"));
    p = LEDGER(f, up, "--json"); /* what it had done stays on record */
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.state"), "rolled_back");
    assert_int_equal(tf_program_number(p, "data.total.after"), 107);
}

static void ledger__of_an_unfinished_run_is_not_proven(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    assert_exit(tf_up(f, "--canary", "1"), 7);
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 3);
    assert_true(tf_program_flag(p, "success"));
    assert_string_equal(tf_program_text(p, "data.proof.verdict"), "open");
    assert_int_equal(tf_program_number(p, "data.total.before"), 237);
    p = LEDGER(f, "004");
    assert_exit(p, 3);
    assert_has(p->out, "Not proven: run ");
    assert_has(p->out, "Its batches moved ");
    assert_has(LEDGER(f, "004", "--format", "csv")->out, "\"total\",\"\",\"\",237,,,,,\"sat\",\"\"\r\n");
    assert_exit(tf_up(f, "--resume"), 0);
    assert_exit(LEDGER(f, "004"), 0);
}

/* ---- what does not agree ---- */

typedef struct {
    const char *name, *collection, *update, *expected;
} mutilation;

static void on_state(tf_fixture *f, const char *json)
{
    bson_t reply;
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(command);
    if (!mongoc_client_command_simple(f->client, f->state_db, command, NULL, &reply, &error))
        fail_msg("%s: %s", json, error.message);
    bson_destroy(&reply);
}

static void copy(tf_fixture *f, const char *from, const char *to)
{
    char json[256];
    snprintf(json, sizeof json, "{\"aggregate\": \"%s\", \"cursor\": {}, \"pipeline\": [{\"$out\": \"%s\"}]}", from, to);
    on_state(f, json);
}

static void mutilate(tf_fixture *f, const mutilation *m)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"update\": \"%s\", \"updates\": [{\"q\": {}, \"u\": %s, \"multi\": true}]}", m->collection, m->update);
    on_state(f, json);
}

static void ledger__does_not_agree_with_what_was_altered(void **state)
{
    static const mutilation table[] = {
        {"a balance after", "ledger", "[{\"$set\": {\"after\": {\"$map\": {\"input\": \"$after\", \"in\": {\"$mergeObjects\": [\"$$this\", "
                                      "{\"amount\": {\"$add\": [\"$$this.amount\", {\"$numberLong\": \"1\"}]}}]}}}}}]",
         "unexplained"},
        {"what was moved", "ledger", "[{\"$set\": {\"moved\": []}}]", "Not the same"},
        {"a batch", "batches", "[{\"$set\": {\"moves\": []}}]", "Not the same"},
        {"the run", "runs", "{\"$set\": {\"counts.amount\": {\"$numberLong\": \"131\"}}}", "131 sat in the run's record"},
    };
    tf_fixture *f = *state;
    assert_exit(LEDGER(f, "004"), 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        copy(f, table[i].collection, "intact");
        mutilate(f, &table[i]);
        tf_program *p = LEDGER(f, "004");
        if (p->status != 3 || !strstr(p->out, table[i].expected))
            fail_msg("%s: exit %d\n%s\n%s", table[i].name, p->status, p->out, p->err);
        assert_string_equal(tf_program_text(LEDGER(f, "004", "--format", "json"), "data.proof.verdict"), "differs");
        copy(f, "intact", table[i].collection);
    }
    assert_exit(LEDGER(f, "004"), 0);
}

/* Written while the run was under way: an own column, and the proof says so. */
static void ledger__tells_apart_what_others_wrote(void **state)
{
    static const mutilation since = {"written since", "ledger",
                                     "[{\"$set\": {\"after\": {\"$concatArrays\": [\"$after\", [{\"status\": \"unspent\", \"n\": 1, \"amount\": "
                                     "{\"$numberLong\": \"5\"}, \"since\": {\"$numberLong\": \"5\"}}]]}}}]",
                                     NULL};
    tf_fixture *f = *state;
    copy(f, "ledger", "intact");
    mutilate(f, &since);
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.accounts.0.others"), 5);
    assert_string_equal(tf_program_text(p, "data.accounts.0.difference"), "explained");
    assert_int_equal(tf_program_number(p, "data.total.others"), 15);
    assert_int_equal(tf_program_number(p, "data.proof.explained"), 3);
    p = LEDGER(f, "004");
    assert_has(p->out, "others");
    assert_has(p->out, "found were 122, +15 of others");
    copy(f, "intact", "ledger");
}

/* ---- CSV ---- */

static void ledger__as_csv_is_for_a_spreadsheet(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    token(f, "=cmd|' /C calc'!A0", "https://\\\"quoted\\\",a", "melted", "unspent", 1234567);
    assert_exit(tf_up(f), 0);
    tf_program *p = LEDGER(f, "004", "--format", "csv");
    assert_exit(p, 0);
    assert_has(p->out, "\"line\",\"npub\",\"mint_url\",\"before\",\"repaired\",\"others\",\"after\",\"documents\",\"unit\",\"result\"\r\n");
    assert_has(p->out, "\"account\",\"npub1anna\",\"https://a\",180,100,0,80,1,\"sat\",\"\"\r\n");
    assert_has(p->out, "\"account\",\"'=cmd|' /C calc'!A0\",\"https://\"\"quoted\"\",a\",1234567,1234567,0,0,1,\"sat\",\"\"\r\n");
    assert_has(p->out, "\"total\",\"\",\"\",1234804,1234697,0,107,3,\"sat\",\"\"\r\n");
    assert_has(p->out, "\"proof\",\"\",\"\",1234804,1234697,0,107,3,\"sat\",\"agrees\"\r\n");
}

/* ---- errors ---- */

static void ledger__refuses_what_is_no_run(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = LEDGER(f, "005");
    assert_exit(p, 2);
    assert_has(p->err, "there is no run or migration '005'");
    assert_exit(LEDGER(f), 2);
    assert_exit(LEDGER(f, "004", "npub1anna"), 2);
    assert_exit(LEDGER(f, "nobody", "--user", "005"), 2);
    assert_exit(LEDGER(f, "004", "--format", "xml"), 2);
    p = tf_program_exec(f, &(tf_program_options){.argv = (const char *const[]){"ledger", "004", "--format", "json", NULL},
                                                 .uri = tf_fixture_login(f, "monitor", NULL, NULL)});
    assert_exit(p, 8);
    assert_false(tf_program_flag(p, "success"));
}

/* ---- many accounts ---- */

/* Accounts as a run with as many users leaves them, made by the server from the three that are there. */
static void multiply(tf_fixture *f, int thousands)
{
    char json[2048];
    snprintf(json, sizeof json,
             "{\"aggregate\": \"ledger\", \"cursor\": {}, \"pipeline\": [{\"$match\": {\"_id.owner.npub\": \"npub1bert\"}}, {\"$set\": {\"i\": "
             "{\"$range\": [0, %d]}}}, {\"$unwind\": \"$i\"}, {\"$set\": {\"j\": {\"$range\": [0, 1000]}}}, {\"$unwind\": \"$j\"}, {\"$set\": "
             "{\"_id.owner.npub\": {\"$concat\": [\"npub1\", {\"$toString\": {\"$add\": [{\"$multiply\": [\"$i\", 1000]}, \"$j\"]}}]}}}, "
             "{\"$unset\": [\"i\", \"j\"]}, {\"$merge\": {\"into\": \"ledger\"}}]}",
             thousands);
    on_state(f, json);
}

/* The most memory that the program had, in KiB; what it wrote is counted by lines. */
static long memory_of(tf_fixture *f, const char *format, long *lines)
{
    int pipes[2], status = 0;
    struct rusage used;
    char buffer[65536];
    ssize_t got;
    assert_int_equal(pipe(pipes), 0);
    const char *uri = f->login[0][0] ? f->login[0] : f->uri;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        setenv("TOKENFIX_URI", uri, 1);
        setenv("TOKENFIX_CONFIG", "/dev/null", 1);
        setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=16", 1);
        execl(tf_program_path(false), "tokenfix", "ledger", "004", "--quiet", "--format", format, (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    *lines = 0;
    while ((got = read(pipes[0], buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < got; i++)
            *lines += buffer[i] == '\n';
    close(pipes[0]);
    assert_int_equal(wait4(pid, &status, 0, &used), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return used.ru_maxrss;
}

static void ledger__of_many_users_fills_no_memory(void **state)
{
    static const char *const formats[] = {"table", "csv", "json"};
    enum { THOUSANDS = 30, ALLOWED_KB = 6 << 10 };
    tf_fixture *f = *state;
    long before[3], lines;
    multiply(f, 2);
    for (size_t i = 0; i < 3; i++) {
        before[i] = memory_of(f, formats[i], &lines);
        assert_true(lines >= 2003);
    }
    multiply(f, THOUSANDS);
    for (size_t i = 0; i < 3; i++) {
        long after = memory_of(f, formats[i], &lines);
        assert_true(lines >= THOUSANDS * 1000 + 3);
        if (after > before[i] + ALLOWED_KB) /* the accounts alone are 10 MB */
            fail_msg("%s: %ld KiB with 2,000 users, %ld KiB with %d,000", formats[i], before[i], after, THOUSANDS);
    }
    tf_program *p = LEDGER(f, "004", "--user=npub129999", "--json"); /* by the key */
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total.accounts"), 1);
    assert_int_equal(tf_program_number(p, "data.proof.before"), 237 + 20 * THOUSANDS * 1000);
}

/* Owners whose names the server takes in no _id are kept as binary, and are found all the same. */
static void ledger__knows_odd_owners(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_fixture_insert(f, "cashu_tokens",
                      "[{\"npub\": \"npub1anna\", \"mint_url\": {\"$a\": 1}, \"transaction_type\": \"melted\", \"status\": \"unspent\", "
                      "\"total_amount\": 3}, {\"transaction_type\": \"melted\", \"status\": \"unspent\", \"total_amount\": 4}, {\"npub\": 5, "
                      "\"mint_url\": null, \"transaction_type\": \"melted\", \"status\": \"unspent\", \"total_amount\": 5}]");
    tf_program *up = tf_up(f);
    assert_true(up->status == 0 || up->status == 3);
    tf_program *p = LEDGER(f, "004", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total.accounts"), 6);
    assert_int_equal(tf_program_number(p, "data.total.repaired"), 142);
    p = LEDGER(f, "004", "--json", "--user=npub1anna");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total.accounts"), 3);
    assert_int_equal(tf_program_number(p, "data.total.repaired"), 133);
    assert_exit(LEDGER(f, "004"), 0);
    assert_exit(LEDGER(f, "004", "--format", "csv"), 0);
}

/* One repair for all that only look at it. */
static int repaired_once(void **state)
{
    int failed = tf_fixture_setup(state);
    if (!failed)
        repaired(*state);
    return failed;
}

int main(void)
{
    const struct CMUnitTest looking[] = {
        cmocka_unit_test(ledger__has_every_account_before_and_after),
        cmocka_unit_test(ledger__totals_and_proof_agree),
        cmocka_unit_test(ledger__by_user_adds_up_the_mints),
        cmocka_unit_test(ledger__of_one_user_is_proven_as_a_whole),
        cmocka_unit_test(ledger__does_not_agree_with_what_was_altered),
        cmocka_unit_test(ledger__tells_apart_what_others_wrote),
        cmocka_unit_test(ledger__refuses_what_is_no_run),
        cmocka_unit_test(ledger__of_many_users_fills_no_memory),
    };
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(ledger__of_a_rollback_gives_back),
        TF_FIXTURE_TEST(ledger__of_an_unfinished_run_is_not_proven),
        TF_FIXTURE_TEST(ledger__as_csv_is_for_a_spreadsheet),
        TF_FIXTURE_TEST(ledger__knows_odd_owners),
    };
    int failed = cmocka_run_group_tests_name("ledger of one run", looking, repaired_once, tf_fixture_teardown);
    return failed + cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
