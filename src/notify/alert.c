#include "notify/alert.h"

#include <tokenfix/cleanup.h>

#include "base/field.h"
#include "base/text.h"

enum { MOST_READ = 1000 };

static const char *const levels[] = {"none", "low", "medium", "high"};

const char *tf_level_name(tf_level level)
{
    return levels[level];
}

tf_level tf_level_of(const char *name)
{
    for (tf_level level = TF_LEVEL_LOW; level <= TF_LEVEL_HIGH; level++)
        if (strcmp(levels[level], name) == 0)
            return level;
    return TF_LEVEL_NONE;
}

static const char *const events[] = {"raised", "repeated", "resolved"};

const char *tf_alert_event_name(tf_alert_event event)
{
    return events[event];
}

static tf_alert *find(const tf_alerts *alerts, const char *id)
{
    for (size_t i = 0; i < alerts->count; i++)
        if (strcmp(alerts->items[i].id, id) == 0)
            return &alerts->items[i];
    return NULL;
}

static tf_alert *add(tf_alerts *alerts, const char *id)
{
    alerts->items = bson_realloc(alerts->items, (alerts->count + 1) * sizeof *alerts->items);
    tf_alert *alert = &alerts->items[alerts->count++];
    *alert = (tf_alert){.data = bson_new()};
    snprintf(alert->id, sizeof alert->id, "%s", id);
    return alert;
}

static void drop(tf_alerts *alerts, tf_alert *alert)
{
    bson_destroy(alert->data);
    *alert = alerts->items[--alerts->count];
}

/* ---- a round ---- */

static uint64_t next_serial(void)
{
    static uint64_t serial; /* of the one thread that holds the alerts */
    return ++serial;
}

static void happen(tf_alert *alert, tf_alert_event event, const tf_alert_round *round, unsigned channels)
{
    alert->event = event;
    alert->serial = next_serial();
    alert->told_at = round->now;
    alert->times += event != TF_ALERT_RESOLVED;
    alert->pending = channels;
    alert->queued = 0;
}

static void holds(tf_alerts *alerts, const tf_condition *condition, const tf_alert_round *round)
{
    tf_alert *alert = find(alerts, condition->id);
    bool fresh = !alert || alert->gone;
    if (!alert)
        alert = add(alerts, condition->id);
    tf_level before = fresh ? TF_LEVEL_NONE : alert->level;
    snprintf(alert->name, sizeof alert->name, "%s", condition->name);
    snprintf(alert->text, sizeof alert->text, "%s", condition->text);
    bson_reinit(alert->data);
    if (condition->data)
        bson_concat(alert->data, condition->data);
    alert->level = condition->level;
    alert->once = condition->once;
    alert->gone = false;
    if (fresh) {
        alert->since = round->now;
        alert->times = 0;
    }
    if (condition->level > before)
        happen(alert, TF_ALERT_RAISED, round, round->channels);
    else if (round->repeat_ms > 0 && !alert->once && round->now - alert->told_at >= round->repeat_ms)
        happen(alert, TF_ALERT_REPEATED, round, round->channels);
}

static bool was_looked_at(const tf_alert_round *round, const char *id)
{
    for (const char *const *looked = round->looked; looked && *looked; looked++) {
        size_t length = strlen(*looked);
        bool beginning = length && (*looked)[length - 1] == '*';
        if (beginning ? strncmp(*looked, id, length - 1) == 0 : strcmp(*looked, id) == 0)
            return true;
    }
    return false;
}

static bool holds_now(const tf_alert_round *round, const char *id)
{
    for (size_t i = 0; i < round->count; i++)
        if (strcmp(round->conditions[i].id, id) == 0)
            return true;
    return false;
}

/* Who never heard that it was raised need not hear that it is over. What was told once stays until it is. */
static void is_over(tf_alert *alert, const tf_alert_round *round)
{
    unsigned heard = alert->heard | alert->queued;
    alert->gone = true;
    if (!alert->once)
        happen(alert, TF_ALERT_RESOLVED, round, round->channels & heard);
}

void tf_alerts_name(tf_alerts *alerts, unsigned channel, const char *name)
{
    for (size_t n = 0; n < TF_ALERT_CHANNELS; n++) {
        char *known = alerts->channels[n];
        if (channel != 1U << n)
            continue;
        bool other = *known && strcmp(known, name) != 0;
        snprintf(known, sizeof alerts->channels[n], "%s", name);
        for (size_t i = 0; other && i < alerts->count; i++) {
            alerts->items[i].heard &= ~channel;
            alerts->items[i].pending &= ~channel;
            alerts->items[i].queued &= ~channel;
        }
    }
}

void tf_alerts_see(tf_alerts *alerts, const tf_alert_round *round)
{
    for (size_t i = 0; i < alerts->count; i++) {
        tf_alert *alert = &alerts->items[i];
        if (!alert->gone && !holds_now(round, alert->id) && was_looked_at(round, alert->id))
            is_over(alert, round);
        if (!alert->gone && !alert->once)
            alert->pending |= ~alert->heard; /* a channel that is new hears what is open */
        alert->pending &= round->channels; /* a channel that is no more gets nothing any more */
        if (alert->told_at > round->now)
            alert->told_at = round->now; /* a clock was set back: the time until it is repeated begins anew */
    }
    for (size_t i = 0; i < round->count; i++)
        holds(alerts, &round->conditions[i], round);
    for (size_t i = alerts->count; i-- > 0;)
        if (alerts->items[i].gone && !alerts->items[i].pending)
            drop(alerts, &alerts->items[i]);
}

