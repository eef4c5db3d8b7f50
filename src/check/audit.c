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
    return !a->ledger && !b->ledger && !a->probe && !b->probe && a->pass == b->pass && same_text(a->collection, b->collection) &&
           same_text(a->needs, b->needs) && same_text(a->source, b->source) && same_text(a->narrowed, b->narrowed);
}

bool tf_check_has_premise(const tf_check *check, const tf_narrowing *narrowing)
{
    return check->premise && !(check->narrowed && tf_narrowing_is_narrow(narrowing));
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

/* ---- candidates ---- */

void tf_candidates_done(tf_candidates *candidates)
{
    if (candidates->values)
        bson_destroy(candidates->values);
    *candidates = (tf_candidates){0};
}

/* Types that $in takes for nothing but themselves. */
static bool may_be_asked_for(const bson_iter_t *value)
{
    switch (bson_iter_type(value)) {
    case BSON_TYPE_UTF8:
    case BSON_TYPE_OID:
    case BSON_TYPE_NULL:
    case BSON_TYPE_BOOL:
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DATE_TIME:
    case BSON_TYPE_BINARY:
        return true;
    default:
        return false;
    }
}

static void begin_candidates(tf_candidates *candidates)
{
    *candidates = (tf_candidates){.few = true, .values = bson_new()};
}

static void add_candidate(tf_candidates *candidates, bson_iter_t *value)
{
    uint32_t n;
    candidates->any = true;
    if (!candidates->few)
        return;
    n = bson_count_keys(candidates->values);
    candidates->few = value && may_be_asked_for(value) && n < TF_CANDIDATES_MAX;
    if (candidates->few)
        tf_array_append_value(candidates->values, &n, bson_iter_value(value));
}

static void read_candidates(const bson_t *found, size_t i, tf_candidates *candidates)
{
    char path[16];
    bson_iter_t iter, row, id;
    snprintf(path, sizeof path, "k%zu", i);
    begin_candidates(candidates);
    if (bson_iter_init_find(&iter, found, path) && bson_iter_recurse(&iter, &row))
        while (bson_iter_next(&row))
            add_candidate(candidates, bson_iter_recurse(&row, &id) && bson_iter_find(&id, "_id") ? &id : NULL);
}

/* Whether there can be anything to find, and where. */
static bool probe(const tf_audit_input *input, const tf_check *check, const char *what, tf_candidates *candidates, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER;
    tf_op op = op_of(input, what);
    const bson_t *doc = NULL;
    bson_iter_t id;
    int got;
    begin_candidates(candidates);
    if (!tf_audit_probe(input->narrowing, check, &stages, err))
        return false;
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = aggregate(input, &op, check, &stages);
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        add_candidate(candidates, bson_iter_init_find(&id, doc, "_id") ? &id : NULL);
    return got == 0;
}

/* ---- a pass ---- */

static bool look(const tf_audit_input *input, const tf_pass *pass, const tf_candidates *among, const char *what, bson_t *found,
                 tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER;
    tf_op op = op_of(input, what);
    return tf_audit_pipeline(input->narrowing, pass, among, &stages, err) &&
           tf_cursor_one(aggregate(input, &op, pass->count ? pass->checks[0] : pass->premises[0], &stages), &op, found, err) >= 0;
}

static bool read_finding(const tf_audit_input *input, const tf_check *check, const bson_t *found, size_t i, tf_finding *finding,
                         tf_error *err)
{
    read_sums(found, i, finding);
    finding->severity = tf_finding_weigh(check, finding->count, finding->amount);
    return finding->count == 0 || read_examples(input, check, found, i, finding->examples, err);
}

static bool read_findings(const tf_audit_input *input, const tf_pass *pass, const bson_t *found, tf_finding *findings, tf_error *err)
{
    char narrowing[1024];
    bool ok = true;
    tf_narrowing_text(input->narrowing, narrowing, sizeof narrowing);
    for (size_t i = 0; i < pass->count; i++) {
        findings[i] = (tf_finding){.check = pass->checks[i], .examples = bson_new()};
        tf_finding_name(input->migration, pass->checks[i]->name, narrowing, findings[i].id);
    }
    for (size_t i = 0; ok && i < pass->count; i++)
        ok = read_finding(input, pass->checks[i], found, i, &findings[i], err);
    for (size_t i = 0; !ok && i < pass->count; i++)
        tf_finding_done(&findings[i]);
    return ok;
}

/* The detail of an example is the only thing that can fail once the pass is through. */
bool tf_audit_pass(const tf_audit_input *input, const tf_pass *pass, const tf_candidates *known, tf_finding *findings,
                   tf_candidates *candidates, tf_error *err)
{
    _cleanup_bson_ bson_t found = BSON_INITIALIZER;
    _cleanup_(tf_candidates_done) tf_candidates probed = {0};
    const tf_check *first = pass->count ? pass->checks[0] : pass->premises[0];
    bool own = first->narrowed && tf_narrowing_is_narrow(input->narrowing), nothing = known && !known->any;
    char what[128];
    snprintf(what, sizeof what, "run the check %s%s", first->name, pass->count > 1 ? " and others" : "");
    if (!known && pass->count && first->probe && !first->premise && !own) {
        if (!probe(input, first, what, &probed, err))
            return false;
        known = &probed;
        nothing = !probed.any;
    }
    if ((!nothing && !look(input, pass, known, what, &found, err)) || !read_findings(input, pass, &found, findings, err))
        return false;
    for (size_t i = 0; i < pass->premises_count; i++)
        read_candidates(&found, i, &candidates[i]);
    return true;
}
