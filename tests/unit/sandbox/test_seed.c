/* The sample data without a server: 20,000 generated documents are held against docs/data.md. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <tokenfix/cleanup.h>

#include "sandbox/seed.h"
#include "sandbox/seed_batch.h"

enum { TOKENS = 20000, USERS = 700, SECRETS_MAX = TOKENS * 16 };

typedef struct keys { /* fixed-size keys, to be sorted and searched */
    size_t width, count, capacity;
    char *bytes;
} keys;

static keys keys_new(size_t width, size_t capacity)
{
    return (keys){.width = width, .capacity = capacity, .bytes = calloc(capacity, width)};
}

static void keys_donep(keys *k)
{
    free(k->bytes);
}

static void keys_add(keys *k, const char *key, size_t length)
{
    assert_true(k->count < k->capacity && length <= k->width);
    memcpy(k->bytes + k->width * k->count++, key, length);
}

static int compare(const void *a, const void *b, void *width)
{
    return memcmp(a, b, *(size_t *)width);
}

static void keys_sort(keys *k)
{
    qsort_r(k->bytes, k->count, k->width, compare, &k->width);
}

static size_t keys_distinct(keys *k)
{
    size_t distinct = k->count > 0;

    keys_sort(k);
    for (size_t i = 1; i < k->count; i++)
        distinct += memcmp(k->bytes + k->width * (i - 1), k->bytes + k->width * i, k->width) != 0;
    return distinct;
}

