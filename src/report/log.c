#include "report/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <tokenfix/bson.h>
#include <tokenfix/cleanup.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/journal.h"
#include "base/redact.h"
#include "base/text.h"

enum { TEXT = 2048, STAMP = 40 };

static struct {
    pthread_mutex_t lock;
    tf_log_options options;
    tf_log_level level;
    int fd;               /* -1: none */
    dev_t device;         /* of the open file */
    ino_t inode;
    bool json, journal;   /* on standard error */
    bool complained;
    char database[80];    /* "": none */
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .level = TF_LOG_INFO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* ---- the file ---- */

static bool no_file(const char *path, int reason, tf_error *err)
{
    tf_error_set(err, TF_ERR_USAGE, "the log file '%s' cannot be written", TF_WORD(path));
    if (reason)
        tf_error_detail(err, "%s", reason == ELOOP ? "it is a symbolic link" : strerror(reason));
    return tf_error_hint(err, "Name a file in a folder where you may write; its folder must be there.");
}

static bool open_file(const char *path, tf_error *err)
{
    struct stat about;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd == -1)
        return no_file(path, errno, err);
    if (fstat(fd, &about) != 0 || !(S_ISREG(about.st_mode) || S_ISCHR(about.st_mode))) {
        close(fd);
        return no_file(path, 0, err);
    }
    if (logger.fd != -1)
        close(logger.fd);
    logger.fd = fd;
    logger.device = about.st_dev;
    logger.inode = about.st_ino;
    return true;
}

static bool was_moved(void)
{
    struct stat about;
    return stat(logger.options.file, &about) != 0 || about.st_dev != logger.device || about.st_ino != logger.inode;
}

static void complain(const char *why)
{
    if (logger.complained)
        return;
    logger.complained = true;
    fprintf(stderr, "tokenfix: warning: the log file cannot be written any more: %s\n", why);
}

static void write_file(const char *line, size_t length)
{
    tf_error err = {0};
    if (was_moved() && !open_file(logger.options.file, &err))
        complain(err.detail[0] ? err.detail : err.message);
    ssize_t written = write(logger.fd, line, length);
    if (written != (ssize_t)length)
        complain(written < 0 ? strerror(errno) : "no space is left");
}

/* ---- a line ---- */

static void stamp(char out[static STAMP])
{
    int64_t now = tf_clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm parts = {0};
    char date[24] = "";
    gmtime_r(&seconds, &parts);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, STAMP, "%s.%03dZ", date, (int)(now % 1000));
}

static const char *clean(const char *text, char out[static TEXT])
{
    char redacted[TEXT];
    return tf_text_clean(tf_redact_text(text, redacted, sizeof redacted), out, TEXT);
}

static void append(bson_t *doc, const char *name, const char *text)
{
    char buffer[TEXT];
    if (text && *text)
        bson_append_utf8(doc, name, -1, clean(text, buffer), -1);
}

static void append_fields(const tf_log_fields *f, bson_t *doc)
{
    append(doc, "database", logger.database);
    append(doc, "run", f->run);
    append(doc, "command", f->command);
    append(doc, "code", f->code);
    append(doc, "detail", f->detail);
    append(doc, "hint", f->hint);
    if (f->ended) {
        BSON_APPEND_INT32(doc, "exit", f->exit);
        BSON_APPEND_INT64(doc, "elapsedMs", f->elapsed_ms);
    }
}

/* All of it on one line, for who reads it. */
static void sentence(const char *message, const tf_log_fields *f, char *out, size_t size)
{
    char text[TEXT], detail[TEXT], hint[TEXT];
    bool more = f->detail && *f->detail && strcmp(f->detail, message) != 0;
    snprintf(out, size, "%s%s%s%s%s%s%s", logger.database, *logger.database ? ": " : "", clean(message, text),
             more ? "; " : "", more ? clean(f->detail, detail) : "", f->hint && *f->hint ? "; hint: " : "",
             f->hint && *f->hint ? clean(f->hint, hint) : "");
}

static char *json_line(tf_log_level level, const char *message, const tf_log_fields *f, size_t *length)
{
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char time[STAMP];
    stamp(time);
    BSON_APPEND_UTF8(&doc, "time", time);
    BSON_APPEND_UTF8(&doc, "level", level_names[level]);
    append(&doc, "message", message);
    append_fields(f, &doc);
    BSON_APPEND_INT32(&doc, "pid", (int32_t)getpid());
    char *json = bson_as_relaxed_extended_json(&doc, length);
    if (!json)
        return NULL;
    json = bson_realloc(json, *length + 2);
    json[(*length)++] = '\n';
    json[*length] = '\0';
    return json;
}

static char *text_line(tf_log_level level, const char *message, const tf_log_fields *f, size_t *length)
{
    char time[STAMP], text[4 * TEXT];
    stamp(time);
    sentence(message, f, text, sizeof text);
    char *line = bson_strdup_printf("%s %s %s\n", time, level_names[level], text);
    *length = strlen(line);
    return line;
}

static void to_journal(tf_log_level level, const char *message, const tf_log_fields *f)
{
    static const int priorities[] = {3, 4, 6, 7};
    _cleanup_bson_ bson_t doc = BSON_INITIALIZER;
    char text[4 * TEXT];
    sentence(message, f, text, sizeof text);
    append_fields(f, &doc);
    if (!tf_journal_send(priorities[level], text, &doc))
        fprintf(stderr, "<%d>%s\n", priorities[level], text); /* journald takes the level from the line */
}

static void write_line(tf_log_level level, const char *message, const tf_log_fields *f)
{
    size_t length = 0;
    char *line = logger.fd == -1 && !logger.json ? NULL
                 : logger.options.json           ? json_line(level, message, f, &length)
                                                 : text_line(level, message, f, &length);
    if (line && logger.fd != -1)
        write_file(line, length);
    if (line && logger.json)
        fwrite(line, 1, length, stderr);
    if (logger.journal)
        to_journal(level, message, f);
    bson_free(line);
}

void tf_log(tf_log_level level, const tf_log_fields *fields, const char *format, ...)
{
    static const tf_log_fields none = {.code = NULL};
    char message[TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    pthread_mutex_lock(&logger.lock);
    if (level <= logger.level)
        write_line(level, message, fields ? fields : &none);
    pthread_mutex_unlock(&logger.lock);
}

/* ---- what is asked for ---- */

bool tf_log_open(const tf_log_options *options, tf_error *err)
{
    for (size_t i = 0; options->level && i < sizeof level_names / sizeof *level_names; i++)
        if (strcmp(level_names[i], options->level) == 0)
            logger.level = (tf_log_level)i;
    logger.options = *options;
    logger.json = options->json;
    logger.journal = !options->chosen && tf_journal_is_stderr();
    return !options->file || open_file(options->file, err);
}

void tf_log_close(void)
{
    if (logger.fd != -1)
        close(logger.fd);
    logger.fd = -1;
    logger.json = logger.journal = false;
}

void tf_log_about(const char *database)
{
    pthread_mutex_lock(&logger.lock);
    snprintf(logger.database, sizeof logger.database, "%s", database ? database : "");
    pthread_mutex_unlock(&logger.lock);
}

bool tf_log_has_stderr(void)
{
    return logger.json || logger.journal;
}
