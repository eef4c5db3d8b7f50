/* The state machine of alerts: what is told when, round by round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "notify/alert.h"

#include <tokenfix/cleanup.h>

enum { HOOK = 1, MAIL = 2, HOUR = 3600000 };

static tf_alerts alerts;
static int64_t now;

static int setup(void **state)
{
    (void)state;
    alerts = (tf_alerts){0};
    tf_alerts_name(&alerts, HOOK, "webhook-1");
    tf_alerts_name(&alerts, MAIL, "command-1");
    now = 1000000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tf_alerts_done(&alerts);
    return 0;
}

/* A round that looks at all and finds `name` at `level` (NONE: nothing). */
static void see(const char *id, tf_level level)
{
    const tf_condition condition = {.id = id, .name = id, .level = level, .text = "text"};
    tf_alerts_see(&alerts, &(tf_alert_round){.conditions = &condition,
                                             .count = level != TF_LEVEL_NONE,
                                             .looked = (const char *const[]){"*", NULL},
                                             .now = now,
                                             .repeat_ms = HOUR,
                                             .channels = HOOK | MAIL});
}

/* Delivers all that is due at the channel; how many events, and the newest of them. */
static int deliver(unsigned channel, tf_alert_event *event)
{
    int delivered = 0;
    for (size_t i = alerts.count; i-- > 0;) {
        tf_alert *alert = &alerts.items[i];
        if (!(alert->pending & channel))
            continue;
        *event = alert->event;
        delivered++;
        tf_alerts_settle(&alerts, alert->id, alert->serial, channel, true);
    }
    return delivered;
}

static void expect(tf_alert_event event)
{
    tf_alert_event got = TF_ALERT_RAISED;
    assert_int_equal(deliver(HOOK, &got), 1);
    assert_string_equal(tf_alert_event_name(got), tf_alert_event_name(event));
    assert_int_equal(deliver(MAIL, &got), 1);
    assert_string_equal(tf_alert_event_name(got), tf_alert_event_name(event));
}

static void expect_nothing(void)
{
    tf_alert_event got;
    assert_int_equal(deliver(HOOK, &got) + deliver(MAIL, &got), 0);
}

static void alert__is_raised_once_repeated_and_resolved(void **state)
{
    (void)state;
    see("a", TF_LEVEL_MEDIUM);
    expect(TF_ALERT_RAISED);
    for (int n = 0; n < 3; n++) {
        now += 60000;
        see("a", TF_LEVEL_MEDIUM);
        expect_nothing();
    }
    now = 1000000 + HOUR;
    see("a", TF_LEVEL_MEDIUM);
    expect(TF_ALERT_REPEATED);
    assert_int_equal(alerts.items[0].times, 2);
    assert_int_equal(alerts.items[0].since, 1000000);
    now += HOUR - 1;
    see("a", TF_LEVEL_MEDIUM);
    expect_nothing();
    now += 1;
    see("a", TF_LEVEL_MEDIUM);
    expect(TF_ALERT_REPEATED);
    see("a", TF_LEVEL_NONE);
    expect(TF_ALERT_RESOLVED);
    assert_int_equal(alerts.count, 0);
    see("a", TF_LEVEL_NONE);
    expect_nothing();
}

static void alert__that_becomes_more_severe_is_raised_anew(void **state)
{
    (void)state;
    see("a", TF_LEVEL_MEDIUM);
    expect(TF_ALERT_RAISED);
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    see("a", TF_LEVEL_MEDIUM);
    expect_nothing();
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    assert_int_equal(alerts.items[0].times, 3);
}

static void alert__that_was_not_looked_at_stays(void **state)
{
    (void)state;
    static const char *const others[] = {"b", "system/*", NULL};
    see("a", TF_LEVEL_MEDIUM);
    expect(TF_ALERT_RAISED);
    tf_alerts_see(&alerts, &(tf_alert_round){.looked = others, .now = now, .channels = HOOK | MAIL});
    expect_nothing();
    assert_int_equal(tf_alerts_open(&alerts), 1);
    tf_alerts_see(&alerts, &(tf_alert_round){.looked = NULL, .now = now, .channels = HOOK | MAIL});
    assert_int_equal(tf_alerts_open(&alerts), 1);
    tf_alerts_see(&alerts, &(tf_alert_round){.looked = (const char *const[]){"a", NULL}, .now = now, .channels = HOOK | MAIL});
    expect(TF_ALERT_RESOLVED);
}