static bool keys_has(const keys *k, const char *key)
{
    size_t low = 0;

    for (size_t high = k->count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = memcmp(k->bytes + k->width * middle, key, k->width);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bson_iter_t field(const bson_t *document, const char *name)
{
    bson_iter_t iter;

    if (!bson_iter_init_find(&iter, document, name))
        fail_msg("no %s", name);
    return iter;
}

static const char *text(const bson_t *document, const char *name)
{
    bson_iter_t iter = field(document, name);

    assert_int_equal(bson_iter_type(&iter), BSON_TYPE_UTF8);
    return bson_iter_utf8(&iter, NULL);
}

static bool one_of(const char *value, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(value, *list) == 0)
            return true;
    return false;
}

static bool is_hex(const char *value, size_t length)
{
    return strlen(value) == length && strspn(value, "0123456789abcdef") == length;
}

/* What ties a wallet to its tokens: id, mint and owner in one key. */
enum { TIE = 12 + 64 + 80 };
static void tie(const bson_t *document, const char *id_field, char out[TIE])
{
    bson_iter_t id = field(document, id_field);

    memset(out, 0, TIE);
    memcpy(out, bson_iter_oid(&id)->bytes, 12);
    snprintf(out + 12, 64, "%s", text(document, "mint_url"));
    snprintf(out + 76, 80, "%s", text(document, "npub"));
}

static int64_t check_proofs(const bson_t *token, keys *secrets)
{
    bson_iter_t array = field(token, "proofs"), iter;
    int64_t sum = 0;
    int count = 0;

    assert_int_equal(bson_iter_type(&array), BSON_TYPE_ARRAY);
    assert_true(bson_iter_recurse(&array, &iter));
    for (; bson_iter_next(&iter); count++) {
        const uint8_t *data;
        uint32_t length;
        bson_t proof;
        bson_iter_document(&iter, &length, &data);
        assert_true(bson_init_static(&proof, data, length));
        bson_iter_t amount = field(&proof, "amount");
        int64_t value = bson_iter_as_int64(&amount);
        assert_true(value >= 1 && (value & (value - 1)) == 0);
        assert_true(is_hex(text(&proof, "secret"), 64));
        assert_true(is_hex(text(&proof, "C"), 66));
        assert_true(is_hex(text(&proof, "id"), 16));
        keys_add(secrets, text(&proof, "secret"), 64);
        sum += value;
    }
    assert_true(count <= TF_SEED_PROOFS_MAX);
    if (count == 0)
        assert_string_equal(text(token, "status"), "pending");
    return sum;
}

static int64_t check_total(const bson_t *token, int types[3])
{
    bson_iter_t total = field(token, "total_amount");

    switch (bson_iter_type(&total)) {
    case BSON_TYPE_INT32:
        types[0]++;
        break;
    case BSON_TYPE_INT64:
        types[1]++;
        break;
    case BSON_TYPE_DOUBLE:
        types[2]++;
        assert_true(floor(bson_iter_double(&total)) == bson_iter_double(&total));
        break;
    default:
        fail_msg("total_amount is not a number");
    }
    return bson_iter_as_int64(&total);
}

static void check_names(const bson_t *token)
{
    static const char *const STATUSES[] = {"unspent", "spent", "pending", "failed", NULL};
    static const char *const TYPES[] = {"received", "sent", "minted", "melted", "change", NULL};
    static const char *const SOURCES[] = {"lightning", "p2p", "mint", "change", NULL};
    const char *npub = text(token, "npub");
    bson_iter_t iter, source;

    assert_true(one_of(text(token, "status"), STATUSES));
    assert_true(one_of(text(token, "transaction_type"), TYPES));
    assert_true(bson_iter_init(&iter, token) && bson_iter_find_descendant(&iter, "metadata.source", &source));
    assert_true(one_of(bson_iter_utf8(&source, NULL), SOURCES));
    assert_memory_equal(npub, "npub1", 5);
    size_t tail = strspn(npub + 5, "abcdefghijklmnopqrstuvwxyz0123456789");
    assert_true(tail >= 58 && tail <= 63 && npub[5 + tail] == '\0');
}

/* True where the document has the older names of the two times. */
static bool check_times(const bson_t *token)
{
    const bool older = bson_has_field(token, "created_at");
    bson_iter_t created = field(token, older ? "created_at" : "createdAt");
    bson_iter_t updated = field(token, older ? "updated_at" : "updatedAt");
    bson_iter_t id = field(token, "_id"), spent;
    bool is_spent = strcmp(text(token, "status"), "spent") == 0;
    bool has = bson_iter_init_find(&spent, token, "spent_at") && !BSON_ITER_HOLDS_NULL(&spent);

    assert_int_not_equal(older, bson_has_field(token, "createdAt"));
    assert_int_equal(is_spent, has);
    assert_true(bson_iter_date_time(&updated) >= bson_iter_date_time(&created));
    assert_int_equal(bson_oid_get_time_t(bson_iter_oid(&id)), bson_iter_date_time(&created) / 1000);
    assert_true(bson_iter_date_time(&updated) < INT64_C(1000) * time(NULL));
    if (has) {
        assert_int_equal(bson_iter_type(&spent), BSON_TYPE_DATE_TIME);
        assert_true(bson_iter_date_time(&spent) >= bson_iter_date_time(&created));
        assert_true(bson_iter_date_time(&spent) <= bson_iter_date_time(&updated));
    }
    return older;
}

static void add_wallets(const tf_seed_plan *plan, keys *ties, keys *unique)
{
    for (int64_t user = 0; user < plan->users; user++)
        for (int which = 0; which < tf_seed_wallet_count(plan->seed, user); which++) {
            _cleanup_bson_ bson_t wallet = BSON_INITIALIZER;
            char key[TIE];
            tf_seed_wallet(plan, user, which, &wallet);
            assert_true(bson_validate(&wallet, BSON_VALIDATE_UTF8 | BSON_VALIDATE_EMPTY_KEYS, NULL));
            tie(&wallet, "_id", key);
            keys_add(ties, key, TIE);
            keys_add(unique, key + 12, TIE - 12);
            assert_true(is_hex(text(&wallet, "p2pk_pubkey"), 66) && is_hex(text(&wallet, "p2pk_privkey"), 64));
            assert_true(bson_has_field(&wallet, "wallet_config.unit"));
            assert_true(bson_has_field(&wallet, "wallet_config.created_via"));
        }
    keys_sort(ties);
}

static void wallets__are_unique_by_owner_and_mint(void **state)
{
    (void)state;
    const tf_seed_plan plan = tf_seed_plan_make(3, TOKENS, 5000, 20);
    _cleanup_(keys_donep) keys ties = keys_new(TIE, 15000), unique = keys_new(TIE - 12, 15000);
    _cleanup_(keys_donep) keys mints = keys_new(64, 15000);

    add_wallets(&plan, &ties, &unique);
    for (size_t i = 0; i < ties.count; i++)
        keys_add(&mints, ties.bytes + i * TIE + 12, 64);
    assert_int_equal(keys_distinct(&mints), TF_SEED_MINTS);
    assert_int_equal(keys_distinct(&unique), unique.count);
    assert_true(unique.count > 5000); /* some users have several */
}

static void tokens__keep_every_rule_of_the_data(void **state)
{
    (void)state;
    const tf_seed_plan plan = tf_seed_plan_make(42, TOKENS, USERS, 20);
    _cleanup_(keys_donep) keys ties = keys_new(TIE, USERS * 3), unique = keys_new(TIE - 12, USERS * 3);
    _cleanup_(keys_donep) keys secrets = keys_new(64, SECRETS_MAX), ids = keys_new(35, TOKENS);
    _cleanup_bson_ bson_t token = BSON_INITIALIZER;
    bson_oid_t last = {{0}};
    int64_t bytes = 0;
    int types[3] = {0}, older = 0;

    add_wallets(&plan, &ties, &unique);
    for (int64_t i = 0; i < TOKENS; i++) {
        char key[TIE];
        bson_reinit(&token);
        tf_seed_token(&plan, i, &token, NULL);
        assert_true(bson_validate(&token, BSON_VALIDATE_UTF8 | BSON_VALIDATE_EMPTY_KEYS, NULL));
        bson_iter_t id = field(&token, "_id");
        assert_true(bson_oid_compare(&last, bson_iter_oid(&id)) < 0);
        bson_oid_copy(bson_iter_oid(&id), &last);
        int64_t sum = check_proofs(&token, &secrets);
        assert_int_equal(check_total(&token, types), sum);
        assert_true(sum > 0 || strcmp(text(&token, "status"), "pending") == 0);
        check_names(&token);
        older += check_times(&token);
        tie(&token, "wallet_id", key);
        assert_true(keys_has(&ties, key));
        keys_add(&ids, text(&token, "transaction_id"), 35);
        bytes += token.len;
    }
    assert_int_equal(keys_distinct(&secrets), secrets.count);
    assert_int_equal(keys_distinct(&ids), TOKENS);
    assert_true(bytes >= 1000 * TOKENS && bytes <= 1500 * TOKENS);
    assert_int_equal(older, TOKENS / 10);
    assert_true(types[0] > TOKENS / 2 && types[1] > TOKENS / 50 && types[2] > TOKENS / 50);
}

static bool is_defect(const bson_t *token)
{
    return strcmp(text(token, "transaction_type"), "melted") == 0 && strcmp(text(token, "status"), "unspent") == 0;
}

static void defects__are_exactly_as_many_as_asked_for(void **state)
{
    (void)state;
    static const struct {
        int64_t tokens;
        double percent;
        int64_t expected;
    } CASES[] = {{TOKENS, 20, 4000}, {TOKENS, 0, 0}, {5000, 100, 5000}, {1000, 0.1, 1}, {1000, 0.04, 0},
                 {999, 33.3, 333},   {7, 50, 4},     {1, 100, 1},       {1, 49, 0},     {4097, 12.5, 512}};

    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        const tf_seed_plan plan = tf_seed_plan_make(c, CASES[c].tokens, 50, CASES[c].percent);
        _cleanup_bson_ bson_t token = BSON_INITIALIZER;
        int64_t found = 0;
        for (int64_t i = 0; i < plan.tokens; i++) {
            tf_seed_facts facts;
            bson_reinit(&token);
            tf_seed_token(&plan, i, &token, &facts);
            bson_iter_t total = field(&token, "total_amount");
            assert_int_equal(facts.defect, is_defect(&token));
            assert_int_equal(facts.amount, bson_iter_as_int64(&total));
            found += is_defect(&token);
        }
        assert_int_equal(plan.defects, CASES[c].expected);
        assert_int_equal(found, CASES[c].expected);
    }
}

