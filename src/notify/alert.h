/*
 * Alerts: what was told about the conditions that hold. Pure: it sends nothing, reads no clock and knows no server.
 *
 *   (nothing) → raised → repeated … → resolved → (nothing)
 *
 * A condition that holds is raised once, raised anew when it becomes more severe, and repeated when that long has passed since it
 * was told last; one that was looked at and holds no more is resolved. What was not looked at stays as it is: a server
 * that does not answer resolves nothing. An event is due at a channel (a bit of a mask) until that has delivered it, through
 * rounds and processes: the open alerts are kept as BSON. A channel that is new hears of what is open; it is known by its name, so
 * that a bit that now means another receiver is a new channel.
 */
#ifndef TF_NOTIFY_ALERT_H
#define TF_NOTIFY_ALERT_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { TF_LEVEL_NONE, TF_LEVEL_LOW, TF_LEVEL_MEDIUM, TF_LEVEL_HIGH } tf_level;

const char *tf_level_name(tf_level level); /* "none", "low", "medium", "high" */
tf_level tf_level_of(const char *name);    /* NONE where there is none of that name */

typedef enum { TF_ALERT_RAISED, TF_ALERT_REPEATED, TF_ALERT_RESOLVED } tf_alert_event;

const char *tf_alert_event_name(tf_alert_event event); /* "raised", "repeated", "resolved" */

/* Something that holds now. Texts are borrowed. */
typedef struct tf_condition {
    const char *id;   /* stable, what two rounds and two processes know it by */
    const char *name; /* "stale_index", "system_degraded" */
    tf_level level;
    const char *text;   /* a line for people */
    const bson_t *data; /* fields for programs: count, amount, examples, advice; may be NULL */
    bool once;          /* something that happened: told once, neither repeated nor resolved */
} tf_condition;

typedef struct tf_alert {
    char id[256], name[64], text[400];
    tf_level level;
    bson_t *data; /* of the newest look, owned; empty for one that was read */
    bool once;
    bool gone;            /* it was resolved; here only until that has been told */
    tf_alert_event event; /* the newest */
    int64_t since;        /* when it was raised first, milliseconds since the epoch */
    int64_t told_at;      /* when the newest event took place */
    int64_t times;        /* how often it was raised or repeated */
    uint64_t serial;      /* of the newest event, unique among those of the process */
    unsigned pending;     /* channels that have yet to deliver the newest event */
    unsigned queued;      /* of these, those that are at it; not kept */
    unsigned heard;       /* channels that delivered any event of this alert */
} tf_alert;

enum { TF_ALERT_CHANNELS = 8, TF_ALERT_CHANNEL_NAME = 48 };

/* The alerts that are open. Zero-initialise, free with tf_alerts_done. */
typedef struct tf_alerts {
    char channels[TF_ALERT_CHANNELS][TF_ALERT_CHANNEL_NAME]; /* by number of their bit; empty: not known yet */
    tf_alert *items;
    size_t count;
} tf_alerts;

typedef struct tf_alert_round {
    const tf_condition *conditions; /* what holds */
    size_t count;
    const char *const *looked; /* ids, or with a * at the end beginnings of ids, that were looked at; NULL-terminated */
    int64_t now;               /* milliseconds since the epoch */
    int64_t repeat_ms;         /* 0: never */
    unsigned channels;         /* those that exist; 0: nothing is due to anybody */
} tf_alert_round;

/* Says who this bit is: a name that is the same for the same receiver, in every process. Where it was somebody else so far, nothing
 * has been told to the new one yet. Before tf_alerts_read. */
void tf_alerts_name(tf_alerts *alerts, unsigned channel, const char *name);

/* Goes on by one round: what is due afterwards is pending. */
void tf_alerts_see(tf_alerts *alerts, const tf_alert_round *round);

/* What a channel made of an event; a newer one may have taken place meanwhile. An alert that is gone and told is dropped. */
void tf_alerts_settle(tf_alerts *alerts, const char *id, uint64_t serial, unsigned channel, bool delivered);

/* How many are open, those told of as resolved not counted. */
size_t tf_alerts_open(const tf_alerts *alerts);

/* As an array of documents, and back. What is not of that form is left out. */
void tf_alerts_append(const tf_alerts *alerts, bson_t *to, const char *key);
void tf_alerts_read(const bson_t *array, tf_alerts *out);
void tf_alerts_done(tf_alerts *alerts);

#endif
