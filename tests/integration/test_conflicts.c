/*
 * What `down` makes of documents that others changed since `up`: each kind of change, by each policy and strategy. And
 * the ways that ups and downs follow one another.
 */
#include "support/documents.h"
#include "support/engine.h"
#include "support/tokens.h"

typedef enum { RESTORED, BY_FIELDS, ALREADY, LEFT, DELETED } fate;

typedef struct change {
    const char *name;
    const char *update; /* of the token with this row's number; NULL: none */
    fate skip, fields;
    const char *reason; /* of the conflict */
} change;

static const change changes[] = {
    {"not changed", NULL, RESTORED, RESTORED, NULL},
    {"touched field", "{\"$set\": {\"status\": \"failed\"}}", LEFT, LEFT, "status"},
    {"spent again", "{\"$set\": {\"spent_at\": {\"$date\": \"2030-01-01T00:00:00Z\"}}}", LEFT, LEFT, "spent_at"},
    {"type of a touched field", "[{\"$set\": {\"spent_at\": {\"$toLong\": \"$spent_at\"}}}]", LEFT, LEFT, "spent_at"},
    {"touched field removed", "{\"$unset\": {\"spent_at\": 1}}", LEFT, LEFT, "spent_at"},
    {"other field", "{\"$set\": {\"note\": \"mine\"}}", LEFT, BY_FIELDS, "other fields"},
    {"type of another field", "[{\"$set\": {\"total_amount\": {\"$toLong\": \"$total_amount\"}}}]", LEFT, BY_FIELDS, "other fields"},
    {"order of fields", "[{\"$replaceWith\": {\"$mergeObjects\": [{\"_id\": \"$_id\", \"updatedAt\": \"$updatedAt\"}, \"$$ROOT\"]}}]", LEFT,
     BY_FIELDS, "other fields"},
    {"update time", "{\"$set\": {\"updatedAt\": {\"$date\": \"2030-01-01T00:00:00Z\"}}}", LEFT, BY_FIELDS, "other fields"},
    {"given back already",
     "{\"$set\": {\"status\": \"unspent\", \"spent_at\": null, \"updatedAt\": {\"$date\": \"2024-01-02T03:04:05Z\"}}}", ALREADY, ALREADY,
     NULL},
    {"deleted", NULL, DELETED, DELETED, "deleted since"},
};
enum { CHANGES = sizeof changes / sizeof *changes };

typedef struct variant {
    const char *strategy;
    bool fields, recreate;
} variant;

static void change_all(tf_fixture *f)
{
    for (int i = 0; i < CHANGES; i++) {
        char filter[40];
        snprintf(filter, sizeof filter, "{\"_id\": %d}", i + 1);
        if (changes[i].update)
            tf_tokens_update(f, filter, changes[i].update);
        else if (changes[i].skip == DELETED)
            tf_tokens_delete(f, filter);
    }
}

static const uint8_t *value_of(const bson_t *doc, const char *name, uint32_t *length)
{
    static _Thread_local bson_t value = BSON_INITIALIZER;
    bson_iter_t iter;
    bson_reinit(&value);
    if (bson_iter_init_find(&iter, doc, name))
        bson_append_iter(&value, "v", 1, &iter);
    *length = value.len;
    return bson_get_data(&value);
}

static bool same_value(const bson_t *a, const bson_t *b, const char *name)
{
    uint8_t copy[1024];
    uint32_t n, m;
    const uint8_t *x = value_of(a, name, &n);
    assert_true(n <= sizeof copy);
    memcpy(copy, x, n);
    x = value_of(b, name, &m);
    return n == m && memcmp(copy, x, n) == 0;
}

/* The touched fields that held what the repair wrote are back; everything else is as the others left it. */
static void assert_by_fields(const char *name, const bson_t *after, const bson_t *now, const bson_t *before, const bson_t *repaired)
{
    static const char *const touched[] = {"status", "spent_at", "updatedAt"};
    bson_iter_t a, b;
    assert_true(bson_iter_init(&a, after) && bson_iter_init(&b, now));
    while (bson_iter_next(&a)) {
        const char *key = bson_iter_key(&a);
        bool ours = false;
        assert_true(bson_iter_next(&b));
        if (strcmp(key, bson_iter_key(&b)) != 0)
            fail_msg("%s: the order changed at %s", name, key);
        for (size_t i = 0; i < 3; i++)
            ours = ours || (strcmp(key, touched[i]) == 0 && same_value(now, repaired, key));
        if (!same_value(after, ours ? before : now, key))
            fail_msg("%s: %s is not as it must be: %s", name, key, tf_document_text(after));
    }
    assert_false(bson_iter_next(&b));
}

