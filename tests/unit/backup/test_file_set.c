/* An exported backup in its files: what was written is read back, and nothing that was done to it is overlooked. */
#include "support/backup_files.h"
#include "support/slow.h"

enum { DOCUMENTS = 35, CASES = 10000, LIES = 1500 };

typedef struct scene {
    char folder[64], set[96];
    tf_cipher_secret *secret;
    tf_docs docs;
    unsigned seed;
} scene;

static int setup(void **state)
{
    static scene s;
    s = (scene){.folder = "/dev/shm/tokenfix-files-XXXXXX",
                .secret = files_secret(),
                .seed = 20261121}; /* thousands of fsyncs */
    if (!mkdtemp(s.folder)) {
        snprintf(s.folder, sizeof s.folder, "/tmp/tokenfix-files-XXXXXX");
        assert_non_null(mkdtemp(s.folder));
    }
    snprintf(s.set, sizeof s.set, "%s/%s", s.folder, FILES_RUN);
    files_documents(DOCUMENTS, &s.docs);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    scene *s = *state;
    assert_true(tf_dir_remove(AT_FDCWD, s->folder));
    tf_cipher_secret_free(s->secret);
    tf_docs_done(&s->docs);
    return 0;
}

static unsigned roll(scene *s, size_t below)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    return (unsigned)((s->seed >> 8) % below);
}

/* ---- intact ---- */

typedef struct collected {
    tf_docs docs;
} collected;

static bool collect(void *arg, const bson_t *doc, tf_error *err)
{
    (void)err;
    tf_docs_add(&((collected *)arg)->docs, doc);
    return true;
}

static void set__comes_back_as_it_was_written(void **state)
{
    scene *s = *state;
    for (size_t i = 0; i < FILES_FORMS; i++) {
        tf_error err = {0};
        tf_file_sum sum;
        tf_file_set set;
        collected got = {.docs = {0}};
        files_write(s->set, &files_forms[i], s->secret, &s->docs, NULL);
        if (!tf_file_set_open(s->set, NULL, &set, &err) ||
            !tf_file_set_read(&set, s->secret, NULL, 0, collect, &got, &sum, &err))
            fail_msg("%s: %s (%s)", files_forms[i].name, err.message, err.detail);
        assert_true(sum.in_order);
        assert_int_equal(sum.documents, DOCUMENTS);
        assert_int_equal(got.docs.length, s->docs.length);
        assert_memory_equal(got.docs.data, s->docs.data, s->docs.length);
        assert_int_equal(set.manifest.batches_count, 4);
        assert_int_equal(set.manifest.ledger_rows, 3);
        assert_string_equal(set.manifest.run, FILES_RUN);
        assert_true(bson_has_field(set.manifest.record, "started_at"));
        tf_docs_done(&got.docs);
        tf_file_set_close(&set);
        assert_true(tf_dir_remove(AT_FDCWD, s->set));
    }
}

static void set__of_large_documents_comes_back(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_file_sum sum;
    tf_docs docs = {0};
    char *text = bson_malloc(16500000);
    memset(text, 'x', 16500000);
    for (int i = 0; i < 3; i++) {
        bson_t doc = BSON_INITIALIZER;
        BSON_APPEND_INT32(&doc, "_id", i);
        bson_append_utf8(&doc, "much", -1, text, i == 1 ? 16500000 : 100);
        tf_docs_add(&docs, &doc);
        bson_destroy(&doc);
    }
    for (size_t i = 0; i < FILES_FORMS; i += 3) {
        files_write(s->set, &files_forms[i], s->secret, &docs, NULL);
        if (!files_are_whole(s->set, s->secret, &sum, &err))
            fail_msg("%s", err.message);
        assert_int_equal(sum.bytes, docs.length);
        assert_true(tf_dir_remove(AT_FDCWD, s->set));
    }
    bson_free(text);
    tf_docs_done(&docs);
}

