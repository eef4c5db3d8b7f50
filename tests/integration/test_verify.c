/*
 * Each comparison of the proof, alone: the intact run is proven, then one thing is altered so that nothing else can
 * notice (hashes that would are computed anew), and exactly that finding appears.
 */
#include "base/hash.h"
#include "support/documents.h"
#include "support/tokens.h"

enum { TOKENS = 25, BATCH = 10 };

typedef struct scene {
    tf_fixture *f;
    char run[64], backup[96];
} scene;

/* ---- the state database, rewritten ---- */

/* Without a field, or with another value in its place; the caller destroys. */
static bson_t *with(const bson_t *doc, const char *name, const bson_t *value)
{
    bson_iter_t iter, v;
    bson_t *out = bson_new();
    assert_true(bson_iter_init(&iter, doc));
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), name) != 0)
            bson_append_iter(out, NULL, 0, &iter);
        else if (value && bson_iter_init(&v, value) && bson_iter_next(&v))
            bson_append_iter(out, name, -1, &v);
    return out;
}

static bson_t *binary(const uint8_t hash[32])
{
    return BCON_NEW("v", BCON_BIN(BSON_SUBTYPE_BINARY, hash, 32));
}

static void put(const scene *s, const char *collection, bson_t *owned)
{
    tf_documents_replace(s->f, s->f->state_db, collection, owned);
    bson_destroy(owned);
}

static void hash_of(const bson_t *doc, uint8_t hash[32])
{
    tf_sha256_of(bson_get_data(doc), doc->len, hash);
}

static bson_t *find_one(const scene *s, const char *collection, const char *filter, size_t i)
{
    TF_DOCS docs = {0};
    bson_t view;
    tf_documents_find(s->f, s->f->state_db, collection, filter, &docs);
    assert_true(docs.count > i);
    tf_docs_view(&docs, i, &view);
    return bson_copy(&view);
}

static bson_t *record(const scene *s, size_t i)
{
    return find_one(s, "batches", "{}", i);
}

/* Writes an event so that its own hash fits. */
static void put_event(const scene *s, const bson_t *event)
{
    uint8_t hash[32];
    _cleanup_(bson_destroyp) bson_t *content = with(event, "hash", NULL);
    hash_of(content, hash);
    BSON_APPEND_BINARY(content, "hash", BSON_SUBTYPE_BINARY, hash, 32);
    put(s, "events", bson_copy(content));
}

static bson_t *closing_event(const scene *s)
{
    return find_one(s, "events", "{\"type\": \"up_completed\"}", 0);
}

/* The closing event with other data: {…} of partitions and backup. */
static void seal(const scene *s, int64_t seq, const uint8_t hash[32], int64_t backup)
{
    _cleanup_(bson_destroyp) bson_t *event = closing_event(s);
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("data", "{", "partitions", "[", "{", "n", BCON_INT32(0), "seq", BCON_INT64(seq), "hash",
                 BCON_BIN(BSON_SUBTYPE_BINARY, hash, 32), "}", "]", "backup", BCON_INT64(backup), "}");
    _cleanup_(bson_destroyp) bson_t *changed = with(event, "data", data);
    put_event(s, changed);
}

/* Links every record behind the i-th to the one before it, and the seal to the last. */
static void relink(const scene *s, size_t i)
{
    TF_DOCS records = {0};
    uint8_t hash[32];
    int64_t seq = 0;
    bson_iter_t iter;
    tf_documents_read(s->f, s->f->state_db, "batches", &records);
    for (size_t k = i; k < records.count; k++) {
        bson_t view;
        tf_docs_view(&records, k, &view);
        bson_t *linked = bson_copy(&view);
        if (k > i) {
            _cleanup_(bson_destroyp) bson_t *link = binary(hash), *old = linked;
            linked = with(old, "previous", link);
        }
        hash_of(linked, hash);
        assert_true(bson_iter_init_find(&iter, linked, "seq"));
        seq = bson_iter_as_int64(&iter);
        put(s, "batches", linked);
    }
    seal(s, seq, hash, TOKENS);
}

