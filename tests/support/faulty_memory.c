/*
 * Preloaded into the program under test: the n-th allocation fails (TF_FAULTY_MALLOC=n). What counts are the calls that the
 * program itself, libbson and libmongoc make: what the C library, OpenSSL or SASL do for themselves is theirs. With
 * TF_FAULTY_COUNT=FILE the number of calls is written there at the end.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RANGES = 16 };

static struct {
    uintptr_t from, to;
} counted[RANGES];
static int ranges;
static atomic_long calls;
static long chosen;
static bool ready;

static int note_object(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size;
    bool *first = arg;
    bool ours = *first || strstr(object->dlpi_name, "libmongoc") || strstr(object->dlpi_name, "libbson");
    *first = false;
    for (int i = 0; ours && i < object->dlpi_phnum && ranges < RANGES; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        counted[ranges].from = object->dlpi_addr + header->p_vaddr;
        counted[ranges].to = counted[ranges].from + header->p_memsz;
        ranges++;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    bool first = true;
    const char *text = getenv("TF_FAULTY_MALLOC");
    chosen = text ? atol(text) : 0;
    dl_iterate_phdr(note_object, &first);
    ready = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("TF_FAULTY_COUNT");
    char text[32];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    if (write(fd, text, (size_t)length) != length)
        abort();
    close(fd);
}

static bool fails(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    bool ours = false;
    for (int i = 0; i < ranges && !ours; i++)
        ours = at >= counted[i].from && at < counted[i].to;
    if (!ready || !ours || atomic_fetch_add(&calls, 1) + 1 != chosen)
        return false;
    errno = ENOMEM;
    return true;
}

/* The function of that name behind this one. */
#define NEXT(name)                                                                                                     \
    static __typeof__(&name) next;                                                                                     \
    if (!next)                                                                                                         \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAILS() fails(__builtin_return_address(0))

void *malloc(size_t size)
{
    NEXT(malloc);
    return FAILS() ? NULL : next(size);
}

void *calloc(size_t count, size_t size)
{
    NEXT(calloc);
    return FAILS() ? NULL : next(count, size);
}

void *realloc(void *old, size_t size)
{
    NEXT(realloc);
    return FAILS() ? NULL : next(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    NEXT(aligned_alloc);
    return FAILS() ? NULL : next(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    NEXT(posix_memalign);
    return FAILS() ? ENOMEM : next(out, alignment, size);
}

char *strdup(const char *text)
{
    NEXT(strdup);
    return FAILS() ? NULL : next(text);
}

char *strndup(const char *text, size_t size)
{
    NEXT(strndup);
    return FAILS() ? NULL : next(text, size);
}

FILE *open_memstream(char **text, size_t *size)
{
    NEXT(open_memstream);
    return FAILS() ? NULL : next(text, size);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(fopen);
    return FAILS() ? NULL : next(path, mode);
}
