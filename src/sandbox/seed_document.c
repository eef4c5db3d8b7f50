#include "sandbox/seed_parts.h"

#include <stdio.h>
#include <string.h>

typedef enum { RECEIVED, SENT, MINTED, MELTED, CHANGE, TYPES } type_index;
typedef enum { UNSPENT, SPENT, PENDING, FAILED, STATUSES } status_index;

static const char *const TYPE_NAMES[TYPES] = {"received", "sent", "minted", "melted", "change"};
static const char *const STATUS_NAMES[STATUSES] = {"unspent", "spent", "pending", "failed"};

/* In 1,000: how often a clean token is of a type, and a status within the type. Melted and unspent is the defect. */
static const unsigned TYPE_WEIGHTS[TYPES] = {300, 200, 220, 130, 150};
static const unsigned STATUS_WEIGHTS[TYPES][STATUSES] = {
    [RECEIVED] = {420, 570, 0, 10}, [SENT] = {0, 820, 160, 20},  [MINTED] = {380, 520, 70, 30},
    [MELTED] = {0, 960, 25, 15},    [CHANGE] = {450, 550, 0, 0},
};

typedef struct token {
    int64_t index, user, seconds;
    int64_t sats;   /* what was asked for; amount is 0 where no proofs came yet */
    int64_t amount; /* total_amount, in the wallet's unit */
    tf_seed_wallet_ref wallet;
    type_index type;
    status_index status;
    bool defect;
    int64_t proofs[TF_SEED_PROOFS_MAX];
    int proof_count;
} token;

/* Draws are one to a statement everywhere: C leaves the order of evaluation open, and two compilers would disagree. */
static int weighted(tf_random *random, const unsigned *weights, int count)
{
    uint64_t dice = tf_random_below(random, 1000);
    int i = 0;

    for (; i < count - 1 && dice >= weights[i]; i++)
        dice -= weights[i];
    return i;
}

/* Every user gets one token where there are enough, and three users of five no second one; the rest is skewed: of n
 * users the first n/10,000 get an eighth. */
static int64_t owner(const tf_seed_plan *plan, int64_t index, tf_random *random)
{
    int64_t place = (int64_t)tf_permutation_at(&plan->user_order, (uint64_t)index);
    int64_t heavy = (plan->users * 2 + 4) / 5;
    double unit = tf_random_unit(random);
    int64_t user = (int64_t)(unit * unit * unit * unit * (double)heavy);

    if (place < plan->users)
        return place;
    return user < heavy ? user : heavy - 1;
}

/* A total as people have them: mostly below 2,048, seldom up to 2^24. */
static int64_t draw_total(tf_random *random)
{
    uint64_t bits = tf_random_permille(random, 15) ? 11 + tf_random_below(random, 13) : tf_random_below(random, 11);
    uint64_t base = UINT64_C(1) << bits;

    return (int64_t)(base + tf_random_below(random, base));
}

/* The total's binary digits; where more proofs are wanted the largest are halved. */
static void split(token *t, int64_t total, int wanted)
{
    int counts[63] = {0};
    int count = 0;

    for (int bit = 0; bit < 62; bit++)
        count += counts[bit] = (int)(total >> bit & 1);
    for (int bit = 62; bit > 0 && count < wanted; bit--)
        for (; counts[bit] > 0 && count < wanted; count++) {
            counts[bit]--;
            counts[bit - 1] += 2;
        }
    for (int bit = 0; bit < 62; bit++)
        for (int n = counts[bit]; n > 0; n--)
            t->proofs[t->proof_count++] = INT64_C(1) << bit;
}

static void draw_amounts(token *t, int64_t sats, tf_random *random)
{
    t->sats = sats;
    bool crowded = tf_random_permille(random, 10);
    int wanted = crowded ? 2 + (int)tf_random_below(random, TF_SEED_PROOFS_MAX - 1) : 0;
    bool empty = tf_random_permille(random, 750) && t->status == PENDING && t->type == MINTED;

    if (empty)
        return;
    split(t, t->wallet.millisats ? t->sats * 1024 : t->sats, wanted);
    for (int i = 0; i < t->proof_count; i++)
        t->amount += t->proofs[i];
}

static void draw(const tf_seed_plan *plan, int64_t index, tf_random *random, token *t)
{
    t->index = index;
    t->seconds = TF_SEED_TIME_TOKENS + (int64_t)((double)TF_SEED_TIME_SPAN * ((double)index / (double)plan->tokens));
    t->user = owner(plan, index, random);
    int wallets = tf_seed_wallet_count(plan->seed, t->user);
    t->wallet = tf_seed_wallet_at(plan, t->user, (int)tf_random_below(random, (uint64_t)wallets));
    t->defect = (int64_t)tf_permutation_at(&plan->defect_order, (uint64_t)index) < plan->defects;
    t->type = t->defect ? MELTED : (type_index)weighted(random, TYPE_WEIGHTS, TYPES);
    t->status = t->defect ? UNSPENT : (status_index)weighted(random, STATUS_WEIGHTS[t->type], STATUSES);
    draw_amounts(t, draw_total(random), random);
}

