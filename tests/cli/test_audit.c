/* tokenfix audit: every check finds what was planted and nothing else; options, formats, exit status. */
#include "support/audits.h"
#include "support/documents.h"

/* ---- each defect alone ---- */

/* A sound token, changed by an update: what is found in it, by check. */
typedef struct tf_flaw {
    const char *name, *update;
    const char *found; /* checks that report one, separated by blanks */
} tf_flaw;

static const tf_flaw flaws[] = {
    {"none", "[{\"$set\": {\"note\": 1}}]", ""},
    {"melted and unspent", "[{\"$set\": {\"transaction_type\": \"melted\"}}]", "melted_unspent"},
    {"no total", "[{\"$unset\": \"total_amount\"}]", "invalid_amount"},
    {"null total", "[{\"$set\": {\"total_amount\": null}}]", "invalid_amount"},
    {"a text as total", "[{\"$set\": {\"total_amount\": \"8\"}}]", "invalid_amount"},
    {"a list as total", "[{\"$set\": {\"total_amount\": [{\"$numberInt\": \"8\"}]}}]", "invalid_amount"},
    {"a list of fractions as total", "[{\"$set\": {\"total_amount\": [{\"$numberDouble\": \"8.5\"}]}}]", "invalid_amount"},
    {"NaN", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"NaN\"}}}]", "invalid_amount"},
    {"decimal NaN", "[{\"$set\": {\"total_amount\": {\"$numberDecimal\": \"NaN\"}}}]", "invalid_amount"},
    {"infinite", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"Infinity\"}}}]", "invalid_amount amount_mismatch"},
    {"beyond 64 bits", "[{\"$set\": {\"total_amount\": {\"$numberDecimal\": \"1E+40\"}}}]", "invalid_amount amount_mismatch"},
    {"a fraction", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"8.5\"}}}]", "invalid_amount amount_mismatch"},
    {"a decimal fraction", "[{\"$set\": {\"total_amount\": {\"$numberDecimal\": \"8.5\"}}}]", "invalid_amount amount_mismatch"},
    {"whole as double", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"8.0\"}}}]", ""},
    {"whole as decimal", "[{\"$set\": {\"total_amount\": {\"$numberDecimal\": \"8.00\"}}}]", ""},
    {"whole as int64", "[{\"$set\": {\"total_amount\": {\"$numberLong\": \"8\"}}}]", ""},
    {"negative", "[{\"$set\": {\"total_amount\": -8}}]", "invalid_amount amount_mismatch negative_balance"},
    {"negative and 64 bits", "[{\"$set\": {\"total_amount\": {\"$numberLong\": \"-8\"}}}]", "invalid_amount amount_mismatch negative_balance"},
    {"negative and double", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"-8.0\"}}}]", "invalid_amount amount_mismatch negative_balance"},
    {"zero and double", "[{\"$set\": {\"total_amount\": {\"$numberDouble\": \"0.0\"}, \"proofs\": []}}]", "invalid_amount"},
    {"spent at undefined", "[{\"$set\": {\"spent_at\": {\"$undefined\": true}}}]", ""},
    {"zero", "[{\"$set\": {\"total_amount\": 0, \"proofs\": []}}]", "invalid_amount"},
    {"zero and pending", "[{\"$set\": {\"total_amount\": 0, \"proofs\": [], \"status\": \"pending\"}}]", ""},
    {"zero and failed", "[{\"$set\": {\"total_amount\": 0, \"proofs\": [], \"status\": \"failed\"}}]", ""},
    {"another sum", "[{\"$set\": {\"total_amount\": 7}}]", "amount_mismatch"},
    {"no proofs", "[{\"$unset\": \"proofs\"}]", "amount_mismatch"},
    {"proofs that are none", "[{\"$set\": {\"proofs\": \"all\"}}]", "amount_mismatch"},
    {"a secret twice", "[{\"$set\": {\"proofs\": {\"$concatArrays\": [\"$proofs\", \"$proofs\"]}, \"total_amount\": 16}}]", "duplicate_secret"},
    {"proofs without secrets", "[{\"$set\": {\"proofs\": [{\"amount\": 4}, {\"amount\": 4}]}}]", ""},
    {"empty secrets", "[{\"$set\": {\"proofs\": [{\"amount\": 4, \"secret\": \"\"}, {\"amount\": 4, \"secret\": \"\"}]}}]", ""},
    {"no wallet", "[{\"$unset\": \"wallet_id\"}]", "orphaned_token"},
    {"null wallet", "[{\"$set\": {\"wallet_id\": null}}]", "orphaned_token"},
    {"a wallet that is not there", "[{\"$set\": {\"wallet_id\": 99}}]", "orphaned_token"},
    {"a list of wallets", "[{\"$set\": {\"wallet_id\": [{\"$numberInt\": \"1\"}]}}]", "orphaned_token"},
    {"no source", "[{\"$unset\": \"metadata.source\"}]", "missing_source"},
    {"null source", "[{\"$set\": {\"metadata.source\": null}}]", "missing_source"},
    {"empty source", "[{\"$set\": {\"metadata.source\": \"\"}}]", "missing_source"},
    {"no metadata", "[{\"$unset\": \"metadata\"}]", "missing_source"},
    {"metadata that is none", "[{\"$set\": {\"metadata\": 5}}]", "missing_source"},
    {"spent without a time", "[{\"$set\": {\"status\": \"spent\"}}]", "status_inconsistent"},
    {"spent at null", "[{\"$set\": {\"status\": \"spent\", \"spent_at\": null}}]", "status_inconsistent"},
    {"spent at a text", "[{\"$set\": {\"status\": \"spent\", \"spent_at\": \"today\"}}]", "status_inconsistent"},
    {"spent", "[{\"$set\": {\"status\": \"spent\", \"spent_at\": \"$createdAt\"}}]", ""},
    {"a time, but unspent", "[{\"$set\": {\"spent_at\": \"$createdAt\"}}]", "status_inconsistent"},
    {"no status", "[{\"$unset\": \"status\"}]", "status_inconsistent"},
    {"another status", "[{\"$set\": {\"status\": \"lost\"}}]", "status_inconsistent"},
    {"a list of statuses", "[{\"$set\": {\"status\": [\"unspent\"]}}]", "status_inconsistent"},
    {"another type", "[{\"$set\": {\"transaction_type\": \"stolen\"}}]", "status_inconsistent"},
    {"a list of types", "[{\"$set\": {\"transaction_type\": [\"received\"]}}]", "status_inconsistent"},
};

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static void audit__finds_each_defect_alone_and_nothing_else(void **state)
{
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        tf_audits_sound(f, 3);
        tf_audits_update(f, "{\"_id\": 2}", flaws[i].update);
        tf_program *p = tf_program_run(f, "audit", "--json", "--fail-on", "low", NULL);
        for (const char *const *check = tf_audits_checks; *check; check++)
            if (tf_audits_count(p, *check) != has_word(flaws[i].found, *check))
                fail_msg("%s: %s reports %d\n%s", flaws[i].name, *check, (int)tf_audits_count(p, *check), p->out);
        assert_exit(p, *flaws[i].found ? 3 : 0);
        tf_audits_clear(f);
        tf_fixture_forget(f);
    }
}

