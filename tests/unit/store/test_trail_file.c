/* A trail in a file: what was written comes back byte for byte, and no byte of it can be another. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/trail_file.h"
#include "store/trail_line.h"
#include "support/slow.h"
#include "support/trail.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 3 };

typedef struct scene {
    tf_key *signer;
    char folder[64], path[128];
    char *text; /* of the intact file */
    size_t size;
} scene;

static void write_file(const char *path, const tf_links *links, const tf_key *signer, char sha256[65])
{
    tf_error err = {0};
    tf_chain chain;
    tf_trail_writer *writer = tf_trail_writer_new(path, &err);
    assert_non_null(writer);
    tf_chain_init(&chain, NULL, 0);
    chain.any_start = true;
    for (size_t i = 0; i < links->count; i++) {
        assert_true(tf_chain_add(&chain, links->events[i]));
        assert_true(tf_trail_writer_add(writer, links->events[i], &err));
    }
    if (!tf_trail_writer_finish(writer, &chain, signer, sha256, &err))
        fail_msg("%s", err.message);
    tf_trail_writer_free(writer);
}

static int setup(void **state)
{
    static scene s;
    tf_error err = {0};
    char sha256[65];
    TF_LINKS_CLEANUP tf_links links = {0};
    s = (scene){.signer = tf_key_make(&err), .folder = "/tmp/tokenfix-trail-XXXXXX"};
    assert_non_null(mkdtemp(s.folder));
    snprintf(s.path, sizeof s.path, "%s/trail.jsonl", s.folder);
    tf_links_make(&links, EVENTS, 1, NULL, 1600000000000, s.signer, 0);
    write_file(s.path, &links, s.signer, sha256);
    FILE *in = fopen(s.path, "re");
    assert_non_null(in);
    assert_true(getdelim(&s.text, &s.size, '\0', in) > 0);
    s.size = strlen(s.text);
    fclose(in);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    scene *s = *state;
    unlink(s->path);
    rmdir(s->folder);
    free(s->text);
    tf_key_free(s->signer);
    return 0;
}

static void examine(const scene *s, const char *text, size_t size, bool with_key, tf_trail_file *out)
{
    tf_error err = {0};
    const tf_key *keys[] = {s->signer};
    FILE *in = fmemopen((void *)(uintptr_t)text, size, "r");
    assert_non_null(in);
    assert_true(tf_trail_file_check(in, keys, with_key, NULL, out, &err));
    fclose(in);
}

static void event__comes_back_from_its_line_byte_for_byte(void **state)
{
    (void)state;
    TF_LINKS_CLEANUP tf_links links = {0};
    tf_links_make(&links, TF_LINKS, 1, NULL, 0, NULL, 0);
    for (size_t i = 0; i < links.count; i++) {
        size_t length = 0;
        char *line = tf_trail_line(links.events[i], &length);
        assert_non_null(line);
        assert_int_equal(line[length - 1], '\n');
        _cleanup_(bson_destroyp) bson_t *back = tf_trail_line_parse(line, length - 1);
        assert_non_null(back);
        assert_int_equal(back->len, links.events[i]->len);
        assert_memory_equal(bson_get_data(back), bson_get_data(links.events[i]), back->len);
        uint8_t one[32], two[32];
        assert_true(tf_event_hash(back, one) && tf_event_hash(links.events[i], two));
        assert_memory_equal(one, two, 32);
        bson_free(line);
    }
}

static void event__that_would_not_come_back_is_not_written(void **state)
{
    (void)state;
    size_t length = 0;
    _cleanup_(bson_destroyp) bson_t *options = BCON_NEW("r", BCON_REGEX("a", "xi")), *text = bson_new();
    bson_append_utf8(text, "t", 1, "\xff\xfe", 2);
    char *line = tf_trail_line(text, &length);
    assert_null(line);
    line = tf_trail_line(options, &length); /* where the library keeps the order of options it comes back */
    if (line) {
        _cleanup_(bson_destroyp) bson_t *back = tf_trail_line_parse(line, length - 1);
        assert_non_null(back);
        bson_free(line);
    }
}

