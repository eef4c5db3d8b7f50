#include "base/docs.h"

#include <tokenfix/cleanup.h>
#include <tokenfix/repair.h>

#define RUN_STARTED "$$RUN_STARTED"

/* ---- reading one key of the document ---- */

static bool invalid(tf_error *err, const char *what)
{
    tf_error_set(err, TF_ERR_INVALID, "the repair is not valid: %s", what);
    return tf_error_hint(err, "include/tokenfix/repair.h describes the form of a repair.");
}

static bool read_text(const bson_iter_t *iter, const char **out, tf_error *err)
{
    if (!BSON_ITER_HOLDS_UTF8(iter) || !*bson_iter_utf8(iter, NULL)) {
        char what[160];
        snprintf(what, sizeof what, "'%s' must be a string that is not empty", bson_iter_key(iter));
        return invalid(err, what);
    }
    *out = bson_iter_utf8(iter, NULL);
    return true;
}

static size_t count_children(const bson_iter_t *iter)
{
    bson_iter_t child;
    size_t n = 0;
    if (bson_iter_recurse(iter, &child))
        while (bson_iter_next(&child))
            n++;
    return n;
}

static bool read_names(const bson_iter_t *iter, const char ***out, tf_error *err)
{
    bson_iter_t child;
    if (!BSON_ITER_HOLDS_ARRAY(iter) || !bson_iter_recurse(iter, &child))
        return invalid(err, "a list of field names must be an array");
    free(*out);
    *out = bson_malloc0((count_children(iter) + 1) * sizeof **out);
    for (size_t i = 0; bson_iter_next(&child); i++)
        if (!read_text(&child, &(*out)[i], err))
            return false;
    return true;
}

static bool view(const bson_iter_t *iter, bson_type_t type, bson_t *out)
{
    uint32_t length = 0;
    const uint8_t *data = NULL;
    if (bson_iter_type(iter) != type)
        return false;
    if (type == BSON_TYPE_ARRAY)
        bson_iter_array(iter, &length, &data);
    else
        bson_iter_document(iter, &length, &data);
    return bson_init_static(out, data, length);
}

static bool contains(const char **names, const char *name)
{
    for (; names && *names; names++)
        if (**names == *name && strcmp(*names, name) == 0)
            return true;
    return false;
}

/* What adds up to a balance, and what counts nowhere, are statuses, and not the same ones. */
static bool check_statuses(const tf_repair *repair, tf_error *err)
{
    const char **all = repair->ledger.statuses, **out = repair->ledger.uncounted;
    size_t n = 0;
    for (; all && all[n]; n++)
        if (contains(all + n + 1, all[n]))
            return invalid(err, "'ledger.statuses' names one twice");
    if (n > TF_LEDGER_STATUSES_MAX)
        return invalid(err, "'ledger.statuses' has more than 16");
    for (const char **name = repair->ledger.balance; name && *name; name++)
        if (!contains(all, *name) || contains(out, *name))
            return invalid(err, "'ledger.balance' holds some of 'ledger.statuses', and none of 'ledger.uncounted'");
    for (; out && *out; out++)
        if (!contains(all, *out))
            return invalid(err, "'ledger.uncounted' holds some of 'ledger.statuses'");
    return true;
}