static void audit__finds_secrets_that_two_tokens_share(void **state)
{
    static const struct {
        const char *mine, *theirs;
        int duplicates, reuses;
    } rows[] = {{"unspent", "unspent", 1, 0}, {"unspent", "pending", 1, 0}, {"pending", "pending", 1, 0}, {"unspent", "spent", 0, 1},
                {"pending", "spent", 0, 1},   {"spent", "spent", 0, 1},     {"unspent", "failed", 0, 0},  {"failed", "failed", 0, 0},
                {"spent", "failed", 0, 0}};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char update[256];
        tf_audits_sound(f, 4);
        snprintf(update, sizeof update, "[{\"$set\": {\"status\": \"%s\", \"spent_at\": {\"$cond\": [%s, \"$createdAt\", null]}}}]", rows[i].mine,
                 strcmp(rows[i].mine, "spent") == 0 ? "true" : "false");
        tf_audits_update(f, "{\"_id\": 1}", update);
        snprintf(update, sizeof update,
                 "[{\"$set\": {\"status\": \"%s\", \"spent_at\": {\"$cond\": [%s, \"$createdAt\", null]},"
                 " \"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t1\"}]}}]",
                 rows[i].theirs, strcmp(rows[i].theirs, "spent") == 0 ? "true" : "false");
        tf_audits_update(f, "{\"_id\": 3}", update);
        tf_program *p = tf_program_run(f, "audit", "--json", NULL);
        if (tf_audits_count(p, "duplicate_secret") != rows[i].duplicates || tf_audits_count(p, "secret_reuse") != rows[i].reuses)
            fail_msg("%s, %s: %s", rows[i].mine, rows[i].theirs, p->out);
        tf_audits_clear(f);
    }
}

