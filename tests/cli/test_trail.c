/* tokenfix history --verify, --export, --file, --make-key, --events, and --sign: the audit trail as a whole. */
#include "base/hash.h"
#include "support/documents.h"
#include "support/golden.h"
#include "support/tokens.h"

#include <sys/stat.h>
#include <unistd.h>

typedef struct scene {
    tf_fixture *f;
    char *folder, key[256], public[256], file[256];
    tf_docs events; /* as they were written */
} scene;

static int setup(void **state)
{
    static scene s;
    void *made = NULL;
    int failed = tf_fixture_setup(&made);
    s = (scene){.f = made, .folder = tf_folder_make()};
    snprintf(s.key, sizeof s.key, "%s/trail.key", s.folder);
    snprintf(s.public, sizeof s.public, "%s/trail.key.pub", s.folder);
    snprintf(s.file, sizeof s.file, "%s/trail.jsonl", s.folder);
    *state = &s;
    return failed;
}

static int teardown(void **state)
{
    scene *s = *state;
    void *made = s->f;
    tf_docs_done(&s->events);
    tf_folder_remove(s->folder);
    return tf_fixture_teardown(&made);
}

#define TRAIL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define history(s, ...) tf_program_run((s)->f, "history", "--json", ##__VA_ARGS__, NULL)

static void make_key(const scene *s)
{
    assert_exit(tf_program_run(s->f, "history", "--make-key", s->key, NULL), 0);
}

/* A run that began unsigned, was resumed signed, and was taken back. */
static void fill(scene *s, bool sign)
{
    tf_tokens_sample(s->f, 25);
    assert_exit(tf_up(s->f, "--batch-size", "10", "--canary", "10"), 7);
    if (sign) {
        make_key(s);
        assert_exit(tf_up(s->f, "--resume", "--sign", "--sign-key", s->key), 0);
        assert_exit(tf_down(s->f, "--sign-key", s->key), 0);
    } else {
        assert_exit(tf_up(s->f, "--resume"), 0);
        assert_exit(tf_down(s->f), 0);
    }
    tf_documents_read(s->f, s->f->state_db, "events", &s->events);
}

static void assert_whole(const tf_program *p)
{
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.intact"));
    assert_false(tf_program_has(p, "data.break.kind"));
}

static void assert_broken(const tf_program *p, const char *what, const char *kind, int64_t at)
{
    if (p->status != 3 || tf_program_flag(p, "data.intact") || strcmp(tf_program_text(p, "data.break.kind"), kind) != 0 ||
        tf_program_number(p, "data.break.event") != at)
        fail_msg("%s: not %s at event %d: exit %d: %s\n%s", what, kind, (int)at, p->status, p->out, p->err);
}

/* ---- whole ---- */

static void trail__of_nothing_is_whole(void **state)
{
    scene *s = *state;
    tf_program *p = history(s, "--verify");
    assert_whole(p);
    assert_int_equal(tf_program_number(p, "data.events"), 0);
    p = history(s, "--export", s->file);
    assert_exit(p, 1);
    assert_string_equal(tf_program_text(p, "error.code"), "NOTHING_TO_DO");
    assert_int_not_equal(access(s->file, F_OK), 0);
    p = history(s, "--events");
    assert_exit(p, 0);
    assert_false(tf_program_has(p, "data.events.0"));
}

static void trail__as_it_was_written_is_whole(void **state)
{
    scene *s = *state;
    char head[128];
    fill(s, true);
    int64_t count = (int64_t)s->events.count;
    tf_program *p = history(s, "--verify");
    assert_whole(p);
    assert_int_equal(tf_program_number(p, "data.events"), count);
    assert_int_equal(tf_program_number(p, "data.first"), 1);
    assert_int_equal(tf_program_number(p, "data.last"), count);
    assert_int_equal(tf_program_number(p, "data.comparedRuns"), 2);
    assert_false(tf_program_flag(p, "data.signed.examined"));
    int64_t signed_events = tf_program_number(p, "data.signed.events");
    assert_true(signed_events > 5 && signed_events < count);
    snprintf(head, sizeof head, "%s", tf_program_text(p, "data.head"));
    p = history(s, "--verify", "--public-key", s->public, "--head", head);
    assert_whole(p);
    assert_true(tf_program_flag(p, "data.signed.examined"));
    assert_true(tf_program_flag(p, "data.headCompared"));
    assert_int_equal(tf_program_number(p, "data.signed.events"), signed_events);
    assert_int_equal(tf_program_number(p, "data.signed.last"), count);
    p = tf_program_run(s->f, "history", "--verify", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "whole, events 1 to ");
    assert_has(p->out, head);
    assert_has(p->out, "--public-key");
}

