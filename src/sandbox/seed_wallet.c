#include "sandbox/seed_parts.h"

#include <math.h>
#include <string.h>

static const char *const MINT_URLS[TF_SEED_MINTS] = {
    "https://mint.minibits.cash/Bitcoin",
    "https://mint.example.org",
    "https://cashu.example.net/api/v1",
    "https://21mint.example.com",
};

uint64_t tf_seed_key(uint64_t seed, tf_seed_stream stream)
{
    return tf_random_mix(tf_random_mix(seed) + (uint64_t)stream * 0x9e3779b97f4a7c15u);
}

const char *tf_seed_mint_url(int mint)
{
    return MINT_URLS[mint];
}

tf_seed_plan tf_seed_plan_make(uint64_t seed, int64_t tokens, int64_t users, double percent)
{
    return (tf_seed_plan){
        .seed = seed,
        .tokens = tokens,
        .users = users,
        .defects = llround((double)tokens * percent / 100.0),
        .defect_order = tf_permutation_make(tf_seed_key(seed, TF_SEED_STREAM_DEFECT), (uint64_t)tokens),
        .user_order = tf_permutation_make(tf_seed_key(seed, TF_SEED_STREAM_ORDER), (uint64_t)tokens),
    };
}

/* The number stands in the name's first twelve characters (60 of the 64 bits of a bijection); with the 45 characters
 * that follow, two users of one name are out of the question. */
void tf_seed_npub(uint64_t seed, int64_t user, char out[TF_SEED_NPUB_SIZE])
{
    tf_random random = tf_random_stream(tf_seed_key(seed, TF_SEED_STREAM_USER), (uint64_t)user);
    size_t length = 58;

    if (tf_random_permille(&random, 50))
        length += 1 + tf_random_below(&random, 5);
    memcpy(out, "npub1", 5);
    tf_random_bech32(&random, out + 5, length);
    out[5 + length] = '\0';
}

static uint64_t wallet_word(uint64_t seed, int64_t user)
{
    return tf_random_mix(tf_seed_key(seed, TF_SEED_STREAM_WALLET) + (uint64_t)user);
}

int tf_seed_wallet_count(uint64_t seed, int64_t user)
{
    uint64_t dice = wallet_word(seed, user) % 100;

    return dice < 70 ? 1 : dice < 94 ? 2 : TF_SEED_USER_MINTS;
}

tf_seed_wallet_ref tf_seed_wallet_at(const tf_seed_plan *plan, int64_t user, int which)
{
    const int64_t ordinal = user * TF_SEED_USER_MINTS + which;
    const int64_t created =
        TF_SEED_TIME_WALLETS + (TF_SEED_TIME_TOKENS - TF_SEED_TIME_WALLETS - 1) * user / plan->users;
    uint64_t word = wallet_word(plan->seed, user);
    tf_seed_wallet_ref wallet = {
        .mint = (int)(((word >> 32) + (uint64_t)which) % TF_SEED_MINTS),
        .millisats = (word >> (16 + which)) % 16 == 0,
    };

    tf_seed_oid(tf_seed_key(plan->seed, TF_SEED_STREAM_WALLET), created, ordinal, &wallet.id);
    return wallet;
}

/* Four bytes of time, three of the seed, five of the ordinal: ids rise with the ordinal and never collide. */
void tf_seed_oid(uint64_t key, int64_t seconds, int64_t ordinal, bson_oid_t *oid)
{
    uint8_t bytes[12];

    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(seconds >> (8 * (3 - i)));
    for (int i = 0; i < 3; i++)
        bytes[4 + i] = (uint8_t)(key >> (8 * i));
    for (int i = 0; i < 5; i++)
        bytes[7 + i] = (uint8_t)(ordinal >> (8 * (4 - i)));
    bson_oid_init_from_data(oid, bytes);
}

void tf_seed_wallet(const tf_seed_plan *plan, int64_t user, int which, bson_t *out)
{
    static const char *const VIA[] = {"api", "web", "migration", "nwc"};
    tf_seed_wallet_ref wallet = tf_seed_wallet_at(plan, user, which);
    tf_random random =
        tf_random_stream(tf_seed_key(plan->seed, TF_SEED_STREAM_KEYS), (uint64_t)(user * TF_SEED_USER_MINTS + which));
    const char *mint_url = tf_seed_mint_url(wallet.mint);
    char npub[TF_SEED_NPUB_SIZE];
    char public_key[66];
    char private_key[64];
    bson_t config;

    tf_seed_npub(plan->seed, user, npub);
    memcpy(public_key, tf_random_below(&random, 2) ? "02" : "03", 2);
    tf_random_hex(&random, public_key + 2, sizeof public_key - 2);
    tf_random_hex(&random, private_key, sizeof private_key);
    const char *via = VIA[tf_random_below(&random, 4)]; /* the macros of libbson evaluate a value twice */
    BSON_APPEND_OID(out, "_id", &wallet.id);
    BSON_APPEND_UTF8(out, "npub", npub);
    BSON_APPEND_UTF8(out, "mint_url", mint_url);
    bson_append_utf8(out, "p2pk_pubkey", -1, public_key, sizeof public_key);
    bson_append_utf8(out, "p2pk_privkey", -1, private_key, sizeof private_key);
    BSON_APPEND_DOCUMENT_BEGIN(out, "wallet_config", &config);
    BSON_APPEND_UTF8(&config, "unit", wallet.millisats ? "msat" : "sat");
    BSON_APPEND_UTF8(&config, "created_via", via);
    bson_append_document_end(out, &config);
}
