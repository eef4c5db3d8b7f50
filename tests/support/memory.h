/* A secret that this process holds in disguise only, and the search for it as it is, through a whole process' memory. */
#ifndef TF_TESTS_MEMORY_H
#define TF_TESTS_MEMORY_H

#include "support/fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <unistd.h>

enum { TF_SECRET_LENGTH = 24, TF_SECRET_MASK = 0x80, TF_MEMORY_BLOCK = 1 << 16 };

typedef struct tf_secret {
    uint8_t disguised[TF_SECRET_LENGTH];
} tf_secret;

/* What is the same in a connection string as it is typed. Few bytes of a memory are a tilde: it is quickly found. */
static inline void tf_secret_make(tf_secret *secret)
{
    assert_int_equal(getrandom(secret->disguised, TF_SECRET_LENGTH, 0), TF_SECRET_LENGTH);
    for (int i = 0; i < TF_SECRET_LENGTH; i++)
        secret->disguised[i] = (uint8_t)(i ? 'a' + secret->disguised[i] % 26 : '~') | TF_SECRET_MASK;
}

/* Writes it, as it is, behind the text: "--password=" becomes "--password=…". The caller wipes it. */
static inline void tf_secret_append(const tf_secret *secret, char *text, size_t size)
{
    size_t used = strlen(text);
    assert_true(used + TF_SECRET_LENGTH < size);
    for (int i = 0; i < TF_SECRET_LENGTH; i++)
        text[used++] = (char)(secret->disguised[i] ^ TF_SECRET_MASK);
    text[used] = '\0';
}

static inline bool tf_secret_at(const tf_secret *secret, const uint8_t *at)
{
    for (int i = 0; i < TF_SECRET_LENGTH; i++)
        if ((at[i] ^ TF_SECRET_MASK) != secret->disguised[i])
            return false;
    return true;
}

/* What is read is itself in memory: the block is wiped behind us, and skipped. Blocks overlap by a secret and the byte
 * before it; before: that byte, 0: any. */
static inline int tf_memory_search(int fd, const tf_secret *secret, char before, uint64_t begin, uint64_t end, bool own)
{
    enum { OVERLAP = TF_SECRET_LENGTH };
    static uint8_t block[TF_MEMORY_BLOCK];
    const uint64_t block_begin = own ? (uint64_t)(uintptr_t)block : 0, block_end = own ? block_begin + sizeof block : 0;
    int found = 0;
    for (uint64_t from = begin; from < end; from += sizeof block - OVERLAP) {
        size_t wanted = end - from < sizeof block ? (size_t)(end - from) : sizeof block;
        ssize_t got = pread(fd, block, wanted, (off_t)from);
        const uint8_t *last = block + (got > OVERLAP ? got - OVERLAP : 0), *at = block;
        /* the first byte of a block was the last place of the one before */
        while (at < last && (at = memchr(at + 1, '~', (size_t)(last - at)))) {
            uint64_t place = from + (uint64_t)(at - block);
            bool ours = place + TF_SECRET_LENGTH > block_begin && place < block_end;
            found += !ours && tf_secret_at(secret, at) && (!before || at[-1] == (uint8_t)before);
        }
    }
    explicit_bzero(block, sizeof block);
    return found;
}

/* How often the secret stands in the writable memory of a process (0: this one), behind that byte (0: any); -1 where the
 * memory may not be read. What is larger than 4 GB is the sanitizer's own. */
static inline int tf_memory_count(pid_t pid, const tf_secret *secret, char before)
{
    char path[64], line[512];
    uint64_t begin, end;
    int found = 0;
    snprintf(path, sizeof path, "/proc/%d/mem", pid ? (int)pid : (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/maps", pid ? (int)pid : (int)getpid());
    _cleanup_(fclosep) FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        char rights[8];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &begin, &end, rights) == 3 && rights[0] == 'r' &&
            rights[1] == 'w' && end - begin < 4ULL << 30)
            found += tf_memory_search(fd, secret, before, begin, end, pid == 0);
    }
    close(fd);
    return found;
}

#endif
