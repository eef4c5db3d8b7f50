#include "check/balance.h"

#include "base/docs.h"
#include "base/field.h"
#include "base/number.h"
#include "check/accounts.h"
#include "check/sums.h"
#include "check/tally.h"
#include "db/id.h"
#include "store/ledger.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { EXAMPLES = 100 };

void tf_balance_result_done(tf_balance_result *result)
{
    if (result->examples)
        bson_destroy(result->examples);
    *result = (tf_balance_result){0};
}

/* ---- before, moved ---- */

typedef struct writer {
    const tf_store *store;
    const char *run, *phase;
    int64_t accounts;
} writer;

static bool write_chunk(void *arg, tf_docs *chunk, tf_error *err)
{
    writer *w = arg;
    w->accounts += (int64_t)chunk->count;
    return tf_ledger_write(w->store, w->run, w->phase, chunk, err);
}

bool tf_balance_record(const tf_store *store, const tf_repair *repair, const char *run, int64_t *accounts, tf_error *err)
{
    writer w = {.store = store, .run = run, .phase = "before"};
    bool ok = !repair->ledger.present || tf_accounts_read(store, repair, 0, write_chunk, &w, err);
    *accounts = w.accounts;
    return ok;
}

bool tf_balance_post(const tf_store *store, const char *run, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "add up what the batches moved");
    writer w = {.store = store, .run = run, .phase = "moved"};
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW(
        "0", "{", "$match", "{", "run", BCON_UTF8(run), "}", "}", "1", "{", "$project", "{", "moves", BCON_INT32(1), "}", "}", "2", "{",
        "$unwind", BCON_UTF8("$moves"), "}", "3", "{", "$group", "{", "_id", "{", "o", BCON_UTF8("$moves.owner"), "f", BCON_UTF8("$moves.from"), "t",
        BCON_UTF8("$moves.to"), "c", BCON_UTF8("$moves.created"), "}", "n", "{", "$sum", BCON_UTF8("$moves.n"), "}", "amount", "{", "$sum", BCON_UTF8("$moves.amount"), "}",
        "}", "}", "4", "{", "$group", "{", "_id", BCON_UTF8("$_id.o"), "sums", "{", "$push", "{", "from", BCON_UTF8("$_id.f"), "to", BCON_UTF8("$_id.t"),
        "created", BCON_UTF8("$_id.c"), "n", BCON_UTF8("$n"), "amount", BCON_UTF8("$amount"), "}", "}", "}", "}", "5", "{", "$project", "{", "_id", BCON_INT32(0), "owner", BCON_UTF8("$_id"),
        "sums", BCON_INT32(1), "}", "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("allowDiskUse", BCON_BOOL(true));
    return tf_accounts_walk(tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, opts), &op, write_chunk, &w, err);
}

/* ---- comparison of one account ---- */

typedef struct example {
    bson_t *doc; /* owned */
    int64_t difference;
} example;

typedef struct comparison {
    const tf_store *store;
    const tf_repair *repair;
    const tf_run *run;
    bool record;
    const tf_narrowing *narrowing; /* NULL: all accounts */
    tf_balance_result *result;
    uint64_t *owners; /* hashes of those whose accounts differ without an explanation */
    size_t owners_count, owners_capacity;
    uint64_t *seen; /* hashes of the ledger's keys that were met, sorted at the end */
    size_t seen_count, seen_capacity;
    example examples[EXAMPLES];
    size_t examples_count;
} comparison;

/* The largest differences first, those that are the same by the bytes of what they say: whatever order the server has. */
static bool comes_before(int64_t difference, const bson_t *doc, const example *other)
{
    size_t length = doc->len < other->doc->len ? doc->len : other->doc->len;
    int order = memcmp(bson_get_data(doc), bson_get_data(other->doc), length);
    return difference != other->difference ? difference > other->difference : order < 0;
}

