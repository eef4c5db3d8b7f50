#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/outcome_report.h"
#include "cmd/proof_report.h"
#include "support/capture.h"

#include <string.h>

static const tf_terms sat = {.noun = "token", .unit = "sat", .amounts = true};
static const tf_terms plain = {.noun = "document"};

static tf_proof good(void)
{
    return (tf_proof){.run = "20261120t173012-004-3fa9c1",
                      .asked = "20261120t173012-004-3fa9c1",
                      .state = "completed",
                      .ok = true,
                      .documents = 12345,
                      .equal = 12345,
                      .batches = 13,
                      .amount = 9876543,
                      .ledger_rows = 321};
}

typedef struct {
    const tf_proof *proof;
    const tf_outcome *outcome;
    const tf_terms *terms;
} given;

static void print_proof(const void *arg)
{
    const given *g = arg;
    tf_proof_report_print(g->proof, g->terms);
}

static void print_up(const void *arg)
{
    const given *g = arg;
    tf_up_report_print(g->outcome, g->terms);
}

static void print_down(const void *arg)
{
    const given *g = arg;
    tf_down_report_print(g->outcome, g->terms);
}

static void proof__of_a_clean_run_is_short(void **state)
{
    (void)state;
    tf_proof proof = good();
    char *text = tf_capture(print_proof, &(given){.proof = &proof, .terms = &sat});
    assert_string_equal(text, "Run 20261120t173012-004-3fa9c1 (up, completed): proven\n\n"
                              "in the backup     12,345  repaired, in batches: 13\n"
                              "equal             12,345  byte for byte as the repair predicts\n"
                              "changed later          0  by somebody else, after the run\n"
                              "missing                0  deleted since, or lost\n"
                              "remaining              0  should have been repaired and were not\n"
                              "accounts             321  balances compared before and after\n"
                              "unexplained            0  of their differences come from nothing we know\n"
                              "amount         9,876,543  sat\n");
    free(text);
}

static void proof__without_a_ledger_has_no_balances(void **state)
{
    (void)state;
    tf_proof proof = good();
    proof.ledger_rows = 0;
    char *text = tf_capture(print_proof, &(given){.proof = &proof, .terms = &plain});
    assert_null(strstr(text, "accounts"));
    assert_null(strstr(text, "amount"));
    free(text);
}

static void proof__lists_what_is_wrong(void **state)
{
    (void)state;
    tf_proof proof = good();
    proof.ok = false;
    proof.equal -= 3;
    proof.changed_later = 2;
    proof.missing = 1;
    proof.refused = 1;
    proof.unexplained = 1;
    proof.changed_ids = BCON_NEW("0", BCON_INT32(5), "1", "six");
    proof.missing_ids = BCON_NEW("0", BCON_INT32(7));
    proof.refused_ids = BCON_NEW("0", "{", "_id", BCON_INT32(8), "reason", "status occurs twice", "}");
    proof.unexplained_rows = BCON_NEW("0", "{", "owner", "{", "npub", "a", "}", "status", "spent", "expected",
                                      BCON_INT64(5000), "found", BCON_INT64(6), "}");
    proof.findings = BCON_NEW("0", "{", "check", "chain", "message", "batch 7 of partition 1 is missing", "}");
    char *text = tf_capture(print_proof, &(given){.proof = &proof, .terms = &sat});
    assert_non_null(strstr(text, "(up, completed): FINDINGS\n"));
    assert_non_null(strstr(text, "\nFindings\ncheck  finding\nchain  batch 7 of partition 1 is missing\n"));
    assert_non_null(strstr(text, "\nChanged later\n5    \nsix  \n"));
    assert_non_null(strstr(text, "\nMissing\n7  \n"));
    assert_non_null(strstr(text, "\nRefused\n8  status occurs twice\n"));
    assert_non_null(strstr(text, "\nBalances that nothing explains\n"
                                 "account        status  expected  found\n"
                                 "{\"npub\": \"a\"}  spent      5,000      6\n"));
    free(text);
    tf_proof_done(&proof);
}

