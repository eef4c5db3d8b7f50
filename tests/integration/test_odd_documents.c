/*
 * What bad documents get: odd ones are repaired and given back like the others, what the server cannot write safely is
 * refused, and a damaged backup keeps back its own batch only.
 */
#include "support/documents.h"
#include "support/oddities.h"
#include "support/tokens.h"

static const char *const strategies[] = {"transaction", "journal"};

/* Appends what makes a document a defect. */
static void append_defect(bson_t *doc, const char *npub)
{
    BSON_APPEND_UTF8(doc, "npub", npub);
    BSON_APPEND_UTF8(doc, "mint_url", "https://mint");
    BSON_APPEND_UTF8(doc, "transaction_type", "melted");
    BSON_APPEND_UTF8(doc, "status", "unspent");
    BSON_APPEND_NULL(doc, "spent_at");
}

static void insert(tf_fixture *f, const bson_t *doc)
{
    assert_true(tf_documents_insert(f, NULL, "cashu_tokens", doc));
}

/* From here on as the user that has no more than the printed role. */
static void least_role(tf_fixture *f)
{
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", NULL);
    snprintf(f->uri, sizeof f->uri, "%s", login);
}

/* up, verify and down of all that is there, by each strategy: the bytes of before come back. */
static void goes_there_and_back(tf_fixture *f, int64_t tokens, const char *batch)
{
    TF_DOCS before = {0}, after = {0};
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    for (size_t i = 0; i < 2; i++) {
        tf_program *up = tf_up(f, "--strategy", strategies[i], "--batch-size", batch);
        assert_exit(up, 0);
        assert_int_equal(tf_program_number(up, "data.affectedTokens"), tokens);
        assert_int_equal(tf_tokens_wrong(f), 0);
        tf_program *verify = tf_program_run(f, "verify", "--json", NULL);
        assert_exit(verify, 0);
        assert_int_equal(tf_program_number(verify, "data.equal"), tokens);
        assert_int_equal(tf_program_number(verify, "data.ledger.unexplained"), 0);
        tf_program *down = tf_down(f, "--batch-size", batch);
        assert_exit(down, 0);
        assert_int_equal(tf_program_number(down, "data.restoredTokens"), tokens);
        tf_documents_read(f, NULL, "cashu_tokens", &after);
        tf_documents_same(&after, &before, strategies[i]);
    }
}

/* ---- amounts ---- */

static void odd__amounts_are_repaired_count_nothing_and_are_listed(void **state)
{
    static const char *const amounts[] = {
        "{\"$numberInt\": \"5\"}", "{\"$numberLong\": \"7\"}", "{\"$numberDouble\": \"9.0\"}", "{\"$numberDecimal\": \"11\"}",
        "\"17\"", "null", "{\"$numberDouble\": \"NaN\"}", "{\"$numberDouble\": \"1.5\"}", "{\"$numberDecimal\": \"2.5\"}",
        "{\"$numberDouble\": \"Infinity\"}", "[1]", NULL};
    tf_fixture *f = *state;
    int count = 0;
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++, count++) {
        char json[300], amount[100] = "";
        if (amounts[i])
            snprintf(amount, sizeof amount, "\"total_amount\": %s, ", amounts[i]);
        snprintf(json, sizeof json,
                 "{\"_id\": %zu, \"npub\": \"npub1a\", \"mint_url\": \"m\", %s\"transaction_type\": \"melted\", \"status\": \"unspent\"}", i,
                 amount);
        tf_fixture_insert(f, "cashu_tokens", json);
    }
    least_role(f);
    tf_program *preview = tf_program_run(f, "preview", "--json", NULL);
    assert_exit(preview, 0);
    assert_int_equal(tf_program_number(preview, "data.stats.totalAmountAffected"), 32);
    goes_there_and_back(f, count, "5");
    assert_int_equal(tf_fixture_count(f, f->state_db, "batches", "{\"odd\": {\"$gt\": 0}}") > 0, true);
    TF_DOCS batches = {0};
    tf_documents_find(f, f->state_db, "batches", "{}", &batches);
    int64_t odd = 0;
    for (size_t i = 0; i < batches.count; i++) {
        bson_t view;
        bson_iter_t iter;
        tf_docs_view(&batches, i, &view);
        odd += bson_iter_init_find(&iter, &view, "odd") ? bson_iter_as_int64(&iter) : 0;
    }
    assert_int_equal(odd, 4 * 8); /* eight of them, in two ups and two downs */
}

