/* The corpus without the fuzzer: every file of a folder, whole, cut after every second byte, and with a bit of the others turned. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <string.h>

enum { INPUT_MAX = 1 << 20, DAMAGED_MAX = 4096 };

static void feed(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1); /* the sanitizer sees a byte read beyond */
    if (size)
        memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void replay(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file);
    size_t size = fread(data, 1, INPUT_MAX, file);
    fclose(file);
    feed(data, size);
    for (size_t i = 0; i < size && i < DAMAGED_MAX; i++) {
        uint8_t bit = (uint8_t)(i % 2 << (i / 2 % 8));
        data[i] ^= bit;
        feed(data, bit ? size : i);
        data[i] ^= bit;
    }
}

int main(int argc, char **argv)
{
    int files = 0;
    uint8_t *data = malloc(INPUT_MAX);
    FUZZ_CHECK(argc == 2);
    DIR *folder = opendir(argv[1]);
    FUZZ_CHECK(folder);
    for (struct dirent *entry; (entry = readdir(folder)); files++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (entry->d_name[0] != '.')
            replay(path, data);
    }
    closedir(folder);
    free(data);
    printf("%d files\n", files - 2);
    FUZZ_CHECK(files > 2);
    return 0;
}