static void trail__head_is_told_by_up_and_down(void **state)
{
    scene *s = *state;
    char head[128];
    tf_tokens_sample(s->f, 5);
    tf_program *up = tf_up(s->f);
    snprintf(head, sizeof head, "%s", tf_program_text(up, "data.trailHead"));
    assert_whole(history(s, "--verify", "--head", head));
    tf_program *down = tf_program_run(s->f, "down", "--confirm", "--yes", NULL);
    assert_has(down->out, "Trail head ");
    assert_whole(history(s, "--verify", "--head", head)); /* it is older now, and still there */
}

/* ---- broken ---- */

static void remove_event(scene *s, size_t i)
{
    bson_t view;
    tf_docs_view(&s->events, i, &view);
    tf_documents_delete(s->f, s->f->state_db, "events", &view);
}

/* Another user in an event, with its hash and all that follow made to fit. */
static void forge_from(scene *s, size_t i)
{
    uint8_t hash[32] = {0};
    for (size_t k = i; k < s->events.count; k++) {
        bson_t was;
        bson_iter_t iter;
        tf_docs_view(&s->events, k, &was);
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        assert_true(bson_iter_init(&iter, &was));
        while (bson_iter_next(&iter)) {
            const char *name = bson_iter_key(&iter);
            if (strcmp(name, "hash") == 0 || strcmp(name, "signature") == 0 || strcmp(name, "key") == 0)
                continue;
            if (k == i && strcmp(name, "user") == 0)
                BSON_APPEND_UTF8(&doc, "user", "mallory");
            else if (k > i && strcmp(name, "previous") == 0)
                BSON_APPEND_BINARY(&doc, "previous", BSON_SUBTYPE_BINARY, hash, 32);
            else
                bson_append_iter(&doc, name, -1, &iter);
        }
        tf_sha256_of(bson_get_data(&doc), doc.len, hash);
        BSON_APPEND_BINARY(&doc, "hash", BSON_SUBTYPE_BINARY, hash, 32);
        tf_documents_replace(s->f, s->f->state_db, "events", &doc);
    }
}

static void change_event(scene *s, int64_t seq, const char *update)
{
    char json[400];
    snprintf(json, sizeof json, "{\"update\": \"events\", \"updates\": [{\"q\": {\"_id\": %d}, \"u\": %s}]}", (int)seq, update);
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_non_null(command);
    assert_true(mongoc_client_command_simple(s->f->client, s->f->state_db, command, NULL, NULL, NULL));
}

static void put_back(scene *s)
{
    _cleanup_(mongoc_collection_destroyp) mongoc_collection_t *in = tf_documents_in(s->f, s->f->state_db, "events");
    _cleanup_bson_ bson_t everything = BSON_INITIALIZER;
    assert_true(mongoc_collection_delete_many(in, &everything, NULL, NULL, NULL));
    for (size_t i = 0; i < s->events.count; i++) {
        bson_t view;
        tf_docs_view(&s->events, i, &view);
        assert_true(tf_documents_insert(s->f, s->f->state_db, "events", &view));
    }
}

