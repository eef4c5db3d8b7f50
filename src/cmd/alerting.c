#include "cmd/alerting.h"

#include <tokenfix/bson.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/nearest.h"
#include "base/number.h"
#include "base/stop.h"
#include "base/text.h"
#include "cmd/secret_file.h"
#include "cmd/version.h"
#include "notify/command.h"
#include "notify/webhook.h"
#include "report/output.h"

const char *const tf_alert_levels[] = {"low", "medium", "high", NULL};
const char *const tf_webhook_forms[] = {"json", "slack", NULL};

enum { WEBHOOK = 1, COMMAND = 2, ROOM = 128, SECRET_MAX = 4096, SLICE_MS = 50 };

/* ---- options ---- */

static bool bad_threshold(const char *text, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "option '--alert-threshold': '%s' is not of the form CHECK=N", TF_WORD(text));
    return tf_error_hint(err, "N is a whole number, 0 or more.");
}

static bool read_threshold(const char *text, const char *const *checks, tf_threshold *out, tf_error *err)
{
    const char *equals = strchr(text, '=');
    int64_t above = 0;
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof out->check ||
        tf_number_int64(equals + 1, &above) != TF_NUMBER_OK || above < 0)
        return bad_threshold(text, err);
    *out = (tf_threshold){.above = above};
    snprintf(out->check, sizeof out->check, "%.*s", (int)(equals - text), text);
    for (const char *const *check = checks; *check; check++)
        if (strcmp(*check, out->check) == 0)
            return true;
    const char *nearest = tf_nearest(out->check, checks);
    tf_error_set(err, TF_ERR_NOT_FOUND, "option '--alert-threshold': there is no check '%s'", TF_WORD(out->check));
    return nearest ? tf_error_hint(err, "Did you mean '%s'?", nearest) : tf_error_hint(err, "'tokenfix audit' lists them.");
}

static bool read_thresholds(const tf_strings *texts, const char *const *checks, tf_alerting *out, tf_error *err)
{
    if (texts->count > TF_ALERT_THRESHOLDS)
        return tf_error_set(err, TF_ERR_USAGE, "option '--alert-threshold' is given more than %d times", TF_ALERT_THRESHOLDS);
    for (size_t i = 0; i < texts->count; i++)
        if (!read_threshold(texts->items[i], checks, &out->thresholds[out->thresholds_count++], err))
            return false;
    return true;
}

/* ---- channels ---- */

static bool secret_of(const tf_alert_args *args, char *into, size_t size, tf_error *err)
{
    into[0] = '\0';
    if (args->webhook_secret && args->webhook_secret_file) {
        tf_error_set(err, TF_ERR_USAGE, "the webhook's secret is given twice, itself and by a file");
        return tf_error_hint(err, "Leave one of them out.");
    }
    if (args->webhook_secret_file)
        return tf_secret_file_read(args->webhook_secret_file, "the webhook's secret", into, size, err);
    if (args->webhook_secret)
        snprintf(into, size, "%s", args->webhook_secret);
    return true;
}

/* An address may be a secret: what is kept of it is half a hash. */
static void name_of(const char *kind, const char *whom, char out[TF_ALERT_CHANNEL_NAME])
{
    uint8_t hash[TF_SHA256_SIZE];
    char hex[2 * TF_SHA256_SIZE + 1];
    tf_sha256_of(whom, strlen(whom), hash);
    tf_hex(hash, sizeof hash / 2, hex);
    snprintf(out, TF_ALERT_CHANNEL_NAME, "%s-%s", kind, hex);
}

static bool open_webhook(const tf_alert_args *args, const tf_globals *globals, tf_alerting *out, tf_error *err)
{
    char secret[SECRET_MAX];
    if (!args->webhook)
        return true;
    if (!secret_of(args, secret, sizeof secret, err))
        return false;
    if (args->webhook_ca_file && access(args->webhook_ca_file, R_OK) != 0)
        return tf_error_set(err, TF_ERR_USAGE, "option '--webhook-ca-file': '%s' cannot be read", TF_WORD(args->webhook_ca_file));
    tf_webhook *webhook = tf_webhook_new(&(tf_webhook_options){.url = args->webhook,
                                                               .secret = *secret ? secret : NULL,
                                                               .ca_file = args->webhook_ca_file,
                                                               .slack = strcmp(args->webhook_form, "slack") == 0,
                                                               .plaintext = globals->allow_plaintext},
                                         err);
    explicit_bzero(secret, sizeof secret);
    if (!webhook)
        return false;
    tf_channel *channel = tf_channel_start("webhook", WEBHOOK, ROOM, tf_webhook_send, webhook, tf_webhook_free, err);
    name_of("webhook", args->webhook, out->names[out->channels_count]);
    if (channel)
        out->channels[out->channels_count++] = channel;
    return channel != NULL;
}

