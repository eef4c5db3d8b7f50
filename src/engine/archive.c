#include "engine/archive.h"

#include "base/failpoint.h"
#include "base/field.h"
#include "base/text.h"
#include "db/client.h"
#include "db/failure.h"
#include "db/privilege.h"
#include "store/trail_file.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <tokenfix/cleanup.h>

enum { CHUNK = 1000 };

/* ---- what is old enough ---- */

/* The runs that are not finished, as the keys of a document: their events stay. */
static bool read_unfinished(const tf_store *store, bson_t *runs, tf_error *err)
{
    static const tf_state finished[] = {TF_STATE_COMPLETED, TF_STATE_FAILED, TF_STATE_CANCELLED, TF_STATE_ROLLED_BACK,
                                        TF_STATE_ROLLED_BACK_WITH_CONFLICTS};
    tf_op op = tf_store_op(store, NULL, "look for unfinished runs");
    bson_t query, names;
    _cleanup_bson_ bson_t filter = BSON_INITIALIZER;
    char key[16], id[TF_RUN_ID_SIZE];
    BSON_APPEND_DOCUMENT_BEGIN(&filter, "state", &query);
    BSON_APPEND_ARRAY_BEGIN(&query, "$nin", &names);
    for (size_t i = 0; i < sizeof finished / sizeof *finished; i++) {
        snprintf(key, sizeof key, "%zu", i);
        BSON_APPEND_UTF8(&names, key, tf_state_name(finished[i]));
    }
    bson_append_array_end(&query, &names);
    bson_append_document_end(&filter, &query);
    _cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("projection", "{", "_id", BCON_INT32(1), "}");
    _cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor = tf_op_find(&op, tf_store_name(store, TF_RUNS).text, &filter, opts);
    const bson_t *doc = NULL;
    int got;
    while ((got = tf_cursor_next(cursor, &op, &doc, err)) == 1)
        if (tf_field_text(doc, "_id", id, sizeof id))
            BSON_APPEND_BOOL(runs, id, true);
    return got == 0;
}

typedef struct sieve {
    tf_archive *archive;
    int64_t before; /* the server's time: what was written earlier goes */
    bson_t unfinished;
} sieve;

/* The first event that stays ends what goes. */
static bool sift(void *arg, const bson_t *event, tf_error *err)
{
    sieve *s = arg;
    tf_archive *archive = s->archive;
    char run[TF_RUN_ID_SIZE];
    (void)err;
    if (archive->kept)
        return true;
    int64_t seq = tf_field_number(event, "_id");
    bool unfinished = tf_field_text(event, "run", run, sizeof run) && bson_has_field(&s->unfinished, run);
    if (tf_field_number(event, "at") >= s->before || unfinished) {
        archive->kept = seq;
        snprintf(archive->kept_for, sizeof archive->kept_for, "%s", tf_field_number(event, "at") < s->before ? run : "");
        return true;
    }
    if (archive->count++ == 0)
        archive->first = seq;
    archive->upto.seq = seq;
    tf_field_hash(event, "hash", archive->upto.hash);
    return true;
}

static bool is_whole(const tf_trail *trail, tf_error *err)
{
    if (trail->chain.broken == TF_BREAK_NONE)
        return true;
    tf_error_set(err, TF_ERR_DAMAGED, "the audit trail is broken: %s", trail->chain.text);
    return tf_error_hint(err, "Nothing of it is removed. 'tokenfix history --export FILE' keeps it as it is up to there; "
                              "docs/audit-trail.md, 'A break'.");
}

/* Walks the trail (as far as `upto`; 0: to its head) through the sieve. */
static bool sift_all(const tf_engine *engine, const tf_archive_wanted *wanted, int64_t upto, tf_archive *out, tf_trail *trail, tf_error *err)
{
    sieve s = {.archive = out};
    int64_t now = 0;
    bson_init(&s.unfinished);
    tf_trail_wanted walk = {.upto = upto, .witnesses = upto == 0, .see = sift, .arg = &s};
    bool ok = tf_client_now(engine->store.client, &now, err) && read_unfinished(&engine->store, &s.unfinished, err);
    s.before = now - wanted->older_ms;
    ok = ok && tf_trail_walk(&engine->store, &walk, trail, err) && is_whole(trail, err);
    bson_destroy(&s.unfinished);
    return ok;
}