static void odd__amounts_beyond_64_bits_stop_before_anything_is_written(void **state)
{
    tf_fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{\"_id\": %d, \"npub\": \"npub1a\", \"total_amount\": {\"$numberLong\": \"9223372036854775807\"},"
                 " \"transaction_type\": \"melted\", \"status\": \"unspent\"}",
                 i);
        tf_fixture_insert(f, "cashu_tokens", json);
    }
    tf_program *up = tf_up(f);
    assert_exit(up, 1);
    assert_string_equal(tf_program_text(up, "error.code"), "OVERFLOW");
    assert_int_equal(tf_tokens_wrong(f), 2);
}

static void odd__smallest_amount_is_counted_exactly(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "cashu_tokens",
                      "{\"_id\": 1, \"npub\": \"npub1a\", \"total_amount\": {\"$numberLong\": \"-9223372036854775808\"},"
                      " \"transaction_type\": \"melted\", \"status\": \"unspent\"}");
    goes_there_and_back(f, 1, "10");
}

/* ---- ids ---- */

static void odd__ids_of_every_type_pass_every_batch_boundary(void **state)
{
    static const int kinds[] = {0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21};
    tf_fixture *f = *state;
    tf_random random = tf_random_stream(5, 0);
    int count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds + 8; i++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        bson_t nested;
        size_t k = i - sizeof kinds / sizeof *kinds;
        if (i < sizeof kinds / sizeof *kinds)
            tf_odd_value_of(&random, &doc, "_id", 3, 9, kinds[i]);
        else if (k == 0)
            BSON_APPEND_MINKEY(&doc, "_id");
        else if (k == 1)
            BSON_APPEND_MAXKEY(&doc, "_id");
        else if (k == 2)
            bson_append_utf8(&doc, "_id", 3, "\xff\xfe", 2);
        else if (k == 3)
            bson_append_timestamp(&doc, "_id", 3, 0, 0);
        else {
            bson_append_document_begin(&doc, "_id", 3, &nested);
            bson_append_int32(&nested, k == 4 ? "" : k == 5 ? "a.b" : k == 6 ? "\xff" : "x", -1, 1);
            if (k == 7)
                bson_append_regex(&nested, "r", 1, "^a", "");
            bson_append_document_end(&doc, &nested);
        }
        append_defect(&doc, "npub1a");
        count += tf_documents_insert(f, NULL, "cashu_tokens", &doc);
    }
    assert_true(count >= 24);
    least_role(f);
    goes_there_and_back(f, count, "1");
    goes_there_and_back(f, count, "7");
}

/* ---- size and depth ---- */

static void odd__document_of_almost_16_mb_goes_there_and_back(void **state)
{
    tf_fixture *f = *state;
    enum { SIZE = (16 << 20) - 1024 };
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "_id", 1);
    append_defect(&doc, "npub1a");
    BSON_APPEND_INT32(&doc, "total_amount", 5);
    uint32_t padding = SIZE - doc.len - (1 + 4 + 4 + 1); /* type, "pad\0", length, subtype */
    uint8_t *bytes = calloc(1, padding);
    BSON_APPEND_BINARY(&doc, "pad", BSON_SUBTYPE_BINARY, bytes, padding);
    free(bytes);
    assert_int_equal(doc.len, SIZE);
    insert(f, &doc);
    tf_tokens_insert(f, 2, 3, "npub1b", "unspent");
    least_role(f);
    goes_there_and_back(f, 4, "1000");
}

