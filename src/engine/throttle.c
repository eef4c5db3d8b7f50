#include "engine/throttle.h"

#include "base/clock.h"
#include "base/stop.h"
#include "base/wake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenfix/bson.h>

enum {
    SLICE_MS = 50,          /* a signal wakes nobody: who waits looks so often */
    WINDOW = 10,            /* attempts after which their conflicts are judged */
    CONFLICT_PAUSE_MS = 1000,
    CONFLICT_PAUSE_MOST_MS = 30000
};

const char *tf_pause_name(tf_pause reason)
{
    static const char *const names[TF_PAUSES] = {[TF_PAUSE_NONE] = "",
                                                 [TF_PAUSE_REQUEST] = "request",
                                                 [TF_PAUSE_FILE] = "pause_file",
                                                 [TF_PAUSE_LOAD] = "load",
                                                 [TF_PAUSE_MAJORITY_LAG] = "majority_lag",
                                                 [TF_PAUSE_MEMBER_LAG] = "member_lag",
                                                 [TF_PAUSE_CONFLICTS] = "conflicts"};
    return names[reason];
}

/* ---- deciding ---- */

static void end(tf_verdict *out, tf_verdict_kind kind, const char *text)
{
    *out = (tf_verdict){.kind = kind};
    snprintf(out->text, sizeof out->text, "%s", text);
}

static void wait_for(tf_verdict *out, tf_pause reason, const char *text)
{
    end(out, TF_WAIT, text);
    out->reason = reason;
}

static void say_lag(char *into, size_t size, const char *who, int64_t lag_ms, int64_t max_ms)
{
    snprintf(into, size, "%s %.1f s behind, the limit is %.1f s", who, (double)lag_ms / 1000, (double)max_ms / 1000);
}

void tf_throttle_decide(const tf_sight *sight, const tf_conflicts *conflicts, int64_t max_lag_ms, int64_t now, tf_verdict *out)
{
    char text[sizeof out->text], who[sizeof sight->slowest + 16];
    *out = (tf_verdict){.kind = TF_GO};
    if (sight->shut_out)
        end(out, TF_SHUT_OUT, "another process took the run over");
    else if (sight->cancel_wanted) {
        snprintf(text, sizeof text, "cancelled by %s", sight->by);
        end(out, TF_CANCEL, text);
    } else if (sight->critical[0])
        end(out, TF_CRITICAL, sight->critical);
    else if (sight->pause_wanted) {
        snprintf(text, sizeof text, "%s asked for it", sight->by);
        wait_for(out, TF_PAUSE_REQUEST, text);
    } else if (sight->pause_file[0]) {
        snprintf(text, sizeof text, "%s exists", sight->pause_file);
        wait_for(out, TF_PAUSE_FILE, text);
    } else if (sight->load[0])
        wait_for(out, TF_PAUSE_LOAD, sight->load);
    else if (sight->majority_lag_ms > max_lag_ms) {
        say_lag(text, sizeof text, "the majority is", sight->majority_lag_ms, max_lag_ms);
        wait_for(out, TF_PAUSE_MAJORITY_LAG, text);
    } else if (sight->member_lag_ms > max_lag_ms) {
        snprintf(who, sizeof who, "member %s is", sight->slowest);
        say_lag(text, sizeof text, who, sight->member_lag_ms, max_lag_ms);
        wait_for(out, TF_PAUSE_MEMBER_LAG, text);
    } else if (now < conflicts->pause_until) {
        snprintf(text, sizeof text, "too many batches met a write conflict, %.0f s of rest", (double)conflicts->pause_ms / 1000);
        wait_for(out, TF_PAUSE_CONFLICTS, text);
    }
}

/* A batch that conflicts is tried again and again: by attempts, not by batches. */
void tf_conflicts_count(tf_conflicts *all, int attempts, int conflicts, int64_t now)
{
    all->attempts += attempts;
    all->conflicts += conflicts;
    if (all->attempts < WINDOW)
        return;
    if (all->conflicts * 2 < all->attempts)
        all->pause_ms = 0;
    else {
        all->pause_ms = all->pause_ms ? all->pause_ms * 2 : CONFLICT_PAUSE_MS;
        if (all->pause_ms > CONFLICT_PAUSE_MOST_MS)
            all->pause_ms = CONFLICT_PAUSE_MOST_MS;
        all->pause_until = now + all->pause_ms;
    }
    all->attempts = all->conflicts = 0;
}