static void alert__stays_due_until_the_channel_has_delivered_it(void **state)
{
    (void)state;
    tf_alert_event event;
    see("a", TF_LEVEL_MEDIUM);
    tf_alerts_settle(&alerts, "a", alerts.items[0].serial, HOOK, false);
    assert_int_equal(deliver(MAIL, &event), 1);
    see("a", TF_LEVEL_MEDIUM);
    assert_int_equal(alerts.items[0].pending, HOOK);
    assert_int_equal(deliver(HOOK, &event), 1);
    see("a", TF_LEVEL_MEDIUM);
    expect_nothing();
}

static void alert__late_delivery_settles_nothing_newer(void **state)
{
    (void)state;
    see("a", TF_LEVEL_MEDIUM);
    uint64_t first = alerts.items[0].serial;
    alerts.items[0].queued = HOOK | MAIL;
    see("a", TF_LEVEL_NONE);
    tf_alerts_settle(&alerts, "a", first, HOOK, true);
    assert_int_equal(alerts.items[0].event, TF_ALERT_RESOLVED);
    assert_int_equal(alerts.items[0].pending, HOOK | MAIL);
}

static void alert__nobody_heard_of_ends_without_a_word(void **state)
{
    (void)state;
    tf_alert_event event;
    see("a", TF_LEVEL_MEDIUM);
    assert_int_equal(deliver(MAIL, &event), 1);
    see("a", TF_LEVEL_NONE);
    assert_int_equal(alerts.items[0].pending, MAIL);
    assert_int_equal(deliver(MAIL, &event), 1);
    assert_int_equal(event, TF_ALERT_RESOLVED);
    assert_int_equal(alerts.count, 0);
}

static void alert__that_comes_back_before_its_end_was_told_is_raised(void **state)
{
    (void)state;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    see("a", TF_LEVEL_NONE);
    now += 5;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    assert_int_equal(alerts.items[0].since, now);
}

static void alert__of_something_that_happened_is_told_once(void **state)
{
    (void)state;
    const tf_condition done = {.id = "run/1", .name = "run_completed", .level = TF_LEVEL_LOW, .text = "done", .once = true};
    tf_alert_round round = {.conditions = &done, .count = 1, .looked = (const char *const[]){"*", NULL}, .now = now,
                            .repeat_ms = HOUR, .channels = HOOK | MAIL};
    tf_alerts_see(&alerts, &round);
    round.count = 0;
    tf_alerts_see(&alerts, &round); /* not delivered yet: it stays due */
    assert_int_equal(tf_alerts_open(&alerts), 0);
    expect(TF_ALERT_RAISED);
    assert_int_equal(alerts.count, 0);
    round.count = 1;
    tf_alerts_see(&alerts, &round);
    expect(TF_ALERT_RAISED);
    round.now += 2 * HOUR;
    tf_alerts_see(&alerts, &round);
    expect_nothing();
    round.count = 0;
    tf_alerts_see(&alerts, &round);
    expect_nothing();
    assert_int_equal(alerts.count, 0);
}

static void alert__without_channels_is_due_to_nobody(void **state)
{
    (void)state;
    const tf_condition condition = {.id = "a", .name = "a", .level = TF_LEVEL_LOW, .text = "text"};
    tf_alert_round round = {.conditions = &condition, .count = 1, .looked = (const char *const[]){"*", NULL}, .now = now};
    tf_alerts_see(&alerts, &round);
    expect_nothing();
    assert_int_equal(tf_alerts_open(&alerts), 1);
    round.now += HOUR;
    tf_alerts_see(&alerts, &round);
    expect_nothing();
    round.count = 0;
    tf_alerts_see(&alerts, &round);
    assert_int_equal(alerts.count, 0);
}

