#include "check/tally.h"

#include "check/amount.h"

#include <tokenfix/cleanup.h>

typedef struct row {
    uint8_t *key; /* the owner's document, then {f: status before, t: status after}, or {c: true, t: …} */
    uint32_t owner_length, key_length;
    int64_t n, amount;
} row;

/* What is read of a document: the owner's fields, then amount and status. */
enum { PATHS = TF_LEDGER_OWNERS_MAX + 2 };

typedef struct wanted {
    const char *text, *rest; /* the whole; what is behind its first dot, or NULL */
    size_t length;           /* of its first name */
    char flat[256];          /* as a name in the owner's document */
} wanted;

typedef struct spot {
    bson_iter_t at;
    bool found;
} spot;

struct tf_tally {
    const tf_repair *repair;
    wanted wanted[PATHS];
    size_t wanted_count, amount_at, status_at;
    row *rows;
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1 */
    size_t slots_count;
    bson_t owner, owner_after, move; /* scratch */
    int64_t amount, odd;
};

void tf_tally_owner_name(const char *path, char *into, size_t size)
{
    snprintf(into, size, "%s", path);
    for (char *p = into; *p; p++)
        if (*p == '.')
            *p = '_';
}

static size_t add_wanted(tf_tally *tally, const char *text)
{
    wanted *p = &tally->wanted[tally->wanted_count];
    p->text = text;
    p->length = strcspn(text, ".");
    p->rest = text[p->length] ? text + p->length + 1 : NULL;
    tf_tally_owner_name(text, p->flat, sizeof p->flat);
    return tally->wanted_count++;
}

tf_tally *tf_tally_new(const tf_repair *repair)
{
    tf_tally *tally = bson_malloc0(sizeof *tally);
    tally->repair = repair;
    if (repair->ledger.present) {
        for (size_t i = 0; i < repair->ledger.owners; i++)
            add_wanted(tally, repair->ledger.owner[i]);
        tally->amount_at = add_wanted(tally, repair->ledger.amount);
        tally->status_at = add_wanted(tally, repair->ledger.status);
    }
    tally->slots_count = 256;
    tally->slots = bson_malloc0(tally->slots_count * sizeof *tally->slots);
    bson_init(&tally->owner);
    bson_init(&tally->owner_after);
    bson_init(&tally->move);
    return tally;
}

void tf_tally_clear(tf_tally *tally)
{
    for (size_t i = 0; i < tally->count; i++)
        free(tally->rows[i].key);
    tally->count = 0;
    tally->amount = tally->odd = 0;
    memset(tally->slots, 0, tally->slots_count * sizeof *tally->slots);
}

void tf_tally_free(tf_tally *tally)
{
    if (!tally)
        return;
    tf_tally_clear(tally);
    bson_destroy(&tally->owner);
    bson_destroy(&tally->owner_after);
    bson_destroy(&tally->move);
    free(tally->rows);
    free(tally->slots);
    free(tally);
}

/* All of them in one pass: of fields that occur twice, the first. */
static void look(const tf_tally *tally, const bson_t *doc, spot out[static PATHS])
{
    bson_iter_t iter, inner;
    bool seen[PATHS] = {false};
    size_t left = tally->wanted_count;
    for (size_t i = 0; i < tally->wanted_count; i++)
        out[i].found = false;
    if (!bson_iter_init(&iter, doc))
        return;
    while (left && bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        size_t length = bson_iter_key_len(&iter);
        for (size_t i = 0; i < tally->wanted_count; i++) {
            const wanted *p = &tally->wanted[i];
            if (seen[i] || length != p->length || memcmp(key, p->text, length) != 0)
                continue;
            seen[i] = true;
            left--;
            out[i].at = iter;
            out[i].found = !p->rest || (bson_iter_recurse(&iter, &inner) && bson_iter_find_descendant(&inner, p->rest, &out[i].at));
        }
    }
}

static uint64_t hash_bytes(const uint8_t *data, size_t length, uint64_t hash)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ data[i]) * 1099511628211ULL;
    return hash;
}

static void place(tf_tally *tally, size_t index)
{
    const row *r = &tally->rows[index];
    size_t at = hash_bytes(r->key, r->key_length, 14695981039346656037ULL) & (tally->slots_count - 1);
    while (tally->slots[at])
        at = (at + 1) & (tally->slots_count - 1);
    tally->slots[at] = (uint32_t)index + 1;
}

