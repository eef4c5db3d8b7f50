/*
 * What the fuzz targets share. A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput; scripts/fuzz links it to clang's
 * libFuzzer, every other build to replay.c, which feeds it the files of corpus/NAME and what a cut makes of them.
 */
#ifndef TF_TESTS_FUZZ_H
#define TF_TESTS_FUZZ_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input: where it does not, the fuzzer keeps the input. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The next document of an input: a copy in memory of exactly its size, its length and its last byte put right so that the
 * driver would hand it on; what is inside may be damaged. False at the end of the input. The caller frees *memory. */
bool fuzz_document(const uint8_t **data, size_t *size, bson_t *view, uint8_t **memory);

/* The input as a string; the caller frees. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Runs print(arg) with standard output into memory and checks what a terminal would get: UTF-8 without control characters. */
void fuzz_print(void (*print)(const void *arg), const void *arg);

#endif