/* ---- mutilations ---- */

static void nothing(const scene *s)
{
    (void)s;
}

static void renumber_last_batch(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *last = record(s, 2), *seq = BCON_NEW("v", BCON_INT64(4));
    put(s, "batches", with(last, "seq", seq));
    relink(s, 2);
}

static void break_the_chain(const scene *s)
{
    const uint8_t zeros[32] = {0};
    _cleanup_(bson_destroyp) bson_t *second = record(s, 1), *link = binary(zeros);
    put(s, "batches", with(second, "previous", link));
    relink(s, 1);
}

/* Another account in what the batch says it moved: sums over all accounts stay. */
static void alter_what_was_moved(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *second = record(s, 1);
    _cleanup_(bson_destroyp) bson_t *moves =
        BCON_NEW("v", "[", "{", "owner", "{", "npub", "npub1zoe", "mint_url", "https://mint", "}", "from", "unspent", "to", "spent", "n",
                 BCON_INT64(BATCH), "amount", BCON_INT64(10 * BATCH), "}", "]");
    put(s, "batches", with(second, "moves", moves));
    relink(s, 1);
}

static void drop_from_backup(const scene *s, int id)
{
    _cleanup_(bson_destroyp) bson_t *doc = BCON_NEW("_id", BCON_INT32(id));
    tf_documents_delete(s->f, s->f->state_db, s->backup, doc);
}

static void lose_a_backup_document(const scene *s)
{
    drop_from_backup(s, 12);
}

static void add_to_the_backup_beyond_all_batches(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *doc = BCON_NEW("_id", BCON_INT32(1000000));
    assert_true(tf_documents_insert(s->f, s->f->state_db, s->backup, doc));
}

/* In the backup and in what stands there today: the prediction holds, only the hash knows. */
static void alter_a_backup_document(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *note = BCON_NEW("v", BCON_INT32(99));
    for (int now = 0; now < 2; now++) {
        TF_DOCS docs = {0};
        bson_t view;
        tf_documents_find(s->f, now ? NULL : s->f->state_db, now ? "cashu_tokens" : s->backup, "{\"_id\": 12}", &docs);
        assert_int_equal(docs.count, 1);
        tf_docs_view(&docs, 0, &view);
        _cleanup_(bson_destroyp) bson_t *changed = with(&view, "proofs", note);
        tf_documents_replace(s->f, now ? NULL : s->f->state_db, now ? "cashu_tokens" : s->backup, changed);
    }
}

static void seal_another_hash(const scene *s)
{
    const uint8_t zeros[32] = {0};
    seal(s, 3, zeros, TOKENS);
}

static void last_hash(const scene *s, uint8_t hash[32])
{
    _cleanup_(bson_destroyp) bson_t *last = record(s, 2);
    hash_of(last, hash);
}

static void seal_another_count(const scene *s)
{
    uint8_t hash[32];
    last_hash(s, hash);
    seal(s, 3, hash, TOKENS + 1);
}

static void seal_another_number(const scene *s)
{
    uint8_t hash[32];
    last_hash(s, hash);
    seal(s, 2, hash, TOKENS);
}

static void seal_nothing(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *event = closing_event(s);
    _cleanup_(bson_destroyp) bson_t *data = BCON_NEW("data", "{", "partitions", "[", "]", "backup", BCON_INT64(TOKENS), "}");
    _cleanup_(bson_destroyp) bson_t *changed = with(event, "data", data);
    put_event(s, changed);
}

static void lose_the_closing_event(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *event = closing_event(s);
    tf_documents_delete(s->f, s->f->state_db, "events", event);
}

static void alter_an_event(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *event = find_one(s, "events", "{\"type\": \"up_started\"}", 0), *user = BCON_NEW("v", "nobody");
    put(s, "events", with(event, "user", user));
}