/* Such secrets differ where the probe looks; those above are shorter. */
static void audit__finds_long_secrets_among_others(void **state)
{
    tf_fixture *f = *state;
    char update[1024];
    tf_audits_sound(f, 300);
    tf_audits_update(f, "{}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": {\"$concat\": [\"[\\\"P2PK\\\",{\\\"nonce\\\":\\\"000000000\","
                              " {\"$toString\": {\"$multiply\": [\"$_id\", 3331111]}}, \"\\\"}]\"]}}]}}]");
    tf_program *p = tf_program_run(f, "audit", "--json", "--check", "duplicate_secret,secret_reuse", NULL);
    assert_exit(p, 0);
    for (int i = 0; i < 2; i++) {
        snprintf(update, sizeof update, "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"[\\\"P2PK\\\",{\\\"nonce\\\":\\\"000000000%d\\\"}]\"}]}}]",
                 (i + 1) * 3331111);
        tf_audits_update(f, i ? "{\"_id\": 4}" : "{\"_id\": 3}", update);
    }
    tf_audits_update(f, "{\"_id\": 4}", "[{\"$set\": {\"status\": \"spent\", \"spent_at\": \"$createdAt\"}}]");
    p = tf_program_run(f, "audit", "--json", NULL);
    assert_int_equal(tf_audits_count(p, "duplicate_secret"), 1); /* 1 and 3 */
    assert_int_equal(tf_audits_count(p, "secret_reuse"), 1);     /* 2 and 4 */
}

/* What the probe reads of them is given to the server as values: never as expressions, nor as something that must be UTF-8. */
static void audit__finds_secrets_that_are_no_ordinary_text(void **state)
{
    static const char *const secrets[] = {"aaaaaaaaaaaaaaaaaaaaaaaa$status", "aaaaaaaaaaaaaaaaaaaaaaaa$$NOPE", "aaaaaaaaaaaaaaaaaaaaaaaa$",
                                          "aaaaaaaaaaaaaaaaaaaaaaaa{$a}", "\xc3\xa4\xc3\xb6\xc3\xbc" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                          "\xff\xfe" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x80"};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        tf_audits_sound(f, 6);
        for (int n = 7; n <= 8; n++) {
            _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
            BCON_APPEND(&doc, "_id", BCON_INT32(n), "npub", "npub1a", "status", "unspent", "proofs", "[", "{", "secret", BCON_UTF8(secrets[i]), "}", "]");
            assert_true(tf_documents_insert(f, NULL, "cashu_tokens", &doc));
        }
        tf_program *p = tf_program_run(f, "audit", "--json", "--check", "duplicate_secret,secret_reuse", NULL);
        if (tf_audits_count(p, "duplicate_secret") != 1 || p->status != 3)
            fail_msg("%zu: exit %d, %s%s", i, p->status, p->out, p->err);
        assert_int_equal(tf_program_number(p, "data.issues.0.details.0.tokens.0"), 7);
        tf_audits_clear(f);
    }
}

static void audit__shows_secrets_as_short_hashes_with_their_tokens(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 3);
    tf_audits_update(f, "{\"_id\": 3}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t1\"}]}}]");
    static const char *const forms[] = {"json", "table", "junit", "csv"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        tf_program *p = tf_program_run(f, "audit", "--format", forms[i], NULL);
        assert_exit(p, 3);
        assert_has_not(p->out, "s3cr3t");
        assert_has_not(p->err, "s3cr3t");
    }
    tf_program *p = tf_program_run(f, "audit", "--json", "--check", "duplicate_secret", NULL);
    /* printf s3cr3t1 | sha256sum */
    assert_string_equal(tf_program_text(p, "data.issues.0.details.0.secret_hash"), "sha256:d0589a29b123");
    assert_int_equal(tf_program_number(p, "data.issues.0.details.0.tokens.0"), 1);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.0.tokens.1"), 3);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.0.proofs"), 2);
}