static void defects__are_spread_over_collection_and_users(void **state)
{
    (void)state;
    const tf_seed_plan plan = tf_seed_plan_make(9, TOKENS, USERS, 10);
    _cleanup_bson_ bson_t token = BSON_INITIALIZER;
    int in_tenth[10] = {0}, of_user[USERS] = {0}, per_user[USERS] = {0};
    int users = 0, most = 0, single = 0;

    for (int64_t i = 0; i < TOKENS; i++) {
        tf_seed_facts facts;
        bson_reinit(&token);
        tf_seed_token(&plan, i, &token, &facts);
        in_tenth[i * 10 / TOKENS] += facts.defect;
        of_user[facts.user] += facts.defect;
        per_user[facts.user]++;
    }
    for (int i = 0; i < 10; i++)
        assert_true(in_tenth[i] >= 140 && in_tenth[i] <= 260);
    for (int i = 0; i < USERS; i++) {
        assert_true(per_user[i] > 0);
        users += of_user[i] > 0;
        single += per_user[i] == 1;
        most = per_user[i] > most ? per_user[i] : most;
    }
    assert_true(users > USERS / 3);
    assert_true(most > TOKENS / 10 && single > USERS / 2); /* skewed */
}

static uint64_t checksum(const uint8_t *bytes, size_t length)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    return sum;
}