static bool plan_anew(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *out, tf_error *err)
{
    tf_trail trail;
    if (!sift_all(engine, wanted, 0, out, &trail, err))
        return false;
    out->left_over = trail.left_over;
    return true;
}

/* ---- what an archive that died has left ---- */

static bool strange(const char *path, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "'%s' is there already, and does not go on with this trail", TF_WORD(path));
    return tf_error_hint(err, "What was exported is never written over: name another file.");
}

/* A file that --export wrote fits the trail, too, and holds what is to stay. */
static bool holds_what_stays(const char *path, const tf_archive *sifted, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "'%s' is there already, and holds event %" PRId64 ", which %s%s", TF_WORD(path), sifted->kept,
                 sifted->kept_for[0] ? "belongs to the unfinished run " : "is not old enough", sifted->kept_for);
    return tf_error_hint(err, "Nothing is removed but what is old enough: name another file.");
}

static bool take_up(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *out, tf_error *err)
{
    const char *path = wanted->path;
    tf_archive sifted = {0};
    tf_trail_file file;
    tf_trail trail;
    if (!tf_trail_file_check_path(path, NULL, 0, NULL, &file, err))
        return false;
    if (file.chain.broken != TF_BREAK_NONE || file.chain.count == 0)
        return strange(path, err);
    if (!sift_all(engine, wanted, file.chain.last.seq, &sifted, &trail, err))
        return false;
    out->have_file = true;
    out->have_event = strcmp(trail.anchor.sha256, file.sha256) == 0;
    out->first = file.chain.first;
    out->count = file.chain.count;
    out->upto = file.chain.last;
    out->left_over = trail.left_over;
    snprintf(out->sha256, sizeof out->sha256, "%s", file.sha256);
    if (out->have_event)
        return true;
    bool follows = file.chain.first == trail.anchor.upto.seq + 1 && trail.chain.last.seq == file.chain.last.seq &&
                   memcmp(trail.chain.last.hash, file.chain.last.hash, 32) == 0;
    return !follows ? strange(path, err) : !sifted.kept || holds_what_stays(path, &sifted, err);
}

bool tf_archive_plan(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *out, tf_error *err)
{
    struct stat about;
    *out = (tf_archive){0};
    return lstat(wanted->path, &about) == 0 ? take_up(engine, wanted, out, err) : plan_anew(engine, wanted, out, err);
}

/* ---- doing it ---- */

static bool may_remove(const tf_engine *engine, tf_error *err)
{
    const tf_store *store = &engine->store;
    tf_privileges privileges;
    if (!tf_privileges_read(store->client, &privileges, err))
        return false;
    bool may = tf_privilege_held(&privileges, store->db, tf_store_name(store, TF_EVENTS).text, "remove");
    tf_privileges_done(&privileges);
    if (may)
        return true;
    tf_error_set(err, TF_ERR_PERMISSION, "Permission denied: the privilege 'remove' on %s.%s is missing", store->db,
                 tf_store_name(store, TF_EVENTS).text);
    return tf_error_hint(err, "'tokenfix validate --print-role purge' prints the role that has it; who repairs should not.");
}

static bool add_line(void *arg, const bson_t *event, tf_error *err)
{
    return tf_trail_writer_add(arg, event, err);
}

static bool export(const tf_engine *engine, const char *path, tf_archive *archive, tf_error *err)
{
    tf_trail trail;
    _cleanup_(tf_trail_writer_freep) tf_trail_writer *writer = tf_trail_writer_new(path, err);
    tf_trail_wanted walk = {.upto = archive->upto.seq, .see = add_line, .arg = writer};
    TF_FAILPOINT("archive.before_file");
    if (!writer || !tf_trail_walk(&engine->store, &walk, &trail, err) || !is_whole(&trail, err))
        return false;
    if (trail.chain.last.seq != archive->upto.seq || memcmp(trail.chain.last.hash, archive->upto.hash, 32) != 0)
        return tf_error_set(err, TF_ERR_DAMAGED, "the audit trail was changed while it was read");
    archive->first = trail.chain.first; /* another archive may have taken the beginning meanwhile */
    archive->count = trail.chain.count;
    return tf_trail_writer_finish(writer, &trail.chain, engine->store.signer, archive->sha256, err);
}