static void odd__names_values_and_depth_come_back_to_the_byte(void **state)
{
    static const char *const names[] = {"", ".", "a.b", "$set", "$x", "\xff", "..", "status.x", "a"};
    tf_fixture *f = *state;
    int count = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++, count++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        bson_t nested;
        BSON_APPEND_INT32(&doc, "_id", (int)i);
        bson_append_utf8(&doc, names[i], -1, "\xed\xa0\x80", 3);
        append_defect(&doc, "npub1a");
        bson_append_document_begin(&doc, "metadata", -1, &nested);
        bson_append_int32(&nested, names[i], -1, 1);
        bson_append_int32(&nested, names[i], -1, 2); /* twice, where nothing is touched */
        bson_append_document_end(&doc, &nested);
        bson_append_int32(&doc, names[i], -1, 1);
        insert(f, &doc);
    }
    for (int depth = 170; depth <= 178; depth += 2, count++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        BSON_APPEND_INT32(&doc, "_id", depth);
        append_defect(&doc, "npub1a");
        tf_odd_deep(&doc, "deep", 4, depth);
        insert(f, &doc);
    }
    least_role(f);
    goes_there_and_back(f, count, "4");
}

/* ---- refused ---- */

static void odd__what_the_server_cannot_write_is_refused_and_it_stays_up(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_insert(f, 1, 5, "npub1a", "unspent");
    _cleanup_bson_ bson_t twice = BSON_INITIALIZER, inside = BSON_INITIALIZER;
    BSON_APPEND_INT32(&twice, "_id", 100);
    append_defect(&twice, "npub1a");
    BSON_APPEND_UTF8(&twice, "status", "unspent");
    insert(f, &twice);
    bson_t nested;
    BSON_APPEND_INT32(&inside, "_id", 101);
    BSON_APPEND_UTF8(&inside, "transaction_type", "melted");
    BSON_APPEND_UTF8(&inside, "status", "unspent");
    BSON_APPEND_DOCUMENT_BEGIN(&inside, "spent_at", &nested);
    BSON_APPEND_INT32(&nested, "x", 1);
    BSON_APPEND_INT32(&nested, "x", 2);
    bson_append_document_end(&inside, &nested);
    insert(f, &inside);
    tf_fixture_insert(f, "cashu_tokens", "{\"_id\": 102, \"transaction_type\": \"melted\", \"status\": \"unspent\", \"t\": 1}");
    tf_tokens_update(f, "{\"_id\": 102}", "[{\"$set\": {\"t\": {\"$literal\": {\"$timestamp\": {\"t\": 0, \"i\": 0}}}}}]");
    TF_DOCS before = {0}, after = {0};
    tf_documents_find(f, NULL, "cashu_tokens", "{\"_id\": {\"$gte\": 100}}", &before);
    for (size_t i = 0; i < 2; i++) {
        tf_program *up = tf_up(f, "--strategy", strategies[i]);
        assert_exit(up, 3);
        assert_true(tf_program_flag(up, "success"));
        assert_int_equal(tf_program_number(up, "data.affectedTokens"), 5);
        assert_int_equal(tf_program_number(up, "data.refused"), 3);
        tf_program *verify = tf_program_run(f, "verify", "--json", NULL);
        assert_exit(verify, 3);
        assert_int_equal(tf_program_number(verify, "data.refused"), 3);
        assert_int_equal(tf_program_number(verify, "data.remaining"), 0);
        for (int k = 0; k < 3; k++) {
            char path[40];
            snprintf(path, sizeof path, "data.refusedIds.%d", k);
            assert_int_equal(tf_program_number(verify, path), 100 + k);
        }
        tf_documents_find(f, NULL, "cashu_tokens", "{\"_id\": {\"$gte\": 100}}", &after);
        tf_documents_same(&after, &before, "refused");
        assert_exit(tf_down(f), 0);
    }
    bson_destroy(tf_fixture_command(f, "{\"ping\": 1}"));
}