static void proof__long_lists_say_how_much_is_left_out(void **state)
{
    (void)state;
    tf_proof proof = good();
    bson_t ids = BSON_INITIALIZER;
    for (int i = 0; i < 100; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        BSON_APPEND_INT32(&ids, key, i);
    }
    proof.changed_later = 1234;
    proof.changed_ids = &ids;
    char *text = tf_capture(print_proof, &(given){.proof = &proof, .terms = &sat});
    assert_non_null(strstr(text, "proven, but changed since\n"));
    assert_non_null(strstr(text, "\n19  \nand 1,214 more; --json lists up to 100\n"));
    free(text);
    bson_destroy(&ids);
}

static void proof__of_a_rolled_back_run_is_its_restorations(void **state)
{
    (void)state;
    tf_proof proof = good();
    proof.rolled_back = proof.down = true;
    snprintf(proof.asked, sizeof proof.asked, "20261120t170000-004-aaaaaa");
    char *text = tf_capture(print_proof, &(given){.proof = &proof, .terms = &sat});
    assert_non_null(strstr(text,
                           "Run 20261120t170000-004-aaaaaa was rolled back; this is the proof of its restoration.\n"
                           "Run 20261120t173012-004-3fa9c1 (down, completed): proven\n"));
    assert_non_null(strstr(text, "byte for byte as before the repair"));
    free(text);
}

static void proof__later_changes_are_findings_of_verify(void **state)
{
    (void)state;
    tf_proof proof = good();
    assert_false(tf_proof_report_has_findings(&proof));
    proof.new_defects = proof.gone = proof.explained = 1;
    assert_false(tf_proof_report_has_findings(&proof));
    proof.changed_later = 1;
    assert_true(tf_proof_report_has_findings(&proof));
    proof.changed_later = 0;
    proof.missing = 1;
    assert_true(tf_proof_report_has_findings(&proof));
    proof.missing = 0;
    proof.ok = false;
    assert_true(tf_proof_report_has_findings(&proof));
}

static int64_t number(const bson_t *doc, const char *path)
{
    bson_iter_t iter, at;
    if (!bson_iter_init(&iter, doc) || !bson_iter_find_descendant(&iter, path, &at) || !BSON_ITER_HOLDS_INT(&at))
        fail_msg("no number %s", path);
    return bson_iter_as_int64(&at);
}

static void proof__has_the_field_names_that_others_rely_on(void **state)
{
    (void)state;
    static const char *const names[] = {"equal",        "changedLater",       "missing",     "remaining", "newDefects",
                                        "ledger.users", "ledger.explained",   "documents",   "refused",   "gone",
                                        "overtaken",    "ledger.unexplained", "totalAmount", "conflicts", "batches"};
    bson_t data = BSON_INITIALIZER;
    bson_iter_t at;
    tf_proof proof = good();
    tf_proof_report_append(&proof, &sat, &data);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        number(&data, names[i]);
    assert_true(bson_iter_init_find(&at, &data, "ok") && bson_iter_bool(&at));
    assert_true(bson_iter_init_find(&at, &data, "run") && BSON_ITER_HOLDS_UTF8(&at));
    assert_true(bson_iter_init_find(&at, &data, "changedIds") && BSON_ITER_HOLDS_ARRAY(&at));
    bson_destroy(&data);
}

