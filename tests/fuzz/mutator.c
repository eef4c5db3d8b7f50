/* libFuzzer's bytes alone seldom make BSON: half of the mutations damage a field and keep the form (support/mutate.h). */
#include "fuzz/fuzz.h"
#include "support/mutate.h"

#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* The input's documents are put down one after the other; the one at *at is the chosen one. */
static bool choose(uint8_t *data, size_t size, unsigned *seed, size_t *at, uint32_t *length)
{
    size_t begins[16], count = 0, offset = 0;
    while (count < 16 && size - offset >= 5) {
        memcpy(length, data + offset, sizeof *length);
        *length = BSON_UINT32_FROM_LE(*length);
        if (*length < 5 || *length > size - offset)
            break;
        begins[count++] = offset;
        offset += *length;
    }
    if (!count)
        return false;
    *at = begins[next(seed) % count];
    memcpy(length, data + *at, sizeof *length);
    *length = BSON_UINT32_FROM_LE(*length);
    return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    size_t at = 0;
    uint32_t length = 0;
    bson_t doc, out = BSON_INITIALIZER;
    char *path = NULL;
    if (size == 0 || data[0] == '{' || next(&seed) % 2 || !choose(data, size, &seed, &at, &length) ||
        !bson_init_static(&doc, data + at, length)) {
        bson_destroy(&out);
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size_t fields = tf_mutate_fields(&doc);
    tf_mutate(&doc, fields ? next(&seed) % fields : 0, next(&seed) % tf_mutate_ways(), &out, &path);
    bson_free(path);
    size_t after = size - at - length, total = at + out.len + after;
    if (total <= max_size) {
        memmove(data + at + out.len, data + at + length, after);
        memcpy(data + at, bson_get_data(&out), out.len);
        size = total;
    }
    bson_destroy(&out);
    return size;
}
