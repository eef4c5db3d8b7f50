/* What a function prints on standard output, at 80 columns and without colours. */
#ifndef TF_TESTS_CAPTURE_H
#define TF_TESTS_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>

/* Runs print(arg) and returns its output; the caller frees. */
static inline char *tf_capture(void (*print)(const void *arg), const void *arg)
{
    char *text = NULL;
    size_t size = 0;
    FILE *before = stdout, *memory = open_memstream(&text, &size);
    setenv("COLUMNS", "80", 1);
    stdout = memory;
    print(arg);
    fclose(memory);
    stdout = before;
    return text;
}

#endif