static const bson_t *find(const tf_docs *docs, int id, bson_t *view)
{
    _cleanup_(bson_destroyp) bson_t *key = BCON_NEW("_id", BCON_INT32(id));
    long at = tf_docs_find_id(docs, key, 0);
    if (at < 0)
        return NULL;
    tf_docs_view(docs, (size_t)at, view);
    return view;
}

static void assert_fate(int i, fate expected, bool recreate, const tf_docs *before, const tf_docs *repaired, const tf_docs *now,
                        const tf_docs *after)
{
    bson_t was_view, should_view, is_view, got_view;
    const bson_t *was = find(before, i + 1, &was_view), *should = find(repaired, i + 1, &should_view);
    const bson_t *is = find(now, i + 1, &is_view), *got = find(after, i + 1, &got_view);
    const bson_t *wanted = expected == LEFT ? is : expected == DELETED && !recreate ? NULL : was;
    if (expected == BY_FIELDS) {
        assert_non_null(got);
        assert_by_fields(changes[i].name, got, is, was, should);
    } else if (!wanted != !got || (wanted && !bson_equal(wanted, got)))
        fail_msg("%s: it is %s", changes[i].name, got ? tf_document_text(got) : "gone");
}

static const char *reason_for(const tf_program *p, int id)
{
    for (int k = 0; k < CHANGES; k++) {
        char path[60];
        snprintf(path, sizeof path, "data.conflictIds.%d._id", k);
        if (!tf_program_has(p, path))
            return NULL;
        bool found = tf_program_number(p, path) == id;
        snprintf(path, sizeof path, "data.conflictIds.%d.reason", k);
        if (found)
            return tf_program_text(p, path);
    }
    return NULL;
}

static int count_fates(bool fields, fate wanted)
{
    int count = 0;
    for (int i = 0; i < CHANGES; i++)
        count += (fields ? changes[i].fields : changes[i].skip) == wanted;
    return count;
}

static void try_variant(tf_fixture *f, const variant *v)
{
    TF_DOCS before = {0}, repaired = {0}, now = {0}, after = {0};
    tf_tokens_insert(f, 1, CHANGES, "npub1anna", "unspent");
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    assert_exit(tf_up(f, "--strategy", v->strategy), 0);
    tf_documents_read(f, NULL, "cashu_tokens", &repaired);
    change_all(f);
    tf_documents_read(f, NULL, "cashu_tokens", &now);
    tf_program *p = v->recreate ? tf_down(f, "--strategy", v->strategy, "--on-conflict", v->fields ? "fields" : "skip", "--recreate-deleted")
                                : tf_down(f, "--strategy", v->strategy, "--on-conflict", v->fields ? "fields" : "skip");
    assert_exit(p, 3);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    int deleted = v->recreate ? 0 : count_fates(v->fields, DELETED);
    assert_true(tf_program_flag(p, "success"));
    assert_int_equal(tf_program_number(p, "data.conflicts"), count_fates(v->fields, LEFT) + deleted);
    assert_int_equal(tf_program_number(p, "data.alreadyOriginal"), count_fates(v->fields, ALREADY));
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), count_fates(v->fields, RESTORED) + count_fates(v->fields, BY_FIELDS));
    assert_int_equal(tf_program_number(p, "data.deleted"), deleted);
    assert_int_equal(tf_program_number(p, "data.recreated"), v->recreate);
    assert_int_equal(tf_program_number(p, "data.verification.ledger.unexplained"), 0);
    assert_false(tf_program_has(p, "data.verification.findings.0"));
    for (int i = 0; i < CHANGES; i++) {
        fate expected = v->fields ? changes[i].fields : changes[i].skip;
        bool conflict = expected == LEFT || (expected == DELETED && !v->recreate);
        const char *reason = reason_for(p, i + 1);
        assert_fate(i, expected, v->recreate, &before, &repaired, &now, &after);
        if (conflict)
            assert_has(reason, changes[i].reason);
        else
            assert_null(reason);
    }
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"up\", \"state\": \"rolled_back_with_conflicts\"}"), 1);
    tf_program *verify = tf_program_run(f, "verify", tf_program_text(p, "data.run"), "--json", NULL);
    assert_exit(verify, 3); /* conflicts */
    assert_false(tf_program_has(verify, "data.findings.0"));
    assert_int_equal(tf_program_number(verify, "data.ledger.unexplained"), 0);
    assert_int_equal(tf_program_number(verify, "data.changedLater") + tf_program_number(verify, "data.missing"), 0);
}

#define VARIANT(name, ...)                                                                                                                 \
    static void name(void **state)                                                                                                         \
    {                                                                                                                                      \
        try_variant(*state, &(variant){__VA_ARGS__});                                                                                      \
    }

