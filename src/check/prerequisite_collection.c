#include "check/prerequisite.h"

#include "db/failure.h"
#include "db/operation.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

/* How many documents are looked at to find out which fields exist. */
enum { SAMPLE = 100 };

/* ---- the collections ---- */

/* Fills *reply with listCollections' first batch for one name. Without the privilege the server still tells the names of
 * those that may be read. */
static bool ask(const tf_client *client, const char *name, bson_t *reply, tf_error *err)
{
    tf_op op = {.client = client->client, .db = client->db, .what = "list the collections"};
    _cleanup_(bson_destroyp) bson_t *full =
        BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}");
    _cleanup_(bson_destroyp) bson_t *names =
        BCON_NEW("listCollections", BCON_INT32(1), "filter", "{", "name", BCON_UTF8(name), "}", "nameOnly",
                 BCON_BOOL(true), "authorizedCollections", BCON_BOOL(true));
    tf_error one = {0};
    if (tf_op_command(&op, full, reply, &one))
        return true;
    if (one.server_code == TF_CODE_UNAUTHORIZED)
        return tf_op_command(&op, names, reply, err);
    if (err && err->code == TF_ERR_OK)
        *err = one;
    return false;
}

static bool at(const bson_t *reply, const char *path, bson_iter_t *found)
{
    bson_iter_t iter;
    return bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, path, found);
}

static bool is_set(const bson_t *reply, const char *path)
{
    bson_iter_t found;
    return at(reply, path, &found) && bson_iter_as_bool(&found);
}

static const char *type_of(const bson_t *reply)
{
    bson_iter_t found;
    if (!at(reply, "cursor.firstBatch.0.type", &found) || !BSON_ITER_HOLDS_UTF8(&found))
        return NULL;
    return bson_iter_utf8(&found, NULL);
}

typedef struct verdict {
    char missing[384], odd[384], notes[384];
} verdict;

static void note(char *to, size_t size, const char *collection, const char *what)
{
    size_t used = strlen(to);
    snprintf(to + used, size - used, "%s%s%s%s", used ? "; " : "", collection, *what ? ": " : "", what);
}

static void judge(const bson_t *reply, const char *collection, verdict *v)
{
    bson_iter_t found;
    const char *type = type_of(reply);
    if (!type)
        note(v->missing, sizeof v->missing, collection, "");
    else if (strcmp(type, "collection") != 0)
        note(v->odd, sizeof v->odd, collection, type);
    if (is_set(reply, "cursor.firstBatch.0.options.capped"))
        note(v->notes, sizeof v->notes, collection, "capped, only --strategy journal writes to it");
    if (at(reply, "cursor.firstBatch.0.options.validator", &found))
        note(v->notes, sizeof v->notes, collection, "has a validator, which may refuse repaired documents");
}

/* A view or time series cannot be repaired; what is only read may be one. */
static bool survey(const tf_prerequisite_input *input, const char *const *names, bool required, verdict *v,
                   tf_error *err)
{
    for (; names && *names; names++) {
        _cleanup_bson_ bson_t reply = BSON_INITIALIZER;
        if (!ask(input->client, *names, &reply, err))
            return false;
        if (required || !type_of(&reply))
            judge(&reply, *names, v);
    }
    return true;
}

bool tf_prerequisite_collections(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    const char *const own[] = {input->repair->collection, NULL};
    const char *db = input->client->db;
    verdict needed = {0}, useful = {0};
    tf_error one = {0};
    if (!survey(input, input->requires ? input->requires : own, true, &needed, &one) ||
        !survey(input, input->reads, false, &useful, &one))
        return tf_prerequisite_unseen(list, "collections", &one, err);
    if (needed.missing[0])
        tf_prerequisite_fail(list, "collections", TF_ERR_MISSING,
                             "Check the database's name (--db) and that the data is there.", "not in %s: %s", db,
                             needed.missing);
    else if (needed.odd[0])
        tf_prerequisite_fail(list, "collections", TF_ERR_UNSUPPORTED, "Repair the collection that it is made of.",
                             "no ordinary collection: %s", needed.odd);
    else if (useful.missing[0])
        tf_prerequisite_warn(list, "collections", "The repair does not need it; the checks that read it say less.",
                             "all that is required exists; not in %s: %s", db, useful.missing);
    else if (needed.notes[0])
        tf_prerequisite_warn(list, "collections", "A document that the server refuses rolls the run back.", "%s",
                             needed.notes);
    else
        tf_prerequisite_ok(list, "collections", "all that is required exists in %s", db);
    return true;
}