static bool read_ledger(tf_repair *repair, const bson_iter_t *at, tf_error *err)
{
    bson_iter_t iter, owner;
    repair->ledger.present = true;
    repair->ledger.unit = "";
    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &iter))
        return invalid(err, "'ledger' must be a document");
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        bool ok = true;
        if (strcmp(key, "owner") == 0) {
            if (!BSON_ITER_HOLDS_ARRAY(&iter) || !bson_iter_recurse(&iter, &owner))
                return invalid(err, "'ledger.owner' must be an array");
            while (bson_iter_next(&owner)) {
                if (repair->ledger.owners == TF_LEDGER_OWNERS_MAX)
                    return invalid(err, "'ledger.owner' has more than 4 fields");
                if (!read_text(&owner, &repair->ledger.owner[repair->ledger.owners++], err))
                    return false;
            }
        } else if (strcmp(key, "amount") == 0)
            ok = read_text(&iter, &repair->ledger.amount, err);
        else if (strcmp(key, "status") == 0)
            ok = read_text(&iter, &repair->ledger.status, err);
        else if (strcmp(key, "unit") == 0)
            ok = read_text(&iter, &repair->ledger.unit, err);
        else if (strcmp(key, "statuses") == 0)
            ok = read_names(&iter, &repair->ledger.statuses, err);
        else if (strcmp(key, "balance") == 0)
            ok = read_names(&iter, &repair->ledger.balance, err);
        else if (strcmp(key, "uncounted") == 0)
            ok = read_names(&iter, &repair->ledger.uncounted, err);
        else if (strcmp(key, "scale") == 0) {
            if (!BSON_ITER_HOLDS_NUMBER(&iter) || bson_iter_as_int64(&iter) < 0 || bson_iter_as_int64(&iter) > 12)
                return invalid(err, "'ledger.scale' must be from 0 to 12");
            repair->ledger.scale = (int)bson_iter_as_int64(&iter);
        } else
            return invalid(err, "'ledger' has an unknown key");
        if (!ok)
            return false;
    }
    if (!repair->ledger.owners || !repair->ledger.amount || !repair->ledger.status)
        return invalid(err, "'ledger' needs owner, amount and status");
    return check_statuses(repair, err);
}

static bool read_invariants(tf_repair *repair, const bson_iter_t *at, tf_error *err)
{
    bson_iter_t iter, field;
    if (!BSON_ITER_HOLDS_ARRAY(at) || !bson_iter_recurse(at, &iter))
        return invalid(err, "'invariants' must be an array");
    repair->invariants = bson_malloc0((count_children(at) + 1) * sizeof *repair->invariants);
    while (bson_iter_next(&iter)) {
        tf_invariant *row = &repair->invariants[repair->invariants_count++];
        if (!BSON_ITER_HOLDS_DOCUMENT(&iter) || !bson_iter_recurse(&iter, &field))
            return invalid(err, "an invariant must be a document {name, holds}");
        bool holds = false;
        while (bson_iter_next(&field)) {
            if (strcmp(bson_iter_key(&field), "name") == 0) {
                if (!read_text(&field, &row->name, err))
                    return false;
            } else if (strcmp(bson_iter_key(&field), "holds") == 0 && !holds) {
                bson_value_copy(bson_iter_value(&field), &row->holds);
                holds = true;
            } else
                return invalid(err, "an invariant has only name and holds");
        }
        if (!row->name || !holds)
            return invalid(err, "an invariant needs name and holds");
    }
    return true;
}

/* ---- the update may only set what is declared as touched ---- */

static bool names_are_touched(const tf_repair *repair, const bson_iter_t *at, tf_error *err)
{
    bson_iter_t iter;
    char what[200];
    if (BSON_ITER_HOLDS_UTF8(at)) { /* $unset: "field" */
        if (tf_repair_touches(repair, bson_iter_utf8(at, NULL)))
            return true;
        return invalid(err, "the update unsets a field that 'touched' does not list");
    }
    if (!bson_iter_recurse(at, &iter))
        return invalid(err, "a stage of the update must hold a document, an array or a name");
    bool array = BSON_ITER_HOLDS_ARRAY(at);
    while (bson_iter_next(&iter)) {
        const char *name = array ? bson_iter_utf8(&iter, NULL) : bson_iter_key(&iter);
        char top[256];
        snprintf(top, sizeof top, "%s", name ? name : "");
        top[strcspn(top, ".")] = '\0';
        if (!tf_repair_touches(repair, top)) {
            snprintf(what, sizeof what, "the update changes '%.80s', which 'touched' does not list", top);
            return invalid(err, what);
        }
    }
    return true;
}