static void alter_an_event_and_its_hash(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *event = find_one(s, "events", "{\"type\": \"up_started\"}", 0), *user = BCON_NEW("v", "nobody");
    _cleanup_(bson_destroyp) bson_t *changed = with(event, "user", user);
    put_event(s, changed);
}

static void lose_the_first_event(const scene *s)
{
    _cleanup_(bson_destroyp) bson_t *event = find_one(s, "events", "{\"type\": \"up_started\"}", 0);
    tf_documents_delete(s->f, s->f->state_db, "events", event);
}

static void alter_the_ledger(const scene *s)
{
    char json[400];
    snprintf(json, sizeof json,
             "{\"update\": \"ledger\", \"updates\": [{\"q\": {\"moved.n\": {\"$gt\": 0}}, \"u\": {\"$inc\": {\"moved.0.n\": 1}}}]}");
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    bson_t reply;
    bson_error_t error;
    bson_iter_t iter;
    if (!mongoc_client_command_simple(s->f->client, s->f->state_db, command, NULL, &reply, &error))
        fail_msg("%s", error.message);
    assert_true(bson_iter_init_find(&iter, &reply, "n") && bson_iter_as_int64(&iter) == 1);
    bson_destroy(&reply);
}

/* ---- and in the repaired database ---- */

static void change_later(const scene *s)
{
    tf_tokens_update(s->f, "{\"_id\": 12}", "{\"$set\": {\"note\": \"x\"}}");
}

static void change_order_later(const scene *s)
{
    tf_tokens_update(s->f, "{\"_id\": 12}", "{\"$rename\": {\"npub\": \"n\"}}");
    tf_tokens_update(s->f, "{\"_id\": 12}", "{\"$rename\": {\"n\": \"npub\"}}");
}

static void change_type_later(const scene *s)
{
    tf_tokens_update(s->f, "{\"_id\": 12}", "[{\"$set\": {\"total_amount\": {\"$toLong\": \"$total_amount\"}}}]");
}

static void lose_a_token_without_amount(const scene *s)
{
    tf_tokens_delete(s->f, "{\"_id\": 900}");
}

static void lose_a_sound_token(const scene *s)
{
    tf_tokens_delete(s->f, "{\"_id\": 100001}");
}

static void change_an_amount_in_silence(const scene *s)
{
    tf_tokens_update(s->f, "{\"_id\": 100001}", "{\"$set\": {\"total_amount\": 11}}");
}

static void insert_token(const scene *s, const char *status, int amount, const char *created)
{
    char json[400];
    snprintf(json, sizeof json,
             "{\"_id\": \"late\", \"npub\": \"npub1anna\", \"mint_url\": \"https://mint\", \"total_amount\": %d,"
             " \"transaction_type\": \"melted\", \"status\": \"%s\", \"createdAt\": {\"$date\": \"%s\"}}",
             amount, status, created);
    tf_fixture_insert(s->f, "cashu_tokens", json);
}

static void overlook_a_token(const scene *s)
{
    insert_token(s, "unspent", 0, "2024-01-01T00:00:00Z");
}

static void make_a_new_defect(const scene *s)
{
    insert_token(s, "unspent", 0, "2099-01-01T00:00:00Z");
}

static void add_a_token(const scene *s)
{
    insert_token(s, "spent", 7, "2099-01-01T00:00:00Z");
}

static void add_a_negative_token(const scene *s)
{
    insert_token(s, "spent", -7, "2099-01-01T00:00:00Z");
}

static void update_a_token(const scene *s)
{
    tf_tokens_update(s->f, "{\"_id\": 100001}",
                     "{\"$set\": {\"status\": \"pending\", \"updatedAt\": {\"$date\": \"2099-01-01T00:00:00Z\"}}}");
}

/* ---- the table ---- */

typedef struct mutilation {
    const char *name;
    void (*apply)(const scene *s);
    const char *check; /* of the findings; NULL: none */
    int changed, missing, remaining, defects, explained, unexplained;
    int exit;
} mutilation;

