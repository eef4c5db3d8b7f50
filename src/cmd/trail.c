#include "cmd/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "cmd/retention.h"
#include "cmd/session.h"
#include "cmd/sheet.h"
#include "cmd/trail_report.h"
#include "engine/note.h"
#include "report/output.h"
#include "store/trail_file.h"

enum { KEYS_MAX = 16, KEY_BYTES = 16384 };

/* ---- which of them ---- */

static bool needs(const char *option, const char *other, tf_error *err)
{
    return tf_error_set(err, TF_ERR_USAGE, "option '--%s' needs '--%s'", option, other);
}

bool tf_trail_wants(const tf_trail_args *args, int words, tf_error *err)
{
    const struct {
        const char *name;
        bool given;
    } modes[] = {{"events", args->events},           {"verify", args->verify},
                 {"export", args->export_to != NULL}, {"archive", args->archive != NULL},
                 {"make-key", args->make_key != NULL}};
    const char *mode = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!modes[i].given)
            continue;
        if (mode)
            return tf_error_set(err, TF_ERR_USAGE, "option '--%s' contradicts '--%s'", modes[i].name, mode);
        mode = modes[i].name;
    }
    if (args->public_keys.count && !args->verify)
        return needs("public-key", "verify", err);
    if (args->head && !args->verify)
        return needs("head", "verify", err);
    if (args->file && !args->verify)
        return needs("file", "verify", err);
    if (args->older_than && !args->archive)
        return needs("older-than", "archive", err);
    if (args->archive && !args->older_than)
        return needs("archive", "older-than", err);
    if ((args->confirm || args->yes) && !args->archive)
        return needs(args->confirm ? "confirm" : "yes", "archive", err);
    if (mode && words) {
        tf_error_set(err, TF_ERR_USAGE, "option '--%s' is about the whole audit trail, not about one run", mode);
        return tf_error_hint(err, "'tokenfix verify RUN' proves one run.");
    }
    return mode != NULL;
}

/* ---- verify ---- */

typedef struct keys {
    tf_key *items[KEYS_MAX];
    size_t count;
} keys;

static void keys_done(keys *list)
{
    for (size_t i = 0; i < list->count; i++)
        tf_key_free(list->items[i]);
}

/* A public key is no secret: anybody may read it, but it must be a file. */
static tf_key *read_public(const char *path, tf_error *err)
{
    char pem[KEY_BYTES];
    FILE *in = fopen(path, "re");
    size_t length = in ? fread(pem, 1, sizeof pem, in) : 0;
    bool good = in && !ferror(in);
    int reason = errno;
    if (in)
        fclose(in);
    if (!good) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' cannot be read", TF_WORD(path));
        tf_error_detail(err, "%s", strerror(reason));
        tf_error_hint(err, "Check the name, and that you may read the file.");
        return NULL;
    }
    tf_key *key = tf_key_parse(pem, length, false, path, err);
    OPENSSL_cleanse(pem, sizeof pem);
    return key;
}

static bool read_keys(const tf_strings *paths, keys *out, tf_error *err)
{
    if (paths->count > KEYS_MAX)
        return tf_error_set(err, TF_ERR_USAGE, "option '--public-key' is given more than %d times", KEYS_MAX);
    for (size_t i = 0; i < paths->count; i++) {
        if (!(out->items[out->count] = read_public(paths->items[i], err)))
            return false;
        out->count++;
    }
    return true;
}

static int tell(const tf_trail_report *report, bool json)
{
    if (json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_trail_report_append(report, &data);
        tf_output_success(&data);
    } else
        tf_trail_report_print(report);
    return report->chain->broken == TF_BREAK_NONE ? 0 : 3;
}