static void note_example(comparison *c, const bson_t *owner, const tf_sums *s, size_t i, int64_t difference)
{
    bson_t *doc = bson_new();
    BSON_APPEND_DOCUMENT(doc, "owner", owner);
    if (s->status[i].value_type != BSON_TYPE_EOD)
        BSON_APPEND_VALUE(doc, "status", &s->status[i]);
    BSON_APPEND_INT64(doc, "expected", s->expected[i]);
    BSON_APPEND_INT64(doc, "found", s->found[i]);
    size_t at = c->examples_count;
    while (at > 0 && comes_before(difference, doc, &c->examples[at - 1]))
        at--;
    if (c->examples_count == EXAMPLES)
        bson_destroy(at == EXAMPLES ? doc : c->examples[--c->examples_count].doc);
    if (at == EXAMPLES)
        return;
    memmove(&c->examples[at + 1], &c->examples[at], (c->examples_count - at) * sizeof *c->examples);
    c->examples[at] = (example){.doc = doc, .difference = difference};
    c->examples_count++;
}

static void drop_examples(comparison *c)
{
    while (c->examples_count)
        bson_destroy(c->examples[--c->examples_count].doc);
}

static void take_examples(comparison *c)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->examples_count; i++)
        tf_array_append_document(c->result->examples, &n, c->examples[i].doc);
    drop_examples(c);
}

static uint64_t hash_of(const bson_t *doc)
{
    const uint8_t *data = bson_get_data(doc);
    uint64_t hash = 14695981039346656037ULL;
    for (uint32_t i = 0; i < doc->len; i++)
        hash = (hash ^ data[i]) * 1099511628211ULL;
    return hash;
}

static void remember_hash(uint64_t **hashes, size_t *count, size_t *capacity, uint64_t hash)
{
    if (*count == *capacity) {
        *capacity = *capacity ? *capacity * 2 : 1024;
        *hashes = bson_realloc(*hashes, *capacity * sizeof **hashes);
    }
    (*hashes)[(*count)++] = hash;
}

/* An account by its first field, as the ledger's reports are. */
static void remember_owner(comparison *c, const bson_t *owner)
{
    _cleanup_bson_ bson_t first = BSON_INITIALIZER;
    bson_iter_t iter;
    char name[256];
    tf_tally_owner_name(c->repair->ledger.owner[0], name, sizeof name);
    if (bson_iter_init_find(&iter, owner, name))
        bson_append_iter(&first, "o", 1, &iter);
    remember_hash(&c->owners, &c->owners_count, &c->owners_capacity, hash_of(&first));
}

static bool is_asked_for(const comparison *c, const bson_t *owner)
{
    for (size_t i = 0; c->narrowing && i < 2; i++) {
        const char *wanted = c->narrowing->owner[i];
        bson_iter_t iter;
        char name[256];
        if (!wanted)
            continue;
        tf_tally_owner_name(c->repair->ledger.owner[i], name, sizeof name);
        if (!(bson_iter_init_find(&iter, owner, name) && BSON_ITER_HOLDS_UTF8(&iter) &&
                        strcmp(bson_iter_utf8(&iter, NULL), wanted) == 0))
            return false;
    }
    return true;
}

/* `now` and `row` may each be NULL: an account without documents, one that the ledger does not know. */
static bool compare_account(comparison *c, const bson_t *owner, const bson_t *now, const bson_t *row, tf_error *err)
{
    tf_sums s = {.count = 0};
    bool differs = false, covered = true;
    size_t worst = 0;
    int64_t largest = 0;
    if (!is_asked_for(c, owner))
        return true;
    if (!tf_sums_add_before(&s, row, "before", err) || !tf_sums_add_moves(&s, row, "moved", err) ||
        !tf_sums_add_found(&s, now, "sums", err))
        return false;
    for (size_t i = 0; i < s.count; i++) {
        int64_t difference = tf_sums_difference(&s, i);
        if (difference == 0)
            continue;
        differs = true;
        if (!tf_sums_covers(&s, difference)) {
            covered = false;
            if (tf_sums_magnitude(difference) > largest) {
                worst = i;
                largest = tf_sums_magnitude(difference);
            }
        }
    }
    c->result->rows++;
    if (differs && covered)
        c->result->explained++;
    else if (differs) {
        c->result->unexplained++;
        c->result->amount = tf_number_sum(c->result->amount, largest);
        remember_owner(c, owner);
        note_example(c, owner, &s, worst, largest);
    }
    return true;
}

