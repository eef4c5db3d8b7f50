#include "check/audit_pipeline.h"

#include "db/id.h"

#include <string.h>
#include <tokenfix/cleanup.h>

enum { EXAMPLE_BYTES = 8192, CANDIDATE_BYTES = 1024 };

/* ---- the texts of a check ---- */

static bson_t *parse(const tf_check *check, const char *what, const char *json, tf_error *err)
{
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (doc)
        return doc;
    tf_error_set(err, TF_ERR_INVALID, "the check '%s' is not valid: its %s is no Extended JSON", check->name, what);
    tf_error_detail(err, "%s", error.message);
    return NULL;
}

/* Parses a text and puts what it stands for in the places of its words. */
static bool read_text(const tf_narrowing *narrowing, const tf_check *check, const char *what, const char *json, bson_t *out,
                      tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *doc = parse(check, what, json, err);
    if (!doc)
        return false;
    tf_narrowing_bind(narrowing, doc, out);
    return true;
}

static void append_stages(const bson_t *from, bson_t *stages, uint32_t *n)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, from))
        while (bson_iter_next(&iter))
            tf_array_append_value(stages, n, bson_iter_value(&iter));
}

static bool append_text(const tf_narrowing *narrowing, const tf_check *check, const char *what, const char *json, bson_t *stages,
                        uint32_t *n, tf_error *err)
{
    _cleanup_bson_ bson_t bound = BSON_INITIALIZER;
    if (!read_text(narrowing, check, what, json, &bound, err))
        return false;
    append_stages(&bound, stages, n);
    return true;
}

static void append_stage(const char *operator, const bson_t *value, bson_t *stages, uint32_t *n)
{
    _cleanup_(bson_destroyp) bson_t *stage = BCON_NEW(operator, BCON_DOCUMENT(value));
    tf_array_append_document(stages, n, stage);
}

static void append_narrowing(const tf_narrowing *narrowing, bson_t *stages, uint32_t *n)
{
    _cleanup_bson_ bson_t query = BSON_INITIALIZER;
    tf_narrowing_query(narrowing, &query);
    if (!bson_empty(&query))
        append_stage("$match", &query, stages, n);
}

/* ---- what they share ---- */

static bool read_where(const tf_narrowing *narrowing, const tf_check *check, bson_t *out, tf_error *err)
{
    return !check->where || read_text(narrowing, check, "where", check->where, out, err);
}

static bool read_premise(const tf_narrowing *narrowing, const tf_check *check, bson_t *out, tf_error *err)
{
    return read_text(narrowing, check, "premise", check->premise, out, err);
}

/* {$expr: …} and nothing else. */
static bool is_expression(const bson_t *where, bson_iter_t *expression)
{
    return bson_count_keys(where) == 1 && bson_iter_init_find(expression, where, "$expr");
}

/* A premise may be what a check asks anyhow. */
static void append_once(bson_iter_t *value, bson_t *expressions, uint32_t *n)
{
    _cleanup_bson_ bson_t wanted = BSON_INITIALIZER;
    bson_iter_t iter;
    bson_append_iter(&wanted, "", 0, value);
    for (bool more = bson_iter_init(&iter, expressions) && bson_iter_next(&iter); more; more = bson_iter_next(&iter)) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        bson_append_iter(&one, "", 0, &iter);
        if (bson_equal(&one, &wanted))
            return;
    }
    tf_array_append_value(expressions, n, bson_iter_value(value));
}

/* What any of them asks for. Expressions become one: it reads a document's fields once. */
static bool append_wheres(const tf_narrowing *narrowing, const tf_pass *pass, bson_t *stages, uint32_t *n, tf_error *err)
{
    _cleanup_bson_ bson_t any = BSON_INITIALIZER, match = BSON_INITIALIZER, expressions = BSON_INITIALIZER;
    uint32_t conditions = 0, inner = 0;
    for (size_t i = 0; i < pass->count + pass->premises_count; i++) {
        _cleanup_bson_ bson_t one = BSON_INITIALIZER;
        bson_iter_t iter;
        if (i < pass->count ? !read_where(narrowing, pass->checks[i], &one, err)
                            : !read_premise(narrowing, pass->premises[i - pass->count], &one, err))
            return false;
        if (bson_empty(&one))
            return true;
        if (is_expression(&one, &iter))
            append_once(&iter, &expressions, &inner);
        else
            tf_array_append_document(&any, &conditions, &one);
    }
    if (inner) {
        _cleanup_(bson_destroyp) bson_t *one = BCON_NEW("$expr", "{", "$or", BCON_ARRAY(&expressions), "}");
        tf_array_append_document(&any, &conditions, one);
    }
    BSON_APPEND_ARRAY(&match, "$or", &any);
    append_stage("$match", &match, stages, n);
    return true;
}