static bool open_command(const tf_alert_args *args, tf_alerting *out, tf_error *err)
{
    if (!args->command || !*args->command)
        return true;
    tf_alert_command *command = tf_alert_command_new(args->command, args->command_ms);
    tf_channel *channel =
        tf_channel_start("command", COMMAND, ROOM, tf_alert_command_run, command, tf_alert_command_free, err);
    name_of("command", args->command, out->names[out->channels_count]);
    if (channel)
        out->channels[out->channels_count++] = channel;
    return channel != NULL;
}

static void close_channels(tf_alerting *alerting, int64_t grace_ms)
{
    for (size_t i = 0; grace_ms == 0 && i < alerting->channels_count; i++)
        tf_channel_cancel(alerting->channels[i]); /* at the same time */
    for (size_t i = 0; i < alerting->channels_count; i++) {
        tf_channel *channel = alerting->channels[i];
        char name[32];
        snprintf(name, sizeof name, "%s", tf_channel_name(channel));
        size_t undone = tf_channel_stop(channel, grace_ms);
        if (undone)
            tf_output_warning("%zu alert%s not delivered to the %s", undone, undone == 1 ? " was" : "s were", name);
    }
    alerting->channels_count = 0;
    for (size_t i = 0; i < alerting->open.count; i++)
        alerting->open.items[i].queued = 0; /* what is due stays due */
}

bool tf_alerting_open(tf_alerting *alerting, const tf_alert_args *args, const tf_globals *globals, const char *const *checks,
                      tf_error *err)
{
    tf_alerting made = {.level = tf_level_of(args->level), .repeat_ms = args->repeat_ms};
    if (gethostname(made.host, sizeof made.host - 1) != 0)
        snprintf(made.host, sizeof made.host, "unknown");
    if (!read_thresholds(&args->thresholds, checks, &made, err) || !open_webhook(args, globals, &made, err) ||
        !open_command(args, &made, err)) {
        close_channels(&made, 0);
        return false;
    }
    if (alerting->channels_count)
        tf_alerting_flush(alerting, 1000);
    close_channels(alerting, 0);
    made.open = alerting->open;
    memcpy(made.database, alerting->database, sizeof made.database);
    memcpy(made.migration, alerting->migration, sizeof made.migration);
    *alerting = made;
    for (size_t i = 0; i < made.channels_count; i++)
        tf_alerts_name(&alerting->open, tf_channel_bit(made.channels[i]), made.names[i]);
    return true;
}

bool tf_alerting_has_channels(const tf_alerting *alerting)
{
    return alerting->channels_count > 0;
}

const tf_threshold *tf_alerting_threshold(const tf_alerting *alerting, const char *check)
{
    for (size_t i = 0; i < alerting->thresholds_count; i++)
        if (strcmp(alerting->thresholds[i].check, check) == 0)
            return &alerting->thresholds[i];
    return NULL;
}

/* ---- a round ---- */

static unsigned mask_of(const tf_alerting *alerting)
{
    unsigned mask = 0;
    for (size_t i = 0; i < alerting->channels_count; i++)
        mask |= tf_channel_bit(alerting->channels[i]);
    return mask;
}

static size_t hand_over(tf_alerting *alerting, int64_t now)
{
    const tf_message_source source = {.database = alerting->database,
                                      .migration = alerting->migration,
                                      .host = alerting->host,
                                      .version = tf_version()};
    size_t held_back = 0;
    for (size_t i = 0; i < alerting->open.count; i++) {
        tf_alert *alert = &alerting->open.items[i];
        for (size_t n = 0; n < alerting->channels_count; n++) {
            unsigned bit = tf_channel_bit(alerting->channels[n]);
            if (!(alert->pending & bit) || alert->queued & bit)
                continue;
            if (tf_channel_put(alerting->channels[n], tf_message_new(alert, &source, now)))
                alert->queued |= bit;
            else
                held_back++;
        }
    }
    return held_back;
}