/* ---- all accounts ---- */

static void remember(comparison *c, const bson_t *row)
{
    bson_t id;
    if (tf_field_view(row, "_id", &id))
        remember_hash(&c->seen, &c->seen_count, &c->seen_capacity, hash_of(&id));
}

static bool fetch_rows(comparison *c, const bson_t *keys, tf_docs *rows, tf_error *err)
{
    tf_op op = tf_store_op(c->store, NULL, "read the ledger");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_ledger_find(c->store, keys);
    const bson_t *doc = NULL;
    int got;
    tf_docs_clear(rows);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        tf_docs_add(rows, doc);
    return got == 0;
}

static void append_key(const comparison *c, const bson_t *owner, bson_t *keys, uint32_t *n)
{
    _cleanup_bson_ bson_t key = BSON_INITIALIZER;
    tf_ledger_key(c->run->id, owner, &key);
    tf_array_append_document(keys, n, &key);
}

static uint64_t owner_hash(const bson_t *row)
{
    bson_t owner;
    return tf_ledger_owner(row, &owner) ? hash_of(&owner) : 0;
}

/* Rows of the ledger by the hash of their owner. */
typedef struct place {
    uint64_t hash;
    size_t at;
} place;

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static place *places_new(const tf_docs *rows)
{
    place *places = bson_malloc0((rows->count + 1) * sizeof *places);
    for (size_t i = 0; i < rows->count; i++) {
        bson_t row;
        tf_docs_view(rows, i, &row);
        places[i] = (place){.hash = owner_hash(&row), .at = i};
    }
    qsort(places, rows->count, sizeof *places, compare_hashes);
    return places;
}

/* The row with exactly this owner; where numbers of another type made the same account, the server finds it. */
static bool find_row(comparison *c, const tf_docs *rows, const place *places, const bson_t *owner, tf_docs *single, bson_t *row,
                     bool *found, tf_error *err)
{
    uint64_t hash = hash_of(owner);
    const place *known = bsearch(&hash, places, rows->count, sizeof *places, compare_hashes);
    _cleanup_bson_ bson_t keys = BSON_INITIALIZER;
    uint32_t n = 0;
    *found = true;
    if (known) {
        bson_t its;
        tf_docs_view(rows, known->at, row);
        if (tf_ledger_owner(row, &its) && bson_equal(&its, owner))
            return true;
    }
    append_key(c, owner, &keys, &n);
    if (!fetch_rows(c, &keys, single, err))
        return false;
    *found = single->count > 0;
    if (*found)
        tf_docs_view(single, 0, row);
    return true;
}

static bool compare_chunk(void *arg, tf_docs *chunk, tf_error *err)
{
    comparison *c = arg;
    tf_docs rows = {0}, single = {0};
    _cleanup_bson_ bson_t keys = BSON_INITIALIZER;
    uint32_t n = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        bson_t account, owner;
        tf_docs_view(chunk, i, &account);
        if (tf_field_view(&account, "owner", &owner))
            append_key(c, &owner, &keys, &n);
    }
    bool ok = fetch_rows(c, &keys, &rows, err);
    _cleanup_free_ place *places = places_new(&rows);
    for (size_t i = 0; ok && i < chunk->count; i++) {
        bson_t account, owner, row;
        tf_docs_view(chunk, i, &account);
        bool found = false;
        if (!tf_field_view(&account, "owner", &owner))
            continue;
        ok = find_row(c, &rows, places, &owner, &single, &row, &found, err);
        if (ok && found)
            remember(c, &row);
        ok = ok && compare_account(c, &owner, &account, found ? &row : NULL, err);
    }
    ok = ok && (!c->record || tf_ledger_write(c->store, c->run->id, "after", chunk, err));
    tf_docs_done(&rows);
    tf_docs_done(&single);
    return ok;
}

