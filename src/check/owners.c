#include "check/owners.h"

#include "base/field.h"
#include "check/audit_pipeline.h"
#include "db/id.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { OWNER_BYTES = 1024 };

void tf_owners_done(tf_owners *owners)
{
    for (size_t i = 0; i < owners->page_count; i++)
        bson_value_destroy(&owners->page[i].owner);
    free(owners->page);
    *owners = (tf_owners){0};
}

/* ---- the pipeline ---- */

/* The checks, and what their probes led to. */
typedef struct asked {
    const tf_check *const *checks;
    size_t count;
    tf_candidates candidates[TF_OWNERS_CHECKS_MAX];
    bool clean[TF_OWNERS_CHECKS_MAX]; /* there is nothing to find */
} asked;

static void append_stage(const char *operator, const bson_t *value, bson_t *stages, uint32_t *n)
{
    _cleanup_(bson_destroyp) bson_t *stage = BCON_NEW(operator, BCON_DOCUMENT(value));
    tf_array_append_document(stages, n, stage);
}

static const char *number_name(size_t i, char out[16])
{
    snprintf(out, 16, "k%zu", i);
    return out;
}

/* {_id: owner, k<i>: count, a: amount} of what one check finds. */
static bool append_check(const tf_audit_input *input, const asked *from, size_t i, bson_t *stages, tf_error *err)
{
    const tf_check *check = from->checks[i];
    tf_narrowing own = *input->narrowing, *narrowing = &own;
    own.candidates = from->candidates[i].few ? from->candidates[i].values : NULL;
    const tf_pass pass = {.checks = {check}, .count = 1};
    _cleanup_bson_ bson_t group = BSON_INITIALIZER, bound = BSON_INITIALIZER;
    char owner[300], name[16];
    uint32_t n = 0;
    if (!tf_audit_append_source(narrowing, &pass, stages, &n, err) ||
        !tf_audit_append_owners(narrowing, check, stages, &n, err))
        return false;
    snprintf(owner, sizeof owner, "$%s", check->source ? "owner" : narrowing->repair->ledger.owner[0]);
    BSON_APPEND_UTF8(&group, "_id", owner);
    if (check->source)
        BCON_APPEND(&group, number_name(i, name), "{", "$sum", "{", "$ifNull", "[", BCON_UTF8("$count"), BCON_INT32(1), "]", "}", "}");
    else
        BCON_APPEND(&group, number_name(i, name), "{", "$sum", BCON_INT32(1), "}", "a", "{", "$sum", BCON_UTF8("$$AMOUNT"), "}");
    tf_narrowing_bind(narrowing, &group, &bound);
    append_stage("$group", &bound, stages, &n);
    return true;
}

/* The same key in every part, added up: with `id` NULL over all. */
static void append_sum(const char *id, size_t count, bool owners, bson_t *stages, uint32_t *n)
{
    _cleanup_bson_ bson_t group = BSON_INITIALIZER;
    char name[16], field[20];
    if (id)
        BSON_APPEND_UTF8(&group, "_id", id);
    else
        BSON_APPEND_NULL(&group, "_id");
    for (size_t i = 0; i < count; i++) {
        snprintf(field, sizeof field, "$%s", number_name(i, name));
        BCON_APPEND(&group, name, "{", "$sum", BCON_UTF8(field), "}");
    }
    BCON_APPEND(&group, "a", "{", "$sum", "$a", "}");
    if (owners)
        BCON_APPEND(&group, "owners", "{", "$sum", BCON_INT32(1), "}");
    append_stage("$group", &group, stages, n);
}