static void trail__names_its_first_break(void **state)
{
    scene *s = *state;
    fill(s, true);
    int64_t count = (int64_t)s->events.count, last_signed = count;
    assert_whole(history(s, "--verify", "--public-key", s->public));

    change_event(s, 3, "{\"$set\": {\"user\": \"mallory\"}}");
    change_event(s, 5, "{\"$set\": {\"user\": \"mallory\"}}");
    assert_broken(history(s, "--verify"), "altered", "content", 3);
    tf_program *p = tf_program_run(s->f, "history", "--verify", NULL);
    assert_exit(p, 3);
    assert_has(p->out, "BROKEN at event 3 (content)");
    put_back(s);

    remove_event(s, 3);
    assert_broken(history(s, "--verify"), "removed", "number", 4);
    put_back(s);
    remove_event(s, 0);
    assert_broken(history(s, "--verify"), "the first one removed", "start", 1);
    put_back(s);

    /* the newest: the run that wrote it has its place */
    remove_event(s, s->events.count - 1);
    remove_event(s, s->events.count - 2);
    p = history(s, "--verify");
    assert_broken(p, "the newest removed", "end", count - 1);
    assert_has(tf_program_text(p, "data.break.message"), "run ");
    put_back(s);

    /* everything made to fit: the runs know better, and the signatures */
    forge_from(s, 1);
    p = history(s, "--verify");
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "witness");
    p = history(s, "--verify", "--public-key", s->public);
    assert_exit(p, 3);
    put_back(s);

    change_event(s, last_signed, "{\"$unset\": {\"signature\": 1}}");
    assert_broken(history(s, "--verify"), "a signature removed", "unsigned", last_signed);
    put_back(s);
    change_event(s, last_signed, "[{\"$set\": {\"signature\": \"$hash\"}}]");
    assert_broken(history(s, "--verify"), "a signature of another length", "unsigned", last_signed);
    put_back(s);
    assert_whole(history(s, "--verify", "--public-key", s->public));
}

/* Somebody without the key writes on behind a signed trail; the same without any public key given is no break. */
static void trail__unsigned_behind_signed_is_a_break(void **state)
{
    scene *s = *state;
    fill(s, true);
    int64_t count = (int64_t)s->events.count;
    assert_exit(tf_program_run(s->f, "up", NULL), 4);
    assert_whole(history(s, "--verify"));
    assert_broken(history(s, "--verify", "--public-key", s->public), "unsigned", "unsigned", count + 1);
}

static void trail__signed_by_another_is_a_break(void **state)
{
    scene *s = *state;
    char other[300];
    fill(s, true);
    snprintf(other, sizeof other, "%s/other.key", s->folder);
    assert_exit(tf_program_run(s->f, "history", "--make-key", other, NULL), 0);
    char public[320];
    snprintf(public, sizeof public, "%s.pub", other);
    tf_program *p = history(s, "--verify", "--public-key", public);
    assert_exit(p, 3);
    assert_string_equal(tf_program_text(p, "data.break.kind"), "key");
    assert_whole(history(s, "--verify", "--public-key", public, "--public-key", s->public));
}

static void trail__whose_newest_are_cut_off_is_noticed_by_a_head_that_was_kept(void **state)
{
    scene *s = *state;
    char head[128];
    tf_tokens_sample(s->f, 5);
    assert_exit(tf_program_run(s->f, "up", NULL), 4);
    assert_exit(tf_program_run(s->f, "up", NULL), 4);
    snprintf(head, sizeof head, "%s", tf_program_text(history(s, "--verify"), "data.head"));
    tf_documents_read(s->f, s->f->state_db, "events", &s->events);
    assert_int_equal(s->events.count, 2);
    remove_event(s, 1);
    assert_whole(history(s, "--verify")); /* nobody else knows of it */
    assert_broken(history(s, "--verify", "--head", head), "cut off", "end", 2);
    put_back(s);
    head[3] = head[3] == '0' ? '1' : '0';
    assert_broken(history(s, "--verify", "--head", head), "another", "witness", 2);
}

/* ---- files ---- */