/* A field that has to come before a name that stands there twice: the server could not log the difference. */
static void odd__order_that_cannot_be_given_back_is_a_conflict(void **state)
{
    tf_fixture *f = *state;
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER, now = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "_id", 1);
    BSON_APPEND_UTF8(&doc, "transaction_type", "melted");
    BSON_APPEND_UTF8(&doc, "status", "unspent");
    BSON_APPEND_INT32(&doc, "x", 1);
    BSON_APPEND_INT32(&doc, "x", 2);
    insert(f, &doc);
    assert_exit(tf_up(f), 0);
    TF_DOCS repaired = {0}, after = {0};
    bson_t view;
    bson_iter_t iter;
    tf_documents_read(f, NULL, "cashu_tokens", &repaired);
    tf_docs_view(&repaired, 0, &view);
    BSON_APPEND_INT32(&now, "_id", 1);
    assert_true(bson_iter_init_find(&iter, &view, "spent_at"));
    bson_append_iter(&now, "spent_at", -1, &iter);
    bson_copy_to_excluding_noinit(&view, &now, "_id", "spent_at", NULL);
    tf_documents_replace(f, NULL, "cashu_tokens", &now);
    tf_program *down = tf_down(f, "--on-conflict", "fields");
    assert_exit(down, 0);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    tf_docs_view(&after, 0, &view);
    assert_true(bson_equal(&view, &doc));
    tf_program *again = tf_down(f, tf_program_text(down, "data.run"));
    assert_exit(again, 3);
    assert_int_equal(tf_program_number(again, "data.conflicts"), 1);
    assert_has(tf_program_text(again, "data.conflictIds.0.reason"), "occurs twice");
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    tf_docs_view(&after, 0, &view);
    assert_true(bson_equal(&view, &doc));
}

/* ---- nothing to do ---- */

static void odd__empty_collection_and_empty_set_complete(void **state)
{
    tf_fixture *f = *state;
    bson_destroy(tf_fixture_command(f, "{\"create\": \"cashu_tokens\"}"));
    least_role(f);
    for (size_t i = 0; i < 2; i++) {
        tf_program *up = tf_up(f, "--strategy", strategies[i]);
        assert_exit(up, 0);
        assert_string_equal(tf_program_text(up, "data.state"), "completed");
        assert_int_equal(tf_program_number(up, "data.affectedTokens"), 0);
        assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
        tf_program *down = tf_down(f);
        assert_exit(down, 0);
        assert_int_equal(tf_program_number(down, "data.restoredTokens"), 0);
        tf_tokens_insert(f, 1000 * (int)(i + 1), 3, "npub1a", "spent");
    }
}

/* ---- a damaged backup ---- */

typedef struct damage {
    const char *name;
    const char *command; /* on the state database; RUN: its id */
    const char *says;
} damage;

static const damage damages[] = {
    {"missing", "{\"delete\": \"backup_RUN\", \"deletes\": [{\"q\": {\"_id\": 3}, \"limit\": 1}]}", "9 documents instead of 10"},
    {"altered", "{\"update\": \"backup_RUN\", \"updates\": [{\"q\": {\"_id\": 3}, \"u\": {\"$set\": {\"total_amount\": 11}}}]}", "altered"},
    {"added", "{\"insert\": \"backup_RUN\", \"documents\": [{\"_id\": 3.5}]}", "11 documents instead of 10"},
};

static void harm(tf_fixture *f, const char *command, const char *run)
{
    char json[300];
    bson_error_t error;
    const char *at = strstr(command, "RUN");
    assert_non_null(at);
    snprintf(json, sizeof json, "%.*s%s%s", (int)(at - command), command, run, at + 3);
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(doc);
    if (!mongoc_client_command_simple(f->client, f->state_db, doc, NULL, NULL, &error))
        fail_msg("%s: %s", json, error.message);
}

static void begin_damaged(tf_fixture *f, const char *strategy, char *run, size_t size)
{
    tf_tokens_insert(f, 1, 25, "npub1a", "unspent");
    tf_program *up = tf_up_in_three(f, "--strategy", strategy);
    snprintf(run, size, "%s", tf_program_text(up, "data.run"));
}

