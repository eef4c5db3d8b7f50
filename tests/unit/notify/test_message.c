/* What webhooks and commands are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/notify/message.h"

#include <string.h>

static void message__is_one_line_of_json(void **state)
{
    (void)state;
    _cleanup_(tf_message_freep) tf_message *message =
        sample_message("12 tokens", "{\"count\": 12, \"amount\": {\"$numberLong\": \"9007199254740993\"}, \"examples\": [{\"_id\": 1}]}");
    char expected[1024];
    snprintf(expected, sizeof expected,
             "{\"version\": 1, \"event\": \"raised\", \"delivery\": \"%s\", \"id\": \"004/melted_unspent\", \"alert\": "
             "\"melted_unspent\", \"severity\": \"high\", \"summary\": \"12 tokens\", \"database\": \"wallet\", \"migration\": "
             "\"004\", \"host\": \"box\", \"tool\": \"0.1.0\", \"at\": \"2023-11-14T22:13:21.000Z\", \"since\": "
             "\"2023-11-14T22:13:20.000Z\", \"times\": 1, \"count\": 12, \"amount\": 9007199254740993, \"examples\": "
             "[{\"_id\": 1}]}",
             message->delivery);
    assert_string_equal(message->json, expected);
    assert_string_equal(message->text, "[high] tokenfix, wallet: melted_unspent: 12 tokens");
}

static void message__shows_no_control_characters(void **state)
{
    (void)state;
    _cleanup_(tf_message_freep) tf_message *message = sample_message("a\nb\033[31mc\r", NULL);
    assert_null(strpbrk(message->text, "\n\r\033"));
    assert_null(strpbrk(message->json, "\n\r\033"));
    assert_null(strpbrk(message->summary, "\n\r\033"));
}

static void message__data_overwrites_nothing(void **state)
{
    (void)state;
    _cleanup_(tf_message_freep) tf_message *message = sample_message("t", "{\"severity\": \"low\", \"event\": \"x\"}");
    assert_non_null(strstr(message->json, "\"severity\": \"high\""));
    assert_null(strstr(message->json, "\"low\""));
}

static void message__deliveries_differ(void **state)
{
    (void)state;
    _cleanup_(tf_message_freep) tf_message *one = sample_message("t", NULL);
    _cleanup_(tf_message_freep) tf_message *other = sample_message("t", NULL);
    assert_string_not_equal(one->delivery, other->delivery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__is_one_line_of_json),
        cmocka_unit_test(message__shows_no_control_characters),
        cmocka_unit_test(message__data_overwrites_nothing),
        cmocka_unit_test(message__deliveries_differ),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