static void set__without_documents_comes_back(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_file_sum sum;
    tf_docs none = {0};
    for (size_t i = 0; i < FILES_FORMS; i++) {
        files_write(s->set, &files_forms[i], s->secret, &none, NULL);
        if (!files_are_whole(s->set, s->secret, &sum, &err))
            fail_msg("%s: %s", files_forms[i].name, err.message);
        assert_int_equal(sum.documents, 0);
        assert_true(tf_dir_remove(AT_FDCWD, s->set));
    }
}

/* ---- damaged ---- */

typedef size_t (*mutilation)(scene *s, const files_bytes *from, uint8_t *to);

static size_t flip(scene *s, const files_bytes *from, uint8_t *to)
{
    memcpy(to, from->data, from->length);
    to[roll(s, from->length)] ^= (uint8_t)(1u << roll(s, 8));
    return from->length;
}

static size_t overwrite(scene *s, const files_bytes *from, uint8_t *to)
{
    size_t at = roll(s, from->length), length = 1 + roll(s, 16);
    memcpy(to, from->data, from->length);
    for (size_t i = at; i < at + length && i < from->length; i++)
        to[i] = (uint8_t)roll(s, 256);
    return from->length;
}

static size_t truncated(scene *s, const files_bytes *from, uint8_t *to)
{
    size_t length = roll(s, from->length);
    memcpy(to, from->data, length);
    return length;
}

static size_t lengthen(scene *s, const files_bytes *from, uint8_t *to)
{
    size_t more = 1 + roll(s, 64), at = roll(s, from->length);
    memcpy(to, from->data, from->length);
    memcpy(to + from->length, from->data + (at + more <= from->length ? at : 0), more);
    return from->length + more;
}

static size_t cut_out(scene *s, const files_bytes *from, uint8_t *to)
{
    size_t at = roll(s, from->length), length = 1 + roll(s, 200);
    if (at + length > from->length)
        length = from->length - at;
    memcpy(to, from->data, at);
    memcpy(to + at, from->data + at + length, from->length - at - length);
    return from->length - length;
}

/* Two pieces of the same length change places. */
static size_t reorder(scene *s, const files_bytes *from, uint8_t *to)
{
    size_t length = 1 + roll(s, from->length / 4), half = from->length / 2;
    size_t a = roll(s, half - length + 1), b = half + roll(s, half - length + 1);
    memcpy(to, from->data, from->length);
    memcpy(to + a, from->data + b, length);
    memcpy(to + b, from->data + a, length);
    return from->length;
}

static const struct {
    const char *name;
    mutilation how;
} ways[] = {{"flip", flip},         {"overwrite", overwrite}, {"truncate", truncated},
            {"lengthen", lengthen}, {"cut out", cut_out},     {"reorder", reorder}};

enum { WAYS = sizeof ways / sizeof *ways };

/* A damaged file is refused with a reason, whatever was done; an unchanged one is not. */
static void damage_once(scene *s, const char *form, size_t way, const files_bytes *file, uint8_t *room)
{
    tf_error err = {0};
    tf_file_sum sum = {0};
    size_t length = ways[way].how(s, file, room);
    bool same = length == file->length && memcmp(room, file->data, length) == 0;
    files_store(file, room, length);
    bool whole = files_are_whole(s->set, s->secret, &sum, &err);
    if (whole != same || (!whole && (err.code == TF_ERR_OK || !err.message[0])))
        fail_msg("%s, %s of %s: %s", form, ways[way].name, file->path, whole ? "was not noticed" : err.message);
    files_store(file, file->data, file->length);
}