static void alert__that_is_open_is_told_to_a_channel_that_is_new(void **state)
{
    (void)state;
    const tf_condition condition = {.id = "a", .name = "a", .level = TF_LEVEL_HIGH, .text = "text"};
    tf_alert_round round = {.conditions = &condition, .count = 1, .looked = (const char *const[]){"*", NULL}, .now = now};
    tf_alert_event event = TF_ALERT_RESOLVED;
    tf_alerts_see(&alerts, &round);
    round.channels = HOOK;
    tf_alerts_see(&alerts, &round);
    assert_int_equal(deliver(HOOK, &event), 1);
    assert_int_equal(event, TF_ALERT_RAISED);
    tf_alerts_see(&alerts, &round);
    assert_int_equal(deliver(HOOK, &event), 0);
    round.channels = HOOK | MAIL;
    tf_alerts_see(&alerts, &round);
    assert_int_equal(deliver(HOOK, &event), 0);
    assert_int_equal(deliver(MAIL, &event), 1);
}

static void alert__told_in_the_future_is_repeated_after_the_usual_time(void **state)
{
    (void)state;
    now += 1000 * (int64_t)HOUR;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    now -= 1000 * (int64_t)HOUR; /* the clock is set right */
    see("a", TF_LEVEL_HIGH);
    expect_nothing();
    now += HOUR;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_REPEATED);
}

/* What was kept by a process whose webhook and command were these, read by one that has others. */
static void read_as(const char *kept, const char *hook, const char *mail)
{
    _cleanup_(bson_destroyp) bson_t *array = bson_new_from_json((const uint8_t *)kept, -1, NULL);
    assert_non_null(array);
    tf_alerts_done(&alerts);
    tf_alerts_name(&alerts, HOOK, hook);
    tf_alerts_name(&alerts, MAIL, mail);
    tf_alerts_read(array, &alerts);
    assert_int_equal(alerts.count, 1);
}

static void channel__that_was_replaced_hears_what_is_open(void **state)
{
    (void)state;
    tf_alert_event event;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    tf_alerts_name(&alerts, HOOK, "webhook-1"); /* the same again: nothing is new */
    see("a", TF_LEVEL_HIGH);
    expect_nothing();
    tf_alerts_name(&alerts, HOOK, "webhook-2");
    see("a", TF_LEVEL_HIGH);
    assert_int_equal(alerts.items[0].pending, HOOK);
    assert_int_equal(deliver(HOOK, &event), 1);
    assert_int_equal(event, TF_ALERT_RAISED);
    see("a", TF_LEVEL_HIGH);
    expect_nothing();
}

static void channel__that_was_replaced_is_not_told_of_an_end(void **state)
{
    (void)state;
    tf_alert_event event;
    see("a", TF_LEVEL_HIGH);
    expect(TF_ALERT_RAISED);
    tf_alerts_name(&alerts, HOOK, "webhook-2");
    see("a", TF_LEVEL_NONE);
    assert_int_equal(deliver(HOOK, &event), 0);
    assert_int_equal(deliver(MAIL, &event), 1);
    assert_int_equal(event, TF_ALERT_RESOLVED);
}

static void channel__is_known_by_its_name_over_processes(void **state)
{
    (void)state;
    static const char kept[] = "[{\"id\": \"a\", \"name\": \"a\", \"severity\": \"high\", \"event\": \"raised\", \"toldAt\": {\"$date\":"
                               " {\"$numberLong\": \"1000000\"}}, \"pending\": [\"command-1\"], \"heard\": [\"webhook-1\", \"command-1\"]}]";
    read_as(kept, "webhook-1", "command-1");
    assert_int_equal(alerts.items[0].heard, HOOK | MAIL);
    assert_int_equal(alerts.items[0].pending, MAIL);
    read_as(kept, "webhook-2", "command-1");
    assert_int_equal(alerts.items[0].heard, MAIL);
    see("a", TF_LEVEL_HIGH);
    assert_int_equal(alerts.items[0].pending, HOOK | MAIL);
    read_as(kept, "webhook-1", "command-2");
    assert_int_equal(alerts.items[0].pending, 0);
    static const char old[] = "[{\"id\": \"a\", \"name\": \"a\", \"severity\": \"high\", \"pending\": 2, \"heard\": 1}]";
    read_as(old, "webhook-7", "command-7"); /* kept before channels had names */
    assert_int_equal(alerts.items[0].heard, HOOK);
    assert_int_equal(alerts.items[0].pending, MAIL);
}

