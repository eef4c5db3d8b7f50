/*
 * A webhook: POSTs messages as JSON, signed, three times at most.
 *
 *   X-Tokenfix-Event: raised | repeated | resolved
 *   X-Tokenfix-Delivery: 32 digits, the same in every try
 *   X-Tokenfix-Timestamp: seconds since the epoch, of this try
 *   X-Tokenfix-Signature: sha256=HEX    HMAC-SHA256 of TIMESTAMP "." BODY with the secret; where there is one
 *
 * An answer of 2xx is a delivery, whatever else is wrong with it: nothing of it is looked at. No connection, no answer in time, 408,
 * 425, 429 and 5xx are tried again; a redirection is not followed, and it and all other answers are final. Messages name
 * the host alone: the rest of an address may be a secret.
 */
#ifndef TF_NOTIFY_WEBHOOK_H
#define TF_NOTIFY_WEBHOOK_H

#include <stdatomic.h>
#include <tokenfix/error.h>

#include "notify/message.h"

typedef struct tf_webhook_options {
    const char *url;
    const char *secret;   /* NULL: not signed */
    const char *ca_file;  /* authorities to trust; NULL: the system's */
    bool slack;           /* the Slack-compatible form */
    bool plaintext;       /* http to other machines is allowed */
    int64_t connect_ms, total_ms; /* of one try; 0: 5 s, 10 s */
    int64_t backoff_ms;   /* before the second try, twice as long before the third; 0: 1 s */
} tf_webhook_options;

typedef struct tf_webhook tf_webhook;

/* Before threads start, and after they ended. */
void tf_webhook_begin(void);
void tf_webhook_end(void);

/* Copies its arguments. USAGE: no http or https address, or one that would leave this machine unencrypted. */
tf_webhook *tf_webhook_new(const tf_webhook_options *options, tf_error *err);
void tf_webhook_free(void *webhook);

/* "https://hooks.example.com", for people. */
const char *tf_webhook_where(const tf_webhook *webhook);

/* A tf_deliver; `webhook` is a tf_webhook. */
bool tf_webhook_send(void *webhook, const tf_message *message, const atomic_bool *cancelled, tf_error *err);

#endif
