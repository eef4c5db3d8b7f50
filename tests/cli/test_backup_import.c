/* tokenfix backup import: the backup collection is gone, and `down` works all the same. */
#include "support/backups.h"

#include "base/hash.h"

static void assert_refused(tf_program *p, int status, const char *why)
{
    assert_exit(p, status);
    assert_has(tf_program_text(p, "error.message"), why);
}

static tf_program *down_as(backups *b)
{
    return AS(b->f, b->run[0] ? b->run : b->f->uri, "down", b->id, "--confirm", "--yes", "--json");
}

/* An exported backup of 20 tokens; the least role from then on. */
static void prepare(backups *b)
{
    backups_up(b, 20);
    backups_roles(b);
    assert_exit(export_it(b), 0);
}

/* ---- brought back ---- */

static void import__of_a_lost_backup_lets_down_work(void **state)
{
    backups *b = *state;
    TF_DOCS before = {0}, after = {0};
    prepare(b);
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &before);
    backups_lose(b);
    tf_program *p = down_as(b);
    assert_exit(p, 1);
    assert_has(tf_program_text(p, "error.hint"), "tokenfix backup import");
    p = import_it(b, "--dry-run");
    assert_exit(p, 0);
    assert_false(tf_program_flag(p, "data.complete"));
    assert_int_equal(backups_held(b), 0);
    p = import_it(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), 20);
    assert_true(tf_program_flag(p, "data.complete"));
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &after);
    assert_int_equal(after.length, before.length);
    assert_memory_equal(after.data, before.data, before.length);
    assert_exit(tf_program_run(b->f, "verify", NULL), 0);
    assert_int_equal(backups_events(b, "imported"), 1);
    backups_assert_trail(b);
    p = down_as(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.restoredTokens"), 20);
    assert_int_equal(tf_tokens_original(b->f), 22);
    assert_exit(tf_program_run(b->f, "verify", NULL), 0);
}

static void import__of_each_form_brings_the_same_back(void **state)
{
    backups *b = *state;
    char key[512], phrase[512], out[600];
    static const char *const forms[][3] = {{"--gzip", NULL}, {"--encrypt", NULL}, {"--gzip", "--encrypt", NULL}};
    snprintf(key, sizeof key, "%s/key", b->folder);
    snprintf(phrase, sizeof phrase, "%s/phrase", b->folder);
    backups_write(key, "0123456789abcdef0123456789abcdef", 32, 0600);
    backups_write(phrase, "correct horse\n", 14, 0600);
    backups_up(b, 20);
    for (size_t i = 0; i < 3; i++) {
        const char *option = i == 2 ? "--passphrase-file" : "--key-file", *file = i == 2 ? phrase : key;
        const char *argv[12] = {"backup", "export", b->id, "--json", "--out", out};
        size_t n = 6;
        snprintf(out, sizeof out, "%s/form%zu", b->folder, i);
        for (size_t k = 0; forms[i][k]; k++)
            argv[n++] = forms[i][k];
        if (i > 0) {
            argv[n++] = option;
            argv[n++] = file;
        }
        assert_exit(tf_program_exec(b->f, &(tf_program_options){.argv = argv}), 0);
        backups_lose(b);
        tf_program *p =
            i > 0 ? backup(b, "import", b->id, "--dir", out, option, file) : backup(b, "import", b->id, "--dir", out);
        assert_exit(p, 0);
        assert_int_equal(backups_held(b), 20);
    }
    assert_exit(down_as(b), 0);
    assert_int_equal(tf_tokens_original(b->f), 22);
}

static void import__fills_in_what_is_missing(void **state)
{
    backups *b = *state;
    char json[256];
    prepare(b);
    tf_program *p = import_it(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), 0);
    assert_int_equal(backups_events(b, "imported"), 0); /* there was nothing to do */
    snprintf(json, sizeof json,
             "{\"delete\": \"%s\", \"deletes\": [{\"q\": {\"_id\": {\"$gt\": 5, \"$lt\": 12}}, \"limit\": 0}]}",
             backups_collection(b));
    _cleanup_(bson_destroyp) bson_t *remove = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, remove, NULL, NULL, NULL));
    p = import_it(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), 6);
    assert_int_equal(backups_held(b), 20);
    assert_exit(down_as(b), 0);
}

/* Undoing a rollback needs two backups: its own, and that of the run it took back. */
static void import__of_two_generations_lets_a_rollback_be_undone(void **state)
{
    backups *b = *state;
    char first[64], set[512];
    prepare(b);
    snprintf(first, sizeof first, "%s", b->id);
    tf_program *p = down_as(b);
    assert_exit(p, 0);
    snprintf(set, sizeof set, "%s", tf_program_text(p, "data.run"));
    assert_exit(backup(b, "export", set, "--out", b->dir), 0);
    backups_lose(b);
    backups_named(b, set);
    backups_lose(b);
    assert_exit(import_it(b), 0);
    backups_named(b, first);
    assert_exit(import_it(b), 0);
    backups_named(b, set);
    p = down_as(b);
    assert_exit(p, 0);
    assert_int_equal(tf_tokens_wrong(b->f), 0);
    assert_exit(tf_program_run(b->f, "verify", NULL), 0);
}

