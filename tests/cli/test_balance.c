/* tokenfix balance: what a user has, exactly, by an index. */
#include "support/tokens.h"

/* One token: its amount and what else it has. */
static void token(tf_fixture *f, const char *npub, const char *mint, const char *status, const char *amount)
{
    char json[512];
    snprintf(json, sizeof json, "{\"npub\": \"%s\", \"mint_url\": \"%s\", \"status\": \"%s\", \"total_amount\": %s}", npub, mint, status, amount);
    tf_fixture_insert(f, "cashu_tokens", json);
}

/* Two mints, every status, int32, int64, double and Decimal128. */
static void sample(tf_fixture *f)
{
    token(f, "npub1anna", "https://a", "unspent", "100");
    token(f, "npub1anna", "https://a", "unspent", "{\"$numberLong\": \"5000000000\"}");
    token(f, "npub1anna", "https://b", "unspent", "7.0");
    token(f, "npub1anna", "https://a", "pending", "20");
    token(f, "npub1anna", "https://b", "pending", "{\"$numberDecimal\": \"3E1\"}");
    token(f, "npub1anna", "https://a", "spent", "400");
    token(f, "npub1anna", "https://b", "failed", "99999");
    token(f, "npub1bert", "https://a", "unspent", "1");
}

static tf_program *as_reader(tf_fixture *f, const char *const *argv)
{
    if (!f->logins)
        tf_fixture_login(f, "reader", NULL, NULL);
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .uri = f->login[0]});
}

#define READER(f, ...) as_reader(f, (const char *const[]){__VA_ARGS__, NULL})

static void balance__has_the_four_sums_and_the_counts(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *p = READER(f, "balance", "npub1anna", "--json");
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "success"));
    assert_string_equal(tf_program_text(p, "data.npub"), "npub1anna");
    assert_int_equal(tf_program_number(p, "data.total_balance"), 5000000157);
    assert_int_equal(tf_program_number(p, "data.unspent_balance"), 5000000107);
    assert_int_equal(tf_program_number(p, "data.pending_balance"), 50);
    assert_int_equal(tf_program_number(p, "data.spent_balance"), 400);
    assert_int_equal(tf_program_number(p, "data.token_counts.unspent"), 3);
    assert_int_equal(tf_program_number(p, "data.token_counts.pending"), 2);
    assert_int_equal(tf_program_number(p, "data.token_counts.spent"), 1);
    assert_int_equal(tf_program_number(p, "data.token_counts.failed"), 1);
    assert_int_equal(tf_program_number(p, "data.total_tokens"), 7);
    assert_int_equal(tf_program_number(p, "data.odd_amounts"), 0);
    assert_int_equal(tf_program_number(p, "data.other_statuses"), 0);
    assert_string_equal(tf_program_text(p, "data.unit"), "sat");
    assert_int_equal(tf_program_number(p, "data.scale"), 0);
    assert_false(tf_program_has(p, "data.failed_balance"));
}

static void balance__of_one_mint_leaves_out_the_others(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *p = READER(f, "balance", "npub1anna", "--mint", "https://b", "--json");
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.mint_url"), "https://b");
    assert_int_equal(tf_program_number(p, "data.total_balance"), 37);
    assert_int_equal(tf_program_number(p, "data.unspent_balance"), 7);
    assert_int_equal(tf_program_number(p, "data.pending_balance"), 30);
    assert_int_equal(tf_program_number(p, "data.spent_balance"), 0);
    assert_int_equal(tf_program_number(p, "data.token_counts.failed"), 1);
    assert_int_equal(tf_program_number(p, "data.total_tokens"), 3);
    p = READER(f, "balance", "npub1anna", "--mint", "https://c", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_tokens"), 0);
}

static void assert_zeros(const tf_program *p)
{
    static const char *const zeros[] = {"total_balance", "unspent_balance", "pending_balance", "spent_balance", "token_counts.unspent",
                                        "token_counts.pending", "token_counts.spent", "token_counts.failed", "total_tokens"};
    assert_exit(p, 0);
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        char path[64];
        snprintf(path, sizeof path, "data.%s", zeros[i]);
        assert_int_equal(tf_program_number(p, path), 0);
    }
}

