/* Shutting former owners out, and waiting for those who may still live. */
#ifndef TF_ENGINE_TAKEOVER_H
#define TF_ENGINE_TAKEOVER_H

#include "engine/engine.h"

/* Fences every unfinished run but `except` (may be NULL), so that no former owner can write any more. */
bool tf_takeover_fence_unfinished(const tf_engine *engine, const char *except, tf_error *err);

/* Waits, saying so, until nobody holds the run, which is read again; at once with settings.take_over. LEASE_HELD when its
 * owner lives and renews, INTERRUPTED on a request to stop. */
bool tf_takeover_wait(const tf_engine *engine, tf_run *run, tf_error *err);

/* Whom a run was taken from, for the audit trail: remembered before, noted behind. Nothing is noted of a run that nobody had. */
typedef struct tf_takeover_from {
    bool held;
    char user[64], host[256];
    int64_t pid, fence;
} tf_takeover_from;

void tf_takeover_remember(const tf_run *run, tf_takeover_from *from);
void tf_takeover_note(const tf_engine *engine, const tf_run *run, const tf_takeover_from *from);

#endif