static void file__intact_is_whole(void **state)
{
    scene *s = *state;
    tf_trail_file file;
    struct stat about;
    assert_int_equal(stat(s->path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    for (int with_key = 0; with_key < 2; with_key++) {
        examine(s, s->text, s->size, with_key, &file);
        if (file.chain.broken != TF_BREAK_NONE)
            fail_msg("%s", file.chain.text);
        assert_int_equal(file.chain.count, EVENTS);
        assert_int_equal(file.line, EVENTS + 1);
        assert_true(file.closed_signed);
    }
    assert_int_equal(strlen(file.sha256), 64);
}

/* Without any key: what follows from the content alone. */
static void file__with_any_byte_changed_is_broken(void **state)
{
    scene *s = *state;
    static const uint8_t masks[] = {1, 0x20};
    char *copy = bson_malloc(s->size);
    for (size_t i = 0; i < s->size; i += tf_unless_slow(1, 13))
        for (size_t m = 0; m < sizeof masks; m++) {
            tf_trail_file file;
            memcpy(copy, s->text, s->size);
            copy[i] = (char)(copy[i] ^ masks[m]);
            examine(s, copy, s->size, false, &file);
            if (file.chain.broken == TF_BREAK_NONE)
                fail_msg("byte %zu of %zu was changed by %02x, and nobody noticed", i, s->size, masks[m]);
        }
    bson_free(copy);
}

static void file__cut_off_anywhere_is_broken(void **state)
{
    scene *s = *state;
    for (size_t size = 1; size < s->size; size += tf_unless_slow(1 + size % 3, 13)) {
        tf_trail_file file;
        examine(s, s->text, size, false, &file);
        if (file.chain.broken == TF_BREAK_NONE)
            fail_msg("cut off behind %zu of %zu bytes, and nobody noticed", size, s->size);
    }
}

static void file__with_a_byte_more_or_less_is_broken(void **state)
{
    scene *s = *state;
    static const char more[] = " \n0";
    char *copy = bson_malloc(s->size + 1);
    for (size_t i = 0; i <= s->size; i += tf_unless_slow(1, 13))
        for (size_t m = 0; m < sizeof more; m++) { /* the last one: nothing is added, one is left out */
            tf_trail_file file;
            bool add = m + 1 < sizeof more;
            if (!add && i == s->size)
                continue;
            memcpy(copy, s->text, i);
            copy[i] = more[m];
            memcpy(copy + i + add, s->text + i + !add, s->size - i - !add);
            examine(s, copy, s->size + (add ? 1 : 0) - !add, false, &file);
            if (file.chain.broken == TF_BREAK_NONE && !(add && i < s->size && s->text[i] == more[m] && memcmp(copy, s->text, s->size) == 0))
                fail_msg("byte %zu: %s, and nobody noticed", i, add ? "one more" : "one less");
        }
    bson_free(copy);
}

/* ---- lines ---- */

typedef struct lines {
    char *at[EVENTS + 3];
    size_t count;
} lines;

static char *join(const lines *all, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    for (size_t i = 0; i < all->count; i++)
        fputs(all->at[i], out);
    fclose(out);
    return text;
}

static void split(const scene *s, lines *all)
{
    all->count = 0;
    for (const char *at = s->text; *at;) {
        size_t length = strcspn(at, "\n") + 1;
        all->at[all->count++] = bson_strndup(at, length);
        at += length;
    }
}

static void release(lines *all)
{
    for (size_t i = 0; i < all->count; i++)
        bson_free(all->at[i]);
}

static void expect_broken(const scene *s, const lines *all, const char *what, size_t i)
{
    tf_trail_file file;
    size_t size = 0;
    char *text = join(all, &size);
    examine(s, text, size, false, &file);
    if (file.chain.broken == TF_BREAK_NONE || file.line < 1 || !file.chain.text[0])
        fail_msg("%s %zu, and nobody noticed", what, i);
    free(text);
}

static void file__with_lines_removed_repeated_or_exchanged_is_broken(void **state)
{
    scene *s = *state;
    for (size_t i = 0; i <= EVENTS; i++) {
        lines all;
        split(s, &all);
        assert_int_equal(all.count, EVENTS + 1);
        char *taken = all.at[i];
        memmove(&all.at[i], &all.at[i + 1], (all.count - i - 1) * sizeof *all.at);
        all.count--;
        expect_broken(s, &all, "removed line", i);
        memmove(&all.at[i + 1], &all.at[i], (all.count - i) * sizeof *all.at);
        all.at[i] = taken;
        all.count++;
        for (size_t k = 0; k < all.count; k++) {
            if (k == i)
                continue;
            char *other = all.at[k];
            all.at[k] = all.at[i];
            all.at[i] = other;
            expect_broken(s, &all, "exchanged line", i);
            all.at[i] = all.at[k];
            all.at[k] = other;
        }
        memmove(&all.at[i + 1], &all.at[i], (all.count - i) * sizeof *all.at);
        all.at[i] = bson_strdup(all.at[i + 1]);
        all.count++;
        expect_broken(s, &all, "repeated line", i);
        release(&all);
    }
}

/* The last event is taken away, and the closing line is made anew by somebody without the key. */
static void file__closed_anew_without_the_key_is_noticed_by_its_signature_or_the_head(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_trail_file file, shorter;
    char path[160], sha256[65];
    TF_LINKS_CLEANUP tf_links links = {0};
    examine(s, s->text, s->size, true, &file);
    tf_links_make(&links, EVENTS, 1, NULL, 1600000000000, s->signer, 0);
    bson_destroy(links.events[--links.count]);
    snprintf(path, sizeof path, "%s/cut.jsonl", s->folder);
    write_file(path, &links, NULL, sha256);
    const tf_key *keys[] = {s->signer};
    assert_true(tf_trail_file_check_path(path, keys, 1, NULL, &shorter, &err));
    assert_int_equal(shorter.chain.broken, TF_BREAK_NONE);
    assert_false(shorter.closed_signed);
    assert_string_equal(shorter.sha256, sha256);
    assert_true(tf_trail_file_check_path(path, keys, 1, &file.chain.last, &shorter, &err));
    assert_int_equal(shorter.chain.broken, TF_BREAK_END);
    assert_int_equal(shorter.chain.at, EVENTS);
    unlink(path);
}

static void file__of_a_later_part_says_what_it_follows(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    tf_trail_file file;
    char path[160], sha256[65];
    uint8_t before[32] = {7};
    TF_LINKS_CLEANUP tf_links links = {0};
    tf_links_make(&links, 3, 101, before, 1600000000000, NULL, 0);
    snprintf(path, sizeof path, "%s/later.jsonl", s->folder);
    write_file(path, &links, NULL, sha256);
    assert_true(tf_trail_file_check_path(path, NULL, 0, NULL, &file, &err));
    assert_int_equal(file.chain.broken, TF_BREAK_NONE);
    assert_int_equal(file.chain.first, 101);
    assert_int_equal(file.chain.before.seq, 100);
    assert_memory_equal(file.chain.before.hash, before, 32);
    unlink(path);
}

static void file__is_never_written_over_nor_through_a_link(void **state)
{
    scene *s = *state;
    tf_error err = {0};
    char path[160];
    assert_null(tf_trail_writer_new(s->path, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    snprintf(path, sizeof path, "%s/link", s->folder);
    assert_int_equal(symlink("/tmp/tokenfix-nowhere", path), 0);
    tf_error_clear(&err);
    assert_null(tf_trail_writer_new(path, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    unlink(path);
    /* the name is taken while the file is written */
    tf_error_clear(&err);
    tf_chain chain = {0};
    char sha256[65];
    tf_trail_writer *writer = tf_trail_writer_new(path, &err);
    assert_non_null(writer);
    assert_int_equal(symlink("/tmp/tokenfix-nowhere", path), 0);
    assert_false(tf_trail_writer_finish(writer, &chain, NULL, sha256, &err));
    assert_int_equal(err.code, TF_ERR_USAGE);
    tf_trail_writer_free(writer);
    unlink(path);
    /* and where there is no folder */
    tf_error_clear(&err);
    snprintf(path, sizeof path, "%s/no/such/folder", s->folder);
    assert_null(tf_trail_writer_new(path, &err));
    assert_int_equal(err.code, TF_ERR_SYSTEM);
    assert_int_equal(rmdir(s->folder), -1); /* the file of the setup only: nothing was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event__comes_back_from_its_line_byte_for_byte),
        cmocka_unit_test(event__that_would_not_come_back_is_not_written),
        cmocka_unit_test_setup_teardown(file__intact_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(file__with_any_byte_changed_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(file__cut_off_anywhere_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(file__with_a_byte_more_or_less_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(file__with_lines_removed_repeated_or_exchanged_is_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(file__closed_anew_without_the_key_is_noticed_by_its_signature_or_the_head, setup, teardown),
        cmocka_unit_test_setup_teardown(file__of_a_later_part_says_what_it_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(file__is_never_written_over_nor_through_a_link, setup, teardown),
    };
    return cmocka_run_group_tests_name("trail_file", tests, NULL, NULL);
}
