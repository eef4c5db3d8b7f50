#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "report/output.h"

static char text[8192];

/* Runs `tf_output_error` with stdout and stderr in files; fills `text` with what the stream `fd` got. */
static int capture(int fd, const tf_error *err, const char *run, const bson_t *preview, bool json)
{
    FILE *file = tmpfile();
    fflush(stdout);
    int saved = dup(fd);
    dup2(fileno(file), fd);
    int status = tf_output_error(err, run, preview, json);
    fflush(stdout);
    dup2(saved, fd);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return status;
}

static tf_error an_error(void)
{
    tf_error err = {0};
    tf_error_set(&err, TF_ERR_CONNECT, "cannot reach mongodb://me:geheim@h/x \x1b[31m\xff");
    tf_error_detail(&err, "first\nsecond");
    tf_error_hint(&err,
                  "Start the server, then look whether the name and the port that were given are the right ones.");
    return err;
}

static void output__error_is_text_with_detail_and_hint(void **state)
{
    (void)state;
    tf_error err = an_error();
    assert_int_equal(capture(STDERR_FILENO, &err, NULL, NULL, false), 8);
    assert_string_equal(text, "tokenfix: cannot reach mongodb://me:<hidden>@h/x ?[31m?\n"
                              "  detail: first second\n"
                              "hint: Start the server, then look whether the name and the port that were given\n"
                              "  are the right ones.\n");
}

static void output__error_without_a_hint_of_its_own_has_one(void **state)
{
    (void)state;
    static const tf_error_code codes[] = {TF_ERR_USAGE, TF_ERR_SYSTEM, TF_ERR_MEMORY, TF_ERR_INTERNAL, TF_ERR_SERVER, TF_ERR_TRANSIENT,
                                          TF_ERR_REFUSED_WRITE, TF_ERR_NOT_WRITABLE};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        tf_error err = {0};
        tf_error_set(&err, codes[i], "it went wrong");
        capture(STDERR_FILENO, &err, NULL, NULL, false);
        assert_non_null(strstr(text, "\nhint: "));
    }
}

static void output__failure_has_what_was_done_beside_the_error(void **state)
{
    (void)state;
    tf_error err = an_error();
    bson_t *data = BCON_NEW("affectedTokens", BCON_INT32(7));
    char *printed = NULL;
    size_t size = 0;
    FILE *before = stdout, *memory = open_memstream(&printed, &size);
    stdout = memory;
    assert_int_equal(tf_output_failure(&err, "20261120-abc", data, true), 8);
    fclose(memory);
    stdout = before;
    bson_t *doc = bson_new_from_json((const uint8_t *)printed, -1, NULL);
    assert_non_null(doc);
    bson_iter_t iter, found;
    assert_true(bson_iter_init_find(&iter, doc, "success") && !bson_iter_bool(&iter));
    bson_iter_init(&iter, doc);
    assert_true(bson_iter_find_descendant(&iter, "data.affectedTokens", &found));
    bson_iter_init(&iter, doc);
    assert_true(bson_iter_find_descendant(&iter, "error.run", &found));
    bson_destroy(doc);
    bson_destroy(data);
    free(printed);
}

static void output__error_is_one_json_object(void **state)
{
    (void)state;
    tf_error err = an_error();
    bson_t *preview = BCON_NEW("tokens", BCON_INT32(1));
    assert_int_equal(capture(STDOUT_FILENO, &err, "20261120-abc", preview, true), 8);
    assert_null(strstr(text, "geheim"));
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    assert_non_null(doc);
    bson_iter_t iter, found;
    assert_true(bson_iter_init_find(&iter, doc, "success") && !bson_iter_bool(&iter));
    static const char *const keys[] = {"error.code", "error.message", "error.hint",
                                       "error.exit", "error.run",     "error.preview.tokens"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bson_iter_init(&iter, doc);
        assert_true(bson_iter_find_descendant(&iter, keys[i], &found));
    }
    bson_destroy(doc);
    bson_destroy(preview);
}

static void output__full_disk_is_an_error_of_what_went_well(void **state)
{
    (void)state;
    static const int rows[][2] = {{0, 1}, {3, 1}, {6, 6}, {2, 2}};
    bson_t data = BSON_INITIALIZER;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fflush(stdout);
        int saved = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY);
        dup2(full, STDOUT_FILENO);
        tf_output_success(&data);
        int status = tf_output_finish(rows[i][0]);
        clearerr(stdout);
        dup2(saved, STDOUT_FILENO);
        close(saved);
        close(full);
        assert_int_equal(status, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output__error_is_text_with_detail_and_hint),
        cmocka_unit_test(output__error_without_a_hint_of_its_own_has_one),
        cmocka_unit_test(output__failure_has_what_was_done_beside_the_error),
        cmocka_unit_test(output__error_is_one_json_object),
        cmocka_unit_test(output__full_disk_is_an_error_of_what_went_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