/* Looked up as given: neither a form that an npub has, nor the server's operators and paths, mean anything. */
static void balance__of_an_unknown_user_is_zero(void **state)
{
    tf_fixture *f = *state;
    static const char *const unknown[] = {"npub1nobody", "anna", "", "NPUB1ANNA", "npub1ann", "$npub", "$$ROOT", "{\"$gt\": \"\"}",
                                          "npub1anna ", "npub1\xc3\xa4", "npub1\xff\xfe"};
    assert_zeros(READER(f, "balance", "npub1anna", "--json")); /* there is no collection either */
    sample(f);
    tf_fixture_insert(f, "cashu_tokens", "[{\"npub\": 7, \"status\": \"unspent\", \"total_amount\": 1}, {\"npub\": [\"npub1list\"], \"status\": \"unspent\","
                                         " \"total_amount\": 1}]");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_zeros(READER(f, "balance", unknown[i], "--json"));
    assert_zeros(READER(f, "balance", "npub1list", "--json"));
    tf_program *p = READER(f, "balance", "npub1nobody");
    assert_exit(p, 0);
    assert_has(p->out, "no token in ");
}

static void balance__counts_odd_amounts_as_nothing_and_tells_them(void **state)
{
    tf_fixture *f = *state;
    static const char *const odd[] = {"\"ten\"", "null", "1.5", "{\"$numberDouble\": \"NaN\"}", "{\"$numberDouble\": \"Infinity\"}",
                                      "{\"$numberDecimal\": \"0.1\"}", "[10]", "{\"$numberDecimal\": \"1E30\"}", "1e300"};
    sample(f);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        token(f, "npub1anna", "https://a", "unspent", odd[i]);
    tf_fixture_insert(f, "cashu_tokens", "{\"npub\": \"npub1anna\", \"status\": \"spent\"}");
    tf_program *p = READER(f, "balance", "npub1anna", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_balance"), 5000000157);
    assert_int_equal(tf_program_number(p, "data.spent_balance"), 400);
    assert_int_equal(tf_program_number(p, "data.odd_amounts"), 10);
    assert_int_equal(tf_program_number(p, "data.token_counts.unspent"), 12);
    assert_int_equal(tf_program_number(p, "data.total_tokens"), 17);
    assert_has(READER(f, "balance", "npub1anna")->out, "10 tokens whose amount cannot be counted");
}

static void balance__counts_tokens_of_an_unknown_status_apart(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_fixture_insert(f, "cashu_tokens",
                      "[{\"npub\": \"npub1bert\", \"status\": \"lost\", \"total_amount\": 5}, {\"npub\": \"npub1bert\", \"total_amount\": 6},"
                      " {\"npub\": \"npub1bert\", \"status\": null, \"total_amount\": 6}, {\"npub\": \"npub1bert\", \"status\": [\"unspent\"], \"total_amount\": 6}]");
    tf_program *p = READER(f, "balance", "npub1bert", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_balance"), 1);
    assert_int_equal(tf_program_number(p, "data.token_counts.unspent"), 1);
    assert_int_equal(tf_program_number(p, "data.total_tokens"), 5);
    assert_int_equal(tf_program_number(p, "data.other_statuses"), 4);
    assert_has(READER(f, "balance", "npub1bert")->out, "4 tokens of a status that is none of those below");
}

/* The largest number that 64 bits hold is told to its last digit; one more is an error, in one status or over two. */
static void balance__is_exact_to_64_bits_and_says_when_they_do_not_do(void **state)
{
    tf_fixture *f = *state;
    token(f, "npub1rich", "https://a", "unspent", "{\"$numberLong\": \"9223372036854775806\"}");
    token(f, "npub1rich", "https://a", "unspent", "1");
    token(f, "npub1rich", "https://a", "failed", "{\"$numberLong\": \"9223372036854775807\"}");
    token(f, "npub1rich", "https://a", "failed", "{\"$numberLong\": \"9223372036854775807\"}");
    token(f, "npub1debt", "https://a", "spent", "-9007199254740993.0");
    token(f, "npub1debt", "https://a", "spent", "{\"$numberLong\": \"-9007199254740993\"}");
    tf_program *p = READER(f, "balance", "npub1rich", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_balance"), INT64_MAX);
    assert_int_equal(tf_program_number(p, "data.token_counts.failed"), 2);
    p = READER(f, "balance", "npub1debt", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.spent_balance"), -9007199254740992 - 9007199254740993);
    token(f, "npub1rich", "https://a", "pending", "1");
    p = READER(f, "balance", "npub1rich", "--json");
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.message"), "a sum of amounts does not fit into 64 bits");
    token(f, "npub1rich", "https://a", "unspent", "1");
    assert_exit(READER(f, "balance", "npub1rich"), 1);
}

/* ---- by an index ---- */

/* The newest aggregation on the tokens, as the server's profiler has it: its plan, and the documents it looked at. */
static void profiled(tf_fixture *f, char *plan, size_t size, int64_t *examined)
{
    bson_iter_t iter, at;
    _cleanup_(bson_destroyp) bson_t *reply =
        tf_fixture_command(f, "{\"find\": \"system.profile\", \"filter\": {\"command.aggregate\": \"cashu_tokens\"}, \"sort\": {\"ts\": -1}, \"limit\": 1}");
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.planSummary", &at));
    snprintf(plan, size, "%s", bson_iter_utf8(&at, NULL));
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "cursor.firstBatch.0.docsExamined", &at));
    *examined = bson_iter_as_int64(&at);
}

static void balance__looks_at_no_other_users_tokens(void **state)
{
    tf_fixture *f = *state;
    static const char *const indexes[] = {
        "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"npub\": 1, \"status\": 1}, \"name\": \"a\"},"
        " {\"key\": {\"npub\": 1, \"transaction_type\": 1}, \"name\": \"b\"}, {\"key\": {\"npub\": 1, \"created_at\": -1}, \"name\": \"c\"},"
        " {\"key\": {\"mint_url\": 1, \"status\": 1}, \"name\": \"d\"}]}",
        "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"npub\": 1, \"mint_url\": 1, \"status\": 1}, \"name\": \"e\"},"
        " {\"key\": {\"npub\": 1, \"transaction_type\": 1, \"status\": 1}, \"name\": \"f\"}]}"};
    tf_tokens_insert(f, 1, 400, "npub1anna", "unspent");
    tf_tokens_insert(f, 1001, 30, "npub1bert", "spent");
    for (size_t i = 0; i < 2; i++) { /* the 8 indexes of the application's model; the 12 of production */
        bson_destroy(tf_fixture_command(f, indexes[i]));
        for (int with_mint = 0; with_mint < 2; with_mint++) {
            char plan[512];
            int64_t examined = -1;
            bson_destroy(tf_fixture_command(f, "{\"profile\": 2}"));
            tf_program *p = with_mint ? READER(f, "balance", "npub1bert", "--json", "--mint", "https://mint")
                                      : READER(f, "balance", "npub1bert", "--json");
            bson_destroy(tf_fixture_command(f, "{\"profile\": 0}"));
            assert_exit(p, 0);
            assert_int_equal(tf_program_number(p, "data.spent_balance"), 300);
            profiled(f, plan, sizeof plan, &examined);
            if (strncmp(plan, "IXSCAN { npub: 1", 16) != 0)
                fail_msg("%s", plan);
            assert_int_equal(examined, 30);
        }
    }
}

/* ---- another ledger ---- */

static tf_program *with_test_registry(tf_fixture *f, const char *const *argv)
{
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .test_registry = true});
}

