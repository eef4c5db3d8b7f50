#include "cmd/session.h"

#include <openssl/crypto.h>

#include "cmd/secret_file.h"
#include "cmd/version.h"
#include "report/log.h"
#include "report/output.h"

/* What a phase of the engine is called on the progress line. */
static const char *label_of(const char *phase)
{
    static const char *const labels[][2] = {{"plan", "counting"},
                                            {"ledger", "adding up"},
                                            {"repair", "repairing"},
                                            {"restore", "restoring"},
                                            {"verify", "verifying"},
                                            {"audit", "checking"},
                                            {"export", "exporting"},
                                            {"examine", "examining"},
                                            {"import", "bringing back"}};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strcmp(labels[i][0], phase) == 0)
            return labels[i][1];
    return phase;
}

static void show_progress(void *arg, const char *phase, int64_t done, int64_t total)
{
    tf_session *session = arg;
    if (strcmp(session->phase, phase) != 0)
        tf_session_settle(session);
    if (!session->progress) {
        snprintf(session->phase, sizeof session->phase, "%s", phase);
        session->progress = tf_progress_new(label_of(phase), total, session->progress_flags);
    }
    session->done = done;
    session->total = total;
    tf_progress_set(session->progress, done, total, session->note[0] ? session->note : NULL);
}

static void show_message(void *arg, const char *text)
{
    tf_session *session = arg;
    if (session->progress)
        tf_progress_say(session->progress, "tokenfix: %s", text);
    else if (!(session->progress_flags & TF_PROGRESS_QUIET))
        tf_output_note("%s", text);
    else
        tf_log(TF_LOG_INFO, NULL, "%s", text);
}

/* Each pause is said once; while it lasts its reason stands behind the bar. */
static void show_pause(void *arg, const char *reason, const char *text)
{
    tf_session *session = arg;
    char said[400];
    bool same = strcmp(session->reason, reason) == 0;
    snprintf(session->reason, sizeof session->reason, "%s", reason);
    snprintf(session->note, sizeof session->note, "%s%s", text ? "paused: " : "", text ? text : "");
    if (text)
        snprintf(said, sizeof said, "paused: %s", text);
    else
        snprintf(said, sizeof said, "goes on");
    if (!same)
        show_message(session, said);
    if (session->progress)
        tf_progress_set(session->progress, session->done, session->total, session->note[0] ? session->note : NULL);
}

bool tf_session_open(tf_session *session, const tf_globals *globals, const tf_migration *migration, tf_error *err)
{
    tf_connection *to = &session->connection;
    bool resolved = tf_connection_resolve(globals, to, err);
    if (!globals->more)
        tf_options_forget(globals->options);
    if (resolved)
        tf_log_about(to->db);
    if (resolved)
        tf_connection_be_patient(to, session->patience_ms);
    bool good =
        resolved && tf_client_open(to->uri, to->db, to->state_db, to->timeout_ms, to->allowed, &session->client, err);
    tf_client_forget(to->uri);
    to->uri = NULL;
    if (!good)
        return false;
    session->open = true;
    session->progress_flags = globals->quiet ? TF_PROGRESS_QUIET : globals->json ? TF_PROGRESS_LINES : 0;
    tf_engine_init(&session->engine, &session->client, migration);
    session->engine.observer = (tf_observer){.arg = session, .progress = show_progress, .message = show_message, .paused = show_pause};
    session->engine.settings.tool_version = tf_version();
    session->engine.store.signer = session->signer;
    return true;
}

bool tf_session_sign(tf_session *session, const tf_globals *globals, tf_error *err)
{
    char pem[16384];
    size_t length = 0;
    if (!globals->sign_key) {
        if (!globals->sign)
            return true;
        tf_error_set(err, TF_ERR_USAGE, "option '--sign' needs a key");
        return tf_error_hint(err, "Name it by --sign-key FILE or TOKENFIX_SIGN_KEY; 'tokenfix history --make-key FILE' makes one.");
    }
    if (tf_secret_file_read_all(globals->sign_key, pem, sizeof pem, &length, err))
        session->signer = tf_key_parse(pem, length, true, globals->sign_key, err);
    OPENSSL_cleanse(pem, sizeof pem);
    return session->signer != NULL;
}

bool tf_session_open_to_write(tf_session *session, const tf_globals *globals, const tf_migration *migration, tf_error *err)
{
    return tf_session_sign(session, globals, err) && tf_session_open(session, globals, migration, err);
}

void tf_session_settle(tf_session *session)
{
    tf_progress_done(session->progress);
    session->progress = NULL;
    session->phase[0] = '\0';
}

void tf_session_done(tf_session *session)
{
    tf_session_settle(session);
    if (session->open)
        tf_client_leave(&session->client);
    tf_connection_done(&session->connection);
    tf_key_free(session->signer);
    session->signer = NULL;
    session->open = false;
}
