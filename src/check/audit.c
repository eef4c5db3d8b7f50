#include "check/audit.h"

#include "base/hash.h"
#include "check/audit_pipeline.h"
#include "db/id.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { SHORT_HASH = 6 /* bytes */ };

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool tf_check_shares(const tf_check *a, const tf_check *b)
{
    return !a->ledger && !b->ledger && !a->probe && !b->probe && same_text(a->collection, b->collection) && same_text(a->needs, b->needs) &&
           same_text(a->source, b->source) && same_text(a->narrowed, b->narrowed);
}

static tf_op op_of(const tf_audit_input *input, const char *what)
{
    tf_op op = tf_store_op(input->store, NULL, what);
    op.db = input->store->repaired;
    op.max_time_ms = input->max_time_ms;
    op.allow_secondary = true;
    return op;
}

/* Texts are told apart by their bytes, whatever the collection's own collation says. */
static mongoc_cursor_t *aggregate(const tf_audit_input *input, const tf_op *op, const tf_check *check, const bson_t *stages)
{
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("allowDiskUse", BCON_BOOL(true), "collation", "{", "locale", BCON_UTF8("simple"), "}");
    return tf_op_aggregate(op, check->collection ? check->collection : input->narrowing->repair->collection, stages, opts);
}

/* ---- what came out ---- */

/* The sum of amounts is a whole number, unless it left 64 bits: then there is none. */
static void read_sums(const bson_t *found, size_t i, tf_finding *finding)
{
    char path[32];
    bson_iter_t iter, at;
    snprintf(path, sizeof path, "c%zu.0.count", i);
    if (bson_iter_init(&iter, found) && bson_iter_find_descendant(&iter, path, &at))
        finding->count = bson_iter_as_int64(&at);
    snprintf(path, sizeof path, "c%zu.0.amounts", i);
    bool amounts = bson_iter_init(&iter, found) && bson_iter_find_descendant(&iter, path, &at) && bson_iter_as_bool(&at);
    snprintf(path, sizeof path, "c%zu.0.amount", i);
    if (amounts && bson_iter_init(&iter, found) && bson_iter_find_descendant(&iter, path, &at) && BSON_ITER_HOLDS_INT(&at)) {
        finding->has_amount = true;
        finding->amount = bson_iter_as_int64(&at);
    }
}

/* Enough to tell two secrets apart, and nothing to spend. */
static void append_hash(const bson_iter_t *value, const char *key, bson_t *out)
{
    _cleanup_bson_ bson_t one = BSON_INITIALIZER;
    uint8_t bytes[TF_SHA256_SIZE];
    char text[8 + 2 * SHORT_HASH + 1] = "sha256:";
    if (BSON_ITER_HOLDS_UTF8(value)) {
        uint32_t length;
        const char *secret = bson_iter_utf8(value, &length);
        tf_sha256_of(secret, length, bytes);
    } else {
        bson_append_iter(&one, "", 0, value);
        tf_sha256_of(bson_get_data(&one), one.len, bytes);
    }
    tf_hex(bytes, SHORT_HASH, text + strlen(text));
    BSON_APPEND_UTF8(out, key, text);
}

static void append_key(const tf_check *check, const bson_iter_t *value, bson_t *out)
{
    const char *key = check->key ? check->key : "_id";
    if (check->secret)
        append_hash(value, key, out);
    else
        bson_append_iter(out, key, -1, value);
}

/* The _id under its name, then the others: of the detail, where there is one. */
static void append_example(const tf_check *check, const bson_t *row, const bson_t *detail, bson_t *examples, uint32_t *n)
{
    _cleanup_bson_ bson_t example = BSON_INITIALIZER;
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, row, "_id"))
        append_key(check, &iter, &example);
    if (bson_iter_init(&iter, detail ? detail : row))
        while (bson_iter_next(&iter))
            if (strcmp(bson_iter_key(&iter), "_id") != 0)
                bson_append_iter(&example, NULL, 0, &iter);
    tf_array_append_document(examples, n, &example);
}

/* ---- more about them ---- */

static const bson_t *detail_of(const tf_docs *details, const bson_t *row, bson_t *view)
{
    long at = tf_docs_find_id(details, row, 0);
    if (at < 0)
        return NULL;
    tf_docs_view(details, (size_t)at, view);
    return view;
}

