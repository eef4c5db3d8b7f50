/* tokenfix backup export, list, show, verify: a run's backup in files. */
#include "support/backups.h"

#include "base/hash.h"
#include "support/oddities.h"

#include <zlib.h>

/* ---- what is written ---- */

static void assert_mode(const char *folder, const char *name, mode_t mode)
{
    char path[1024];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(lstat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, mode);
}

/* The file is the documents of the backup, one behind the other, as the server has them. */
static void assert_same_documents(backups *b, const char *data, size_t length)
{
    TF_DOCS docs = {0};
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &docs);
    assert_int_equal(docs.length, length);
    assert_memory_equal(docs.data, data, length);
}

static void export__writes_what_mongorestore_reads(void **state)
{
    backups *b = *state;
    char name[128], data_name[128];
    size_t length = 0;
    backups_up(b, 20);
    backups_roles(b);
    tf_program *p = export_it(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.documents"), 20);
    assert_string_equal(tf_program_text(p, "data.run"), b->id);
    assert_string_equal(tf_program_text(p, "data.folder"), b->set);
    ASSERT_NAMES(b->dir, b->id);
    ASSERT_NAMES(b->set, "manifest.json", b->f->db);
    snprintf(name, sizeof name, "%s/%s", b->set, b->f->db);
    ASSERT_NAMES(name, "cashu_tokens.bson", "cashu_tokens.metadata.json");
    assert_mode(b->folder, "backups", 0700);
    assert_mode(b->dir, b->id, 0700);
    assert_mode(b->set, b->f->db, 0700);
    assert_mode(b->set, "manifest.json", 0600);
    assert_mode(name, "cashu_tokens.bson", 0600);
    assert_mode(name, "cashu_tokens.metadata.json", 0600);
    snprintf(data_name, sizeof data_name, "%s/cashu_tokens.bson", b->f->db);
    char *data = backups_file(b->set, data_name, &length);
    assert_same_documents(b, data, length);
    free(data);
    assert_int_equal(backups_events(b, "exported"), 1);
    backups_assert_trail(b);
}

static void export__writes_metadata_as_mongodump_does(void **state)
{
    backups *b = *state;
    static const char *const fields[] = {"options", "indexes", "uuid", "collectionName", "type"};
    bson_destroy(tf_fixture_command(
        b->f, "{\"create\": \"cashu_tokens\", \"collation\": {\"locale\": \"de\", \"strength\": 2}}"));
    bson_destroy(tf_fixture_command(b->f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": [{\"key\": {\"npub\": 1, "
                                          "\"status\": -1}, \"name\": \"by_user\"}]}"));
    backups_up(b, 5);
    assert_exit(export_it(b), 0);
    char name[128];
    snprintf(name, sizeof name, "%s/cashu_tokens.metadata.json", b->f->db);
    char *text = backups_file(b->set, name, NULL);
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, NULL);
    bson_iter_t iter, at;
    assert_non_null(doc);
    assert_true(bson_iter_init(&iter, doc));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_true(bson_iter_next(&iter) && strcmp(bson_iter_key(&iter), fields[i]) == 0);
    assert_false(bson_iter_next(&iter));
    assert_true(bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "options.collation.locale", &at));
    assert_string_equal(bson_iter_utf8(&at, NULL), "de");
    assert_true(bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "indexes.1.key.status", &at));
    assert_true(BSON_ITER_HOLDS_INT32(&at));
    assert_non_null(strstr(text, "\"$numberInt\"")); /* canonical: with types */
    assert_true(bson_iter_init_find(&iter, doc, "uuid"));
    assert_int_equal(strspn(bson_iter_utf8(&iter, NULL), "0123456789abcdef"), 32);
    assert_true(bson_iter_init_find(&iter, doc, "collectionName"));
    assert_string_equal(bson_iter_utf8(&iter, NULL), "cashu_tokens");
    free(text);
}