static uint64_t checksum_in_batches(const tf_seed_plan *plan, size_t capacity)
{
    tf_seed_batch *batch = tf_seed_batch_new(capacity);
    uint8_t *bytes = NULL;
    size_t length = 0;

    for (int64_t user = 0; user < plan->users;) {
        user = tf_seed_batch_wallets(batch, plan, user);
        bytes = realloc(bytes, length + (size_t)batch->size);
        memcpy(bytes + length, batch->bytes, (size_t)batch->size);
        length += (size_t)batch->size;
    }
    for (int64_t i = 0; i < plan->tokens; i += (int64_t)batch->count) {
        tf_seed_batch_tokens(batch, plan, i);
        assert_int_equal(batch->documents[batch->count - 1]->len +
                             (batch->count > 1 ? batch->ends[batch->count - 2] : 0),
                         batch->size);
        bytes = realloc(bytes, length + (size_t)batch->size);
        memcpy(bytes + length, batch->bytes, (size_t)batch->size);
        length += (size_t)batch->size;
    }
    uint64_t sum = checksum(bytes, length);
    free(bytes);
    tf_seed_batch_free(batch);
    return sum;
}

static void documents__do_not_depend_on_the_batches(void **state)
{
    (void)state;
    const tf_seed_plan plan = tf_seed_plan_make(1, 3000, 100, 20), other = tf_seed_plan_make(2, 3000, 100, 20);
    const uint64_t sum = checksum_in_batches(&plan, 3);

    assert_int_equal(sum, checksum_in_batches(&plan, 997));
    assert_int_equal(sum, checksum_in_batches(&plan, 5000));
    assert_int_not_equal(sum, checksum_in_batches(&other, 5000));
}

/* A change of this number is a change of everybody's sample data: every compiler and version must arrive at it. */
static void documents__are_the_same_for_ever(void **state)
{
    (void)state;
    const tf_seed_plan plan = tf_seed_plan_make(20240901, 2000, 77, 17.5);

    assert_int_equal(checksum_in_batches(&plan, 500), UINT64_C(0xec4608ea05f12ba2));
}

static void permutation__visits_everything_once(void **state)
{
    (void)state;
    static const uint64_t SIZES[] = {1, 2, 3, 4, 5, 16, 17, 1000, 4096, 4097};

    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        const tf_permutation permutation = tf_permutation_make(s, SIZES[s]);
        bool seen[4097] = {false};
        for (uint64_t i = 0; i < SIZES[s]; i++) {
            uint64_t image = tf_permutation_at(&permutation, i);
            assert_true(image < SIZES[s] && !seen[image]);
            seen[image] = true;
        }
    }
}

static void options__out_of_range_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    static const tf_seed_options CASES[] = {
        {.tokens = -1, .users = 1},
        {.tokens = 1, .users = 0},
        {.users = -1},
        {.tokens = INT64_MAX, .users = 1},
        {.users = INT64_MAX},
        {.tokens = 1, .users = 1, .defects = -0.1},
        {.tokens = 1, .users = 1, .defects = 100.1},
        {.tokens = 1, .users = 1, .defects = NAN},
        {.tokens = 1, .users = 1, .indexes = 7},
        {.tokens = 1, .users = 1, .batch = -1},
        {.tokens = 1, .users = 1, .batch = 2},
        {.tokens = 1, .users = 1, .batch = 1000000},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        tf_seed_result result = {.tokens = -7};
        tf_error err = {0};
        assert_false(tf_seed_run(NULL, "unused", &CASES[i], &result, &err));
        assert_int_equal(err.code, TF_ERR_USAGE);
        assert_int_equal(result.tokens, -7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutation__visits_everything_once),
        cmocka_unit_test(wallets__are_unique_by_owner_and_mint),
        cmocka_unit_test(tokens__keep_every_rule_of_the_data),
        cmocka_unit_test(defects__are_exactly_as_many_as_asked_for),
        cmocka_unit_test(defects__are_spread_over_collection_and_users),
        cmocka_unit_test(documents__do_not_depend_on_the_batches),
        cmocka_unit_test(documents__are_the_same_for_ever),
        cmocka_unit_test(options__out_of_range_are_refused_before_anything_is_sent),
    };

    return cmocka_run_group_tests_name("seed", tests, NULL, NULL);
}
