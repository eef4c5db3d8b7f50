/*
 * A command's connection and engine. Zero-initialise, release with tf_session_done, do not move while it is open: the
 * engine's observer points into it.
 */
#ifndef TF_CMD_SESSION_H
#define TF_CMD_SESSION_H

#include "base/command.h"
#include "base/key.h"
#include "cmd/connection.h"
#include "engine/engine.h"
#include "report/progress.h"

typedef struct tf_session {
    tf_connection connection;
    tf_client client;
    bool open;
    tf_engine engine;
    tf_progress *progress; /* of the phase that is going on, NULL between phases */
    char phase[24];
    int64_t done, total;    /* as shown last */
    char reason[24];        /* of the pause that goes on; empty: none */
    char note[320];
    unsigned progress_flags;
    tf_key *signer; /* of the audit trail; NULL: none */
    int64_t patience_ms; /* set before it is opened: how long the server may work on one operation; 0: the driver's 5 minutes */
} tf_session;

/* Connects as the global options say and makes an engine for `migration` (NULL where a run names it), whose observer
 * draws progress and prints messages on standard error. */
bool tf_session_open(tf_session *session, const tf_globals *globals, const tf_migration *migration, tf_error *err);

/* Reads the key that signs what the command writes to the audit trail, where one is named. USAGE: it cannot be read, is none, others
 * may read it, or --sign demands one and none is named. */
bool tf_session_sign(tf_session *session, const tf_globals *globals, tf_error *err);

/* For commands that write: opens the connection with the key read before. */
bool tf_session_open_to_write(tf_session *session, const tf_globals *globals, const tf_migration *migration, tf_error *err);

/* Ends the progress line: to be called before anything else is printed. */
void tf_session_settle(tf_session *session);

void tf_session_done(tf_session *session);

#endif
