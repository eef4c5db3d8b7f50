/*
 * Whatever the documents look like and whoever writes meanwhile: what the tool changed it gives back to the byte, what
 * others changed it leaves alone. Random documents, edits, batches; TF_SEED=n repeats the round that failed, TF_ROUNDS=n
 * makes more of them.
 */
#include "backup/delta.h"
#include "support/documents.h"
#include "support/engine.h"
#include "support/oddities.h"

enum { ROUNDS = 40, DOCUMENTS = 60, FIRST_SEED = 20260101 };

static const char *const touched[] = {"status", "spent_at", "updatedAt", "updated_at"};
static const bool is_time[] = {false, false, true, true};
enum { TOUCHED = 4 };

/* ---- documents ---- */

typedef struct part {
    const char *name;
    int chance; /* of 1,000: that the field is there */
} part;

static const part parts[] = {{"transaction_type", 1000}, {"status", 1000},  {"npub", 950},      {"mint_url", 900},
                             {"total_amount", 950},      {"spent_at", 600}, {"updatedAt", 700}, {"updated_at", 300},
                             {"createdAt", 700},         {"proofs", 500},   {"metadata", 400},  {"", 300}};
enum { PARTS = sizeof parts / sizeof *parts };

static void append_owner(tf_random *r, bson_t *doc, const char *name)
{
    char text[16];
    snprintf(text, sizeof text, "%s%d", name, TF_BELOW(r, 4));
    if (tf_random_permille(r, 900))
        bson_append_utf8(doc, name, -1, text, -1);
    else
        tf_odd_value(r, doc, name, -1, 4);
}

static void append_amount(tf_random *r, bson_t *doc, const char *name)
{
    switch (TF_BELOW(r, 6)) {
    case 0: bson_append_int32(doc, name, -1, TF_BELOW(r, 1000)); break;
    case 1: bson_append_int64(doc, name, -1, 1 + TF_BELOW(r, 1000)); break;
    case 2: bson_append_double(doc, name, -1, TF_BELOW(r, 1000)); break;
    case 3: bson_append_double(doc, name, -1, TF_BELOW(r, 1000) + 0.25); break;
    case 4: bson_append_utf8(doc, name, -1, "17", -1); break;
    default: tf_odd_value_of(r, doc, name, -1, 4, TF_BELOW(r, 2) ? 21 : 1);
    }
    bson_iter_t iter;
    bson_decimal128_t decimal; /* one that takes the sum out of 64 bits stops a run, and rightly: not here */
    if (bson_iter_init_find(&iter, doc, name) && bson_iter_decimal128(&iter, &decimal)) {
        char text[BSON_DECIMAL128_STRING];
        bson_decimal128_to_string(&decimal, text);
        if (strlen(text) > 12) {
            _cleanup_bson_ bson_t rest = BSON_INITIALIZER;
            bson_copy_to_excluding_noinit(doc, &rest, name, NULL);
            bson_reinit(doc);
            bson_concat(doc, &rest);
        }
    }
}

/* What holds a name twice the tool refuses to touch: integration.odd_documents. */
static void append_touched(tf_random *r, bson_t *doc, const char *name)
{
    _cleanup_bson_ bson_t value = BSON_INITIALIZER;
    bson_iter_t iter;
    do {
        bson_reinit(&value);
        tf_odd_value(r, &value, name, -1, 2);
        assert_true(bson_iter_init(&iter, &value) && bson_iter_next(&iter));
    } while (tf_delta_repeats(&iter) || (strcmp(name, "spent_at") != 0 && BSON_ITER_HOLDS_DATE_TIME(&iter)));
    bson_append_iter(doc, name, -1, &iter);
}

static void append_part(tf_random *r, bson_t *doc, const char *name, bool defect)
{
    if (strcmp(name, "transaction_type") == 0)
        bson_append_utf8(doc, name, -1, defect || TF_BELOW(r, 2) ? "melted" : "sent", -1);
    else if (strcmp(name, "status") == 0 && defect && tf_random_permille(r, 950))
        bson_append_utf8(doc, name, -1, "unspent", -1);
    else if (strcmp(name, "status") == 0 && defect) { /* an array matches as well */
        bson_t array;
        bson_append_array_begin(doc, name, -1, &array);
        bson_append_utf8(&array, "0", 1, "unspent", -1);
        bson_append_array_end(doc, &array);
    } else if (strcmp(name, "status") == 0)
        bson_append_utf8(doc, name, -1, "spent", -1);
    else if (strcmp(name, "npub") == 0 || strcmp(name, "mint_url") == 0)
        append_owner(r, doc, name);
    else if (strcmp(name, "total_amount") == 0)
        append_amount(r, doc, name);
    else if (strcmp(name, "createdAt") == 0) /* in the past: nothing here is new */
        bson_append_date_time(doc, name, -1, 1600000000000 + TF_BELOW(r, 1000000));
    else if (strcmp(name, "updatedAt") == 0 && TF_BELOW(r, 2))
        bson_append_date_time(doc, name, -1, 1650000000000 + TF_BELOW(r, 1000000));
    else if (strcmp(name, "updatedAt") == 0 || strcmp(name, "updated_at") == 0 || strcmp(name, "spent_at") == 0)
        append_touched(r, doc, name);
    else if (*name)
        tf_odd_value(r, doc, name, -1, 0);
    else
        tf_odd_deep(doc, "deep", 4, 100 + TF_BELOW(r, 70));
}

