#include "engine/audit_owners.h"

#include <string.h>
#include <tokenfix/cleanup.h>

void tf_audit_owners_done(tf_audit_owners *owners)
{
    for (size_t i = 0; owners->holdings && i < owners->owners.page_count; i++)
        tf_holding_done(&owners->holdings[i]);
    free(owners->holdings);
    tf_owners_done(&owners->owners);
    tf_repair_free(owners->repair);
    *owners = (tf_audit_owners){0};
}

int64_t tf_audit_owners_count(const tf_audit_owners *owners, const tf_owner_counts *counts, size_t i)
{
    return owners->order[i] < 0 ? 0 : counts->counts[owners->order[i]];
}

static bool has_passed(const tf_audit *audit, const tf_check *check)
{
    for (size_t i = 0; i < audit->total; i++)
        if (audit->rows[i].check == check)
            return audit->rows[i].state == TF_AUDIT_PASSED;
    return false;
}

/* Fills `asked` with those that can have found something. */
static size_t choose(const tf_migration *migration, const tf_audit *audit, tf_audit_owners *out, const tf_check **asked)
{
    size_t count = 0;
    for (const tf_check *check = migration->checks; check && check->name && out->checks_count < TF_OWNERS_CHECKS_MAX; check++) {
        if (!check->user_key)
            continue;
        bool passed = has_passed(audit, check);
        out->order[out->checks_count] = passed ? -1 : (int)count;
        out->checks[out->checks_count++] = check;
        if (!passed)
            asked[count++] = check;
    }
    return count;
}

static bool read_holdings(const tf_engine *engine, const char *second, tf_audit_owners *out, tf_error *err)
{
    out->holdings = bson_malloc0((out->owners.page_count + 1) * sizeof *out->holdings);
    for (size_t i = 0; i < out->owners.page_count; i++) {
        const bson_value_t *owner = &out->owners.page[i].owner;
        tf_error one = {0};
        bool text = owner->value_type == BSON_TYPE_UTF8 && strlen(owner->value.v_utf8.str) == owner->value.v_utf8.len;
        if (!text || tf_holding_read(&engine->store, out->repair, owner->value.v_utf8.str, second, &out->holdings[i], &one) ||
            one.code == TF_ERR_OVERFLOW) /* shown without */
            continue;
        *err = one;
        return false;
    }
    return true;
}

bool tf_audit_owners_read(const tf_engine *engine, const tf_audit_wanted *wanted, const tf_audit *audit, int64_t limit, int64_t offset,
                          tf_audit_owners *out, tf_error *err)
{
    tf_audit_owners owners = {.repair = tf_repair_parse(audit->migration->repair, err)};
    const tf_check *asked[TF_OWNERS_CHECKS_MAX];
    tf_audit words = {0}; /* of the narrowing */
    tf_narrowing narrowing;
    tf_store store = engine->store;
    store.after = tf_client_moment(store.client);
    const tf_audit_input input = {
        .store = &store, .migration = audit->migration->id, .narrowing = &narrowing, .max_time_ms = wanted->max_time_ms};
    size_t count = choose(audit->migration, audit, &owners, asked);
    if (!owners.repair || !tf_audit_narrow(engine, wanted, owners.repair, &words, &narrowing, err) ||
        !tf_owners_read(&input, asked, count, limit, offset, &owners.owners, err) ||
        !read_holdings(engine, wanted->mint, &owners, err)) {
        tf_audit_owners_done(&owners);
        return false;
    }
    *out = owners;
    return true;
}
