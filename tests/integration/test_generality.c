/* The engine knows nothing of tokens: a repair of another shape, and migrations that depend on each other. */
#include "support/fixture.h"

enum { INVOICES = 1500, EVERY = 3 };

/* Every third invoice is wrong. Amounts of all kinds; the last of each five cannot be counted. */
static const struct {
    const char *json;
    int64_t cents;
} totals[] = {{"{\"$numberDecimal\": \"10.50\"}", 1050},
              {"12.34", 1234},
              {"5", 500},
              {"{\"$numberDecimal\": \"1E-2\"}", 1},
              {"\"a lot\"", 0}};

static void insert_invoices(tf_fixture *f, int64_t *wrong, int64_t *cents)
{
    enum { CHUNK = 100, LENGTH = 320 };
    *wrong = *cents = 0;
    for (int from = 0; from < INVOICES; from += CHUNK) {
        char json[CHUNK * LENGTH] = "[";
        for (int i = from; i < from + CHUNK; i++) {
            char one[LENGTH], customer[80];
            bool settled = i % EVERY == 0;
            if (i % 140 == 0)
                snprintf(customer, sizeof customer, "{\"name\": \"nobody\"}"); /* not the same as null, for the ledger */
            else
                snprintf(customer, sizeof customer, i % 140 == 70 ? "{\"id\": null}" : "{\"id\": %d, \"name\": \"c\"}", i % 70);
            snprintf(one, sizeof one,
                     "%s{\"_id\": \"inv-%05d\", \"customer\": %s, \"reminder\": %s, "
                     "\"payment\": {\"total\": %s, \"state\": \"open\", \"settled\": %s}, \"lines\": [1, {\"a.b\": null}]}",
                     i == from ? "" : ", ", i, customer, i % 2 ? "true" : "null", totals[i % 5].json, settled ? "true" : "false");
            strncat(json, one, sizeof json - strlen(json) - 2);
            *wrong += settled;
            *cents += settled ? totals[i % 5].cents : 0;
        }
        strncat(json, "]", sizeof json - strlen(json) - 1);
        tf_fixture_insert(f, "invoices", json);
    }
}

static tf_program *run(tf_fixture *f, const char *const *argv)
{
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .test_registry = true});
}

#define RUN(f, ...) run(f, (const char *const[]){__VA_ARGS__, NULL})

static void hash_of(tf_fixture *f, char *into, size_t size)
{
    _cleanup_(bson_destroyp) bson_t *reply = tf_fixture_command(f, "{\"dbHash\": 1, \"collections\": [\"invoices\"]}");
    bson_iter_t iter, at;
    assert_true(bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "collections.invoices", &at));
    snprintf(into, size, "%s", bson_iter_utf8(&at, NULL));
}

static void repairs_another_shape(tf_fixture *f, const char *strategy)
{
    int64_t wrong, cents;
    char before[64], repaired[64], after[64];
    tf_fixture_least(f, "invoices", NULL);
    insert_invoices(f, &wrong, &cents);
    hash_of(f, before, sizeof before);
    tf_program *p = RUN(f, "preview", "101", "--json");
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.stats.tokensToMigrate"), wrong);
    assert_int_equal(tf_program_number(p, "data.stats.totalAmountAffected"), cents);
    p = RUN(f, "up", "101", "--confirm", "--yes", "--json", "--batch-size", "60", "--strategy", strategy);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.affectedTokens"), wrong);
    assert_int_equal(tf_program_number(p, "data.totalAmount"), cents);
    assert_int_equal(tf_program_number(p, "data.verification.equal"), wrong);
    assert_int_equal(tf_fixture_count(f, NULL, "invoices", "{\"payment.state\": \"paid\"}"), wrong);
    assert_int_equal(tf_fixture_count(f, NULL, "invoices", "{\"payment.state\": \"paid\", \"reminder\": {\"$exists\": true}}"), 0);
    hash_of(f, repaired, sizeof repaired);
    assert_string_not_equal(before, repaired);
    p = RUN(f, "verify", "101", "--json");
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.ledger.users"), 71);
    p = RUN(f, "down", "101", "--confirm", "--yes", "--json", "--strategy", strategy);
    assert_int_equal(p->status, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), wrong);
    hash_of(f, after, sizeof after);
    assert_string_equal(before, after);
    p = RUN(f, "down", tf_program_text(p, "data.run"), "--confirm", "--yes", "--json", "--strategy", strategy);
    assert_int_equal(p->status, 0);
    hash_of(f, after, sizeof after);
    assert_string_equal(repaired, after);
}

static void repair__of_another_shape_goes_up_and_down_in_transactions(void **state)
{
    repairs_another_shape(*state, "transaction");
}

static void repair__of_another_shape_goes_up_and_down_by_journal(void **state)
{
    repairs_another_shape(*state, "journal");
}

static const char *state_in_plan(tf_program *plan, const char *migration)
{
    static char state[64];
    bson_iter_t iter, list, row, field;
    assert_true(bson_iter_init(&iter, plan->json) && bson_iter_find_descendant(&iter, "data.migrations", &list));
    assert_true(bson_iter_recurse(&list, &row));
    while (bson_iter_next(&row)) {
        assert_true(bson_iter_recurse(&row, &field) && bson_iter_find(&field, "name"));
        if (strcmp(bson_iter_utf8(&field, NULL), migration) != 0)
            continue;
        assert_true(bson_iter_recurse(&row, &field) && bson_iter_find(&field, "state"));
        snprintf(state, sizeof state, "%s", bson_iter_utf8(&field, NULL));
        return state;
    }
    fail_msg("%s is not in the plan", migration);
    return NULL;
}

static void dependencies__are_applied_in_order_or_refused(void **state)
{
    tf_fixture *f = *state;
    int64_t wrong, cents;
    insert_invoices(f, &wrong, &cents);
    tf_program *p = RUN(f, "up", "103", "--confirm", "--yes", "--json");
    assert_int_equal(p->status, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "DEPENDENCY");
    assert_int_equal(tf_fixture_count(f, f->state_db, "runs", "{}"), 0);
    assert_int_equal(RUN(f, "up", "101", "--confirm", "--yes", "--json")->status, 0);
    assert_int_equal(RUN(f, "up", "103", "--confirm", "--yes", "--json")->status, 1);
    assert_int_equal(RUN(f, "up", "102", "--confirm", "--yes", "--json")->status, 0);
    p = RUN(f, "plan", "--check", "--json");
    assert_int_equal(p->status, 3);
    assert_string_equal(state_in_plan(p, "102_stamp_currency"), "applied");
    assert_string_equal(state_in_plan(p, "103_stamp_version"), "pending");
    assert_int_equal(RUN(f, "up", "103", "--confirm", "--yes", "--json")->status, 0);
    p = RUN(f, "plan", "--json");
    assert_string_equal(state_in_plan(p, "103_stamp_version"), "applied");
    assert_int_equal(tf_fixture_count(f, NULL, "invoices", "{\"currency\": \"EUR\", \"version\": 1}"), INVOICES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(repair__of_another_shape_goes_up_and_down_in_transactions),
        TF_FIXTURE_TEST(repair__of_another_shape_goes_up_and_down_by_journal),
        TF_FIXTURE_TEST(dependencies__are_applied_in_order_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