static int verify_file(const tf_globals *globals, const tf_trail_args *args, const keys *list, const tf_head *head)
{
    tf_error err = {0};
    tf_trail_file file;
    if (!tf_trail_file_check_path(args->file, (const tf_key *const *)list->items, list->count, head, &file, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    return tell(&(tf_trail_report){.chain = &file.chain, .file = &file, .name = args->file, .head = head}, globals->json);
}

static int verify_trail(const tf_globals *globals, const keys *list, const tf_head *head)
{
    tf_error err = {0};
    tf_trail trail;
    _cleanup_(tf_session_done) tf_session session = {0};
    tf_trail_wanted wanted = {.keys = (const tf_key *const *)list->items, .keys_count = list->count, .head = head, .witnesses = true};
    if (!tf_session_open(&session, globals, NULL, &err) || !tf_trail_walk(&session.engine.store, &wanted, &trail, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    return tell(&(tf_trail_report){.chain = &trail.chain, .trail = &trail, .name = session.client.state_db, .head = head}, globals->json);
}

static int verify(const tf_globals *globals, const tf_trail_args *args)
{
    tf_error err = {0};
    tf_head head;
    _cleanup_(keys_done) keys list = {0};
    if ((args->head && !tf_head_parse(args->head, &head, &err)) || !read_keys(&args->public_keys, &list, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    return args->file ? verify_file(globals, args, &list, args->head ? &head : NULL)
                      : verify_trail(globals, &list, args->head ? &head : NULL);
}

/* ---- export ---- */

static bool add_line(void *arg, const bson_t *event, tf_error *err)
{
    return tf_trail_writer_add(arg, event, err);
}

static bool export(const tf_session *session, const char *path, tf_trail *trail, char sha256[65], tf_error *err)
{
    _cleanup_(tf_trail_writer_freep) tf_trail_writer *writer = tf_trail_writer_new(path, err);
    tf_trail_wanted wanted = {.see = add_line, .arg = writer};
    if (!writer || !tf_trail_walk(&session->engine.store, &wanted, trail, err))
        return false;
    if (trail->chain.count == 0 && trail->chain.broken == TF_BREAK_NONE) {
        tf_error_set(err, TF_ERR_NOTHING_TO_DO, "there are no events in %s", session->client.state_db);
        return tf_error_hint(err, "Check --db and --state-db.");
    }
    return tf_trail_writer_finish(writer, &trail->chain, session->signer, sha256, err);
}

/* Who took a copy is an event where they may write one; who only reads (an auditor) gets the file all the same. Unsigned behind what is
 * signed it would be a break: then nothing is written without the key. */
static void note_export(const tf_session *session, const char *path, const tf_trail *trail, const char *sha256)
{
    const char *slash = strrchr(path, '/');
    const tf_chain *chain = &trail->chain;
    if (chain->signed_count && !session->signer)
        return;
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("what", "events", "first", BCON_INT64(chain->first), "last", BCON_INT64(chain->last.seq), "hash",
                 BCON_BIN(BSON_SUBTYPE_BINARY, chain->last.hash, 32), "count", BCON_INT64(chain->count), "file",
                 BCON_UTF8(slash ? slash + 1 : path), "sha256", BCON_UTF8(sha256));
    tf_note_try(&session->engine.store, TF_EVENT_EXPORTED, NULL, data, NULL, TF_NOTE_PATIENCE_MS);
}

/* What stands before a break is written all the same: it is what there is to look at. */
static int export_trail(const tf_globals *globals, const tf_trail_args *args)
{
    tf_error err = {0};
    tf_trail trail;
    char sha256[65];
    _cleanup_(tf_session_done) tf_session session = {0};
    if (!tf_session_open_to_write(&session, globals, NULL, &err) || !export(&session, args->export_to, &trail, sha256, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    note_export(&session, args->export_to, &trail, sha256);
    return tell(&(tf_trail_report){.chain = &trail.chain, .trail = &trail, .name = session.client.state_db,
                                   .exported = args->export_to, .sha256 = sha256},
                globals->json);
}

/* ---- a key ---- */

static bool put(const char *path, const char *text, mode_t mode, tf_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    size_t length = strlen(text);
    if (fd < 0 && errno == EEXIST) {
        tf_error_set(err, TF_ERR_USAGE, "'%s' is there already", TF_WORD(path));
        return tf_error_hint(err, "A key is never written over: name another file.");
    }
    bool ok = fd >= 0 && write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
    if (!ok)
        tf_error_errno(err, errno, "cannot write '%s'", TF_WORD(path));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool write_key(const tf_key *key, const char *path, const char *public_path, tf_error *err)
{
    char *secret = tf_key_pem(key, true), *public = tf_key_pem(key, false);
    bool ok = put(path, secret, 0600, err) && put(public_path, public, 0644, err);
    OPENSSL_cleanse(secret, strlen(secret));
    bson_free(secret);
    bson_free(public);
    return ok;
}

static int make_key(const tf_globals *globals, const char *path)
{
    tf_error err = {0};
    char public_path[4096], fingerprint[2 * TF_FINGERPRINT_SIZE + 1];
    snprintf(public_path, sizeof public_path, "%s.pub", path);
    _cleanup_(tf_key_freep) tf_key *key = tf_key_make(&err);
    if (!key || !write_key(key, path, public_path, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    tf_hex(tf_key_fingerprint(key), TF_FINGERPRINT_SIZE, fingerprint);
    if (globals->json) {
        _cleanup_(bson_destroyp) bson_t *data =
            BCON_NEW("privateKey", BCON_UTF8(path), "publicKey", BCON_UTF8(public_path), "fingerprint", BCON_UTF8(fingerprint));
        tf_output_success(data);
        return 0;
    }
    printf("Private key %s: sign with it (--sign-key), and keep it where the database's administrators cannot read it.\n"
           "Public key %s: give it to who verifies (history --verify --public-key).\nFingerprint %s\n",
           TF_WORD(path), TF_WORD(public_path), fingerprint);
    return 0;
}

/* ---- the list ---- */

static int list_events(const tf_globals *globals, const tf_trail_args *args)
{
    tf_error err = {0};
    _cleanup_(tf_session_done) tf_session session = {0};
    _cleanup_(tf_event_page_done) tf_event_page page = {0};
    if (!tf_session_open(&session, globals, NULL, &err) ||
        !tf_event_page_read(&session.engine.store, args->limit, args->offset, &page, &err))
        return tf_output_error(&err, NULL, NULL, globals->json);
    if (globals->json) {
        _cleanup_bson_ bson_t data = BSON_INITIALIZER;
        tf_event_page_append(&page, &data);
        tf_output_success(&data);
    } else if (page.count == 0)
        printf("No events%s in %s.\n", args->offset ? " that far back" : "", session.client.state_db);
    else
        tf_event_page_print(&page);
    return 0;
}

int tf_trail_command(const tf_globals *globals, const tf_trail_args *args)
{
    return args->make_key    ? make_key(globals, args->make_key)
           : args->export_to ? export_trail(globals, args)
           : args->archive   ? tf_retention_command(globals, args)
           : args->events    ? list_events(globals, args)
                             : verify(globals, args);
}