static void up__says_what_was_done(void **state)
{
    (void)state;
    tf_outcome outcome = {.run = "20261120t173012-004-3fa9c1",
                          .migration = "004_x",
                          .state = "completed",
                          .strategy = "transaction",
                          .documents = 12345,
                          .amount = 9876543,
                          .batches = 13,
                          .refused = 2,
                          .elapsed_ms = 4500,
                          .plan_ms = 500,
                          .repair_ms = 3000,
                          .proof_ms = 1000};
    char *text = tf_capture(print_up, &(given){.outcome = &outcome, .terms = &sat});
    assert_string_equal(text, "Run 20261120t173012-004-3fa9c1 of 004_x: completed\n\n"
                              "repaired  12,345 tokens\n"
                              "amount    9,876,543 sat\n"
                              "refused   2 of a form that the server cannot write safely; never touched\n"
                              "batches   13, strategy transaction\n"
                              "time      4.5 s (planning 500 ms, writing 3 s, proof 1 s)\n");
    free(text);
    bson_t data = BSON_INITIALIZER;
    tf_up_report_append(&outcome, &sat, &data);
    assert_int_equal(number(&data, "affectedTokens"), 12345);
    assert_int_equal(number(&data, "totalAmount"), 9876543);
    assert_int_equal(number(&data, "batches"), 13);
    assert_int_equal(number(&data, "executionTimeMs"), 4500);
    assert_int_equal(number(&data, "refused"), 2);
    assert_int_equal(number(&data, "gone"), 0);
    assert_int_equal(number(&data, "overtaken"), 0);
    bson_iter_t at;
    assert_true(bson_iter_init_find(&at, &data, "verification") && BSON_ITER_HOLDS_NULL(&at));
    bson_destroy(&data);
    bson_init(&data);
    outcome.verified = true;
    outcome.proof = good();
    tf_up_report_append(&outcome, &sat, &data);
    assert_int_equal(number(&data, "verification.equal"), 12345);
    bson_destroy(&data);
}

static void down__lists_its_conflicts(void **state)
{
    (void)state;
    tf_outcome outcome = {.run = "20261120t180000-004-bbbbbb",
                          .restores = "20261120t173012-004-3fa9c1",
                          .migration = "004_x",
                          .state = "completed",
                          .strategy = "transaction",
                          .documents = 10,
                          .amount = 100,
                          .batches = 1,
                          .conflicts = 2,
                          .deleted = 1,
                          .already = 3,
                          .elapsed_ms = 45};
    outcome.conflict_ids = BCON_NEW("0", "{", "_id", BCON_INT32(8), "reason", "changed since", "}", "1", "{", "_id",
                                    "x", "reason", "deleted", "}");
    char *text = tf_capture(print_down, &(given){.outcome = &outcome, .terms = &sat});
    assert_string_equal(text, "Run 20261120t180000-004-bbbbbb of 004_x: completed\n\n"
                              "takes back        20261120t173012-004-3fa9c1\n"
                              "restored          10 tokens\n"
                              "amount            100 sat\n"
                              "already original  3 were as before the repair\n"
                              "conflicts         2 changed or deleted since the repair; left alone\n"
                              "deleted           1 of the conflicts, no longer there\n"
                              "batches           1, strategy transaction\n"
                              "time              45 ms\n"
                              "\nConflicts\n8  changed since\nx  deleted\n");
    free(text);
    bson_t data = BSON_INITIALIZER;
    tf_down_report_append(&outcome, &sat, &data);
    assert_int_equal(number(&data, "restoredTokens"), 10);
    assert_int_equal(number(&data, "conflicts"), 2);
    assert_int_equal(number(&data, "alreadyOriginal"), 3);
    assert_int_equal(number(&data, "executionTimeMs"), 45);
    assert_int_equal(number(&data, "conflictIds.0._id"), 8);
    bson_destroy(&data);
    bson_destroy(outcome.conflict_ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proof__of_a_clean_run_is_short),
        cmocka_unit_test(proof__without_a_ledger_has_no_balances),
        cmocka_unit_test(proof__lists_what_is_wrong),
        cmocka_unit_test(proof__long_lists_say_how_much_is_left_out),
        cmocka_unit_test(proof__of_a_rolled_back_run_is_its_restorations),
        cmocka_unit_test(proof__later_changes_are_findings_of_verify),
        cmocka_unit_test(proof__has_the_field_names_that_others_rely_on),
        cmocka_unit_test(up__says_what_was_done),
        cmocka_unit_test(down__lists_its_conflicts),
    };
    return cmocka_run_group_tests_name("proof_report", tests, NULL, NULL);
}