/* ---- what it says ---- */

static void audit__of_sound_data_finds_nothing(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 10);
    tf_program *p = tf_program_run(f, "audit", "--fail-on", "low", "--json", NULL);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.isHealthy"));
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 10);
    assert_int_equal(tf_program_number(p, "data.passedChecks"), 9);
    assert_int_equal(tf_program_number(p, "data.skippedChecks"), 1); /* no run, no ledger */
    assert_false(tf_program_has(p, "data.issues.0"));
    p = tf_program_run(f, "audit", NULL);
    assert_has(p->out, "with 10 checks: nothing found, 1 skipped\n");
}

static void audit__has_the_form_that_others_rely_on(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 20);
    tf_audits_update(f, "{\"_id\": {\"$gt\": 5}}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_program *p = tf_program_run(f, "audit", "--json", NULL);
    assert_exit(p, 3);
    assert_false(tf_program_flag(p, "data.isHealthy"));
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 10);
    assert_int_equal(tf_program_number(p, "data.passedChecks"), 8);
    assert_string_equal(tf_program_text(p, "data.issues.0.type"), "melted_unspent");
    assert_string_equal(tf_program_text(p, "data.issues.0.severity"), "high"); /* above 10 */
    assert_int_equal(tf_program_number(p, "data.issues.0.count"), 15);
    assert_int_equal(tf_program_number(p, "data.issues.0.amount"), 120);
    assert_int_equal(strlen(tf_program_text(p, "data.issues.0.id")), 16);
    assert_true(*tf_program_text(p, "data.issues.0.advice"));
    assert_true(tf_program_has(p, "data.issues.0.details.9"));
    assert_false(tf_program_has(p, "data.issues.0.details.10"));
    assert_string_equal(tf_program_text(p, "data.issues.0.details.0.npub"), "npub1b");
    assert_string_equal(tf_program_text(p, "data.checks.0.name"), "melted_unspent");
    assert_string_equal(tf_program_text(p, "data.checks.0.state"), "finding");
}

