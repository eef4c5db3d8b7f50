#include "sandbox/seed_flaw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t number(const bson_t *token, const char *name)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, token, name) ? bson_iter_as_int64(&iter) : 0;
}

const char *tf_seed_first_secret(const bson_t *token)
{
    bson_iter_t iter, at;

    if (bson_iter_init(&iter, token) && bson_iter_find_descendant(&iter, "proofs.0.secret", &at))
        return bson_iter_utf8(&at, NULL);
    return "";
}

static void apply_wallet(const bson_iter_t *field, unsigned flaws, bson_t *out)
{
    bson_oid_t lost = {{0}}; /* its time is 1970: before every wallet's */

    if (flaws & TF_FLAW_NO_WALLET)
        return;
    if (flaws & TF_FLAW_NULL_WALLET) {
        BSON_APPEND_NULL(out, "wallet_id");
    } else if (flaws & TF_FLAW_LOST_WALLET) {
        memcpy(lost.bytes + 4, bson_iter_oid(field)->bytes + 4, 8);
        BSON_APPEND_OID(out, "wallet_id", &lost);
    } else {
        bson_append_iter(out, NULL, 0, field);
    }
}

static void apply_total(const bson_iter_t *field, unsigned flaws, bson_t *out)
{
    const int64_t total = bson_iter_as_int64(field);
    char text[32];

    if (flaws & TF_FLAW_NO_TOTAL)
        return;
    if (flaws & TF_FLAW_NULL_TOTAL) {
        BSON_APPEND_NULL(out, "total_amount");
    } else if (flaws & TF_FLAW_TEXT_TOTAL) {
        snprintf(text, sizeof text, "%lld", (long long)total);
        BSON_APPEND_UTF8(out, "total_amount", text);
    } else if (flaws & TF_FLAW_NAN_TOTAL) {
        BSON_APPEND_DOUBLE(out, "total_amount", (double)NAN);
    } else if (flaws & TF_FLAW_FRACTION_TOTAL) {
        BSON_APPEND_DOUBLE(out, "total_amount", (double)total + 0.5);
    } else if (flaws & (TF_FLAW_ZERO_TOTAL | TF_FLAW_NEGATIVE_TOTAL)) {
        BSON_APPEND_INT32(out, "total_amount", flaws & TF_FLAW_ZERO_TOTAL ? 0 : -1);
    } else if (flaws & TF_FLAW_WRONG_TOTAL) {
        BSON_APPEND_INT64(out, "total_amount", total + 1);
    } else {
        bson_append_iter(out, NULL, 0, field);
    }
}

static void apply_metadata(const bson_iter_t *field, unsigned flaws, bson_t *out)
{
    bson_iter_t iter;
    bson_t metadata;

    if (flaws & TF_FLAW_NO_METADATA)
        return;
    if (!(flaws & TF_FLAW_NO_SOURCE) || !bson_iter_recurse(field, &iter)) {
        bson_append_iter(out, NULL, 0, field);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(out, "metadata", &metadata);
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), "source") != 0)
            bson_append_iter(&metadata, NULL, 0, &iter);
    bson_append_document_end(out, &metadata);
}

static void append_proof(const bson_iter_t *proof, const char *secret, bson_t *out)
{
    bson_iter_t iter;

    if (!bson_iter_recurse(proof, &iter))
        return;
    while (bson_iter_next(&iter))
        if (secret && strcmp(bson_iter_key(&iter), "secret") == 0)
            BSON_APPEND_UTF8(out, "secret", secret);
        else
            bson_append_iter(out, NULL, 0, &iter);
}

static void apply_proofs(const bson_iter_t *field, unsigned flaws, const char *first, const char *shared, bson_t *out)
{
    bson_iter_t iter, ahead;
    bson_t proofs, proof;

    if (!(flaws & (TF_FLAW_SECRET_TWICE | TF_FLAW_SECRET_SHARED)) || !bson_iter_recurse(field, &iter)) {
        bson_append_iter(out, NULL, 0, field);
        return;
    }
    BSON_APPEND_ARRAY_BEGIN(out, "proofs", &proofs);
    while (bson_iter_next(&iter)) {
        const bool is_first = strcmp(bson_iter_key(&iter), "0") == 0;
        const char *secret = NULL;
        ahead = iter;
        if (flaws & TF_FLAW_SECRET_SHARED && is_first)
            secret = shared;
        else if (flaws & TF_FLAW_SECRET_TWICE && !bson_iter_next(&ahead))
            secret = first;
        bson_append_document_begin(&proofs, bson_iter_key(&iter), -1, &proof);
        append_proof(&iter, secret, &proof);
        bson_append_document_end(&proofs, &proof);
    }
    bson_append_array_end(out, &proofs);
}

static void apply_text(const bson_iter_t *field, bool odd, bson_t *out)
{
    if (odd)
        BSON_APPEND_UTF8(out, bson_iter_key(field), "unheard-of");
    else
        bson_append_iter(out, NULL, 0, field);
}

void tf_seed_flaw_apply(const bson_t *token, unsigned flaws, const char *secret, bson_t *out)
{
    const bool other_time = flaws & (TF_FLAW_NO_SPENT_AT | TF_FLAW_NULL_SPENT_AT | TF_FLAW_SPENT_AT);
    const char *created = bson_has_field(token, "createdAt") ? "createdAt" : "created_at";
    bson_iter_t iter;

    for (bool more = bson_iter_init(&iter, token); more && bson_iter_next(&iter);) {
        const char *key = bson_iter_key(&iter);
        if (strcmp(key, "wallet_id") == 0)
            apply_wallet(&iter, flaws, out);
        else if (strcmp(key, "total_amount") == 0)
            apply_total(&iter, flaws, out);
        else if (strcmp(key, "metadata") == 0)
            apply_metadata(&iter, flaws, out);
        else if (strcmp(key, "proofs") == 0)
            apply_proofs(&iter, flaws, tf_seed_first_secret(token), secret, out);
        else if (strcmp(key, "status") == 0)
            apply_text(&iter, flaws & TF_FLAW_ODD_STATUS, out);
        else if (strcmp(key, "transaction_type") == 0)
            apply_text(&iter, flaws & TF_FLAW_ODD_TYPE, out);
        else if (strcmp(key, "spent_at") != 0 || !other_time)
            bson_append_iter(out, NULL, 0, &iter);
    }
    if (flaws & TF_FLAW_NULL_SPENT_AT)
        BSON_APPEND_NULL(out, "spent_at");
    else if (flaws & TF_FLAW_SPENT_AT)
        BSON_APPEND_DATE_TIME(out, "spent_at", number(token, created));
}