/* One that is resolved may be gone already: nobody heard of it. */
static tf_alerting_count count_events(const tf_alerting *alerting, uint64_t before, size_t open, int64_t now)
{
    tf_alerting_count count = {0};
    for (size_t i = 0; i < alerting->open.count; i++) {
        const tf_alert *alert = &alerting->open.items[i];
        if (alert->serial <= before || alert->event == TF_ALERT_RESOLVED)
            continue;
        count.raised += alert->event == TF_ALERT_RAISED;
        count.repeated += alert->event == TF_ALERT_REPEATED;
        open += alert->event == TF_ALERT_RAISED && !alert->once && alert->times == 1 && alert->since == now;
    }
    count.resolved = open - tf_alerts_open(&alerting->open);
    return count;
}

static uint64_t newest_serial(const tf_alerts *alerts)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < alerts->count; i++)
        newest = alerts->items[i].serial > newest ? alerts->items[i].serial : newest;
    return newest;
}

tf_alerting_count tf_alerting_round(tf_alerting *alerting, const tf_condition *conditions, size_t count, const char *const *looked,
                                    int64_t now)
{
    tf_condition *grave = bson_malloc0((count + 1) * sizeof *grave);
    size_t graves = 0;
    for (size_t i = 0; i < count; i++)
        if (conditions[i].level >= alerting->level)
            grave[graves++] = conditions[i];
    tf_alerting_collect(alerting);
    uint64_t before = newest_serial(&alerting->open);
    size_t open = tf_alerts_open(&alerting->open);
    tf_alerts_see(&alerting->open, &(tf_alert_round){.conditions = grave,
                                                     .count = graves,
                                                     .looked = looked,
                                                     .now = now,
                                                     .repeat_ms = alerting->repeat_ms,
                                                     .channels = mask_of(alerting)});
    bson_free(grave);
    tf_alerting_count done = count_events(alerting, before, open, now);
    done.held_back = hand_over(alerting, now);
    if (done.held_back)
        tf_output_warning("%zu alert%s not fit into the queue of a channel that does not keep up; tried again with the next round",
                          done.held_back, done.held_back == 1 ? " does" : "s do");
    return done;
}

static void say_failure(tf_alerting *alerting, const tf_channel *channel, const tf_delivered *result)
{
    unsigned bit = tf_channel_bit(channel);
    if (result->ok) {
        if (alerting->failing & bit)
            tf_output_note("the %s works again", tf_channel_name(channel));
        alerting->failing &= ~bit;
    } else if (!(alerting->failing & bit) && result->err.code != TF_ERR_INTERRUPTED) {
        tf_output_warning("an alert was not delivered: %s%s%s. It stays due, and is tried again with every round", result->err.message,
                          *result->err.detail ? ": " : "", result->err.detail);
        alerting->failing |= bit;
    }
}

void tf_alerting_collect(tf_alerting *alerting)
{
    for (size_t i = 0; i < alerting->channels_count; i++) {
        tf_delivered result;
        while (tf_channel_collect(alerting->channels[i], &result)) {
            tf_alerts_settle(&alerting->open, result.id, result.serial, tf_channel_bit(alerting->channels[i]), result.ok);
            say_failure(alerting, alerting->channels[i], &result);
        }
    }
}

bool tf_alerting_is_idle(const tf_alerting *alerting)
{
    bool idle = true;
    for (size_t i = 0; i < alerting->channels_count; i++)
        idle = tf_channel_flush(alerting->channels[i], 0, NULL) && idle;
    return idle;
}

static bool is_stopping(void)
{
    return tf_stop_level() > 0;
}

bool tf_alerting_flush(tf_alerting *alerting, int64_t ms)
{
    int64_t until = tf_clock_ms() + ms;
    bool idle = true;
    for (size_t i = 0; i < alerting->channels_count; i++) {
        int64_t left = until - tf_clock_ms();
        idle = tf_channel_flush(alerting->channels[i], left > 0 ? left : 0, ms > 0 ? is_stopping : NULL) && idle;
    }
    tf_alerting_collect(alerting);
    return idle;
}

void tf_alerting_close(tf_alerting *alerting, int64_t grace_ms)
{
    int64_t until = tf_clock_ms() + grace_ms;
    while (!tf_alerting_is_idle(alerting) && tf_clock_ms() < until)
        usleep(SLICE_MS * 1000);
    tf_alerting_collect(alerting);
    close_channels(alerting, 0);
}

void tf_alerting_free(tf_alerting *alerting)
{
    close_channels(alerting, 0);
    tf_alerts_done(&alerting->open);
}