static void append_text(bson_t *out, const char *key, const char *text, size_t length)
{
    bson_append_utf8(out, key, -1, text, (int)length);
}

static void append_number(bson_t *out, const char *key, int64_t value)
{
    if (value <= INT32_MAX)
        BSON_APPEND_INT32(out, key, (int32_t)value);
    else
        BSON_APPEND_INT64(out, key, value);
}

static void append_dleq(bson_t *proof, tf_random *random)
{
    static const char *const KEYS[] = {"e", "s", "r"};
    char hex[64];
    bson_t dleq;

    BSON_APPEND_DOCUMENT_BEGIN(proof, "dleq", &dleq);
    for (int i = 0; i < 3; i++) {
        tf_random_hex(random, hex, sizeof hex);
        append_text(&dleq, KEYS[i], hex, sizeof hex);
    }
    bson_append_document_end(proof, &dleq);
}

static void append_witness(bson_t *proof, tf_random *random)
{
    static const char HEAD[] = "{\"signatures\":[\"";
    char text[sizeof HEAD - 1 + 128 + 3];

    memcpy(text, HEAD, sizeof HEAD - 1);
    tf_random_hex(random, text + sizeof HEAD - 1, 128);
    memcpy(text + sizeof text - 3, "\"]}", 3);
    append_text(proof, "witness", text, sizeof text);
}

/* A secret begins with a bijection of the proof's number: no two are equal. */
static void append_proofs(bson_t *out, uint64_t seed, const token *t, tf_random *random)
{
    const uint64_t secret_key = tf_seed_key(seed, TF_SEED_STREAM_SECRET);
    bool has_dleq = tf_random_permille(random, 50);
    bool has_witness = tf_random_permille(random, 30);
    tf_random keyset = tf_random_stream(tf_seed_key(seed, TF_SEED_STREAM_KEYSET), (uint64_t)t->wallet.mint);
    char id[16] = {'0', '0'};
    bson_t proofs;

    tf_random_hex(&keyset, id + 2, sizeof id - 2);
    BSON_APPEND_ARRAY_BEGIN(out, "proofs", &proofs);
    for (uint32_t i = 0; i < (uint32_t)t->proof_count; i++) {
        char number[16], secret[64], point[66] = {'0'};
        const char *key;
        bson_t proof;
        size_t length = bson_uint32_to_string(i, &key, number, sizeof number);

        tf_random_hex_word(tf_random_mix(secret_key + (uint64_t)t->index * TF_SEED_PROOFS_MAX + i), secret);
        tf_random_hex(random, secret + 16, sizeof secret - 16);
        tf_random_hex(random, point + 2, sizeof point - 2);
        point[1] = point[65] & 1 ? '3' : '2';
        bson_append_document_begin(&proofs, key, (int)length, &proof);
        append_text(&proof, "id", id, sizeof id);
        append_number(&proof, "amount", t->proofs[i]);
        append_text(&proof, "secret", secret, sizeof secret);
        append_text(&proof, "C", point, sizeof point);
        if (has_witness)
            append_witness(&proof, random);
        if (has_dleq)
            append_dleq(&proof, random);
        bson_append_document_end(&proofs, &proof);
    }
    bson_append_array_end(out, &proofs);
}

/* "tx_" and 32 hex digits; the first 16 are a bijection of the index. */
static void append_transaction(bson_t *out, const char *key, uint64_t seed, int64_t index)
{
    uint64_t word = tf_random_mix(tf_seed_key(seed, TF_SEED_STREAM_TRANSACTION) + (uint64_t)index);
    char text[3 + 32] = {'t', 'x', '_'};

    tf_random_hex_word(word, text + 3);
    tf_random_hex_word(tf_random_mix(~word), text + 19);
    append_text(out, key, text, sizeof text);
}

static void append_lightning(bson_t *out, const token *t, tf_random *random)
{
    char quote[40];
    char invoice[320];
    int head = snprintf(invoice, sizeof invoice, "lnbc%lldn1p", (long long)t->sats * 10);
    size_t tail = 190 + tf_random_below(random, 60);

    tf_random_base64(random, quote, sizeof quote);
    append_text(out, "quote_id", quote, sizeof quote);
    tf_random_bech32(random, invoice + head, tail);
    append_text(out, "lightning_invoice", invoice, (size_t)head + tail);
}

static void append_encoded(bson_t *out, tf_random *random)
{
    char text[320] = "cashuB";
    size_t length = 180 + tf_random_below(random, 120);

    tf_random_base64(random, text + 6, length);
    append_text(out, "encoded_token", text, 6 + length);
}