static void assert_file_hash(const char *folder, const bson_t *manifest, int n)
{
    char path[64], hex[65];
    bson_iter_t iter, name, sha256;
    uint8_t hash[32];
    size_t length = 0;
    snprintf(path, sizeof path, "files.%d.name", n);
    assert_true(bson_iter_init(&iter, manifest) && bson_iter_find_descendant(&iter, path, &name));
    snprintf(path, sizeof path, "files.%d.sha256", n);
    assert_true(bson_iter_init(&iter, manifest) && bson_iter_find_descendant(&iter, path, &sha256));
    char *data = backups_file(folder, bson_iter_utf8(&name, NULL), &length);
    tf_sha256_of(data, length, hash);
    tf_hex(hash, sizeof hash, hex);
    assert_string_equal(bson_iter_utf8(&sha256, NULL), hex);
    free(data);
}

static void export__has_record_ledger_counts_and_hashes_in_the_manifest(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    assert_exit(export_it(b), 0);
    char *text = backups_file(b->set, "manifest.json", NULL);
    bson_error_t error;
    _cleanup_(bson_destroyp) bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    bson_iter_t iter, at;
    if (!doc)
        fail_msg("%s", error.message);
    const struct {
        const char *path;
        int64_t number;
        const char *text;
    } expected[] = {{"documents", 20, NULL},
                    {"counts.applied", 20, NULL},
                    {"amounts.moved", 200, NULL},
                    {"amounts.unit", 0, "sat"},
                    {"run", 0, b->id},
                    {"database", 0, b->f->db},
                    {"record._id", 0, b->id},
                    {"record.state", 0, "completed"},
                    {"record.repair.collection", 0, "cashu_tokens"},
                    {"ledger.0.run", 0, b->id},
                    {"migration", 0, "004_fix_melted_token_status"}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (!bson_iter_init(&iter, doc) || !bson_iter_find_descendant(&iter, expected[i].path, &at))
            fail_msg("no %s", expected[i].path);
        if (expected[i].text)
            assert_string_equal(bson_iter_utf8(&at, NULL), expected[i].text);
        else
            assert_int_equal(bson_iter_as_int64(&at), expected[i].number);
    }
    assert_false(bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, "record.lease_left_ms", &at));
    assert_file_hash(b->set, doc, 0);
    assert_file_hash(b->set, doc, 1);
    assert_has_not(text, "s3cr3t"); /* what can be spent is in the data file alone */
    free(text);
}

static void export__packed_unpacks_to_the_same(void **state)
{
    backups *b = *state;
    char path[1024];
    enum { ROOM = 1 << 20 };
    char *data = calloc(1, ROOM);
    backups_up(b, 20);
    assert_exit(export_it(b, "--gzip"), 0);
    snprintf(path, sizeof path, "%s/%s", b->set, b->f->db);
    ASSERT_NAMES(path, "cashu_tokens.bson.gz", "cashu_tokens.metadata.json", "cashu_tokens.metadata.json.gz");
    snprintf(path, sizeof path, "%s/%s/cashu_tokens.bson.gz", b->set, b->f->db);
    gzFile in = gzopen(path, "re");
    int length = gzread(in, data, ROOM);
    assert_int_equal(gzclose(in), Z_OK);
    assert_true(length > 0);
    assert_same_documents(b, data, (size_t)length);
    free(data);
    assert_exit(backup(b, "verify", b->set), 0);
}

static void export__encrypted_shows_nothing_and_opens_with_its_secret_only(void **state)
{
    backups *b = *state;
    char key[512], other[512], phrase[512], name[256];
    size_t length = 0;
    snprintf(key, sizeof key, "%s/key", b->folder);
    snprintf(other, sizeof other, "%s/other", b->folder);
    snprintf(phrase, sizeof phrase, "%s/phrase", b->folder);
    backups_write(key, "0123456789abcdef0123456789abcdef", 32, 0600);
    backups_write(other, "0123456789abcdef0123456789abcdeX", 32, 0600);
    backups_write(phrase, "correct horse\n", 14, 0600);
    backups_up(b, 20);
    assert_exit(export_it(b, "--encrypt", "--key-file", key), 0);
    snprintf(name, sizeof name, "%s/cashu_tokens.bson.enc", b->f->db);
    char *data = backups_file(b->set, name, &length);
    assert_null(memmem(data, length, "s3cr3t", 6));
    assert_null(memmem(data, length, "npub1", 5));
    free(data);
    tf_program *p = backup(b, "verify", b->set, "--key-file", key);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.documents"), 20);
    p = backup(b, "verify", b->set, "--key-file", other);
    assert_exit(p, 2);
    assert_has(tf_program_text(p, "error.message"), "not the passphrase or key");
    assert_exit(backup(b, "verify", b->set, "--passphrase-file", phrase), 2);
    p = backup(b, "verify", b->set);
    assert_exit(p, 2);
    char second[512];
    snprintf(second, sizeof second, "%s/second", b->folder);
    assert_exit(backup(b, "export", b->id, "--out", second, "--encrypt", "--gzip", "--passphrase-file", phrase), 0);
    snprintf(second, sizeof second, "%s/second/%s", b->folder, b->id);
    const char *const argv[] = {"backup", "verify", second, "--json", NULL};
    p = tf_program_exec(
        b->f,
        &(tf_program_options){.argv = argv, .env = (const char *const[]){"TOKENFIX_PASSPHRASE=correct horse", NULL}});
    assert_exit(p, 0);
    p = tf_program_exec(b->f, &(tf_program_options){
                                  .argv = argv, .env = (const char *const[]){"TOKENFIX_PASSPHRASE=wrong horse", NULL}});
    assert_exit(p, 2);
}