static const mutilation mutilations[] = {
    {"intact", nothing, NULL, 0, 0, 0, 0, 0, 0, 0},
    {"a batch with another number", renumber_last_batch, "batch_numbers", 0, 0, 0, 0, 0, 0, 3},
    {"a batch that links to another", break_the_chain, "batch_chain", 0, 0, 0, 0, 0, 0, 3},
    {"a batch that moved something else", alter_what_was_moved, "batch_sums", 0, 0, 0, 0, 0, 0, 3},
    {"a backup document lost", lose_a_backup_document, "backup_count", 0, 0, 0, 0, 0, 0, 3},
    {"a backup document more", add_to_the_backup_beyond_all_batches, "backup_count", 0, 0, 0, 0, 0, 0, 3},
    {"a backup document altered", alter_a_backup_document, "backup_hash", 0, 0, 0, 0, 0, 0, 3},
    {"a seal of another hash", seal_another_hash, "seal", 0, 0, 0, 0, 0, 0, 3},
    {"a seal of another count", seal_another_count, "seal", 0, 0, 0, 0, 0, 0, 3},
    {"a seal of fewer batches", seal_another_number, "seal", 0, 0, 0, 0, 0, 0, 3},
    {"a seal that knows no batches", seal_nothing, "seal", 0, 0, 0, 0, 0, 0, 3},
    {"no seal", lose_the_closing_event, "seal", 0, 0, 0, 0, 0, 0, 3},
    {"an event altered", alter_an_event, "event_hash", 0, 0, 0, 0, 0, 0, 3},
    {"an event altered with its hash", alter_an_event_and_its_hash, "event_hash", 0, 0, 0, 0, 0, 0, 3},
    {"an event lost", lose_the_first_event, "event_hash", 0, 0, 0, 0, 0, 0, 3},
    {"a ledger of other moves", alter_the_ledger, "ledger", 0, 0, 0, 0, 0, 0, 3},
    {"a token changed later", change_later, NULL, 1, 0, 0, 0, 0, 0, 3},
    {"a token's fields in another order", change_order_later, NULL, 1, 0, 0, 0, 0, 0, 3},
    {"a token's amount of another type", change_type_later, NULL, 1, 0, 0, 0, 0, 0, 3},
    {"a repaired token deleted", lose_a_token_without_amount, NULL, 0, 1, 0, 0, 0, 0, 3},
    {"a sound token deleted", lose_a_sound_token, NULL, 0, 0, 0, 0, 0, 1, 3},
    {"an amount changed in silence", change_an_amount_in_silence, NULL, 0, 0, 0, 0, 0, 1, 3},
    {"a token overlooked", overlook_a_token, NULL, 0, 0, 1, 0, 0, 0, 3},
    {"a new defect", make_a_new_defect, NULL, 0, 0, 0, 1, 0, 0, 0},
    {"a token created since", add_a_token, NULL, 0, 0, 0, 0, 1, 0, 0},
    {"a token of a negative amount created since", add_a_negative_token, NULL, 0, 0, 0, 0, 1, 0, 0},
    {"a token updated since", update_a_token, NULL, 0, 0, 0, 0, 1, 0, 0},
};

static void assert_count(const char *name, const tf_program *p, const char *path, int64_t expected)
{
    if (tf_program_number(p, path) != expected)
        fail_msg("%s: %s is %lld instead of %lld: %s", name, path, (long long)tf_program_number(p, path), (long long)expected, p->out);
}

