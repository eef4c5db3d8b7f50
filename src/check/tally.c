#include "check/tally.h"

#include "check/amount.h"

#include <tokenfix/cleanup.h>

typedef struct row {
    uint8_t *key; /* owner document, then the status as a document {s: …} */
    uint32_t owner_length, key_length;
    int64_t n, amount;
} row;

struct tf_tally {
    const tf_repair *repair;
    row *rows;
    size_t count, capacity;
    uint32_t *slots; /* open addressing: index + 1 */
    size_t slots_count;
    bson_t owner, status; /* scratch */
    int64_t amount, odd;
};

tf_tally *tf_tally_new(const tf_repair *repair)
{
    tf_tally *tally = calloc(1, sizeof *tally);
    tally->repair = repair;
    tally->slots_count = 256;
    tally->slots = calloc(tally->slots_count, sizeof *tally->slots);
    bson_init(&tally->owner);
    bson_init(&tally->status);
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
    bson_destroy(&tally->status);
    free(tally->rows);
    free(tally->slots);
    free(tally);
}

void tf_tally_freep(tf_tally **tally)
{
    tf_tally_free(*tally);
}

static void flat_name(const char *path, char *into, size_t size)
{
    snprintf(into, size, "%s", path);
    for (char *p = into; *p; p++)
        if (*p == '.')
            *p = '_';
}

static bool find_path(const bson_t *doc, const char *path, bson_iter_t *at)
{
    bson_iter_t iter;
    if (!strchr(path, '.'))
        return bson_iter_init_find(at, doc, path);
    return bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, at);
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
        tally->rows = realloc(tally->rows, tally->capacity * sizeof *tally->rows);
    }
    if (tally->count * 2 < tally->slots_count)
        return;
    tally->slots_count *= 2;
    free(tally->slots);
    tally->slots = calloc(tally->slots_count, sizeof *tally->slots);
    for (size_t i = 0; i < tally->count; i++)
        place(tally, i);
}

static row *row_of_scratch(tf_tally *tally)
{
    const uint8_t *owner = bson_get_data(&tally->owner), *status = bson_get_data(&tally->status);
    uint64_t hash = hash_bytes(owner, tally->owner.len, 14695981039346656037ULL);
    hash = hash_bytes(status, tally->status.len, hash);
    uint32_t length = tally->owner.len + tally->status.len;
    for (size_t at = hash & (tally->slots_count - 1); tally->slots[at]; at = (at + 1) & (tally->slots_count - 1)) {
        row *r = &tally->rows[tally->slots[at] - 1];
        if (r->owner_length == tally->owner.len && r->key_length == length &&
            memcmp(r->key, owner, tally->owner.len) == 0 &&
            memcmp(r->key + tally->owner.len, status, tally->status.len) == 0)
            return r;
    }
    grow(tally);
    row *r = &tally->rows[tally->count];
    *r = (row){.key = malloc(length), .owner_length = tally->owner.len, .key_length = length};
    memcpy(r->key, owner, tally->owner.len);
    memcpy(r->key + tally->owner.len, status, tally->status.len);
    place(tally, tally->count++);
    return r;
}

bool tf_tally_add(tf_tally *tally, const bson_t *doc, tf_error *err)
{
    const tf_repair *repair = tally->repair;
    bson_iter_t at;
    int64_t amount = 0;
    if (!repair->ledger.present)
        return true;
    bson_reinit(&tally->owner);
    bson_reinit(&tally->status);
    for (size_t i = 0; i < repair->ledger.owners; i++) {
        char name[256];
        flat_name(repair->ledger.owner[i], name, sizeof name);
        if (find_path(doc, repair->ledger.owner[i], &at))
            bson_append_iter(&tally->owner, name, -1, &at);
    }
    if (find_path(doc, repair->ledger.status, &at))
        bson_append_iter(&tally->status, "s", 1, &at);
    if (!find_path(doc, repair->ledger.amount, &at) || !tf_amount_read(&at, repair->ledger.scale, &amount))
        tally->odd++;
    row *r = row_of_scratch(tally);
    r->n++;
    return tf_amount_add(&r->amount, amount, err) && tf_amount_add(&tally->amount, amount, err);
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
        if (bson_init_static(&view, r->key + r->owner_length, r->key_length - r->owner_length) &&
            bson_iter_init_find(&at, &view, "s"))
            bson_append_iter(&item, "status", 6, &at);
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

static bool same_owner(const row *a, const row *b)
{
    return a->owner_length == b->owner_length && memcmp(a->key, b->key, a->owner_length) == 0;
}

/* The rows of one account, from *at on, folded into n and amount. */
static const row *next_account(const tf_tally *tally, size_t *at, int64_t *n, __int128 *amount)
{
    if (*at == tally->count)
        return NULL;
    const row *first = &tally->rows[*at];
    *n = 0;
    *amount = 0;
    for (; *at < tally->count && same_owner(first, &tally->rows[*at]); ++*at) {
        *n += tally->rows[*at].n;
        *amount += tally->rows[*at].amount;
    }
    return first;
}

bool tf_tally_same_accounts(tf_tally *a, tf_tally *b)
{
    size_t i = 0, j = 0;
    int64_t n, m;
    __int128 x, y;
    sort(a);
    sort(b);
    for (;;) {
        const row *p = next_account(a, &i, &n, &x), *q = next_account(b, &j, &m, &y);
        if (!p || !q)
            return !p && !q;
        if (!same_owner(p, q) || n != m || x != y)
            return false;
    }
}

void tf_tally_owner_expression(const tf_repair *repair, bson_t *out, const char *key)
{
    bson_t owner;
    bson_append_document_begin(out, key, -1, &owner);
    for (size_t i = 0; i < repair->ledger.owners; i++) {
        char name[256], field[300];
        flat_name(repair->ledger.owner[i], name, sizeof name);
        snprintf(field, sizeof field, "$%s", repair->ledger.owner[i]);
        BSON_APPEND_UTF8(&owner, name, field);
    }
    bson_append_document_end(out, &owner);
}