static void make_document(tf_random *r, int n, bson_t *doc)
{
    bool defect = tf_random_permille(r, 750);
    tf_permutation order = tf_permutation_make(tf_random_next(r), PARTS);
    tf_odd_id(r, doc, n);
    for (size_t i = 0; i < PARTS; i++) {
        const part *p = &parts[tf_permutation_at(&order, i)];
        char name[32];
        if (tf_random_permille(r, (unsigned)p->chance))
            append_part(r, doc, p->name, defect);
        tf_odd_name(r, name, sizeof name);
        if (tf_random_permille(r, 250)) /* names repeat now and then */
            tf_odd_value(r, doc, name, -1, 0);
    }
}

static int fill(tf_fixture *f, tf_random *r)
{
    int count = 0;
    for (int n = 0; n < DOCUMENTS; n++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        make_document(r, n, &doc);
        count += tf_documents_insert(f, NULL, "cashu_tokens", &doc);
    }
    return count;
}

/* ---- edits from outside ---- */

typedef enum { NONE, OTHER_STATUS, SPENT_AGAIN, UPDATE_TIME, OTHER_FIELD, TYPE_ONLY, ORDER, DELETED, EDITS } edit;

static void set_field(const bson_t *doc, const char *name, const bson_t *value, bson_t *out)
{
    bson_iter_t iter, v;
    bool done = false;
    assert_true(bson_iter_init(&v, value) && bson_iter_next(&v) && bson_iter_init(&iter, doc));
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), name) != 0)
            bson_append_iter(out, bson_iter_key(&iter), (int)bson_iter_key_len(&iter), &iter);
        else if (!done) {
            bson_append_iter(out, name, -1, &v);
            done = true;
        }
    if (!done)
        bson_append_iter(out, name, -1, &v);
}

static bool move_last_to_front(const bson_t *doc, bson_t *out)
{
    bson_iter_t iter;
    uint32_t count = bson_count_keys(doc), i = 0;
    if (count < 3)
        return false;
    for (int pass = 0; pass < 3; pass++) {
        assert_true(bson_iter_init(&iter, doc));
        for (i = 0; bson_iter_next(&iter); i++)
            if ((pass == 0 && i == 0) || (pass == 1 && i == count - 1) || (pass == 2 && i > 0 && i < count - 1))
                bson_append_iter(out, bson_iter_key(&iter), (int)bson_iter_key_len(&iter), &iter);
    }
    return true;
}

/* What the document becomes; false: nothing changes. */
static bool edited(edit kind, const bson_t *doc, bson_t *out)
{
    _cleanup_bson_ bson_t value = BSON_INITIALIZER;
    bson_iter_t iter;
    switch (kind) {
    case OTHER_STATUS:
        BSON_APPEND_UTF8(&value, "v", "failed");
        set_field(doc, "status", &value, out);
        return true;
    case SPENT_AGAIN:
        BSON_APPEND_DATE_TIME(&value, "v", 1700000000000);
        set_field(doc, "spent_at", &value, out);
        return true;
    case UPDATE_TIME:
        BSON_APPEND_DATE_TIME(&value, "v", 1700000000001);
        set_field(doc, "updatedAt", &value, out);
        return true;
    case OTHER_FIELD:
        BSON_APPEND_UTF8(&value, "v", "mine");
        set_field(doc, "comment", &value, out);
        return true;
    case TYPE_ONLY: /* the same instant, as a number */
        assert_true(bson_iter_init_find(&iter, doc, "spent_at"));
        BSON_APPEND_INT64(&value, "v", bson_iter_date_time(&iter));
        set_field(doc, "spent_at", &value, out);
        return true;
    case ORDER:
        return move_last_to_front(doc, out);
    default:
        return false;
    }
}