VARIANT(conflicts__are_left_alone, "transaction", false, false)
VARIANT(conflicts__are_left_alone_by_the_journal, "journal", false, false)
VARIANT(conflicts__are_left_alone_and_deleted_ones_made_again, "transaction", false, true)
VARIANT(conflicts__are_left_alone_and_deleted_ones_made_again_by_the_journal, "journal", false, true)
VARIANT(conflicts__by_fields, "transaction", true, false)
VARIANT(conflicts__by_fields_by_the_journal, "journal", true, false)
VARIANT(conflicts__by_fields_and_deleted_ones_made_again, "transaction", true, true)
VARIANT(conflicts__by_fields_and_deleted_ones_made_again_by_the_journal, "journal", true, true)

static void conflicts__left_alone_can_be_given_back_by_a_second_down(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_insert(f, 1, 5, "npub1anna", "unspent");
    tf_program *up = tf_up(f);
    assert_exit(up, 0);
    tf_tokens_update(f, "{\"_id\": 2}", "{\"$set\": {\"note\": \"mine\"}}");
    tf_tokens_delete(f, "{\"_id\": 3}");
    assert_exit(tf_down(f), 3);
    tf_program *p = tf_down(f, tf_program_text(up, "data.run"), "--on-conflict", "fields", "--recreate-deleted");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 1);
    assert_int_equal(tf_program_number(p, "data.recreated"), 1);
    assert_int_equal(tf_program_number(p, "data.alreadyOriginal"), 3);
    assert_int_equal(tf_tokens_wrong(f), 5);
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{\"direction\": \"up\", \"state\": \"rolled_back\"}"), 1);
}

/* ---- the order of runs; under the printed role ---- */

static void least_role(tf_fixture *f)
{
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", NULL);
    snprintf(f->uri, sizeof f->uri, "%s", login);
}

static void order__down_before_up_has_no_backup(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    least_role(f);
    tf_program *p = tf_down(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.message"), "No backup data found - cannot rollback safely");
    assert_int_equal(tf_runs(f), 0);
}

static void order__second_down_says_that_it_was_rolled_back(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    least_role(f);
    assert_exit(tf_up(f), 0);
    assert_exit(tf_down(f), 0);
    int64_t runs = tf_runs(f);
    tf_program *p = tf_down(f);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    assert_has(tf_program_text(p, "error.message"), "already rolled back");
    assert_int_equal(tf_runs(f), runs);
    assert_int_equal(tf_tokens_original(f), 7);
}

static void order__down_of_a_down_of_a_down_gives_back_again(void **state)
{
    tf_fixture *f = *state;
    TF_DOCS before = {0}, repaired = {0}, after = {0};
    tf_tokens_sample(f, 12);
    least_role(f);
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    assert_exit(tf_up(f, "--batch-size", "5"), 0);
    tf_documents_read(f, NULL, "cashu_tokens", &repaired);
    tf_program *last = tf_down(f, "--batch-size", "3");
    for (int i = 0; i < 3; i++) {
        assert_exit(last, 0);
        assert_int_equal(tf_program_number(last, "data.restoredTokens"), 12);
        tf_documents_read(f, NULL, "cashu_tokens", &after);
        tf_documents_same(&after, i % 2 ? &repaired : &before, "chain of downs");
        assert_exit(tf_program_run(f, "verify", tf_program_text(last, "data.run"), "--json", NULL), 0);
        if (i < 2)
            last = tf_down(f, tf_program_text(last, "data.run"), "--batch-size", i ? "7" : "2", "--strategy", i ? "journal" : "transaction");
    }
}

static void order__again_repairs_what_appeared_and_each_is_taken_back_alone(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 5);
    least_role(f);
    tf_program *first = tf_up(f);
    assert_exit(first, 0);
    tf_program *again = tf_up(f);
    assert_exit(again, 1);
    assert_string_equal(tf_program_text(again, "error.message"), "Migration has already been completed");
    tf_tokens_insert(f, 50, 3, "npub1carl", "unspent");
    again = tf_up(f, "--again");
    assert_exit(again, 0);
    assert_int_equal(tf_program_number(again, "data.affectedTokens"), 3);
    tf_program *down = tf_down(f);
    assert_exit(down, 0);
    assert_string_equal(tf_program_text(down, "data.restores"), tf_program_text(again, "data.run"));
    assert_int_equal(tf_tokens_wrong(f), 3);
    down = tf_down(f);
    assert_exit(down, 0);
    assert_string_equal(tf_program_text(down, "data.restores"), tf_program_text(first, "data.run"));
    assert_int_equal(tf_tokens_wrong(f), 8);
    assert_exit(tf_down(f), 1);
}