/* ---- the gate ---- */

struct tf_throttle {
    int64_t max_lag_ms;
    double nice;
    tf_wake wake;
    tf_sight sight;
    tf_conflicts conflicts;
    int inside;      /* workers in a batch */
    tf_pause reason; /* the one that time is counted for */
    int64_t since;
    int64_t held_ms[TF_PAUSES];
};

tf_throttle *tf_throttle_new(int64_t max_lag_ms, double nice)
{
    tf_throttle *t = bson_malloc0(sizeof *t);
    t->max_lag_ms = max_lag_ms;
    t->nice = nice;
    tf_wake_init(&t->wake);
    return t;
}

void tf_throttle_free(tf_throttle *t)
{
    if (!t)
        return;
    tf_wake_done(&t->wake);
    free(t);
}

/* With the mutex held: decides, and counts the time that passed under the reason before. */
static void decide(tf_throttle *t, tf_verdict *out)
{
    int64_t now = tf_clock_ms();
    tf_throttle_decide(&t->sight, &t->conflicts, t->max_lag_ms, now, out);
    tf_pause reason = out->kind == TF_WAIT ? out->reason : TF_PAUSE_NONE;
    if (t->reason != TF_PAUSE_NONE)
        t->held_ms[t->reason] += now - t->since;
    t->reason = reason;
    t->since = now;
}

void tf_throttle_see(tf_throttle *t, const tf_sight *sight)
{
    tf_verdict ignored;
    pthread_mutex_lock(&t->wake.mutex);
    t->sight = *sight;
    decide(t, &ignored);
    tf_wake_tell(&t->wake);
    pthread_mutex_unlock(&t->wake.mutex);
}

bool tf_throttle_look(tf_throttle *t, tf_verdict *out)
{
    pthread_mutex_lock(&t->wake.mutex);
    decide(t, out);
    bool still = t->inside == 0;
    pthread_mutex_unlock(&t->wake.mutex);
    return still;
}

bool tf_throttle_enter(tf_throttle *t, bool (*give_up)(void *arg), void *arg, tf_verdict *why)
{
    pthread_mutex_lock(&t->wake.mutex);
    for (decide(t, why); why->kind == TF_WAIT; decide(t, why)) {
        bool stop = tf_stop_level() > 0 || (give_up && give_up(arg));
        if (stop) {
            pthread_mutex_unlock(&t->wake.mutex);
            *why = (tf_verdict){.kind = TF_GO};
            return false;
        }
        tf_wake_wait(&t->wake, SLICE_MS);
    }
    bool go = why->kind == TF_GO;
    t->inside += go;
    pthread_mutex_unlock(&t->wake.mutex);
    return go;
}

void tf_throttle_leave(tf_throttle *t, int64_t worked_ms, int attempts, int conflicts)
{
    tf_verdict verdict;
    int64_t begun = tf_clock_ms(), until = begun + (int64_t)((double)worked_ms * t->nice);
    pthread_mutex_lock(&t->wake.mutex);
    t->inside--;
    tf_conflicts_count(&t->conflicts, attempts, conflicts, begun);
    for (decide(t, &verdict); tf_clock_ms() < until && tf_stop_level() == 0; decide(t, &verdict)) {
        if (verdict.kind != TF_GO && verdict.kind != TF_WAIT) /* nothing to be nice for any more */
            break;
        tf_wake_wait(&t->wake, SLICE_MS);
    }
    if (until > begun)
        t->held_ms[TF_PAUSE_NONE] += tf_clock_ms() - begun;
    pthread_mutex_unlock(&t->wake.mutex);
}

int64_t tf_throttle_held_ms(tf_throttle *t, tf_pause reason)
{
    tf_verdict ignored;
    pthread_mutex_lock(&t->wake.mutex);
    decide(t, &ignored);
    int64_t ms = t->held_ms[reason];
    pthread_mutex_unlock(&t->wake.mutex);
    return ms;
}
