/* The server's sums of every account. */
#include "check/accounts.h"

#include "base/stop.h"
#include "check/amount.h"
#include "check/since.h"
#include "check/tally.h"
#include "db/id.h"

#include <tokenfix/cleanup.h>

enum { CHUNK = 500, CHUNK_BYTES = 4 << 20 };

/* ---- the pipeline ---- */

/* Negative amounts move a sum as far as positive ones. $abs would refuse the smallest number. */
static void append_magnitude(bson_t *out, const char *key, const tf_repair *repair)
{
    _cleanup_bson_ bson_t amount = BSON_INITIALIZER;
    tf_amount_expression(&amount, "a", repair->ledger.amount, repair->ledger.scale);
    BCON_APPEND(out, key, "{", "$let", "{", "vars", BCON_DOCUMENT(&amount), "in", "{", "$cond", "[", "{", "$lt", "[", BCON_UTF8("$$a"),
                BCON_INT32(0), "]", "}", "{", "$subtract", "[", BCON_INT64(0), BCON_UTF8("$$a"), "]", "}", BCON_UTF8("$$a"), "]", "}", "}",
                "}");
}

static void append_since(const tf_repair *repair, int64_t started, bson_t *group)
{
    _cleanup_bson_ bson_t changed = BSON_INITIALIZER;
    tf_since_expression(repair, started, &changed, "if");
    append_magnitude(&changed, "then", repair);
    BSON_APPEND_INT32(&changed, "else", 0);
    BCON_APPEND(group, "since", "{", "$sum", "{", "$cond", BCON_DOCUMENT(&changed), "}", "}");
}

/* Quick: a document within the key of a $group, the owner, costs half as much again as its fields one by one. But among these the
 * server takes a field that is missing and one that is undefined for the same, so that such accounts are withheld; and a single
 * one that is missing for null, so that a ledger with one field is added up exactly. */
typedef enum {
    EXACT,
    QUICK,
    PLAIN,  /* QUICK, and the amounts are added up as they are: the server's quicker engine has no types of numbers */
    LACKING /* exactly, only the accounts that QUICK withholds */
} reading;

/* Appends {$match: {$expr: …}}: documents that lack a field of their owner. */
static void append_lacking(const tf_repair *repair, bson_t *pipeline, uint32_t *n)
{
    _cleanup_bson_ bson_t any = BSON_INITIALIZER;
    uint32_t conditions = 0;
    for (size_t i = 0; i < repair->ledger.owners; i++) {
        char field[300];
        snprintf(field, sizeof field, "$%s", repair->ledger.owner[i]);
        _cleanup_(bson_destroyp) bson_t *one =
            BCON_NEW("$in", "[", "{", "$type", BCON_UTF8(field), "}", "[", BCON_UTF8("missing"), BCON_UTF8("undefined"), "]", "]");
        tf_array_append_document(&any, &conditions, one);
    }
    _cleanup_(bson_destroyp) bson_t *match = BCON_NEW("$match", "{", "$expr", "{", "$or", BCON_ARRAY(&any), "}", "}");
    tf_array_append_document(pipeline, n, match);
}

/* A plain sum as a whole number; "inexact" where a double may have lost some of it. */
static void append_whole(bson_t *push)
{
    const double limit = 9007199254740992.0;
    BCON_APPEND(push, "amount", "{", "$cond", "[", "{", "$and", "[", "{", "$gt", "[", BCON_UTF8("$amount"), BCON_DOUBLE(-limit), "]", "}", "{",
                "$lt", "[", BCON_UTF8("$amount"), BCON_DOUBLE(limit), "]", "}", "]", "}", "{", "$toLong", BCON_UTF8("$amount"), "}",
                BCON_UTF8("inexact"), "]", "}");
}

static void append_groups(const tf_repair *repair, reading how, int64_t started, bson_t *pipeline, uint32_t *n)
{
    const bool quick = how == QUICK || how == PLAIN;
    _cleanup_bson_ bson_t push = BSON_INITIALIZER;
    _cleanup_bson_ bson_t key = BSON_INITIALIZER, owner = BSON_INITIALIZER, group = BSON_INITIALIZER, sum = BSON_INITIALIZER;
    char status[300];
    snprintf(status, sizeof status, "$%s", repair->ledger.status);
    if (quick) {
        tf_tally_owner_key(repair, &key);
        tf_tally_owner_expression(repair, &owner, "_id", true);
    } else {
        tf_tally_owner_expression(repair, &key, "o", false);
        BSON_APPEND_UTF8(&owner, "_id", "$_id.o");
    }
    BSON_APPEND_UTF8(&key, "s", status);
    if (how == PLAIN) {
        char amount[300];
        snprintf(amount, sizeof amount, "$%s", repair->ledger.amount);
        BSON_APPEND_UTF8(&sum, "$sum", amount);
    } else {
        tf_amount_expression(&sum, "$sum", repair->ledger.amount, repair->ledger.scale);
    }
    BSON_APPEND_DOCUMENT(&group, "_id", &key);
    BCON_APPEND(&group, "n", "{", "$sum", BCON_INT32(1), "}");
    BSON_APPEND_DOCUMENT(&group, "amount", &sum);
    if (started)
        append_since(repair, started, &group);
    BCON_APPEND(&push, "status", BCON_UTF8("$_id.s"), "n", BCON_UTF8("$n"), "since", BCON_UTF8("$since"));
    if (how == PLAIN)
        append_whole(&push);
    else
        BSON_APPEND_UTF8(&push, "amount", "$amount");
    BCON_APPEND(&owner, "sums", "{", "$push", BCON_DOCUMENT(&push), "}");
    _cleanup_(bson_destroyp) bson_t *first = BCON_NEW("$group", BCON_DOCUMENT(&group)), *second = BCON_NEW("$group", BCON_DOCUMENT(&owner));
    tf_array_append_document(pipeline, n, first);
    tf_array_append_document(pipeline, n, second);
}