static void alerts__survive_the_process(void **state)
{
    (void)state;
    tf_alert_event event;
    bson_t array;
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    see("a", TF_LEVEL_HIGH);
    assert_int_equal(deliver(MAIL, &event), 1);
    tf_alerts_append(&alerts, &doc, "alerts");
    tf_alerts_done(&alerts);
    tf_alerts_name(&alerts, HOOK, "webhook-1");
    tf_alerts_name(&alerts, MAIL, "command-1");
    bson_iter_t iter;
    assert_true(bson_iter_init_find(&iter, &doc, "alerts"));
    uint32_t length;
    const uint8_t *data;
    bson_iter_array(&iter, &length, &data);
    assert_true(bson_init_static(&array, data, length));
    tf_alerts_read(&array, &alerts);
    assert_int_equal(alerts.count, 1);
    assert_int_equal(alerts.items[0].since, 1000000);
    now += 60000;
    see("a", TF_LEVEL_HIGH);
    assert_int_equal(alerts.items[0].pending, HOOK);
    assert_int_equal(deliver(HOOK, &event), 1);
    assert_int_equal(event, TF_ALERT_RAISED);
    see("a", TF_LEVEL_NONE);
    expect(TF_ALERT_RESOLVED);
}

static void alerts__that_were_tampered_with_are_left_out(void **state)
{
    (void)state;
    static const char *const rows[] = {"[1, null, \"x\"]", "[{}]", "[{\"id\": \"\", \"severity\": \"high\"}]",
                                       "[{\"id\": \"a\", \"severity\": \"dreadful\"}]", "[{\"id\": 7, \"severity\": \"high\"}]",
                                       "[{\"id\": \"a\\nb\", \"name\": \"a\", \"severity\": \"high\"}]",
                                       "[{\"id\": \"a\", \"name\": \"a\\r\\nBcc: x\", \"severity\": \"high\"}]"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_(bson_destroyp) bson_t *array = bson_new_from_json((const uint8_t *)rows[i], -1, NULL);
        assert_non_null(array);
        tf_alerts_read(array, &alerts);
        assert_int_equal(alerts.count, 0);
    }
    _cleanup_(bson_destroyp) bson_t *twice = bson_new_from_json(
        (const uint8_t *)"[{\"id\": \"a\", \"severity\": \"high\"}, {\"id\": \"a\", \"severity\": \"low\"}]", -1, NULL);
    tf_alerts_read(twice, &alerts);
    assert_int_equal(alerts.count, 1);
}

#define ALERT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALERT_TEST(alert__is_raised_once_repeated_and_resolved),
        ALERT_TEST(alert__that_becomes_more_severe_is_raised_anew),
        ALERT_TEST(alert__that_was_not_looked_at_stays),
        ALERT_TEST(alert__stays_due_until_the_channel_has_delivered_it),
        ALERT_TEST(alert__late_delivery_settles_nothing_newer),
        ALERT_TEST(alert__nobody_heard_of_ends_without_a_word),
        ALERT_TEST(alert__that_comes_back_before_its_end_was_told_is_raised),
        ALERT_TEST(alert__of_something_that_happened_is_told_once),
        ALERT_TEST(alert__without_channels_is_due_to_nobody),
        ALERT_TEST(alert__that_is_open_is_told_to_a_channel_that_is_new),
        ALERT_TEST(alert__told_in_the_future_is_repeated_after_the_usual_time),
        ALERT_TEST(channel__that_was_replaced_hears_what_is_open),
        ALERT_TEST(channel__that_was_replaced_is_not_told_of_an_end),
        ALERT_TEST(channel__is_known_by_its_name_over_processes),
        ALERT_TEST(alerts__survive_the_process),
        ALERT_TEST(alerts__that_were_tampered_with_are_left_out),
    };
    return cmocka_run_group_tests_name("alert", tests, NULL, NULL);
}