/* ---- what is refused ---- */

static void assert_refused(tf_program *p, int status, const char *why)
{
    assert_exit(p, status);
    assert_has(tf_program_text(p, "error.message"), why);
}

static void export__never_writes_over_anything_nor_through_links(void **state)
{
    backups *b = *state;
    char link[512];
    backups_up(b, 5);
    snprintf(link, sizeof link, "%s/link", b->folder);
    assert_int_equal(mkdir(b->dir, 0700), 0);
    assert_int_equal(symlink(b->dir, link), 0);
    assert_refused(backup(b, "export", "--out", link), 2, "symbolic link");
    snprintf(link, sizeof link, "%s/link/below", b->folder);
    assert_refused(backup(b, "export", "--out", link), 2, "symbolic link");
    assert_int_equal(symlink("/tmp", b->set), 0);
    assert_refused(export_it(b), 2, "is there already");
    assert_int_equal(unlink(b->set), 0);
    assert_exit(export_it(b), 0);
    assert_refused(export_it(b), 2, "is there already");
    assert_int_equal(backups_events(b, "exported"), 1);
    ASSERT_NAMES(b->dir, b->id);
    assert_exit(backup(b, "verify", b->set), 0);
}

static void export__refuses_a_folder_in_which_others_can_write(void **state)
{
    backups *b = *state;
    backups_up(b, 5);
    assert_int_equal(mkdir(b->dir, 0700), 0);
    static const mode_t modes[] = {0770, 0702, 0777, 01777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(b->dir, modes[i]), 0);
        assert_refused(export_it(b), 2, "others can write");
    }
    assert_int_equal(chmod(b->dir, 0755), 0);
    assert_exit(export_it(b), 0);
}

static void export__names_what_is_wrong(void **state)
{
    backups *b = *state;
    char path[512];
    assert_refused(export_it(b), 1, "no run");
    backups_up(b, 5);
    assert_refused(backup(b, "export", "20200101t000000-004-000000", "--out", b->dir), 2, "no run");
    snprintf(path, sizeof path, "%s/not/there", b->folder);
    assert_refused(backup(b, "export", "--out", path), 2, "there is no");
    snprintf(path, sizeof path, "%s/file", b->folder);
    backups_write(path, "x", 1, 0600);
    assert_refused(backup(b, "export", "--out", path), 2, "is no folder");
    assert_refused(export_it(b, "--key-file", path), 2, "needs '--encrypt'");
    assert_refused(export_it(b, "--encrypt", "--key-file", path), 2, "fewer than 32 bytes");
    assert_refused(export_it(b, "--encrypt"), 2, "no passphrase");
    backups_write(path, "0123456789abcdef0123456789abcdef", 32, 0644);
    assert_refused(export_it(b, "--encrypt", "--key-file", path), 2, "others than its owner");
    backups_lose(b);
    assert_refused(export_it(b), 1, "is not in");
    ASSERT_NAMES(b->dir);
}