static void give_back_all_but_one_batch(tf_fixture *f, const damage *d, const char *strategy)
{
    char run[64];
    begin_damaged(f, strategy, run, sizeof run);
    harm(f, d->command, run);
    tf_program *down = tf_down(f);
    assert_exit(down, 3);
    assert_true(tf_program_flag(down, "success"));
    assert_int_equal(tf_program_number(down, "data.restoredTokens"), 15);
    assert_int_equal(tf_program_number(down, "data.conflicts"), 10);
    assert_has(tf_program_text(down, "data.conflictIds.0.reason"), "batch 1 of partition 0");
    assert_has(tf_program_text(down, "data.conflictIds.0.reason"), run);
    assert_has(tf_program_text(down, "data.conflictIds.0.reason"), d->says);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": {\"$lte\": 10}, \"status\": \"spent\"}"), 10);
    assert_int_equal(tf_fixture_count(f, NULL, "cashu_tokens", "{\"_id\": {\"$gt\": 10}, \"status\": \"unspent\"}"), 15);
    tf_program *undone = tf_down(f, tf_program_text(down, "data.run"));
    if (undone->status != 0)
        fail_msg("%s: exit %d: %s", d->name, undone->status, undone->out);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void run_damage(void **state, size_t i)
{
    tf_fixture *f = *state;
    give_back_all_but_one_batch(f, &damages[i], i == 1 ? "journal" : "transaction");
}

static void damage__of_a_missing_backup_document_keeps_one_batch_back(void **state)
{
    run_damage(state, 0);
}

static void damage__of_an_altered_backup_document_keeps_one_batch_back(void **state)
{
    run_damage(state, 1);
}

static void damage__of_an_added_backup_document_keeps_one_batch_back(void **state)
{
    run_damage(state, 2);
}

static void damage__of_a_missing_record_keeps_one_batch_back(void **state)
{
    tf_fixture *f = *state;
    char run[64];
    begin_damaged(f, "transaction", run, sizeof run);
    harm(f, "{\"delete\": \"batches\", \"deletes\": [{\"q\": {\"run\": \"RUN\", \"seq\": 2}, \"limit\": 1}]}", run);
    tf_program *down = tf_down(f);
    assert_exit(down, 3);
    assert_int_equal(tf_program_number(down, "data.restoredTokens"), 15);
    assert_has(tf_program_text(down, "data.conflictIds.0.reason"), "its record is missing");
    assert_exit(tf_down(f, tf_program_text(down, "data.run")), 0);
    assert_int_equal(tf_tokens_wrong(f), 0);
}

static void damage__of_the_whole_backup_stops_down_before_it_begins(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    int64_t runs = tf_runs(f);
    harm(f, "{\"drop\": \"backup_RUN\"}", tf_program_text(up, "data.run"));
    tf_program *down = tf_down(f);
    assert_exit(down, 1);
    assert_string_equal(tf_program_text(down, "error.message"), "No backup data found - cannot rollback safely");
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_int_equal(tf_runs(f), runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(odd__amounts_are_repaired_count_nothing_and_are_listed),
        TF_FIXTURE_TEST(odd__amounts_beyond_64_bits_stop_before_anything_is_written),
        TF_FIXTURE_TEST(odd__smallest_amount_is_counted_exactly),
        TF_FIXTURE_TEST(odd__ids_of_every_type_pass_every_batch_boundary),
        TF_FIXTURE_TEST(odd__document_of_almost_16_mb_goes_there_and_back),
        TF_FIXTURE_TEST(odd__names_values_and_depth_come_back_to_the_byte),
        TF_FIXTURE_TEST(odd__what_the_server_cannot_write_is_refused_and_it_stays_up),
        TF_FIXTURE_TEST(odd__order_that_cannot_be_given_back_is_a_conflict),
        TF_FIXTURE_TEST(odd__empty_collection_and_empty_set_complete),
        TF_FIXTURE_TEST(damage__of_a_missing_backup_document_keeps_one_batch_back),
        TF_FIXTURE_TEST(damage__of_an_altered_backup_document_keeps_one_batch_back),
        TF_FIXTURE_TEST(damage__of_an_added_backup_document_keeps_one_batch_back),
        TF_FIXTURE_TEST(damage__of_a_missing_record_keeps_one_batch_back),
        TF_FIXTURE_TEST(damage__of_the_whole_backup_stops_down_before_it_begins),
    };
    return cmocka_run_group_tests_name("odd_documents", tests, NULL, NULL);
}