#define OTHER(f, ...) with_test_registry(f, (const char *const[]){__VA_ARGS__, NULL})

static void balance__of_another_ledger_takes_its_names_from_there(void **state)
{
    tf_fixture *f = *state;
    tf_fixture_insert(f, "invoices",
                      "[{\"customer\": {\"id\": \"c1\"}, \"payment\": {\"total\": {\"$numberDecimal\": \"10.50\"}, \"state\": \"open\"}},"
                      " {\"customer\": {\"id\": \"c1\"}, \"payment\": {\"total\": 12.34, \"state\": \"open\"}},"
                      " {\"customer\": {\"id\": \"c1\"}, \"payment\": {\"total\": {\"$numberDecimal\": \"0.001\"}, \"state\": \"open\"}},"
                      " {\"customer\": {\"id\": \"c1\"}, \"payment\": {\"total\": 5, \"state\": \"paid\"}},"
                      " {\"customer\": {\"id\": \"c2\"}, \"payment\": {\"total\": 1, \"state\": \"open\"}}]");
    tf_program *p = OTHER(f, "balance", "c1", "101", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_balance"), 1050 + 1234 + 500);
    assert_int_equal(tf_program_number(p, "data.open_balance"), 1050 + 1234);
    assert_int_equal(tf_program_number(p, "data.paid_balance"), 500);
    assert_int_equal(tf_program_number(p, "data.invoice_counts.open"), 3);
    assert_int_equal(tf_program_number(p, "data.invoice_counts.paid"), 1);
    assert_int_equal(tf_program_number(p, "data.total_invoices"), 4);
    assert_int_equal(tf_program_number(p, "data.odd_amounts"), 1);
    assert_string_equal(tf_program_text(p, "data.unit"), "EUR");
    assert_int_equal(tf_program_number(p, "data.scale"), 2);
    p = OTHER(f, "balance", "c1", "101");
    assert_exit(p, 0);
    assert_has(p->out, "27.84 EUR");
    assert_has(p->out, "22.84");
    p = OTHER(f, "balance", "nobody", "101", "--json");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.total_balance"), 0);
}

static void balance__without_what_the_question_needs_is_a_usage_error(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = OTHER(f, "balance", "c1", "101", "--mint", "https://a");
    assert_exit(p, 2);
    assert_has(p->err, "--mint means nothing to 101_settle_invoices");
    p = OTHER(f, "balance", "c1", "102");
    assert_exit(p, 2);
    assert_has(p->err, "102_stamp_currency has no ledger");
    p = tf_program_run(f, "balance", NULL);
    assert_exit(p, 2);
    p = tf_program_run(f, "balance", "a", "004", "b", NULL);
    assert_exit(p, 2);
    p = tf_program_run(f, "balance", "a", "--mint", NULL);
    assert_exit(p, 2);
    p = tf_program_run(f, "balance", "a", "005", NULL);
    assert_exit(p, 2);
    assert_has(p->err, "hint: ");
}

/* ---- for people ---- */

static void balance__is_printed_for_people(void **state)
{
    tf_fixture *f = *state;
    sample(f);
    tf_program *p = READER(f, "balance", "npub1anna", "--mint", "https://a");
    assert_exit(p, 0);
    assert_has(p->out, "npub      npub1anna\n");
    assert_has(p->out, "mint_url  https://a\n");
    assert_has(p->out, "balance   5,000,000,120 sat\n");
    assert_has(p->out, "of        4 tokens in ");
    assert_has(p->out, "\nstatus   tokens    amount, sat\nunspent       2  5,000,000,100\npending       1             20\n"
                       "spent         1            400\nfailed        0    not counted\n");
    assert_string_equal(p->err, "");
}

/* What cannot be cut, a name, stands on a line with its label alone. */
static bool is_one_word(const char *line, size_t length)
{
    size_t label = strcspn(line, " "), at = label + strspn(line + label, " ");
    return strcspn(line + at, " \n") == length - at;
}

static void balance__fits_terminals_of_40_80_and_200_columns(void **state)
{
    tf_fixture *f = *state;
    static const char *const widths[] = {"40", "80", "200"};
    static const char user[] = "npub1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
    token(f, user, "https://mint.example.org/a/path/that/is/rather/long/for/a/terminal/of/forty/columns", "unspent", "{\"$numberLong\": \"2100000000000000\"}");
    for (size_t i = 0; i < 3; i++) {
        char variable[32];
        snprintf(variable, sizeof variable, "COLUMNS=%s", widths[i]);
        const tf_program *p = tf_program_exec(
            f, &(tf_program_options){.argv = (const char *[]){"balance", user, "--mint",
                                     "https://mint.example.org/a/path/that/is/rather/long/for/a/terminal/of/forty/columns", NULL},
                                     .env = (const char *[]){variable, NULL}});
        assert_exit(p, 0);
        assert_has(p->out, "2,100,000,000,000,000");
        for (const char *line = p->out; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= (size_t)atoi(widths[i]) || is_one_word(line, strcspn(line, "\n")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(balance__has_the_four_sums_and_the_counts),
        TF_FIXTURE_TEST(balance__of_one_mint_leaves_out_the_others),
        TF_FIXTURE_TEST(balance__of_an_unknown_user_is_zero),
        TF_FIXTURE_TEST(balance__counts_odd_amounts_as_nothing_and_tells_them),
        TF_FIXTURE_TEST(balance__counts_tokens_of_an_unknown_status_apart),
        TF_FIXTURE_TEST(balance__is_exact_to_64_bits_and_says_when_they_do_not_do),
        TF_FIXTURE_TEST(balance__looks_at_no_other_users_tokens),
        TF_FIXTURE_TEST(balance__of_another_ledger_takes_its_names_from_there),
        TF_FIXTURE_TEST(balance__without_what_the_question_needs_is_a_usage_error),
        TF_FIXTURE_TEST(balance__is_printed_for_people),
        TF_FIXTURE_TEST(balance__fits_terminals_of_40_80_and_200_columns),
    };
    return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}