static void append_among(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n)
{
    if (!narrowing->candidates || !check->among)
        return;
    _cleanup_(bson_destroyp) bson_t *query = BCON_NEW(check->among, "{", "$in", BCON_ARRAY(narrowing->candidates), "}");
    append_stage("$match", query, stages, n);
}

bool tf_audit_append_source(const tf_narrowing *narrowing, const tf_pass *pass, bson_t *stages, uint32_t *n, tf_error *err)
{
    const tf_check *check = pass->count ? pass->checks[0] : NULL;
    bool own = check && check->narrowed && tf_narrowing_is_narrow(narrowing);
    const char *source = !check ? NULL : own ? check->narrowed : check->source;
    if (!own)
        append_narrowing(narrowing, stages, n);
    if (check && !own)
        append_among(narrowing, check, stages, n);
    return (!source || append_text(narrowing, check, "source", source, stages, n, err)) &&
           append_wheres(narrowing, pass, stages, n, err);
}

bool tf_audit_append_owners(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n, tf_error *err)
{
    return !check->owners || append_text(narrowing, check, "owners", check->owners, stages, n, err);
}

/* ---- counts and examples ---- */

/* What a source makes carries its counts and amounts; of documents each is one, with the ledger's amount. */
static void append_sums(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n)
{
    _cleanup_bson_ bson_t bound = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *group = NULL;
    if (check->source)
        group = BCON_NEW("_id", BCON_NULL, "count", "{", "$sum", "{", "$ifNull", "[", BCON_UTF8("$count"), BCON_INT32(1), "]", "}", "}",
                         "amount", "{", "$sum", BCON_UTF8("$amount"), "}", "amounts", "{", "$max", "{", "$isNumber", BCON_UTF8("$amount"),
                         "}", "}");
    else if (narrowing->repair->ledger.present)
        group = BCON_NEW("_id", BCON_NULL, "count", "{", "$sum", BCON_INT32(1), "}", "amount", "{", "$sum", BCON_UTF8("$$AMOUNT"), "}",
                         "amounts", "{", "$max", "{", "$literal", BCON_BOOL(true), "}", "}");
    else
        group = BCON_NEW("_id", BCON_NULL, "count", "{", "$sum", BCON_INT32(1), "}");
    tf_narrowing_bind(narrowing, group, &bound);
    append_stage("$group", &bound, stages, n);
}

/* Documents show their _id, what the ledger is made of, and what the check says. Masked fields are not among these. */
static bool append_projection(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n, tf_error *err)
{
    const tf_repair *repair = narrowing->repair;
    _cleanup_bson_ bson_t fields = BSON_INITIALIZER;
    BSON_APPEND_INT32(&fields, "_id", 1);
    for (size_t i = 0; repair->ledger.present && i < repair->ledger.owners; i++)
        BSON_APPEND_INT32(&fields, repair->ledger.owner[i], 1);
    if (repair->ledger.present) {
        BSON_APPEND_INT32(&fields, repair->ledger.amount, 1);
        BSON_APPEND_INT32(&fields, repair->ledger.status, 1);
    }
    if (check->shows && !read_text(narrowing, check, "shows", check->shows, &fields, err))
        return false;
    append_stage("$project", &fields, stages, n);
    return true;
}

/* An _id alone can have megabytes. */
static void append_limit_of_size(bson_t *stages, uint32_t *n)
{
    _cleanup_(bson_destroyp) bson_t *replace =
        BCON_NEW("$cond", "[", "{", "$lte", "[", "{", "$bsonSize", BCON_UTF8("$$ROOT"), "}", BCON_INT32(EXAMPLE_BYTES), "]", "}",
                 BCON_UTF8("$$ROOT"), "{", "bytes", "{", "$bsonSize", BCON_UTF8("$$ROOT"), "}", "}", "]");
    append_stage("$replaceWith", replace, stages, n);
}