static void append_page(size_t count, int64_t limit, int64_t offset, bson_t *stages, uint32_t *n)
{
    _cleanup_bson_ bson_t facets = BSON_INITIALIZER, sums = BSON_INITIALIZER, page = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *sort = BCON_NEW("a", BCON_INT32(-1), "_id", BCON_INT32(1));
    _cleanup_(bson_destroyp) bson_t *skip = BCON_NEW("$skip", BCON_INT64(offset)), *most = BCON_NEW("$limit", BCON_INT64(limit));
    /* any value can be an owner, one of megabytes too */
    _cleanup_(bson_destroyp) bson_t *small =
        BCON_NEW("_id", "{", "$cond", "[", "{", "$lte", "[", "{", "$bsonSize", "{", "o", BCON_UTF8("$_id"), "}", "}", BCON_INT32(OWNER_BYTES), "]",
                 "}", BCON_UTF8("$_id"), BCON_NULL, "]", "}");
    uint32_t s = 0, p = 0;
    append_sum(NULL, count, true, &sums, &s);
    append_stage("$sort", sort, &page, &p);
    tf_array_append_document(&page, &p, skip);
    tf_array_append_document(&page, &p, most);
    append_stage("$set", small, &page, &p);
    BSON_APPEND_ARRAY(&facets, "sums", &sums);
    if (limit > 0)
        BSON_APPEND_ARRAY(&facets, "page", &page);
    append_stage("$facet", &facets, stages, n);
}

static bool pipeline_of(const tf_audit_input *input, const asked *from, int64_t limit, int64_t offset, bson_t *stages, tf_error *err)
{
    const size_t count = from->count;
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++) {
        _cleanup_bson_ bson_t part = BSON_INITIALIZER;
        if (from->clean[i])
            continue;
        if (!append_check(input, from, i, n ? &part : stages, err))
            return false;
        const char *collection = from->checks[i]->collection ? from->checks[i]->collection : input->narrowing->repair->collection;
        _cleanup_(bson_destroyp) bson_t *other = BCON_NEW("coll", BCON_UTF8(collection), "pipeline", BCON_ARRAY(&part));
        if (n)
            append_stage("$unionWith", other, stages, &n);
        else
            n = bson_count_keys(stages);
    }
    append_sum("$_id", count, false, stages, &n);
    if (input->narrowing->owner[0]) { /* what he shares with others is theirs, too */
        _cleanup_(bson_destroyp) bson_t *him = BCON_NEW("_id", "{", "$eq", BCON_UTF8(input->narrowing->owner[0]), "}");
        append_stage("$match", him, stages, &n);
    }
    append_page(count, limit, offset, stages, &n);
    return true;
}

/* ---- what comes out ---- */

static void read_counts(const bson_t *doc, size_t count, tf_owner_counts *out)
{
    bson_iter_t iter;
    char name[16];
    for (size_t i = 0; i < count; i++)
        out->counts[i] = tf_field_number(doc, number_name(i, name));
    out->amount = tf_field_number(doc, "a");
    out->too_large = bson_iter_init_find(&iter, doc, "a") && !BSON_ITER_HOLDS_INT(&iter); /* the server went on in doubles */
}

static void read_page(const bson_t *found, size_t count, tf_owners *out)
{
    bson_iter_t iter, item, id;
    size_t room = 0;
    if (!bson_iter_init_find(&iter, found, "page") || !bson_iter_recurse(&iter, &item))
        return;
    while (bson_iter_next(&item)) {
        bson_t row;
        uint32_t length;
        const uint8_t *data;
        bson_iter_document(&item, &length, &data);
        if (!bson_init_static(&row, data, length) || !bson_iter_init_find(&id, &row, "_id"))
            continue;
        if (out->page_count == room) {
            room = room ? 2 * room : 64;
            out->page = bson_realloc(out->page, room * sizeof *out->page);
        }
        tf_owner_counts *one = &out->page[out->page_count];
        *one = (tf_owner_counts){0};
        read_counts(&row, count, one);
        bson_value_copy(bson_iter_value(&id), &one->owner);
        out->page_count++;
    }
}