static const char *source(const token *t, bool by_lightning)
{
    switch (t->type) {
    case RECEIVED:
        return by_lightning ? "lightning" : "p2p";
    case SENT:
        return "p2p";
    case MINTED:
        return by_lightning ? "lightning" : "mint";
    case MELTED:
        return "lightning";
    default:
        return "change";
    }
}

static void append_metadata(bson_t *out, uint64_t seed, const token *t, tf_random *random)
{
    bool by_lightning = tf_random_permille(random, 300);
    int64_t back = 1 + (int64_t)tf_random_below(random, 1000);
    bson_t metadata;

    BSON_APPEND_DOCUMENT_BEGIN(out, "metadata", &metadata);
    BSON_APPEND_UTF8(&metadata, "source", source(t, by_lightning));
    if (t->type == CHANGE && t->index > 0)
        append_transaction(&metadata, "parent_transaction_id", seed, t->index > back ? t->index - back : 0);
    if (t->type == MINTED || t->type == MELTED)
        append_lightning(&metadata, t, random);
    if (t->type == SENT)
        append_encoded(&metadata, random);
    bson_append_document_end(out, &metadata);
}

static void append_total(bson_t *out, const token *t, tf_random *random)
{
    uint64_t dice = tf_random_below(random, 100);

    if (dice < 6)
        BSON_APPEND_DOUBLE(out, "total_amount", (double)t->amount);
    else if (dice < 14)
        BSON_APPEND_INT64(out, "total_amount", t->amount);
    else
        append_number(out, "total_amount", t->amount);
}

/* A token is spent up to twenty days after its creation, and was then updated; one in ten has the older field names. */
static void append_times(bson_t *out, const token *t, tf_random *random)
{
    int64_t created = t->seconds * 1000 + (int64_t)tf_random_below(random, 1000);
    int64_t later = (int64_t)tf_random_below(random, UINT64_C(20) * 86400 * 1000);
    bool absent = tf_random_permille(random, 250);
    bool older = (uint64_t)t->index % 10 == 7;
    int64_t updated = created;

    if (t->status == SPENT) {
        BSON_APPEND_DATE_TIME(out, "spent_at", created + later);
        updated = created + later + (int64_t)tf_random_below(random, 50);
    } else if (!absent) {
        BSON_APPEND_NULL(out, "spent_at");
    }
    BSON_APPEND_DATE_TIME(out, older ? "created_at" : "createdAt", created);
    BSON_APPEND_DATE_TIME(out, older ? "updated_at" : "updatedAt", updated);
}

static void append(bson_t *out, const tf_seed_plan *plan, const token *t, tf_random *random)
{
    char npub[TF_SEED_NPUB_SIZE];
    bson_oid_t id;

    tf_seed_oid(tf_seed_key(plan->seed, TF_SEED_STREAM_TOKEN), t->seconds, t->index, &id);
    tf_seed_npub(plan->seed, t->user, npub);
    BSON_APPEND_OID(out, "_id", &id);
    BSON_APPEND_UTF8(out, "npub", npub);
    BSON_APPEND_OID(out, "wallet_id", &t->wallet.id);
    append_proofs(out, plan->seed, t, random);
    BSON_APPEND_UTF8(out, "mint_url", tf_seed_mint_url(t->wallet.mint));
    append_total(out, t, random);
    BSON_APPEND_UTF8(out, "status", STATUS_NAMES[t->status]);
    BSON_APPEND_UTF8(out, "transaction_type", TYPE_NAMES[t->type]);
    append_transaction(out, "transaction_id", plan->seed, t->index);
    append_metadata(out, plan->seed, t, random);
    append_times(out, t, random);
}

void tf_seed_token(const tf_seed_plan *plan, int64_t index, bson_t *out, tf_seed_facts *facts)
{
    tf_random random = tf_random_stream(tf_seed_key(plan->seed, TF_SEED_STREAM_TOKEN), (uint64_t)index);
    token t = {0};

    draw(plan, index, &random, &t);
    append(out, plan, &t, &random);
    if (facts)
        *facts = (tf_seed_facts){.user = t.user, .amount = t.amount, .defect = t.defect};
}

static int place_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

void tf_seed_token_shaped(const tf_seed_plan *plan, int64_t index, const tf_seed_shape *shape, bson_t *out)
{
    tf_random random = tf_random_stream(tf_seed_key(plan->seed, TF_SEED_STREAM_TOKEN), (uint64_t)index);
    token t = {.index = index, .user = shape->user, .seconds = TF_SEED_TIME_TOKENS + TF_SEED_TIME_SPAN};

    t.wallet = tf_seed_wallet_at(plan, t.user, 0);
    t.type = (type_index)place_of(TYPE_NAMES, TYPES, shape->type);
    t.status = (status_index)place_of(STATUS_NAMES, STATUSES, shape->status);
    draw_amounts(&t, draw_total(&random) | 3, &random);
    append(out, plan, &t, &random);
}