/* Accounts of the ledger that have no document any more. */
static bool compare_vanished(comparison *c, tf_error *err)
{
    tf_op op = tf_store_op(c->store, NULL, "read the ledger");
    if (c->seen_count)
        qsort(c->seen, c->seen_count, sizeof *c->seen, compare_hashes);
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_ledger_all(c->store, c->run->id);
    const bson_t *row = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &row, err)) == 1) {
        bson_t id, owner;
        if (!tf_field_view(row, "_id", &id) || !tf_ledger_owner(row, &owner))
            continue;
        uint64_t hash = hash_of(&id);
        if (c->seen_count && bsearch(&hash, c->seen, c->seen_count, sizeof *c->seen, compare_hashes))
            continue;
        if (!compare_account(c, &owner, NULL, row, err))
            return false;
    }
    return got == 0;
}

static void start_anew(comparison *c)
{
    tf_balance_result_done(c->result);
    *c->result = (tf_balance_result){.examples = bson_new()};
    c->seen_count = c->owners_count = 0;
    drop_examples(c);
}

static int64_t count_owners(comparison *c)
{
    int64_t count = 0;
    if (c->owners_count)
        qsort(c->owners, c->owners_count, sizeof *c->owners, compare_hashes);
    for (size_t i = 0; i < c->owners_count; i++)
        count += i == 0 || c->owners[i] != c->owners[i - 1];
    return count;
}

static bool has_differences(const tf_balance_result *result)
{
    return result->explained + result->unexplained > 0;
}

/* Exactly; where something differs, once more, by what was written since. */
static bool compare_exactly(comparison *c, tf_error *err)
{
    start_anew(c);
    if (!tf_accounts_read(c->store, c->repair, 0, compare_chunk, c, err))
        return false;
    if (has_differences(c->result)) {
        start_anew(c);
        if (!tf_accounts_read(c->store, c->repair, c->run->started_at, compare_chunk, c, err))
            return false;
    }
    return compare_vanished(c, err);
}

static bool compare_plainly(comparison *c, bool *same, tf_error *err)
{
    bool exact = false;
    start_anew(c);
    if (!tf_accounts_read_plain(c->store, c->repair, &exact, compare_chunk, c, err) || (exact && !compare_vanished(c, err)))
        return false;
    *same = exact && !has_differences(c->result);
    return true;
}

static bool compare_all(comparison *c, bool plain, bool *sure, tf_error *err)
{
    tf_balance_result *out = c->result;
    *out = (tf_balance_result){.examples = bson_new()};
    *sure = true;
    if (!c->repair->ledger.present)
        return true;
    bool same = false, ok = !plain || compare_plainly(c, &same, err);
    *sure = !same;
    ok = ok && (same || compare_exactly(c, err));
    out->owners = count_owners(c);
    take_examples(c);
    free(c->seen);
    free(c->owners);
    if (!ok)
        tf_balance_result_done(out);
    return ok;
}

bool tf_balance_compare(const tf_store *store, const tf_repair *repair, const tf_run *run, bool record,
                        tf_balance_result *out, tf_error *err)
{
    comparison c = {.store = store, .repair = repair, .run = run, .record = record, .result = out};
    bool sure;
    return compare_all(&c, false, &sure, err);
}

bool tf_balance_look(const tf_store *store, const tf_narrowing *narrowing, const tf_run *run, bool plain, bool *sure,
                     tf_balance_result *out, tf_error *err)
{
    comparison c = {.store = store, .repair = narrowing->repair, .run = run, .narrowing = narrowing, .result = out};
    return compare_all(&c, plain, sure, err);
}
