/* Checks are data: another descriptor's, of which the program knows nothing. */
#include "support/audits.h"

static tf_program *audit(tf_fixture *f, const char *option, const char *value)
{
    return tf_program_exec(f, &(tf_program_options){.argv = (const char *const[]){"audit", "104", "--json", option, value, NULL},
                                                    .test_registry = true});
}

static void insert_sound(tf_fixture *f)
{
    tf_fixture_insert(f, "depots", "[{\"_id\": \"north\", \"parcels\": 3}, {\"_id\": \"south\", \"parcels\": 4}]");
    tf_fixture_insert(f, "parcels",
                      "[{\"_id\": 1, \"sender\": {\"name\": \"ann\"}, \"carrier\": \"post\", \"value\": {\"$numberDecimal\": \"5.50\"}, \"kg\": 1,"
                      "  \"state\": \"sent\", \"label\": \"L1\", \"depot\": \"north\"},"
                      " {\"_id\": 2, \"sender\": {\"name\": \"bob\"}, \"carrier\": \"post\", \"value\": {\"$numberDecimal\": \"4.25\"}, \"kg\": 2,"
                      "  \"state\": \"sent\", \"label\": \"L2\", \"depot\": \"south\"},"
                      " {\"_id\": 3, \"sender\": {\"name\": \"ann\"}, \"carrier\": \"van\", \"value\": 6, \"kg\": 3,"
                      "  \"state\": \"sent\", \"label\": \"L3\", \"depot\": \"south\"}]");
}

static void change(tf_fixture *f, const char *collection, const char *query, const char *update)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"update\": \"%s\", \"updates\": [{\"q\": %s, \"u\": %s, \"multi\": true}]}", collection, query, update);
    bson_destroy(tf_fixture_command(f, json));
}

static void checks__of_another_descriptor_pass_on_sound_data(void **state)
{
    tf_fixture *f = *state;
    insert_sound(f);
    tf_program *p = audit(f, "--fail-on", "low");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.totalChecks"), 5);
    assert_int_equal(tf_program_number(p, "data.passedChecks"), 5);
}

static void checks__of_another_descriptor_find_their_own(void **state)
{
    tf_fixture *f = *state;
    insert_sound(f);
    change(f, "parcels", "{\"_id\": 1}", "{\"$set\": {\"state\": \"handed over\"}}");
    change(f, "parcels", "{\"_id\": 2}", "{\"$set\": {\"kg\": 31}}");
    change(f, "parcels", "{\"_id\": 3}", "{\"$set\": {\"label\": \"L1\", \"depot\": \"west\"}}");
    change(f, "depots", "{\"_id\": \"south\"}", "{\"$set\": {\"parcels\": 101}}");
    tf_program *p = audit(f, "--fail-on", "low");
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.passedChecks"), 0);
    assert_string_equal(tf_program_text(p, "data.issues.0.type"), "unsigned_parcel");
    assert_string_equal(tf_program_text(p, "data.issues.0.severity"), "low");
    assert_int_equal(tf_program_number(p, "data.issues.0.amount"), 550);
    assert_string_equal(tf_program_text(p, "data.issues.0.details.0.sender.name"), "ann");
    assert_int_equal(tf_program_number(p, "data.issues.1.details.0.kg"), 31);
    assert_string_equal(tf_program_text(p, "data.issues.2.counts"), "label");
    assert_int_equal(tf_program_number(p, "data.issues.2.count"), 1);
    assert_int_equal(strlen(tf_program_text(p, "data.issues.2.details.0.label_hash")), strlen("sha256:") + 12);
    assert_string_equal(tf_program_text(p, "data.issues.3.details.0.depot"), "west");
    assert_int_equal(tf_program_number(p, "data.issues.3.count"), 1);
    assert_string_equal(tf_program_text(p, "data.issues.4.details.0._id"), "south");
    /* 1,000 euro cents are much to this descriptor */
    change(f, "parcels", "{\"_id\": 1}", "{\"$set\": {\"value\": 10.01}}");
    p = audit(f, "--check", "unsigned_parcel");
    assert_string_equal(tf_program_text(p, "data.issues.0.severity"), "high");
}

static void checks__of_another_descriptor_are_narrowed_by_their_ledger(void **state)
{
    tf_fixture *f = *state;
    insert_sound(f);
    change(f, "parcels", "{}", "{\"$set\": {\"kg\": 31}}");
    assert_int_equal(tf_audits_count(audit(f, "--user", "ann"), "heavy_parcel"), 2);
    assert_int_equal(tf_audits_count(audit(f, "--mint", "van"), "heavy_parcel"), 1);
    assert_int_equal(tf_audits_count(audit(f, "--check", "weight"), "heavy_parcel"), 3);
}

static void checks__are_skipped_where_what_they_need_is_not_there(void **state)
{
    tf_fixture *f = *state;
    insert_sound(f);
    bson_destroy(tf_fixture_command(f, "{\"drop\": \"depots\"}"));
    tf_program *p = audit(f, "--check", "unknown_depot");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.skippedChecks"), 1);
    assert_string_equal(tf_program_text(p, "data.checks.0.reason"), "collection depots is not there");
}

static void checks__that_are_not_there_are_said_to_be_so(void **state)
{
    tf_fixture *f = *state;
    tf_program *p = tf_program_exec(f, &(tf_program_options){.argv = (const char *const[]){"audit", "101", NULL}, .test_registry = true});
    assert_exit(p, 1);
    assert_has(p->err, "migration 101_settle_invoices has no checks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(checks__of_another_descriptor_pass_on_sound_data),
        TF_FIXTURE_TEST(checks__of_another_descriptor_find_their_own),
        TF_FIXTURE_TEST(checks__of_another_descriptor_are_narrowed_by_their_ledger),
        TF_FIXTURE_TEST(checks__are_skipped_where_what_they_need_is_not_there),
        TF_FIXTURE_TEST(checks__that_are_not_there_are_said_to_be_so),
    };
    return cmocka_run_group_tests_name("audit_data", tests, NULL, NULL);
}
