/* Events, batches and examinations as tables, at 40, 80 and 200 columns: tests/golden/out-NAME-COLUMNS.txt. TF_GOLDEN=write writes
 * them anew. */
#include "support/golden.h"

#include <tokenfix/cleanup.h>

#include "cmd/history_report.h"
#include "cmd/trail_report.h"
#include "support/capture.h"

/* Of a batch and an event `hash` is 32 bytes, all the same. */
static bson_t *parsed(const char *json, uint8_t byte)
{
    uint8_t hash[32];
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(doc);
    memset(hash, byte, sizeof hash);
    BSON_APPEND_BINARY(doc, "hash", BSON_SUBTYPE_BINARY, hash, sizeof hash);
    return doc;
}

static void compare(const char *name, void (*print)(const void *arg), const void *arg)
{
    static const int widths[] = {40, 80, 200};
    const char *mode = getenv("TF_GOLDEN");
    for (size_t i = 0; i < 3; i++) {
        char path[512];
        char *got = tf_capture_at(print, arg, widths[i]);
        snprintf(path, sizeof path, "%s/tests/golden/out-%s-%d.txt", TF_SOURCE_DIR, name, widths[i]);
        tf_golden_width_at(got, name, widths[i]);
        FILE *out = mode && strcmp(mode, "write") == 0 ? fopen(path, "w") : NULL;
        if (out) {
            fputs(got, out);
            fclose(out);
        }
        char *expected = tf_golden_read(path);
        if (!expected || strcmp(got, expected) != 0)
            fail_msg("%s differs\n=== expected\n%s\n=== found\n%s", path, expected ? expected : "no such file", got);
        free(expected);
        free(got);
    }
}

static const char *const events[] = {
    "{\"_id\": {\"$numberLong\": \"1043\"}, \"type\": \"up_completed\", \"at\": {\"$date\": \"2026-11-20T17:30:31.007Z\"}, \"db\": \"wallet\","
    " \"run\": \"20261120t173024-004-3fa9c1\", \"user\": \"deploy\", \"host\": \"ops1.example.com\", \"pid\": {\"$numberLong\": \"4711\"},"
    " \"data\": {\"applied\": {\"$numberLong\": \"20000\"}, \"backup\": {\"$numberLong\": \"20000\"}}, \"result\": {\"good\": true}}",
    "{\"_id\": {\"$numberLong\": \"1042\"}, \"type\": \"pause_requested\", \"at\": {\"$date\": \"2026-11-20T17:30:25.120Z\"}, \"db\": \"wallet\","
    " \"user\": \"anna\", \"host\": \"ops1.example.com\", \"pid\": {\"$numberLong\": \"4800\"}}",
    "{\"_id\": {\"$numberLong\": \"1041\"}, \"type\": \"refused\", \"at\": {\"$date\": \"2026-11-20T17:30:24.123Z\"}, \"db\": \"wallet\","
    " \"user\": \"bert\", \"host\": \"ops2\", \"pid\": {\"$numberLong\": \"12\"}, \"data\": {\"command\": \"up\"},"
    " \"result\": {\"code\": \"LEASE_HELD\", \"exit\": 5, \"message\": \"run 20261120t173024-004-3fa9c1 is under way\"}}",
};
static const char *const batches[] = {
    "{\"partition\": 3, \"seq\": {\"$numberLong\": \"1\"}, \"amount\": {\"$numberLong\": \"1234567\"},"
    " \"counts\": {\"applied\": {\"$numberLong\": \"1000\"}, \"gone\": {\"$numberLong\": \"0\"}}}",
    "{\"partition\": 3, \"seq\": {\"$numberLong\": \"2\"}, \"amount\": {\"$numberLong\": \"8\"},"
    " \"counts\": {\"applied\": {\"$numberLong\": \"1\"}, \"gone\": {\"$numberLong\": \"12\"}, \"refused\": {\"$numberLong\": \"2\"}}}",
};

static void print_page(const void *arg)
{
    tf_event_page_print(arg);
}

static void print_history(const void *arg)
{
    tf_history_print(arg);
}

static void print_report(const void *arg)
{
    tf_trail_report_print(arg);
}

static void events__fit_every_width(void **state)
{
    (void)state;
    bson_t *docs[3];
    for (size_t i = 0; i < 3; i++)
        docs[i] = parsed(events[i], (uint8_t)i);
    compare("history-events", print_page, &(tf_event_page){.events = docs, .count = 3, .limit = 20});
    for (size_t i = 0; i < 3; i++)
        bson_destroy(docs[i]);
}

static void history__of_a_run_fits_every_width(void **state)
{
    (void)state;
    bson_t *docs[3], *rows[2];
    for (size_t i = 0; i < 3; i++)
        docs[i] = parsed(events[i], (uint8_t)i);
    for (size_t i = 0; i < 2; i++)
        rows[i] = parsed(batches[i], (uint8_t)(0xa0 + i));
    tf_history history = {.batches_total = 2, .batches = rows, .batches_count = 2, .events = docs, .events_count = 3};
    tf_terms_of_json("{\"collection\": \"c\", \"filter\": {\"a\": 1}, \"update\": [{\"$set\": {\"a\": 2}}], \"touched\": [\"a\"],"
                     " \"ledger\": {\"owner\": [\"customer\"], \"amount\": \"sum\", \"unit\": \"sat\", \"status\": \"a\"}}",
                     &history.terms);
    compare("history-run", print_history, &history);
    for (size_t i = 0; i < 3; i++)
        bson_destroy(docs[i]);
    for (size_t i = 0; i < 2; i++)
        bson_destroy(rows[i]);
}

/* Archived, not all of it removed, signed, and a head that lies before. */
static void examination__with_all_that_it_can_say_fits_every_width(void **state)
{
    (void)state;
    tf_trail trail = {.chain = {.first = 1001, .count = 43, .last = {.seq = 1043}, .keys_count = 1, .signed_count = 43, .first_signed = 1001, .last_signed = 1043},
                      .anchor = {.upto = {.seq = 1000}, .file = "trail-of-2025.jsonl"},
                      .left_over = 17,
                      .witnesses = 4};
    const tf_head head = {.seq = 12};
    memset(trail.anchor.sha256, 'c', 64);
    memset(trail.chain.last.hash, 0xd1, 32);
    compare("history-examined", print_report,
            &(tf_trail_report){.chain = &trail.chain, .trail = &trail, .name = "wallet_tokenfix", .head = &head,
                               .exported = "trail.jsonl", .sha256 = trail.anchor.sha256});
}

static void break__of_a_file_fits_every_width(void **state)
{
    (void)state;
    tf_trail_file file = {.line = 7};
    tf_chain *chain = &file.chain;
    *chain = (tf_chain){.first = 1001, .count = 6, .last = {.seq = 1006}, .signed_count = 2, .first_signed = 1005, .last_signed = 1006};
    memset(chain->last.hash, 0x5e, 32);
    tf_chain_break(chain, TF_BREAK_CONTENT, 1007, "event 1007 was altered: its content does not have the hash it carries");
    compare("history-broken", print_report, &(tf_trail_report){.chain = chain, .file = &file, .name = "trail-of-2026.jsonl"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events__fit_every_width),
        cmocka_unit_test(history__of_a_run_fits_every_width),
        cmocka_unit_test(examination__with_all_that_it_can_say_fits_every_width),
        cmocka_unit_test(break__of_a_file_fits_every_width),
    };
    return cmocka_run_group_tests_name("trail_report", tests, NULL, NULL);
}
