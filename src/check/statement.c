#include "check/statement.h"

#include "base/field.h"
#include "base/number.h"
#include "base/stop.h"
#include "check/amount.h"
#include "check/tally.h"
#include "store/ledger.h"

#include <tokenfix/cleanup.h>

typedef struct reading {
    const tf_statement_wanted *wanted;
    tf_statement *total;
    char first[256];   /* the name of the first owner field */
    bson_t *owner;     /* the owner of the entry that is being added up; NULL: none */
    tf_entry entry;
} reading;

/* ---- an account ---- */

static bool makes_balance(const tf_repair *repair, const bson_value_t *status)
{
    if (!repair->ledger.statuses[0])
        return true;
    if (status->value_type != BSON_TYPE_UTF8 || strlen(status->value.v_utf8.str) != status->value.v_utf8.len)
        return false;
    return tf_repair_is_balance(repair, status->value.v_utf8.str);
}

static bool difference_of(int64_t a, int64_t b, int64_t *out, tf_error *err)
{
    if (!__builtin_sub_overflow(a, b, out))
        return true;
    tf_error_set(err, TF_ERR_OVERFLOW, "a sum of the ledger leaves 64 bits");
    return false;
}

static bool add_balances(const reading *r, const tf_sums *sums, tf_entry *entry, tf_error *err)
{
    for (size_t i = 0; i < sums->count; i++) {
        int64_t change;
        if (!makes_balance(r->wanted->repair, &sums->status[i]))
            continue;
        if (!difference_of(sums->expected[i], sums->before[i], &change, err) || !tf_amount_add(&entry->before, sums->before[i], err) ||
            !tf_amount_add(&entry->change, change, err) || !tf_amount_add(&entry->after, sums->found[i], err))
            return false;
    }
    int64_t rest;
    return !r->wanted->known || (difference_of(entry->after, entry->before, &rest, err) &&
                                 difference_of(rest, entry->change, &entry->others, err));
}

static void weigh(const reading *r, const bson_t *row, const tf_sums *sums, tf_entry *entry)
{
    bson_iter_t iter;
    int64_t largest = 0;
    bool had = false;
    entry->covered = true;
    for (size_t i = 0; r->wanted->known && i < sums->count; i++) {
        int64_t difference = tf_sums_difference(sums, i);
        had = had || sums->before[i];
        entry->differs = entry->differs || difference;
        if (tf_sums_covers(sums, difference))
            continue;
        entry->covered = false;
        if (tf_sums_magnitude(difference) > largest)
            largest = tf_sums_magnitude(difference);
    }
    tf_statement *total = r->total;
    total->explained += entry->differs && entry->covered;
    total->unexplained += entry->differs && !entry->covered;
    total->unexplained_amount = tf_number_sum(total->unexplained_amount, largest);
    total->lacking += had && !bson_iter_init_find(&iter, row, "after");
}

static bool read_account(const reading *r, const bson_t *row, tf_sums *sums, tf_entry *entry, tf_error *err)
{
    if (!tf_sums_add_before(sums, row, "before", err) || !tf_sums_add_moves(sums, row, "moved", err) ||
        (r->wanted->known && !tf_sums_add_found(sums, row, "after", err)) || !add_balances(r, sums, entry, err))
        return false;
    entry->sums = sums;
    entry->documents = sums->documents;
    entry->moved = sums->moved;
    weigh(r, row, sums, entry);
    return true;
}

/* ---- owners ---- */

static bool add_entry(tf_entry *to, const tf_entry *one, tf_error *err)
{
    to->differs = to->differs || one->differs;
    to->covered = to->covered && one->covered;
    return tf_amount_add(&to->before, one->before, err) && tf_amount_add(&to->change, one->change, err) &&
           tf_amount_add(&to->after, one->after, err) && tf_amount_add(&to->others, one->others, err) &&
           tf_amount_add(&to->documents, one->documents, err) && tf_amount_add(&to->moved, one->moved, err);
}

static bool add_to_total(tf_statement *total, const tf_entry *one, tf_error *err)
{
    total->accounts++;
    return tf_amount_add(&total->before, one->before, err) && tf_amount_add(&total->change, one->change, err) &&
           tf_amount_add(&total->after, one->after, err) && tf_amount_add(&total->others, one->others, err) &&
           tf_amount_add(&total->documents, one->documents, err) && tf_amount_add(&total->moved, one->moved, err);
}

static bool visit(const reading *r, const tf_entry *entry, tf_error *err)
{
    return !r->wanted->visit || r->wanted->visit(r->wanted->arg, entry, err);
}