static void edit_some(tf_fixture *f, tf_random *r, const tf_docs *repaired, const bool *ours, edit *edits)
{
    for (size_t i = 0; i < repaired->count; i++) {
        bson_t doc;
        _cleanup_bson_ bson_t changed = BSON_INITIALIZER;
        tf_docs_view(repaired, i, &doc);
        edits[i] = ours[i] && tf_random_permille(r, 400) ? (edit)TF_BELOW(r, EDITS) : NONE;
        if (edits[i] == DELETED)
            tf_documents_delete(f, NULL, "cashu_tokens", &doc);
        else if (!edited(edits[i], &doc, &changed) || bson_equal(&changed, &doc))
            edits[i] = NONE;
        else
            tf_documents_replace(f, NULL, "cashu_tokens", &changed);
    }
}

/* ---- what must come of it ---- */

static bool same_value(const bson_t *a, const bson_t *b, const char *name)
{
    _cleanup_bson_ bson_t x = BSON_INITIALIZER, y = BSON_INITIALIZER;
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, a, name))
        bson_append_iter(&x, "v", 1, &iter);
    if (bson_iter_init_find(&iter, b, name))
        bson_append_iter(&y, "v", 1, &iter);
    return bson_equal(&x, &y);
}

static int touched_index(const char *name)
{
    for (int i = 0; i < TOUCHED; i++)
        if (strcmp(touched[i], name) == 0)
            return i;
    return -1;
}

/* The rules of --on-conflict fields, written down a second time. False: left alone. */
static bool given_back(const bson_t *before, const bson_t *repaired, const bson_t *now, bson_t *out)
{
    bson_iter_t iter, old;
    for (int i = 0; i < TOUCHED; i++)
        if (!is_time[i] && !same_value(now, repaired, touched[i]))
            return false;
    assert_true(bson_iter_init(&iter, now));
    while (bson_iter_next(&iter)) {
        const char *name = bson_iter_key(&iter);
        bool back = touched_index(name) >= 0 && same_value(now, repaired, name);
        if (!back)
            bson_append_iter(out, name, (int)bson_iter_key_len(&iter), &iter);
        else if (bson_iter_init_find(&old, before, name))
            bson_append_iter(out, name, -1, &old);
    }
    return true;
}

static void expect_after_down(const tf_docs *before, const tf_docs *repaired, const tf_docs *now, const edit *edits,
                              bool fields, tf_docs *out, int64_t *conflicts, int64_t *restored, const bool *ours)
{
    size_t k = 0;
    for (size_t i = 0; i < before->count; i++) {
        bson_t was, should, is;
        _cleanup_bson_ bson_t merged = BSON_INITIALIZER;
        tf_docs_view(before, i, &was);
        tf_docs_view(repaired, i, &should);
        if (edits[i] == DELETED) {
            ++*conflicts;
            continue;
        }
        tf_docs_view(now, k++, &is);
        *restored += ours[i];
        if (edits[i] == NONE)
            tf_docs_add(out, &was);
        else if (fields && given_back(&was, &should, &is, &merged))
            tf_docs_add(out, &merged);
        else {
            tf_docs_add(out, &is);
            ++*conflicts;
            --*restored;
        }
    }
}

static bool name_occurs_twice(const bson_t *doc)
{
    _cleanup_bson_ bson_t seen = BSON_INITIALIZER;
    bson_iter_t iter;
    assert_true(bson_iter_init(&iter, doc));
    while (bson_iter_next(&iter)) {
        bson_iter_t at;
        if (bson_iter_init_find(&at, &seen, bson_iter_key(&iter)))
            return true;
        bson_append_null(&seen, bson_iter_key(&iter), -1);
    }
    return false;
}

/* The down of a down brings back what stood there; only where fields came into another order and a name occurs twice, the
 * server could not write that, and the document stays. Returns how many stayed. */
static int64_t expect_after_undo(const tf_docs *now, const tf_docs *restored, tf_docs *out)
{
    int64_t stay = 0;
    assert_int_equal(now->count, restored->count);
    for (size_t i = 0; i < now->count; i++) {
        bson_t is, was;
        tf_docs_view(now, i, &is);
        tf_docs_view(restored, i, &was);
        bool safe = tf_delta_is_safe(&was, &is);
        if (!safe)
            assert_true(name_occurs_twice(&is));
        stay += !safe;
        tf_docs_add(out, safe ? &is : &was);
    }
    return stay;
}

/* ---- a round ---- */

static void assert_proven(const tf_proof *proof, int64_t equal, const char *what)
{
    if (!bson_empty(proof->findings) || proof->unexplained)
        fail_msg("%s: %s %s", what, tf_document_text(proof->findings), tf_document_text(proof->unexplained_rows));
    assert_int_equal(proof->equal, equal);
    assert_int_equal(proof->changed_later + proof->missing + proof->remaining + proof->refused, 0);
}