static void order__interrupted_up_is_taken_back_as_far_as_it_came(void **state)
{
    tf_fixture *f = *state;
    tf_tokens_sample(f, 25);
    least_role(f);
    assert_exit(tf_up(f, "--canary", "10"), 7);
    assert_int_equal(tf_tokens_wrong(f), 15);
    tf_program *p = tf_down(f);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 10);
    assert_int_equal(tf_tokens_original(f), 27);
    tf_program *undone = tf_down(f, tf_program_text(p, "data.run")); /* interrupted again, and resumable */
    assert_exit(undone, 0);
    assert_int_equal(tf_tokens_wrong(f), 15);
    tf_program *up = tf_up(f, "--resume");
    assert_exit(up, 0);
    assert_int_equal(tf_program_number(up, "data.affectedTokens"), 25);
    assert_int_equal(tf_tokens_wrong(f), 0);
    assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
}

static void order__canary_resumed_and_taken_back(void **state)
{
    tf_fixture *f = *state;
    TF_DOCS before = {0}, after = {0};
    tf_tokens_sample(f, 25);
    least_role(f);
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    tf_program *canary = tf_up(f, "--canary", "7", "--strategy", "journal");
    assert_exit(canary, 7);
    tf_program *up = tf_up(f, "--resume");
    assert_exit(up, 0);
    assert_int_equal(tf_program_number(up, "data.affectedTokens"), 25);
    assert_int_equal(tf_program_number(up, "data.verification.equal"), 25);
    assert_exit(tf_down(f), 0);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    tf_documents_same(&after, &before, "canary, resume, down");
}

/* As after a replica set's member was started alone: nothing is taken over, and with transactions the run goes on. */
static void order__resume_needs_the_transactions_it_began_with(void **state)
{
    tf_fixture *f = *state;
    tf_host host;
    TF_OUTCOME out = {.run = ""};
    tf_error err = {0};
    tf_tokens_sample(f, 25);
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", NULL);
    assert_exit(tf_up(f, "--canary", "10"), 7);
    tf_host_open(&host, f, login);
    host.engine.settings = (tf_settings){.resume = true};
    host.client.facts.transactions = false;
    assert_false((tf_up)(&host.engine, &out, &err));
    assert_int_equal(err.code, TF_ERR_UNSUPPORTED);
    host.client.facts.transactions = true;
    tf_host_run(&host, (tf_up), host.engine.settings, &out);
    assert_int_equal(out.documents, 25);
    tf_host_close(&host);
}

static void order__down_by_journal_where_there_are_no_transactions_any_more(void **state)
{
    tf_fixture *f = *state;
    tf_host host;
    TF_OUTCOME out = {.run = ""}, down = {.run = ""};
    tf_error err = {0};
    tf_tokens_fill(f, 25);
    assert_exit(tf_up(f), 0);
    tf_host_open(&host, f, tf_fixture_login(f, "run", "cashu_tokens", NULL));
    host.client.facts.transactions = false;
    assert_false((tf_down)(&host.engine, &out, &err));
    assert_int_equal(err.code, TF_ERR_UNSUPPORTED);
    tf_host_run(&host, (tf_down), (tf_settings){.strategy = "journal"}, &down);
    assert_int_equal(down.documents, 25);
    assert_int_equal(tf_tokens_original(f), 27);
    tf_host_close(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(conflicts__are_left_alone),
        TF_FIXTURE_TEST(conflicts__are_left_alone_by_the_journal),
        TF_FIXTURE_TEST(conflicts__are_left_alone_and_deleted_ones_made_again),
        TF_FIXTURE_TEST(conflicts__are_left_alone_and_deleted_ones_made_again_by_the_journal),
        TF_FIXTURE_TEST(conflicts__by_fields),
        TF_FIXTURE_TEST(conflicts__by_fields_by_the_journal),
        TF_FIXTURE_TEST(conflicts__by_fields_and_deleted_ones_made_again),
        TF_FIXTURE_TEST(conflicts__by_fields_and_deleted_ones_made_again_by_the_journal),
        TF_FIXTURE_TEST(conflicts__left_alone_can_be_given_back_by_a_second_down),
        TF_FIXTURE_TEST(order__down_before_up_has_no_backup),
        TF_FIXTURE_TEST(order__second_down_says_that_it_was_rolled_back),
        TF_FIXTURE_TEST(order__down_of_a_down_of_a_down_gives_back_again),
        TF_FIXTURE_TEST(order__again_repairs_what_appeared_and_each_is_taken_back_alone),
        TF_FIXTURE_TEST(order__interrupted_up_is_taken_back_as_far_as_it_came),
        TF_FIXTURE_TEST(order__canary_resumed_and_taken_back),
        TF_FIXTURE_TEST(order__resume_needs_the_transactions_it_began_with),
        TF_FIXTURE_TEST(order__down_by_journal_where_there_are_no_transactions_any_more),
    };
    return cmocka_run_group_tests_name("conflicts", tests, NULL, NULL);
}