static void set__of_which_any_file_is_damaged_is_refused(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_file_sum sum;
    for (size_t f = 0; f < FILES_FORMS; f++) {
        char data[64];
        files_bytes files[3];
        snprintf(data, sizeof data, "wallet/cashu_tokens.bson%s%s", files_forms[f].gzip ? ".gz" : "",
                 files_forms[f].encrypted ? ".enc" : "");
        files_write(s->set, &files_forms[f], s->secret, &s->docs, NULL);
        assert_true(files_are_whole(s->set, s->secret, &sum, &err));
        files_load(s->set, data, &files[0]);
        files_load(s->set, TF_MANIFEST, &files[1]);
        files_load(s->set, "wallet/cashu_tokens.metadata.json", &files[2]);
        uint8_t *room = bson_malloc(files[0].length + files[1].length + 256);
        for (int i = 0; i < (int)tf_unless_slow(CASES, CASES / 20) / (int)FILES_FORMS;
             i++) /* half of them the data file, most others the manifest */
            damage_once(s, files_forms[f].name, (size_t)i % WAYS,
                        &files[(i / WAYS) % 2 == 0    ? 0
                               : (i / WAYS) % 16 == 1 ? 2
                                                      : 1],
                        room);
        assert_true(files_are_whole(s->set, s->secret, &sum, &err));
        for (size_t i = 0; i < 3; i++)
            bson_free(files[i].data);
        bson_free(room);
        assert_true(tf_dir_remove(AT_FDCWD, s->set));
    }
}

/* Somebody alters documents and writes the manifest anew, with the file's new hash: the batches' hashes, which the database has,
 * still tell. */
static void set__whose_manifest_fits_altered_documents_is_refused(void **state)
{
    scene *s = *state;
    files_bytes original = {.data = s->docs.data, .length = s->docs.length};
    uint8_t *room = bson_malloc(2 * s->docs.length + 256);
    for (int i = 0; i < (int)tf_unless_slow(LIES, LIES / 20); i++) {
        tf_error err = {0};
        tf_file_sum sum;
        size_t way = (size_t)i % WAYS, length = ways[way].how(s, &original, room);
        bool same = length == original.length && memcmp(room, original.data, length) == 0;
        files_write(s->set, &files_forms[0], NULL, &s->docs, &(files_lie){.data = room, .length = length});
        bool whole = files_are_whole(s->set, NULL, &sum, &err);
        if (whole != same || (!whole && err.code != TF_ERR_DAMAGED))
            fail_msg("%s: %s", ways[way].name, whole ? "was not noticed" : err.message);
    }
    bson_free(room);
}

/* Whole documents in another order, each sound, all lengths and the manifest's hash of the file as they should be. */
static void set__whose_documents_changed_places_is_refused(void **state)
{
    scene *s = *state;
    uint8_t *room = bson_malloc(s->docs.length);
    for (size_t a = 0; a < DOCUMENTS; a += 7)
        for (size_t b = a + 1; b < DOCUMENTS; b += 5) {
            tf_error err = {0};
            tf_file_sum sum;
            size_t used = 0;
            for (size_t i = 0; i < DOCUMENTS; i++) {
                uint32_t length = 0;
                const uint8_t *bytes = tf_docs_bytes(&s->docs, i == a ? b : i == b ? a : i, &length);
                memcpy(room + used, bytes, length);
                used += length;
            }
            files_write(s->set, &files_forms[0], NULL, &s->docs, &(files_lie){.data = room, .length = used});
            assert_false(files_are_whole(s->set, NULL, &sum, &err));
            assert_int_equal(err.code, TF_ERR_DAMAGED);
            assert_non_null(strstr(err.message, "batch"));
        }
    bson_free(room);
}

/* ---- secrets, links, other files ---- */