/* ---- the fields ---- */

/* Appends the fields whose absence everywhere would mean that this is not the data the repair was written for. */
static void expect(const char **fields, size_t *count, size_t room, const char *field)
{
    if (*count == room || !field || field[0] == '$' || !field[0])
        return;
    for (size_t i = 0; i < *count; i++)
        if (strcmp(fields[i], field) == 0)
            return;
    fields[(*count)++] = field;
}

enum { FIELDS = 16 };

static size_t expected(const tf_repair *repair, const char *fields[static FIELDS])
{
    size_t count = 0;
    bson_iter_t iter;
    for (bson_iter_init(&iter, &repair->filter); bson_iter_next(&iter);)
        expect(fields, &count, FIELDS, bson_iter_key(&iter));
    if (repair->ledger.present) {
        for (size_t i = 0; i < repair->ledger.owners; i++)
            expect(fields, &count, FIELDS, repair->ledger.owner[i]);
        expect(fields, &count, FIELDS, repair->ledger.amount);
        expect(fields, &count, FIELDS, repair->ledger.status);
    }
    return count;
}

/* [{$limit}, {$group: {_id: null, n, f0: {$sum: is there}, …}}] */
static void counting(const char *const *fields, size_t count, bson_t *pipeline)
{
    bson_t stage, group, sum;
    BCON_APPEND(pipeline, "0", "{", "$limit", BCON_INT32(SAMPLE), "}");
    BSON_APPEND_DOCUMENT_BEGIN(pipeline, "1", &stage);
    BSON_APPEND_DOCUMENT_BEGIN(&stage, "$group", &group);
    BSON_APPEND_NULL(&group, "_id");
    BCON_APPEND(&group, "n", "{", "$sum", BCON_INT32(1), "}");
    for (size_t i = 0; i < count; i++) {
        char key[24], path[256];
        snprintf(key, sizeof key, "f%zu", i);
        snprintf(path, sizeof path, "$%s", fields[i]);
        BSON_APPEND_DOCUMENT_BEGIN(&group, key, &sum);
        BCON_APPEND(&sum, "$sum", "{", "$cond", "[", "{", "$eq", "[", "{", "$type", BCON_UTF8(path), "}", "missing",
                    "]", "}", BCON_INT32(0), BCON_INT32(1), "]", "}");
        bson_append_document_end(&group, &sum);
    }
    bson_append_document_end(&stage, &group);
    bson_append_document_end(pipeline, &stage);
}

static int64_t count_of(const bson_t *doc, const char *key)
{
    bson_iter_t iter;
    return bson_iter_init_find(&iter, doc, key) ? bson_iter_as_int64(&iter) : 0;
}

bool tf_prerequisite_fields(const tf_prerequisite_input *input, tf_prerequisite_list *list, tf_error *err)
{
    tf_op op = {
        .client = input->client->client, .db = input->client->db, .what = "look at the first documents", .local = true};
    const char *fields[FIELDS];
    size_t count = expected(input->repair, fields);
    _cleanup_bson_ bson_t pipeline = BSON_INITIALIZER, found = BSON_INITIALIZER;
    char missing[384] = "";
    tf_error one = {0};
    counting(fields, count, &pipeline);
    int got = tf_cursor_one(tf_op_aggregate(&op, input->repair->collection, &pipeline, NULL), &op, &found, &one);
    if (got < 0)
        return tf_prerequisite_unseen(list, "fields", &one, err);
    for (size_t i = 0; got && i < count; i++) {
        char key[24];
        snprintf(key, sizeof key, "f%zu", i);
        if (count_of(&found, key) == 0)
            note(missing, sizeof missing, fields[i], "");
    }
    if (!got)
        tf_prerequisite_ok(list, "fields", "%s is empty: nothing to repair", input->repair->collection);
    else if (missing[0])
        tf_prerequisite_warn(list, "fields", "Check that this is the collection the migration was written for.",
                             "in none of the first %" PRId64 " documents: %s", count_of(&found, "n"), missing);
    else
        tf_prerequisite_ok(list, "fields", "the first %" PRId64 " documents have what the repair reads",
                           count_of(&found, "n"));
    return true;
}
