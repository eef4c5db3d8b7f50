/* What is told of an alert: the JSON that webhooks and commands get, and the line that people read. */
#ifndef TF_NOTIFY_MESSAGE_H
#define TF_NOTIFY_MESSAGE_H

#include "notify/alert.h"

/* Where it comes from. Borrowed. */
typedef struct tf_message_source {
    const char *database, *migration, *host, *version;
} tf_message_source;

typedef struct tf_message {
    char id[256], name[64];
    uint64_t serial;
    tf_alert_event event;
    tf_level level;
    char delivery[33]; /* the same in every try to deliver it: who gets it twice can tell */
    char *json;        /* one line */
    char *text;        /* "[high] tokenfix, wallet: NAME: 12 documents …", without control characters */
    char *database, *summary;
} tf_message;

/* Of the alert's newest event, at the time `now`. Free with tf_message_free. Never NULL. */
tf_message *tf_message_new(const tf_alert *alert, const tf_message_source *source, int64_t now);
void tf_message_free(tf_message *message);

/* The same text as the body of a Slack-compatible webhook: {"text": "…"}. The caller frees (free). */
char *tf_message_slack(const tf_message *message);

#endif