/* The shape that others rely on: by user, those with the largest amounts first, what several checks say of each put together. */
static void audit__of_the_balances_tells_each_user(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 8); /* odd ones are npub1a's */
    tf_audits_update(f, "{\"_id\": {\"$in\": [1, 3, 2]}}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_audits_update(f, "{\"_id\": {\"$in\": [5, 6]}}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"both\"}]}}]");
    tf_audits_update(f, "{\"_id\": 8}", "[{\"$set\": {\"npub\": \"npub1c\", \"total_amount\": -8}}]");
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.totalUsers"), 3);
    assert_int_equal(tf_program_number(p, "data.checkedUsers"), 3);
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 3);
    assert_int_equal(tf_program_number(p, "data.summary.totalProblematicTokens"), 3);
    assert_int_equal(tf_program_number(p, "data.summary.totalAffectedAmount"), 24);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1a");
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.problematicMeltedTokens"), 2);
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.duplicateSecrets"), 1);
    assert_false(tf_program_flag(p, "data.issues.0.issues.hasNegativeBalance"));
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.total_balance"), 32);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.unspent_balance"), 32);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.pending_balance"), 0);
    assert_int_equal(tf_program_number(p, "data.issues.0.details.balanceBreakdown.spent_balance"), 0);
    assert_string_equal(tf_program_text(p, "data.issues.1.npub"), "npub1b");
    assert_int_equal(tf_program_number(p, "data.issues.1.issues.problematicMeltedTokens"), 1);
    assert_int_equal(tf_program_number(p, "data.issues.1.issues.duplicateSecrets"), 1);
    assert_string_equal(tf_program_text(p, "data.issues.2.npub"), "npub1c");
    assert_true(tf_program_flag(p, "data.issues.2.issues.hasNegativeBalance"));
    assert_int_equal(tf_program_number(p, "data.issues.2.details.balanceBreakdown.total_balance"), -8);
    p = tf_program_run(f, "audit", "--check", "balance", "--limit", "1", "--offset", "1", "--json", NULL);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1b");
    assert_false(tf_program_has(p, "data.issues.1"));
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 3);
    p = tf_program_run(f, "audit", "--check", "balance", "--user", "npub1b", "--json", NULL);
    assert_int_equal(tf_program_number(p, "data.totalUsers"), 3);
    assert_int_equal(tf_program_number(p, "data.checkedUsers"), 1);
    assert_string_equal(tf_program_text(p, "data.issues.0.npub"), "npub1b");
    assert_int_equal(tf_program_number(p, "data.issues.0.issues.duplicateSecrets"), 1);
    assert_false(tf_program_has(p, "data.issues.1"));
    p = tf_program_run(f, "audit", "--check", "balance", NULL);
    assert_has(p->out, "2 melted_unspent, 1 duplicate_secret");
}

static void audit__of_the_balances_of_sound_data_names_nobody(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 4);
    tf_program *p = tf_program_run(f, "audit", "--check", "balance", "--json", NULL);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.totalUsers"), 2);
    assert_int_equal(tf_program_number(p, "data.summary.usersWithIssues"), 0);
    assert_int_equal(tf_program_number(p, "data.summary.totalAffectedAmount"), 0);
    assert_true(tf_program_has(p, "data.issues"));
    assert_false(tf_program_has(p, "data.issues.0"));
}