void tf_alerts_settle(tf_alerts *alerts, const char *id, uint64_t serial, unsigned channel, bool delivered)
{
    tf_alert *alert = find(alerts, id);
    if (!alert)
        return;
    if (delivered)
        alert->heard |= channel;
    if (alert->serial != serial)
        return;
    alert->queued &= ~channel;
    if (delivered)
        alert->pending &= ~channel;
    if (alert->gone && !alert->pending)
        drop(alerts, alert);
}

size_t tf_alerts_open(const tf_alerts *alerts)
{
    size_t open = 0;
    for (size_t i = 0; i < alerts->count; i++)
        open += !alerts->items[i].gone && !alerts->items[i].once;
    return open;
}

/* ---- kept ---- */

static void append_channels(const tf_alerts *alerts, unsigned mask, const char *key, bson_t *to)
{
    bson_t array;
    uint32_t count = 0;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (size_t n = 0; n < TF_ALERT_CHANNELS; n++) {
        char buffer[16];
        const char *index = NULL;
        if (!(mask & 1U << n) || !*alerts->channels[n])
            continue;
        bson_uint32_to_string(count++, &index, buffer, sizeof buffer);
        BSON_APPEND_UTF8(&array, index, alerts->channels[n]);
    }
    bson_append_array_end(to, &array);
}

void tf_alerts_append(const tf_alerts *alerts, bson_t *to, const char *key)
{
    bson_t array, one;
    BSON_APPEND_ARRAY_BEGIN(to, key, &array);
    for (size_t i = 0; i < alerts->count; i++) {
        const tf_alert *alert = &alerts->items[i];
        char buffer[16];
        const char *index = NULL;
        bson_uint32_to_string((uint32_t)i, &index, buffer, sizeof buffer);
        BSON_APPEND_DOCUMENT_BEGIN(&array, index, &one);
        BSON_APPEND_UTF8(&one, "id", alert->id);
        BSON_APPEND_UTF8(&one, "name", alert->name);
        BSON_APPEND_UTF8(&one, "severity", tf_level_name(alert->level));
        BSON_APPEND_UTF8(&one, "text", alert->text);
        BSON_APPEND_BOOL(&one, "once", alert->once);
        BSON_APPEND_BOOL(&one, "gone", alert->gone);
        BSON_APPEND_UTF8(&one, "event", tf_alert_event_name(alert->event));
        BSON_APPEND_DATE_TIME(&one, "since", alert->since);
        BSON_APPEND_DATE_TIME(&one, "toldAt", alert->told_at);
        BSON_APPEND_INT64(&one, "times", alert->times);
        append_channels(alerts, alert->pending, "pending", &one);
        append_channels(alerts, alert->heard, "heard", &one);
        bson_append_document_end(&array, &one);
    }
    bson_append_array_end(to, &array);
}

/* Whose name is not among ours is no channel any more. (A number: bits, as they were kept before channels had names.) */
static unsigned read_channels(const tf_alerts *alerts, const bson_t *doc, const char *key)
{
    unsigned mask = 0;
    bson_t array;
    bson_iter_t iter;
    if (!tf_field_view(doc, key, &array))
        return (unsigned)tf_field_number(doc, key);
    for (bool more = bson_iter_init(&iter, &array); more && bson_iter_next(&iter);)
        for (size_t n = 0; n < TF_ALERT_CHANNELS && BSON_ITER_HOLDS_UTF8(&iter); n++)
            if (*alerts->channels[n] && strcmp(alerts->channels[n], bson_iter_utf8(&iter, NULL)) == 0)
                mask |= 1U << n;
    return mask;
}

/* Ids and names stand in variables and headers of mail as they are. */
static bool is_plain(const char *text)
{
    char clean[sizeof((tf_alert *)0)->id];
    return strcmp(tf_text_clean(text, clean, sizeof clean), text) == 0;
}

static void read_one(const bson_t *doc, tf_alerts *out)
{
    char id[sizeof out->items->id], name[sizeof out->items->name], word[16];
    tf_field_text(doc, "name", name, sizeof name);
    if (!tf_field_text(doc, "id", id, sizeof id) || !*id || find(out, id) || !is_plain(id) || !is_plain(name))
        return;
    tf_field_text(doc, "severity", word, sizeof word);
    tf_level level = tf_level_of(word);
    if (level == TF_LEVEL_NONE)
        return;
    tf_alert *alert = add(out, id);
    alert->level = level;
    alert->serial = next_serial();
    snprintf(alert->name, sizeof alert->name, "%s", name);
    tf_field_text(doc, "text", alert->text, sizeof alert->text);
    tf_field_text(doc, "event", word, sizeof word);
    for (tf_alert_event event = TF_ALERT_RAISED; event <= TF_ALERT_RESOLVED; event++)
        if (strcmp(word, events[event]) == 0)
            alert->event = event;
    alert->once = tf_field_number(doc, "once") != 0;
    alert->gone = tf_field_number(doc, "gone") != 0;
    alert->since = tf_field_number(doc, "since");
    alert->told_at = tf_field_number(doc, "toldAt");
    alert->times = tf_field_number(doc, "times");
    alert->pending = read_channels(out, doc, "pending");
    alert->heard = read_channels(out, doc, "heard");
}

void tf_alerts_read(const bson_t *array, tf_alerts *out)
{
    bson_iter_t iter;
    for (bool more = bson_iter_init(&iter, array); more && out->count < MOST_READ && bson_iter_next(&iter);) {
        bson_t doc;
        if (tf_field_view(array, bson_iter_key(&iter), &doc))
            read_one(&doc, out);
    }
}

void tf_alerts_done(tf_alerts *alerts)
{
    for (size_t i = 0; i < alerts->count; i++)
        bson_destroy(alerts->items[i].data);
    bson_free(alerts->items);
    *alerts = (tf_alerts){0};
}
