/*
 * Somebody altered the records of a finished run: `verify` says so, and `down` gives back only what is proven to be what was taken. A
 * batch that is not is left alone as a whole, and listed. tests/integration/test_verify.c has each comparison alone.
 */
#include "fault/fault.h"
#include "support/documents.h"

enum { TOKENS_HERE = 25, BATCH = 10 };

typedef struct scene {
    tf_fixture *f;
    char backup[96];
} scene;

/* ---- what was altered ---- */

static void change(const scene *s, const char *collection, const char *filter, const char *update)
{
    char json[600];
    bson_error_t error;
    bson_t reply;
    snprintf(json, sizeof json, "{\"update\": \"%s\", \"updates\": [{\"q\": %s, \"u\": %s}]}", collection, filter,
             update);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(command);
    if (!mongoc_client_command_simple(s->f->client, s->f->state_db, command, NULL, &reply, &error))
        fail_msg("%s", error.message);
    assert_int_equal(fault_number(&reply, "n"), 1);
    bson_destroy(&reply);
}

static void lose(const scene *s, const char *collection, const char *filter)
{
    TF_DOCS docs = {0};
    bson_t view;
    tf_documents_find(s->f, s->f->state_db, collection, filter, &docs);
    assert_true(docs.count > 0);
    tf_docs_view(&docs, 0, &view);
    tf_documents_delete(s->f, s->f->state_db, collection, &view);
}

static void add(const scene *s, double id)
{
    _cleanup_(bson_destroyp) bson_t *doc =
        BCON_NEW("_id", BCON_DOUBLE(id), "npub", "npub1anna", "mint_url", "https://mint", "total_amount",
                 BCON_INT32(10), "status", "unspent", "transaction_type", "melted");
    assert_true(tf_documents_insert(s->f, s->f->state_db, s->backup, doc));
}

static void alter_a_secret(const scene *s)
{
    change(s, s->backup, "{\"_id\": 12}", "{\"$set\": {\"proofs.0.secret\": \"mine\"}}");
}

static void alter_an_amount(const scene *s)
{
    change(s, s->backup, "{\"_id\": 12}", "{\"$set\": {\"total_amount\": 1000}}");
}

static void alter_a_type(const scene *s)
{
    change(s, s->backup, "{\"_id\": 12}", "[{\"$set\": {\"total_amount\": {\"$toLong\": \"$total_amount\"}}}]");
}

static void alter_the_order(const scene *s)
{
    change(s, s->backup, "{\"_id\": 12}", "{\"$rename\": {\"npub\": \"other\"}}");
    change(s, s->backup, "{\"_id\": 12}", "{\"$rename\": {\"other\": \"npub\"}}");
}

static void remove_a_document(const scene *s)
{
    lose(s, s->backup, "{\"_id\": 12}");
}

static void add_a_document(const scene *s)
{
    add(s, 12.5);
}

static void add_a_document_beyond_all(const scene *s)
{
    add(s, 1000000);
}

static void exchange_a_document(const scene *s)
{
    lose(s, s->backup, "{\"_id\": 12}");
    add(s, 12.5);
}

/* The first and the second change places: number and id, nothing else. */
static void reorder_the_batches(const scene *s)
{
    TF_DOCS records = {0};
    tf_documents_read(s->f, s->f->state_db, "batches", &records);
    assert_int_equal(records.count, 3);
    for (int i = 0; i < 2; i++)
        lose(s, "batches", i ? "{\"seq\": 2}" : "{\"seq\": 1}");
    for (size_t i = 0; i < 2; i++) {
        bson_t mine, other;
        bson_iter_t iter;
        _cleanup_bson_ bson_t moved = BSON_INITIALIZER;
        tf_docs_view(&records, i, &mine);
        tf_docs_view(&records, 1 - i, &other);
        assert_true(bson_iter_init(&iter, &mine));
        while (bson_iter_next(&iter)) {
            const char *key = bson_iter_key(&iter);
            bson_iter_t theirs;
            bool taken =
                (strcmp(key, "_id") == 0 || strcmp(key, "seq") == 0) && bson_iter_init_find(&theirs, &other, key);
            bson_append_iter(&moved, key, -1, taken ? &theirs : &iter);
        }
        assert_true(tf_documents_insert(s->f, s->f->state_db, "batches", &moved));
    }
}

static void exchange_two_ranges(const scene *s)
{
    change(s, "batches", "{\"seq\": 1}", "{\"$set\": {\"upto\": {\"v\": 9}}}");
}

static void lose_a_record(const scene *s)
{
    lose(s, "batches", "{\"seq\": 2}");
}

static void cut_the_first_event(const scene *s)
{
    lose(s, "events", "{\"type\": \"up_started\"}");
}

static void cut_an_event_in_the_middle(const scene *s)
{
    lose(s, "events", "{\"type\": \"resumed\"}");
}

static void cut_the_last_event(const scene *s)
{
    lose(s, "events", "{\"type\": \"up_completed\"}");
}

