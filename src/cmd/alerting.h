/* The options of `audit` that say what is told to whom, and the channels and open alerts behind them. */
#ifndef TF_CMD_ALERTING_H
#define TF_CMD_ALERTING_H

#include "base/command.h"
#include "notify/channel.h"

enum { TF_ALERT_THRESHOLDS = 32 };

typedef struct tf_threshold {
    char check[64];
    int64_t above;
} tf_threshold;

typedef struct tf_alert_args {
    const char *webhook, *webhook_form, *webhook_secret, *webhook_secret_file, *webhook_ca_file, *command, *level;
    int64_t repeat_ms, command_ms, slow_ms, stuck_ms, lag_ms, round_trip_ms;
    tf_strings thresholds;
} tf_alert_args;

extern const char *const tf_alert_levels[];
extern const char *const tf_webhook_forms[];

enum { TF_DAY_MS = 86400000 };

/* Rows for a struct with a member `alerts`. */
#define TF_ALERT_OPTIONS(type)                                                                                         \
    TF_OPTION_STRING(type, alerts.webhook, "webhook", "Send alerts to this address, as JSON. Part of an address may be a "      \
                     "secret: TOKENFIX_WEBHOOK or the configuration file keep it out of sight.", .metavar = "URL",     \
                     .env = "TOKENFIX_WEBHOOK", .secret = true),                                                       \
        TF_OPTION_CHOICE(type, alerts.webhook_form, "webhook-form", tf_webhook_forms,                                  \
                         "What the webhook is sent: all that is known, or a Slack-compatible text.",                   \
                         .fallback = "json", .env = "TOKENFIX_WEBHOOK_FORM"),                                          \
        TF_OPTION_STRING(type, alerts.webhook_secret_file, "webhook-secret-file",                                      \
                         "File whose first line is the secret that signs what the webhook is sent.",                   \
                         .metavar = "FILE", .env = "TOKENFIX_WEBHOOK_SECRET_FILE"),                                    \
        TF_OPTION_STRING(type, alerts.webhook_secret, "webhook-secret", "The secret itself: by its variable or in the configuration file, not on the command line.", .metavar = "TEXT",       \
                         .env = "TOKENFIX_WEBHOOK_SECRET", .secret = true, .no_flag = true),                           \
        TF_OPTION_STRING(type, alerts.webhook_ca_file, "webhook-ca-file",                                              \
                         "Authorities to trust for the webhook; otherwise the system's.", .metavar = "FILE",           \
                         .env = "TOKENFIX_WEBHOOK_CA_FILE"),                                                           \
        TF_OPTION_STRING(type, alerts.command, "alert-command",                                                        \
                         "Run this by /bin/sh for every alert, which is on its standard input as JSON and in "         \
                         "TOKENFIX_ALERT_... variables.", .metavar = "COMMAND", .env = "TOKENFIX_ALERT_COMMAND"),      \
        TF_OPTION_DURATION(type, alerts.command_ms, "alert-command-timeout", 100, 3600000,                             \
                           "End the command, with its process group, when it takes longer.", .fallback = "30s"),       \
        TF_OPTION_CHOICE(type, alerts.level, "alert-level", tf_alert_levels, "Tell what is this grave, or graver.",    \
                         .fallback = "medium", .env = "TOKENFIX_ALERT_LEVEL"),                                         \
        TF_OPTION_DURATION(type, alerts.repeat_ms, "alert-repeat", 0, 365 * INT64_C(86400000),                         \
                           "Tell again, when it is still so, after this time; 0: never.", .fallback = "4h",            \
                           .env = "TOKENFIX_ALERT_REPEAT"),                                                            \
        TF_OPTION_LIST(type, alerts.thresholds, "alert-threshold",                                                     \
                       "An alert of this check is high above N (of its count; of balance_discrepancy, its amount), and "        \
                       "as grave as the check otherwise; may be repeated.", .metavar = "CHECK=N"),                     \
        TF_OPTION_DURATION(type, alerts.slow_ms, "alert-slow", 0, TF_DAY_MS,                                           \
                           "An audit, or with --every a run, that takes longer is worth an alert (medium); 0: never.", \
                           .fallback = "30s"),                                                                         \
        TF_OPTION_DURATION(type, alerts.stuck_ms, "alert-stuck", 0, TF_DAY_MS,                                         \
                           "One that takes longer is an error (high); 0: never.", .fallback = "300s"),                 \
        TF_OPTION_DURATION(type, alerts.lag_ms, "alert-lag", 0, TF_DAY_MS,                                             \
                           "With --every: the majority, or a member, that is further behind is an alert (high).",      \
                           .fallback = "10s"),                                                                         \
        TF_OPTION_DURATION(type, alerts.round_trip_ms, "alert-round-trip", 0, TF_DAY_MS,                               \
                           "With --every: a server that takes longer to answer is an alert (high).", .fallback = "1s")

typedef struct tf_alerting {
    tf_alerts open;
    tf_channel *channels[2];
    char names[2][TF_ALERT_CHANNEL_NAME]; /* of these */
    size_t channels_count;
    tf_level level;
    int64_t repeat_ms;
    tf_threshold thresholds[TF_ALERT_THRESHOLDS];
    size_t thresholds_count;
    char database[64], migration[128], host[256];
    unsigned failing; /* channels whose last delivery failed, and of which that was said */
} tf_alerting;

/* What a round came to. */
typedef struct tf_alerting_count {
    size_t raised, repeated, resolved; /* that are to be told, or would be if there were a channel */
    size_t held_back;                  /* not taken by a full channel: they stay due */
} tf_alerting_count;

/* Reads the options and starts the channels; `checks` (NULL-terminated names) are those that a threshold can be of. The alerts
 * that are open stay as they are: also for a second call, which reads other options. On failure nothing has changed.
 * The secrets in *args may be forgotten afterwards. */
bool tf_alerting_open(tf_alerting *alerting, const tf_alert_args *args, const tf_globals *globals, const char *const *checks,
                      tf_error *err);

/* Whether there is anybody to tell. */
bool tf_alerting_has_channels(const tf_alerting *alerting);

/* One round (notify/alert.h); `looked` NULL-terminated. What is due is handed to the channels. */
tf_alerting_count tf_alerting_round(tf_alerting *alerting, const tf_condition *conditions, size_t count, const char *const *looked,
                                   int64_t now);

/* Notes what the channels made of it; a failure is said on standard error, once until the channel works again. */
void tf_alerting_collect(tf_alerting *alerting);

/* Whether nothing is waiting or on its way. */
bool tf_alerting_is_idle(const tf_alerting *alerting);

/* Waits for that, at most `ms`, or until a stop is requested; collects. */
bool tf_alerting_flush(tf_alerting *alerting, int64_t ms);

/* Ends the channels; what is on its way gets `grace_ms`. Says what was not delivered. */
void tf_alerting_close(tf_alerting *alerting, int64_t grace_ms);
void tf_alerting_free(tf_alerting *alerting); /* closes without grace and forgets all */

/* The threshold of a check, or NULL. */
const tf_threshold *tf_alerting_threshold(const tf_alerting *alerting, const char *check);

#endif