static void grow(tf_tally *tally)
{
    if (tally->count == tally->capacity) {
        tally->capacity = tally->capacity ? tally->capacity * 2 : 128;
        tally->rows = bson_realloc(tally->rows, tally->capacity * sizeof *tally->rows);
    }
    if (tally->count * 2 < tally->slots_count)
        return;
    tally->slots_count *= 2;
    free(tally->slots);
    tally->slots = bson_malloc0(tally->slots_count * sizeof *tally->slots);
    for (size_t i = 0; i < tally->count; i++)
        place(tally, i);
}

static row *row_of_scratch(tf_tally *tally)
{
    const uint8_t *owner = bson_get_data(&tally->owner), *move = bson_get_data(&tally->move);
    uint64_t hash = hash_bytes(owner, tally->owner.len, 14695981039346656037ULL);
    hash = hash_bytes(move, tally->move.len, hash);
    uint32_t length = tally->owner.len + tally->move.len;
    for (size_t at = hash & (tally->slots_count - 1); tally->slots[at]; at = (at + 1) & (tally->slots_count - 1)) {
        row *r = &tally->rows[tally->slots[at] - 1];
        if (r->owner_length == tally->owner.len && r->key_length == length &&
            memcmp(r->key, owner, tally->owner.len) == 0 &&
            memcmp(r->key + tally->owner.len, move, tally->move.len) == 0)
            return r;
    }
    grow(tally);
    row *r = &tally->rows[tally->count];
    *r = (row){.key = bson_malloc(length), .owner_length = tally->owner.len, .key_length = length};
    memcpy(r->key, owner, tally->owner.len);
    memcpy(r->key + tally->owner.len, move, tally->move.len);
    place(tally, tally->count++);
    return r;
}

static void read_owner(const tf_tally *tally, const spot seen[static PATHS], bson_t *owner)
{
    bson_reinit(owner);
    for (size_t i = 0; i < tally->repair->ledger.owners; i++)
        if (seen[i].found)
            bson_append_iter(owner, tally->wanted[i].flat, -1, &seen[i].at);
}

static bool read_amount(const tf_tally *tally, const spot seen[static PATHS], int64_t *amount)
{
    size_t i = tally->amount_at;
    *amount = 0;
    return seen[i].found && tf_amount_read(&seen[i].at, tally->repair->ledger.scale, amount);
}

/* The scratch owner and move, once more. */
static bool enter(tf_tally *tally, bool counts, int64_t amount, tf_error *err)
{
    row *r = row_of_scratch(tally);
    if (!counts)
        tally->odd++;
    r->n++;
    return tf_amount_add(&r->amount, amount, err) && tf_amount_add(&tally->amount, amount, err);
}

bool tf_tally_add(tf_tally *tally, const bson_t *before, const bson_t *after, tf_error *err)
{
    const tf_repair *repair = tally->repair;
    spot was[PATHS], is[PATHS];
    int64_t amount, amount_after;
    if (!repair->ledger.present)
        return true;
    look(tally, before, was);
    look(tally, after, is);
    read_owner(tally, was, &tally->owner);
    read_owner(tally, is, &tally->owner_after);
    if (!bson_equal(&tally->owner, &tally->owner_after))
        return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: the repair would change who owns a %s", repair->noun);
    bool counts = read_amount(tally, was, &amount), counts_after = read_amount(tally, is, &amount_after);
    if (counts != counts_after || amount != amount_after)
        return tf_error_set(err, TF_ERR_INVARIANT, "invariant failed: the repair would change the amount of a %s", repair->noun);
    bson_reinit(&tally->move);
    if (was[tally->status_at].found)
        bson_append_iter(&tally->move, "f", 1, &was[tally->status_at].at);
    if (is[tally->status_at].found)
        bson_append_iter(&tally->move, "t", 1, &is[tally->status_at].at);
    return enter(tally, counts, amount, err);
}

bool tf_tally_create(tf_tally *tally, const bson_t *doc, tf_error *err)
{
    spot seen[PATHS];
    int64_t amount;
    if (!tally->repair->ledger.present)
        return true;
    look(tally, doc, seen);
    read_owner(tally, seen, &tally->owner);
    bool counts = read_amount(tally, seen, &amount);
    bson_reinit(&tally->move);
    bson_append_bool(&tally->move, "c", 1, true);
    if (seen[tally->status_at].found)
        bson_append_iter(&tally->move, "t", 1, &seen[tally->status_at].at);
    return enter(tally, counts, amount, err);
}