static bool append_examples(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, uint32_t *n, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *sort = BCON_NEW("$sort", "{", "_id", BCON_INT32(1), "}"),
                                    *limit = BCON_NEW("$limit", BCON_INT32(TF_FINDING_EXAMPLES));
    tf_array_append_document(stages, n, sort); /* the same ones every time */
    tf_array_append_document(stages, n, limit);
    if (!check->source && !append_projection(narrowing, check, stages, n, err))
        return false;
    if (check->detail && !append_text(narrowing, check, "detail", check->detail, stages, n, err))
        return false;
    append_limit_of_size(stages, n);
    return true;
}

static bool append_facet(const tf_narrowing *narrowing, const tf_check *check, char kind, size_t i, bson_t *facets, tf_error *err)
{
    char name[16];
    uint32_t n = 0;
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER, where = BSON_INITIALIZER;
    if (!read_where(narrowing, check, &where, err))
        return false;
    append_stage("$match", &where, &stages, &n);
    if (kind == 'c')
        append_sums(narrowing, check, &stages, &n);
    else if (!append_examples(narrowing, check, &stages, &n, err))
        return false;
    snprintf(name, sizeof name, "%c%zu", kind, i);
    BSON_APPEND_ARRAY(facets, name, &stages);
    return true;
}

/* What a probe leads to, as values that may be asked for. */
static void append_candidates(bson_t *stages, uint32_t *n)
{
    _cleanup_(bson_destroyp) bson_t *limit = BCON_NEW("$limit", BCON_INT32(TF_CANDIDATES_MAX + 1)),
                                    *small = BCON_NEW("$cond", "[", "{", "$lte", "[", "{", "$bsonSize", "{", "_id", BCON_UTF8("$_id"), "}", "}",
                                                      BCON_INT32(CANDIDATE_BYTES), "]", "}", "{", "_id", BCON_UTF8("$_id"), "}", "{", "}", "]");
    tf_array_append_document(stages, n, limit);
    append_stage("$replaceWith", small, stages, n);
}

static bool append_premise(const tf_narrowing *narrowing, const tf_check *check, size_t i, bson_t *facets, tf_error *err)
{
    char name[16];
    uint32_t n = 0;
    _cleanup_bson_ bson_t stages = BSON_INITIALIZER, premise = BSON_INITIALIZER;
    if (!read_premise(narrowing, check, &premise, err))
        return false;
    append_stage("$match", &premise, &stages, &n);
    if (check->probe && !append_text(narrowing, check, "probe", check->probe, &stages, &n, err))
        return false;
    append_candidates(&stages, &n);
    snprintf(name, sizeof name, "k%zu", i);
    BSON_APPEND_ARRAY(facets, name, &stages);
    return true;
}

bool tf_audit_pipeline(const tf_narrowing *narrowing, const tf_pass *pass, bson_t *stages, tf_error *err)
{
    uint32_t n = 0;
    _cleanup_bson_ bson_t facets = BSON_INITIALIZER;
    if (!tf_audit_append_source(narrowing, pass, stages, &n, err))
        return false;
    for (size_t i = 0; i < pass->count; i++)
        if (!append_facet(narrowing, pass->checks[i], 'c', i, &facets, err) ||
            !append_facet(narrowing, pass->checks[i], 'e', i, &facets, err))
            return false;
    for (size_t i = 0; i < pass->premises_count; i++)
        if (!append_premise(narrowing, pass->premises[i], i, &facets, err))
            return false;
    append_stage("$facet", &facets, stages, &n);
    return true;
}

/* ---- before and after ---- */

bool tf_audit_probe(const tf_narrowing *narrowing, const tf_check *check, bson_t *stages, tf_error *err)
{
    uint32_t n = 0;
    _cleanup_bson_ bson_t premise = BSON_INITIALIZER;
    append_narrowing(narrowing, stages, &n);
    if (check->premise && !read_premise(narrowing, check, &premise, err))
        return false;
    if (!bson_empty(&premise))
        append_stage("$match", &premise, stages, &n);
    if (!append_text(narrowing, check, "probe", check->probe, stages, &n, err))
        return false;
    append_candidates(stages, &n);
    return true;
}
