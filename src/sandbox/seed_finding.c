#include "sandbox/seed_finding.h"

#include <string.h>
#include <tokenfix/cleanup.h>

#include "sandbox/seed_flaw.h"
#include "sandbox/seed_parts.h"

const char *const tf_seed_check_names[TF_SEED_CHECKS] = {
    [TF_SEED_MELTED_UNSPENT] = "melted_unspent",
    [TF_SEED_DUPLICATE_SECRET] = "duplicate_secret",
    [TF_SEED_SECRET_REUSE] = "secret_reuse",
    [TF_SEED_ORPHANED_TOKEN] = "orphaned_token",
    [TF_SEED_AMOUNT_MISMATCH] = "amount_mismatch",
    [TF_SEED_INVALID_AMOUNT] = "invalid_amount",
    [TF_SEED_MISSING_SOURCE] = "missing_source",
    [TF_SEED_STATUS_INCONSISTENT] = "status_inconsistent",
    [TF_SEED_NEGATIVE_BALANCE] = "negative_balance",
};

enum { CASE_TOKENS = 3, REPEATS = 3 };

/* The tokens of one user, and what an audit makes of them. */
typedef struct planted {
    struct {
        const char *type, *status; /* NULL: no more tokens */
        unsigned flaws;
    } tokens[CASE_TOKENS];
    int64_t counts[TF_SEED_CHECKS];
} planted;

#define MELTED [TF_SEED_MELTED_UNSPENT] = 1
#define DUPLICATE [TF_SEED_DUPLICATE_SECRET] = 1
#define REUSE [TF_SEED_SECRET_REUSE] = 1
#define ORPHAN [TF_SEED_ORPHANED_TOKEN] = 1
#define MISMATCH [TF_SEED_AMOUNT_MISMATCH] = 1
#define INVALID [TF_SEED_INVALID_AMOUNT] = 1
#define SOURCE [TF_SEED_MISSING_SOURCE] = 1
#define INCONSISTENT [TF_SEED_STATUS_INCONSISTENT] = 1
#define NEGATIVE [TF_SEED_NEGATIVE_BALANCE] = 1

static const planted CASES[] = {
    {{{"melted", "unspent", 0}}, {MELTED}},
    {{{"melted", "unspent", 0}, {"melted", "spent", 0}, {"melted", "unspent", 0}}, {[TF_SEED_MELTED_UNSPENT] = 2}},
    /* one secret: spendable twice, thrice, twice in one token */
    {{{"received", "unspent", 0}, {"minted", "unspent", TF_FLAW_SECRET_SHARED}}, {DUPLICATE}},
    {{{"received", "unspent", 0}, {"sent", "pending", TF_FLAW_SECRET_SHARED}}, {DUPLICATE}},
    {{{"change", "unspent", 0}, {"received", "unspent", TF_FLAW_SECRET_SHARED}, {"sent", "pending", TF_FLAW_SECRET_SHARED}}, {DUPLICATE}},
    {{{"received", "unspent", TF_FLAW_SECRET_TWICE}}, {DUPLICATE}},
    /* and seen again in what was spent */
    {{{"change", "unspent", 0}, {"sent", "spent", TF_FLAW_SECRET_SHARED}}, {REUSE}},
    {{{"received", "spent", 0}, {"sent", "spent", TF_FLAW_SECRET_SHARED}}, {REUSE}},
    {{{"sent", "spent", TF_FLAW_SECRET_TWICE}}, {REUSE}},
    {{{"received", "unspent", 0}, {"change", "unspent", TF_FLAW_SECRET_SHARED}, {"sent", "spent", TF_FLAW_SECRET_SHARED}}, {DUPLICATE, REUSE}},
    {{{"received", "unspent", TF_FLAW_NO_WALLET}}, {ORPHAN}},
    {{{"minted", "spent", TF_FLAW_NULL_WALLET}}, {ORPHAN}},
    {{{"change", "unspent", TF_FLAW_LOST_WALLET}}, {ORPHAN}},
    {{{"received", "unspent", TF_FLAW_WRONG_TOTAL}}, {MISMATCH}},
    {{{"sent", "pending", TF_FLAW_WRONG_TOTAL}}, {MISMATCH}},
    {{{"sent", "spent", TF_FLAW_WRONG_TOTAL}}, {MISMATCH}},
    {{{"sent", "pending", TF_FLAW_ZERO_TOTAL}}, {MISMATCH}}, /* 0 is allowed there, but it has proofs */
    {{{"received", "unspent", TF_FLAW_NO_TOTAL}}, {INVALID}},
    {{{"received", "spent", TF_FLAW_NULL_TOTAL}}, {INVALID}},
    {{{"sent", "pending", TF_FLAW_TEXT_TOTAL}}, {INVALID}},
    {{{"minted", "unspent", TF_FLAW_NAN_TOTAL}}, {INVALID}},
    /* a number that cannot be is not the proofs' sum either */
    {{{"minted", "unspent", TF_FLAW_FRACTION_TOTAL}}, {INVALID, MISMATCH}},
    {{{"change", "unspent", TF_FLAW_ZERO_TOTAL}}, {INVALID, MISMATCH}},
    {{{"received", "unspent", 0}, {"change", "unspent", TF_FLAW_NEGATIVE_TOTAL}}, {INVALID, MISMATCH}},
    {{{"received", "unspent", TF_FLAW_NEGATIVE_TOTAL}}, {INVALID, MISMATCH, NEGATIVE}},
    {{{"sent", "pending", TF_FLAW_NEGATIVE_TOTAL}, {"received", "spent", 0}}, {INVALID, MISMATCH, NEGATIVE}},
    {{{"received", "unspent", TF_FLAW_NO_METADATA}}, {SOURCE}},
    {{{"sent", "spent", TF_FLAW_NO_SOURCE}}, {SOURCE}},
    {{{"received", "spent", TF_FLAW_NO_SPENT_AT}}, {INCONSISTENT}},
    {{{"sent", "spent", TF_FLAW_NULL_SPENT_AT}}, {INCONSISTENT}},
    {{{"received", "unspent", TF_FLAW_SPENT_AT}}, {INCONSISTENT}},
    {{{"sent", "pending", TF_FLAW_SPENT_AT}}, {INCONSISTENT}},
    {{{"minted", "failed", TF_FLAW_SPENT_AT}}, {INCONSISTENT}},
    {{{"received", "unspent", TF_FLAW_ODD_STATUS}}, {INCONSISTENT}},
    {{{"change", "unspent", TF_FLAW_ODD_TYPE}}, {INCONSISTENT}},
    {{{"minted", "unspent", TF_FLAW_ODD_STATUS | TF_FLAW_ODD_TYPE}}, {INCONSISTENT}},
    /* several in one token */
    {{{"melted", "unspent", TF_FLAW_SPENT_AT | TF_FLAW_LOST_WALLET}}, {MELTED, INCONSISTENT, ORPHAN}},
    {{{"received", "unspent", TF_FLAW_NO_WALLET | TF_FLAW_WRONG_TOTAL | TF_FLAW_NO_SOURCE}}, {ORPHAN, MISMATCH, SOURCE}},
};