static int compare_rows(const void *a, const void *b)
{
    const row *x = a, *y = b;
    uint32_t shorter = x->owner_length < y->owner_length ? x->owner_length : y->owner_length;
    int order = memcmp(x->key, y->key, shorter);
    if (order == 0 && x->owner_length != y->owner_length)
        order = x->owner_length < y->owner_length ? -1 : 1;
    if (order)
        return order;
    uint32_t xs = x->key_length - x->owner_length, ys = y->key_length - y->owner_length;
    order = memcmp(x->key + x->owner_length, y->key + y->owner_length, xs < ys ? xs : ys);
    return order ? order : (xs > ys) - (xs < ys);
}

static void sort(tf_tally *tally)
{
    if (tally->count == 0)
        return;
    qsort(tally->rows, tally->count, sizeof *tally->rows, compare_rows);
    memset(tally->slots, 0, tally->slots_count * sizeof *tally->slots);
    for (size_t i = 0; i < tally->count; i++)
        place(tally, i);
}

void tf_tally_append(tf_tally *tally, bson_t *out, const char *key)
{
    bson_t array, item, view;
    bson_iter_t at;
    char buffer[16];
    const char *index;
    sort(tally);
    bson_append_array_begin(out, key, -1, &array);
    for (size_t i = 0; i < tally->count; i++) {
        const row *r = &tally->rows[i];
        size_t length = bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        bson_append_document_begin(&array, index, (int)length, &item);
        if (bson_init_static(&view, r->key, r->owner_length))
            bson_append_document(&item, "owner", 5, &view);
        if (bson_init_static(&view, r->key + r->owner_length, r->key_length - r->owner_length)) {
            if (bson_iter_init_find(&at, &view, "f"))
                bson_append_iter(&item, "from", 4, &at);
            if (bson_iter_init_find(&at, &view, "t"))
                bson_append_iter(&item, "to", 2, &at);
            if (bson_iter_init_find(&at, &view, "c"))
                bson_append_bool(&item, "created", 7, true);
        }
        bson_append_int64(&item, "n", 1, r->n);
        bson_append_int64(&item, "amount", 6, r->amount);
        bson_append_document_end(&array, &item);
    }
    bson_append_array_end(out, &array);
}

int64_t tf_tally_amount(const tf_tally *tally)
{
    return tally->amount;
}

int64_t tf_tally_odd(const tf_tally *tally)
{
    return tally->odd;
}

void tf_tally_owner_expression(const tf_repair *repair, bson_t *out, const char *key, bool flat)
{
    bson_t owner;
    bson_append_document_begin(out, key, -1, &owner);
    for (size_t i = 0; i < repair->ledger.owners; i++) {
        char name[256], field[300];
        tf_tally_owner_name(repair->ledger.owner[i], name, sizeof name);
        if (flat)
            snprintf(field, sizeof field, "$_id.o%zu", i);
        else
            snprintf(field, sizeof field, "$%s", repair->ledger.owner[i]);
        BSON_APPEND_UTF8(&owner, name, field);
    }
    bson_append_document_end(out, &owner);
}

void tf_tally_owner_key(const tf_repair *repair, bson_t *out)
{
    for (size_t i = 0; i < repair->ledger.owners; i++) {
        char name[24], field[300];
        snprintf(name, sizeof name, "o%zu", i);
        snprintf(field, sizeof field, "$%s", repair->ledger.owner[i]);
        BSON_APPEND_UTF8(out, name, field);
    }
}

/* Inclusion of a path and of one below it collide on the server: the shorter one covers both. */
static bool covered(const bson_t *projection, const char *path)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, projection))
        while (bson_iter_next(&iter)) {
            size_t n = strlen(bson_iter_key(&iter));
            if (strncmp(path, bson_iter_key(&iter), n) == 0 && (path[n] == '\0' || path[n] == '.'))
                return true;
        }
    return false;
}

void tf_tally_project(const tf_repair *repair, bson_t *projection)
{
    const char *paths[TF_LEDGER_OWNERS_MAX + 2];
    size_t count = 0;
    if (!repair->ledger.present)
        return;
    for (size_t i = 0; i < repair->ledger.owners; i++)
        paths[count++] = repair->ledger.owner[i];
    paths[count++] = repair->ledger.amount;
    paths[count++] = repair->ledger.status;
    for (size_t length = 1; length < 256; length++) /* shorter paths first */
        for (size_t i = 0; i < count; i++)
            if (strlen(paths[i]) == length && !covered(projection, paths[i]))
                BSON_APPEND_INT32(projection, paths[i], 1);
}
