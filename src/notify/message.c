#include "notify/message.h"

#include <inttypes.h>
#include <tokenfix/cleanup.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "report/json.h"

enum { TEXT = 1024 };

static char *on_one_line(const bson_t *doc)
{
    _cleanup_bson_ bson_t wrapper = BSON_INITIALIZER;
    bson_iter_t iter;
    char *text = NULL;
    size_t size = 0;
    BSON_APPEND_DOCUMENT(&wrapper, "x", doc);
    FILE *out = tf_text_stream(&text, &size);
    if (bson_iter_init_find(&iter, &wrapper, "x"))
        tf_json_print_value(out, &iter);
    fclose(out);
    return text;
}

static void append_data(const tf_alert *alert, bson_t *doc)
{
    bson_iter_t iter;
    for (bool more = bson_iter_init(&iter, alert->data); more && bson_iter_next(&iter);)
        if (!bson_has_field(doc, bson_iter_key(&iter)))
            bson_append_iter(doc, bson_iter_key(&iter), -1, &iter);
}

static char *json_of(const tf_message *message, const tf_alert *alert, const tf_message_source *source, int64_t now)
{
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "version", 1);
    BSON_APPEND_UTF8(&doc, "event", tf_alert_event_name(alert->event));
    BSON_APPEND_UTF8(&doc, "delivery", message->delivery);
    BSON_APPEND_UTF8(&doc, "id", alert->id);
    BSON_APPEND_UTF8(&doc, "alert", alert->name);
    BSON_APPEND_UTF8(&doc, "severity", tf_level_name(alert->level));
    BSON_APPEND_UTF8(&doc, "summary", message->summary);
    BSON_APPEND_UTF8(&doc, "database", source->database);
    BSON_APPEND_UTF8(&doc, "migration", source->migration);
    BSON_APPEND_UTF8(&doc, "host", source->host);
    BSON_APPEND_UTF8(&doc, "tool", source->version);
    BSON_APPEND_DATE_TIME(&doc, "at", now);
    BSON_APPEND_DATE_TIME(&doc, "since", alert->since);
    BSON_APPEND_INT64(&doc, "times", alert->times);
    append_data(alert, &doc);
    return on_one_line(&doc);
}

tf_message *tf_message_new(const tf_alert *alert, const tf_message_source *source, int64_t now)
{
    tf_message *message = bson_malloc0(sizeof *message);
    char clean[TEXT], database[256], line[TEXT + 256 + 256];
    snprintf(message->id, sizeof message->id, "%s", alert->id);
    snprintf(message->name, sizeof message->name, "%s", alert->name);
    message->serial = alert->serial;
    message->event = alert->event;
    message->level = alert->level;
    for (size_t i = 0; i < 2; i++)
        snprintf(message->delivery + 16 * i, 17, "%016" PRIx64, tf_clock_random(UINT64_MAX));
    tf_text_clean(alert->text, clean, sizeof clean);
    message->summary = bson_strdup(clean);
    message->database = bson_strdup(tf_text_clean(source->database, database, sizeof database));
    const char *what = alert->event == TF_ALERT_RESOLVED ? "resolved: " : alert->event == TF_ALERT_REPEATED ? "still: " : "";
    snprintf(line, sizeof line, "[%s] tokenfix, %s: %s%s: %s", tf_level_name(alert->level), database, what, alert->name,
             clean);
    message->text = bson_strdup(line);
    message->json = json_of(message, alert, source, now);
    return message;
}

void tf_message_free(tf_message *message)
{
    if (!message)
        return;
    free(message->json);
    bson_free(message->text);
    bson_free(message->summary);
    bson_free(message->database);
    bson_free(message);
}

/* Slack reads &, < and > as its own markup. */
char *tf_message_slack(const tf_message *message)
{
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char *text = NULL;
    size_t size = 0;
    FILE *out = tf_text_stream(&text, &size);
    for (const char *c = message->text; *c; c++)
        *c == '&' ? fputs("&amp;", out) : *c == '<' ? fputs("&lt;", out) : *c == '>' ? fputs("&gt;", out) : fputc(*c, out);
    fclose(out);
    BSON_APPEND_UTF8(&doc, "text", text);
    free(text);
    return on_one_line(&doc);
}