static void export__of_a_backup_that_is_not_as_recorded_leaves_nothing(void **state)
{
    backups *b = *state;
    char json[512];
    backups_up(b, 20);
    snprintf(json, sizeof json,
             "{\"update\": \"%s\", \"updates\": [{\"q\": {\"_id\": 7}, \"u\": {\"$set\": {\"total_amount\": 11}}}]}",
             backups_collection(b));
    _cleanup_(bson_destroyp) bson_t *command = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, command, NULL, NULL, NULL));
    assert_refused(export_it(b), 1, "has other documents");
    snprintf(json, sizeof json, "{\"delete\": \"%s\", \"deletes\": [{\"q\": {\"_id\": 7}, \"limit\": 1}]}",
             backups_collection(b));
    _cleanup_(bson_destroyp) bson_t *remove = bson_new_from_json((const uint8_t *)json, -1, NULL);
    assert_true(mongoc_client_command_simple(b->f->client, b->f->state_db, remove, NULL, NULL, NULL));
    assert_refused(export_it(b), 1, "is not as recorded");
    ASSERT_NAMES(b->dir);
    assert_int_equal(backups_events(b, "exported"), 0);
}

/* ---- odd documents ---- */

/* A defect whose _id and other fields may be of any type, with names and texts that are no UTF-8. */
static void make_odd(tf_random *r, int n, bson_t *doc)
{
    char name[32];
    tf_odd_id(r, doc, n);
    BCON_APPEND(doc, "npub", "npub1anna", "mint_url", "https://mint", "total_amount", BCON_INT32(10), "status",
                "unspent", "transaction_type", "melted");
    for (int i = 0; i < 3; i++) {
        tf_odd_name(r, name, sizeof name);
        tf_odd_value(r, doc, name, -1, 0);
    }
}

static void export__of_odd_documents_is_their_bytes_and_import_brings_them_back(void **state)
{
    backups *b = *state;
    TF_DOCS docs = {0}, back = {0};
    char name[256];
    size_t length = 0;
    int made = 0;
    tf_random r = tf_random_stream(20261121, 1);
    for (int i = 0; i < 150; i++) {
        _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
        make_odd(&r, i, &doc);
        made += tf_documents_insert(b->f, NULL, "cashu_tokens", &doc);
    }
    assert_true(made > 100);
    tf_program *p = tf_up(b->f, "--batch-size", "7", "--workers", "3");
    assert_true(p->status == 0 || p->status == 3);
    backups_named(b, tf_program_text(p, "data.run"));
    assert_exit(export_it(b), 0);
    snprintf(name, sizeof name, "%s/cashu_tokens.bson", b->f->db);
    char *data = backups_file(b->set, name, &length);
    assert_same_documents(b, data, length);
    free(data);
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &docs);
    assert_true(docs.count > 100);
    backups_lose(b);
    p = import_it(b);
    assert_exit(p, 0);
    assert_int_equal(tf_program_number(p, "data.inserted"), docs.count);
    tf_documents_read(b->f, b->f->state_db, backups_collection(b), &back);
    assert_int_equal(back.length, docs.length);
    assert_memory_equal(back.data, docs.data, docs.length);
}

/* ---- list, show, verify ---- */

static void list__tells_where_the_backups_are(void **state)
{
    backups *b = *state;
    tf_program *p = backup(b, "list", "--dir", b->dir);
    assert_exit(p, 0);
    backups_up(b, 20);
    backups_roles(b);
    p = backup(b, "list", "--dir", b->dir);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.backups.0.run"), b->id);
    assert_string_equal(tf_program_text(p, "data.backups.0.backup"), "complete");
    assert_int_equal(tf_program_number(p, "data.backups.0.inDatabase"), 20);
    assert_exit(export_it(b), 0);
    p = backup(b, "list", "--dir", b->dir);
    assert_string_equal(tf_program_text(p, "data.backups.0.file"), "plain");
    assert_true(tf_program_number(p, "data.backups.0.documents") == 20);
    backups_lose(b);
    p = backup(b, "list", "--dir", b->dir);
    assert_string_equal(tf_program_text(p, "data.backups.0.backup"), "lost");
    p = tf_program_run(b->f, "backup", "list", "--dir", b->dir, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "lost");
    assert_has(p->out, "plain");
    p = backup(b, "list", "--files", "--dir", b->dir);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.files.0.run"), b->id);
    assert_int_equal(tf_program_number(p, "data.files.0.documents"), 20);
    assert_exit(backup(b, "list", "--files", "--dir", "/nowhere"), 2);
}