static void export__can_be_examined_without_a_server(void **state)
{
    scene *s = *state;
    struct stat about;
    char head[128];
    fill(s, true);
    tf_program *p = history(s, "--export", s->file, "--sign-key", s->key);
    assert_whole(p);
    assert_int_equal(tf_program_number(p, "data.events"), s->events.count);
    snprintf(head, sizeof head, "%s", tf_program_text(p, "data.head"));
    assert_int_equal(stat(s->file, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    tf_program *q = tf_program_run(NULL, "history", "--json", "--verify", "--file", s->file, "--public-key", s->public, "--head", head, NULL);
    assert_whole(q);
    assert_int_equal(tf_program_number(q, "data.events"), s->events.count);
    assert_string_equal(tf_program_text(q, "data.sha256"), tf_program_text(p, "data.sha256"));
    assert_true(tf_program_flag(q, "data.closingSigned"));
    tf_program_free(q);
    assert_int_equal(tf_fixture_count(s->f, s->f->state_db, "events", "{\"type\": \"exported\", \"data.file\": \"trail.jsonl\", \"data.last\": {\"$gt\": 1}}"), 1);
    assert_whole(history(s, "--verify", "--public-key", s->public, "--head", head)); /* that it was exported is signed, too */
    p = history(s, "--export", s->file);
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "is there already");
}

static void export__of_a_signed_trail_without_the_key_writes_no_event(void **state)
{
    scene *s = *state;
    fill(s, true);
    assert_whole(history(s, "--export", s->file));
    assert_int_equal(tf_fixture_count(s->f, s->f->state_db, "events", "{\"type\": \"exported\"}"), 0);
    assert_whole(history(s, "--verify", "--public-key", s->public));
}

static void export__of_a_broken_trail_ends_where_it_is_whole(void **state)
{
    scene *s = *state;
    fill(s, false);
    change_event(s, 5, "{\"$set\": {\"user\": \"mallory\"}}");
    assert_broken(history(s, "--export", s->file), "broken", "content", 5);
    tf_program *p = history(s, "--verify", "--file", s->file);
    assert_whole(p);
    assert_int_equal(tf_program_number(p, "data.events"), 4);
}

static void file__that_was_altered_names_the_line(void **state)
{
    scene *s = *state;
    char *text = NULL;
    size_t size = 0;
    fill(s, false);
    assert_exit(history(s, "--export", s->file), 0);
    FILE *file = fopen(s->file, "r+");
    assert_non_null(file);
    assert_true(getdelim(&text, &size, '\0', file) > 0);
    char *second = strchr(text, '\n') + 1, *user = strstr(second, "\"user\" : \"");
    assert_non_null(user);
    assert_int_equal(fseek(file, user - text + 10, SEEK_SET), 0);
    fputc(text[user - text + 10] == 'x' ? 'y' : 'x', file);
    fclose(file);
    free(text);
    tf_program *p = history(s, "--verify", "--file", s->file);
    assert_exit(p, 3);
    assert_int_equal(tf_program_number(p, "data.break.line"), 2);
    p = tf_program_run(s->f, "history", "--verify", "--file", s->file, NULL);
    assert_exit(p, 3);
    assert_has(p->out, "BROKEN at line 2");
    p = history(s, "--verify", "--file", "/nowhere/trail.jsonl");
    assert_exit(p, 2);
}

/* ---- keys ---- */

static void key__is_made_for_its_owner_alone(void **state)
{
    scene *s = *state;
    struct stat about;
    tf_program *p = history(s, "--make-key", s->key);
    assert_exit(p, 0);
    assert_int_equal(strlen(tf_program_text(p, "data.fingerprint")), 64);
    assert_int_equal(stat(s->key, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(stat(s->public, &about), 0);
    p = history(s, "--make-key", s->key);
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "is there already");
}

static void key__that_does_not_fit_is_refused_before_anything_is_written(void **state)
{
    scene *s = *state;
    tf_tokens_sample(s->f, 3);
    make_key(s);
    assert_exit(tf_up(s->f, "--sign"), 2);
    assert_exit(tf_up(s->f, "--sign-key", "/nowhere/trail.key"), 2);
    assert_exit(tf_up(s->f, "--sign-key", s->public), 2); /* others may read it, and it has no secret half */
    assert_int_equal(chmod(s->public, 0600), 0);
    tf_program *p = tf_up(s->f, "--sign-key", s->public);
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "no Ed25519 private key");
    assert_int_equal(chmod(s->key, 0640), 0);
    p = tf_up(s->f, "--sign-key", s->key);
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "others than its owner");
    assert_int_equal(tf_fixture_count(s->f, s->f->state_db, "events", "{}"), 0);
    assert_int_equal(chmod(s->key, 0600), 0);
    char variable[300];
    snprintf(variable, sizeof variable, "TOKENFIX_SIGN_KEY=%s", s->key);
    const char *const argv[] = {"up", "--confirm", "--yes", "--sign", NULL}, *const env[] = {variable, NULL};
    assert_exit(tf_program_exec(s->f, &(tf_program_options){.argv = argv, .env = env}), 0);
    assert_int_equal(tf_fixture_count(s->f, s->f->state_db, "events", "{\"signature\": {\"$exists\": false}}"), 0);
    assert_true(tf_fixture_count(s->f, s->f->state_db, "events", "{}") >= 4);
}