enum { CASES_COUNT = sizeof CASES / sizeof *CASES };

static int64_t repeats(uint64_t seed, int number)
{
    return 1 + (int64_t)(tf_random_mix(tf_seed_key(seed, TF_SEED_STREAM_FINDING) + (uint64_t)number) % REPEATS);
}

static int64_t tokens_of(const planted *one)
{
    int64_t n = 0;

    while (n < CASE_TOKENS && one->tokens[n].type)
        n++;
    return n;
}

tf_seed_findings tf_seed_findings_make(const tf_seed_plan *ordinary)
{
    tf_seed_findings findings = {.plan = *ordinary, .first_token = ordinary->tokens, .first_user = ordinary->users};

    findings.counts[TF_SEED_MELTED_UNSPENT] = ordinary->defects;
    for (int i = 0; i < CASES_COUNT; i++) {
        const int64_t times = repeats(ordinary->seed, i);
        findings.plan.users += times;
        findings.plan.tokens += times * tokens_of(&CASES[i]);
        for (int check = 0; check < TF_SEED_CHECKS; check++)
            findings.counts[check] += times * CASES[i].counts[check];
    }
    return findings;
}

void tf_seed_planted_token(const tf_seed_findings *findings, int64_t index, bson_t *out, tf_seed_facts *facts)
{
    const tf_seed_plan *plan = &findings->plan;
    int64_t behind = index - findings->first_token, user = findings->first_user;
    int i = 0;

    for (; i < CASES_COUNT - 1; i++) {
        const int64_t times = repeats(plan->seed, i), tokens = times * tokens_of(&CASES[i]);
        if (behind < tokens)
            break;
        behind -= tokens;
        user += times;
    }
    const int64_t which = behind % tokens_of(&CASES[i]);
    const tf_seed_shape shape = {user + behind / tokens_of(&CASES[i]), CASES[i].tokens[which].type, CASES[i].tokens[which].status};
    const tf_seed_shape leader = {shape.user, CASES[i].tokens[0].type, CASES[i].tokens[0].status};
    _cleanup_bson_ bson_t sound = BSON_INITIALIZER, first = BSON_INITIALIZER;
    bson_iter_t iter;
    tf_seed_token_shaped(plan, index, &shape, &sound);
    tf_seed_token_shaped(plan, index - which, &leader, &first);
    tf_seed_flaw_apply(&sound, CASES[i].tokens[which].flaws, tf_seed_first_secret(&first), out);
    if (facts && bson_iter_init_find(&iter, &sound, "total_amount"))
        *facts = (tf_seed_facts){.user = shape.user,
                                 .amount = bson_iter_as_int64(&iter),
                                 .defect = strcmp(shape.type, "melted") == 0 && strcmp(shape.status, "unspent") == 0};
}