static bool read_details(const tf_audit_input *input, const tf_check *check, const tf_docs *rows, tf_docs *details, tf_error *err)
{
    _cleanup_bson_ bson_t keys = BSON_INITIALIZER, stages = BSON_INITIALIZER;
    char what[128];
    snprintf(what, sizeof what, "look at what the check %s found", check->name);
    tf_op op = op_of(input, what);
    const bson_t *doc = NULL;
    int got;
    tf_docs_append_ids(rows, &keys);
    if (bson_empty(&keys))
        return true;
    if (!tf_audit_detail(input->narrowing, check, &keys, &stages, err))
        return false;
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = aggregate(input, &op, check, &stages);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        if (details->count < TF_FINDING_EXAMPLES)
            tf_docs_add(details, doc);
    return got == 0;
}

static bool read_examples(const tf_audit_input *input, const tf_check *check, const bson_t *found, size_t i, bson_t *examples,
                          tf_error *err)
{
    _cleanup_(tf_docs_done) tf_docs rows = {0}, details = {0};
    char path[16];
    bson_iter_t iter, item;
    uint32_t n = 0;
    snprintf(path, sizeof path, "e%zu", i);
    if (bson_iter_init_find(&iter, found, path) && bson_iter_recurse(&iter, &item))
        while (bson_iter_next(&item)) {
            bson_t row;
            uint32_t length;
            const uint8_t *data;
            bson_iter_document(&item, &length, &data);
            if (bson_init_static(&row, data, length))
                tf_docs_add(&rows, &row);
        }
    if (check->detail && !read_details(input, check, &rows, &details, err))
        return false;
    for (size_t k = 0; k < rows.count; k++) {
        bson_t row, view;
        tf_docs_view(&rows, k, &row);
        append_example(check, &row, check->detail ? detail_of(&details, &row, &view) : NULL, examples, &n);
    }
    return true;
}

/* ---- a pass ---- */

/* Whether there can be anything to find. */
static bool probe(const tf_audit_input *input, const tf_check *check, const char *what, bool *any, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER, reply = BSON_INITIALIZER;
    tf_op op = op_of(input, what);
    if (!tf_audit_probe(input->narrowing, check, &stages, err))
        return false;
    int got = tf_cursor_one(aggregate(input, &op, check, &stages), &op, &reply, err);
    *any = got == 1;
    return got >= 0;
}

static bool look(const tf_audit_input *input, const tf_check *const *checks, size_t count, const char *what, bson_t *found, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER;
    tf_op op = op_of(input, what);
    return tf_audit_pipeline(input->narrowing, checks, count, &stages, err) &&
           tf_cursor_one(aggregate(input, &op, checks[0], &stages), &op, found, err) >= 0;
}

static bool read_finding(const tf_audit_input *input, const tf_check *check, const bson_t *found, size_t i, tf_finding *finding,
                         tf_error *err)
{
    read_sums(found, i, finding);
    finding->severity = tf_finding_weigh(check, finding->count, finding->amount);
    return finding->count == 0 || read_examples(input, check, found, i, finding->examples, err);
}

bool tf_audit_pass(const tf_audit_input *input, const tf_check *const *checks, size_t count, tf_finding *findings, tf_error *err)
{
    _cleanup_bson_ bson_t found = BSON_INITIALIZER;
    char what[128], narrowing[1024];
    bool any = true;
    snprintf(what, sizeof what, "run the check %s%s", checks[0]->name, count > 1 ? " and others" : "");
    bool asked = checks[0]->probe && !(checks[0]->narrowed && tf_narrowing_is_narrow(input->narrowing));
    if ((asked && !probe(input, checks[0], what, &any, err)) || (any && !look(input, checks, count, what, &found, err)))
        return false;
    tf_narrowing_text(input->narrowing, narrowing, sizeof narrowing);
    for (size_t i = 0; i < count; i++) {
        findings[i] = (tf_finding){.check = checks[i], .examples = bson_new()};
        tf_finding_name(input->migration, checks[i]->name, narrowing, findings[i].id);
    }
    for (size_t i = 0; i < count; i++)
        if (!read_finding(input, checks[i], &found, i, &findings[i], err)) {
            for (size_t k = 0; k < count; k++)
                tf_finding_done(&findings[k]);
            return false;
        }
    return true;
}
