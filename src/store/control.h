/*
 * What another process asks the owner of a run to do. The request stands in the run's document, apart from its state: the
 * owner alone changes that. It names the fence of the owner that is meant: whoever takes the run over is not bound by it.
 */
#ifndef TF_STORE_CONTROL_H
#define TF_STORE_CONTROL_H

#include "store/run.h"

typedef enum { TF_REQUEST_NONE, TF_REQUEST_PAUSE, TF_REQUEST_CONTINUE, TF_REQUEST_CANCEL } tf_request;

/* "pause", "continue", "cancel"; "" for NONE. */
const char *tf_request_name(tf_request request);

/* Asks the owner of the run as read. LEASE_LOST where it has another owner by now, or has ended. */
bool tf_control_ask(const tf_store *store, const tf_run *run, tf_request request, tf_error *err);

/* The run as its owner looks at it, several times a second. */
typedef struct tf_control {
    tf_state stored;
    bool active;
    int64_t fence;
    tf_request request; /* to the owner with that fence */
    char by[160];       /* "user@host" */
} tf_control;

/* 1, 0 when there is no such run, -1. */
int tf_control_read(const tf_store *store, const char *run, tf_control *out, tf_error *err);

#endif