static bool check_update(const tf_repair *repair, tf_error *err)
{
    bson_iter_t stages, stage;
    if (!bson_iter_init(&stages, &repair->update))
        return invalid(err, "'update' must be an array of stages");
    size_t n = 0;
    while (bson_iter_next(&stages)) {
        n++;
        if (!BSON_ITER_HOLDS_DOCUMENT(&stages) || !bson_iter_recurse(&stages, &stage) || !bson_iter_next(&stage))
            return invalid(err, "a stage of the update must be a document");
        const char *name = bson_iter_key(&stage);
        if (strcmp(name, "$set") == 0 || strcmp(name, "$unset") == 0) {
            if (!names_are_touched(repair, &stage, err))
                return false;
        } else if (strcmp(name, "$replaceWith") != 0)
            return invalid(err, "the update may use $set, $unset and $replaceWith only");
        if (bson_iter_next(&stage))
            return invalid(err, "a stage of the update must hold one operator");
    }
    return n ? true : invalid(err, "'update' has no stage");
}

/* ---- the whole ---- */

static bool read_key(tf_repair *repair, const bson_iter_t *iter, tf_error *err)
{
    const char *key = bson_iter_key(iter);
    if (strcmp(key, "collection") == 0)
        return read_text(iter, &repair->collection, err);
    if (strcmp(key, "noun") == 0)
        return read_text(iter, &repair->noun, err);
    if (strcmp(key, "touched") == 0)
        return read_names(iter, &repair->touched, err);
    if (strcmp(key, "created") == 0)
        return read_names(iter, &repair->created, err);
    if (strcmp(key, "updated") == 0)
        return read_names(iter, &repair->updated, err);
    if (strcmp(key, "masked") == 0)
        return read_names(iter, &repair->masked, err);
    if (strcmp(key, "ledger") == 0)
        return read_ledger(repair, iter, err);
    if (strcmp(key, "invariants") == 0)
        return read_invariants(repair, iter, err);
    if (strcmp(key, "filter") == 0)
        return view(iter, BSON_TYPE_DOCUMENT, &repair->filter) || invalid(err, "'filter' must be a document");
    if (strcmp(key, "population") == 0)
        return view(iter, BSON_TYPE_DOCUMENT, &repair->population) || invalid(err, "'population' must be a document");
    if (strcmp(key, "update") == 0)
        return view(iter, BSON_TYPE_ARRAY, &repair->update) || invalid(err, "'update' must be an array");
    char what[160];
    snprintf(what, sizeof what, "unknown key '%.100s'", key);
    return invalid(err, what);
}

/* A key that comes again would be read on top of what the first one left. */
static bool is_first(const tf_repair *repair, const bson_iter_t *at, tf_error *err)
{
    bson_iter_t first;
    char what[160];
    if (bson_iter_init_find(&first, repair->doc, bson_iter_key(at)) && bson_iter_key(&first) == bson_iter_key(at))
        return true;
    snprintf(what, sizeof what, "the key '%.100s' is there twice", bson_iter_key(at));
    return invalid(err, what);
}

static bool complete(const tf_repair *repair, tf_error *err)
{
    if (!repair->collection)
        return invalid(err, "'collection' is missing");
    if (!repair->filter.len || bson_empty(&repair->filter))
        return invalid(err, "'filter' is missing or empty, it would match everything");
    if (!repair->update.len)
        return invalid(err, "'update' is missing");
    if (!repair->touched || !repair->touched[0])
        return invalid(err, "'touched' is missing or empty");
    for (const char **name = repair->touched; *name; name++)
        if (strcmp(*name, "_id") == 0 || strchr(*name, '.'))
            return invalid(err, "'touched' holds top-level fields, and never _id");
    size_t touched = 0;
    while (repair->touched[touched])
        touched++;
    if (touched > TF_TOUCHED_MAX)
        return invalid(err, "'touched' has more than 64 fields");
    return check_update(repair, err);
}

tf_repair *tf_repair_from_bson(const bson_t *doc, tf_error *err)
{
    _cleanup_(tf_repair_freep) tf_repair *repair = bson_malloc0(sizeof *repair);
    repair->doc = bson_copy(doc);
    repair->noun = "document";
    bson_init(&repair->population);
    bson_iter_t iter;
    if (!tf_doc_is_sound(repair->doc) || !bson_iter_init(&iter, repair->doc)) {
        invalid(err, "it is not BSON, or nested too deeply");
        return NULL;
    }
    while (bson_iter_next(&iter))
        if (!is_first(repair, &iter, err) || !read_key(repair, &iter, err))
            return NULL;
    const char ***lists[] = {&repair->created,         &repair->updated,        &repair->masked,
                             &repair->ledger.statuses, &repair->ledger.balance, &repair->ledger.uncounted};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!*lists[i])
            *lists[i] = bson_malloc0(sizeof(char *));
    if (!complete(repair, err))
        return NULL;
    return TAKE_PTR(repair);
}

