#include "store/audit.h"

#include "base/field.h"
#include "base/owner.h"
#include "store/form.h"

#include <tokenfix/cleanup.h>

void tf_audit_kept_done(tf_audit_kept *kept)
{
    if (kept->doc)
        bson_destroy(kept->doc);
    *kept = (tf_audit_kept){0};
}

/* ---- writing ---- */

enum { PATIENCE_MS = 10000 };

static void append_names(bson_t *to, const char *key, const char *const *names)
{
    bson_t array;
    uint32_t n = 0;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (; names && *names; names++) {
        char buffer[16];
        const char *index = NULL;
        size_t length = bson_uint32_to_string(n++, &index, buffer, sizeof buffer);
        bson_append_utf8(&array, index, (int)length, *names, -1);
    }
    bson_append_array_end(to, &array);
}

void tf_audits_begin(const tf_store *store, const char *id, int64_t at, const char *migration, const char *narrowing,
                     const char *const *checks, tf_audit_kept *out)
{
    tf_owner self;
    tf_audit_kept kept = {.at = at, .doc = bson_new()};
    bson_t who;
    snprintf(kept.id, sizeof kept.id, "%s", id);
    tf_owner_self(&self);
    BSON_APPEND_UTF8(kept.doc, "_id", kept.id);
    BSON_APPEND_DATE_TIME(kept.doc, "at", kept.at);
    BSON_APPEND_UTF8(kept.doc, "db", store->repaired);
    BSON_APPEND_UTF8(kept.doc, "migration", migration);
    BSON_APPEND_UTF8(kept.doc, "narrowing", narrowing);
    append_names(kept.doc, "checks", checks);
    BSON_APPEND_DOCUMENT_BEGIN(kept.doc, "who", &who);
    BSON_APPEND_UTF8(&who, "user", self.user);
    BSON_APPEND_UTF8(&who, "host", self.host);
    bson_append_document_end(kept.doc, &who);
    *out = kept;
}

/* That it cannot be made (a role that may insert only) is no reason to keep nothing: it makes reading faster. */
static void make_index(const tf_store *store)
{
    tf_op op = tf_store_op(store, NULL, "create an index of the state database");
    op.max_time_ms = op.majority_ms = PATIENCE_MS;
    tf_error ignored = {0};
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("createIndexes", BCON_UTF8(tf_store_name(store, TF_AUDITS).text), "indexes", "[", "{", "key", "{", "db", BCON_INT32(1), "at",
                 BCON_INT32(-1), "}", "name", "newest", "}", "]");
    tf_op_write(&op, command, NULL, NULL, &ignored);
}

static int has_any(const tf_store *store, tf_error *err)
{
    _cleanup_bson_ bson_t one = BSON_INITIALIZER;
    tf_op op = tf_store_op(store, NULL, "read the audits");
    return tf_cursor_one(tf_audits_list(store, 1, 0), &op, &one, err);
}

bool tf_audits_insert(const tf_store *store, const tf_audit_kept *kept, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "keep an audit");
    op.majority_ms = PATIENCE_MS;
    const bson_t *docs[] = {kept->doc};
    int any = has_any(store, err);
    if (any < 0)
        return false;
    if (any == 0)
        make_index(store);
    return tf_op_insert(&op, tf_store_name(store, TF_AUDITS).text, docs, 1, err);
}

/* ---- reading ---- */

static const tf_form form[] = {
    {.path = "_id", .kind = TF_FORM_ID},         {.path = "at", .kind = TF_FORM_DATE},       {.path = "migration", .kind = TF_FORM_TEXT},
    {.path = "narrowing", .kind = TF_FORM_TEXT}, {.path = "checks", .kind = TF_FORM_ARRAY},  {.path = "findings", .kind = TF_FORM_ARRAY},
    {.path = "skipped", .kind = TF_FORM_ARRAY, .optional = true}, {.path = "alerts", .kind = TF_FORM_ARRAY, .optional = true}, {.path = NULL},
};

bool tf_audits_parse(const bson_t *doc, tf_audit_kept *out, tf_error *err)
{
    if (!tf_form_check(doc, form, "audit", err))
        return false;
    *out = (tf_audit_kept){.at = tf_field_number(doc, "at"), .doc = bson_copy(doc)};
    tf_field_text(doc, "_id", out->id, sizeof out->id);
    return true;
}

static bson_t *sorted(int64_t limit, int64_t offset)
{
    return BCON_NEW("sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "limit", BCON_INT64(limit), "skip", BCON_INT64(offset));
}

int tf_audits_newest(const tf_store *store, const char *migration, const char *narrowing, const char *const *checks, int64_t before,
                     tf_audit_kept *out, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the audits");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER, names = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts = sorted(1, 0), *filter = BCON_NEW("db", BCON_UTF8(store->repaired), "migration", BCON_UTF8(migration),
                                                                             "narrowing", BCON_UTF8(narrowing));
    if (checks && *checks) {
        append_names(&names, "$all", checks);
        BSON_APPEND_DOCUMENT(filter, "checks", &names);
    }
    BCON_APPEND(filter, "failed", "{", "$exists", BCON_BOOL(false), "}");
    if (before)
        BCON_APPEND(filter, "at", "{", "$lt", BCON_DATE_TIME(before), "}");
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_AUDITS).text, filter, opts), &op, &doc, err);
    return got == 1 && !tf_audits_parse(&doc, out, err) ? -1 : got;
}