static bool matches(tf_random *r, const tf_docs *docs, size_t i, const tf_docs *matching)
{
    bson_t doc;
    (void)r;
    tf_docs_view(docs, i, &doc);
    return tf_docs_find_id(matching, &doc, 0) >= 0;
}

static void run_round(tf_fixture *f, uint64_t seed)
{
    tf_random random = tf_random_stream(seed, 0), *r = &random;
    TF_DOCS before = {0}, wrong = {0}, repaired = {0}, now = {0}, expected = {0}, after = {0};
    bool ours[DOCUMENTS] = {false};
    edit edits[DOCUMENTS] = {NONE};
    const char *login = tf_fixture_login(f, "run", "cashu_tokens", NULL);
    int64_t count = 0, conflicts = 0, restored = 0;
    bool journal = TF_BELOW(r, 2), fields = TF_BELOW(r, 2);
    TF_OUTCOME up = {.run = ""}, down = {.run = ""}, undone = {.run = ""};
    TF_PROOF proof = {.ok = false}, again = {.ok = false};
    tf_host host;

    fill(f, r);
    tf_documents_read(f, NULL, "cashu_tokens", &before);
    tf_documents_find(f, NULL, "cashu_tokens", "{\"transaction_type\": \"melted\", \"status\": \"unspent\"}", &wrong);
    for (size_t i = 0; i < before.count; i++)
        count += ours[i] = matches(r, &before, i, &wrong);
    tf_host_open(&host, f, login);

    tf_settings settings = {.batch_size = 1 + TF_BELOW(r, DOCUMENTS), .strategy = journal ? "journal" : "transaction"};
    tf_host_run(&host, tf_up, settings, &up);
    assert_int_equal(up.documents, count);
    assert_proven(&up.proof, count, "up");
    tf_documents_read(f, NULL, "cashu_tokens", &repaired);
    assert_int_equal(repaired.count, before.count);
    for (size_t i = 0; i < before.count; i++)
        assert_int_equal(!tf_docs_same(&before, i, &repaired, i), ours[i]);
    tf_host_verify(&host, NULL, &proof);
    assert_proven(&proof, count, "verify");
    assert_true(proof.ok);

    edit_some(f, r, &repaired, ours, edits);
    tf_documents_read(f, NULL, "cashu_tokens", &now);
    expect_after_down(&before, &repaired, &now, edits, fields, &expected, &conflicts, &restored, ours);
    settings = (tf_settings){.batch_size = 1 + TF_BELOW(r, DOCUMENTS),
                             .strategy = TF_BELOW(r, 2) ? "journal" : "transaction",
                             .on_conflict = fields ? "fields" : "skip"};
    tf_host_run(&host, tf_down, settings, &down);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    tf_documents_same(&after, &expected, "down");
    assert_int_equal(down.conflicts, conflicts);
    assert_int_equal(down.documents, restored);
    assert_proven(&down.proof, restored, "proof of down");
    tf_host_verify(&host, down.run, &again);
    assert_proven(&again, restored, "verify of down");

    settings = (tf_settings){.batch_size = 1 + TF_BELOW(r, DOCUMENTS), .run = down.run};
    tf_host_run(&host, tf_down, settings, &undone);
    tf_docs_clear(&expected);
    int64_t stay = expect_after_undo(&now, &after, &expected);
    tf_documents_read(f, NULL, "cashu_tokens", &after);
    tf_documents_same(&after, &expected, "down of the down");
    assert_int_equal(undone.conflicts, stay);
    assert_int_equal(undone.documents, restored - stay);
    tf_host_close(&host);
}

static void property__what_was_changed_is_given_back_to_the_byte(void **state)
{
    tf_fixture *f = *state;
    const char *given = getenv("TF_SEED"), *wanted = getenv("TF_ROUNDS");
    uint64_t first = given ? strtoull(given, NULL, 10) : FIRST_SEED;
    int rounds = wanted ? atoi(wanted) : given ? 1 : ROUNDS;
    assert_true(rounds > 0);
    for (int i = 0; i < rounds; i++) {
        tf_fixture *own = f;
        print_message("TF_SEED=%llu\n", (unsigned long long)(first + (uint64_t)i));
        if (i > 0)
            assert_int_equal(tf_fixture_setup((void **)&own), 0);
        run_round(own, first + (uint64_t)i);
        if (i > 0)
            assert_int_equal(tf_fixture_teardown((void **)&own), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {TF_FIXTURE_TEST(property__what_was_changed_is_given_back_to_the_byte)};
    return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