static void show__tells_of_a_run_and_of_a_folder(void **state)
{
    backups *b = *state;
    backups_up(b, 20);
    assert_exit(export_it(b), 0);
    tf_program *p = backup(b, "show", b->id, "--dir", b->dir);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.backup"), "complete");
    assert_true(tf_program_has(p, "data.exportedAt"));
    p = backup(b, "show", "004", "--dir", b->dir);
    assert_string_equal(tf_program_text(p, "data.run"), b->id);
    p = backup(b, "show", b->set);
    assert_exit(p, 0);
    assert_string_equal(tf_program_text(p, "data.database"), b->f->db);
    assert_int_equal(tf_program_number(p, "data.documents"), 20);
    assert_int_equal(tf_program_number(p, "data.ledgerRows"), 2);
    p = tf_program_run(b->f, "backup", "show", b->set, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "cashu_tokens.bson");
    p = tf_program_run(b->f, "backup", "show", b->id, "--dir", b->dir, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "20 recorded, 20 in");
    assert_exit(backup(b, "show", "20200101t000000-004-000000"), 2);
    assert_exit(backup(b, "show", "./nowhere"), 2);
}

static void verify__names_what_is_not_as_it_was_written(void **state)
{
    backups *b = *state;
    char path[1024];
    size_t length = 0;
    backups_up(b, 20);
    assert_exit(export_it(b), 0);
    tf_program *p = backup(b, "verify", b->id, "--dir", b->dir);
    assert_exit(p, 0);
    assert_true(tf_program_flag(p, "data.ok"));
    p = tf_program_run(b->f, "backup", "verify", b->set, NULL);
    assert_exit(p, 0);
    assert_has(p->out, "as they were written");
    assert_has_not(p->err, "others than its owner");
    snprintf(path, sizeof path, "%s/%s/cashu_tokens.bson", b->set, b->f->db);
    assert_int_equal(chmod(path, 0640), 0);
    p = tf_program_run(b->f, "backup", "verify", b->set, NULL);
    assert_has(p->err, "others than its owner can read");
    char *data = backups_file(path, "", &length);
    data[length / 2] ^= 1;
    backups_write(path, data, length, 0600);
    free(data);
    p = backup(b, "verify", b->set);
    assert_exit(p, 3);
    assert_false(tf_program_flag(p, "data.ok"));
    assert_has(tf_program_text(p, "data.finding"), "cashu_tokens.bson' is not as it was written");
    p = tf_program_run(b->f, "backup", "verify", b->set, NULL);
    assert_exit(p, 3);
    assert_has(p->out, "NOT as it was written");
    assert_int_equal(unlink(path), 0);
    assert_exit(backup(b, "verify", b->set), 3);
    snprintf(path, sizeof path, "%s/manifest.json", b->set);
    data = backups_file(path, "", &length);
    data[length - 10] ^= 1;
    backups_write(path, data, length, 0600);
    free(data);
    p = backup(b, "verify", b->set);
    assert_exit(p, 3);
    assert_has(tf_program_text(p, "data.finding"), "manifest.json");
    assert_exit(backup(b, "verify", "/nowhere/at/all"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUPS_TEST(export__writes_what_mongorestore_reads),
        BACKUPS_TEST(export__writes_metadata_as_mongodump_does),
        BACKUPS_TEST(export__has_record_ledger_counts_and_hashes_in_the_manifest),
        BACKUPS_TEST(export__packed_unpacks_to_the_same),
        BACKUPS_TEST(export__encrypted_shows_nothing_and_opens_with_its_secret_only),
        BACKUPS_TEST(export__never_writes_over_anything_nor_through_links),
        BACKUPS_TEST(export__refuses_a_folder_in_which_others_can_write),
        BACKUPS_TEST(export__names_what_is_wrong),
        BACKUPS_TEST(export__of_a_backup_that_is_not_as_recorded_leaves_nothing),
        BACKUPS_TEST(export__of_odd_documents_is_their_bytes_and_import_brings_them_back),
        BACKUPS_TEST(list__tells_where_the_backups_are),
        BACKUPS_TEST(show__tells_of_a_run_and_of_a_folder),
        BACKUPS_TEST(verify__names_what_is_not_as_it_was_written),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