/* {owner, sums: [{status, n, amount, since}]} for every account */
static mongoc_cursor_t *open_cursor(const tf_op *op, const tf_repair *repair, reading how, int64_t started)
{
    _cleanup_bson_ bson_t pipeline = BSON_INITIALIZER;
    uint32_t n = 0;
    if (how == LACKING)
        append_lacking(repair, &pipeline, &n);
    append_groups(repair, how, started, &pipeline, &n);
    _cleanup_(bson_destroyp) bson_t *project =
        BCON_NEW("$project", "{", "_id", BCON_INT32(0), "owner", BCON_UTF8("$_id"), "sums", BCON_INT32(1), "}");
    tf_array_append_document(&pipeline, &n, project);
    /* owners are told apart by their bytes, as the batches do, whatever the collection's own collation says */
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("allowDiskUse", BCON_BOOL(true), "collation", "{", "locale", "simple", "}");
    return tf_op_aggregate(op, repair->collection, &pipeline, opts);
}

bool tf_accounts_walk(mongoc_cursor_t *owned, const tf_op *op, tf_accounts_visit visit, void *arg, tf_error *err)
{
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = owned;
    tf_docs some = {0};
    const bson_t *doc = NULL;
    int got;
    bool ok = true;
    while (ok && (got = tf_cursor_next(cursor, op, &doc, err)) == 1) {
        if (!(ok = !tf_stop_at_once(err, "while the balances were added up")))
            break;
        tf_docs_add(&some, doc);
        if (some.count == CHUNK || some.length > CHUNK_BYTES) {
            ok = visit(arg, &some, err);
            tf_docs_clear(&some);
        }
    }
    ok = ok && got == 0 && (some.count == 0 || visit(arg, &some, err));
    tf_docs_done(&some);
    return ok;
}

/* The sums must be whole 64-bit numbers; the server says otherwise by a double. */
static bool sums_are_whole(const bson_t *account, bool *exact, tf_error *err)
{
    bson_iter_t iter, sums, fields;
    int64_t ignored;
    if (!bson_iter_init_find(&iter, account, "sums") || !bson_iter_recurse(&iter, &sums))
        return true;
    while (bson_iter_next(&sums))
        if (!bson_iter_recurse(&sums, &fields) || !bson_iter_find(&fields, "amount"))
            continue;
        else if (exact && !BSON_ITER_HOLDS_INT64(&fields))
            *exact = false;
        else if (!tf_amount_read_sum(&fields, &ignored, err))
            return false;
    return true;
}

static bool lacks_a_field(const tf_repair *repair, const bson_t *account)
{
    bson_iter_t iter, fields;
    size_t present = 0;
    if (!bson_iter_init_find(&iter, account, "owner") || !bson_iter_recurse(&iter, &fields))
        return true;
    while (bson_iter_next(&fields))
        present += !BSON_ITER_HOLDS_UNDEFINED(&fields);
    return present < repair->ledger.owners;
}

typedef struct guest {
    const tf_repair *repair;
    tf_accounts_visit visit;
    void *arg;
    reading how;
    bool withheld;
    bool *exact; /* of a plain reading */
} guest;

static bool visit_whole(void *arg, tf_docs *some, tf_error *err)
{
    guest *g = arg;
    _cleanup_(tf_docs_done) tf_docs wanted = {0};
    for (size_t i = 0; i < some->count; i++) {
        bson_t account;
        tf_docs_view(some, i, &account);
        if (!sums_are_whole(&account, g->how == PLAIN ? g->exact : NULL, err))
            return false;
        bool lacks = (g->how == QUICK || g->how == PLAIN) && lacks_a_field(g->repair, &account);
        g->withheld = g->withheld || lacks;
        if (!lacks)
            tf_docs_add(&wanted, &account);
    }
    return wanted.count == 0 || (g->exact && !*g->exact) || g->visit(g->arg, &wanted, err);
}

static bool add_up(const tf_store *store, guest *g, int64_t started, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "add up the balances");
    op.db = store->repaired;
    return tf_accounts_walk(open_cursor(&op, g->repair, g->how, started), &op, visit_whole, g, err);
}

bool tf_accounts_read(const tf_store *store, const tf_repair *repair, int64_t started, tf_accounts_visit visit, void *arg, tf_error *err)
{
    bool quick = started == 0 && repair->ledger.owners > 1;
    guest g = {.repair = repair, .visit = visit, .arg = arg, .how = quick ? QUICK : EXACT};
    if (!add_up(store, &g, started, err))
        return false;
    g.how = LACKING;
    return !g.withheld || add_up(store, &g, 0, err);
}

bool tf_accounts_read_plain(const tf_store *store, const tf_repair *repair, bool *exact, tf_accounts_visit visit, void *arg, tf_error *err)
{
    guest g = {.repair = repair, .visit = visit, .arg = arg, .how = PLAIN, .exact = exact};
    *exact = true;
    if (!add_up(store, &g, 0, err))
        return false;
    g.how = LACKING;
    return !g.withheld || !*exact || add_up(store, &g, 0, err);
}