static void import__of_an_interrupted_run_lets_it_go_on(void **state)
{
    backups *b = *state;
    tf_tokens_fill(b->f, 20);
    tf_program *p = tf_up(b->f, "--canary", "8");
    assert_exit(p, 7);
    backups_named(b, tf_program_text(p, "data.run"));
    assert_exit(export_it(b), 0);
    backups_lose(b);
    assert_exit(import_it(b), 0);
    assert_exit(tf_up(b->f, "--resume"), 0);
    assert_int_equal(backups_held(b), 20);
    assert_exit(tf_program_run(b->f, "verify", NULL), 0);
    backups_lose(b); /* what was exported before it went on is not enough now */
    p = import_it(b);
    assert_refused(p, 1, "before the run went on");
    assert_int_equal(backups_held(b), 0);
}

/* ---- of mongodump ---- */

static void import__takes_what_mongodump_wrote(void **state)
{
    backups *b = *state;
    TF_DOCS docs = {0};
    char folder[512], file[700];
    backups_up(b, 20);
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &docs);
    snprintf(folder, sizeof folder, "%s/dump", b->folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(folder, sizeof folder, "%s/dump/%s", b->folder, b->f->state_db);
    assert_int_equal(mkdir(folder, 0755), 0);
    snprintf(file, sizeof file, "%s/%s.bson", folder, backups_collection(b));
    /* in the order of insertion, which need not be that of _id: here backwards */
    uint8_t *bytes = bson_malloc(docs.length);
    size_t used = 0;
    for (size_t i = docs.count; i-- > 0;) {
        uint32_t length = 0;
        const uint8_t *from = tf_docs_bytes(&docs, i, &length);
        memcpy(bytes + used, from, length);
        used += length;
    }
    backups_write(file, bytes, used, 0644);
    bson_free(bytes);
    backups_lose(b);
    tf_program *p = backup(b, "import", file, "--dry-run");
    assert_exit(p, 0);
    snprintf(folder, sizeof folder, "%s/dump", b->folder);
    p = backup(b, "import", folder);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), 20);
    assert_has(p->err, "others than its owner can read");
    p = backup(b, "import", file);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), 0);
    assert_exit(tf_program_run(b->f, "verify", NULL), 0);
    assert_exit(down_as(b), 0);
}

static void import__of_a_dump_that_is_not_the_runs_is_refused(void **state)
{
    backups *b = *state;
    TF_DOCS docs = {0};
    char file[700];
    backups_up(b, 20);
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &docs);
    snprintf(file, sizeof file, "%s/%s.bson", b->folder, backups_collection(b));
    backups_write(file, docs.data, docs.offsets[19], 0600);
    backups_lose(b);
    assert_refused(backup(b, "import", file), 1, "holds 19 documents");
    backups_write(file, docs.data, docs.length - 3, 0600);
    assert_refused(backup(b, "import", file), 1, "was cut off");
    uint8_t *bytes = bson_malloc(docs.length);
    memcpy(bytes, docs.data, docs.length);
    uint8_t *amount = memmem(bytes, docs.length, "total_amount", 12);
    amount[13] ^= 1; /* sound, and another amount */
    backups_write(file, bytes, docs.length, 0600);
    bson_free(bytes);
    assert_refused(backup(b, "import", file), 1, "is not the one of run");
    assert_int_equal(backups_held(b), 0);
    assert_exit(down_as(b), 1);
    snprintf(file, sizeof file, "%s/backup_20200101t000000-004-000000.bson", b->folder);
    backups_write(file, docs.data, docs.length, 0600);
    assert_refused(backup(b, "import", file), 2, "knows no run");
}

/* ---- refused ---- */

static void import__refuses_another_database_and_an_unknown_run(void **state)
{
    backups *b = *state;
    char other[96];
    prepare(b);
    snprintf(other, sizeof other, "%s_x", b->f->db);
    tf_program *p = tf_program_run(b->f, "backup", "import", b->set, "--db", other, "--json", NULL);
    assert_refused(p, 2, "is of database");
    p = tf_program_run(b->f, "backup", "import", b->set, "--state-db", other, "--json", NULL);
    assert_refused(p, 2, "knows no run");
    assert_refused(backup(b, "import", "nothing", "--dir", b->dir), 2, "no exported backup");
    assert_refused(backup(b, "import", b->folder), 2, "no");
}