/* ---- the command line ---- */

static void options__that_contradict_each_other_are_refused(void **state)
{
    scene *s = *state;
    static const char *const rows[][6] = {
        {"--verify", "--export", "x"}, {"--events", "--verify"},       {"--public-key", "x"},
        {"--head", "1:00"},            {"--file", "x"},                {"--older-than", "1y"},
        {"--archive", "x"},            {"--confirm"},                  {"--yes"},
        {"--verify", "004"},           {"--verify", "--head", "1:00"}, {"--verify", "--public-key", "/nowhere"},
        {"--export", "/nowhere/x", "--archive", "y", "--older-than"},
        {"--archive", "x", "--older-than", "1 y"},
        {"--archive", "x", "--older-than", "-1d"},
        {"--archive", "x", "--older-than", "1000y"},
        {"--archive", "x", "--older-than", "d"},
        {"--archive", "x", "--older-than", "90"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *argv[10] = {"history"};
        for (size_t k = 0; rows[i][k]; k++)
            argv[k + 1] = rows[i][k];
        tf_program *p = tf_program_exec(s->f, &(tf_program_options){.argv = argv});
        if (p->status != 2)
            fail_msg("row %zu: exit %d: %s%s", i, p->status, p->out, p->err);
    }
}

/* ---- the list ---- */

static void events__are_listed_newest_first(void **state)
{
    scene *s = *state;
    fill(s, true);
    tf_program *p = history(s, "--events", "--limit", "3");
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.events.0.seq"), s->events.count);
    assert_int_equal(tf_program_number(p, "data.events.2.seq"), s->events.count - 2);
    assert_false(tf_program_has(p, "data.events.3"));
    assert_int_equal(strlen(tf_program_text(p, "data.events.0.signature")), 128);
    assert_int_equal(strlen(tf_program_text(p, "data.events.0.key")), 64);
    p = history(s, "--events", "--limit", "1", "--offset", "1");
    assert_int_equal(tf_program_number(p, "data.events.0.seq"), s->events.count - 1);
    p = tf_program_run(s->f, "history", "--events", NULL);
    assert_exit(p, 0);
    assert_has(p->out, "down_completed");
    assert_has(p->out, "confirmed");
    for (int columns = 40; columns <= 200; columns *= 2)
        tf_golden_width_at(tf_golden_run_at(s->f, "history --events", NULL, columns)->out, "history --events", columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAIL_TEST(trail__of_nothing_is_whole),
        TRAIL_TEST(trail__as_it_was_written_is_whole),
        TRAIL_TEST(trail__head_is_told_by_up_and_down),
        TRAIL_TEST(trail__names_its_first_break),
        TRAIL_TEST(trail__unsigned_behind_signed_is_a_break),
        TRAIL_TEST(trail__signed_by_another_is_a_break),
        TRAIL_TEST(trail__whose_newest_are_cut_off_is_noticed_by_a_head_that_was_kept),
        TRAIL_TEST(export__can_be_examined_without_a_server),
        TRAIL_TEST(export__of_a_signed_trail_without_the_key_writes_no_event),
        TRAIL_TEST(export__of_a_broken_trail_ends_where_it_is_whole),
        TRAIL_TEST(file__that_was_altered_names_the_line),
        TRAIL_TEST(key__is_made_for_its_owner_alone),
        TRAIL_TEST(key__that_does_not_fit_is_refused_before_anything_is_written),
        TRAIL_TEST(options__that_contradict_each_other_are_refused),
        TRAIL_TEST(events__are_listed_newest_first),
    };
    return cmocka_run_group_tests_name("trail", tests, NULL, NULL);
}