tf_repair *tf_repair_parse(const char *json, tf_error *err)
{
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!doc) {
        tf_error_set(err, TF_ERR_INVALID, "the repair is not valid JSON");
        tf_error_detail(err, "%s", error.message);
        return NULL;
    }
    return tf_repair_from_bson(doc, err);
}

void tf_repair_free(tf_repair *repair)
{
    if (!repair)
        return;
    for (size_t i = 0; i < repair->invariants_count; i++)
        if (repair->invariants[i].holds.value_type != BSON_TYPE_EOD)
            bson_value_destroy(&repair->invariants[i].holds);
    free(repair->invariants);
    free(repair->touched);
    free(repair->created);
    free(repair->updated);
    free(repair->masked);
    free(repair->ledger.statuses);
    free(repair->ledger.balance);
    free(repair->ledger.uncounted);
    bson_destroy(repair->doc);
    free(repair);
}

void tf_repair_freep(tf_repair **repair)
{
    tf_repair_free(*repair);
}

bool tf_repair_is_counted(const tf_repair *repair, const char *status)
{
    return !contains(repair->ledger.uncounted, status);
}

bool tf_repair_is_balance(const tf_repair *repair, const char *status)
{
    return repair->ledger.balance[0] ? contains(repair->ledger.balance, status) : tf_repair_is_counted(repair, status);
}

bool tf_repair_touches(const tf_repair *repair, const char *name)
{
    return repair->touched && contains(repair->touched, name);
}

bool tf_repair_is_update_time(const tf_repair *repair, const char *name)
{
    return contains(repair->updated, name);
}

/* ---- "$$RUN_STARTED" ---- */

static void bind_children(const bson_iter_t *at, int64_t started, bson_t *out);

static void bind_value(const bson_iter_t *iter, int64_t started, bson_t *out)
{
    const char *key = bson_iter_key(iter);
    int length = (int)bson_iter_key_len(iter);
    bson_t child;
    if (strcmp(key, "$literal") == 0)
        bson_append_iter(out, key, length, iter);
    else if (BSON_ITER_HOLDS_UTF8(iter) && strcmp(bson_iter_utf8(iter, NULL), RUN_STARTED) == 0)
        bson_append_date_time(out, key, length, started);
    else if (BSON_ITER_HOLDS_DOCUMENT(iter)) {
        bson_append_document_begin(out, key, length, &child);
        bind_children(iter, started, &child);
        bson_append_document_end(out, &child);
    } else if (BSON_ITER_HOLDS_ARRAY(iter)) {
        bson_append_array_begin(out, key, length, &child);
        bind_children(iter, started, &child);
        bson_append_array_end(out, &child);
    } else
        bson_append_iter(out, key, length, iter);
}

static void bind_children(const bson_iter_t *at, int64_t started, bson_t *out)
{
    bson_iter_t iter;
    if (bson_iter_recurse(at, &iter))
        while (bson_iter_next(&iter))
            bind_value(&iter, started, out);
}

void tf_repair_bind_update(const tf_repair *repair, int64_t run_started, bson_t *out)
{
    bson_iter_t iter;
    if (bson_iter_init(&iter, &repair->update))
        while (bson_iter_next(&iter))
            bind_value(&iter, run_started, out);
}

void tf_repair_bind_invariant(const tf_repair *repair, size_t i, int64_t run_started, const char *key, bson_t *out)
{
    _cleanup_bson_ bson_t wrapped = BSON_INITIALIZER;
    bson_append_value(&wrapped, key, -1, &repair->invariants[i].holds);
    bson_iter_t iter;
    if (bson_iter_init(&iter, &wrapped) && bson_iter_next(&iter))
        bind_value(&iter, run_started, out);
}
