/* What a function prints on standard output, at 80 columns (or as many as are said) and without colours. */
#ifndef TF_TESTS_CAPTURE_H
#define TF_TESTS_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>

/* Runs print(arg) and returns its output; the caller frees. */
static inline char *tf_capture_at(void (*print)(const void *arg), const void *arg, int columns)
{
    char number[16];
    char *text = NULL;
    size_t size = 0;
    FILE *before = stdout, *memory = open_memstream(&text, &size);
    snprintf(number, sizeof number, "%d", columns);
    setenv("COLUMNS", number, 1);
    stdout = memory;
    print(arg);
    fclose(memory);
    stdout = before;
    return text;
}

static inline char *tf_capture(void (*print)(const void *arg), const void *arg)
{
    return tf_capture_at(print, arg, 80);
}

#endif
