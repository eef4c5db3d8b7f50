#include "fuzz/fuzz.h"

#include "base/text.h"

#include <string.h>

bool fuzz_document(const uint8_t **data, size_t *size, bson_t *view, uint8_t **memory)
{
    uint32_t length = 0;
    if (*size < 5)
        return false;
    memcpy(&length, *data, sizeof length);
    length = BSON_UINT32_FROM_LE(length);
    if (length < 5 || length > *size)
        length = (uint32_t)*size;
    uint32_t stored = BSON_UINT32_TO_LE(length);
    *memory = malloc(length);
    memcpy(*memory, *data, length);
    memcpy(*memory, &stored, sizeof stored);
    (*memory)[length - 1] = 0;
    *data += length;
    *size -= length;
    FUZZ_CHECK(bson_init_static(view, *memory, length));
    return true;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

void fuzz_print(void (*print)(const void *arg), const void *arg)
{
    char *text = NULL;
    size_t size = 0;
    FILE *before = stdout, *memory = open_memstream(&text, &size);
    stdout = memory;
    print(arg);
    fclose(memory);
    stdout = before;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        size_t length = tf_utf8_next(text + i, size - i, &c);
        FUZZ_CHECK(length > 0 && (c == '\n' || (c >= 0x20 && c != 0x7f && !(c >= 0x80 && c < 0xa0))));
        i += length;
    }
    free(text);
}
