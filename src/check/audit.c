#include "check/audit.h"

#include "base/hash.h"
#include "check/audit_pipeline.h"
#include "db/failure.h"
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
    return !a->ledger && !b->ledger && !a->premise && !b->premise && same_text(a->probe, b->probe) && a->pass == b->pass && same_text(a->collection, b->collection) &&
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

/* The _id under its name, then the others. */
static void append_example(const tf_check *check, const bson_t *row, bson_t *examples, uint32_t *n)
{
    _cleanup_bson_ bson_t example = BSON_INITIALIZER;
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, row, "_id"))
        append_key(check, &iter, &example);
    if (bson_iter_init(&iter, row))
        while (bson_iter_next(&iter))
            if (strcmp(bson_iter_key(&iter), "_id") != 0)
                bson_append_iter(&example, NULL, 0, &iter);
    tf_array_append_document(examples, n, &example);
}

static void read_examples(const tf_check *check, const bson_t *found, size_t i, bson_t *examples)
{
    char path[16];
    bson_iter_t iter, item;
    uint32_t n = 0;
    snprintf(path, sizeof path, "e%zu", i);
    if (!bson_iter_init_find(&iter, found, path) || !bson_iter_recurse(&iter, &item))
        return;
    while (bson_iter_next(&item)) {
        bson_t row;
        uint32_t length;
        const uint8_t *data;
        bson_iter_document(&item, &length, &data);
        if (bson_init_static(&row, data, length))
            append_example(check, &row, examples, &n);
    }
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

/* No replica set, a collection that was changed just now, more to read than the server keeps the past for; or a value that an
 * expression of the probe cannot take, such as a text that is no UTF-8. */
static bool can_be_done_without(const tf_error *error)
{
    if (error->server_code == TF_CODE_SNAPSHOT_TOO_OLD || error->server_code == TF_CODE_SNAPSHOT_UNAVAILABLE)
        return true;
    return error->code == TF_ERR_SERVER && error->server_code != TF_CODE_MAX_TIME_EXPIRED && !tf_failure_is_transient(error);
}

/* A probe may read the documents twice and compare: what is written in between must not make it say that nothing is there. */
bool tf_audit_ask_probe(const tf_audit_input *input, const tf_check *check, tf_candidates *candidates, tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER;
    char what[128];
    snprintf(what, sizeof what, "run the check %s", check->name);
    tf_op op = op_of(input, what);
    tf_error one = {0};
    const bson_t *doc = NULL;
    bson_iter_t id;
    int got;
    op.snapshot = true;
    begin_candidates(candidates);
    if (!tf_audit_probe(input->narrowing, check, &stages, err))
        return false;
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = aggregate(input, &op, check, &stages);
    while ((got = tf_cursor_next(cursor, &op, &doc, &one)) == 1)
        add_candidate(candidates, bson_iter_init_find(&id, doc, "_id") ? &id : NULL);
    if (got < 0 && can_be_done_without(&one)) {
        add_candidate(candidates, NULL); /* it may be anywhere */
        return true;
    }
    if (got < 0)
        *err = one;
    return got == 0;
}

/* ---- a pass ---- */

static bool look(const tf_audit_input *input, const tf_pass *pass, const tf_candidates *known, const char *what, bson_t *found,
                 tf_error *err)
{
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER;
    tf_op op = op_of(input, what);
    tf_narrowing narrowing = *input->narrowing;
    narrowing.candidates = known && known->few ? known->values : NULL;
    return tf_audit_pipeline(&narrowing, pass, &stages, err) &&
           tf_cursor_one(aggregate(input, &op, pass->count ? pass->checks[0] : pass->premises[0], &stages), &op, found, err) >= 0;
}

static void read_findings(const tf_audit_input *input, const tf_pass *pass, const bson_t *found, tf_finding *findings)
{
    char narrowing[1024];
    tf_narrowing_text(input->narrowing, narrowing, sizeof narrowing);
    for (size_t i = 0; i < pass->count; i++) {
        tf_finding *finding = &findings[i];
        *finding = (tf_finding){.check = pass->checks[i], .examples = bson_new()};
        tf_finding_name(input->migration, finding->check->name, narrowing, finding->id);
        read_sums(found, i, finding);
        read_examples(finding->check, found, i, finding->examples);
        finding->severity = tf_finding_weigh(finding->check, finding->count, finding->amount);
    }
}

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
        if (!tf_audit_ask_probe(input, first, &probed, err))
            return false;
        known = &probed;
        nothing = !probed.any;
    }
    if (!nothing && !look(input, pass, known, what, &found, err))
        return false;
    read_findings(input, pass, &found, findings);
    for (size_t i = 0; i < pass->premises_count; i++)
        read_candidates(&found, i, &candidates[i]);
    return true;
}
