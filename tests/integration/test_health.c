/* The system's health as scheduled rounds see it. */
#include "support/tokens.h"

#include "check/health.h"
#include "db/client.h"

#include <tokenfix/migration.h>

static const tf_index indexes[] = {
    {"things", "{\"a\": 1, \"b\": 1}"}, {"things", "{\"c\": 1}"}, {"others", "{\"d\": 1}"}, {NULL, NULL}};
static const tf_health_limits usual = {.lag_ms = 10000, .round_trip_ms = 5000};

static void read_as(tf_fixture *f, const char *uri, const tf_health_limits *limits, tf_health *out)
{
    tf_error err = {0};
    _cleanup_(mongoc_uri_destroyp) mongoc_uri_t *parsed = mongoc_uri_new(uri);
    tf_client client = {0};
    if (!tf_client_open(parsed, f->db, f->state_db, 5000, 0, &client, &err))
        fail_msg("%s %s", err.message, err.detail);
    tf_health_read(client.client, f->db, indexes, limits, out);
    tf_client_close(&client);
}

static void make_indexes(tf_fixture *f, const char *keys)
{
    char json[512];
    snprintf(json, sizeof json, "{\"createIndexes\": \"things\", \"indexes\": [%s]}", keys);
    bson_destroy(tf_fixture_command(f, json));
}

static void health__of_a_sound_system_is_good(void **state)
{
    tf_fixture *f = *state;
    tf_health health;
    make_indexes(f, "{\"name\": \"1\", \"key\": {\"a\": -1, \"b\": 1, \"x\": 1}}, {\"name\": \"2\", \"key\": {\"c\": 1}}");
    read_as(f, f->uri, &usual, &health);
    for (size_t i = 0; i < TF_HEALTH_PARTS; i++)
        if (!health.parts[i].looked || health.parts[i].degraded)
            fail_msg("%s: %s", tf_health_name((tf_health_part)i), health.parts[i].text);
    assert_false(tf_health_is_degraded(&health));
}

static void health__names_the_missing_indexes(void **state)
{
    tf_fixture *f = *state;
    tf_health health;
    make_indexes(f, "{\"name\": \"1\", \"key\": {\"b\": 1, \"a\": 1}},"
                    "{\"name\": \"2\", \"key\": {\"c\": 1}, \"partialFilterExpression\": {\"e\": 1}}");
    read_as(f, f->uri, &usual, &health);
    assert_true(health.parts[TF_HEALTH_INDEXES].degraded);
    assert_string_equal(health.parts[TF_HEALTH_INDEXES].text,
                        "missing indexes on things: {\"a\": 1, \"b\": 1}, {\"c\": 1}");
}

static void health__limits_are_limits(void **state)
{
    tf_fixture *f = *state;
    tf_health health;
    read_as(f, f->uri, &(tf_health_limits){.lag_ms = 10000, .round_trip_ms = -1}, &health);
    assert_true(health.parts[TF_HEALTH_ROUND_TRIP].degraded);
    read_as(f, f->uri, &(tf_health_limits){.lag_ms = -1, .round_trip_ms = 5000}, &health);
    assert_true(health.parts[TF_HEALTH_LAG].degraded);
}

static void health__judges_nothing_that_may_not_be_seen(void **state)
{
    tf_fixture *f = *state;
    tf_health health;
    tf_fixture_insert(f, "other", "{\"_id\": 1}");
    make_indexes(f, "{\"name\": \"1\", \"key\": {\"z\": 1}}");
    read_as(f, tf_fixture_login(f, "run", "other", NULL), &usual, &health);
    assert_true(health.parts[TF_HEALTH_CONNECTION].looked);
    assert_true(health.parts[TF_HEALTH_MEMBERS].looked); /* from here */
    assert_false(health.parts[TF_HEALTH_MEMBERS].degraded);
    assert_true(health.parts[TF_HEALTH_LAG].looked);
}

static void health__of_a_lost_server_is_its_connection_alone(void **state)
{
    (void)state;
    tf_health health;
    mongoc_uri_t *uri = mongoc_uri_new("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200");
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    tf_health_read(client, "x", indexes, &usual, &health);
    assert_true(health.parts[TF_HEALTH_CONNECTION].degraded);
    for (size_t i = 1; i < TF_HEALTH_PARTS; i++)
        assert_false(health.parts[i].looked);
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TF_FIXTURE_TEST(health__of_a_sound_system_is_good),
        TF_FIXTURE_TEST(health__names_the_missing_indexes),
        TF_FIXTURE_TEST(health__limits_are_limits),
        TF_FIXTURE_TEST(health__judges_nothing_that_may_not_be_seen),
        TF_FIXTURE_TEST(health__of_a_lost_server_is_its_connection_alone),
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