static void audit__names_a_finding_the_same_every_time(void **state)
{
    tf_fixture *f = *state;
    char first[32], narrowed[32];
    tf_audits_sound(f, 3);
    tf_audits_update(f, "{\"_id\": 2}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    snprintf(first, sizeof first, "%s", tf_program_text(tf_program_run(f, "audit", "--json", NULL), "data.issues.0.id"));
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    assert_string_equal(tf_program_text(tf_program_run(f, "audit", "--json", "--check", "melted_unspent", NULL), "data.issues.0.id"), first);
    snprintf(narrowed, sizeof narrowed, "%s",
             tf_program_text(tf_program_run(f, "audit", "--json", "--user", "npub1b", NULL), "data.issues.0.id"));
    assert_string_not_equal(narrowed, first);
}

static void audit__weighs_by_number(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 12);
    tf_audits_update(f, "{\"_id\": {\"$lte\": 10}}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    assert_string_equal(tf_program_text(tf_program_run(f, "audit", "--json", NULL), "data.issues.0.severity"), "medium");
    tf_audits_update(f, "{\"_id\": 11}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    assert_string_equal(tf_program_text(tf_program_run(f, "audit", "--json", NULL), "data.issues.0.severity"), "high");
}

/* ---- options ---- */

static void audit__fails_on_what_is_as_grave_as_asked(void **state)
{
    static const struct {
        const char *update, *low, *medium, *high; /* exit status */
    } rows[] = {{"[{\"$unset\": \"metadata\"}]", "3", "0", "0"},
                {"[{\"$unset\": \"wallet_id\"}]", "3", "3", "0"},
                {"[{\"$set\": {\"total_amount\": 7}}]", "3", "3", "3"}};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_audits_sound(f, 3);
        tf_audits_update(f, "{\"_id\": 2}", rows[i].update);
        assert_exit(tf_program_run(f, "audit", "--fail-on", "low", NULL), *rows[i].low - '0');
        assert_exit(tf_program_run(f, "audit", NULL), *rows[i].medium - '0');
        assert_exit(tf_program_run(f, "audit", "--fail-on", "medium", NULL), *rows[i].medium - '0');
        assert_exit(tf_program_run(f, "audit", "--fail-on=high", NULL), *rows[i].high - '0');
        tf_audits_clear(f);
    }
}

static void audit__runs_the_checks_asked_for(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 3);
    tf_program *p = tf_program_run(f, "audit", "--json", "--check", "missing_source", NULL);
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 1);
    assert_string_equal(tf_program_text(p, "data.checks.0.name"), "missing_source");
    p = tf_program_run(f, "audit", "--json", "--check", "integrity", NULL);
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 7);
    p = tf_program_run(f, "audit", "--json", "--check", "missing_source,invalid_amount", "--check=orphaned_token", NULL);
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 3);
    p = tf_program_run(f, "audit", "--json", "--check", "integrity", "--check", "missing_source", "--check", "balance", NULL);
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 10);
}

static void audit__offers_the_nearest_check(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_run(f, "audit", "--check", "mising_source", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "there is no check 'mising_source' in 004_fix_melted_token_status");
    assert_has(p->err, "Did you mean 'missing_source'?");
    p = tf_program_run(f, "audit", "--check", "xyzzy", NULL);
    assert_exit(p, 2);
    p = tf_program_run(f, "audit", "--check", "", NULL);
    assert_exit(p, 2);
}

static void audit__refuses_numbers_and_words_that_are_none(void **state)
{
    static const char *const rows[][2] = {{"--limit", "abc"},  {"--limit", "-1"},      {"--limit", "10001"},    {"--limit", ""},
                                          {"--offset", "abc"}, {"--offset", "-1"},     {"--offset", "1e3"},     {"--max-time", "-1"},
                                          {"--max-time", "x"}, {"--format", "yaml"},   {"--fail-on", "none"},   {"--since", "nothing"}};
    tf_fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tf_program *p = tf_program_run(f, "audit", rows[i][0], rows[i][1], NULL);
        if (p->status != 2)
            fail_msg("%s %s: exit %d", rows[i][0], rows[i][1], p->status);
    }
}

static void audit__pages_through_the_issues(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 3);
    tf_audits_update(f, "{\"_id\": 2}", "[{\"$unset\": [\"metadata\", \"wallet_id\", \"total_amount\"]}]");
    tf_program *p = tf_program_run(f, "audit", "--json", "--limit", "1", "--offset", "1", NULL);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.totalIssues"), 3);
    assert_string_equal(tf_program_text(p, "data.issues.0.type"), "invalid_amount");
    assert_false(tf_program_has(p, "data.issues.1"));
    p = tf_program_run(f, "audit", "--json", "--limit", "0", NULL);
    assert_exit(p, 3); /* what is not shown counts */
    assert_false(tf_program_has(p, "data.issues.0"));
    p = tf_program_run(f, "audit", "--json", "--offset", "9223372036854775807", NULL);
    assert_false(tf_program_has(p, "data.issues.0"));
}