static void assert_only(const mutilation *m, const tf_program *p)
{
    bson_iter_t iter, at, item, field;
    assert_true(bson_iter_init(&iter, p->json) && bson_iter_find_descendant(&iter, "data.findings", &at));
    assert_true(bson_iter_recurse(&at, &item));
    int findings = 0;
    while (bson_iter_next(&item)) {
        assert_true(bson_iter_recurse(&item, &field) && bson_iter_find(&field, "check"));
        if (!m->check || strcmp(bson_iter_utf8(&field, NULL), m->check) != 0)
            fail_msg("%s: %s", m->name, p->out);
        findings++;
    }
    if (m->check && !findings)
        fail_msg("%s: no finding '%s': %s", m->name, m->check, p->out);
    assert_count(m->name, p, "data.changedLater", m->changed);
    assert_count(m->name, p, "data.missing", m->missing);
    assert_count(m->name, p, "data.remaining", m->remaining);
    assert_count(m->name, p, "data.newDefects", m->defects);
    assert_count(m->name, p, "data.ledger.explained", m->explained);
    assert_count(m->name, p, "data.ledger.unexplained", m->unexplained);
    assert_count(m->name, p, "data.refused", 0);
    assert_count(m->name, p, "data.overtaken", 0);
    if (p->status != m->exit)
        fail_msg("%s: exit %d instead of %d: %s", m->name, p->status, m->exit, p->out);
}

/* 25 defects in three batches, one of them without an amount, and two sound tokens. */
static void begin(tf_fixture *f, scene *s)
{
    *s = (scene){.f = f};
    tf_tokens_insert(f, 1, TOKENS - 1, "npub1anna", "unspent");
    tf_fixture_insert(f, "cashu_tokens",
                      "{\"_id\": 900, \"npub\": \"npub1anna\", \"mint_url\": \"https://mint\", \"transaction_type\": \"melted\","
                      " \"status\": \"unspent\"}");
    tf_tokens_insert(f, 100001, 2, "npub1bert", "spent");
    tf_program *up = tf_up_in_three(f);
    snprintf(s->run, sizeof s->run, "%s", tf_program_text(up, "data.run"));
    snprintf(s->backup, sizeof s->backup, "backup_%s", s->run);
}

/* What was there is put back: one run serves the whole table. */
typedef struct keep {
    tf_docs tokens, batches, backup, events, ledger;
} keep;

static void keep_or_put_back(const scene *s, keep *k, bool back)
{
    const struct {
        const char *db, *collection;
        tf_docs *docs;
    } all[] = {{NULL, "cashu_tokens", &k->tokens},
               {s->f->state_db, "batches", &k->batches},
               {s->f->state_db, s->backup, &k->backup},
               {s->f->state_db, "events", &k->events},
               {s->f->state_db, "ledger", &k->ledger}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!back) {
            tf_documents_read(s->f, all[i].db, all[i].collection, all[i].docs);
            continue;
        }
        _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = tf_documents_in(s->f, all[i].db, all[i].collection);
        _cleanup_bson_ bson_t everything = BSON_INITIALIZER;
        assert_true(mongoc_collection_delete_many(in, &everything, NULL, NULL, NULL));
        for (size_t n = 0; n < all[i].docs->count; n++) {
            bson_t doc;
            tf_docs_view(all[i].docs, n, &doc);
            assert_true(tf_documents_insert(s->f, all[i].db, all[i].collection, &doc));
        }
    }
}

static void verify__finds_each_thing_alone(void **state)
{
    tf_fixture *f = *state;
    scene s;
    keep k = {0};
    begin(f, &s);
    f->uri[0] = 0;
    snprintf(f->uri, sizeof f->uri, "%s", tf_fixture_login(f, "run", "cashu_tokens", NULL));
    keep_or_put_back(&s, &k, false);
    for (size_t i = 0; i < sizeof mutilations / sizeof *mutilations; i++) {
        if (i > 1)
            keep_or_put_back(&s, &k, true);
        mutilations[i].apply(&s);
        assert_only(&mutilations[i], tf_program_run(f, "verify", "--json", NULL));
    }
    tf_docs_done(&k.tokens);
    tf_docs_done(&k.batches);
    tf_docs_done(&k.backup);
    tf_docs_done(&k.events);
    tf_docs_done(&k.ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(verify__finds_each_thing_alone)};
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
