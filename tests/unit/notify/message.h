/* A message for tests of what delivers it. */
#ifndef TF_TESTS_NOTIFY_MESSAGE_H
#define TF_TESTS_NOTIFY_MESSAGE_H

#include "notify/message.h"

#include <tokenfix/cleanup.h>

static inline tf_message *sample_message(const char *text, const char *data)
{
    tf_alert alert = {.level = TF_LEVEL_HIGH, .since = 1700000000000, .times = 1, .serial = 7};
    snprintf(alert.id, sizeof alert.id, "004/melted_unspent");
    snprintf(alert.name, sizeof alert.name, "melted_unspent");
    snprintf(alert.text, sizeof alert.text, "%s", text);
    alert.data = data ? bson_new_from_json((const uint8_t *)data, -1, NULL) : bson_new();
    const tf_message_source source = {.database = "wallet", .migration = "004", .host = "box", .version = "0.1.0"};
    tf_message *message = tf_message_new(&alert, &source, 1700000001000);
    bson_destroy(alert.data);
    return message;
}

TF_CLEANUP(tf_message *, tf_message_free)

#endif