static bool note(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *archive, tf_error *err)
{
    const char *slash = strrchr(wanted->path, '/');
    tf_head head = {0};
    _cleanup_(bson_destroyp) bson_t *options = BCON_NEW("older_than_ms", BCON_INT64(wanted->older_ms));
    _cleanup_(bson_destroyp) bson_t *data =
        BCON_NEW("first", BCON_INT64(archive->first), "upto", BCON_INT64(archive->upto.seq), "hash",
                 BCON_BIN(BSON_SUBTYPE_BINARY, archive->upto.hash, 32), "count", BCON_INT64(archive->count), "file",
                 BCON_UTF8(slash ? slash + 1 : wanted->path), "sha256", BCON_UTF8(archive->sha256));
    tf_event event = {.type = TF_EVENT_ARCHIVED, .options = options, .data = data};
    if (!tf_event_append(&engine->store, &event, &head, err))
        return false;
    archive->event = head.seq;
    return true;
}

/* 1 and the lowest number that is to go, 0 when there is none, -1 */
static int lowest(const tf_store *store, int64_t upto, int64_t *seq, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "look for archived events");
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    _cleanup_(bson_destroyp) bson_t *filter =
        BCON_NEW("_id", "{", "$type", BCON_UTF8("long"), "$gte", BCON_INT64(1), "$lte", BCON_INT64(upto), "}");
    _cleanup_(bson_destroyp) bson_t *opts =
        BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}", "limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    int got = tf_cursor_one(tf_op_find(&op, tf_store_name(store, TF_EVENTS).text, filter, opts), &op, &doc, err);
    *seq = tf_field_number(&doc, "_id");
    return got;
}

static bool remove_chunk(const tf_store *store, int64_t from, int64_t upto, int64_t *removed, tf_error *err)
{
    tf_op op = tf_store_op(store, NULL, "remove archived events");
    int64_t n = 0;
    _cleanup_(bson_destroyp) bson_t *command =
        BCON_NEW("delete", BCON_UTF8(tf_store_name(store, TF_EVENTS).text), "deletes", "[", "{", "q", "{", "_id", "{", "$type",
                 BCON_UTF8("long"), "$gte", BCON_INT64(from), "$lte", BCON_INT64(upto), "}", "}", "limit", BCON_INT32(0), "}", "]");
    if (!tf_op_write(&op, command, &n, NULL, err))
        return false;
    *removed += n;
    return true;
}

/* The oldest first: what is left of a removal that died lies behind the gap, and is passed over until it is gone. */
static bool remove_all(const tf_engine *engine, tf_archive *archive, tf_error *err)
{
    const tf_store *store = &engine->store;
    int64_t from = 0, last = archive->upto.seq;
    int got;
    while ((got = lowest(store, last, &from, err)) == 1) {
        int64_t upto = last - from < CHUNK ? last : from + CHUNK - 1;
        if (!remove_chunk(store, from, upto, &archive->removed, err))
            return false;
        TF_FAILPOINT("archive.between_removals");
    }
    return got == 0;
}

bool tf_archive_run(const tf_engine *engine, const tf_archive_wanted *wanted, tf_archive *archive, tf_error *err)
{
    if (!may_remove(engine, err))
        return false;
    if (!archive->have_file && !export(engine, wanted->path, archive, err))
        return false;
    TF_FAILPOINT("archive.before_event");
    if (!archive->have_event && !note(engine, wanted, archive, err))
        return false;
    TF_FAILPOINT("archive.after_event");
    if (remove_all(engine, archive, err))
        return true;
    return tf_error_hint(err, "What is not removed yet is exported: the same command again removes it.");
}