/* Somebody writes a manifest that is sound in itself, of documents that are not those. */
static void import__of_a_tampered_manifest_is_refused(void **state)
{
    backups *b = *state;
    char path[1024], hex[65], *text, *end;
    uint8_t hash[32];
    size_t length = 0;
    prepare(b);
    backups_lose(b);
    snprintf(path, sizeof path, "%s/manifest.json", b->set);
    static const char *const lines[] = {"{\"partition\":0,\"seq\":1,\"documents\":", "\"migration\" : \"004_fix",
                                        "\"strategy\" : \"t"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        text = backups_file(path, "", &length);
        char *keep = strdup(text), *at = strstr(text, lines[i]);
        if (i == 0) { /* the hash of a batch */
            at = strstr(at, "\"sha256\":\"") + 10;
            at[0] = at[0] == '0' ? '1' : '0';
        } else
            at[strlen(lines[i]) - 1] = 'X';
        end = strstr(text, "\"sha256\":\"");
        for (char *next = end; next; next = strstr(next + 1, "\n\"sha256\":\""))
            end = next;
        tf_sha256_of(text, (size_t)(end + 1 - text), hash);
        tf_hex(hash, 32, hex);
        memcpy(end + 1 + strlen("\"sha256\":\""), hex, 64);
        backups_write(path, text, length, 0600);
        tf_program *p = import_it(b);
        assert_exit(p, 1);
        assert_string_equal(tf_program_text(p, "error.code"), "DAMAGED");
        assert_int_equal(backups_held(b), 0);
        backups_write(path, keep, length, 0600);
        free(keep);
        free(text);
    }
    assert_exit(import_it(b), 0);
}

static void import__over_altered_documents_is_refused_before_it_begins(void **state)
{
    backups *b = *state;
    char json[256];
    prepare(b);
    snprintf(json, sizeof json, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {\"_id\": 9}, \"limit\": 0}]}",
             backups_collection(b));
    _cleanup_(bson_destroyp) bson_t *remove = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, remove, NULL, NULL, NULL));
    snprintf(json, sizeof json,
             "{\"update\": \"%s\", \"updates\": [{\"q\": {\"_id\": 7}, \"u\": {\"$set\": {\"total_amount\": 11}}}]}",
             backups_collection(b));
    _cleanup_(bson_destroyp) bson_t *update = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, update, NULL, NULL, NULL));
    assert_refused(import_it(b), 1, "another than the file's");
    assert_string_equal(tf_program_text(backup(b, "list", "--dir", b->dir), "data.backups.0.backup"),
                        "incomplete"); /* and nothing began */
    _cleanup_bson_ bson_t strange = BSON_INITIALIZER;
    BSON_APPEND_INT32(&strange, "_id", 777);
    assert_exit(purge_it(b, "--force", "--confirm", "--yes"), 0);
    assert_refused(down_as(b), 1, "No backup data found");
    assert_exit(import_it(b), 0);
    assert_true(tf_documents_insert(b->f, b->f->state_db, backups_collection(b), &strange));
    assert_refused(import_it(b), 1, "1 documents that are not the file's");
    tf_documents_delete(b->f, b->f->state_db, backups_collection(b), &strange);
    assert_exit(down_as(b), 0);
    assert_int_equal(tf_tokens_original(b->f), 22);
}

static void import__while_a_run_is_under_way_is_refused(void **state)
{
    backups *b = *state;
    prepare(b);
    backups_lose(b);
    tf_program *up = backups_paused_up(b);
    assert_refused(import_it(b), 5, "is under way");
    assert_int_equal(backups_held(b), 0);
    backups_continue(b, up);
    assert_exit(import_it(b), 0);
    assert_exit(down_as(b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUPS_TEST(import__of_a_lost_backup_lets_down_work),
        BACKUPS_TEST(import__of_each_form_brings_the_same_back),
        BACKUPS_TEST(import__fills_in_what_is_missing),
        BACKUPS_TEST(import__of_two_generations_lets_a_rollback_be_undone),
        BACKUPS_TEST(import__of_an_interrupted_run_lets_it_go_on),
        BACKUPS_TEST(import__takes_what_mongodump_wrote),
        BACKUPS_TEST(import__of_a_dump_that_is_not_the_runs_is_refused),
        BACKUPS_TEST(import__refuses_another_database_and_an_unknown_run),
        BACKUPS_TEST(import__of_a_tampered_manifest_is_refused),
        BACKUPS_TEST(import__over_altered_documents_is_refused_before_it_begins),
        BACKUPS_TEST(import__while_a_run_is_under_way_is_refused),
    };
    return cmocka_run_group_tests_name("backup_import", tests, NULL, NULL);
}
