#include "backup/dump_order.h"

#include "base/docs.h"
#include "base/hash.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

typedef struct entry {
    int rank;           /* of the kind, in the server's order; 0: unknown here */
    long double number; /* exact for every int64 and double */
    size_t id;          /* bytes to compare, in the arena */
    uint32_t id_length, length;
    int64_t offset; /* of the document in the file */
} entry;

struct tf_dump_order {
    entry *entries;
    size_t count, room;
    uint8_t *arena;
    size_t used, arena_room;
    int64_t offset;
    bool unknown;
};

tf_dump_order *tf_dump_order_new(void)
{
    return bson_malloc0(sizeof(tf_dump_order));
}

void tf_dump_order_free(tf_dump_order *order)
{
    if (!order)
        return;
    bson_free(order->entries);
    bson_free(order->arena);
    bson_free(order);
}

static void keep(tf_dump_order *order, entry *e, const void *bytes, uint32_t length)
{
    if (order->used + length > order->arena_room)
        order->arena = bson_realloc(order->arena, order->arena_room = 2 * (order->used + length) + 4096);
    memcpy(order->arena + order->used, bytes, length);
    e->id = order->used;
    e->id_length = length;
    order->used += length;
}

/* Binary data: by length, then kind, then bytes. */
static void take_binary(tf_dump_order *order, entry *e, const bson_iter_t *at)
{
    bson_subtype_t subtype = BSON_SUBTYPE_BINARY;
    uint32_t length = 0;
    const uint8_t *data = NULL;
    bson_iter_binary(at, &subtype, &length, &data);
    uint8_t *key = bson_malloc(length + 1);
    key[0] = (uint8_t)subtype;
    if (length)
        memcpy(key + 1, data, length);
    e->number = length;
    keep(order, e, key, length + 1);
    bson_free(key);
}

static void take_id(tf_dump_order *order, entry *e, const bson_iter_t *at)
{
    uint32_t length = 0;
    const char *text;
    switch (bson_iter_type(at)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        e->rank = 1;
        e->number = (long double)bson_iter_as_int64(at);
        break;
    case BSON_TYPE_DOUBLE:
        e->rank = 1;
        e->number = isnan(bson_iter_double(at)) ? -(long double)INFINITY : (long double)bson_iter_double(at);
        order->unknown = order->unknown || isnan(bson_iter_double(at));
        break;
    case BSON_TYPE_UTF8:
        text = bson_iter_utf8(at, &length);
        e->rank = 2;
        keep(order, e, text, length);
        break;
    case BSON_TYPE_BINARY:
        e->rank = 3;
        take_binary(order, e, at);
        break;
    case BSON_TYPE_OID:
        e->rank = 4;
        keep(order, e, bson_iter_oid(at)->bytes, 12);
        break;
    case BSON_TYPE_BOOL:
        e->rank = 5;
        e->number = bson_iter_bool(at);
        break;
    case BSON_TYPE_DATE_TIME:
        e->rank = 6;
        e->number = (long double)bson_iter_date_time(at);
        break;
    default:
        order->unknown = true;
    }
}

void tf_dump_order_add(tf_dump_order *order, const bson_t *doc)
{
    bson_iter_t id;
    if (order->count == order->room)
        order->entries = bson_realloc(order->entries, (order->room = 2 * order->room + 64) * sizeof *order->entries);
    entry *e = &order->entries[order->count++];
    *e = (entry){.length = doc->len, .offset = order->offset};
    order->offset += doc->len;
    if (!order->unknown && bson_iter_init_find(&id, doc, "_id"))
        take_id(order, e, &id);
}

static int by_id(const void *a, const void *b, void *arg)
{
    const entry *x = a, *y = b;
    const tf_dump_order *order = arg;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->number < y->number || x->number > y->number)
        return x->number < y->number ? -1 : 1;
    uint32_t less = x->id_length < y->id_length ? x->id_length : y->id_length;
    int differ = less ? memcmp(order->arena + x->id, order->arena + y->id, less) : 0;
    return differ ? differ : (x->id_length > y->id_length) - (x->id_length < y->id_length);
}

static bool read_at(int fd, const entry *e, uint8_t *out, tf_error *err)
{
    size_t done = 0;
    while (done < e->length) {
        ssize_t got = pread(fd, out + done, e->length - done, e->offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tf_error_errno(err, errno, "cannot read the dump");
        if (got == 0)
            return tf_error_set(err, TF_ERR_DAMAGED, "the dump became shorter while it was read");
        done += (size_t)got;
    }
    return true;
}

int tf_dump_order_prove(tf_dump_order *order, int fd, const tf_inventory *inventory, size_t *at, tf_error *err)
{
    _cleanup_(tf_sha256_freep) tf_sha256 *hash = tf_sha256_new();
    uint8_t found[32], *buffer = NULL;
    uint32_t room = 0;
    size_t next = 0;
    bool same = true;
    if (order->unknown || (int64_t)order->count != inventory->documents)
        return -1;
    qsort_r(order->entries, order->count, sizeof *order->entries, by_id, order);
    for (*at = 0; same && *at < inventory->count; *at += same) {
        for (int64_t n = 0; n < inventory->batches[*at].documents; n++) {
            const entry *e = &order->entries[next++];
            if (e->length > room)
                buffer = bson_realloc(buffer, room = e->length);
            if (!read_at(fd, e, buffer, err)) {
                bson_free(buffer);
                return -1;
            }
            tf_sha256_add(hash, buffer, e->length);
        }
        tf_sha256_finish(hash, found);
        same = memcmp(found, inventory->batches[*at].sha256, sizeof found) == 0;
    }
    bson_free(buffer);
    return same;
}