static void audit__is_narrowed_to_a_user_and_a_mint(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 6); /* npub1a and npub1b by turns, all of https://mint */
    tf_audits_update(f, "{}", "[{\"$set\": {\"transaction_type\": \"melted\"}}]");
    tf_audits_update(f, "{\"_id\": 1}", "[{\"$set\": {\"mint_url\": \"https://other\"}}]");
    tf_program *p = tf_program_run(f, "audit", "--json", "--user", "npub1a", NULL);
    assert_int_equal(tf_audits_count(p, "melted_unspent"), 3);
    p = tf_program_run(f, "audit", "--json", "--mint", "https://other", NULL);
    assert_int_equal(tf_audits_count(p, "melted_unspent"), 1);
    assert_string_equal(tf_program_text(p, "data.narrowedTo.mint"), "https://other");
    p = tf_program_run(f, "audit", "--json", "--user", "npub1b", "--mint", "https://other", NULL);
    assert_exit(p, 0);
    assert_has(p->err, "no token belongs to what was asked for: check --user and");
    p = tf_program_run(f, "audit", "--json", "--user", "nobody", NULL);
    assert_exit(p, 0);
    assert_has(p->err, "no token belongs to what was asked for: check --user"); /* a typing error must not pass for a sound account */
    p = tf_program_run(f, "audit", "--json", "--mint", "https://mint", NULL);
    assert_has_not(p->err, "belongs");
}

static void audit__of_a_user_sees_secrets_that_stand_in_anothers_token_too(void **state)
{
    tf_fixture *f = *state;
    tf_audits_sound(f, 4);
    tf_audits_update(f, "{\"_id\": 2}", "[{\"$set\": {\"proofs\": [{\"amount\": 8, \"secret\": \"s3cr3t1\"}]}}]"); /* of npub1a */
    assert_int_equal(tf_audits_count(tf_program_run(f, "audit", "--json", "--user", "npub1a", NULL), "duplicate_secret"), 1);
    assert_int_equal(tf_audits_count(tf_program_run(f, "audit", "--json", "--user", "npub1b", NULL), "duplicate_secret"), 1);
    assert_int_equal(tf_audits_count(tf_program_run(f, "audit", "--json", "--user", "npub1c", NULL), "duplicate_secret"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(audit__finds_each_defect_alone_and_nothing_else),
        TF_FIXTURE_TEST(audit__finds_secrets_that_two_tokens_share),
        TF_FIXTURE_TEST(audit__finds_long_secrets_among_others),
        TF_FIXTURE_TEST(audit__finds_secrets_that_are_no_ordinary_text),
        TF_FIXTURE_TEST(audit__shows_secrets_as_short_hashes_with_their_tokens),
        TF_FIXTURE_TEST(audit__of_sound_data_finds_nothing),
        TF_FIXTURE_TEST(audit__has_the_form_that_others_rely_on),
        TF_FIXTURE_TEST(audit__of_the_balances_tells_each_user),
        TF_FIXTURE_TEST(audit__of_the_balances_of_sound_data_names_nobody),
        TF_FIXTURE_TEST(audit__names_a_finding_the_same_every_time),
        TF_FIXTURE_TEST(audit__weighs_by_number),
        TF_FIXTURE_TEST(audit__fails_on_what_is_as_grave_as_asked),
        TF_FIXTURE_TEST(audit__runs_the_checks_asked_for),
        TF_FIXTURE_TEST(audit__offers_the_nearest_check),
        TF_FIXTURE_TEST(audit__refuses_numbers_and_words_that_are_none),
        TF_FIXTURE_TEST(audit__pages_through_the_issues),
        TF_FIXTURE_TEST(audit__is_narrowed_to_a_user_and_a_mint),
        TF_FIXTURE_TEST(audit__of_a_user_sees_secrets_that_stand_in_anothers_token_too),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
