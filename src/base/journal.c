#include "base/journal.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

bool tf_journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat about;
    char expected[64];
    if (!stream || fstat(STDERR_FILENO, &about) != 0)
        return false;
    snprintf(expected, sizeof expected, "%ju:%ju", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    return strcmp(stream, expected) == 0;
}

/* "elapsedMs" → TOKENFIX_ELAPSED_MS */
static void print_name(FILE *out, const char *name)
{
    fputs("TOKENFIX_", out);
    for (; *name; name++) {
        if (*name >= 'A' && *name <= 'Z')
            fputc('_', out);
        fputc(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name, out);
    }
    fputc('=', out);
}

static char *entry(int priority, const char *message, const bson_t *fields, size_t *size)
{
    char *text = NULL;
    bson_iter_t iter;
    FILE *out = tf_text_stream(&text, size);
    if (!out)
        return NULL;
    fprintf(out, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=tokenfix\n", message, priority);
    if (bson_iter_init(&iter, fields))
        while (bson_iter_next(&iter)) {
            print_name(out, bson_iter_key(&iter));
            if (BSON_ITER_HOLDS_UTF8(&iter))
                fprintf(out, "%s\n", bson_iter_utf8(&iter, NULL));
            else
                fprintf(out, "%" PRId64 "\n", bson_iter_as_int64(&iter));
        }
    fclose(out);
    return text;
}

bool tf_journal_send(int priority, const char *message, const bson_t *fields)
{
    const char *other = getenv("TOKENFIX_JOURNAL_SOCKET"), *path = other && *other ? other : "/run/systemd/journal/socket";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = 0;
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return false;
    char *text = entry(priority, message, fields, &size);
    bool sent = text && sendto(fd, text, size, MSG_NOSIGNAL, (const struct sockaddr *)&address,
                               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) == (ssize_t)size;
    free(text);
    close(fd);
    return sent;
}
