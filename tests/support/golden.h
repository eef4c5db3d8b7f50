/* Expected outputs in tests/golden, at 80 columns; scripts/golden writes them anew. */
#ifndef TF_TESTS_GOLDEN_H
#define TF_TESTS_GOLDEN_H

#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TF_GOLDEN_WORDS = 16 };

/* The file's text; the caller frees. NULL where it cannot be read. */
static inline char *tf_golden_read(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;
    if (!in)
        return NULL;
    if (getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(in);
    return text;
}

/* Runs the words of a command line, and one more (may be NULL) behind them, on so many columns. */
static inline tf_program *tf_golden_run_at(tf_fixture *f, const char *words, const char *more, int columns)
{
    const char *argv[TF_GOLDEN_WORDS] = {NULL};
    char copy[256], *save = NULL;
    size_t n = 0;
    assert_true(snprintf(copy, sizeof copy, "%s", words) < (int)sizeof copy);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        assert_true(n + 2 < TF_GOLDEN_WORDS);
        argv[n++] = word;
    }
    argv[n] = more;
    char variable[32];
    snprintf(variable, sizeof variable, "COLUMNS=%d", columns);
    return tf_program_exec(f, &(tf_program_options){.argv = argv, .env = (const char *[]){variable, NULL}});
}

static inline tf_program *tf_golden_run(tf_fixture *f, const char *words, const char *more)
{
    return tf_golden_run_at(f, words, more, 80);
}

/* Fails where a line of the text (may be NULL) is wider; a character is a column. A name that fits nowhere stands alone. */
static inline void tf_golden_width_at(const char *text, const char *command, int columns)
{
    for (const char *end; text && *text; text = *end ? end + 1 : end) {
        size_t width = 0;
        end = text + strcspn(text, "\n");
        const char *word = text + strspn(text, " ");
        for (const char *at = text; at < end; at++)
            width += (*at & 0xc0) != 0x80;
        if (width > (size_t)columns && memchr(word, ' ', (size_t)(end - word)))
            fail_msg("'%s' writes a line of more than %d columns: %.*s", command, columns, (int)(end - text), text);
    }
}

static inline void tf_golden_width(const char *text, const char *command)
{
    tf_golden_width_at(text, command, 80);
}

#endif