static void set__that_is_encrypted_needs_its_secret(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_file_sum sum;
    uint8_t key[40] = {9};
    files_write(s->set, &files_forms[2], s->secret, &s->docs, NULL);
    assert_false(files_are_whole(s->set, NULL, &sum, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_non_null(strstr(err.message, "is encrypted with a key file"));
    err = (tf_error){0};
    tf_cipher_secret *other = tf_cipher_secret_new(false, key, sizeof key, &err);
    assert_false(files_are_whole(s->set, other, &sum, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_non_null(strstr(err.message, "not the passphrase or key"));
    tf_cipher_secret_free(other);
    err = (tf_error){0};
    other = tf_cipher_secret_new(true, "a passphrase", 12, &err);
    assert_false(files_are_whole(s->set, other, &sum, &err));
    assert_non_null(strstr(err.message, "encrypted with a key file"));
    tf_cipher_secret_free(other);
    err = (tf_error){0};
    assert_null(tf_cipher_secret_new(false, key, 31, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    err = (tf_error){0};
    assert_null(tf_cipher_secret_new(true, "", 0, &err));
}

static void set__with_a_second_data_file_is_refused(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_file_sum sum;
    char more[256];
    files_write(s->set, &files_forms[0], NULL, &s->docs, NULL);
    snprintf(more, sizeof more, "%s/wallet/other.bson", s->set);
    close(open(more, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_false(files_are_whole(s->set, NULL, &sum, &err));
    assert_non_null(strstr(err.message, "other.bson"));
}

static void set__is_not_read_through_links(void **state)
{
    scene *s = *state;
    tf_file_sum sum;
    char link[128], data[256], away[256];
    files_write(s->set, &files_forms[0], NULL, &s->docs, NULL);
    snprintf(link, sizeof link, "%s/link", s->folder);
    assert_int_equal(symlink(s->set, link), 0);
    tf_error err = {0};
    assert_false(files_are_whole(link, NULL, &sum, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    assert_non_null(strstr(err.message, "symbolic link"));
    snprintf(data, sizeof data, "%s/wallet/cashu_tokens.bson", s->set);
    snprintf(away, sizeof away, "%s/away.bson", s->folder);
    assert_int_equal(rename(data, away), 0);
    assert_int_equal(symlink(away, data), 0);
    err = (tf_error){0};
    assert_false(files_are_whole(s->set, NULL, &sum, &err));
    assert_non_null(strstr(err.message, "symbolic link"));
    snprintf(away, sizeof away, "%s/link/wallet", s->folder);
    err = (tf_error){0};
    assert_int_equal(tf_dir_open(away, false, &err), -1); /* nor where it stands further up */
    assert_int_equal(err.code, TF_ERR_USAGE);
}

static void set__of_another_run_is_not_decrypted_as_this_one(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_cipher *cipher;
    uint8_t head[TF_CIPHER_HEAD], sealed[64], out[64];
    bool last = false;
    assert_non_null(cipher = tf_cipher_seal(s->secret, "run-a/file", head, &err));
    tf_cipher_push(cipher, (const uint8_t *)"content", 7, true, sealed);
    tf_cipher_free(cipher);
    assert_non_null(cipher = tf_cipher_open(s->secret, "run-b/file", head, &err));
    assert_false(tf_cipher_pull(cipher, sealed, 7 + 17, &last, out));
    tf_cipher_free(cipher);
    assert_non_null(cipher = tf_cipher_open(s->secret, "run-a/file", head, &err));
    assert_true(tf_cipher_pull(cipher, sealed, 7 + 17, &last, out));
    assert_true(last);
    assert_memory_equal(out, "content", 7);
    tf_cipher_free(cipher);
}

/* A head of somebody who wants the reader to work for hours. */
static void cipher__takes_no_excessive_head(void **state)
{
    scene *s = *state;
    uint8_t head[TF_CIPHER_HEAD];
    tf_error err = {0};
    tf_cipher_free(tf_cipher_seal(s->secret, "x", head, &err));
    tf_cipher_secret *secret = tf_cipher_secret_new(true, "a passphrase", 12, &err);
    head[8] = 1;
    memset(head + 9, 0xff, 16);
    assert_null(tf_cipher_open(secret, "x", head, &err));
    assert_int_equal(err.code, TF_ERR_DAMAGED);
    tf_cipher_secret_free(secret);
}

#define FILES_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(set__comes_back_as_it_was_written),
        FILES_TEST(set__of_large_documents_comes_back),
        FILES_TEST(set__without_documents_comes_back),
        FILES_TEST(set__of_which_any_file_is_damaged_is_refused),
        FILES_TEST(set__whose_manifest_fits_altered_documents_is_refused),
        FILES_TEST(set__whose_documents_changed_places_is_refused),
        FILES_TEST(set__that_is_encrypted_needs_its_secret),
        FILES_TEST(set__with_a_second_data_file_is_refused),
        FILES_TEST(set__is_not_read_through_links),
        FILES_TEST(set__of_another_run_is_not_decrypted_as_this_one),
        FILES_TEST(cipher__takes_no_excessive_head),
    };
    return cmocka_run_group_tests_name("file_set", tests, NULL, NULL);
}