static void read_sums(const bson_t *found, size_t count, tf_owners *out)
{
    bson_iter_t iter, at;
    bson_t sums;
    uint32_t length;
    const uint8_t *data;
    if (!bson_iter_init(&iter, found) || !bson_iter_find_descendant(&iter, "sums.0", &at) || !BSON_ITER_HOLDS_DOCUMENT(&at))
        return; /* nobody */
    bson_iter_document(&at, &length, &data);
    if (!bson_init_static(&sums, data, length))
        return;
    out->with_issues = tf_field_number(&sums, "owners");
    read_counts(&sums, count, &out->sums);
}

/* ---- how many ---- */

static tf_op op_of(const tf_audit_input *input, const char *what)
{
    tf_op op = tf_store_op(input->store, NULL, what);
    op.db = input->store->repaired;
    op.max_time_ms = input->max_time_ms;
    op.allow_secondary = true;
    return op;
}

static int one(const tf_audit_input *input, const char *what, const bson_t *stages, bson_t *out, tf_error *err)
{
    tf_op op = op_of(input, what);
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("allowDiskUse", BCON_BOOL(true), "collation", "{", "locale", BCON_UTF8("simple"), "}");
    return tf_cursor_one(tf_op_aggregate(&op, input->narrowing->repair->collection, stages, opts), &op, out, err);
}

/* An index that begins with the owner is jumped through. */
static bool count_owners(const tf_audit_input *input, bool narrowed, int64_t *n, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER, query = BSON_INITIALIZER, found = BSON_INITIALIZER;
    char owner[300];
    uint32_t at = 0;
    snprintf(owner, sizeof owner, "$%s", input->narrowing->repair->ledger.owner[0]);
    _cleanup_(bson_destroyp) bson_t *group = BCON_NEW("_id", BCON_UTF8(owner)), *counted = BCON_NEW("$count", "n");
    if (narrowed)
        tf_narrowing_query(input->narrowing, &query);
    if (!bson_empty(&query))
        append_stage("$match", &query, &stages, &at);
    append_stage("$group", group, &stages, &at);
    tf_array_append_document(&stages, &at, counted);
    if (one(input, "count the owners", &stages, &found, err) < 0)
        return false;
    *n = tf_field_number(&found, "n");
    return true;
}

/* Where there can be nothing to find nobody is asked, and where it can be somewhere only, these alone. */
static bool probe(const tf_audit_input *input, asked *from, size_t *left, tf_error *err)
{
    for (size_t i = 0; i < from->count; i++) {
        const tf_check *check = from->checks[i];
        bool own = check->narrowed && tf_narrowing_is_narrow(input->narrowing);
        if (check->probe && !own) {
            if (!tf_audit_ask_probe(input, check, &from->candidates[i], err))
                return false;
            from->clean[i] = !from->candidates[i].any;
        }
        *left += !from->clean[i];
    }
    return true;
}

static bool read_owners(const tf_audit_input *input, asked *from, int64_t limit, int64_t offset, tf_owners *owners, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER, found = BSON_INITIALIZER;
    size_t left = 0;
    bool ok = count_owners(input, false, &owners->total, err);
    owners->checked = owners->total;
    if (ok && tf_narrowing_is_narrow(input->narrowing))
        ok = count_owners(input, true, &owners->checked, err);
    if (!ok || !probe(input, from, &left, err))
        return false;
    if (left == 0)
        return true;
    if (!pipeline_of(input, from, limit, offset, &stages, err) ||
        one(input, "put together what was found of each owner", &stages, &found, err) < 0)
        return false;
    read_sums(&found, from->count, owners);
    read_page(&found, from->count, owners);
    return true;
}

bool tf_owners_read(const tf_audit_input *input, const tf_check *const *checks, size_t count, int64_t limit, int64_t offset,
                    tf_owners *out, tf_error *err)
{
    tf_owners owners = {0};
    asked from = {.checks = checks, .count = count};
    bool ok = read_owners(input, &from, limit, offset, &owners, err);
    for (size_t i = 0; i < count; i++)
        tf_candidates_done(&from.candidates[i]);
    if (!ok) {
        tf_owners_done(&owners);
        return false;
    }
    *out = owners;
    return true;
}