static void reorder_the_events(const scene *s)
{
    TF_DOCS events = {0};
    tf_documents_find(s->f, s->f->state_db, "events", "{\"type\": {\"$in\": [\"interrupted\", \"resumed\"]}}", &events);
    assert_true(events.count >= 2);
    for (size_t i = 0; i < 2; i++) {
        bson_t mine, other;
        bson_iter_t iter;
        tf_docs_view(&events, i, &mine);
        tf_docs_view(&events, 1 - i, &other);
        _cleanup_bson_ bson_t moved = BSON_INITIALIZER;
        assert_true(bson_iter_init_find(&iter, &other, "_id") && bson_append_iter(&moved, "_id", 3, &iter));
        bson_copy_to_excluding_noinit(&mine, &moved, "_id", NULL);
        tf_documents_replace(s->f, s->f->state_db, "events", &moved);
    }
}

typedef struct tampering {
    const char *name;
    void (*apply)(const scene *s);
    const char *check; /* one of the findings */
    int withheld;      /* documents of batches that `down` does not believe */
} tampering;

static const tampering tamperings[] = {
    {"a secret altered in the backup", alter_a_secret, "backup_hash", BATCH},
    {"an amount altered in the backup", alter_an_amount, "backup_hash", BATCH},
    {"a type altered in the backup", alter_a_type, "backup_hash", BATCH},
    {"the order of fields altered in the backup", alter_the_order, "backup_hash", BATCH},
    {"a document removed from the backup", remove_a_document, "backup_count", BATCH},
    {"a document added to the backup", add_a_document, "backup_count", BATCH},
    {"a document added to the backup, beyond all batches", add_a_document_beyond_all, "backup_count", 0},
    {"a document of the backup exchanged", exchange_a_document, "backup_hash", BATCH},
    {"batches reordered", reorder_the_batches, "batch_chain", 0},
    {"a batch's range made smaller", exchange_two_ranges, "backup_count", BATCH},
    {"a batch's record removed", lose_a_record, "batch_numbers", BATCH},
    {"the first event cut off", cut_the_first_event, "event_hash", 0},
    {"an event cut out of the middle", cut_an_event_in_the_middle, "event_hash", 0},
    {"the last event cut off", cut_the_last_event, "seal", 0},
    {"events reordered", reorder_the_events, "event_hash", 0},
};
enum { TAMPERINGS = sizeof tamperings / sizeof *tamperings };

/* ---- what is made of it ---- */

static bool has_finding(const tf_program *p, const char *check)
{
    char path[48];
    for (int i = 0;; i++) {
        snprintf(path, sizeof path, "data.findings.%d.check", i);
        if (!tf_program_has(p, path))
            return false;
        if (strcmp(tf_program_text(p, path), check) == 0)
            return true;
    }
}

static void assert_detected(const tampering *t, const tf_program *p)
{
    if (p->status != 3 || tf_program_flag(p, "data.ok") || !has_finding(p, t->check))
        fail_msg("%s: verify says: exit %d: %s\n%s", t->name, p->status, p->out, p->err);
}

/* Each document is as it was, or as it was found: nothing that was tampered with is given back. */
static void assert_given_back(const tampering *t, const tf_program *p, const tf_docs *before, const tf_docs *repaired,
                              const tf_docs *after)
{
    int left = 0;
    assert_int_equal(after->count, before->count);
    for (size_t i = 0; i < after->count; i++) {
        bool original = tf_docs_same(after, i, before, i), same = tf_docs_same(after, i, repaired, i);
        if (!original && !same)
            fail_msg("%s: a document was given back that never was: %s", t->name, p->out);
        left += same;
    }
    if (left != t->withheld || p->status != (left ? 3 : 0))
        fail_msg("%s: down: exit %d, %d documents left: %s\n%s", t->name, p->status, left, p->out, p->err);
    if (left)
        assert_has(tf_program_text(p, "data.conflictIds.0.reason"), "batch");
}

static void try_tampering(tf_fixture *f, const tampering *t, bool journal)
{
    TF_DOCS before = {0}, repaired = {0}, after = {0};
    scene s = {.f = f};
    const char *strategy = journal ? "journal" : "transaction";
    tf_tokens_insert(f, 1, TOKENS_HERE, "npub1anna", "unspent");
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    tf_program *up = tf_up_in_three(f, "--strategy", strategy);
    snprintf(s.backup, sizeof s.backup, "backup_%s", tf_program_text(up, "data.run"));
    tf_documents_read(f, NULL, "cashu_tokens", &repaired);
    assert_exit(tf_program_run(f, "verify", "--json", NULL), 0);
    t->apply(&s);
    assert_detected(t, tf_program_run(f, "verify", "--json", NULL));
    tf_program *down = tf_down(f, "--strategy", strategy);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    assert_given_back(t, down, &before, &repaired, &after);
}

static void tampering__is_detected_and_never_given_back(void **state)
{
    tf_fixture *f = *state;
    tf_series s = tf_series_begin(
        "is_detected",
        "backup altered, removed, added; batches reordered; event chain cut: each detected, none given back",
        2 * TAMPERINGS, 2 * TAMPERINGS);
    while (tf_series_next(&s)) {
        fault_clear(f);
        try_tampering(f, &tamperings[s.at / 2 % TAMPERINGS], s.at % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(tampering__is_detected_and_never_given_back)};
    return cmocka_run_group_tests_name("tampering", tests, NULL, NULL);
}