/* The entry of the owner so far is told, and forgotten. */
static bool close_owner(reading *r, tf_error *err)
{
    bool ok = true;
    if (r->owner && r->wanted->by_owner) {
        r->entry.owner = r->owner;
        ok = visit(r, &r->entry, err);
    }
    bson_destroy(r->owner);
    r->owner = NULL;
    r->entry = (tf_entry){.covered = true};
    return ok;
}

/* Accounts of one owner stand together. */
static bool open_owner(reading *r, const bson_t *owner, tf_error *err)
{
    _cleanup_(bson_destroyp) bson_t *first = bson_new();
    bson_iter_t iter;
    if (bson_iter_init_find(&iter, owner, r->first))
        bson_append_iter(first, r->first, -1, &iter);
    if (r->owner && bson_equal(r->owner, first))
        return true;
    if (!close_owner(r, err))
        return false;
    r->owner = TAKE_PTR(first);
    r->total->owners++;
    return true;
}

static bool add_account(reading *r, const bson_t *row, tf_error *err)
{
    tf_sums sums = {.count = 0};
    tf_entry entry = {.before = 0};
    bson_t owner;
    if (!tf_ledger_owner(row, &owner))
        return tf_error_set(err, TF_ERR_DAMAGED, "an account of the ledger has no owner");
    if (!open_owner(r, &owner, err) || !read_account(r, row, &sums, &entry, err) || !add_to_total(r->total, &entry, err))
        return false;
    entry.owner = &owner;
    return r->wanted->by_owner ? add_entry(&r->entry, &entry, err) : visit(r, &entry, err);
}

bool tf_statement_read(const tf_statement_wanted *wanted, tf_statement *out, tf_error *err)
{
    reading r = {.wanted = wanted, .total = out, .entry = {.covered = true}};
    *out = (tf_statement){.accounts = 0};
    tf_tally_owner_name(wanted->repair->ledger.owner[0], r.first, sizeof r.first);
    _cleanup_(tf_ledger_reader_done)
        tf_ledger_reader reader = {.store = wanted->store, .run = wanted->run, .name = r.first, .value = wanted->owner};
    bson_t row;
    int got;
    bool ok = true;
    while (ok && (got = tf_ledger_reader_next(&reader, &row, err)) == 1)
        ok = !tf_stop_at_once(err, "while the ledger was read") && add_account(&r, &row, err);
    ok = ok && got == 0 && close_owner(&r, err);
    bson_destroy(r.owner);
    return ok;
}

/* ---- the proof ---- */

int tf_statement_known(const tf_store *store, const tf_run *run, tf_error *err)
{
    switch (run->state) {
    case TF_STATE_COMPLETED:
        return 1;
    case TF_STATE_ROLLING_BACK:
    case TF_STATE_ROLLED_BACK:
    case TF_STATE_ROLLED_BACK_WITH_CONFLICTS: /* of a run that stopped half-way there are none */
        return tf_ledger_has(store, run->id, "after", err);
    default:
        return 0;
    }
}

static bool add_batches(const tf_store *store, const tf_run *run, tf_statement_proof *out, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "add up the batches");
    _cleanup_bson_ bson_t sum = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *pipeline =
        BCON_NEW("0", "{", "$match", "{", "run", BCON_UTF8(run->id), "}", "}", "1", "{", "$group", "{", "_id", BCON_NULL, "batches", "{",
                 "$sum", BCON_INT64(1), "}", "n", "{", "$sum", "{", "$sum", BCON_UTF8("$moves.n"), "}", "}", "amount", "{", "$sum", "{",
                 "$sum", BCON_UTF8("$moves.amount"), "}", "}", "}", "}");
    if (tf_cursor_one(tf_op_aggregate(&op, tf_store_name(store, TF_BATCHES).text, pipeline, NULL), &op, &sum, err) < 0)
        return false;
    out->batches = tf_field_number(&sum, "batches");
    out->documents = tf_field_number(&sum, "n");
    out->amount = tf_field_number(&sum, "amount");
    return true;
}

bool tf_statement_prove(const tf_store *store, const tf_run *run, const tf_statement *whole, bool known, tf_statement_proof *out,
                        tf_error *err)
{
    *out = (tf_statement_proof){.run_amount = tf_field_number(run->doc, "counts.amount")};
    if (!add_batches(store, run, out, err))
        return false;
    out->posted = whole->moved == out->amount && whole->documents == out->documents && out->amount == out->run_amount;
    out->balanced = known && whole->unexplained == 0;
    if (!known || (run->state != TF_STATE_COMPLETED && whole->lacking))
        out->verdict = TF_STATEMENT_OPEN;
    else
        out->verdict = out->posted && out->balanced ? TF_STATEMENT_AGREES : TF_STATEMENT_DIFFERS;
    return true;
}