int tf_audits_alerts(const tf_store *store, const char *migration, bson_t **out, int64_t *at, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "read the alerts");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *opts = sorted(1, 0), *filter = BCON_NEW("db", BCON_UTF8(store->repaired), "migration", BCON_UTF8(migration),
                                                                             "alerts", "{", "$type", BCON_INT32(4), "}");
    bson_t array;
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_AUDITS).text, filter, opts), &op, &doc, err);
    if (got != 1)
        return got;
    if (!tf_field_view(&doc, "alerts", &array))
        return 0;
    *out = bson_copy(&array);
    *at = tf_field_number(&doc, "at");
    return 1;
}

/* ---- removing ---- */

static bool add_ids(mongoc_cursor_t *cursor, const tf_op *op, const char *field, bson_t *ids, uint32_t *n, tf_error *err)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *owned = cursor;
    const bson_t *doc = NULL;
    bson_iter_t iter;
    int got;
    while ((got = tf_cursor_next(owned, op, &doc, err)) == 1) {
        char buffer[16];
        const char *index = NULL;
        size_t length = bson_uint32_to_string((*n)++, &index, buffer, sizeof buffer);
        if (bson_iter_init_find(&iter, doc, field))
            bson_append_iter(ids, index, (int)length, &iter);
    }
    return got == 0;
}

/* One that is written meanwhile is newer: then one more stays than must. */
static bool find_what_stays(const tf_store *store, const char *migration, const char *whole, bson_t *ids, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "look for audits to keep");
    uint32_t n = 0;
    op.max_time_ms = PATIENCE_MS;
    _cleanup_(bson_destroyp) bson_t *pipeline = BCON_NEW(
        "0", "{", "$match", "{", "db", BCON_UTF8(store->repaired), "migration", BCON_UTF8(migration), "narrowing", BCON_UTF8(whole), "failed",
        "{", "$exists", BCON_BOOL(false), "}", "}", "}", "1", "{", "$project", "{", "at", BCON_INT32(1), "checks", BCON_INT32(1), "}", "}", "2",
        "{", "$sort", "{", "at", BCON_INT32(-1), "_id", BCON_INT32(-1), "}", "}", "3", "{", "$group", "{", "_id", "$checks", "newest", "{",
        "$first", "$_id", "}", "}", "}");
    _cleanup_(bson_destroyp) bson_t *disk = BCON_NEW("allowDiskUse", BCON_BOOL(true)), *opts = sorted(1, 0);
    _cleanup_(bson_destroyp) bson_t *told = BCON_NEW("db", BCON_UTF8(store->repaired), "migration", BCON_UTF8(migration), "alerts", "{", "$type",
                                                     BCON_INT32(4), "}");
    const char *name = tf_store_name(store, TF_AUDITS).text;
    return add_ids(tf_op_aggregate(&op, name, pipeline, disk), &op, "newest", ids, &n, err) &&
           add_ids(tf_op_find(&op, name, told, opts), &op, "_id", ids, &n, err);
}

bool tf_audits_forget(const tf_store *store, const char *migration, const char *whole, int64_t before, int64_t *removed, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "remove old audits");
    tf_name name = tf_store_name(store, TF_AUDITS);
    _cleanup_bson_ bson_t stay = BSON_INITIALIZER, one = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *old = BCON_NEW("db", BCON_UTF8(store->repaired), "migration", BCON_UTF8(migration), "at", "{", "$lt",
                                                    BCON_DATE_TIME(before), "}");
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    *removed = 0;
    int got = tf_cursor_one(tf_op_find(&op, name.text, old, opts), &op, &one, err);
    if (got <= 0)
        return got == 0;
    if (!find_what_stays(store, migration, whole, &stay, err))
        return false;
    BCON_APPEND(old, "_id", "{", "$nin", BCON_ARRAY(&stay), "}");
    op.majority_ms = PATIENCE_MS;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("delete", BCON_UTF8(name.text), "deletes", "[", "{", "q", BCON_DOCUMENT(old), "limit", BCON_INT32(0), "}", "]");
    return tf_op_write(&op, command, removed, NULL, err);
}

mongoc_cursor_t *tf_audits_list(const tf_store *store, int64_t limit, int64_t offset)
{
    tf_op op = tf_store_op(store, NULL, "read the audits");
    _cleanup_(bson_destroyp) bson_t *opts = sorted(limit, offset), *filter = BCON_NEW("db", BCON_UTF8(store->repaired));
    return tf_op_find(&op, tf_store_name(store, TF_AUDITS).text, filter, opts);
}
